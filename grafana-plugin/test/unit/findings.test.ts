import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leading, markFindings } from '../../src/ladder/findings';
import { delayText, Finding, linkText } from '../../src/ladder/model';
import { fixture } from './fixtures';

const finding = (code: string, severity: Finding['severity'], items: number[]): Finding => ({ code, severity, text: code, items, client: -1, server: -1 });

test('findings that name trouble are numbered, and so are the messages that show it', () => {
  const { list, at } = markFindings(fixture('retransmissions'));
  assert.deepEqual(
    list.map((m) => [m.number, m.finding.code]),
    [[0, 'answered'], [1, 'bye_unanswered'], [2, 'bye_failed'], [0, 'retransmissions'], [0, 'retransmissions'], [0, 'release_reason']]
  );
  for (const m of list.filter((x) => x.number > 0)) {
    assert.ok(m.finding.items.length > 0 && m.finding.items.every((i) => at.get(i) === m));
  }
  assert.deepEqual(leading(list).map((m) => m.finding.code), ['answered', 'bye_unanswered', 'bye_failed']);
});

test('a message bears the number of what matters most, and there are nine at most', () => {
  const flow = fixture('busy');
  flow.findings = [finding('first', 'error', [0, 1]), finding('same', 'warning', [1]), finding('second', 'warning', [1, 2])];
  let found = markFindings(flow);
  assert.deepEqual(found.list.map((m) => m.number), [1, 0, 2]);
  assert.deepEqual([0, 1, 2].map((i) => found.at.get(i)?.number), [1, 1, 2]);
  flow.findings = Array.from({ length: 12 }, (_, i) => finding(`f${i}`, 'error', [i]));
  found = markFindings(flow);
  assert.deepEqual(found.list.map((m) => m.number), [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0]);
  assert.equal(markFindings({ ...flow, findings: null }).list.length, 0);
});

test('delays on a hop and links of legs are said in words', () => {
  const { items, legs } = fixture('two-legs');
  assert.equal(delayText(items[2]), '1.4 ms to pass it on');
  assert.equal(delayText(items[4]), '0.76 ms after the request on this hop');
  assert.equal(delayText(items[0]), '');
  assert.equal(linkText(legs[0]), '');
  assert.match(linkText(legs[1]), /^linked by /);
  assert.match(linkText({ ...legs[1], linked_by: 'likeness' }), /likeness/);
});
