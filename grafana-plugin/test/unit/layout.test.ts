import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultFilter, defaultSize, layout, MessageRow, rowAt, windowOf } from '../../src/ladder/layout';
import { Flow, Item, toneOf } from '../../src/ladder/model';
import { fixture } from './fixtures';
import { longFlow } from '../wire.mjs';

const size = { ...defaultSize, width: 1200, gutter: 160 };
const draw = (flow: Flow, filter = {}, s = {}) => layout(flow, { ...defaultFilter, ...filter }, { ...size, ...s });

test('every message of a call gets a row, in order, with its arrow on its columns', () => {
  const flow = fixture('busy');
  const l = draw(flow);
  assert.deepEqual(l.messages.map((m) => m.item.index), flow.items.map((i) => i.index));
  assert.deepEqual(l.columns.map((c) => c.ports), [[5070], [5060], [5080]]);
  for (const m of l.messages) {
    assert.equal(m.x1, l.columns[m.from].x);
    assert.equal(m.x2, l.columns[m.to].x);
    assert.equal(l.columns[m.from].ports[0], flow.participants[m.item.src].port);
    assert.equal(l.columns[m.to].ports[0], flow.participants[m.item.dst].port);
  }
  const ys = l.rows.map((r) => r.y);
  assert.deepEqual(ys, [...ys].sort((a, b) => a - b));
  assert.equal(l.height, l.rows.reduce((h, r) => h + r.height, 0));
});

test('a busy call ends in red, its ringing before it is muted', () => {
  const tones = draw(fixture('busy')).messages.map((m) => m.tone);
  assert.deepEqual(tones, ['request', 'provisional', 'request', 'provisional', 'provisional', 'failure', 'request', 'failure', 'request']);
});

test('a challenge is no failure', () => {
  for (const [status, tone] of [[401, 'challenge'], [407, 'challenge'], [403, 'failure'], [302, 'redirect'], [503, 'failure'], [603, 'failure'], [183, 'provisional'], [202, 'success'], [0, 'request']] as const) {
    assert.equal(toneOf({ kind: 'sip', status }), tone, String(status));
  }
});

test('ports of one host stand together under one head', () => {
  const l = draw(fixture('two-legs'));
  assert.equal(l.groups.length, 1);
  assert.deepEqual([l.groups[0].first, l.groups[0].last], [0, 3]);
  const flow = fixture('busy');
  // The caller's host comes back with another port at the end of the chain.
  const ips = ['10.0.0.1', '10.0.0.9', '10.0.0.1'];
  flow.participants = flow.participants.map((p, i) => ({ ...p, ip: ips[i], address: `${ips[i]}:${p.port}` }));
  const moved = draw(flow);
  assert.deepEqual(moved.columns.map((c) => `${c.ip}:${c.ports[0]}`), ['10.0.0.1:5070', '10.0.0.1:5080', '10.0.0.9:5060']);
  assert.deepEqual(moved.groups.map((g) => [g.host, g.first, g.last]), [['10.0.0.1', 0, 1], ['10.0.0.9', 2, 2]]);
});

test('media ports join their host where it signals from one port', () => {
  const flow = fixture('rtcp');
  assert.equal(draw(flow).columns.length, 7, 'all on one host that signals from three ports: each for itself');
  const hosts: Record<number, string> = { 5171: '10.0.0.1', 10277: '10.0.0.1', 5060: '10.0.0.2', 31001: '10.0.0.2', 31011: '10.0.0.2', 5175: '10.0.0.3', 10043: '10.0.0.3' };
  flow.participants = flow.participants.map((p) => ({ ...p, ip: hosts[p.port], address: `${hosts[p.port]}:${p.port}` }));
  const l = draw(flow);
  assert.deepEqual(l.columns.map((c) => c.ports[0]), [5171, 5060, 5175]);
  assert.ok(l.columns.every((c) => !c.mediaOnly));
  assert.ok(l.messages.filter((m) => m.item.kind === 'media').every((m) => !m.loop));
});

test('addresses of one name are one column, under that name', () => {
  const flow = fixture('aliases');
  const l = draw(flow);
  assert.deepEqual(l.columns.map((c) => c.host), ['Softphone', 'SBC Berlin', 'Carrier']);
  assert.deepEqual(l.columns[1].addresses, ['127.0.0.1:5060', '127.0.0.1:5062']);
  assert.equal(l.messages.filter((m) => m.loop).length, flow.items.filter((i) => i.src === i.dst).length);
  assert.deepEqual(l.groups.map((g) => g.host), ['Softphone', 'SBC Berlin', 'Carrier']);
});

