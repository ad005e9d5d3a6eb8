/**
 * A filter as a tree that a form can show, from the filter language and back.
 * The language is the backend's; here is as much of it as a form can hold, which
 * is all but what is written wrongly.
 */

/** One line of the form: field, operator, value. Without a field the value alone is looked for. */
export interface Condition {
  kind: 'condition';
  field: string;
  op: string;
  /** As typed; several for "in", separated by commas. */
  value: string;
}

/** Lines of which all must hold, or one. */
export interface Group {
  kind: 'group';
  join: 'and' | 'or';
  /** None of it may hold. */
  not: boolean;
  nodes: Node[];
}

export type Node = Condition | Group;

export const emptyCondition = (): Condition => ({ kind: 'condition', field: '', op: '=', value: '' });
export const emptyGroup = (join: Group['join'] = 'and'): Group => ({ kind: 'group', join, not: false, nodes: [emptyCondition()] });

/** Operators in the words of people. */
export const operators: ReadonlyArray<{ value: string; label: string; description: string }> = [
  { value: '=', label: 'is', description: '=' },
  { value: '!=', label: 'is not', description: '!=' },
  { value: 'in', label: 'is one of', description: 'in, separated by commas; on addresses also a network' },
  { value: 'not in', label: 'is none of', description: 'not in' },
  { value: 'like', label: 'is like', description: 'like: % stands for any text, _ for one character' },
  { value: 'not like', label: 'is not like', description: 'not like' },
  { value: '~', label: 'matches', description: '~: a regular expression, found anywhere' },
  { value: '!~', label: 'does not match', description: '!~' },
  { value: '>', label: 'is more than', description: '>' },
  { value: '>=', label: 'is at least', description: '>=' },
  { value: '<', label: 'is less than', description: '<' },
  { value: '<=', label: 'is at most', description: '<=' },
];

const keywords = ['and', 'or', 'not', 'in', 'like'];
const isKeyword = (word: string) => keywords.includes(word.toLowerCase());

/** The tree as an expression; lines that are not filled in yet are left out. */
export function toFilter(root: Group): string {
  return write(root, true);
}

function write(node: Node, top: boolean): string {
  if (node.kind === 'condition') {
    return writeCondition(node);
  }
  const parts = node.nodes.map((n) => write(n, false)).filter(Boolean);
  if (parts.length === 0) {
    return '';
  }
  const text = parts.join(` ${node.join} `);
  if (node.not) {
    return `not (${text})`;
  }
  return top || parts.length === 1 ? text : `(${text})`;
}

