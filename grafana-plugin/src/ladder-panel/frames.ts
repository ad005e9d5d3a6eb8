/** From data frames to a flow. Takes the datasource's flow frames, and any table that has enough of their fields. */
import { DataFrame, Field } from '@grafana/data';
import { Call, Clock, Finding, Flow, Item, ItemKind, Leg, Participant, splitAddress } from '../ladder/model';
import { formatMicrosUTC } from '../ladder/time';

export type FramesResult =
  | { kind: 'flow'; flow: Flow }
  /** Nothing came back: no call, or an empty one. */
  | { kind: 'empty' }
  /** Data came back that is no flow; the text says what is missing. */
  | { kind: 'unusable'; missing: string[]; found: string[] };

type Row = (i: number) => unknown;

/** The first frame that can be drawn as a ladder decides. */
export function framesToFlow(frames: readonly DataFrame[]): FramesResult {
  const filled = frames.filter((f) => f.fields.length > 0);
  if (filled.length === 0) {
    return { kind: 'empty' };
  }
  const problems = filled.map(missingFields);
  const at = problems.findIndex((p) => p.length === 0);
  if (at < 0) {
    const names = filled.flatMap((f) => f.fields.map((x) => x.name));
    return { kind: 'unusable', missing: problems[0], found: [...new Set(names)] };
  }
  const flow = frameToFlow(filled[at]);
  return flow.items.length === 0 ? { kind: 'empty' } : { kind: 'flow', flow };
}

function missingFields(frame: DataFrame): string[] {
  const has = (n: string) => frame.fields.some((f) => f.name === n);
  const missing = ['time'].filter((n) => !has(n));
  for (const end of ['src', 'dst']) {
    if (!has(end) && !has(`${end}_ip`)) {
      missing.push(end);
    }
  }
  return missing;
}

interface Custom {
  call?: Call;
  legs?: Leg[];
  participants?: Participant[] | null;
  findings?: Finding[] | null;
  clocks?: Clock[] | null;
  truncated?: string;
}

