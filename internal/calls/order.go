package calls

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// inOrder sorts legs by their first message, the one that speaks for the call
// first; it uses up legs. Where agents' clocks differ, a leg that another one
// names, or whose receiver sent the other one on, comes before it, and one whose
// opening was missed after those near it.
func inOrder(legs []Leg) []Leg {
	if len(legs) == 1 {
		return legs
	}
	left := legs
	slices.SortFunc(left, func(a, b Leg) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.CallID, b.CallID)) })
	out := make([]Leg, 0, len(left))
	for len(left) > 0 {
		next := max(0, slices.IndexFunc(left, func(l Leg) bool { return !comesAfterAny(&l, left) }))
		out = append(out, left[next])
		left = slices.Delete(left, next, next+1)
	}
	return out
}

// comesAfterAny reports whether one of the legs, which are in order of time,
// precedes a leg whose clock may be ahead of it.
func comesAfterAny(l *Leg, legs []Leg) bool {
	for i := range legs {
		o := &legs[i]
		if o.First.Sub(l.First) > clockTolerance*time.Microsecond {
			return false
		}
		if o.CallID != l.CallID && (precedes(o, l) && !precedes(l, o) || o.opened.seen && !l.opened.seen) {
			return true
		}
	}
	return false
}

// precedes reports whether leg b came of leg a: b names a's Call-ID, or a host
// that received a's opening request sent b's. Both have been looked into.
func precedes(a, b *Leg) bool {
	if slices.Contains(b.CorrelationIDs, a.CallID) {
		return true
	}
	for _, id := range b.LinkIDs {
		if _, value, _ := strings.Cut(id, ":"); value == a.CallID {
			return true
		}
	}
	if len(a.opened.tries) == 0 || len(b.opened.tries) == 0 || !a.opened.seen || !b.opened.seen {
		return false
	}
	sender := b.opened.tries[0].client
	return sender != a.opened.tries[0].client && slices.ContainsFunc(a.opened.transactions, func(t *transaction) bool { return t.server == sender })
}

// linkOf is the surest link of a leg, to an earlier leg if there is one.
func linkOf(legs []Leg, i int, links []Link) (reason string, confidence float64) {
	earlier := map[string]bool{}
	for _, l := range legs[:i] {
		earlier[l.CallID] = true
	}
	found := false
	for _, early := range []bool{true, false} {
		for _, l := range links {
			if l.A != legs[i].CallID && l.B != legs[i].CallID || early && !earlier[l.A] && !earlier[l.B] {
				continue
			}
			if !found || l.Confidence > confidence {
				found, reason, confidence = true, l.Reason, l.Confidence
			}
		}
		if found {
			return reason, confidence
		}
	}
	return "", 0
}
