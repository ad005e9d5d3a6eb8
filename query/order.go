package query

import (
	"container/heap"
	"sort"
	"strings"
	"time"
)

// How far clocks may disagree. Within a hop, a response that is reported up to
// hopSkew before its request is put behind it: the two are often reported by
// different processes or machines. From hop to hop, only relaySkew is put right
// where addresses alone tell that a message was passed on. What Via tells is
// certain, and agents' clocks that are farther apart are set right first: see
// clocks.go.
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
	if m.branch != "" {
		// The branch says enough; without rport a response goes to another port of
		// the client than the request came from.
		t.client = address{}
	}
	return t
}

// inOrder sorts messages by time, by one clock where agents' clocks disagree,
// and then puts right what cannot have been: a response before its request, an
// ACK before the final response, a final response before a provisional one that
// was reported at almost the same time, a message relayed before it arrived.
// Nothing else is moved.
func inOrder(messages []message) []message {
	byTime := func() {
		sort.SliceStable(messages, func(i, j int) bool { return messages[i].at.Before(messages[j].at) })
	}
	byTime()
	found := causes(messages)
	if setClocks(messages, found) {
		byTime()
		found = causes(messages)
	}
	before := map[int][]int{} // i → those that must come after i
	waits := make([]int, len(messages))
	for _, c := range found {
		if c.first > c.then && messages[c.first].at.Sub(messages[c.then].at) <= c.skew {
			before[c.first] = append(before[c.first], c.then)
			waits[c.then]++
		}
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

// cause says that one message came before another; both are indexes. It is
// heeded where the times contradict it by skew at most.
type cause struct {
	first, then int
	skew        time.Duration
	// certain: whatever the clocks say.
	certain bool
}

// relay is what a message shares with those that it was passed on as: with the
// branches of the Vias that it had further back.
type relay struct {
	callID, method, cseqMethod string
	status                     uint16
	cseq                       uint32
	branches                   string
}

// branches are the branches of the Vias from one on, the topmost being 0. A proxy
// puts its Via on a request and takes it off the response (RFC 3261 sections 16.6
// and 16.7): what a request was before, has its Vias from 1 on, and what a
// response becomes, too.
func (m *message) branches(from int) string {
	var b strings.Builder
	for _, v := range m.vias[min(from, len(m.vias)):] {
		b.WriteString(v.branch + "\x00")
	}
	return b.String()
}

func (m *message) relayKey(branches string) relay {
	return relay{m.CallID, m.Method, m.CSeqMethod, m.Status, m.CSeq, branches}
}

// causes finds what must come before what. messages are in order of time.
func causes(messages []message) []cause {
	type span struct{ request, final, provisional int }
	const none = -1
	// For each transaction, the first request and final, and the last provisional.
	spans := map[transaction]*span{}
	answers := map[answer]int{} // the first 2xx to an INVITE
	arrivals := map[content]map[address]int{}
	requests := map[relay]int{} // the first request with these Vias
	responses := map[relay]int{}
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
		if m.hopByHop() {
			continue
		}
		if c := m.content(); m.src != m.dst {
			if arrivals[c] == nil {
				arrivals[c] = map[address]int{}
			}
			if _, ok := arrivals[c][m.dst]; !ok {
				arrivals[c][m.dst] = i
			}
		}
		key, index := m.relayKey(m.branches(0)), requests
		if m.Status > 0 { // the message that it is passed on as has one Via less
			key, index = m.relayKey(m.branches(1)), responses
		}
		if _, ok := index[key]; !ok && len(m.vias) > 0 {
			index[key] = i
		}
	}
	var out []cause
	add := func(first, then int, skew time.Duration, certain bool) {
		if first != none && first != then {
			out = append(out, cause{first, then, skew, certain})
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
			add(spans[t].request, i, hopSkew, true)
			if m.Status >= 200 && i == spans[t].final {
				add(spans[t].provisional, i, relaySkew, false)
			}
		case m.Method == "ACK":
			// The ACK of a failure has the INVITE's branch; that of a 2xx has its own,
			// and whoever sends it has been sent the 2xx.
			t.cseqMethod = "INVITE"
			if s := spans[t]; s != nil {
				add(s.final, i, hopSkew, true)
			} else if final, ok := answers[answer{m.CallID, m.CSeq, m.src}]; ok {
				add(final, i, hopSkew, true)
			}
		}
		if m.hopByHop() || m.src == m.dst {
			continue
		}
		if at, ok := arrivals[m.content()][m.src]; ok {
			add(at, i, relaySkew, false)
		}
		if len(m.vias) == 0 {
			continue
		}
		key, index := m.relayKey(m.branches(1)), requests
		if m.Status > 0 {
			key, index = m.relayKey(m.branches(0)), responses
		}
		if at, ok := index[key]; ok && key.branches != "" {
			add(at, i, hopSkew, true)
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
