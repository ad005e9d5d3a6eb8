/**
 * How the values of dashboard variables are written into a query. A variable
 * that stands within quotes already is the writer's own business: a single value
 * goes in as it is. Several values become a list for `in (…)`.
 */
type Value = string | number | boolean | Array<string | number | boolean>;

/** Bare words of the filter language: numbers, addresses, networks, names. */
const bare = /^[\w.:/+-]+$/;

/** For the filter language: `src_ip in ($ip)`, `method = $method`. */
export function quoteForFilter(value: Value): string {
  if (Array.isArray(value)) {
    return value.map((v) => filterLiteral(String(v))).join(', ');
  }
  // One value: quotes that the query has around the variable must not double.
  return escapeFilter(String(value));
}

function filterLiteral(text: string): string {
  return bare.test(text) ? text : `"${escapeFilter(text)}"`;
}

function escapeFilter(text: string): string {
  return text.replace(/[\\"]/g, (c) => `\\${c}`);
}

/** For SQL: one value escaped for use between quotes, several as quoted literals. */
export function quoteForSQL(value: Value): string {
  return Array.isArray(value) ? value.map((v) => `'${escapeSQL(String(v))}'`).join(', ') : escapeSQL(String(value));
}

function escapeSQL(text: string): string {
  return text.replace(/[\\']/g, (c) => `\\${c}`);
}
