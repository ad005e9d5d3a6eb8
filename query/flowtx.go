package query

import (
	"slices"
	"strings"
	"time"
)

// Transaction is a request and its responses on one hop (RFC 3261 section 17).
// Numbers are indexes into the flow's lists; -1 is none.
type Transaction struct {
	Leg    int    `json:"leg"`
	Method string `json:"method"`
	CSeq   uint32 `json:"cseq"`
	Branch string `json:"branch"`
	// Client sent the request, Server answers it: participants.
	Client int `json:"client"`
	Server int `json:"server"`
	// Request is the first item with the request, Final the first with a final
	// response, Ack the first with the ACK to it; Items has them all, retransmissions
	// and copies included.
	Request int   `json:"request"`
	Final   int   `json:"final"`
	Ack     int   `json:"ack"`
	Items   []int `json:"items"`
	// Parent is the transaction of the hop before, which made Client begin this one.
	Parent int `json:"parent"`
}

// DialogState is how far a dialog has got.
type DialogState string

// The states of a dialog (RFC 3261 section 12).
const (
	DialogEarly      DialogState = "early"      // a provisional response made it
	DialogConfirmed  DialogState = "confirmed"  // a 2xx made or confirmed it
	DialogTerminated DialogState = "terminated" // a BYE ended it, or a failure
)

// Dialog is what two tags of a Call-ID make.
type Dialog struct {
	Leg int `json:"leg"`
	// CallerTag is the tag of who began it, CalleeTag that of who answered.
	CallerTag string      `json:"caller_tag"`
	CalleeTag string      `json:"callee_tag"`
	State     DialogState `json:"state"`
	// First and Last are its first and last item.
	First int `json:"first"`
	Last  int `json:"last"`
}

// analysis is a flow with what reading its messages adds.
type analysis struct {
	f *Flow
	// heads and vias belong to the items; those of media and events are empty.
	heads []sipHead
	vias  [][]sipVia
	ahead map[agent]time.Duration
	// kids are, for each transaction, those that it made its server begin; asked are
	// the transactions of one request, whatever its branch.
	kids  [][]int
	asked map[request][]int
}

// request is what the transactions of a request share on all its hops.
type request struct {
	leg    int
	method string
	cseq   uint32
}

// Analyse fills in what follows from a flow's items: transactions, dialogs, what
// each hop took, and the findings. Flow does it; it is for flows that are put
// together otherwise. Doing it again changes nothing.
func (f *Flow) Analyse() {
	a := &analysis{f: f, heads: make([]sipHead, len(f.Items)), vias: make([][]sipVia, len(f.Items)), ahead: map[agent]time.Duration{}, asked: map[request][]int{}}
	for _, c := range f.Clocks {
		a.ahead[agent{c.Node, c.CaptureID}] = time.Duration(c.AheadUs) * time.Microsecond
	}
	for i := range f.Items {
		it := &f.Items[i]
		it.Transaction, it.Dialog, it.RelayUs, it.ResponseUs = -1, -1, nil, nil
		if it.Kind != KindSIP {
			continue
		}
		raw := it.RawBytes
		if raw == nil {
			raw = []byte(it.Raw)
		}
		a.heads[i] = readSIPHead(raw)
		a.vias[i] = a.heads[i].vias()
	}
	f.Transactions, f.Dialogs = []Transaction{}, []Dialog{}
	a.transactions()
	a.parents()
	a.dialogs()
	a.delays()
	f.Findings = a.findings()
}

// at is an item's time by the flow's clock.
func (a *analysis) at(i int) time.Time {
	it := &a.f.Items[i]
	return it.Time.Add(-a.ahead[agent{it.Node, it.CaptureID}])
}

// between is the time from one item to another.
func (a *analysis) between(i, j int) time.Duration { return a.at(j).Sub(a.at(i)) }

func (a *analysis) branch(i int) string {
	if len(a.vias[i]) == 0 {
		return ""
	}
	return a.vias[i][0].branch
}

