import { useState } from 'react';
import { leading, Marked } from './findings';
import { Severity } from './model';
import { Styles } from './styles';
import { LadderTheme } from './theme';

/** Chips for this many messages; of a storm of retransmissions nobody opens each. */
const maxChips = 8;

interface FindingsProps {
  list: Marked[];
  /** The finding whose messages are highlighted. */
  chosen: Marked | null;
  theme: LadderTheme;
  styles: Styles;
  onChoose: (m: Marked) => void;
  /** Opens one of the messages that show a finding. */
  onOpen: (item: number) => void;
}

export function severityColour(theme: LadderTheme, severity: Severity): string {
  switch (severity) {
    case 'error':
      return theme.error;
    case 'warning':
      return theme.warning;
    case 'info':
      return theme.textMuted;
  }
}

/** Why the call went as it did, each sentence with the messages that show it. */
export function LadderFindings({ list, chosen, theme, styles, onChoose, onOpen }: FindingsProps) {
  const [all, setAll] = useState(false);
  if (list.length === 0) {
    return null;
  }
  const shown = all ? list : leading(list);
  const more = list.length - leading(list).length;
  return (
    <div style={styles.findings} role="list" aria-label="Findings" data-testid="ladder-findings">
      {shown.map((m) => (
        <div key={list.indexOf(m)} role="listitem" style={{ display: 'flex', gap: 8, alignItems: 'flex-start' }}>
          <Number marked={m} theme={theme} />
          <span style={{ flex: '1 1 0', minWidth: 0 }}>
            <button
              type="button"
              className="hpl-btn"
              data-testid={`ladder-finding-${list.indexOf(m)}`}
              data-code={m.finding.code}
              aria-pressed={chosen === m}
              title="Show the messages that say so"
              onClick={() => onChoose(m)}
              style={{
                font: 'inherit',
                textAlign: 'left',
                border: 'none',
                borderRadius: 3,
                padding: '0 3px',
                margin: '0 3px 0 -3px',
                cursor: 'pointer',
                background: chosen === m ? theme.selected : 'transparent',
                color: m.finding.severity === 'info' ? theme.text : severityColour(theme, m.finding.severity),
                overflowWrap: 'anywhere',
              }}
            >
              {m.finding.text}
            </button>
            {m.finding.items.slice(0, maxChips).map((item) => (
              <button
                key={item}
                type="button"
                className="hpl-btn"
                aria-label={`Open message ${item + 1}`}
                title={`Open message ${item + 1}`}
                onClick={() => onOpen(item)}
                style={{
                  ...styles.mono,
                  fontSize: 10.5,
                  lineHeight: '15px',
                  minWidth: 20,
                  marginRight: 3,
                  padding: '0 4px',
                  border: `1px solid ${theme.border}`,
                  borderRadius: 3,
                  background: theme.raised,
                  color: theme.textMuted,
                  cursor: 'pointer',
                }}
              >
                {item + 1}
              </button>
            ))}
            {m.finding.items.length > maxChips && <span style={styles.muted}>and {m.finding.items.length - maxChips} more</span>}
          </span>
        </div>
      ))}
      {more > 0 && (
        <button
          type="button"
          className="hpl-btn"
          aria-expanded={all}
          onClick={() => setAll(!all)}
          style={{ font: 'inherit', color: theme.focus, background: 'none', border: 'none', padding: '0 0 0 23px', cursor: 'pointer', alignSelf: 'flex-start' }}
        >
          {all ? 'Less' : `${more} more that ${more === 1 ? 'explains' : 'explain'}`}
        </button>
      )}
    </div>
  );
}

/** The number that stands at the messages, or what kind of finding it is. */
function Number({ marked, theme }: { marked: Marked; theme: LadderTheme }) {
  const colour = severityColour(theme, marked.finding.severity);
  const name = { error: 'Error', warning: 'Warning', info: 'Note' }[marked.finding.severity];
  return (
    <svg width={15} height={17} style={{ flex: 'none' }} role="img" aria-label={marked.number > 0 ? `${name} ${marked.number}` : name}>
      <FindingMark x={7.5} y={9} text={marked.number > 0 ? String(marked.number) : marked.finding.severity === 'info' ? 'i' : '!'} colour={colour} theme={theme} />
    </svg>
  );
}

/** A number in a disc, as it stands beside a sentence and at the messages that show it. */
export function FindingMark({ x, y, text, colour, theme }: { x: number; y: number; text: string; colour: string; theme: LadderTheme }) {
  return (
    <>
      <circle cx={x} cy={y} r={7} fill={theme.background} />
      <circle cx={x} cy={y} r={6.6} fill={colour} fillOpacity={0.22} stroke={colour} strokeWidth={1.2} />
      <text x={x} y={y + 3.6} textAnchor="middle" fontFamily={theme.fontMono} fontSize={10} fontWeight={700} fill={colour}>
        {text}
      </text>
    </>
  );
}
