import { memo, ReactElement } from 'react';
import { Layout, MessageRow, Row } from './layout';
import { fitMono, monoWidth } from './measure';
import { labelOf } from './model';
import { toneStyle } from './styles';
import { LadderTheme, legColour } from './theme';
import { formatDuration } from './time';

const labelSize = 12;
const pillSize = 9.5;
const baseline = 12.5;
const arrowY = 19.5;
/** Middle of a row, for what has its label beside it. */
const centre = 13.5;
const pillGap = 6;

interface RowsProps {
  layout: Layout;
  theme: LadderTheme;
  /** Rows [first, last) are drawn. */
  first: number;
  last: number;
  /** The item that the Tab key reaches. */
  tabStop: number;
  onSelect: (index: number) => void;
  onFocus: (index: number) => void;
}

/** Lifelines, arrows and gaps: the SVG right of the times. */
export const LadderRows = memo(function LadderRows(p: RowsProps) {
  const { layout, theme, first, last } = p;
  return (
    <>
      {layout.columns.map((c) => (
        <line
          key={`${c.host} ${c.key}`}
          x1={c.x}
          x2={c.x}
          y1={0}
          y2={layout.height}
          stroke={theme.lifeline}
          strokeDasharray={c.mediaOnly ? '2 3' : undefined}
        />
      ))}
      {layout.rows.slice(first, last).map((row) => drawRow(row, p))}
    </>
  );
});

function drawRow(row: Row, p: RowsProps): ReactElement {
  if (row.type === 'gap') {
    return <Gap key={`gap ${row.row}`} row={row} layout={p.layout} theme={p.theme} />;
  }
  return (
    <Message
      key={row.item.index}
      row={row}
      layout={p.layout}
      theme={p.theme}
      tabStop={p.tabStop === row.item.index}
      onSelect={p.onSelect}
      onFocus={p.onFocus}
    />
  );
}

function Gap({ row, layout, theme }: { row: Extract<Row, { type: 'gap' }>; layout: Layout; theme: LadderTheme }) {
  const middle = row.y + row.height / 2;
  const text = `${formatDuration(row.gapUs)} of silence`;
  const width = monoWidth(text, 11) + 22;
  // Between the first two lifelines: there it is in sight however wide the ladder is.
  const x = layout.gutter + (layout.columns.length > 1 ? layout.columnWidth : layout.columnWidth / 2);
  return (
    <g data-testid="ladder-gap">
      {layout.columns.map((c) => (
        <g key={`${c.host} ${c.key}`}>
          <rect x={c.x - 2} y={row.y + 3} width={4} height={row.height - 6} fill={theme.background} />
          <line x1={c.x} x2={c.x} y1={row.y + 4} y2={row.y + row.height - 3} stroke={theme.lifeline} strokeDasharray="1.5 4" strokeWidth={2} />
        </g>
      ))}
      <rect x={x - width / 2} y={middle - 9} width={width} height={18} rx={9} fill={theme.raised} stroke={theme.border} />
      <text x={x} y={middle + 4} textAnchor="middle" fontFamily={theme.fontMono} fontSize={11} fill={theme.textMuted}>
        {text}
      </text>
    </g>
  );
}

interface MessageProps {
  row: MessageRow;
  layout: Layout;
  theme: LadderTheme;
  tabStop: boolean;
  onSelect: (index: number) => void;
  onFocus: (index: number) => void;
}

/** What a screen reader says of a row. */
export function describe(row: MessageRow, layout: Layout): string {
  const { item } = row;
  const from = layout.columns[row.from];
  const to = layout.columns[row.to];
  const name = (c: typeof from) => (c ? `${c.host}${c.host === c.ip && c.ports[0] ? `:${c.ports[0]}` : ''}` : 'unknown');
  const marks = [item.retransmission && 'retransmission', item.copy && 'copy', item.sdp && 'with SDP', item.parse_error && 'malformed'];
  const path = row.loop ? `at ${name(from)}` : `from ${name(from)} to ${name(to)}`;
  return [`Message ${item.index + 1}: ${labelOf(item)}`, path, ...marks.filter(Boolean)].join(', ');
}

