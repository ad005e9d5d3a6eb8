import type { Flow } from '../src/ladder/model';

type Frame = Record<string, unknown>;
export function flowFrame(flow: Flow): Frame;
export function callsFrame(calls: unknown[]): Frame;
export function longFlow(flow: Flow, rounds: number): Flow;
