import { SceneComponentProps, sceneGraph, SceneObjectBase, SceneObjectState } from '@grafana/scenes';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { Drawer, Input, useStyles2, useTheme2 } from '@grafana/ui';
import { ChangeEvent, useMemo, useState } from 'react';
import { framesToFlow } from '../ladder-panel/frames';
import { ladderTheme } from '../ladder-panel/theme';
import { Flow, Item, labelOf, legLetter, partyName, toneOf } from '../ladder/model';
import { MessageText } from '../ladder/MessageText';
import { toneStyle } from '../ladder/styles';
import { LadderTheme, legColour } from '../ladder/theme';
import { formatClock, formatDuration, parseMicros } from '../ladder/time';
import { DataTable, TableColumn } from './DataTable';
import { QueryState } from './scene';

/** Every message as a row, to be searched through by what it says. */
export class MessagesView extends SceneObjectBase<SceneObjectState> {
  static Component = MessagesComponent;
}

function MessagesComponent({ model }: SceneComponentProps<MessagesView>) {
  const data = sceneGraph.getData(model).useState();
  const timeRange = sceneGraph.getTimeRange(model);
  timeRange.useState();
  const result = useMemo(() => framesToFlow(data.data?.series ?? []), [data.data]);
  return (
    <QueryState data={data} empty="No message of this call in the time range.">
      {result.kind === 'flow' && <Messages flow={result.flow} timeZone={timeRange.getTimeZone()} />}
    </QueryState>
  );
}

function Messages({ flow, timeZone }: { flow: Flow; timeZone: string }) {
  const theme = useTheme2();
  const styles = useStyles2(getStyles);
  const tokens = useMemo(() => ladderTheme(theme), [theme]);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<Item | null>(null);
  const rows = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return wanted === '' ? flow.items : flow.items.filter((i) => `${labelOf(i)}\n${i.raw}`.toLowerCase().includes(wanted));
  }, [flow, text]);
  const columns = useMemo(() => columnsFor(flow, tokens, timeZone), [flow, tokens, timeZone]);
  return (
    <div className={styles.page}>
      <Input
        aria-label="Search in messages"
        placeholder="Any text in the messages: a header, a tag, an address"
        value={text}
        spellCheck={false}
        suffix={text && `${rows.length} of ${flow.items.length}`}
        onChange={(e: ChangeEvent<HTMLInputElement>) => setText(e.currentTarget.value)}
      />
      <DataTable
        label="Messages"
        rows={rows}
        columns={columns}
        keyOf={(r) => String(r.index)}
        onOpen={setOpen}
        isSelected={(r) => r === open}
      />
      {open && (
        <Drawer title={`${open.index + 1} ${labelOf(open)}`} size="md" onClose={() => setOpen(null)}>
          <MessageText raw={open.raw} theme={tokens} />
        </Drawer>
      )}
    </div>
  );
}

function columnsFor(flow: Flow, theme: LadderTheme, timeZone: string): Array<TableColumn<Item>> {
  const address = (i: number) => partyName(flow.participants[i]);
  return [
    { name: '#', cell: (r) => r.index + 1, sort: (r) => r.index, align: 'right' },
    { name: 'Time', cell: (r) => formatClock(parseMicros(r.time), timeZone), sort: (r) => r.offset_us, mono: true },
    { name: 'After', cell: (r) => (r.delta_us ? formatDuration(r.delta_us) : ''), sort: (r) => r.delta_us, align: 'right' },
    { name: 'Leg', cell: (r) => <b style={{ color: legColour(theme, r.leg) }}>{legLetter(r.leg)}</b>, sort: (r) => r.leg },
    { name: 'From', cell: (r) => address(r.src), sort: (r) => address(r.src), mono: true },
    { name: 'To', cell: (r) => address(r.dst), sort: (r) => address(r.dst), mono: true },
    {
      name: 'Message',
      cell: (r) => {
        const tone = toneStyle(theme, toneOf(r));
        return <span style={{ color: tone.colour, fontWeight: tone.weight }}>{labelOf(r)}</span>;
      },
      sort: labelOf,
    },
    { name: 'CSeq', cell: (r) => (r.cseq_method ? `${r.cseq} ${r.cseq_method}` : ''), sort: (r) => r.cseq },
    {
      name: 'Marks',
      cell: (r) =>
        [r.retransmission && 'retransmission', r.copy && 'copy', r.parse_error && 'malformed'].filter(Boolean).join(', '),
    },
    { name: 'Node', cell: (r) => r.node, sort: (r) => r.node },
    { name: 'Transport', cell: (r) => r.transport, sort: (r) => r.transport },
    { name: 'Bytes', cell: (r) => r.raw.length, sort: (r) => r.raw.length, align: 'right' },
    { name: 'SDP', cell: (r) => r.sdp, grow: true },
  ];
}

const getStyles = (theme: GrafanaTheme2) => ({
  page: css({ display: 'flex', flexDirection: 'column', gap: theme.spacing(1), minWidth: 0 }),
});
