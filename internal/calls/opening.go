package calls

import (
	"cmp"
	"net/netip"
	"slices"
)

// transaction is one attempt on one hop to open a leg (RFC 3261 section 17): the
// request, sent again or not, and the responses to it. Capture may have missed
// any of them.
type transaction struct {
	cseq, fromTag, branch uint32
	// client sent the request, server received it.
	client, server uint32
	// requests and responses in order of time.
	requests, responses []Event
}

func (t *transaction) first() Event {
	if len(t.requests) > 0 {
		return t.requests[0]
	}
	return t.responses[0]
}

// opening is how a leg was opened: its events, of these the transactions that
// could have opened it, and which of them its caller began.
type opening struct {
	leg    *Leg
	events []Event // distinct, in order
	method Method
	// seen says that the opening was seen, by its request or by responses to it.
	seen bool
	// callerTag is the From tag of who opened it.
	callerTag uint32
	// transactions have the caller's tag, in order of time. Those of other tags
	// are a further leg under the same Call-ID: foreign.
	transactions, foreign []*transaction
	// tries are those of transactions that the caller itself began, lastTry those
	// of them with the highest CSeq: several when it, or a proxy whose upstream
	// was not seen, tried several targets.
	tries, lastTry []*transaction
	came           *fate // see fate
}

// openingOf is how a leg was opened, found out once.
func openingOf(leg *Leg) *opening {
	if leg.opened != nil {
		return leg.opened
	}
	return newOpening(leg)
}

// never opens reports the methods that open no leg.
func neverOpens(m Method) bool { return m == Ack || m == Bye || m == Cancel || m == Prack }

// dialogRequest tells requests of one dialog side apart.
type dialogRequest struct{ cseq, fromTag uint32 }

// newOpening finds out how a leg was opened.
func newOpening(leg *Leg) *opening {
	o := &opening{leg: leg, events: distinct(leg.Events)}
	requests := o.requests()
	o.method = o.openedBy(requests)
	o.seen = len(requests) > 0
	all := o.transactionsOf(requests)
	if len(all) == 0 {
		return o
	}
	roots := o.roots(all)
	root := roots[0]
	o.callerTag = root.fromTag
	for _, t := range all {
		// Only dialogs have sides: a phone may register with another tag each time.
		if t.fromTag == o.callerTag || o.method != Invite {
			o.transactions = append(o.transactions, t)
		} else if len(t.requests) > 0 { // else the other side's, within the dialog
			o.foreign = append(o.foreign, t)
		}
	}
	o.dropReinvites()
	for _, t := range o.transactions {
		if t.client == root.client || slices.Contains(roots, t) {
			o.tries = append(o.tries, t)
		}
	}
	last := uint32(0)
	for _, t := range o.transactions {
		last = max(last, t.cseq)
	}
	for _, t := range o.tries {
		if t.cseq == last && t.client == root.client {
			o.lastTry = append(o.lastTry, t)
		}
	}
	if len(o.lastTry) == 0 { // from another port, or seen further on only
		for _, t := range slices.Concat(o.tries, o.transactions) {
			if t.cseq == last {
				o.lastTry = []*transaction{t}
				break
			}
		}
	}
	return o
}

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

// requests lists the requests that could have opened the leg: those without a To
// tag, and INVITEs that repeat one after a failure and wrongly keep the tag that
// the failure gave (RFC 3261 section 8.1.3.5 makes it a new request).
func (o *opening) requests() []Event {
	var out, tagged []Event
	for _, e := range o.events {
		switch {
		case e.Status != 0 || neverOpens(e.Method):
		case e.ToTag == 0:
			out = append(out, e)
		case e.Method == Invite:
			tagged = append(tagged, e)
		}
	}
	if len(out) == 0 {
		return nil
	}
	n := len(out)
	for _, r := range tagged {
		failed := slices.ContainsFunc(o.events, func(e Event) bool {
			return e.Method == Invite && e.ToTag == r.ToTag && e.Status >= 300 && e.CSeq < r.CSeq
		}) && slices.ContainsFunc(out[:n], func(e Event) bool { return e.Method == Invite && e.FromTag == r.FromTag })
		alive := failed && slices.ContainsFunc(o.events, func(e Event) bool {
			return e.Method == Invite && e.ToTag == r.ToTag && e.Status > 100 && e.Status < 300
		})
		if failed && !alive {
			out = append(out, r)
		}
	}
	if len(out) > n {
		slices.SortFunc(out, compareEvents)
	}
	return out
}

