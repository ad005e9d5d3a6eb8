import { memo } from 'react';
import { Findings } from './findings';
import { FindingMark, severityColour } from './LadderFindings';
import { Layout, MessageRow, Phase } from './layout';
import { Flow, legLetter } from './model';
import { monoWidth } from './measure';
import { LadderTheme, legColour } from './theme';
import { formatClock, formatDuration, formatOffset, TimeMode } from './time';

/** What the gutter holds, and how wide that makes it. */
export interface GutterColumns {
  legs: boolean;
  /** A second column with the time since the message before. */
  delta: boolean;
  number: number;
  leg: number;
  time: number;
  /** Width of the marks of findings, 0 where there are none. */
  marks: number;
  width: number;
}

export function gutterColumns(mode: TimeMode, flow: Flow, available: number, marked: boolean): GutterColumns {
  const count = flow.items.length;
  const showLegs = flow.legs.length > 1;
  const offset = formatOffset(flow.items[count - 1]?.offset_us ?? 0);
  const delta = mode !== 'delta' && available >= 700;
  const number = 12 + Math.max(String(count).length, 2) * 7;
  const leg = showLegs ? 24 : 0;
  const time = mode === 'clock' ? 116 : mode === 'offset' ? 12 + monoWidth(offset, 11.5) : 74;
  const marks = marked ? 20 : 0;
  return { legs: showLegs, delta, number, leg, time, marks, width: number + leg + marks + time + (delta ? 70 : 0) + 8 };
}

interface GutterProps {
  layout: Layout;
  columns: GutterColumns;
  theme: LadderTheme;
  mode: TimeMode;
  timeZone: string;
  findings: Findings;
  first: number;
  last: number;
}

/** Number, leg and time of each row; stays in place when the ladder scrolls sideways. */
export const LadderGutter = memo(function LadderGutter(p: GutterProps) {
  const { layout, columns, theme, first, last } = p;
  const timeRight = columns.number + columns.leg + columns.marks + columns.time;
  return (
    <g fontFamily={theme.fontMono} fontSize={11.5} aria-hidden="true">
      {layout.rows.slice(first, last).map((row) => {
        if (row.type === 'gap') {
          return <rect key={`gap ${row.row}`} x={0} y={row.y} width={3} height={row.height} fill={phaseColour(theme, row.phase)} />;
        }
        const mid = row.y + 17.5;
        const mark = p.findings.at.get(row.item.index);
        return (
          <g key={row.item.index} opacity={row.item.copy ? 0.62 : 1}>
            <rect x={0} y={row.y} width={3} height={row.height} fill={phaseColour(theme, row.phase)}>
              <title>{row.phase}</title>
            </rect>
            <text x={columns.number} y={mid} textAnchor="end" fontSize={10.5} fill={theme.textFaint}>
              {row.item.index + 1}
            </text>
            {columns.legs && <LegTag x={columns.number + 8} y={row.y + 6} leg={row.item.leg} theme={theme} />}
            {mark && (
              <g data-testid={`ladder-mark-${row.item.index}`}>
                <title>{mark.finding.text}</title>
                <FindingMark
                  x={columns.number + columns.leg + 16}
                  y={row.y + 13.5}
                  text={String(mark.number)}
                  colour={severityColour(theme, mark.finding.severity)}
                  theme={theme}
                />
              </g>
            )}
            <text x={timeRight} y={mid} textAnchor="end" fill={p.mode === 'delta' ? deltaColour(theme, row) : theme.text}>
              {timeText(row, p.mode, p.timeZone)}
            </text>
            {columns.delta && row.deltaUs !== 0 && (
              <text x={columns.width - 8} y={mid} textAnchor="end" fontSize={11} fill={deltaColour(theme, row)}>
                {formatDuration(row.deltaUs)}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
});

function LegTag({ x, y, leg, theme }: { x: number; y: number; leg: number; theme: LadderTheme }) {
  const colour = legColour(theme, leg);
  return (
    <g>
      <rect x={x} y={y} width={15} height={15} rx={3.5} fill={colour} opacity={0.2} />
      <rect x={x} y={y} width={15} height={15} rx={3.5} fill="none" stroke={colour} strokeWidth={1} />
      <text x={x + 7.5} y={y + 11.3} textAnchor="middle" fontSize={10} fontWeight={700} fill={colour}>
        {legLetter(leg)}
      </text>
    </g>
  );
}

function timeText(row: MessageRow, mode: TimeMode, timeZone: string): string {
  switch (mode) {
    case 'clock':
      return formatClock(row.timeUs, timeZone);
    case 'offset':
      return formatOffset(row.offsetUs);
    case 'delta':
      return formatDuration(row.deltaUs);
  }
}

/** Waits that a person would feel stand out. */
function deltaColour(theme: LadderTheme, row: MessageRow): string {
  if (row.deltaUs >= 2_000_000) {
    return theme.warning;
  }
  return row.deltaUs >= 200_000 ? theme.text : theme.textFaint;
}

export function phaseColour(theme: LadderTheme, phase: Phase): string {
  switch (phase) {
    case 'setup':
      return theme.textFaint;
    case 'ringing':
      return theme.warning;
    case 'talking':
      return theme.success;
    case 'ended':
      return theme.lifeline;
  }
}
