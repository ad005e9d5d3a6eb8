/** Times in microseconds: reading RFC 3339, and the three ways the ladder shows them. */

export type TimeMode = 'clock' | 'offset' | 'delta';

const rfc3339 = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:?\d{2})?$/i;

/** Microseconds since 1970 of an RFC 3339 text, NaN for anything else. */
export function parseMicros(text: string | null | undefined): number {
  const m = text ? rfc3339.exec(text) : null;
  if (!m) {
    return NaN;
  }
  const ms = Date.parse(`${m[1]}T${m[2]}${m[4] ?? 'Z'}`);
  return ms * 1000 + Number((m[3] ?? '').padEnd(6, '0').slice(0, 6));
}

/** RFC 3339 in UTC with six decimals. */
export function formatMicrosUTC(us: number): string {
  const ms = Math.floor(us / 1000);
  const rest = Math.round(us - ms * 1000);
  return new Date(ms).toISOString().replace('Z', String(rest).padStart(3, '0') + 'Z');
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(timeZone: string, withDate: boolean): Intl.DateTimeFormat {
  const key = `${timeZone}|${withDate}`;
  let f = clocks.get(key);
  if (!f) {
    const zone = timeZone === 'browser' || timeZone === '' ? undefined : timeZone === 'utc' ? 'UTC' : timeZone;
    const parts: Intl.DateTimeFormatOptions = {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      ...(withDate ? { year: 'numeric', month: '2-digit', day: '2-digit' } : {}),
    };
    try {
      f = new Intl.DateTimeFormat('sv-SE', { ...parts, timeZone: zone });
    } catch {
      f = new Intl.DateTimeFormat('sv-SE', { ...parts, timeZone: 'UTC' });
    }
    clocks.set(key, f);
  }
  return f;
}

/** Time of day with microseconds, in an IANA zone, "utc" or "browser". */
export function formatClock(us: number, timeZone = 'browser'): string {
  return `${clock(timeZone, false).format(Math.floor(us / 1000))}.${fraction(us)}`;
}

/** Date and time of day with microseconds. */
export function formatDateClock(us: number, timeZone = 'browser'): string {
  return `${clock(timeZone, true).format(Math.floor(us / 1000))}.${fraction(us)}`;
}

function fraction(us: number): string {
  return String(((Math.round(us) % 1_000_000) + 1_000_000) % 1_000_000).padStart(6, '0');
}

/** A short duration for people: "0.4 ms", "38 ms", "1.24 s", "2 m 05 s", "1 h 04 m". */
export function formatDuration(us: number): string {
  const sign = us < 0 ? '−' : '';
  const a = Math.abs(us);
  if (a < 10_000) {
    return `${sign}${trim((a / 1000).toFixed(a < 1000 ? 2 : 1))} ms`;
  }
  if (a < 999_500) {
    return `${sign}${Math.round(a / 1000)} ms`;
  }
  if (a < 59_995_000) {
    return `${sign}${(a / 1e6).toFixed(a < 9_995_000 ? 2 : 1)} s`;
  }
  const s = Math.round(a / 1e6);
  if (s < 3600) {
    return `${sign}${Math.floor(s / 60)} m ${String(s % 60).padStart(2, '0')} s`;
  }
  return `${sign}${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} m`;
}

function trim(n: string): string {
  return n.includes('.') ? n.replace(/\.?0+$/, '') || '0' : n;
}

/** A time since the start that lines up in a column: "+0.012408", "+1:02.001250". */
export function formatOffset(us: number): string {
  const sign = us < 0 ? '−' : '+';
  const a = Math.abs(us);
  const s = Math.floor(a / 1e6);
  const frac = fraction(a);
  if (s < 60) {
    return `${sign}${s}.${frac}`;
  }
  const sec = String(s % 60).padStart(2, '0');
  if (s < 3600) {
    return `${sign}${Math.floor(s / 60)}:${sec}.${frac}`;
  }
  return `${sign}${Math.floor(s / 3600)}:${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}:${sec}.${frac}`;
}