// openedBy is the method that opened the leg. An INVITE counts more than what
// came before it under the same Call-ID.
func (o *opening) openedBy(requests []Event) Method {
	for _, e := range requests {
		if e.Method == Invite {
			return Invite
		}
	}
	if len(requests) > 0 {
		return requests[0].Method
	}
	within := o.withinDialog(requests, Invite)
	for _, e := range o.events {
		if e.Method == Invite && e.Status > 0 && !slices.Contains(within, dialogRequest{e.CSeq, e.FromTag}) {
			return Invite // its request was missed
		}
	}
	if len(o.events) > 0 {
		return o.events[0].Method
	}
	return Other
}

// withinDialog lists the requests of a method that opened nothing.
func (o *opening) withinDialog(opening []Event, m Method) []dialogRequest {
	var out []dialogRequest
	for _, e := range o.events {
		if e.Status != 0 || e.Method != m || e.ToTag == 0 {
			continue
		}
		d := dialogRequest{e.CSeq, e.FromTag}
		if !slices.Contains(out, d) && !slices.ContainsFunc(opening, func(e Event) bool { return dialogRequest{e.CSeq, e.FromTag} == d }) {
			out = append(out, d)
		}
	}
	return out
}

// transactionsOf gathers the transactions that the requests began, and those of
// which only responses were seen.
func (o *opening) transactionsOf(requests []Event) []*transaction {
	var out []*transaction
	index := transactionIndex{}
	find := func(e Event, client, server uint32) *transaction {
		t := index.find(out, transactionKey{e.CSeq, e.FromTag, e.Branch, client})
		if t == nil {
			t = &transaction{cseq: e.CSeq, fromTag: e.FromTag, branch: e.Branch, client: client, server: server}
			out = append(out, t)
			index.add(out)
		}
		return t
	}
	for _, e := range requests {
		if e.Method == o.method {
			t := find(e, e.Src, e.Dst)
			t.requests = append(t.requests, e)
		}
	}
	if neverOpens(o.method) && len(requests) == 0 {
		// Only the end of a dialog was seen: how that fared is all there is to tell.
		for _, e := range o.events {
			if e.Method == o.method && e.Status == 0 {
				t := find(e, e.Src, e.Dst)
				t.requests = append(t.requests, e)
			}
		}
	}
	within := o.withinDialog(requests, o.method)
	responses := func(inside bool) {
		for _, e := range o.events {
			if e.Method == o.method && e.Status > 0 && slices.Contains(within, dialogRequest{e.CSeq, e.FromTag}) == inside {
				t := find(e, e.Dst, e.Src)
				t.responses = append(t.responses, e)
				o.seen = o.seen || !inside && !neverOpens(o.method)
			}
		}
	}
	responses(false)
	if len(out) == 0 || neverOpens(o.method) {
		responses(true) // what was seen first of a dialog stands for its opening
	}
	slices.SortFunc(out, func(a, b *transaction) int { return compareEvents(a.first(), b.first()) })
	return out
}

// transactionKey names a transaction: by its branch, which is of its hop, or
// without one (a sender of RFC 2543, or one that leaves the Via out of what it
// reports) by its client.
type transactionKey struct{ cseq, fromTag, branch, client uint32 }

func (k transactionKey) names(t *transaction) bool {
	return t.cseq == k.cseq && t.fromTag == k.fromTag && (k.branch != 0 && t.branch == k.branch || k.branch == 0 && t.client == k.client)
}

// transactionIndex finds transactions: most legs have a handful, but some that
// register for months have thousands.
type transactionIndex struct {
	byBranch, byClient map[transactionKey]*transaction
}

const manyTransactions = 32

func (x *transactionIndex) find(list []*transaction, k transactionKey) *transaction {
	if len(list) < manyTransactions {
		for _, t := range list {
			if k.names(t) {
				return t
			}
		}
		return nil
	}
	if k.branch != 0 {
		k.client = 0
		return x.byBranch[k]
	}
	return x.byClient[k]
}

// add takes the last transaction of the list.
func (x *transactionIndex) add(list []*transaction) {
	if len(list) < manyTransactions {
		return
	}
	if x.byBranch == nil {
		x.byBranch, x.byClient = map[transactionKey]*transaction{}, map[transactionKey]*transaction{}
		for _, t := range list {
			x.put(t)
		}
		return
	}
	x.put(list[len(list)-1])
}

