/** Line and word differences between two messages. */

export interface Span {
  text: string;
  changed: boolean;
}

export interface DiffLine {
  kind: 'same' | 'added' | 'removed';
  /** The line's text in parts; the changed parts stand out when a line was altered rather than replaced. */
  spans: Span[];
}

/** Splits a message into lines; CRLF, LF and a last line without an end are alike. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.length > 1 && lines[lines.length - 1] === '') {
    lines.pop();
  }
  return lines;
}

/** More lines than this are compared in place: a table of both would be too large. */
const maxCells = 4_000_000;

/** What has to be removed from and added to `before` to get `after`. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = splitLines(before);
  const b = splitLines(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) {
    head++;
  }
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) {
    tail++;
  }
  const middle = pairUp(compare(a.slice(head, a.length - tail), b.slice(head, b.length - tail)));
  return [...a.slice(0, head).map(same), ...middle, ...b.slice(b.length - tail).map(same)];
}

const same = (text: string): DiffLine => ({ kind: 'same', spans: [{ text, changed: false }] });

/** Longest common subsequence, walked from the end of the table. */
function compare(a: string[], b: string[]): DiffLine[] {
  const removed = (t: string): DiffLine => ({ kind: 'removed', spans: [{ text: t, changed: false }] });
  const added = (t: string): DiffLine => ({ kind: 'added', spans: [{ text: t, changed: false }] });
  if ((a.length + 1) * (b.length + 1) > maxCells) {
    return [...a.map(removed), ...b.map(added)];
  }
  const w = b.length + 1;
  const table = new Uint32Array((a.length + 1) * w);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * w + j] =
        a[i] === b[j] ? table[(i + 1) * w + j + 1] + 1 : Math.max(table[(i + 1) * w + j], table[i * w + j + 1]);
    }
  }
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(same(a[i]));
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && table[(i + 1) * w + j] >= table[i * w + j + 1])) {
      out.push(removed(a[i++]));
    } else {
      out.push(added(b[j++]));
    }
  }
  return out;
}

/**
 * Within each block of removed and added lines, matches those of one header (or
 * one SDP type) and marks which part of them changed.
 */
function pairUp(lines: DiffLine[]): DiffLine[] {
  const out: DiffLine[] = [];
  for (let i = 0; i < lines.length; ) {
    if (lines[i].kind === 'same') {
      out.push(lines[i++]);
      continue;
    }
    let end = i;
    while (end < lines.length && lines[end].kind !== 'same') {
      end++;
    }
    out.push(...pairBlock(lines.slice(i, end)));
    i = end;
  }
  return out;
}

function pairBlock(block: DiffLine[]): DiffLine[] {
  const added = block.filter((l) => l.kind === 'added');
  const taken = new Set<DiffLine>();
  const out: DiffLine[] = [];
  for (const line of block.filter((l) => l.kind === 'removed')) {
    const key = keyOf(line.spans[0].text);
    const partner = key === '' ? undefined : added.find((l) => !taken.has(l) && keyOf(l.spans[0].text) === key);
    if (partner) {
      taken.add(partner);
      const [was, is] = diffWords(line.spans[0].text, partner.spans[0].text);
      out.push({ kind: 'removed', spans: was }, { kind: 'added', spans: is });
    } else {
      out.push(line);
    }
  }
  return [...out, ...added.filter((l) => !taken.has(l))];
}

/** A header's name, an SDP line's type, or the kind of start line. */
function keyOf(line: string): string {
  const m = /^([A-Za-z][\w-]*)\s*:/.exec(line) ?? /^([a-z]=)/.exec(line);
  if (m) {
    return m[1].toLowerCase();
  }
  return /(^SIP\/2\.0 )|( SIP\/2\.0$)/.test(line) ? 'start' : '';
}

/** Marks what lies between the common beginning and end of two lines, widened to whole words. */
export function diffWords(before: string, after: string): [Span[], Span[]] {
  const a = before.match(/[\w.+%-]+|\s+|[^\w\s]/g) ?? [];
  const b = after.match(/[\w.+%-]+|\s+|[^\w\s]/g) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) {
    head++;
  }
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) {
    tail++;
  }
  const spans = (words: string[]): Span[] =>
    [
      { text: words.slice(0, head).join(''), changed: false },
      { text: words.slice(head, words.length - tail).join(''), changed: true },
      { text: words.slice(words.length - tail).join(''), changed: false },
    ].filter((s) => s.text !== '');
  return [spans(a), spans(b)];
}
