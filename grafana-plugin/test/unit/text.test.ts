import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diffLines, diffWords, splitLines } from '../../src/ladder/diff';
import { highlight, languageOf, prettyPrint } from '../../src/ladder/highlight';
import { legLetter, splitAddress } from '../../src/ladder/model';
import { comparisonFor } from '../../src/ladder/related';
import { formatClock, formatDuration, formatMicrosUTC, formatOffset, parseMicros } from '../../src/ladder/time';
import { fixture } from './fixtures';

test('times keep their microseconds', () => {
  for (const t of ['2026-11-21T02:36:33.225256Z', '1999-12-31T23:59:59.999999Z', '2026-11-21T02:36:33.000001Z']) {
    assert.equal(formatMicrosUTC(parseMicros(t)), t);
  }
  assert.equal(parseMicros('2026-11-21T04:36:33+02:00'), parseMicros('2026-11-21T02:36:33Z'));
  assert.equal(parseMicros('2026-11-21T02:36:33.5Z') % 1_000_000, 500_000);
  for (const bad of ['', 'yesterday', null, undefined]) {
    assert.ok(Number.isNaN(parseMicros(bad)));
  }
  const us = parseMicros('2026-11-21T02:36:33.225256Z');
  assert.equal(formatClock(us, 'utc'), '02:36:33.225256');
  assert.equal(formatClock(us, 'Europe/Berlin'), '03:36:33.225256');
  assert.equal(formatClock(us, 'No/Such'), '02:36:33.225256');
});

test('durations are written as people say them', () => {
  const cases: Array<[number, string]> = [
    [0, '0 ms'], [110, '0.11 ms'], [1232, '1.2 ms'], [9990, '10 ms'], [152_000, '152 ms'], [999_600, '1.00 s'],
    [4_996_000, '5.00 s'], [12_995_087, '13.0 s'], [125_000_000, '2 m 05 s'], [3_840_000_000, '1 h 04 m'], [-300, '−0.3 ms'],
  ];
  for (const [us, text] of cases) {
    assert.equal(formatDuration(us), text);
  }
  assert.equal(formatOffset(225_256), '+0.225256');
  assert.equal(formatOffset(62_001_250), '+1:02.001250');
  assert.equal(formatOffset(3_723_000_001), '+1:02:03.000001');
});

test('addresses of both families are taken apart', () => {
  assert.deepEqual(splitAddress('10.0.0.1:5060'), { ip: '10.0.0.1', port: 5060 });
  assert.deepEqual(splitAddress('[2001:db8::1]:5061'), { ip: '2001:db8::1', port: 5061 });
  assert.deepEqual(splitAddress('10.0.0.1'), { ip: '10.0.0.1', port: 0 });
  assert.deepEqual(splitAddress('2001:db8::1'), { ip: '2001:db8::1', port: 0 });
  assert.deepEqual([0, 25, 26, -1].map(legLetter), ['A', 'Z', 'A2', '–']);
});

test('a diff gives back both messages', () => {
  const { items } = fixture('two-legs');
  for (const [a, b] of [[0, 2], [2, 6], [0, 12], [5, 5]] as const) {
    const lines = diffLines(items[a].raw, items[b].raw);
    const side = (kind: string) => lines.filter((l) => l.kind === 'same' || l.kind === kind).map((l) => l.spans.map((s) => s.text).join(''));
    assert.deepEqual(side('removed').sort(), splitLines(items[a].raw).sort());
    assert.deepEqual(side('added').sort(), splitLines(items[b].raw).sort());
  }
  assert.ok(diffLines(items[0].raw, items[0].raw).every((l) => l.kind === 'same'));
});

test('a header that changed is shown before and after, with the change marked', () => {
  const { items } = fixture('two-legs');
  const lines = diffLines(items[0].raw, items[2].raw);
  const at = lines.findIndex((l) => l.kind === 'removed' && l.spans[0].text.startsWith('Max-Forwards'));
  assert.ok(at >= 0);
  assert.equal(lines[at + 1].kind, 'added');
  assert.deepEqual(lines[at].spans, [{ text: 'Max-Forwards: ', changed: false }, { text: '70', changed: true }]);
  assert.deepEqual(lines[at + 1].spans[1], { text: '69', changed: true });
  assert.deepEqual(diffWords('c=IN IP4 10.0.0.1', 'c=IN IP4 10.0.0.2').map((s) => s.at(-1)), [{ text: '10.0.0.1', changed: true }, { text: '10.0.0.2', changed: true }]);
});

test('a message is compared with the same one on the hop before', () => {
  const { items } = fixture('two-legs');
  assert.equal(comparisonFor(items, items[0]), null);
  assert.equal(comparisonFor(items, items[2])?.item.index, 0, 'the INVITE of the other leg');
  assert.equal(comparisonFor(items, items[6])?.item.index, 2, 'the INVITE one hop earlier in this leg');
  assert.equal(comparisonFor(items, items[3])?.item.index, 2, 'a copy: what was seen first');
  const again = fixture('retransmissions').items;
  const repeated = again.filter((i) => i.retransmission)[0];
  const original = comparisonFor(again, repeated);
  assert.equal(original?.reason, 'the same message sent before');
  assert.equal(original?.item.raw, repeated.raw);
  const hold = fixture('hold').items;
  const reinvite = hold.find((i) => /sendonly|inactive/.test(i.sdp) && i.method === 'INVITE');
  assert.equal(comparisonFor(hold, reinvite!)?.item.method, 'INVITE');
  assert.notEqual(comparisonFor(hold, reinvite!)?.item.cseq, reinvite!.cseq, 'a re-INVITE beside the INVITE before it');
});

test('highlighting loses no character of any message', () => {
  for (const name of ['two-legs', 'hold', 'rtcp', 'register', 'ipv6']) {
    for (const item of fixture(name).items) {
      const { language, text } = prettyPrint(item.raw);
      assert.equal(language, item.kind === 'sip' ? 'sip' : item.raw.trimStart().startsWith('{') ? 'json' : 'text', item.raw.slice(0, 40));
      const lines = splitLines(text);
      assert.deepEqual(highlight(lines, language).map((l) => l.map((t) => t.text).join('')), lines);
    }
  }
});

test('start lines, headers and SDP get colours of their own', () => {
  const lines = ['SIP/2.0 486 Busy Here', 'CSeq: 12 INVITE', 'From: <sip:alice@lab.test>;tag=1', '', 'm=audio 4000 RTP/AVP 0'];
  const [status, cseq, from, , media] = highlight(lines, 'sip');
  assert.equal(status.at(-1)?.kind, 'failure');
  assert.deepEqual(cseq.map((t) => t.kind), ['header', 'punctuation', 'number', 'value']);
  assert.ok(from.some((t) => t.kind === 'uri' && t.text === 'sip:alice@lab.test'));
  assert.deepEqual(media[0], { text: 'm', kind: 'header' });
  assert.equal(languageOf('{"a":1}'), 'json');
  assert.equal(languageOf('{broken'), 'text');
  assert.equal(languageOf('NOTICE: hello'), 'text');
});
