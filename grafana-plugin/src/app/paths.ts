/** Addresses of the app's pages. */
export const appId = 'heplake-app';
export const datasourceType = 'heplake-datasource';
export const callsPath = `/a/${appId}/calls`;

/** What stays in the address from page to page: the time range and the data source. */
export const kept = ['from', 'to', 'timezone', 'var-ds'];

/**
 * The page of a call. A Call-ID may hold any character, slashes too. Grafana's
 * history decodes the path each time it touches it, which a per cent sign does
 * not survive however often it is encoded: it is written ~25, and ~ itself ~7E.
 */
export function callPath(callId: string): string {
  return `${callsPath}/call/${encodeURIComponent(callId.replace(/~/g, '~7E').replace(/%/g, '~25'))}`;
}

/** The Call-ID of a route's parameter, which the router has decoded. */
export function callIdOf(param: string): string {
  return param.replace(/~(25|7E)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** A path with those parameters of the current address that are kept. */
export function withKept(path: string, search: string): string {
  const given = new URLSearchParams(search);
  const params = new URLSearchParams();
  for (const key of kept) {
    for (const value of given.getAll(key)) {
      params.append(key, value);
    }
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}