func (x *transactionIndex) put(t *transaction) {
	x.byBranch[transactionKey{t.cseq, t.fromTag, t.branch, 0}] = t
	if k := (transactionKey{t.cseq, t.fromTag, 0, t.client}); x.byClient[k] == nil {
		x.byClient[k] = t
	}
}

// roots lists the transactions whose client received none of the others: what
// the caller itself sent. Times alone do not tell, as agents' clocks differ.
func (o *opening) roots(all []*transaction) []*transaction {
	var received []uint32 // hosts are few, even where transactions are many
	var hosts []netip.Addr
	for _, t := range all {
		if t.client == t.server || slices.Contains(received, t.server) {
			continue
		}
		received = append(received, t.server)
	}
	var out []*transaction
	for _, t := range all {
		if !slices.Contains(received, t.client) {
			out = append(out, t)
		}
	}
	if len(out) > 0 && !slices.ContainsFunc(out, func(t *transaction) bool { return t.client != out[0].client }) {
		return out
	}
	for _, t := range all {
		from, to := o.leg.Addresses[t.client].Addr(), o.leg.Addresses[t.server].Addr()
		if from.IsValid() && to.IsValid() && from != to && !slices.Contains(hosts, to) {
			hosts = append(hosts, to)
		}
	}
	if len(out) == 0 {
		return all
	}
	// A proxy that sends from other ports than it listens on, as with TCP.
	var further []*transaction
	for _, t := range out {
		if a := o.leg.Addresses[t.client]; !a.IsValid() || !slices.Contains(hosts, a.Addr()) {
			further = append(further, t)
		}
	}
	if len(further) > 0 {
		return further
	}
	return out
}

// dropReinvites leaves out what came after the answer: responses to requests
// that were missed and cannot have opened the leg again.
func (o *opening) dropReinvites() {
	if o.method != Invite {
		return
	}
	answered := ^uint32(0)
	for _, t := range o.transactions {
		for _, e := range t.responses {
			if e.Status >= 200 && e.Status < 300 {
				answered = min(answered, t.cseq)
			}
		}
	}
	o.transactions = slices.DeleteFunc(o.transactions, func(t *transaction) bool { return t.cseq > answered && len(t.requests) == 0 })
}

// further lists the transactions of the last try beyond the caller's own hop.
func (o *opening) further() []*transaction {
	var out []*transaction
	for _, t := range o.transactions {
		if len(o.lastTry) > 0 && t.cseq == o.lastTry[0].cseq && !slices.Contains(o.lastTry, t) {
			out = append(out, t)
		}
	}
	return out
}

// told lists the responses that the caller got to its last try, in order.
func (o *opening) told() []Event {
	var out []Event
	for _, t := range o.lastTry {
		out = append(out, t.responses...)
	}
	slices.SortFunc(out, compareEvents)
	return out
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

// hop is a pair of addresses, by their hashes.
type hop struct{ src, dst uint32 }

// hops adds the pairs of sender and receiver of the opening requests.
func (o *opening) hops(to []hop) []hop {
	add := func(h hop) {
		if !slices.Contains(to, h) {
			to = append(to, h)
		}
	}
	for _, list := range [2][]*transaction{o.transactions, o.foreign} {
		for _, t := range list {
			for _, e := range t.requests {
				add(hop{e.Src, e.Dst})
			}
			if len(t.requests) == 0 {
				add(hop{t.client, t.server})
			}
		}
	}
	return to
}

// lastHop is where the leg went in the end: of the transactions that were not
// passed on, the one that was answered, else the one begun last.
func (o *opening) lastHop() *transaction {
	var sent []uint32
	for _, t := range o.transactions {
		if t.client != t.server && !slices.Contains(sent, t.client) {
			sent = append(sent, t.client)
		}
	}
	var last *transaction
	for _, t := range o.transactions {
		switch {
		case slices.Contains(sent, t.server) && len(o.transactions) > 1:
		case last == nil || t.isAnswered() || !last.isAnswered():
			last = t
		}
	}
	if last == nil && len(o.transactions) > 0 {
		last = o.transactions[len(o.transactions)-1]
	}
	return last
}

func (t *transaction) isAnswered() bool {
	return slices.ContainsFunc(t.responses, func(e Event) bool { return e.Status >= 200 && e.Status < 300 })
}
