/** From the search form to one expression of the filter language. */

export type Kind = 'calls' | 'registrations' | 'all';

export interface SearchFields {
  /** A filter, or just a number, name or Call-ID. */
  text: string;
  callId: string;
  from: string;
  to: string;
  /** "486", "5xx", "500-503" */
  status: string;
  outcome: string;
  kind: Kind;
}

export const emptySearch: SearchFields = { text: '', callId: '', from: '', to: '', status: '', outcome: '', kind: 'calls' };

/** The fields joined by "and"; "" asks for everything. */
export function buildFilter(f: SearchFields): string {
  const parts = [
    f.kind === 'calls' ? 'method = INVITE' : f.kind === 'registrations' ? 'method = REGISTER' : '',
    match('call_id', f.callId),
    match('from_user', f.from),
    f.to.trim() ? either(match('to_user', f.to), match('ruri_user', f.to)) : '',
    statusFilter(f.status),
    f.outcome ? `outcome = ${f.outcome}` : '',
    textFilter(f.text),
  ];
  return parts.filter(Boolean).join(' and ');
}

/**
 * A text that is no expression goes out as one quoted value, which the filter
 * language looks for among Call-IDs and users.
 */
export function textFilter(text: string): string {
  const t = text.trim();
  if (t === '') {
    return '';
  }
  if (isExpression(t)) {
    return /\bor\b/i.test(t) ? `(${t})` : t;
  }
  return quote(t.replace(/\*/g, '%'));
}

/** Whether a text is meant as an expression: it compares, or joins values by words. */
export function isExpression(text: string): boolean {
  return (
    /[\w.-]\s*(!=|<=|>=|!~|[=<>~])\s*[^\s=]/.test(text) ||
    /\S\s+(like|in)\s*\S/i.test(text) ||
    /\S\s+(and|or)\s+\S/i.test(text) ||
    /^\s*(not\s|\()/i.test(text)
  );
}

/** Equal, or alike when the value has a wildcard (* or %). */
function match(field: string, value: string): string {
  const v = value.trim();
  if (v === '') {
    return '';
  }
  return /[*%]/.test(v) ? `${field} like ${quote(v.replace(/\*/g, '%'))}` : `${field} = ${quote(v)}`;
}

function statusFilter(text: string): string {
  const t = text.trim().toLowerCase();
  const cls = /^([1-6])xx$/.exec(t);
  if (cls) {
    return `final_status >= ${cls[1]}00 and final_status <= ${cls[1]}99`;
  }
  const range = /^(\d{3})\s*-\s*(\d{3})$/.exec(t);
  if (range) {
    return `final_status >= ${range[1]} and final_status <= ${range[2]}`;
  }
  return /^\d{3}$/.test(t) ? `final_status = ${t}` : '';
}

/** What is wrong with a status, null when it will do. */
export function statusProblem(text: string): string | null {
  return text.trim() === '' || statusFilter(text) !== '' ? null : 'A status like 486, 5xx or 500-503';
}

const either = (...parts: string[]) => `(${parts.join(' or ')})`;
const quote = (text: string) => `"${text.replace(/[\\"]/g, (c) => `\\${c}`)}"`;