test('merging ports gives one column a host, and messages within it are loops', () => {
  const l = draw(fixture('two-legs'), { mergePorts: true });
  assert.equal(l.columns.length, 1);
  assert.ok(l.messages.every((m) => m.loop));
});

test('silence gets a row of its own that says how long it was', () => {
  const flow = fixture('rtcp');
  const gaps = draw(flow).rows.filter((r) => r.type === 'gap');
  assert.equal(gaps.length, 2);
  const at = draw(flow).rows.findIndex((r) => r.type === 'gap');
  const next = draw(flow).rows[at + 1] as MessageRow;
  assert.equal(gaps[0].type === 'gap' && gaps[0].gapUs, next.deltaUs);
  assert.equal(next.item.kind, 'media');
  assert.equal(draw(flow, { gapSeconds: 0 }).rows.length, flow.items.length);
});

test('filters hide what they name, and the columns that only it used', () => {
  const rtcp = fixture('rtcp');
  const quiet = draw(rtcp, { showMedia: false });
  assert.equal(quiet.hidden, rtcp.items.filter((i) => i.kind === 'media').length);
  assert.equal(quiet.columns.length, 3);
  const two = fixture('two-legs');
  assert.equal(draw(two, { hideCopies: true }).messages.length, two.items.length - 7);
  assert.ok(draw(two, { hiddenLegs: new Set([1]) }).messages.every((m) => m.item.leg === 0));
  const options = fixture('busy');
  options.items.forEach((i) => Object.assign(i, { cseq_method: 'OPTIONS' }));
  assert.equal(draw(options, { hideOptions: true }).messages.length, 0);
});

test('deltas count from the message before that is shown', () => {
  const flow = fixture('two-legs');
  const l = draw(flow, { hiddenLegs: new Set([0]) });
  const [a, b] = l.messages;
  assert.equal(b.deltaUs, b.item.offset_us - a.item.offset_us);
  assert.equal(a.deltaUs, 0);
});

test('phases follow the ringing, the answer and the end', () => {
  const l = draw(fixture('two-legs'));
  const phases = [...new Set(l.messages.map((m) => m.phase))];
  assert.deepEqual(phases, ['setup', 'ringing', 'talking', 'ended']);
  const bye = l.messages.find((m) => m.item.method === 'BYE');
  assert.equal(bye?.phase, 'ended');
});

test('columns keep a readable width and scroll, unless they are squeezed', () => {
  const flow = fixture('rtcp');
  const narrow = draw(flow, {}, { width: 600 });
  assert.equal(narrow.columnWidth, defaultSize.minColumn);
  assert.ok(narrow.overflows && narrow.width > 600);
  const squeezed = draw(flow, {}, { width: 600, squeeze: true });
  assert.ok(!squeezed.overflows && squeezed.width === 600);
  const wide = draw(fixture('busy'), {}, { width: 4000 });
  assert.equal(wide.columnWidth, defaultSize.maxColumn);
});

test('a window onto a long call holds the rows that touch it', () => {
  const l = draw(longFlow(fixture('two-legs'), 100));
  assert.equal(l.messages.length, 2800);
  const [first, last] = windowOf(l.rows, 10_000, 10_800);
  assert.ok(l.rows[first].y <= 10_000 && l.rows[first].y + l.rows[first].height > 10_000);
  assert.ok(l.rows[last].y >= 10_800 && l.rows[last - 1].y < 10_800);
  assert.ok(last - first < 40);
  assert.equal(rowAt(l.rows, -5), 0);
  assert.equal(rowAt(l.rows, 1e9), l.rows.length - 1);
  assert.deepEqual(windowOf([], 0, 100), [0, 0]);
});

test('an item with nowhere to go is drawn where it came from', () => {
  const flow = fixture('busy');
  const stray: Item = { ...flow.items[0], kind: 'event', src: 1, dst: -1 };
  flow.items = [stray];
  const [m] = draw(flow).messages;
  assert.ok(m.loop);
  assert.equal(m.from, 0);
});