function frameToFlow(frame: DataFrame): Flow {
  const custom = (frame.meta?.custom ?? {}) as Custom;
  const field = (name: string): Field | undefined => frame.fields.find((f) => f.name === name);
  const getter = (name: string): Row => {
    const values = field(name)?.values;
    return values ? (i) => values[i] : () => undefined;
  };
  const text = (name: string) => {
    const get = getter(name);
    return (i: number) => {
      const v = get(i);
      return v === null || v === undefined ? '' : String(v);
    };
  };
  const number = (name: string) => {
    const get = getter(name);
    return (i: number) => Number(get(i) ?? 0) || 0;
  };
  const flag = (name: string) => {
    const get = getter(name);
    return (i: number) => get(i) === true || get(i) === 1;
  };

  const timeField = field('time')!;
  const src = address(text, number, 'src');
  const dst = address(text, number, 'dst');
  const get = {
    srcName: text('src_name'),
    dstName: text('dst_name'),
    leg: field('leg') ? number('leg') : null,
    callId: text('call_id'),
    kind: text('kind'),
    method: text('method'),
    status: number('status'),
    reason: text('reason'),
    cseq: text('cseq'),
    cseqMethod: text('cseq_method'),
    label: text('label'),
    sdp: text('sdp'),
    retransmission: flag('retransmission'),
    copy: flag('copy'),
    transport: text('transport'),
    node: text('node'),
    parseError: text('parse_error'),
    raw: text('raw'),
    fromUser: text('from_user'),
    toUser: text('to_user'),
    srcAddr: text('src_addr'),
    dstAddr: text('dst_addr'),
    captureId: number('capture_id'),
    relay: wait(getter('relay_us')),
    response: wait(getter('response_us')),
  };

  const legs: Leg[] = (custom.legs ?? []).map((l) => ({ ...l }));
  const participants: Participant[] = (custom.participants ?? []).map((p) => ({ ...p }));
  const known = new Map(participants.map((p, i) => [p.address, i]));
  const participant = (addr: string, name: string): number => {
    if (addr === '') {
      return -1;
    }
    let at = known.get(addr);
    if (at === undefined) {
      at = participants.length;
      known.set(addr, at);
      participants.push({ address: addr, ...splitAddress(addr), name });
    }
    participants[at].name ||= name;
    return at;
  };
  const legOf = (i: number, callId: string): number => {
    const byName = callId === '' ? -1 : legs.findIndex((l) => l.call_id === callId);
    if (byName >= 0) {
      return byName;
    }
    if (get.leg && get.leg(i) >= 0 && get.leg(i) < legs.length) {
      return get.leg(i);
    }
    if (callId === '') {
      return -1;
    }
    legs.push({ call_id: callId, messages: 0, linked_by: '', link_value: '' });
    return legs.length - 1;
  };

  // The datasource's rows are in the order of the call, which is that of time only
  // where clocks agree, and findings name them by it. Other queries sort as they like.
  const order = Array.from({ length: frame.length }, (_, i) => ({ i, us: micros(timeField, i) })).filter((r) => !Number.isNaN(r.us));
  if (!custom.participants) {
    order.sort((a, b) => a.us - b.us || a.i - b.i);
  }
  const items = order.map(({ i, us }, n): Item => {
    const callId = get.callId(i);
    const kind = get.kind(i);
    return {
      index: n,
      kind: (['sip', 'media', 'event'].includes(kind) ? kind : 'sip') as ItemKind,
      time: formatMicrosUTC(us),
      offset_us: us - order[0].us,
      delta_us: n === 0 ? 0 : us - order[n - 1].us,
      src: participant(src(i), get.srcName(i)),
      dst: participant(dst(i), get.dstName(i)),
      leg: legOf(i, callId),
      call_id: callId,
      method: get.method(i),
      status: get.status(i),
      reason: get.reason(i),
      ...cseqOf(get.cseq(i), get.cseqMethod(i)),
      from_user: get.fromUser(i),
      to_user: get.toUser(i),
      sdp: get.sdp(i),
      label: get.label(i),
      retransmission: get.retransmission(i),
      copy: get.copy(i),
      parse_error: get.parseError(i),
      transport: get.transport(i),
      node: get.node(i),
      capture_id: get.captureId(i),
      src_addr: get.srcAddr(i),
      dst_addr: get.dstAddr(i),
      relay_us: get.relay(i),
      response_us: get.response(i),
      raw: get.raw(i),
    };
  });
  return {
    call: custom.call ?? {},
    legs,
    participants,
    items,
    findings: custom.findings ?? [],
    clocks: custom.clocks ?? [],
    truncated: custom.truncated ?? '',
  };
}

/** A length of time, null where there is none. */
const wait = (get: Row) => (i: number) => {
  const v = get(i);
  return v === null || v === undefined ? null : Number(v);
};

/** An address from src, or from src_ip and src_port; IPv4 comes out of its IPv6 mapping. */
function address(text: (n: string) => (i: number) => string, number: (n: string) => (i: number) => number, end: string) {
  const whole = text(end);
  const ip = text(`${end}_ip`);
  const port = number(`${end}_port`);
  return (i: number) => {
    if (whole(i)) {
      return whole(i);
    }
    const host = ip(i).replace(/^::ffff:(?=\d+\.)/i, '');
    if (host === '' || port(i) === 0) {
      return host;
    }
    return host.includes(':') ? `[${host}]:${port(i)}` : `${host}:${port(i)}`;
  };
}

/** "1 INVITE" in one field, or number and method in two. */
function cseqOf(cseq: string, method: string): { cseq: number; cseq_method: string } {
  const [n, m] = cseq.trim().split(/\s+/);
  return { cseq: Number(n) || 0, cseq_method: method || m || '' };
}

/** Time in microseconds: milliseconds in the values, the rest in nanos. */
function micros(field: Field, i: number): number {
  const v = field.values[i];
  const ms = typeof v === 'number' ? v : v === null || v === undefined ? NaN : Date.parse(String(v));
  const nanos = field.nanos?.[i] ?? 0;
  return Math.round(ms * 1000 + nanos / 1000);
}
