/**
 * A call's flow as the heplake API and the datasource give it. The names are
 * those of the JSON; times are RFC 3339 text with microseconds, because a
 * JavaScript Date stops at milliseconds.
 */

import { formatDuration } from './time';

export type ItemKind = 'sip' | 'media' | 'event';

export type Outcome = 'answered' | 'failed' | 'cancelled' | 'unanswered' | 'in_progress';

/** What the ladder shows of a call as a whole. Every field may be missing. */
export interface Call {
  correlation_id?: string;
  call_ids?: string[];
  method?: string;
  start?: string | null;
  /** First 180 or 183. */
  ring?: string | null;
  /** First 2xx to the opening request. */
  answer?: string | null;
  /** The BYE, or the final failure. */
  end?: string | null;
  pdd_ms?: number | null;
  srd_ms?: number | null;
  ring_ms?: number | null;
  duration_s?: number | null;
  sdd_ms?: number | null;
  outcome?: Outcome | '';
  final_status?: number;
  final_reason?: string;
  q850?: number;
  released_by?: string;
  from_user?: string;
  from_domain?: string;
  to_user?: string;
  to_domain?: string;
  messages?: number;
  retransmissions?: number;
  codecs?: string[] | null;
  mos_min?: number | null;
  mos_avg?: number | null;
  loss_percent?: number | null;
  jitter_ms?: number | null;
}

/** One Call-ID of a call. */
export interface Leg {
  call_id: string;
  messages: number;
  /** "asked" for the leg asked for, else the kind of link that brought it in. */
  linked_by: string;
  reason?: string;
  confidence?: number;
  link_value: string;
}

/** One address that sent or received, or several that have one name. */
export interface Participant {
  /** ip:port, [v6]:port */
  address: string;
  ip: string;
  port: number;
  /** What it called itself in User-Agent or Server, "" when unknown. */
  name: string;
  /** What the settings call it, "" when they do not. */
  alias?: string;
  /** All addresses that it stands for. */
  addresses?: string[] | null;
}

export type Severity = 'error' | 'warning' | 'info';

/** Something that an engineer would point out; see docs/findings.md. */
export interface Finding {
  code: string;
  severity: Severity;
  /** A sentence. */
  text: string;
  /** The messages that show it: indexes in Flow.items. */
  items: number[];
  /** The hop that it is about: indexes in Flow.participants, -1 for none. */
  client: number;
  server: number;
}

/** A capture agent whose clock is off. */
export interface Clock {
  node: string;
  capture_id: number;
  /** By how much it is ahead of the clock that the flow goes by. */
  ahead_us: number;
}

/** One row of the ladder. */
export interface Item {
  index: number;
  kind: ItemKind;
  time: string;
  /** Microseconds since the flow's first item. */
  offset_us: number;
  /** Microseconds since the previous item. */
  delta_us: number;
  /** Index in Flow.participants. */
  src: number;
  dst: number;
  /** Index in Flow.legs; -1 when the item names no Call-ID. */
  leg: number;
  call_id: string;
  /** Of a request; "" on a response. */
  method: string;
  /** 0 on a request. */
  status: number;
  reason: string;
  cseq: number;
  cseq_method: string;
  from_user?: string;
  to_user?: string;
  ruri_user?: string;
  /** One line about the body's SDP, "" without one. */
  sdp: string;
  label: string;
  retransmission: boolean;
  copy: boolean;
  parse_error: string;
  transport: string;
  node: string;
  capture_id?: number;
  /** The addresses on the wire, where they are not those of the participants. */
  src_addr?: string;
  dst_addr?: string;
  /** How long the sender held what it passed on here. */
  relay_us?: number | null;
  /** How long after its request on this hop a response came. */
  response_us?: number | null;
  raw: string;
}

export interface Flow {
  call: Call;
  legs: Leg[];
  participants: Participant[];
  /** In order by one clock, causes before effects. */
  items: Item[];
  /** How the call ended, and what is remarkable about it; what matters most first. */
  findings?: Finding[] | null;
  clocks?: Clock[] | null;
  /** Which limit cut the flow, "" when it is whole. */
  truncated: string;
}

