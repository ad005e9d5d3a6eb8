import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataFrame } from '@grafana/data';
import { framesToFlow } from '../../src/ladder-panel/frames';
import { defaultFilter, defaultSize, layout } from '../../src/ladder/layout';
import { Flow, Item } from '../../src/ladder/model';
import { parseMicros } from '../../src/ladder/time';
import { flowFrame } from '../wire.mjs';
import { fixture, frame } from './fixtures';

/** A frame as Grafana's decoder leaves it, as far as the panel looks. */
function decode(wire: any): DataFrame {
  const { schema, data } = wire;
  return {
    name: schema.name,
    meta: schema.meta,
    length: data.values[0]?.length ?? 0,
    fields: schema.fields.map((f: any, i: number) => ({ ...f, config: {}, values: data.values[i], nanos: data.nanos[i] ?? undefined })),
  } as DataFrame;
}

const names = ['two-legs', 'aliases', 'rtcp', 'logs', 'retransmissions', 'hold', 'ipv6', 'register', 'busy', 'cancelled', 'unreachable'];

function flowOf(frames: DataFrame[]): Flow {
  const r = framesToFlow(frames);
  assert.equal(r.kind, 'flow');
  return (r as { flow: Flow }).flow;
}

/** The items of a flow, with the members that a frame has; what it lacks is not drawn. */
function drawn(flow: Flow, like: Flow) {
  const names = Object.keys(like.items[0]).filter((n) => !['from_user', 'to_user'].includes(n)) as Array<keyof Item>;
  // Go leaves out the last zeros of a time.
  return flow.items.map((i) => Object.fromEntries(names.map((n) => [n, n === 'time' ? parseMicros(i.time) : (i[n] ?? null)])));
}

function assertSame(got: Flow, want: Flow) {
  for (const part of ['call', 'legs', 'participants', 'findings', 'clocks', 'truncated'] as const) {
    assert.deepEqual(got[part], want[part], part);
  }
  const [a, b] = [drawn(got, got), drawn(want, got)];
  assert.equal(a.length, b.length);
  a.forEach((item, i) => assert.deepEqual(item, b[i], `item ${i}`));
}

for (const name of names) {
  test(`the frame of a flow gives the flow back: ${name}`, () => {
    const want = fixture(name);
    assertSame(flowOf([decode(flowFrame(want))]), want);
  });
}

test('the frame that the backend sent gives the flow back', () => {
  assertSame(flowOf([decode(frame('unreachable'))]), fixture('unreachable'));
});

test('the order of the call is kept where clocks disagree, and waits are by one clock', () => {
  const skewed = fixture('busy');
  // A second agent, half a second ahead, saw what the proxy sent on.
  skewed.items[2] = { ...skewed.items[2], capture_id: 7, time: skewed.items[2].time.replace(/\.\d+Z/, '.999999Z') };
  skewed.clocks = [{ node: skewed.items[2].node, capture_id: 7, ahead_us: 500_000 }];
  const flow = flowOf([decode(flowFrame(skewed))]);
  assert.deepEqual(flow.items.map((i) => i.raw), skewed.items.map((i) => i.raw));
  const row = layout(flow, defaultFilter, defaultSize).messages[2];
  assert.equal(row.deltaUs, parseMicros(skewed.items[2].time) - 500_000 - parseMicros(skewed.items[1].time));
});

test('rows out of order come out in time order', () => {
  const wire: any = flowFrame(fixture('busy'));
  delete wire.schema.meta.custom;
  wire.data.values = wire.data.values.map((v: unknown[]) => [...v].reverse());
  wire.data.nanos = wire.data.nanos.map((v: unknown[] | null) => (v ? [...v].reverse() : v));
  const flow = flowOf([decode(wire)]);
  assert.deepEqual(flow.items.map((i) => parseMicros(i.time)), fixture('busy').items.map((i) => parseMicros(i.time)));
  assert.ok(flow.items.every((i, n) => i.index === n && i.delta_us >= 0));
});

test('a table of plain columns is enough', () => {
  const field = (name: string, values: unknown[]) => ({ name, values, config: {}, type: 'string' });
  const frame = {
    length: 2,
    fields: [
      field('time', [1000, 1001]),
      field('src_ip', ['::ffff:10.0.0.1', '2001:db8::2']),
      field('src_port', [5060, 5061]),
      field('dst_ip', ['2001:db8::2', '::ffff:10.0.0.1']),
      field('dst_port', [5061, 5060]),
      field('method', ['OPTIONS', '']),
      field('status', [0, 200]),
      field('cseq', ['7 OPTIONS', '7 OPTIONS']),
      field('call_id', ['a@b', 'a@b']),
    ],
  } as unknown as DataFrame;
  const flow = flowOf([frame]);
  assert.deepEqual(flow.participants.map((p) => p.address), ['10.0.0.1:5060', '[2001:db8::2]:5061']);
  assert.deepEqual([flow.items[1].cseq, flow.items[1].cseq_method, flow.items[1].delta_us], [7, 'OPTIONS', 1000]);
  assert.deepEqual(flow.legs.map((l) => l.call_id), ['a@b']);
  assert.equal(flow.items[0].raw, '');
});

test('no data and other data are told apart', () => {
  assert.deepEqual(framesToFlow([]), { kind: 'empty' });
  const none: any = decode(flowFrame({ ...fixture('busy'), items: [] }));
  assert.deepEqual(framesToFlow([none]), { kind: 'empty' });
  const other = { length: 1, fields: [{ name: 'time', values: [1], config: {} }, { name: 'messages', values: [3], config: {} }] } as unknown as DataFrame;
  assert.deepEqual(framesToFlow([other]), { kind: 'unusable', missing: ['src', 'dst'], found: ['time', 'messages'] });
  assert.equal(framesToFlow([other, decode(flowFrame(fixture('busy')))]).kind, 'flow', 'a flow beside another frame');
});
