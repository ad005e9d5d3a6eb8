package calls

import (
	"cmp"
	"slices"
)

// distinct puts events in order and leaves out what came twice. The order is
// total, so that it does not depend on how the events came.
func distinct(events []Event) []Event {
	inOrder := true
	for i := 1; i < len(events) && inOrder; i++ {
		inOrder = compareEvents(events[i-1], events[i]) < 0
	}
	if inOrder {
		return events
	}
	out := slices.Clone(events)
	slices.SortFunc(out, compareEvents)
	return slices.Compact(out)
}

func compareEvents(a, b Event) int {
	if a.Time != b.Time {
		return cmp.Compare(a.Time, b.Time)
	}
	if c := cmp.Compare(a.CSeq, b.CSeq); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Status, b.Status); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Branch, b.Branch), cmp.Compare(a.Src, b.Src), cmp.Compare(a.Dst, b.Dst),
		cmp.Compare(a.FromTag, b.FromTag), cmp.Compare(a.ToTag, b.ToTag), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.SDP, b.SDP), cmp.Compare(a.Expires, b.Expires))
}

// retransmissions counts the messages that the same sender had sent before, as
// each agent saw them: what several agents report is one message.
func retransmissions(events []Event) uint64 {
	n := uint64(0)
	if len(events) <= 64 {
		for i := range events {
			for j := range i {
				if sameMessage(&events[i], &events[j]) {
					n++
					break
				}
			}
		}
		return n
	}
	seen := make(map[Event]bool, len(events))
	for _, e := range events {
		e.Time, e.Expires = 0, 0
		if seen[e] {
			n++
		}
		seen[e] = true
	}
	return n
}

func sameMessage(a, b *Event) bool {
	return a.Branch == b.Branch && a.Status == b.Status && a.Src == b.Src && a.Agent == b.Agent && a.Method == b.Method && a.CSeq == b.CSeq &&
		a.Dst == b.Dst && a.FromTag == b.FromTag && a.ToTag == b.ToTag && a.SDP == b.SDP
}
