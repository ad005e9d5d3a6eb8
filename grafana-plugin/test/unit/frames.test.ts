import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataFrame } from '@grafana/data';
import { framesToFlow } from '../../src/ladder-panel/frames';
import { Flow } from '../../src/ladder/model';
import { flowFrame } from '../wire.mjs';
import { fixture } from './fixtures';

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

const names = ['two-legs', 'rtcp', 'retransmissions', 'hold', 'ipv6', 'register', 'busy', 'cancelled'];

function flowOf(frames: DataFrame[]): Flow {
  const r = framesToFlow(frames);
  assert.equal(r.kind, 'flow');
  return (r as { flow: Flow }).flow;
}

for (const name of names) {
  test(`the frame of a flow gives the flow back: ${name}`, () => {
    const want = fixture(name);
    const got = flowOf([decode(flowFrame(want))]);
    assert.deepEqual(got.participants, want.participants);
    assert.deepEqual(got.legs, want.legs);
    assert.deepEqual(got.call, want.call);
    // Users are in the call, not in the frame.
    const plain = (f: Flow) => f.items.map(({ from_user: _f, to_user: _t, ruri_user: _r, capture_id: _c, ...i }) => i);
    assert.deepEqual(plain(got), plain(want));
  });
}

test('rows out of order come out in time order', () => {
  const wire: any = flowFrame(fixture('busy'));
  wire.data.values = wire.data.values.map((v: unknown[]) => [...v].reverse());
  wire.data.nanos = wire.data.nanos.map((v: unknown[] | null) => (v ? [...v].reverse() : v));
  const flow = flowOf([decode(wire)]);
  assert.deepEqual(flow.items.map((i) => i.time), fixture('busy').items.map((i) => i.time));
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
