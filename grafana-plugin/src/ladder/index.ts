export { Ladder } from './Ladder';
export type { LadderOptions, LadderProps } from './Ladder';
export * from './model';
export * from './theme';
export type { TimeMode } from './time';
