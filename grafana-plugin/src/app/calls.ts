/** From a frame of calls to rows for the result table. Takes what columns there are. */
import { DataFrame } from '@grafana/data';

export interface CallRow {
  /** The Call-ID to open the call with. */
  callId: string;
  method: string;
  /** Milliseconds since 1970. */
  start: number;
  outcome: string;
  finalStatus: number;
  finalReason: string;
  from: string;
  to: string;
  durationS: number | null;
  pddMs: number | null;
  ringMs: number | null;
  messages: number;
  retransmissions: number;
  legs: number;
  mos: number | null;
  lossPercent: number | null;
  releasedBy: string;
  src: string;
  dst: string;
  /** What the settings call src and dst, "" where they do not. */
  srcAlias: string;
  dstAlias: string;
  nodes: string;
}

export function callRows(frames: readonly DataFrame[]): CallRow[] {
  const frame = frames.find((f) => f.fields.some((x) => x.name === 'call_id' || x.name === 'call_ids'));
  if (!frame) {
    return [];
  }
  const get = (name: string, i: number): unknown => frame.fields.find((f) => f.name === name)?.values[i];
  const text = (name: string, i: number) => String(get(name, i) ?? '');
  const number = (name: string, i: number) => {
    const v = get(name, i);
    return v === null || v === undefined || v === '' || Number.isNaN(Number(v)) ? null : Number(v);
  };
  return Array.from({ length: frame.length }, (_, i): CallRow => {
    const ids = list(get('call_ids', i));
    const own = text('call_id', i);
    return {
      callId: own || ids[0] || text('correlation_id', i),
      method: text('method', i),
      start: number('start', i) ?? number('time', i) ?? 0,
      outcome: text('outcome', i),
      finalStatus: number('final_status', i) ?? 0,
      finalReason: text('final_reason', i),
      from: text('from_user', i),
      to: text('to_user', i) || text('ruri_user', i),
      durationS: number('duration_s', i),
      pddMs: number('pdd_ms', i),
      ringMs: number('ring_ms', i),
      messages: number('messages', i) ?? 0,
      retransmissions: number('retransmissions', i) ?? 0,
      legs: Math.max(ids.length, 1),
      mos: number('mos_avg', i) ?? number('mos_min', i),
      lossPercent: number('loss_percent', i),
      releasedBy: text('released_by', i),
      src: plainIP(text('src_ip', i)),
      dst: plainIP(text('dst_ip', i)),
      srcAlias: text('src_alias', i),
      dstAlias: text('dst_alias', i),
      nodes: list(get('nodes', i)).join(', '),
    };
  });
}

/** A list that came as an array, as JSON, or joined by commas. */
function list(value: unknown): string[] {
  if (Array.isArray(value)) {
    return value.map(String);
  }
  const text = String(value ?? '').trim();
  if (text.startsWith('[')) {
    try {
      return (JSON.parse(text) as unknown[]).map(String);
    } catch {
      // No JSON after all.
    }
  }
  return text === '' ? [] : text.split(/,\s*/);
}

const plainIP = (ip: string) => ip.replace(/^::ffff:(?=\d+\.)/i, '');
