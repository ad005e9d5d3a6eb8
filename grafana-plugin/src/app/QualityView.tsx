import { SceneComponentProps, sceneGraph, SceneObjectBase, SceneObjectState } from '@grafana/scenes';
import { css } from '@emotion/css';
import { GrafanaTheme2 } from '@grafana/data';
import { useStyles2, useTheme2 } from '@grafana/ui';
import { useMemo } from 'react';
import { DataTable, TableColumn } from './DataTable';
import { Figures, figures, Report, Stream, streamsOf } from './quality';
import { QueryState } from './scene';

/** What was reported about the call's media: four figures, and every stream with its course. */
export class QualityView extends SceneObjectBase<SceneObjectState> {
  static Component = QualityComponent;
}

/** Where a figure starts to be heard. ITU-T G.107 and G.114, and common practice for jitter and loss. */
const limits = { mos: 3.6, loss: 2, jitter: 30, rtt: 300 };

function QualityComponent({ model }: SceneComponentProps<QualityView>) {
  const styles = useStyles2(getStyles);
  const theme = useTheme2();
  const data = sceneGraph.getData(model).useState();
  const streams = useMemo(() => streamsOf(data.data?.series ?? []), [data.data]);
  const columns = useMemo(() => columnsFor(theme), [theme]);
  const all = streams.flatMap((s) => s.reports);
  const mos = figures(all, (r) => r.mos, 'min');
  const loss = figures(all, (r) => r.lossPercent, 'max');
  const jitter = figures(all, (r) => r.jitterMs, 'max');
  const rtt = figures(all, (r) => r.rttMs, 'max');
  return (
    <QueryState
      data={data}
      empty="Nobody reported on this call's media in the time range. Reports come from RTCP, RTCP-XR, rtpengine and endpoints that publish them."
    >
      <div className={styles.cards} data-testid="quality-cards">
        <Card name="MOS" value={mos} digits={2} bad={mos.worst !== null && mos.worst < limits.mos} worst="lowest" />
        <Card name="Loss" unit="%" value={loss} digits={1} bad={loss.worst !== null && loss.worst > limits.loss} />
        <Card name="Jitter" unit="ms" value={jitter} digits={1} bad={jitter.worst !== null && jitter.worst > limits.jitter} />
        <Card name="Round trip" unit="ms" value={rtt} digits={0} bad={rtt.worst !== null && rtt.worst > limits.rtt} />
      </div>
      <DataTable label="Streams" rows={streams} columns={columns} keyOf={(s) => s.key} />
    </QueryState>
  );
}

interface CardProps {
  name: string;
  unit?: string;
  value: Figures;
  digits: number;
  bad: boolean;
  worst?: string;
}

function Card({ name, unit = '', value, digits, bad, worst = 'highest' }: CardProps) {
  const styles = useStyles2(getStyles);
  const theme = useTheme2();
  const number = (v: number) => `${v.toFixed(digits)}${unit && ` ${unit}`}`;
  return (
    <div className={styles.card}>
      <span>{name}</span>
      <b style={{ color: value.mean === null ? theme.colors.text.disabled : theme.colors.text.primary }}>
        {value.mean === null ? '–' : number(value.mean)}
      </b>
      <span style={bad ? { color: theme.colors.error.text, fontWeight: 500 } : undefined}>
        {value.worst === null ? 'not reported' : `${worst} ${number(value.worst)}`}
      </span>
    </div>
  );
}

function columnsFor(theme: GrafanaTheme2): Array<TableColumn<Stream>> {
  const course = (name: string, get: (r: Report) => number | null, worst: 'min' | 'max', digits: number, limit: number): TableColumn<Stream> => ({
    name,
    cell: (s) => {
      const f = figures(s.reports, get, worst);
      if (f.worst === null || f.mean === null) {
        return <span style={{ color: theme.colors.text.disabled }}>–</span>;
      }
      const bad = worst === 'min' ? f.worst < limit : f.worst > limit;
      return (
        <span style={{ display: 'flex', gap: 8, alignItems: 'center' }}>
          <Spark values={s.reports.map(get)} colour={bad ? theme.colors.error.text : theme.colors.success.text} />
          <span>
            {f.mean.toFixed(digits)} <span style={{ color: bad ? theme.colors.error.text : theme.colors.text.secondary }}>({f.worst.toFixed(digits)})</span>
          </span>
        </span>
      );
    },
    sort: (s) => figures(s.reports, get, worst).worst,
  });
  return [
    { name: 'SSRC', cell: (s) => (s.ssrc === '0' ? '–' : /^\d+$/.test(s.ssrc) ? `0x${Number(s.ssrc).toString(16).padStart(8, '0')}` : s.ssrc), mono: true },
    { name: 'Reported from', cell: (s) => s.src, sort: (s) => s.src, mono: true },
    { name: 'to', cell: (s) => s.dst, sort: (s) => s.dst, mono: true },
    { name: 'Source', cell: (s) => s.source, sort: (s) => s.source },
    { name: 'Codec', cell: (s) => s.codec, sort: (s) => s.codec },
    { name: 'Reports', cell: (s) => s.reports.length, sort: (s) => s.reports.length, align: 'right' },
    { name: 'Lost', cell: (s) => `${s.lost}${s.packets ? ` of ${s.packets}` : ''}`, sort: (s) => s.lost, align: 'right' },
    course('MOS mean (lowest)', (r) => r.mos, 'min', 2, limits.mos),
    course('Loss % mean (highest)', (r) => r.lossPercent, 'max', 1, limits.loss),
    course('Jitter ms mean (highest)', (r) => r.jitterMs, 'max', 1, limits.jitter),
    course('Round trip ms', (r) => r.rttMs, 'max', 0, limits.rtt),
  ];
}

/** The course of a figure over the call, from zero up. */
function Spark({ values, colour }: { values: Array<number | null>; colour: string }) {
  const width = 72;
  const height = 18;
  const known = values.filter((v): v is number => v !== null);
  const top = Math.max(...known, 1e-9);
  const x = (i: number) => (values.length === 1 ? width / 2 : 2 + (i * (width - 4)) / (values.length - 1));
  const y = (v: number) => height - 2 - (v / top) * (height - 4);
  const points = values.map((v, i) => (v === null ? null : `${x(i).toFixed(1)},${y(v).toFixed(1)}`)).filter(Boolean);
  return (
    <svg width={width} height={height} style={{ display: 'block' }} aria-hidden="true">
      {points.length === 1 ? (
        <circle cx={points[0]!.split(',')[0]} cy={points[0]!.split(',')[1]} r={2} fill={colour} />
      ) : (
        <polyline points={points.join(' ')} fill="none" stroke={colour} strokeWidth={1.5} />
      )}
    </svg>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  cards: css({
    display: 'grid',
    gridTemplateColumns: 'repeat(auto-fit, minmax(150px, 1fr))',
    gap: theme.spacing(1),
    marginBottom: theme.spacing(1),
  }),
  card: css({
    display: 'flex',
    flexDirection: 'column',
    padding: theme.spacing(1, 1.5),
    background: theme.colors.background.primary,
    border: `1px solid ${theme.colors.border.weak}`,
    borderRadius: theme.shape.radius.default,
    color: theme.colors.text.secondary,
    ...theme.typography.bodySmall,
    b: { fontSize: theme.typography.h3.fontSize, fontWeight: 500, lineHeight: 1.3 },
  }),
});
