/**
 * From a flow to positions: which columns, which rows, where each arrow starts
 * and ends. Pure, so that any surface can draw it and any test can read it.
 */
import { aheadOf, Flow, Item, Participant, Tone, toneOf } from './model';
import { parseMicros } from './time';

/** What the viewer chose to see. */
export interface LadderFilter {
  showMedia: boolean;
  showEvents: boolean;
  /** OPTIONS keep-alives and their answers. */
  hideOptions: boolean;
  /** What a second capture agent saw again. */
  hideCopies: boolean;
  /** Silence longer than this, in seconds, gets a row of its own; 0 for never. */
  gapSeconds: number;
  /** One column per host instead of one per host and port. */
  mergePorts: boolean;
  hiddenLegs: ReadonlySet<number>;
}

export const defaultFilter: LadderFilter = {
  showMedia: true,
  showEvents: true,
  hideOptions: false,
  hideCopies: false,
  gapSeconds: 3,
  mergePorts: false,
  hiddenLegs: new Set(),
};

export interface Column {
  key: string;
  /** What the host is called: its alias, else its IP address. */
  host: string;
  ip: string;
  /** Ports met in this column, in order of appearance. */
  ports: number[];
  /** Every address that it stands for. */
  addresses: string[];
  /** What the participant called itself. */
  name: string;
  /** Centre of the lifeline. */
  x: number;
  /** True when it carried only media or events. */
  mediaOnly: boolean;
}

/** Neighbouring columns of one host. */
export interface HostGroup {
  host: string;
  first: number;
  last: number;
  left: number;
  right: number;
}

/** Where in the call a row falls. */
export type Phase = 'setup' | 'ringing' | 'talking' | 'ended';

export interface MessageRow {
  type: 'message';
  /** Position among the rows. */
  row: number;
  item: Item;
  timeUs: number;
  /** Since the previous visible message; 0 on the first. */
  deltaUs: number;
  offsetUs: number;
  y: number;
  height: number;
  from: number;
  to: number;
  x1: number;
  x2: number;
  /** The message goes from a column to itself. */
  loop: boolean;
  tone: Tone;
  phase: Phase;
}

export interface GapRow {
  type: 'gap';
  row: number;
  y: number;
  height: number;
  gapUs: number;
  /** Of the message before it. */
  phase: Phase;
}

export type Row = MessageRow | GapRow;

export interface Layout {
  columns: Column[];
  groups: HostGroup[];
  rows: Row[];
  /** The message rows alone, in order; for keys and neighbours. */
  messages: MessageRow[];
  columnWidth: number;
  gutter: number;
  width: number;
  height: number;
  /** Items that the filter leaves out. */
  hidden: number;
  /** True when the columns need more than the width given. */
  overflows: boolean;
}

export interface LayoutSize {
  /** What there is to draw in, in CSS pixels. */
  width: number;
  /** Left part for number, leg and time. */
  gutter: number;
  /** Columns never get narrower than this, unless squeezed. */
  minColumn: number;
  maxColumn: number;
  /** Fit all columns into the width whatever it costs. */
  squeeze: boolean;
  rowHeight: number;
  gapHeight: number;
}

export const defaultSize: LayoutSize = {
  width: 1000,
  gutter: 150,
  minColumn: 112,
  maxColumn: 330,
  squeeze: false,
  rowHeight: 27,
  gapHeight: 26,
};

/** Whether the filter lets an item through. */
export function visible(item: Item, f: LadderFilter): boolean {
  if (f.hiddenLegs.has(item.leg)) {
    return false;
  }
  if (item.kind === 'media') {
    return f.showMedia;
  }
  if (item.kind === 'event') {
    return f.showEvents;
  }
  return !(f.hideCopies && item.copy) && !(f.hideOptions && (item.cseq_method || item.method) === 'OPTIONS');
}

/** Places every visible item of a flow. */
export function layout(flow: Flow, filter: LadderFilter, size: LayoutSize): Layout {
  const items = flow.items.filter((i) => visible(i, filter));
  const { columns, columnOf } = placeColumns(flow.participants, items, filter.mergePorts);

  const n = Math.max(columns.length, 1);
  const room = size.width - size.gutter;
  const ideal = room / n;
  const floor = size.squeeze ? 44 : size.minColumn;
  const columnWidth = Math.max(floor, Math.min(ideal, size.maxColumn));
  // Few columns on a wide screen: keep them near the times instead of stretching.
  const width = Math.max(size.width, size.gutter + columnWidth * n);
  columns.forEach((c, i) => {
    c.x = size.gutter + columnWidth * (i + 0.5);
  });

  const { rows, messages, height } = placeRows(flow, items, columns, columnOf, filter, size);
  return {
    columns,
    groups: hostGroups(columns, columnWidth),
    rows,
    messages,
    columnWidth,
    gutter: size.gutter,
    width,
    height,
    hidden: flow.items.length - items.length,
    overflows: size.gutter + columnWidth * n > size.width + 1,
  };
}

/**
 * One column per address, in order of appearance, with the ports of a host next
 * to each other. Ports that carried only media join their host's column unless
 * the host signals from several: there they add nothing but width.
 */
