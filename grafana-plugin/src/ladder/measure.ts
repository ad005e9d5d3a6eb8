/** Text widths of the fonts the ladder uses, without asking the browser. */

/** Roboto Mono and its usual stand-ins are 0.6 em wide. */
export const monoWidth = (text: string, fontSize: number): number => text.length * fontSize * 0.6;

/** A fair guess for proportional text. */
export const sansWidth = (text: string, fontSize: number): number => text.length * fontSize * 0.54;

/** Cuts a monospaced text to a width, with an ellipsis where something went. */
export function fitMono(text: string, fontSize: number, width: number): string {
  return fit(text, Math.floor(width / (fontSize * 0.6)));
}

/** Cuts a proportional text to about a width. */
export function fitSans(text: string, fontSize: number, width: number): string {
  return fit(text, Math.floor(width / (fontSize * 0.54)));
}

function fit(text: string, chars: number): string {
  if (text.length <= chars) {
    return text;
  }
  return chars <= 1 ? '' : text.slice(0, chars - 1).trimEnd() + '…';
}
