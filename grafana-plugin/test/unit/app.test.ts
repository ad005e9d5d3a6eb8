import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataFrame } from '@grafana/data';
import { callRows } from '../../src/app/calls';
import { buildFilter, emptySearch, isExpression, statusProblem, textFilter } from '../../src/app/filter';
import { callIdOf, callPath, withKept } from '../../src/app/paths';
import { figures, streamsOf } from '../../src/app/quality';
import { aliasProblem, parseAliases } from '../../src/datasource/aliases';
import { quoteForFilter, quoteForSQL } from '../../src/datasource/variables';

test('the form becomes one filter', () => {
  const all = { ...emptySearch, kind: 'all' as const };
  assert.equal(buildFilter(all), '');
  assert.equal(buildFilter(emptySearch), 'method = INVITE');
  assert.equal(
    buildFilter({ ...emptySearch, from: 'al"ice', to: '4930*', status: '5xx', outcome: 'failed', callId: ' a@b ' }),
    'method = INVITE and call_id = "a@b" and from_user = "al\\"ice" and (to_user like "4930%" or ruri_user like "4930%") and final_status >= 500 and final_status <= 599 and outcome = failed'
  );
  assert.equal(buildFilter({ ...all, status: '500-503' }), 'final_status >= 500 and final_status <= 503');
  assert.equal(buildFilter({ ...all, text: 'status >= 500 or status = 404' }), '(status >= 500 or status = 404)');
});

test('a word is looked for, an expression is passed on', () => {
  for (const [text, want] of [['alice', '"alice"'], ['+4930*', '"+4930%"'], ['YWJj==', '"YWJj=="'], ['1-15155@10.0.0.1', '"1-15155@10.0.0.1"'], ['', '']] as const) {
    assert.equal(textFilter(text), want);
  }
  for (const e of ['status>=500', 'src_ip in 10.0.0.0/8', 'from_user like "49%"', 'not user_agent ~ "x"', 'alice and bob', '(a or b)', 'call_id = YWJj==']) {
    assert.ok(isExpression(e), e);
  }
});

test('a status is a number, a class or a range', () => {
  for (const good of ['', '486', '5xx', '4XX', '500-503', '500 - 503']) {
    assert.equal(statusProblem(good), null, good);
  }
  for (const bad of ['x', '48', '4860', '7xx', '5-6']) {
    assert.notEqual(statusProblem(bad), null, bad);
  }
});

test('a Call-ID survives its way through the address', () => {
  for (const id of ['1-15155@127.0.0.1', 'a/b c?d#e', '100%', '%41', 'ü@x', '!!:hmx-B7.IBx6*', '~25~7E~']) {
    const segment = callPath(id).split('/').pop()!;
    // What history 4.10 does to a path, more than once, then what the router does to its parts.
    assert.equal(callIdOf(decodeURIComponent(decodeURI(decodeURI(segment)))), id);
  }
  assert.equal(withKept('/a', '?from=now-6h&to=now&q=x&var-ds=u'), '/a?from=now-6h&to=now&var-ds=u');
  assert.equal(withKept('/a', ''), '/a');
});

test('variables are written as the query language wants them', () => {
  assert.equal(quoteForFilter('10.0.0.1'), '10.0.0.1');
  assert.equal(quoteForFilter('a"b'), 'a\\"b');
  assert.equal(quoteForFilter(['INVITE', 'two words', 'q"']), 'INVITE, "two words", "q\\""');
  assert.equal(quoteForSQL("o'neil"), "o\\'neil");
  assert.equal(quoteForSQL(['a', "b'"]), "'a', 'b\\''");
});

const frame = (columns: Record<string, unknown[]>): DataFrame =>
  ({
    length: Object.values(columns)[0].length,
    fields: Object.entries(columns).map(([name, values]) => ({ name, values, config: {} })),
  }) as unknown as DataFrame;

test('calls are read with the columns there are', () => {
  const [a, b, c] = callRows([
    frame({
      start: [1000, 2000, 3000],
      call_ids: ['a@x, b@x', '["c@x"]', ['d@x', 'e@x', 'f@x']],
      outcome: ['failed', 'answered', ''],
      final_status: [486, 200, null],
      pdd_ms: [null, 0, 12],
      src_ip: ['::ffff:10.0.0.1', '10.0.0.2', '2001:db8::1'],
    }),
  ]);
  assert.deepEqual([a.callId, a.legs, a.pddMs, a.finalStatus, a.src], ['a@x', 2, null, 486, '10.0.0.1']);
  assert.deepEqual([b.callId, b.legs, b.pddMs], ['c@x', 1, 0]);
  assert.deepEqual([c.callId, c.legs, c.finalStatus, c.src], ['d@x', 3, 0, '2001:db8::1']);
  assert.deepEqual(callRows([frame({ time: [1] })]), []);
});

test('reports become streams, unknown figures stay unknown', () => {
  const streams = streamsOf([
    frame({
      time: [3, 1, 2],
      ssrc: [7, 7, 9],
      src: ['a', 'a', 'b'],
      dst: ['b', 'b', 'a'],
      source: ['rtcp', 'rtcp', 'rtcp'],
      packets: [200, 100, 50],
      lost: [4, 1, 0],
      fraction_lost: [0.03, 0.01, 0],
      jitter_ms: [8, 4, 2],
      rtt_ms: [0, 20, 0],
      mos: [4.1, 4.3, 0],
    }),
    frame({ time: [1], messages: [3] }),
  ]);
  assert.equal(streams.length, 2);
  const [a, b] = streams;
  assert.deepEqual(a.reports.map((r) => r.time), [1, 3]);
  assert.deepEqual([a.packets, a.lost], [200, 4]);
  assert.deepEqual(figures(a.reports, (r) => r.mos, 'min'), { mean: (4.3 + 4.1) / 2, worst: 4.1 });
  assert.deepEqual(figures(a.reports, (r) => r.rttMs, 'max'), { mean: 20, worst: 20 });
  assert.deepEqual(figures(b.reports, (r) => r.mos, 'min'), { mean: null, worst: null });
});

test('aliases are one a line, and what is wrong with them is said', () => {
  const good = ['10.0.0.1=SBC Berlin', '10.0.0.2:5060 = PBX', '10.0.0.0/8=Carrier', '2001:db8::1=a', '[2001:db8::1]:5061=b', '2001:db8::/32=c=d', '::1=e'];
  assert.deepEqual(parseAliases(` ${good.join(' \n\n ')}\n`), good);
  assert.equal(aliasProblem(good), null);
  for (const [bad, said] of [
    ['10.0.0.1', 'is not address=name'],
    ['10.0.0.1= ', 'is not address=name'],
    ['sbc.example=x', 'no network'],
    ['10.0.0.256=x', 'no network'],
    ['10.0.0.0/33=x', 'no network'],
    ['10.0.0.1:70000=x', 'no network'],
    ['2001::db8::1=x', 'no network'],
    ['2001:db8::/129=x', 'no network'],
  ]) {
    assert.match(aliasProblem([bad]) ?? '', new RegExp(said), bad);
  }
  assert.match(aliasProblem(['10.0.0.1=a', '10.0.0.1=b']) ?? '', /two names/);
});
