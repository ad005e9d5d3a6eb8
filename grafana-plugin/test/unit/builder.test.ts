import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { emptyCondition, fromFilter, Group, splitValues, toFilter } from '../../src/datasource/builder';
import { filterExamples } from '../../src/datasource/FilterExamples';
import { root } from './fixtures';

const read = (text: string): Group => {
  const tree = fromFilter(text);
  assert.ok(tree, text);
  return tree;
};

test('a filter becomes a form, and the form the same filter', () => {
  for (const [text, want] of [
    ['status >= 500', 'status >= 500'],
    ['status>=500 and from_user like "4930%"', 'status >= 500 and from_user like 4930%'],
    ['src_ip in 10.0.0.0/8 AND method IN (INVITE, "two words")', 'src_ip in 10.0.0.0/8 and method in (INVITE, "two words")'],
    ['a = 1 and (b = 2 or c = 3) and not (d = 4 or e = 5)', 'a = 1 and (b = 2 or c = 3) and not (d = 4 or e = 5)'],
    ['a = 1 or b = 2 and c = 3', 'a = 1 or (b = 2 and c = 3)'],
    ['not a = 1', 'not (a = 1)'],
    ['not not a = 1', 'a = 1'],
    ['header "X-Trunk" = berlin', 'header.X-Trunk = berlin'],
    ['header "X Trunk" not like "a%"', 'header "X Trunk" not like a%'],
    ['call_id = YWJj==', 'call_id = YWJj=='],
    ["user = 'it\\'s'", 'user = "it\'s"'],
    ['raw ~ "a\\\\d+"', 'raw ~ "a\\\\d+"'],
    ['"1-2@3"', '"1-2@3"'],
    ['alice', '"alice"'],
    ['from_user = "and"', 'from_user = "and"'],
    ['src_ip in ($ip) and callid = "$callid"', 'src_ip in ($ip) and callid = "$callid"'],
    ['to_user in ("a, b", c)', 'to_user in ("a, b", c)'],
    ['  ', ''],
  ]) {
    const written = toFilter(read(text));
    assert.equal(written, want, text);
    assert.equal(toFilter(read(written)), want, `${text}, read again`);
  }
});

test('what is no filter is no form', () => {
  for (const bad of ['status >=', 'and', '(a = 1', 'a = 1)', 'a = "x', 'a not = 1', 'a in ()', 'a in (1, )', '"a" = 1', 'a = and', 'a = 1 b = 2', 'not', 'header "x"']) {
    assert.equal(fromFilter(bad), null, bad);
  }
});

test('lines that are not filled in are left out', () => {
  const tree: Group = {
    kind: 'group', join: 'or', not: false,
    nodes: [emptyCondition(), { kind: 'condition', field: 'status', op: 'in', value: ' 486, 600 ' }, { kind: 'group', join: 'and', not: true, nodes: [emptyCondition()] }],
  };
  assert.equal(toFilter(tree), 'status in (486, 600)');
  assert.equal(toFilter({ ...tree, nodes: [] }), '');
  assert.deepEqual(splitValues('a, "b, c" ,,"d\\"e"'), ['a', 'b, c', 'd"e']);
});

test('every example can be shown as a form', () => {
  const docs = fs.readFileSync(path.join(root, '..', 'docs', 'filter.md'), 'utf8');
  const blocks = [...docs.matchAll(/```\n([^]*?)```/g)].flatMap((m) => m[1].trim().split('\n'));
  assert.ok(blocks.length > 3);
  for (const text of [...blocks, ...filterExamples.map(([filter]) => filter)]) {
    assert.equal(toFilter(read(toFilter(read(text)))), toFilter(read(text)), text);
  }
});
