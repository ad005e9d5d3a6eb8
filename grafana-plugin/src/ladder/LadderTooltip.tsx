import { Marked } from './findings';
import { severityColour } from './LadderFindings';
import { MessageRow } from './layout';
import { delayText, Flow, labelOf, legLetter } from './model';
import { toneStyle } from './styles';
import { LadderTheme, legColour } from './theme';
import { formatClock, formatDuration, formatOffset } from './time';

interface TooltipProps {
  row: MessageRow;
  flow: Flow;
  /** The finding that the message shows. */
  found: Marked | undefined;
  theme: LadderTheme;
  timeZone: string;
  /** Pointer, relative to the ladder. */
  x: number;
  y: number;
  width: number;
  height: number;
}

const boxWidth = 380;

/** What a row is about, beside the pointer. */
export function LadderTooltip({ row, flow, found, theme, timeZone, x, y, width, height }: TooltipProps) {
  const { item } = row;
  const place = (i: number, wire?: string) => [flow.participants[i]?.alias, wire || flow.participants[i]?.address || '?'].filter(Boolean).join(' ');
  const name = (i: number) => flow.participants[i]?.name;
  const lines: Array<[string, string]> = [
    ['time', `${formatClock(row.timeUs, timeZone)}  ${formatOffset(row.offsetUs)}`],
    ['after', row.deltaUs === 0 ? '' : formatDuration(row.deltaUs)],
    ['took', delayText(item)],
    ['path', `${place(item.src, item.src_addr)} → ${place(item.dst, item.dst_addr)}`],
    ['', [name(item.src), name(item.dst)].some(Boolean) ? `${name(item.src) || '–'} → ${name(item.dst) || '–'}` : ''],
    ['CSeq', item.cseq_method ? `${item.cseq} ${item.cseq_method}` : ''],
    ['SDP', item.sdp],
    ['seen by', [item.node, item.transport.toUpperCase()].filter(Boolean).join(', ')],
    ['error', item.parse_error],
  ];
  const marks = [item.retransmission && 'retransmission', item.copy && 'copy seen by another capture agent'].filter(Boolean);
  const left = Math.max(4, Math.min(x + 16, width - boxWidth - 6));
  const below = y < height - 190;
  return (
    <div
      role="tooltip"
      data-testid="ladder-tooltip"
      style={{
        position: 'absolute',
        left,
        ...(below ? { top: y + 18 } : { bottom: height - y + 12 }),
        width: Math.min(boxWidth, width - 8),
        zIndex: 20,
        pointerEvents: 'none',
        background: theme.raised,
        border: `1px solid ${theme.border}`,
        borderRadius: 5,
        boxShadow: theme.shadow,
        padding: '7px 10px',
        fontSize: 12,
      }}
    >
      <div style={{ fontFamily: theme.fontMono, fontWeight: 600, color: toneStyle(theme, row.tone).colour, overflowWrap: 'anywhere' }}>
        {labelOf(item)}
      </div>
      {found && (
        <div style={{ color: severityColour(theme, found.finding.severity), fontSize: 11.5 }}>
          {found.number} {found.finding.text}
        </div>
      )}
      {marks.length > 0 && <div style={{ color: theme.warning }}>{marks.join(', ')}</div>}
      <div style={{ display: 'grid', gridTemplateColumns: 'auto 1fr', gap: '1px 10px', marginTop: 4 }}>
        {lines
          .filter(([, value]) => value)
          .map(([label, value]) => (
            <Line key={label + value} label={label} value={value} theme={theme} />
          ))}
        {item.leg >= 0 && flow.legs.length > 1 && (
          <>
            <span style={{ color: legColour(theme, item.leg), fontWeight: 700 }}>leg {legLetter(item.leg)}</span>
            <span style={{ fontFamily: theme.fontMono, fontSize: 11.5, overflowWrap: 'anywhere' }}>{item.call_id}</span>
          </>
        )}
      </div>
    </div>
  );
}

function Line({ label, value, theme }: { label: string; value: string; theme: LadderTheme }) {
  return (
    <>
      <span style={{ color: theme.textMuted }}>{label}</span>
      <span style={{ fontFamily: theme.fontMono, fontSize: 11.5, overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{value}</span>
    </>
  );
}
