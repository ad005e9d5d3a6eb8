package calls

import (
	"net/netip"
	"slices"
)

// opening is how a leg was opened: its events, of these the transactions that
// could have opened it, and which of them its caller began.
type opening struct {
	leg *Leg
	// profile is what the heuristics look at; see profileOf.
	profile *profile

	of     []Event // the leg's events as they were
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

// openingOf is how a leg was opened, found out once for the same events.
func openingOf(leg *Leg) *opening {
	if o := leg.opened; o != nil && len(o.of) == len(leg.Events) && (len(o.of) == 0 || &o.of[0] == &leg.Events[0]) {
		return o
	}
	leg.opened = newOpening(leg)
	return leg.opened
}

// neverOpens reports the methods that open no leg.
func neverOpens(m Method) bool { return m == Ack || m == Bye || m == Cancel || m == Prack }

// dialogRequest tells requests of one dialog side apart.
type dialogRequest struct{ cseq, fromTag uint32 }

// newOpening finds out how a leg was opened.
func newOpening(leg *Leg) *opening {
	o := &opening{leg: leg, of: leg.Events, events: distinct(leg.Events)}
	requests := o.requests()
	o.method = o.openedBy(requests)
	o.seen = len(requests) > 0
	all := o.transactionsOf(requests)
	if len(all) == 0 {
		return o
	}
	roots := o.roots(all)
	for _, t := range roots {
		t.root = true
	}
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
		if t.client == root.client || t.root {
			t.own = true
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
