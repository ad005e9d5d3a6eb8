/** Colours for SIP, SDP and JSON text, a token at a time. */

export type TokenKind = 'method' | 'header' | 'value' | 'uri' | 'number' | 'punctuation' | 'failure' | 'success';

export interface Token {
  text: string;
  kind: TokenKind;
}

export type Language = 'sip' | 'json' | 'text';

const requestLine = /^([A-Za-z0-9\-.!%*_+`'~]+)( +)(\S+)( +)(SIP\/\d\.\d)\s*$/;
const statusLine = /^(SIP\/\d\.\d)( +)(\d{3,})( ?)(.*)$/;

/** What a payload is written in, judged by its first line. */
export function languageOf(raw: string): Language {
  const text = raw.trimStart();
  const first = text.split(/\r?\n/, 1)[0];
  if (requestLine.test(first) || statusLine.test(first)) {
    return 'sip';
  }
  return (text.startsWith('{') || text.startsWith('[')) && parses(text) ? 'json' : 'text';
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The payload as it should be read: JSON on several lines, the rest as it is. */
export function prettyPrint(raw: string): { language: Language; text: string } {
  const language = languageOf(raw);
  return language === 'json' ? { language, text: JSON.stringify(JSON.parse(raw), null, 2) } : { language, text: raw };
}

/** Tokens of each line. The texts of a line's tokens joined give the line. */
export function highlight(lines: readonly string[], language: Language): Token[][] {
  if (language === 'json') {
    return lines.map(jsonLine);
  }
  if (language === 'text') {
    return lines.map((text) => [{ text, kind: 'value' }]);
  }
  let inBody = false;
  return lines.map((line, i) => {
    if (i === 0) {
      return startLine(line);
    }
    if (inBody) {
      return sdpLine(line);
    }
    if (line === '') {
      inBody = true;
    }
    return headerLine(line);
  });
}

function startLine(line: string): Token[] {
  const status = statusLine.exec(line);
  if (status) {
    const code = Number(status[3]);
    const kind = code >= 400 ? 'failure' : code >= 200 && code < 300 ? 'success' : 'method';
    return keep([
      { text: status[1] + status[2], kind: 'punctuation' },
      { text: status[3] + status[4] + status[5], kind },
    ]);
  }
  const request = requestLine.exec(line);
  if (request) {
    return keep([
      { text: request[1] + request[2], kind: 'method' },
      { text: request[3] + request[4], kind: 'uri' },
      { text: line.slice(request[1].length + request[2].length + request[3].length + request[4].length), kind: 'punctuation' },
    ]);
  }
  return [{ text: line, kind: 'value' }];
}

function headerLine(line: string): Token[] {
  const m = /^([\w\-.!%*+`'~]+)(\s*:\s*)(.*)$/.exec(line);
  if (!m) {
    return [{ text: line, kind: 'value' }];
  }
  return keep([
    { text: m[1], kind: 'header' },
    { text: m[2], kind: 'punctuation' },
    ...valueTokens(m[3], /^(cseq|[\w-]*length|l|max-forwards|expires|rseq|rack)$/i.test(m[1])),
  ]);
}

function sdpLine(line: string): Token[] {
  const m = /^([a-z])=(.*)$/.exec(line);
  if (!m) {
    return [{ text: line, kind: 'value' }];
  }
  return keep([
    { text: m[1], kind: 'header' },
    { text: '=', kind: 'punctuation' },
    ...(m[1] === 'm' || m[1] === 'c' ? valueTokens(m[2], true) : [{ text: m[2], kind: 'value' as const }]),
  ]);
}

function valueTokens(value: string, numbers: boolean): Token[] {
  const out: Token[] = [];
  let rest = 0;
  for (const m of value.matchAll(numbers ? /\b(\d+)\b/g : /((?:sips?|tel):[^\s<>;,"]+)|(;[\w-]+=?)/g)) {
    if (m.index > rest) {
      out.push({ text: value.slice(rest, m.index), kind: 'value' });
    }
    out.push({ text: m[0], kind: numbers ? 'number' : m[1] ? 'uri' : 'punctuation' });
    rest = m.index + m[0].length;
  }
  out.push({ text: value.slice(rest), kind: 'value' });
  return out;
}

function jsonLine(line: string): Token[] {
  const m = /^(\s*)("(?:[^"\\]|\\.)*")(\s*:\s*)(.*)$/.exec(line);
  if (!m) {
    return keep(scalar(line));
  }
  return keep([
    { text: m[1], kind: 'value' },
    { text: m[2], kind: 'header' },
    { text: m[3], kind: 'punctuation' },
    ...scalar(m[4]),
  ]);
}

function scalar(text: string): Token[] {
  const m = /^(\s*)(-?\d[\d.eE+-]*|true|false|null)(,?)$/.exec(text);
  if (m) {
    return [
      { text: m[1], kind: 'value' },
      { text: m[2], kind: 'number' },
      { text: m[3], kind: 'punctuation' },
    ];
  }
  return [{ text, kind: /^\s*"/.test(text) ? 'uri' : 'punctuation' }];
}

const keep = (tokens: Token[]): Token[] => tokens.filter((t) => t.text !== '');
