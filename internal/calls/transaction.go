package calls

import (
	"slices"
)

// transaction is one attempt on one hop to open a leg (RFC 3261 section 17): the
// request, sent again or not, and the responses to it. Capture may have missed
// any of them.
type transaction struct {
	cseq, fromTag, branch uint32
	// client sent the request, server received it.
	client, server uint32
	// root says that its client received none of the leg's other transactions,
	// own that the leg's caller began it.
	root, own bool
	// requests and responses in order of time.
	requests, responses []Event
}

func (t *transaction) first() Event {
	if len(t.requests) > 0 {
		return t.requests[0]
	}
	return t.responses[0]
}

func (t *transaction) isAnswered() bool {
	return slices.ContainsFunc(t.responses, func(e Event) bool { return e.Status >= 200 && e.Status < 300 })
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
