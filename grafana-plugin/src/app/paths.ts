/** Addresses of the app's pages. */
export const appId = 'heplake-app';
export const datasourceType = 'heplake-datasource';
export const callsPath = `/a/${appId}/calls`;

/** What stays in the address from page to page: the time range and the data source. */
export const kept = ['from', 'to', 'timezone', 'var-ds'];

/** The page of a call. A Call-ID may hold any character, slashes too. */
export function callPath(callId: string): string {
  return `${callsPath}/call/${encodeURIComponent(callId)}`;
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

/** The Call-ID of a route, whether or not the router has decoded it already. */
export function decodeCallId(param: string): string {
  try {
    return decodeURIComponent(param);
  } catch {
    return param;
  }
}
