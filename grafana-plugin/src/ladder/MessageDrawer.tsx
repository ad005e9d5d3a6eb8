import { CSSProperties, ReactNode, useEffect, useMemo, useState } from 'react';
import { copyText } from './clipboard';
import { Marked } from './findings';
import { severityColour } from './LadderFindings';
import { MessageRow } from './layout';
import { MessageDiff, MessageText } from './MessageText';
import { delayText, Flow, labelOf, legLetter, linkText } from './model';
import { comparisonFor } from './related';
import { Styles, toneStyle } from './styles';
import { LadderTheme, legColour } from './theme';
import { formatDateClock, formatDuration, formatOffset } from './time';

interface DrawerProps {
  flow: Flow;
  row: MessageRow;
  /** The finding that the message shows. */
  found: Marked | undefined;
  theme: LadderTheme;
  styles: Styles;
  timeZone: string;
  style: CSSProperties;
  onPrevious: (() => void) | null;
  onNext: (() => void) | null;
  onSelect: (index: number) => void;
  onClose: () => void;
}

/** One message: what it said, where it went, and how it differs from one before it. */
export function MessageDrawer({ flow, row, found, theme, styles, timeZone, style, onPrevious, onNext, onSelect, onClose }: DrawerProps) {
  const { item } = row;
  const [tab, setTab] = useState<'text' | 'diff'>('text');
  const comparison = useMemo(() => comparisonFor(flow.items, item), [flow, item]);
  const shown = tab === 'diff' && comparison ? 'diff' : 'text';
  const bytes = useMemo(() => new TextEncoder().encode(item.raw).length, [item.raw]);
  return (
    <section
      aria-label={`Message ${item.index + 1}`}
      data-testid="ladder-drawer"
      style={{ display: 'flex', flexDirection: 'column', minHeight: 0, minWidth: 0, background: theme.surface, ...style }}
    >
      <div style={{ display: 'flex', alignItems: 'center', gap: 6, padding: '7px 8px 7px 12px', borderBottom: `1px solid ${theme.border}` }}>
        <span style={{ color: theme.textFaint, fontFamily: theme.fontMono }}>{item.index + 1}</span>
        <b
          title={labelOf(item)}
          style={{
            flex: 1,
            minWidth: 0,
            overflow: 'hidden',
            textOverflow: 'ellipsis',
            whiteSpace: 'nowrap',
            fontSize: 14,
            fontFamily: theme.fontMono,
            color: toneStyle(theme, row.tone).colour,
          }}
        >
          {labelOf(item)}
        </b>
        <IconButton label="Previous message" path="M3 10l5-5 5 5" styles={styles} onClick={onPrevious} />
        <IconButton label="Next message" path="M3 6l5 5 5-5" styles={styles} onClick={onNext} />
        <IconButton label="Close message" path="M4 4l8 8M12 4l-8 8" styles={styles} onClick={onClose} />
      </div>
      <div style={{ flex: '1 1 0', minHeight: 0, overflow: 'auto' }}>
        {found && (
          <div style={{ margin: '8px 12px 0', color: severityColour(theme, found.finding.severity) }}>
            {found.number} {found.finding.text}
          </div>
        )}
        <Meta flow={flow} row={row} theme={theme} timeZone={timeZone} bytes={bytes} />
        {item.parse_error && (
          <div role="alert" style={{ margin: '0 12px 8px', color: theme.error }}>
            Could not be parsed whole: {item.parse_error}
          </div>
        )}
        <div
          style={{
            display: 'flex',
            alignItems: 'center',
            gap: 6,
            padding: '4px 8px 4px 12px',
            borderTop: `1px solid ${theme.border}`,
            position: 'sticky',
            top: 0,
            background: theme.surface,
          }}
        >
          <Tab label="Message" on={shown === 'text'} theme={theme} styles={styles} onClick={() => setTab('text')} />
          <Tab
            label={comparison ? `Changes to ${comparison.item.index + 1}` : 'No earlier one'}
            on={shown === 'diff'}
            theme={theme}
            styles={styles}
            onClick={comparison ? () => setTab('diff') : null}
          />
          <span style={{ flex: 1 }} />
          <CopyButton text={item.raw} styles={styles} />
        </div>
        {shown === 'diff' && comparison ? (
          <>
            <div style={{ padding: '2px 12px 4px', color: theme.textMuted }}>
              Compared with{' '}
              <button
                type="button"
                className="hpl-btn"
                onClick={() => onSelect(comparison.item.index)}
                style={{ font: 'inherit', color: theme.focus, background: 'none', border: 'none', padding: 0, cursor: 'pointer' }}
              >
                {comparison.item.index + 1} {labelOf(comparison.item)}
              </button>
              , {comparison.reason}.
            </div>
            <MessageDiff before={comparison.item.raw} after={item.raw} theme={theme} />
          </>
        ) : (
          <MessageText raw={item.raw} theme={theme} />
        )}
      </div>
    </section>
  );
}

