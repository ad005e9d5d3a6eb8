package truth

import (
	"slices"
	"strings"
	"time"
)

// scenario is a way that a call can go.
type scenario struct {
	name string
	// legs and hops are the most that it is played over; 0 is any.
	legs, hops int
	// least is the fewest hops that it needs.
	least int
	play  func(d *talk)
}

// Scenarios lists the names of the ways that calls go.
func Scenarios() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

func chosen(only []string) []scenario {
	if len(only) == 0 {
		return scenarios
	}
	var out []scenario
	for _, s := range scenarios {
		if slices.ContainsFunc(only, func(name string) bool { return strings.HasPrefix(s.name, name) }) {
			out = append(out, s)
		}
	}
	return out
}

// makeCall plays a call from a time on.
func (g *generator) makeCall(s scenario, at int64) {
	legs := 1
	if s.legs != 1 {
		legs = one(g, []int{1, 1, 2, 2, 3})
	}
	hops := 1 + g.rng.IntN(3)
	if s.hops > 0 {
		hops = min(hops, s.hops)
	}
	hops = max(hops, s.least)
	d := g.newTalk(s.name, at, legs, hops)
	first := len(g.packets)
	s.play(d)
	d.c.finish()
	g.calls = append(g.calls, d.c)
	if g.chance(g.cfg.Lossy) {
		g.lose(d, first)
	}
}

var scenarios = []scenario{
	{name: "answered caller hangs up", play: func(d *talk) { d.conversation(180, true) }},
	{name: "answered callee hangs up", play: func(d *talk) { d.conversation(180, false) }},
	{name: "answered at once", play: func(d *talk) { d.conversation(0, true) }},
	{name: "answered after early media", play: func(d *talk) { d.conversation(183, false) }},
	{name: "answered with PRACK and UPDATE", play: (*talk).prack},
	{name: "answered with re-INVITE", play: func(d *talk) { d.reinvite(200, "OK", true) }},
	{name: "answered with failed re-INVITE", play: func(d *talk) { d.reinvite(488, "Not Acceptable Here", true) }},
	{name: "answered with glare", play: func(d *talk) { d.reinvite(491, "Request Pending", false) }},
	{name: "answered with REFER", play: (*talk).refer},
	{name: "answered after 407", least: 2, play: func(d *talk) { d.challenged(true) }},
	{name: "answered after redirect by caller", legs: 1, play: func(d *talk) { d.redirected(true) }},
	{name: "answered without ACK before BYE", play: (*talk).byeBeforeACK},
	{name: "answered with retransmissions", legs: 1, play: (*talk).retransmitted},
	{name: "answered despite CANCEL", play: (*talk).race},
	{name: "answered fork", legs: 1, least: 2, play: func(d *talk) { d.fork(true, false) }},
	{name: "answered fork twice", legs: 1, least: 2, play: func(d *talk) { d.fork(true, true) }},
	{name: "answered by the second target", legs: 1, least: 2, play: (*talk).hunt},
	{name: "answered by redirect within", legs: 1, least: 2, play: (*talk).recursion},
	{name: "answered with challenged BYE", legs: 1, play: (*talk).challengedBye},
	{name: "up without BYE", play: func(d *talk) {
		d.setUp(180)
		d.c.Outcome = "in_progress"
	}},
	{name: "failed busy", play: func(d *talk) { d.fails(486, "Busy Here", true, true, 17) }},
	{name: "failed declined", play: func(d *talk) { d.fails(603, "Decline", true, true, 21) }},
	{name: "failed busy everywhere", play: func(d *talk) { d.fails(600, "Busy Everywhere", false, true, 0) }},
	{name: "failed not picked up", play: func(d *talk) { d.fails(480, "Temporarily Unavailable", true, true, 19) }},
	{name: "failed not acceptable", play: func(d *talk) { d.fails(488, "Not Acceptable Here", false, true, 0) }},
	{name: "failed not found", play: func(d *talk) { d.fails(404, "Not Found", false, false, 1) }},
	{name: "failed incomplete", play: func(d *talk) { d.fails(484, "Address Incomplete", false, false, 28) }},
	{name: "failed forbidden", play: func(d *talk) { d.fails(403, "Forbidden", false, false, 0) }},
	{name: "failed error", play: func(d *talk) { d.fails(500, "Server Internal Error", false, false, 0) }},
	{name: "failed overload", play: func(d *talk) { d.fails(503, "Service Unavailable", false, false, 34) }},
	{name: "failed gateway timeout", play: func(d *talk) { d.fails(504, "Server Time-out", false, false, 0) }},
	{name: "failed 408 by proxy", legs: 1, least: 2, play: (*talk).proxyGivesUp},
	{name: "failed after 407", least: 2, play: func(d *talk) { d.challenged(false) }},
	{name: "failed fork", legs: 1, least: 2, play: func(d *talk) { d.fork(false, false) }},
	{name: "redirected", legs: 1, play: func(d *talk) { d.redirected(false) }},
	{name: "cancelled while ringing", play: func(d *talk) {
		d.invite()
		d.ring(180)
		d.wait(time.Second, 8*time.Second)
		d.cancelled()
	}},
	{name: "cancelled early", play: func(d *talk) {
		d.invite()
		d.wait(200*time.Millisecond, time.Second)
		d.cancelled()
	}},
	{name: "unanswered without any response", legs: 1, hops: 1, play: (*talk).silence},
	{name: "unanswered while ringing", play: func(d *talk) {
		d.invite()
		d.ring(180)
		d.c.Outcome = "unanswered"
	}},
	{name: "ping", legs: 1, play: (*talk).ping},
}

