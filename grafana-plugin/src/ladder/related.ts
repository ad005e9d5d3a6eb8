/** Which other message a message is best read beside. */
import { Item, sameTransaction } from './model';

/** Why that message was chosen, as a person would say it. */
export interface Comparison {
  item: Item;
  reason: string;
}

/**
 * The earlier message to compare an item with: the same message on the hop
 * before, else the original of a retransmission, else the last one of its kind
 * in its leg (the INVITE before a re-INVITE), else the same kind in another leg
 * (what a B2BUA made of it), else the message before it in the transaction.
 * Null when nothing earlier is of any use.
 */
export function comparisonFor(items: readonly Item[], item: Item): Comparison | null {
  const at = items.indexOf(item);
  if (at <= 0) {
    return null;
  }
  const earlier = items.slice(0, at).reverse();
  if (item.kind !== 'sip') {
    const last = earlier.find((e) => e.kind === item.kind && e.src === item.src && e.dst === item.dst);
    return last ? { item: last, reason: 'the report before it in this direction' } : null;
  }
  // What a second agent saw again says nothing new, unless it is the question.
  const sip = earlier.filter((e) => e.kind === 'sip' && (item.copy || !e.copy));
  const sameKind = (e: Item) => e.method === item.method && e.status === item.status;
  const rules: Array<[string, (e: Item) => boolean]> = [
    [
      item.copy ? 'what another capture agent saw' : 'the same message sent before',
      (e) => (item.retransmission || item.copy) && sameKind(e) && sameTransaction(e, item) && e.src === item.src && e.dst === item.dst,
    ],
    ['the same message on the hop before', (e) => sameKind(e) && sameTransaction(e, item) && e.cseq_method === item.cseq_method],
    ['the last one of its kind in this leg', (e) => sameKind(e) && e.leg === item.leg && e.cseq_method === item.cseq_method],
    ['the same in another leg', (e) => sameKind(e) && e.leg !== item.leg && e.cseq_method === item.cseq_method],
    ['the message before it in this transaction', (e) => sameTransaction(e, item)],
  ];
  for (const [reason, fits] of rules) {
    const found = sip.find(fits);
    if (found) {
      return { item: found, reason };
    }
  }
  return null;
}
