package truth

import "time"

// second is the last proxy's other target for the call.
func (d *talk) second() *transaction {
	t := d.invites[0]
	return t.fork(len(t.nodes)-2, d.g.phone())
}

// fork rings two phones at once: the second one answers, or both do, or neither.
func (d *talk) fork(answered, both bool) {
	d.invite()
	a, b := d.invites[0], d.second()
	proxy := len(a.nodes) - 2
	b.request(a.sent[proxy] + 30)
	tagA, tagB := d.tags[0], "u"+d.g.id()
	d.wait(50*time.Millisecond, 200*time.Millisecond)
	wire, at := a.respond(answer{180, "Ringing", tagA, "", nil}, len(a.nodes)-1, d.at)
	d.c.told(180, wire)
	wire, at = b.respond(answer{180, "Ringing", tagB, "", nil}, len(b.nodes)-1, at+5000)
	d.c.told(180, wire)
	d.at = at
	d.wait(time.Second, 5*time.Second)
	if !answered {
		// The proxy waits for both, and passes on the better one: the 6xx.
		a.refuse(answer{486, "Busy Here", tagA, "", nil}, len(a.nodes)-1, proxy, d.at)
		d.wait(time.Second, 2*time.Second)
		b.refuse(answer{603, "Decline", tagB, "", nil}, len(b.nodes)-1, proxy, d.at)
		d.at += 3000
		wire, d.at = a.refuse(answer{603, "Decline", tagB, "", nil}, proxy, 0, d.at)
		d.c.told(603, wire)
		d.c.FinalStatus, d.c.FinalReason, d.c.End, d.c.Outcome, d.c.ReleasedBy = 603, "Decline", wire, "failed", "callee"
		d.reaches(b.nodes[len(b.nodes)-2], b.nodes[len(b.nodes)-1])
		return
	}
	ok := answer{200, "OK", tagB, d.sdp(false, "sendrecv"), nil}
	wire, at = b.respond(ok, len(b.nodes)-1, d.at)
	d.c.told(200, wire)
	d.c.FinalStatus, d.c.FinalReason, d.c.Answer = 200, "OK", wire
	d.reaches(b.nodes[len(b.nodes)-2], b.nodes[len(b.nodes)-1])
	l := d.legs[0]
	through := l.nodes
	if both {
		// The other one was quicker than the proxy's CANCEL: the caller hangs it up.
		ok.toTag = tagA
		_, at = a.respond(ok, len(a.nodes)-1, d.at+20_000)
		d.at = at
		d.tags[0] = tagA
		d.ack()
		d.dismiss(tagA)
	} else {
		d.at = a.cancel(proxy, at)
		_, d.at = a.refuse(answer{487, "Request Terminated", tagA, "", nil}, len(a.nodes)-1, proxy, d.at)
	}
	d.tags[0], l.nodes = tagB, b.nodes
	cseq := l.cseq
	l.cseq = a.message.cseq
	d.ack()
	l.cseq = cseq
	d.wait(2*time.Second, 9*time.Second)
	d.bye(true)
	l.nodes = through
}

// dismiss hangs up the dialog that the caller has no use for.
func (d *talk) dismiss(tag string) {
	l := d.legs[0]
	l.cseq++
	t := d.g.newTransaction(d.c, l, message{
		method: "BYE", cseq: l.cseq, from: l.caller, to: l.callee, fromTag: l.fromTag, toTag: tag, target: l.callee.user,
	}, l.nodes)
	at := t.request(d.at)
	_, d.at = t.respond(answer{200, "OK", "", "", nil}, len(t.nodes)-1, at)
}

// hunt rings one phone after the other.
func (d *talk) hunt() {
	d.invite()
	a := d.invites[0]
	proxy := len(a.nodes) - 2
	d.ring(180)
	d.wait(4*time.Second, 9*time.Second)
	d.at = a.cancel(proxy, d.at)
	_, d.at = a.refuse(answer{487, "Request Terminated", d.tags[0], "", nil}, len(a.nodes)-1, proxy, d.at)
	b := d.second()
	d.at = b.request(d.at)
	d.through(b)
}

// recursion is a proxy that follows a redirect itself (RFC 3261 section 16.5).
func (d *talk) recursion() {
	d.invite()
	a := d.invites[0]
	_, d.at = a.refuse(answer{302, "Moved Temporarily", d.tags[0], "", nil}, len(a.nodes)-1, len(a.nodes)-2, d.at)
	b := d.second()
	d.at = b.request(d.at)
	d.through(b)
}

// through goes on with the call over another branch.
func (d *talk) through(b *transaction) {
	d.reaches(b.nodes[len(b.nodes)-2], b.nodes[len(b.nodes)-1])
	d.tags[0], d.legs[0].nodes, d.invites[0] = "t"+d.g.id(), b.nodes, b
	d.wait(100*time.Millisecond, time.Second)
	d.ring(180)
	d.wait(time.Second, 4*time.Second)
	d.answer()
	d.wait(2*time.Second, 9*time.Second)
	d.bye(false)
}

// challengedBye is a BYE that has to be sent twice, the second time with a
// password.
func (d *talk) challengedBye() {
	d.setUp(180)
	d.wait(2*time.Second, 5*time.Second)
	t, _ := d.within("BYE", true, 407, "Proxy Authentication Required")
	first := t.sent[0]
	d.bye(true)
	*d.c.SDDMs += float64(d.c.End-first) / 1000
	d.c.End = first
}
