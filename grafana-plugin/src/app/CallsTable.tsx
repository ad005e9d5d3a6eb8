import { useMemo } from 'react';
import { dateTimeFormat, GrafanaTheme2 } from '@grafana/data';
import { locationService } from '@grafana/runtime';
import { useTheme2 } from '@grafana/ui';
import { formatDuration } from '../ladder/time';
import { CallRow } from './calls';
import { DataTable, TableColumn } from './DataTable';
import { PageLink } from './PageLink';
import { callPath, withKept } from './paths';

interface Props {
  rows: CallRow[];
  timeZone: string;
}

/** The calls found, each a way into its ladder. */
export function CallsTable({ rows, timeZone }: Props) {
  const theme = useTheme2();
  const columns = useMemo(() => columnsFor(theme, timeZone, rows), [theme, timeZone, rows]);
  return (
    <DataTable
      label="Calls"
      rows={rows}
      columns={columns}
      keyOf={(r, i) => `${r.callId} ${r.start} ${i}`}
      onOpen={(r) => locationService.push(href(r))}
    />
  );
}

const href = (row: CallRow) => withKept(callPath(row.callId), locationService.getLocation().search);

export function outcomeTone(theme: GrafanaTheme2, outcome: string): string {
  switch (outcome) {
    case 'answered':
      return theme.colors.success.text;
    case 'failed':
      return theme.colors.error.text;
    case 'cancelled':
    case 'unanswered':
      return theme.colors.warning.text;
    default:
      return theme.colors.text.secondary;
  }
}

function columnsFor(theme: GrafanaTheme2, timeZone: string, rows: CallRow[]): Array<TableColumn<CallRow>> {
  const faint = { color: theme.colors.text.secondary };
  const duration = (v: number | null, unit: number) => (v === null ? <span style={faint}>–</span> : formatDuration(v * unit));
  const onlyCalls = rows.every((r) => r.method === '' || r.method === 'INVITE');
  const media = rows.some((r) => r.mos !== null);
  const columns: Array<TableColumn<CallRow> | false> = [
    {
      name: 'Start',
      cell: (r) => (
        <PageLink href={href(r)} label={`Open call ${r.callId}`}>
          {dateTimeFormat(r.start, { timeZone, format: 'YYYY-MM-DD HH:mm:ss.SSS' })}
        </PageLink>
      ),
      sort: (r) => r.start,
      mono: true,
    },
    !onlyCalls && { name: 'Method', cell: (r) => r.method, sort: (r) => r.method },
    {
      name: 'Outcome',
      cell: (r) => (
        <span style={{ color: outcomeTone(theme, r.outcome), fontWeight: r.outcome === 'failed' ? 600 : 500 }}>
          {r.outcome.replace('_', ' ')}
          {r.finalStatus > 0 && (
            <span style={{ fontWeight: 400 }}>
              {' '}
              {r.finalStatus} {r.finalReason}
            </span>
          )}
        </span>
      ),
      sort: (r) => `${r.outcome} ${r.finalStatus}`,
    },
    { name: 'From', cell: (r) => <b>{r.from || '–'}</b>, sort: (r) => r.from },
    { name: 'To', cell: (r) => <b>{r.to || '–'}</b>, sort: (r) => r.to },
    { name: 'Talk', title: 'Answer to end', cell: (r) => duration(r.durationS, 1e6), sort: (r) => r.durationS, align: 'right' },
    { name: 'PDD', title: 'Post-dial delay: INVITE to the first ringing', cell: (r) => duration(r.pddMs, 1e3), sort: (r) => r.pddMs, align: 'right' },
    media && {
      name: 'MOS',
      title: 'Mean opinion score',
      cell: (r) =>
        r.mos === null ? (
          <span style={faint}>–</span>
        ) : (
          <span style={{ color: r.mos < 3.6 ? theme.colors.error.text : undefined }}>{r.mos.toFixed(2)}</span>
        ),
      sort: (r) => r.mos,
      align: 'right',
    },
    {
      name: 'Messages',
      title: 'Messages, and how many of them were sent again',
      cell: (r) => (
        <>
          {r.messages}
          {r.retransmissions > 0 && <span style={{ color: theme.colors.warning.text }}> +{r.retransmissions} again</span>}
        </>
      ),
      sort: (r) => r.messages,
      align: 'right',
    },
    { name: 'Legs', cell: (r) => r.legs, sort: (r) => r.legs, align: 'right' },
    {
      name: 'Path',
      title: 'Who sent the first message, and to whom',
      cell: (r) => <span title={`${r.src} → ${r.dst}`}>{`${r.srcAlias || r.src} → ${r.dstAlias || r.dst}`}</span>,
      sort: (r) => `${r.srcAlias || r.src} ${r.dstAlias || r.dst}`,
      mono: true,
    },
    {
      name: 'Call-ID',
      cell: (r) => <span title={r.callId}>{r.callId}</span>,
      sort: (r) => r.callId,
      mono: true,
      grow: true,
    },
  ];
  return columns.filter((c): c is TableColumn<CallRow> => c !== false);
}