function Message({ row, layout, theme, tabStop, onSelect, onFocus }: MessageProps) {
  const { item } = row;
  return (
    <g
      className="hpl-msg"
      role="button"
      tabIndex={tabStop ? 0 : -1}
      aria-label={describe(row, layout)}
      data-testid={`ladder-message-${item.index}`}
      data-index={item.index}
      onClick={() => onSelect(item.index)}
      onFocus={() => onFocus(item.index)}
      transform={`translate(0 ${row.y})`}
    >
      <rect
        className="hpl-focus"
        x={layout.gutter + 1}
        y={1}
        width={Math.max(layout.width - layout.gutter - 2, 0)}
        height={row.height - 2}
        rx={3}
        fill={row.tone === 'failure' ? theme.errorTint : 'transparent'}
        strokeWidth={1.5}
      />
      <g opacity={item.copy ? 0.62 : 1}>
        {item.kind === 'event' ? (
          <circle cx={row.x1} cy={centre} r={4.5} fill={theme.raised} stroke={legColour(theme, item.leg)} strokeWidth={1.8} />
        ) : row.loop ? (
          <Loop row={row} layout={layout} theme={theme} />
        ) : (
          <Arrow row={row} theme={theme} />
        )}
        <Label row={row} layout={layout} theme={theme} />
      </g>
    </g>
  );
}

/** Dashes of a line: retransmissions broken, copies dotted, media fine. */
function dashes(row: MessageRow): string | undefined {
  if (row.item.retransmission) {
    return '7 4';
  }
  if (row.item.copy) {
    return '2.5 3';
  }
  return row.item.kind === 'media' ? '1.5 3.5' : undefined;
}

function Arrow({ row, theme }: { row: MessageRow; theme: LadderTheme }) {
  const colour = legColour(theme, row.item.leg);
  const dir = row.x2 > row.x1 ? 1 : -1;
  const media = row.item.kind === 'media';
  const tip = row.x2 - dir * 1.5;
  return (
    <>
      <line
        x1={row.x1}
        x2={tip - dir * (media ? 0 : 7)}
        y1={arrowY}
        y2={arrowY}
        stroke={colour}
        strokeWidth={media ? 1.3 : row.tone === 'provisional' ? 1.3 : 1.9}
        strokeDasharray={dashes(row)}
      />
      {media ? (
        <>
          <path d={diamond(row.x1, arrowY, 4.5)} fill={theme.background} stroke={colour} strokeWidth={1.5} />
          <path d={`M${tip - dir * 6} ${arrowY - 4}L${tip} ${arrowY}L${tip - dir * 6} ${arrowY + 4}`} fill="none" stroke={colour} strokeWidth={1.3} />
        </>
      ) : (
        <>
          <circle cx={row.x1} cy={arrowY} r={2.6} fill={colour} />
          <path d={`M${tip} ${arrowY}L${tip - dir * 9} ${arrowY - 4.5}V${arrowY + 4.5}Z`} fill={colour} />
        </>
      )}
    </>
  );
}

const diamond = (x: number, y: number, r: number) => `M${x - r} ${y}L${x} ${y - r}L${x + r} ${y}L${x} ${y + r}Z`;

/** Loops bend to the right, in the last column to the left. */
function loopSide(row: MessageRow, layout: Layout): 1 | -1 {
  return row.from === layout.columns.length - 1 && layout.columns.length > 1 ? -1 : 1;
}

function Loop({ row, layout, theme }: { row: MessageRow; layout: Layout; theme: LadderTheme }) {
  const colour = legColour(theme, row.item.leg);
  const dir = loopSide(row, layout);
  if (row.item.kind === 'media') {
    return <path d={diamond(row.x1, centre, 5)} fill={theme.background} stroke={colour} strokeWidth={1.6} />;
  }
  const x = row.x1;
  return (
    <>
      <path d={`M${x} 7H${x + dir * 20}Q${x + dir * 26} 7 ${x + dir * 26} 13.5Q${x + dir * 26} 20 ${x + dir * 20} 20H${x + dir * 8}`} fill="none" stroke={colour} strokeWidth={1.9} strokeDasharray={dashes(row)} />
      <circle cx={x} cy={7} r={2.6} fill={colour} />
      <path d={`M${x + dir * 1.5} 20l${dir * 9} -4.5v9z`} fill={colour} />
    </>
  );
}

