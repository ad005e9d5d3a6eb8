package truth

import (
	"fmt"
	"time"
)

// Registration is what really happened in an attempt to register. Times are as in
// Call.
type Registration struct {
	Scenario string `json:"scenario"`
	CallID   string `json:"call_id"`
	Time     int64  `json:"time"`
	User     string `json:"user"`
	Domain   string `json:"domain"`
	Contact  string `json:"contact"`
	Source   string `json:"source"`
	// Outcome is registered, deregistered, failed or unanswered.
	Outcome string   `json:"outcome"`
	Status  int      `json:"status"`
	Expires uint32   `json:"expires"`
	RRDMs   *float64 `json:"rrd_ms"`
	// Ineffective is an IRA of RFC 6076 section 4.2.
	Ineffective bool   `json:"ineffective"`
	Requests    uint64 `json:"requests"`
}

// binding is a phone with its address of record.
type binding struct {
	g    *generator
	l    *leg
	at   int64
	sent int64 // the attempt's first request
	last *transaction
	r    *Registration
}

// makeRegistration plays a phone that registers, and perhaps refreshes and goes.
func (g *generator) makeRegistration(at int64) {
	phone, edge := g.phone(), one(g, g.world.edges)
	user := party{fmt.Sprintf("user%d", g.world.users), "a.example"}
	l := &leg{callID: g.id() + "@" + phone.addr.Addr().String(), caller: user, callee: user, fromTag: "f" + g.id(), nodes: []*host{phone, edge}, target: ""}
	if g.chance(0.5) {
		l.nodes = append(l.nodes, one(g, g.world.cores))
	}
	b := &binding{g: g, l: l, at: at}
	switch g.rng.IntN(9) {
	case 0:
		b.begin("registered without a challenge", 600)
		b.ok(600)
	case 1, 2:
		b.begin("registered", 300)
		b.challenge(401)
		b.ok(300)
		for range g.rng.IntN(3) {
			b.at += g.between(120*time.Second, 200*time.Second)
			b.l.fromTag = "f" + g.id() // as phones do
			b.begin("refreshed", 300)
			b.challenge(401)
			b.ok(300)
		}
	case 3:
		b.begin("registered and gone", 300)
		b.challenge(407)
		b.ok(300)
		b.at += g.between(60*time.Second, 100*time.Second)
		b.begin("deregistered", 0)
		b.ok(0)
	case 4:
		b.begin("wrong password", 300)
		b.challenge(401)
		b.refuse(401, "Unauthorized")
	case 5:
		b.begin("forbidden", 300)
		b.challenge(401)
		b.refuse(403, "Forbidden")
	case 6:
		b.begin("interval too brief", 10)
		b.refuse(423, "Interval Too Brief")
		b.request(600)
		b.ok(600)
	case 7:
		b.begin("registrar in trouble", 300)
		b.refuse(503, "Service Unavailable")
	case 8:
		b.begin("no answer", 300)
		b.r.Outcome, b.r.Ineffective = "unanswered", true
	}
}

// begin begins an attempt.
func (b *binding) begin(scenario string, expires uint32) {
	l := b.l
	b.r = &Registration{
		Scenario: scenario, CallID: l.callID, Time: b.at, User: l.caller.user, Domain: l.caller.domain,
		Contact: l.caller.user + "@" + l.nodes[0].addr.String(), Source: l.nodes[0].addr.String(), Expires: expires,
	}
	b.g.registrations = append(b.g.registrations, b.r)
	b.sent = b.at
	b.request(expires)
}

func (b *binding) request(expires uint32) {
	l := b.l
	l.cseq++
	b.r.Requests++
	b.r.Expires = expires
	t := b.g.newTransaction(nil, l, message{
		method: "REGISTER", cseq: l.cseq, from: l.caller, to: l.callee, fromTag: l.fromTag, target: "registrar",
		headers: []string{"Contact: <sip:" + b.r.Contact + ">", fmt.Sprintf("Expires: %d", expires)},
	}, l.nodes)
	b.at = t.request(b.at)
	b.last = t
}

func (b *binding) respond(a answer) int64 {
	t := b.last
	wire, arrived := t.respond(a, len(t.nodes)-1, b.at)
	b.at = arrived + b.g.between(time.Millisecond, 20*time.Millisecond)
	b.r.Status = a.status
	return wire
}

func (b *binding) challenge(status int) {
	b.respond(answer{status, "Unauthorized", "r" + b.g.id(), "", []string{`WWW-Authenticate: Digest realm="a", nonce="1"`}})
	b.request(b.r.Expires)
}

func (b *binding) ok(expires uint32) {
	var headers []string
	b.r.Outcome, b.r.Ineffective = "deregistered", false
	if expires > 0 {
		headers = []string{fmt.Sprintf("Contact: <sip:%s>;expires=%d", b.r.Contact, expires)}
		b.r.Outcome = "registered"
	}
	b.r.Expires = expires
	b.r.RRDMs = ms(b.respond(answer{200, "OK", "r" + b.g.id(), "", headers}) - b.sent)
}

func (b *binding) refuse(status int, reason string) {
	b.respond(answer{status, reason, "r" + b.g.id(), "", nil})
	b.r.Outcome = "failed"
	b.r.Ineffective = status != 401
}