// setUp brings the call up.
func (d *talk) setUp(ring int) {
	d.invite()
	if ring != 0 {
		d.wait(50*time.Millisecond, 400*time.Millisecond)
		d.ring(ring)
		d.wait(time.Second, 6*time.Second)
	}
	d.answer()
	d.c.Outcome = "in_progress"
}

func (d *talk) conversation(ring int, byCaller bool) {
	d.setUp(ring)
	for range d.g.rng.IntN(4) {
		d.wait(time.Second, 5*time.Second)
		d.report(d.g.chance(0.5))
	}
	d.wait(2*time.Second, 20*time.Second)
	d.bye(byCaller)
}

func (d *talk) prack() {
	d.invite("Supported: 100rel")
	d.up(183, "Session Progress", d.sdp(false, "sendrecv"), "Require: 100rel", "RSeq: 1")
	d.within("PRACK", true, 200, "OK", "RAck: 1 1 INVITE")
	d.within("UPDATE", true, 200, "OK")
	d.wait(time.Second, 3*time.Second)
	d.up(180, "Ringing", "")
	d.wait(time.Second, 3*time.Second)
	// The CSeq of the INVITE is the one that the answer has.
	cseqs := make([]int, len(d.legs))
	for i, l := range d.legs {
		cseqs[i], l.cseq = l.cseq, d.invites[i].message.cseq
	}
	d.answer()
	for i, l := range d.legs {
		l.cseq = cseqs[i]
	}
	d.wait(2*time.Second, 9*time.Second)
	d.bye(true)
}

func (d *talk) reinvite(status int, reason string, byCaller bool) {
	d.setUp(180)
	d.wait(time.Second, 4*time.Second)
	if status == 491 {
		// Both sides at once: each refuses the other's.
		at := d.at
		d.within("INVITE", true, status, reason)
		d.at, at = at+100, d.at
		d.within("INVITE", false, status, reason)
		d.at = max(d.at, at)
		d.wait(2*time.Second, 4*time.Second)
		d.within("INVITE", false, 200, "OK")
	} else {
		d.within("INVITE", byCaller, status, reason)
		d.wait(time.Second, 2*time.Second)
		d.within("INFO", !byCaller, 200, "OK")
	}
	d.wait(2*time.Second, 9*time.Second)
	d.bye(!byCaller)
}

func (d *talk) refer() {
	d.setUp(180)
	d.wait(time.Second, 4*time.Second)
	d.within("REFER", true, 202, "Accepted", "Refer-To: <sip:49309999@a.example>")
	d.within("NOTIFY", false, 200, "OK", "Event: refer", "Subscription-State: active")
	d.wait(time.Second, 2*time.Second)
	d.within("NOTIFY", false, 200, "OK", "Event: refer", "Subscription-State: terminated")
	d.bye(true)
}

// challenged is a caller who has to name a password first.
func (d *talk) challenged(answered bool) {
	t := d.inviteOnlyTo(1)
	wire, arrived := t.refuse(answer{407, "Proxy Authentication Required", "p" + d.g.id(), "", []string{`Proxy-Authenticate: Digest realm="a", nonce="1"`}}, 1, 0, d.at)
	d.c.told(407, wire)
	d.at = arrived + d.g.hopTime()
	if answered {
		d.conversation(180, true)
		return
	}
	d.fails(486, "Busy Here", true, true, 0)
}

// inviteOnlyTo sends the INVITE of the first leg no further than to node n.
func (d *talk) inviteOnlyTo(n int) *transaction {
	l := d.legs[0]
	nodes := l.nodes
	l.nodes = nodes[:n+1]
	t := d.inviteOn(0)
	l.nodes = nodes
	return t
}