function writeCondition(c: Condition): string {
  const value = c.value.trim();
  if (value === '' || (c.field === '' && /^["']+$/.test(value))) {
    return '';
  }
  if (c.field === '') {
    return quote(value);
  }
  const field = writeField(c.field);
  if (c.op === 'in' || c.op === 'not in') {
    // A variable of the dashboard may become several values, each quoted as need be.
    const values = splitValues(value).map((v) => (v.startsWith('$') ? v : literal(v)));
    return values.length === 0 ? '' : `${field} ${c.op} ${values.length === 1 && !values[0].startsWith('$') ? values[0] : `(${values.join(', ')})`}`;
  }
  return `${field} ${c.op} ${literal(value)}`;
}

/** A header's name may hold what no bare word can. */
function writeField(field: string): string {
  const name = /^headers?\.(.+)$/i.exec(field)?.[1];
  return name && /[\s(),"'=<>~!]/.test(name) ? `header ${quote(name)}` : field;
}

/** A value as the language takes it; one with a variable in quotes, as nobody knows what it will be. */
const literal = (text: string) => (/^[^\s(),"'\\$]+$/.test(text) && !isKeyword(text) ? text : quote(text));
const quote = (text: string) => `"${text.replace(/[\\"]/g, (c) => `\\${c}`)}"`;

/** Values between commas; quotes hold one together. */
export function splitValues(text: string): string[] {
  const out: string[] = [];
  for (const m of text.matchAll(/\s*"((?:[^"\\]|\\.)*)"\s*(?=,|$)|([^,]+)/g)) {
    const value = m[1] !== undefined ? m[1].replace(/\\(.)/g, '$1') : m[2].trim();
    if (value !== '') {
      out.push(value);
    }
  }
  return out;
}

/** The expression as a tree, null when it cannot be read. */
export function fromFilter(text: string): Group | null {
  if (text.trim() === '') {
    return emptyGroup();
  }
  try {
    const p = new Parser(text);
    const node = p.or();
    p.end();
    return node.kind === 'group' ? node : { kind: 'group', join: 'and', not: false, nodes: [node] };
  } catch (e) {
    if (e instanceof Unreadable) {
      return null;
    }
    throw e;
  }
}

class Unreadable extends Error {}

interface Token {
  kind: 'word' | 'string' | 'op' | '(' | ')' | ',' | 'end';
  text: string;
}

/** Reads what query/filter reads; anything else is Unreadable. */
class Parser {
  private at = 0;
  private tok: Token;

  constructor(private readonly text: string) {
    this.tok = this.token(false);
  }

  or(): Node {
    return this.list('or', () => this.list('and', () => this.not()));
  }

  end() {
    if (this.tok.kind !== 'end') {
      throw new Unreadable();
    }
  }

  private list(join: Group['join'], operand: () => Node): Node {
    const nodes = [operand()];
    while (this.isWord(join)) {
      this.next();
      nodes.push(operand());
    }
    return nodes.length === 1 ? nodes[0] : { kind: 'group', join, not: false, nodes };
  }

  private not(): Node {
    if (!this.isWord('not')) {
      return this.primary();
    }
    this.next();
    const node = this.not();
    return node.kind === 'group' ? { ...node, not: !node.not } : { kind: 'group', join: 'and', not: true, nodes: [node] };
  }

  private primary(): Node {
    const { kind, text } = this.tok;
    if (kind === '(') {
      this.next();
      const node = this.or();
      if (this.tok.kind !== ')') {
        throw new Unreadable();
      }
      this.next();
      return node;
    }
    if (kind === 'string' || (kind === 'word' && !isKeyword(text))) {
      this.next();
      return this.condition(text, kind === 'string');
    }
    throw new Unreadable();
  }

  private condition(subject: string, quoted: boolean): Condition {
    let field = subject;
    if (this.tok.kind === 'string' && !quoted && /^headers?$/i.test(subject)) {
      field = `header.${this.tok.text}`;
      this.next();
    }
    let op = '';
    if (this.isWord('not')) {
      op = 'not ';
      this.next();
    }
    if (this.tok.kind === 'op' && op === '') {
      op = this.tok.text;
    } else if (this.isWord('like') || this.isWord('in')) {
      op += this.tok.text.toLowerCase();
    } else if (op !== '' || field !== subject) {
      throw new Unreadable();
    } else {
      return { kind: 'condition', field: '', op: '=', value: subject };
    }
    if (quoted) {
      throw new Unreadable();
    }
    const value = op.endsWith('in') ? this.values() : this.value();
    this.next();
    return { kind: 'condition', field, op, value };
  }

  private value(): string {
    this.tok = this.token(true);
    if ((this.tok.kind !== 'word' && this.tok.kind !== 'string') || (this.tok.kind === 'word' && isKeyword(this.tok.text))) {
      throw new Unreadable();
    }
    return this.tok.text;
  }

  private values(): string {
    const asList = (v: string) => (/[,"]|^\s|\s$/.test(v) ? quote(v) : v);
    const start = this.at;
    if (this.token(true).kind !== '(') {
      this.at = start;
      return asList(this.value());
    }
    const out: string[] = [];
    do {
      out.push(asList(this.value()));
      this.tok = this.token(true);
    } while (this.tok.kind === ',');
    if (this.tok.kind !== ')') {
      throw new Unreadable();
    }
    return out.join(', ');
  }

  private isWord(word: string): boolean {
    return this.tok.kind === 'word' && this.tok.text.toLowerCase() === word;
  }

  private next() {
    this.tok = this.token(false);
  }

  /** What a bare word may hold depends on where it stands, as in query/filter's lexer. */
  private token(value: boolean): Token {
    while (/\s/.test(this.text[this.at] ?? '')) {
      this.at++;
    }
    const rest = this.text.slice(this.at);
    if (rest === '') {
      return { kind: 'end', text: '' };
    }
    const take = (kind: Token['kind'], length: number, text = rest.slice(0, length)): Token => {
      this.at += length;
      return { kind, text };
    };
    const sign = /^[(),]/.exec(rest)?.[0];
    if (sign) {
      return take(sign as Token['kind'], 1);
    }
    const string = /^"((?:[^"\\]|\\[^])*)"|^'((?:[^'\\]|\\[^])*)'/.exec(rest);
    if (string) {
      return take('string', string[0].length, unescape(string[1] ?? string[2]));
    }
    const op = value ? null : /^(?:[!<>]=|!~|[=<>~])/.exec(rest);
    if (op) {
      return take('op', op[0].length);
    }
    const word = (value ? /^[^\s(),"']+/ : /^(?:(?![!<>]=|!~|[=<>~])[^\s(),"'])+/).exec(rest);
    if (!word) {
      throw new Unreadable();
    }
    return take('word', word[0].length);
  }
}

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"', "'": "'" };
const unescape = (text: string) => text.replace(/\\([^])/g, (whole, c: string) => escapes[c] ?? whole);