function Meta({ flow, row, theme, timeZone, bytes }: { flow: Flow; row: MessageRow; theme: LadderTheme; timeZone: string; bytes: number }) {
  const { item } = row;
  const end = (i: number, wire?: string) => {
    const p = flow.participants[i];
    return p ? [p.alias, wire || p.address, p.name && `(${p.name})`].filter(Boolean).join(' ') : '?';
  };
  const leg = flow.legs[item.leg];
  const facts: Array<[string, ReactNode]> = [
    ['Time', `${formatDateClock(row.timeUs, timeZone)}${timeZone === 'utc' ? ' UTC' : ''}`],
    ['Since', `${formatOffset(row.offsetUs)} from the start${row.deltaUs ? `, ${formatDuration(row.deltaUs)} after the one before` : ''}`],
    ['Took', delayText(item)],
    ['From', end(item.src, item.src_addr)],
    ['To', end(item.dst, item.dst_addr)],
    [
      'Leg',
      item.call_id ? (
        <>
          <b style={{ color: legColour(theme, item.leg) }}>{legLetter(item.leg)}</b> {item.call_id}
          {leg && linkText(leg) && <span style={{ color: theme.textMuted }}> {linkText(leg)}</span>}
        </>
      ) : null,
    ],
    ['CSeq', item.cseq_method ? `${item.cseq} ${item.cseq_method}` : null],
    ['SDP', item.sdp || null],
    ['Capture', [item.node, item.transport.toUpperCase(), `${bytes} bytes`].filter(Boolean).join(' · ')],
    ['Marks', [item.retransmission && 'retransmission', item.copy && 'copy'].filter(Boolean).join(', ') || null],
  ];
  return (
    <dl style={{ display: 'grid', gridTemplateColumns: 'auto 1fr', gap: '2px 12px', margin: 0, padding: '8px 12px' }}>
      {facts
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <Fact key={name} name={name} theme={theme}>
            {value}
          </Fact>
        ))}
    </dl>
  );
}

function Fact({ name, theme, children }: { name: string; theme: LadderTheme; children: ReactNode }) {
  return (
    <>
      <dt style={{ color: theme.textMuted, fontWeight: 400, margin: 0 }}>{name}</dt>
      <dd style={{ margin: 0, fontFamily: theme.fontMono, fontSize: 11.5, overflowWrap: 'anywhere' }}>{children}</dd>
    </>
  );
}

function Tab({ label, on, theme, styles, onClick }: { label: string; on: boolean; theme: LadderTheme; styles: Styles; onClick: (() => void) | null }) {
  return (
    <button
      type="button"
      className="hpl-btn"
      aria-pressed={on}
      disabled={!onClick}
      onClick={onClick ?? undefined}
      style={{ ...styles.button, border: 'none', color: on ? theme.text : theme.textMuted, background: on ? theme.selected : 'transparent' }}
    >
      {label}
    </button>
  );
}

function IconButton({ label, path, styles, onClick }: { label: string; path: string; styles: Styles; onClick: (() => void) | null }) {
  return (
    <button
      type="button"
      className="hpl-btn"
      aria-label={label}
      title={label}
      disabled={!onClick}
      onClick={onClick ?? undefined}
      style={{ ...styles.button, width: 26, padding: 0, justifyContent: 'center', border: 'none' }}
    >
      <svg width={16} height={16} fill="none" stroke="currentColor" strokeWidth={1.7} strokeLinecap="round" aria-hidden="true">
        <path d={path} />
      </svg>
    </button>
  );
}

function CopyButton({ text, styles }: { text: string; styles: Styles }) {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  useEffect(() => setState('idle'), [text]);
  useEffect(() => {
    if (state === 'idle') {
      return;
    }
    const timer = setTimeout(() => setState('idle'), 1800);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <button
      type="button"
      className="hpl-btn"
      style={styles.button}
      data-testid="ladder-copy"
      onClick={() => void copyText(text).then((ok) => setState(ok ? 'done' : 'failed'))}
    >
      {state === 'done' ? 'Copied' : state === 'failed' ? 'Not allowed' : 'Copy'}
    </button>
  );
}