// redirected is a caller that is told another target, and tries it or not.
func (d *talk) redirected(tries bool) {
	d.invite()
	l := d.legs[0]
	d.refuse(302, "Moved Temporarily", d.last(), 0)
	d.c.Outcome, d.c.ReleasedBy = "failed", "callee"
	if !tries {
		return
	}
	d.c.End, d.c.FinalStatus, d.c.FinalReason = 0, 0, ""
	d.wait(10*time.Millisecond, 200*time.Millisecond)
	l.target = "4930555" + l.target[7:]
	l.nodes = append(append([]*host{}, l.nodes[:len(l.nodes)-1]...), d.g.phone())
	d.reaches(l.nodes[len(l.nodes)-2], l.nodes[len(l.nodes)-1])
	d.tags[0] = "t" + d.g.id()
	d.conversation(180, false)
}

func (d *talk) byeBeforeACK() {
	d.invite()
	d.ring(180)
	d.wait(time.Second, 3*time.Second)
	d.up(200, "OK", d.sdp(false, "sendrecv"))
	before := d.at
	d.at -= 300 // the callee hangs up while the ACK is on its way
	d.bye(false)
	after := d.at
	d.at = before
	d.ack()
	d.at = max(d.at, after)
}

// retransmitted is a call of which messages were lost on the network.
func (d *talk) retransmitted() {
	d.invite()
	t := d.invites[0]
	t.requestOn(0, t.sent[0]+500_000, true)
	d.at = max(d.at, t.sent[0]+501_000)
	d.ring(180)
	d.wait(time.Second, 2*time.Second)
	d.up(200, "OK", d.sdp(false, "sendrecv"))
	again := answer{200, "OK", d.tags[0], d.sdp(false, "sendrecv"), nil}
	for hop := len(t.nodes) - 2; hop >= 0; hop-- {
		t.respondOn(hop, again, d.at+500_000+int64(len(t.nodes)-hop)*1000, true)
	}
	d.at += 510_000
	d.ack()
	d.wait(2*time.Second, 9*time.Second)
	d.bye(true)
}

// race is a CANCEL that comes too late: the answer wins, and the caller hangs up.
func (d *talk) race() {
	d.invite()
	d.ring(180)
	d.wait(time.Second, 3*time.Second)
	at := d.at
	for _, t := range d.invites {
		at = t.cancel(0, at) + d.g.hopTime()
	}
	d.up(200, "OK", d.sdp(false, "sendrecv"))
	d.ack()
	d.wait(time.Millisecond, 20*time.Millisecond)
	d.at = max(d.at, at)
	d.bye(true)
}

func (d *talk) fails(status int, reason string, rings, byCallee bool, q850 int) {
	d.invite()
	if rings {
		d.ring(180)
		d.wait(time.Second, 9*time.Second)
	}
	d.c.Outcome, d.c.ReleasedBy = "failed", "callee"
	from := d.last()
	if !byCallee {
		// The caller's next hop refuses, and what it sent on counts as not sent.
		from = 1
		if len(d.legs) > 1 || len(d.invites[0].nodes) > 2 {
			d.refuse(status, reason, d.last(), q850)
			return // a further hop reported it: it is the callee's side
		}
		d.c.ReleasedBy = "network"
	}
	d.refuse(status, reason, from, q850)
}

// proxyGivesUp is a callee that does not answer its proxy.
func (d *talk) proxyGivesUp() {
	d.invite()
	t := d.invites[0]
	hop := len(t.nodes) - 2
	for _, after := range []int64{500_000, 1_500_000, 3_500_000} {
		t.requestOn(hop, t.sent[hop]+after, true)
	}
	d.at = t.sent[hop] + 5_000_000
	d.refuse(408, "Request Timeout", hop, 0)
	d.c.Outcome, d.c.ReleasedBy = "failed", "network"
}

func (d *talk) silence() {
	d.invite()
	t := d.invites[0]
	wait := int64(500_000)
	for at := t.sent[0] + wait; at < t.sent[0]+32_000_000; at += wait {
		t.requestOn(0, at, true)
		wait *= 2
	}
	d.c.Outcome = "unanswered"
}

func (d *talk) ping() {
	l := d.legs[0]
	d.c.Method = "OPTIONS"
	t := d.g.newTransaction(d.c, l, message{method: "OPTIONS", cseq: 1, from: l.caller, to: l.callee, fromTag: l.fromTag, target: l.target}, l.nodes)
	d.c.try(d.at)
	d.at = t.request(d.at)
	wire, arrived := t.respond(answer{200, "OK", "t" + d.g.id(), "", nil}, len(t.nodes)-1, d.at)
	d.c.told(200, wire)
	d.c.FinalStatus, d.c.FinalReason, d.c.Answer, d.c.Outcome, d.at = 200, "OK", wire, "answered", arrived
}
