package query

import (
	"container/heap"
	"sort"
	"time"
)

// How far clocks may disagree. Within a hop, a response that is reported up to
// hopSkew before its request is put behind it: the two are often reported by
// different processes or machines. From hop to hop, only relaySkew is put right.
const (
	hopSkew   = time.Second
	relaySkew = 20 * time.Millisecond
)

// transaction is a request with its responses on one hop, seen from either side.
type transaction struct {
	callID, cseqMethod, branch string
	cseq                       uint32
	client, server             address
}

func (m *message) transaction() transaction {
	t := transaction{m.CallID, m.CSeqMethod, m.branch, m.CSeq, m.src, m.dst}
	if m.Status > 0 {
		t.client, t.server = m.dst, m.src
	}
	return t
}

// inOrder sorts messages by time and then puts right what cannot have been:
// a response before its request, an ACK before the final response, a final
// response before a provisional one that was reported at almost the same time,
// a message relayed before it arrived. Nothing else is moved.
func inOrder(messages []message) []message {
	sort.SliceStable(messages, func(i, j int) bool { return messages[i].Time.Before(messages[j].Time) })
	before := map[int][]int{} // i → those that must come after i
	waits := make([]int, len(messages))
	for _, e := range violations(messages) {
		before[e.first] = append(before[e.first], e.then)
		waits[e.then]++
	}
	if len(before) == 0 {
		return messages
	}
	return topological(messages, before, waits)
}

// answer is a 2xx to an INVITE as one hop's client sees it. The ACK may take
// another way than the 2xx came, so the server is no part of it.
type answer struct {
	callID string
	cseq   uint32
	client address
}

// edge says that one message must come before another; both are indexes.
type edge struct{ first, then int }

// violations finds pairs of messages in the wrong order; first > then.
func violations(messages []message) []edge {
	type span struct{ request, final, provisional int }
	const none = -1
	// For each transaction, the first request and final, and the last provisional.
	spans := map[transaction]*span{}
	answers := map[answer]int{} // the first 2xx to an INVITE
	arrivals := map[content]map[address]int{}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		t := m.transaction()
		s := spans[t]
		if s == nil {
			s = &span{none, none, none}
			spans[t] = s
		}
		switch {
		case m.Status == 0 && s.request == none:
			s.request = i
		case m.Status >= 200 && s.final == none:
			s.final = i
		case m.Status > 0 && m.Status < 200:
			s.provisional = i
		}
		if m.Status >= 200 && m.Status < 300 && m.CSeqMethod == "INVITE" {
			a := answer{m.CallID, m.CSeq, m.dst}
			if _, ok := answers[a]; !ok {
				answers[a] = i
			}
		}
		if c := m.content(); m.src != m.dst && !m.hopByHop() {
			if arrivals[c] == nil {
				arrivals[c] = map[address]int{}
			}
			if _, ok := arrivals[c][m.dst]; !ok {
				arrivals[c][m.dst] = i
			}
		}
	}
	var out []edge
	late := func(first, then int, skew time.Duration) {
		if first != none && first > then && messages[first].Time.Sub(messages[then].Time) <= skew {
			out = append(out, edge{first, then})
		}
	}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		t := m.transaction()
		switch {
		case m.Status > 0:
			late(spans[t].request, i, hopSkew)
			if m.Status >= 200 && i == spans[t].final {
				late(spans[t].provisional, i, relaySkew)
			}
		case m.Method == "ACK":
			// The ACK of a failure has the INVITE's branch; that of a 2xx has its own,
			// and whoever sends it has been sent the 2xx.
			t.cseqMethod = "INVITE"
			if s := spans[t]; s != nil {
				late(s.final, i, hopSkew)
			} else if final, ok := answers[answer{m.CallID, m.CSeq, m.src}]; ok {
				late(final, i, hopSkew)
			}
		}
		if at, ok := arrivals[m.content()][m.src]; ok && m.src != m.dst && !m.hopByHop() {
			late(at, i, relaySkew)
		}
	}
	return out
}

// topological returns the messages so that every edge holds, otherwise in the
// order they have. Where edges contradict each other, the order they have wins.
func topological(messages []message, before map[int][]int, waits []int) []message {
	ready := &intHeap{}
	for i, n := range waits {
		if n == 0 {
			heap.Push(ready, i)
		}
	}
	out := make([]message, 0, len(messages))
	done := make([]bool, len(messages))
	oldest := 0
	for len(out) < len(messages) {
		if ready.Len() == 0 { // a circle: break it at its first message
			for done[oldest] {
				oldest++
			}
			waits[oldest] = 0
			heap.Push(ready, oldest)
		}
		i := heap.Pop(ready).(int)
		if done[i] {
			continue
		}
		done[i] = true
		out = append(out, messages[i])
		for _, j := range before[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	return out
}

// intHeap is a heap of indexes, least first.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *intHeap) Push(x any) { *h = append(*h, x.(int)) }

// Pop implements heap.Interface.
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
