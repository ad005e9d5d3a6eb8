/** From quality frames to streams: one row of a frame is one report, as in heplake's media table. */
import { DataFrame } from '@grafana/data';

export interface Report {
  time: number;
  lossPercent: number | null;
  jitterMs: number | null;
  rttMs: number | null;
  mos: number | null;
}

/** One direction of media. */
export interface Stream {
  key: string;
  ssrc: string;
  src: string;
  dst: string;
  source: string;
  codec: string;
  packets: number;
  lost: number;
  reports: Report[];
}

/** Streams in order of first report; none when the frames hold no reports. */
export function streamsOf(frames: readonly DataFrame[]): Stream[] {
  const streams = new Map<string, Stream>();
  for (const frame of frames) {
    const field = (name: string) => frame.fields.find((f) => f.name === name);
    const time = field('time');
    if (!time || !['mos', 'jitter_ms', 'lost', 'fraction_lost'].some((n) => field(n))) {
      continue;
    }
    const text = (name: string, i: number) => String(field(name)?.values[i] ?? '');
    // Zero means unknown for a round trip and for a score: neither can be zero.
    const number = (name: string, i: number) => {
      const v = field(name)?.values[i];
      return v === null || v === undefined || Number.isNaN(Number(v)) ? null : Number(v);
    };
    const positive = (name: string, i: number) => number(name, i) || null;
    for (let i = 0; i < frame.length; i++) {
      const src = end(text, 'src', i);
      const dst = end(text, 'dst', i);
      const ssrc = text('ssrc', i);
      const key = [ssrc, src, dst, text('source', i)].join(' ');
      const stream = streams.get(key) ?? {
        key, ssrc, src, dst,
        source: text('source', i),
        codec: text('codec', i),
        packets: 0,
        lost: 0,
        reports: [],
      };
      streams.set(key, stream);
      stream.packets = Math.max(stream.packets, number('packets', i) ?? 0);
      stream.lost = Math.max(stream.lost, number('lost', i) ?? 0);
      const fraction = number('fraction_lost', i);
      stream.reports.push({
        time: Number(time.values[i]),
        lossPercent: fraction === null ? number('loss_percent', i) : fraction * 100,
        jitterMs: number('jitter_ms', i),
        rttMs: positive('rtt_ms', i),
        mos: positive('mos', i),
      });
    }
  }
  return [...streams.values()].map((s) => ({ ...s, reports: s.reports.sort((a, b) => a.time - b.time) }));
}

function end(text: (name: string, i: number) => string, side: string, i: number): string {
  const ip = text(`${side}_ip`, i).replace(/^::ffff:(?=\d+\.)/i, '');
  const port = text(`${side}_port`, i);
  return text(side, i) || (ip && port ? `${ip.includes(':') ? `[${ip}]` : ip}:${port}` : ip);
}

export interface Figures {
  mean: number | null;
  worst: number | null;
}

/** Mean and worst of a figure over reports that have it. */
export function figures(reports: Report[], get: (r: Report) => number | null, worst: 'min' | 'max'): Figures {
  const values = reports.map(get).filter((v): v is number => v !== null);
  if (values.length === 0) {
    return { mean: null, worst: null };
  }
  return { mean: values.reduce((a, b) => a + b, 0) / values.length, worst: Math[worst](...values) };
}
