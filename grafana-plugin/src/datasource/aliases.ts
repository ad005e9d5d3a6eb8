/** The aliases of the settings as a text of one a line, and back. */

export const aliasLines = (aliases: readonly string[] | undefined): string => (aliases ?? []).join('\n');

/** What stands in the text, line by line; empty lines are left out. */
export function parseAliases(text: string): string[] {
  return text
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');
}

const port = String.raw`(?::(\d{1,5}))?`;
const v4 = new RegExp(String.raw`^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d{1,2})|${port})$`);
const v6 = new RegExp(String.raw`^(?:\[([0-9a-f:.]+)\]${port}|([0-9a-f:.]+)(?:/(\d{1,3}))?)$`, 'i');

/** What is wrong with the aliases, null when they will do. The backend checks them again. */
export function aliasProblem(aliases: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const alias of aliases) {
    const at = alias.indexOf('=');
    const address = alias.slice(0, Math.max(at, 0)).trim();
    if (at < 0 || alias.slice(at + 1).trim() === '') {
      return `“${alias}” is not address=name`;
    }
    if (!isAddress(address)) {
      return `“${address}” is no address, no address:port and no network`;
    }
    if (seen.has(address)) {
      return `${address} has two names`;
    }
    seen.add(address);
  }
  return null;
}

function isAddress(text: string): boolean {
  const four = v4.exec(text);
  if (four) {
    return four.slice(1, 5).every((n) => Number(n) <= 255) && Number(four[5] ?? 0) <= 32 && Number(four[6] ?? 0) <= 65535;
  }
  const six = v6.exec(text);
  const host = six?.[1] ?? six?.[3] ?? '';
  return six !== null && host.includes(':') && host.split('::').length <= 2 && Number(six[2] ?? 0) <= 65535 && Number(six[4] ?? 0) <= 128;
}