interface Pill {
  text: string;
  colour: string;
  filled?: boolean;
}

function pillsOf(row: MessageRow, theme: LadderTheme): Pill[] {
  const { item } = row;
  const pills: Pill[] = [];
  if (item.sdp) {
    const direction = /\b(sendonly|recvonly|inactive)\b/.exec(item.sdp);
    pills.push({ text: direction ? `SDP ${direction[1]}` : 'SDP', colour: theme.textMuted, filled: true });
  }
  if (item.retransmission) {
    pills.push({ text: 'RETRANS', colour: theme.warning });
  }
  if (item.copy) {
    pills.push({ text: 'COPY', colour: theme.textMuted });
  }
  if (item.parse_error) {
    pills.push({ text: 'MALFORMED', colour: theme.error });
  }
  return pills;
}

function Label({ row, layout, theme }: { row: MessageRow; layout: Layout; theme: LadderTheme }) {
  const { item } = row;
  const { colour, weight } = toneStyle(theme, row.tone);
  const pills = pillsOf(row, theme);
  const pillWidths = pills.map((pill) => monoWidth(pill.text, pillSize) + 9);
  const pillsWidth = pillWidths.reduce((sum, w) => sum + w + 4, pills.length > 0 ? pillGap - 4 : 0);
  // Which request a response answers; of provisional ones everybody knows.
  const plain = row.tone === 'provisional' && item.cseq_method === 'INVITE';
  const suffix = item.status > 0 && item.cseq_method && !plain ? ` ${item.cseq_method}` : '';

  const left = layout.gutter + 6;
  const right = layout.width - 6;
  const beside = row.loop || item.kind === 'event';
  const span = beside ? Infinity : Math.max(Math.abs(row.x2 - row.x1) - 12, 220);
  const room = Math.min(span, right - left) - pillsWidth - monoWidth(suffix, labelSize);
  const dir = beside ? loopSide(row, layout) : 1;
  const edge = item.kind === 'sip' ? 34 : 12;
  const sideRoom = dir > 0 ? right - row.x1 - edge : row.x1 - edge - left;
  const text = fitMono(labelOf(item), labelSize, beside ? sideRoom - pillsWidth - monoWidth(suffix, labelSize) : room);
  const textWidth = monoWidth(text + suffix, labelSize);
  const total = textWidth + pillsWidth;

  const wanted = beside ? (dir > 0 ? row.x1 + edge : row.x1 - edge - total) : (row.x1 + row.x2) / 2 - total / 2;
  const x = Math.max(left, Math.min(wanted, right - total));
  const y = beside ? centre + 4 : baseline;
  return (
    <>
      <text
        x={x}
        y={y}
        fontFamily={theme.fontMono}
        fontSize={labelSize}
        fill={colour}
        stroke={theme.background}
        strokeWidth={4}
        strokeLinejoin="round"
        paintOrder="stroke"
        xmlSpace="preserve"
      >
        <tspan fontWeight={weight}>{text}</tspan>
        {suffix && <tspan fill={theme.textFaint}>{suffix}</tspan>}
      </text>
      {pills.map((pill, i) => {
        const px = x + textWidth + pillGap + pillWidths.slice(0, i).reduce((sum, w) => sum + w + 4, 0);
        return (
          <g key={pill.text}>
            {pill.text.startsWith('SDP') && <title>{item.sdp}</title>}
            <rect
              x={px}
              y={y - 10.5}
              width={pillWidths[i]}
              height={13}
              rx={3}
              fill={theme.background}
              stroke={pill.colour}
              strokeWidth={0.9}
            />
            {pill.filled && <rect x={px} y={y - 10.5} width={pillWidths[i]} height={13} rx={3} fill={pill.colour} opacity={0.18} />}
            <text x={px + 4.5} y={y - 0.8} fontFamily={theme.fontMono} fontSize={pillSize} fontWeight={500} fill={pill.colour}>
              {pill.text}
            </text>
          </g>
        );
      })}
    </>
  );
}