// transactions sorts the items into transactions.
func (a *analysis) transactions() {
	type key struct {
		leg            int
		method, branch string
		cseq           uint32
		client, server int
	}
	byKey := map[key]int{}
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Kind != KindSIP || it.CSeqMethod == "" && it.Method == "" {
			continue
		}
		if it.Method == "" && it.Status == 0 && strings.HasPrefix(it.Raw, "SIP/") {
			continue // a response whose status cannot be read: no request, and nobody can take it for an answer
		}
		k := key{it.Leg, it.CSeqMethod, a.branch(i), it.CSeq, it.Src, it.Dst}
		if it.Status > 0 {
			k.client, k.server = it.Dst, it.Src
		}
		if it.Method == "ACK" {
			// The ACK of a failure is part of the INVITE's transaction; that of a 2xx
			// is by itself, and belongs to it all the same for who reads.
			k.method = "INVITE"
			t, ok := byKey[k]
			if !ok {
				t, ok = a.acknowledged(i)
			}
			if ok {
				it.Transaction = t
				tx := &a.f.Transactions[t]
				tx.Items = append(tx.Items, i)
				if tx.Ack < 0 {
					tx.Ack = i
				}
				continue
			}
			k.method = "ACK"
		}
		t, ok := byKey[k]
		if !ok && it.Status > 0 {
			t, ok = a.otherwise(it, k.branch)
		}
		if !ok {
			t = len(a.f.Transactions)
			byKey[k] = t
			r := request{k.leg, k.method, k.cseq}
			a.asked[r] = append(a.asked[r], t)
			a.f.Transactions = append(a.f.Transactions, Transaction{
				Leg: k.leg, Method: k.method, CSeq: k.cseq, Branch: k.branch, Client: k.client, Server: k.server,
				Request: -1, Final: -1, Ack: -1, Parent: -1,
			})
		}
		it.Transaction = t
		tx := &a.f.Transactions[t]
		tx.Items = append(tx.Items, i)
		switch {
		case it.Status == 0 && tx.Request < 0:
			tx.Request = i
		case it.Status >= 200 && tx.Final < 0:
			tx.Final = i
		}
	}
}

// otherwise finds the transaction of a response whose ends are not those of the
// request: without rport it goes to the port that Via names, which need not be
// the one that the request came from (RFC 3261 section 18.2.2), and a server with
// several addresses may answer from another. The branch is the same, except that some
// agents report a proxy's own responses before it has put Via on them.
func (a *analysis) otherwise(it *Item, branch string) (int, bool) {
	for _, t := range slices.Backward(a.asked[request{it.Leg, it.CSeqMethod, it.CSeq}]) {
		tx := &a.f.Transactions[t]
		if tx.Request < 0 {
			continue
		}
		client, server := tx.Client == it.Dst, tx.Server == it.Src
		if branch == "" && client && server || tx.Branch == branch && (client || server) {
			return t, true
		}
	}
	return 0, false
}

// acknowledged finds the INVITE that was answered by a 2xx to which item i is the
// ACK: of the hop's own client, or where the ACK went past the proxy, of anyone.
func (a *analysis) acknowledged(i int) (int, bool) {
	it := &a.f.Items[i]
	for _, t := range a.asked[request{it.Leg, "INVITE", it.CSeq}] {
		tx := &a.f.Transactions[t]
		if tx.Client == it.Src && tx.Final >= 0 && a.f.Items[tx.Final].Status < 300 {
			return t, true
		}
	}
	return 0, false
}

// lookBack is how many transactions back a B2BUA's other leg is looked for.
const lookBack = 500

// parents finds for each transaction the one of the hop before.
func (a *analysis) parents() {
	a.kids = make([][]int, len(a.f.Transactions))
	for t := range a.f.Transactions {
		tx := &a.f.Transactions[t]
		if tx.Request < 0 || tx.Method == "CANCEL" {
			continue
		}
		if vias := a.vias[tx.Request]; len(vias) > 1 && vias[1].branch != "" {
			for _, p := range a.asked[request{tx.Leg, tx.Method, tx.CSeq}] {
				if one := &a.f.Transactions[p]; one.Branch == vias[1].branch && one.Request >= 0 && one.Request < tx.Request {
					tx.Parent = p
				}
			}
		}
		if tx.Parent < 0 { // a B2BUA, or a proxy that hides the way
			tx.Parent = a.find(t, func(p *Transaction) bool {
				return p.Server == tx.Client && p.Client != tx.Server && a.openDuring(p, tx)
			})
		}
		if tx.Parent < 0 {
			tx.Parent = a.find(t, func(p *Transaction) bool {
				return p.Leg != tx.Leg && a.sameHost(p.Server, tx.Client) && a.openDuring(p, tx)
			})
		}
		if tx.Parent >= 0 {
			a.kids[tx.Parent] = append(a.kids[tx.Parent], t)
		}
	}
}