/** How an item went, which decides how loudly it is drawn. */
export type Tone = 'request' | 'provisional' | 'success' | 'redirect' | 'challenge' | 'failure' | 'media' | 'event';

/**
 * The tone of an item. 401 and 407 are how digest authentication starts, not
 * failures of the call, so they have a tone of their own.
 */
export function toneOf(item: Pick<Item, 'kind' | 'status'>): Tone {
  if (item.kind !== 'sip') {
    return item.kind;
  }
  const s = item.status;
  if (!s) {
    return 'request';
  }
  if (s < 200) {
    return 'provisional';
  }
  if (s < 300) {
    return 'success';
  }
  if (s < 400) {
    return 'redirect';
  }
  return s === 401 || s === 407 ? 'challenge' : 'failure';
}

/** What a participant is known by: its alias, else its address. */
export function partyName(p: Participant | undefined): string {
  return p ? p.alias || p.address : '?';
}

/** By how much an item's time is ahead of the clock that the flow goes by, in microseconds. */
export function aheadOf(flow: Flow): (item: Item) => number {
  const clocks = flow.clocks ?? [];
  return clocks.length === 0
    ? () => 0
    : (item) => clocks.find((c) => c.node === item.node && c.capture_id === (item.capture_id ?? 0))?.ahead_us ?? 0;
}

/** What an item says of the time that its sender took; "" where it says nothing. */
export function delayText(item: Item): string {
  return [
    item.relay_us != null && `${formatDuration(item.relay_us)} to pass it on`,
    item.response_us != null && `${formatDuration(item.response_us)} after the request on this hop`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** Why a leg belongs to the call, "" for the one asked for. */
export function linkText(leg: Leg): string {
  switch (leg.linked_by) {
    case '':
    case 'asked':
      return '';
    case 'likeness':
      return leg.reason
        ? `found by likeness: same ${leg.reason}, ${Math.round(100 * (leg.confidence ?? 0))} % sure`
        : 'found by likeness: no id leads to it';
    default:
      return `linked by ${leg.linked_by}${leg.link_value && ` = ${leg.link_value}`}`;
  }
}

/** Splits "ip:port" and "[v6]:port"; an address without a port has port 0. */
export function splitAddress(address: string): { ip: string; port: number } {
  const m = /^\[(.+)\](?::(\d+))?$/.exec(address) ?? /^([^:]+)(?::(\d+))?$/.exec(address);
  return m ? { ip: m[1], port: Number(m[2] ?? 0) } : { ip: address, port: 0 };
}

/** The letter a leg goes by in the ladder: A, B … Z, A2 … */
export function legLetter(leg: number): string {
  if (leg < 0) {
    return '–';
  }
  const round = Math.floor(leg / 26);
  return String.fromCharCode(65 + (leg % 26)) + (round > 0 ? String(round + 1) : '');
}

/** What stands on an arrow that came without a label. */
export function labelOf(item: Item): string {
  if (item.label) {
    return item.label;
  }
  if (item.status) {
    return item.reason ? `${item.status} ${item.reason}` : String(item.status);
  }
  return item.method || (item.kind === 'media' ? 'media report' : 'event');
}

/**
 * Whether two items belong to one transaction. ACK of a failure and CANCEL
 * carry the INVITE's CSeq number (RFC 3261 sections 17.1.1.3 and 9.1); the ACK
 * of a 2xx is a transaction of its own there, but nobody reads it so.
 */
export function sameTransaction(a: Item, b: Item): boolean {
  if (a.kind !== 'sip' || b.kind !== 'sip' || a.leg !== b.leg || a.cseq !== b.cseq) {
    return false;
  }
  const family = (m: string) => (m === 'ACK' || m === 'CANCEL' ? 'INVITE' : m);
  return family(a.cseq_method) === family(b.cseq_method);
}