function placeColumns(participants: Participant[], items: Item[], mergePorts: boolean) {
  const signalling = new Set<number>();
  const used: number[] = [];
  const seen = new Set<number>();
  for (const item of items) {
    for (const p of [item.src, item.dst]) {
      if (participants[p] && !seen.has(p)) {
        seen.add(p);
        used.push(p);
      }
      if (item.kind === 'sip') {
        signalling.add(p);
      }
    }
  }

  const sipColumns = new Map<string, number>();
  for (const p of used) {
    if (signalling.has(p)) {
      const host = hostOf(participants[p]);
      sipColumns.set(host, (sipColumns.get(host) ?? 0) + 1);
    }
  }
  const keyOf = (p: number) => {
    const host = hostOf(participants[p]);
    return mergePorts || (sipColumns.get(host) ?? 0) <= 1 ? `host ${host}` : participants[p].address;
  };

  const hosts = new Map<string, Map<string, Column>>();
  for (const p of used) {
    const part = participants[p];
    const called = hostOf(part);
    const host = hosts.get(called) ?? new Map<string, Column>();
    hosts.set(called, host);
    const key = keyOf(p);
    const column = host.get(key) ?? { key, host: called, ip: part.ip, ports: [], addresses: [], name: '', x: 0, mediaOnly: true };
    host.set(key, column);
    column.addresses.push(...(part.addresses ?? [part.address]).filter((a) => !column.addresses.includes(a)));
    if (!column.ports.includes(part.port)) {
      // A signalling port is what people know a host by: it comes first.
      if (signalling.has(p) && column.mediaOnly) {
        column.ports.unshift(part.port);
      } else {
        column.ports.push(part.port);
      }
    }
    column.mediaOnly = column.mediaOnly && !signalling.has(p);
    column.name ||= part.name;
  }

  const columns = [...hosts.values()].flatMap((host) => [...host.values()]);
  const index = new Map(columns.map((c, i) => [`${c.host} ${c.key}`, i]));
  const columnOf = (p: number) => (participants[p] ? (index.get(`${hostOf(participants[p])} ${keyOf(p)}`) ?? -1) : -1);
  return { columns, columnOf };
}

/** Where a participant's column stands: with those of its name, else of its address. */
const hostOf = (p: Participant) => p.alias || p.ip;

function hostGroups(columns: Column[], columnWidth: number): HostGroup[] {
  const groups: HostGroup[] = [];
  columns.forEach((c, i) => {
    const last = groups[groups.length - 1];
    if (last && last.host === c.host) {
      last.last = i;
      last.right = c.x + columnWidth / 2;
    } else {
      groups.push({ host: c.host, first: i, last: i, left: c.x - columnWidth / 2, right: c.x + columnWidth / 2 });
    }
  });
  return groups;
}

function placeRows(
  flow: Flow,
  items: Item[],
  columns: Column[],
  columnOf: (p: number) => number,
  filter: LadderFilter,
  size: LayoutSize
) {
  const rows: Row[] = [];
  const messages: MessageRow[] = [];
  const phaseAt = phases(flow);
  const ahead = aheadOf(flow);
  const start = flow.items.length > 0 ? parseMicros(flow.items[0].time) : 0;
  let y = 0;
  let previous: number | null = null;
  for (const item of items) {
    const parsed = parseMicros(item.time);
    const timeUs = Number.isNaN(parsed) ? start + item.offset_us : parsed;
    // Times are those of the agents; lengths of time are by one clock.
    const at = timeUs - ahead(item);
    const deltaUs = previous === null ? 0 : at - previous;
    if (previous !== null && filter.gapSeconds > 0 && deltaUs >= filter.gapSeconds * 1e6) {
      rows.push({ type: 'gap', row: rows.length, y, height: size.gapHeight, gapUs: deltaUs, phase: phaseAt(previous) });
      y += size.gapHeight;
    }
    const from = Math.max(columnOf(item.src), 0);
    const to = item.dst < 0 ? from : Math.max(columnOf(item.dst), 0);
    const message: MessageRow = {
      type: 'message',
      row: rows.length,
      item,
      timeUs,
      deltaUs,
      offsetUs: item.offset_us,
      y,
      height: size.rowHeight,
      from,
      to,
      x1: columns[from]?.x ?? size.gutter,
      x2: columns[to]?.x ?? size.gutter,
      loop: from === to,
      tone: toneOf(item),
      phase: phaseAt(timeUs),
    };
    rows.push(message);
    messages.push(message);
    y += size.rowHeight;
    previous = at;
  }
  return { rows, messages, height: y };
}

function phases(flow: Flow): (us: number) => Phase {
  const ring = parseMicros(flow.call.ring);
  const answer = parseMicros(flow.call.answer);
  const end = parseMicros(flow.call.end);
  return (us) =>
    us >= end ? 'ended' : us >= answer ? 'talking' : us >= ring ? 'ringing' : 'setup';
}

/** The rows that touch the window [top, bottom), found by bisection. */
export function windowOf(rows: Row[], top: number, bottom: number): [number, number] {
  const first = rowAt(rows, top);
  let last = first;
  while (last < rows.length && rows[last].y < bottom) {
    last++;
  }
  return [first, last];
}

/** The row at height y: the last one that starts at or above it. */
export function rowAt(rows: Row[], y: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if (rows[mid].y <= y) {
      low = mid;
    } else {
      high = mid - 1;
    }
  }
  return Math.max(low, 0);
}
