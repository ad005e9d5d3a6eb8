import { ReactNode } from 'react';
import { Flow, Outcome } from './model';
import { Styles } from './styles';
import { LadderTheme } from './theme';
import { formatDateClock, formatDuration, parseMicros } from './time';

const outcomes: Record<Outcome, string> = {
  answered: 'Answered',
  failed: 'Failed',
  cancelled: 'Cancelled',
  unanswered: 'Unanswered',
  in_progress: 'In progress',
};

export function outcomeColour(theme: LadderTheme, outcome: string | undefined): string {
  switch (outcome) {
    case 'answered':
      return theme.success;
    case 'failed':
      return theme.error;
    case 'cancelled':
    case 'unanswered':
      return theme.warning;
    default:
      return theme.textMuted;
  }
}

/** The call in one line: how it ended, who called whom, how long things took. */
export function LadderSummary({ flow, theme, styles, timeZone }: { flow: Flow; theme: LadderTheme; styles: Styles; timeZone: string }) {
  const { call, items } = flow;
  const from = call.from_user || items[0]?.from_user || '';
  const to = call.to_user || items[0]?.to_user || '';
  const retransmissions = call.retransmissions ?? items.filter((i) => i.retransmission).length;
  const start = parseMicros(call.start ?? items[0]?.time);
  const isCall = !call.method || call.method === 'INVITE';
  const final = call.final_status ? `${call.final_status} ${call.final_reason ?? ''}`.trim() : '';
  const colour = outcomeColour(theme, call.outcome);
  const ms = (v: number | null | undefined) => (v == null ? null : formatDuration(v * 1000));
  return (
    <div style={styles.summary} data-testid="ladder-summary">
      {call.outcome && isCall && (
        <b style={{ color: colour }}>
          {outcomes[call.outcome] ?? call.outcome}
          {final && <span style={{ fontWeight: 400 }}> {final}</span>}
        </b>
      )}
      {(from || to) && (
        <b>
          {!isCall && <span style={styles.muted}>{call.method} </span>}
          {from || '?'} <span style={styles.muted}>→</span> {to || '?'}
        </b>
      )}
      {!Number.isNaN(start) && <Fact name="at" value={formatDateClock(start, timeZone).slice(0, 19)} styles={styles} />}
      <Fact name="PDD" title="Post-dial delay: INVITE to the first ringing" value={ms(call.pdd_ms)} styles={styles} />
      <Fact name="ring" title="First ringing to the answer or the end" value={ms(call.ring_ms)} styles={styles} />
      <Fact name="talk" title="Answer to the end" value={call.duration_s == null ? null : formatDuration(call.duration_s * 1e6)} styles={styles} />
      <Fact name="released by" value={call.released_by || null} styles={styles} />
      <Fact name="Q.850" value={call.q850 || null} styles={styles} />
      <Fact name="codecs" value={call.codecs?.length ? call.codecs.join(', ') : null} styles={styles} />
      <Fact
        name="MOS"
        value={call.mos_avg == null ? null : call.mos_avg.toFixed(2)}
        colour={call.mos_avg != null && call.mos_avg < 3.6 ? theme.error : undefined}
        styles={styles}
      />
      <Fact
        name="loss"
        value={call.loss_percent == null ? null : `${call.loss_percent.toFixed(call.loss_percent < 10 ? 1 : 0)} %`}
        colour={call.loss_percent != null && call.loss_percent >= 2 ? theme.error : undefined}
        styles={styles}
      />
      <Fact name={items.length === 1 ? 'message' : 'messages'} value={items.length} after styles={styles} />
      {retransmissions > 0 && (
        <Fact name={retransmissions === 1 ? 'retransmission' : 'retransmissions'} value={retransmissions} after colour={theme.warning} styles={styles} />
      )}
    </div>
  );
}

interface FactProps {
  name: string;
  value: ReactNode;
  title?: string;
  colour?: string;
  /** The name follows the value. */
  after?: boolean;
  styles: Styles;
}

function Fact({ name, value, title, colour, after, styles }: FactProps) {
  if (value == null || value === '') {
    return null;
  }
  const label = <span style={{ ...styles.muted, ...(colour ? { color: colour } : {}) }}>{name}</span>;
  const figure = <span style={{ fontVariantNumeric: 'tabular-nums', color: colour }}>{value}</span>;
  return (
    <span title={title} style={{ whiteSpace: 'nowrap' }}>
      {after ? figure : label} {after ? label : figure}
    </span>
  );
}
