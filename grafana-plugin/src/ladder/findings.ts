/** What the findings of a flow say of its messages. */
import { Finding, Flow } from './model';

/** A finding and the number that stands at its messages. */
export interface Marked {
  finding: Finding;
  /** 1 to 9; 0 on one that only explains, and on what comes after nine. */
  number: number;
}

export interface Findings {
  list: Marked[];
  /** For each message the finding whose number it bears: the first of those that name it, which matters most. */
  at: ReadonlyMap<number, Marked>;
}

/** Numbers the findings as the ladder in the terminal does. */
export function markFindings(flow: Flow): Findings {
  const at = new Map<number, Marked>();
  let numbered = 0;
  const list = (flow.findings ?? []).map((finding): Marked => {
    const marked: Marked = { finding, number: 0 };
    if (finding.severity === 'info' || numbered === 9) {
      return marked;
    }
    const free = finding.items.filter((i) => !at.has(i));
    if (free.length > 0) {
      marked.number = ++numbered;
      free.forEach((i) => at.set(i, marked));
    }
    return marked;
  });
  return { list, at };
}

/**
 * The findings to show before anybody asks for all: the first, which says how the
 * call ended, and whatever does not only explain.
 */
export function leading(list: Marked[]): Marked[] {
  return list.filter((m, i) => i === 0 || m.finding.severity !== 'info');
}
