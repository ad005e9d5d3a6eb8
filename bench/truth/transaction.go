package truth

// transaction is a request on its way over hops, with the branches that each
// sender gave it: hop i is between nodes i and i+1.
type transaction struct {
	g        *generator
	call     *Call
	leg      *leg
	message  message
	nodes    []*host
	branches []string
	from     int // the first hop that is its own: those before are another's
	// sent are the times of the request on each hop.
	sent []int64
}

// newTransaction begins a transaction over hosts.
func (g *generator) newTransaction(c *Call, l *leg, m message, nodes []*host) *transaction {
	t := &transaction{g: g, call: c, leg: l, message: m, nodes: nodes, sent: make([]int64, len(nodes)-1)}
	for range len(nodes) - 1 {
		t.branches = append(t.branches, "z9hG4bK"+g.id())
	}
	return t
}

// fork is a branch of the transaction to another target, from node n on.
func (t *transaction) fork(n int, to *host) *transaction {
	f := *t
	f.nodes = append(append([]*host{}, t.nodes[:n+1]...), to)
	f.branches = append(append([]string{}, t.branches[:n]...), "z9hG4bK"+t.g.id())
	f.sent = make([]int64, len(f.nodes)-1)
	f.from = n
	return &f
}

func (t *transaction) vias(hop int) []via {
	var out []via
	for i := range hop + 1 {
		out = append(out, via{t.nodes[i], t.branches[i]})
	}
	return out
}

// request sends the request over its hops, and returns when the last host got it.
func (t *transaction) request(at int64) int64 {
	for hop := t.from; hop < len(t.nodes)-1; hop++ {
		t.sent[hop] = at
		t.requestOn(hop, at, false)
		at += t.g.hopTime()
	}
	return at
}

// requestOn sends the request on one hop.
func (t *transaction) requestOn(hop int, at int64, again bool) {
	m := t.message
	m.server = t.nodes[0].ua
	t.g.emit(t.call, t.leg, &m, t.vias(hop), t.nodes[hop], t.nodes[hop+1], at, again)
}

// answer is a response.
type answer struct {
	status  int
	reason  string
	toTag   string
	sdp     string
	headers []string
}

// respond sends a response from node n back to the first, and returns when it was
// on the last hop, and when it arrived.
func (t *transaction) respond(a answer, n int, at int64) (wire, arrived int64) {
	for hop := n - 1; hop >= 0; hop-- {
		wire = at
		t.respondOn(hop, a, at, false)
		at += t.g.hopTime()
	}
	return wire, at
}

// respondOn sends a response on one hop.
func (t *transaction) respondOn(hop int, a answer, at int64, again bool) {
	m := t.message
	m.status, m.reason, m.sdp, m.headers = a.status, a.reason, a.sdp, a.headers
	if a.toTag != "" {
		m.toTag = a.toTag
	}
	m.server = t.nodes[hop+1].ua
	t.g.emit(t.call, t.leg, &m, t.vias(hop), t.nodes[hop+1], t.nodes[hop], at, again)
}

// trying sends 100 on each hop but the last: proxies do, phones need not.
func (t *transaction) trying() {
	for hop := t.from; hop < len(t.nodes)-2; hop++ {
		at := t.sent[hop] + t.g.hopTime()
		t.respondOn(hop, answer{status: 100, reason: "Trying"}, at, false)
		if hop == 0 && t.call != nil && t.leg == t.call.first {
			t.call.firstProvisional(at)
		}
	}
}

// refuse sends a failure from node n back to node to, acknowledged on each hop.
func (t *transaction) refuse(a answer, n, to int, at int64) (wire, arrived int64) {
	for hop := n - 1; hop >= to; hop-- {
		wire = at
		t.respondOn(hop, a, at, false)
		at += t.g.hopTime()
		if t.message.method == "INVITE" {
			t.ackOn(hop, a.toTag, at)
		}
	}
	return wire, at
}

// ackOn acknowledges a failure on one hop, within the transaction.
func (t *transaction) ackOn(hop int, toTag string, at int64) {
	m := t.message
	m.method, m.toTag, m.sdp, m.headers, m.server = "ACK", toTag, "", nil, t.nodes[hop].ua
	t.g.emit(t.call, t.leg, &m, t.vias(hop)[hop:], t.nodes[hop], t.nodes[hop+1], at, false)
}

// cancel cancels the request on the hops from n to the last, each of which
// answers for itself, and returns when the last host got it.
func (t *transaction) cancel(n int, at int64) int64 {
	for hop := n; hop < len(t.nodes)-1; hop++ {
		m := t.message
		m.method, m.sdp, m.headers, m.server = "CANCEL", "", nil, t.nodes[hop].ua
		own := t.vias(hop)[hop:]
		t.g.emit(t.call, t.leg, &m, own, t.nodes[hop], t.nodes[hop+1], at, false)
		at += t.g.hopTime()
		m.status, m.reason, m.toTag = 200, "OK", "c"+t.branches[hop][7:]
		t.g.emit(t.call, t.leg, &m, own, t.nodes[hop+1], t.nodes[hop], at, false)
	}
	return at
}