// find is the last transaction before t that meets the condition and asks for
// the same; -1 when there is none.
func (a *analysis) find(t int, meets func(*Transaction) bool) int {
	tx := &a.f.Transactions[t]
	for p := t - 1; p >= max(0, t-lookBack); p-- {
		if one := &a.f.Transactions[p]; one.Method == tx.Method && one.Request >= 0 && one.Request < tx.Request && meets(one) {
			return p
		}
	}
	return -1
}

// openDuring reports whether tx may have been begun on behalf of p: p was not
// answered yet, and both or neither are within a dialog.
func (a *analysis) openDuring(p, tx *Transaction) bool {
	return (p.Final < 0 || p.Final > tx.Request) && (a.heads[p.Request].tag("to") == "") == (a.heads[tx.Request].tag("to") == "")
}

// sameHost reports whether two participants are one host. On loopback every
// port is somebody else.
func (a *analysis) sameHost(p, q int) bool {
	x, y := a.f.Participants[p].IP, a.f.Participants[q].IP
	return x.IsValid() && x == y && !x.IsLoopback()
}

// children lists the transactions that t made its server begin.
func (a *analysis) children(t int) []int { return a.kids[t] }

// dialogs sorts the items into dialogs.
func (a *analysis) dialogs() {
	type key struct {
		leg      int
		from, to string
	}
	byKey := map[key]int{}
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Kind != KindSIP {
			continue
		}
		from, to := a.heads[i].tag("from"), a.heads[i].tag("to")
		if from == "" || to == "" || it.Status == 100 {
			continue
		}
		k := key{it.Leg, from, to}
		d, ok := byKey[k]
		if !ok {
			d, ok = byKey[key{it.Leg, to, from}]
		}
		if !ok {
			if it.CSeqMethod != "INVITE" && it.CSeqMethod != "SUBSCRIBE" && it.CSeqMethod != "NOTIFY" || it.Status >= 300 {
				continue // makes no dialog
			}
			d = len(a.f.Dialogs)
			byKey[k] = d
			a.f.Dialogs = append(a.f.Dialogs, Dialog{Leg: it.Leg, CallerTag: from, CalleeTag: to, State: DialogEarly, First: i})
		}
		it.Dialog = d
		dialog := &a.f.Dialogs[d]
		dialog.Last = i
		switch {
		case it.Method == "BYE", it.Status >= 300 && it.CSeqMethod == "INVITE" && dialog.State == DialogEarly:
			dialog.State = DialogTerminated
		case it.Status >= 200 && it.Status < 300 && dialog.State == DialogEarly && (it.CSeqMethod == "INVITE" || it.CSeqMethod == "SUBSCRIBE"):
			dialog.State = DialogConfirmed
		}
	}
}

// delays says how long each response took, and how long each message was held
// by who passed it on.
func (a *analysis) delays() {
	for i := range a.f.Items {
		it := &a.f.Items[i]
		if it.Transaction < 0 || it.Retransmission || it.Copy {
			continue
		}
		tx := &a.f.Transactions[it.Transaction]
		since := func(j int) *int64 {
			us := a.between(j, i).Microseconds()
			return &us
		}
		switch {
		case it.Status > 0:
			if tx.Request >= 0 {
				it.ResponseUs = since(tx.Request)
			}
			if j := a.passedOn(it.Transaction, i); j >= 0 && it.Status != 100 {
				it.RelayUs = since(j)
			}
		case it.Method != "ACK" && tx.Parent >= 0 && tx.Request == i:
			it.RelayUs = since(a.f.Transactions[tx.Parent].Request)
		}
	}
}

// passedOn is the response of a further hop that response i of transaction t
// passes on: the last of the same status before it; -1 when there is none.
func (a *analysis) passedOn(t, i int) int {
	found := -1
	for _, c := range a.children(t) {
		for _, j := range a.f.Transactions[c].Items {
			if j < i && j > found && a.f.Items[j].Status == a.f.Items[i].Status {
				found = j
			}
		}
	}
	return found
}

// who is a participant as a sentence names it.
func (a *analysis) who(p int) string {
	if p < 0 || p >= len(a.f.Participants) {
		return "somebody"
	}
	one := &a.f.Participants[p]
	if one.Alias != "" {
		return one.Alias
	}
	return one.Address
}

// named is who, with what it calls itself.
func (a *analysis) named(p int) string {
	who := a.who(p)
	if p < 0 || p >= len(a.f.Participants) {
		return who
	}
	if name := strings.TrimSpace(a.f.Participants[p].Name); name != "" && len(name) <= 40 {
		who += " (" + printable(name) + ")"
	}
	return who
}

// printable replaces what has no place in a sentence.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
