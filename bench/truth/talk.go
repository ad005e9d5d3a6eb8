package truth

import (
	"fmt"
	"time"
)

// talk is a call being played: the same on every leg, so that a scenario is
// written once.
type talk struct {
	g *generator
	c *Call
	// legs in order from the caller; tags are the To tags by leg.
	legs    []*leg
	tags    []string
	invites []*transaction
	// ports are the media ports of caller and callee.
	ports [2]int
	// at is the time that has come.
	at int64
}

// newTalk chooses who calls whom over what.
func (g *generator) newTalk(scenario string, at int64, legs, hops int) *talk {
	d := &talk{g: g, at: at, c: &Call{Scenario: scenario, Method: "INVITE", loss: map[bool][]float64{}}}
	n := g.world.users
	caller := party{fmt.Sprintf("49301%06d", n), "a.example"}
	callee := party{fmt.Sprintf("44207%06d", 7*n+1), "b.example"}
	d.ports = [2]int{20000 + 4*(n%5000), 40000 + 4*(n%5000)}
	phone := g.phone()
	var middle []*host
	for i := range legs - 1 {
		middle = append(middle, g.world.b2buas[i])
	}
	var far *host
	if far = g.phone(); g.chance(0.4) {
		far = one(g, g.world.gateways)
	}
	ends := append(append([]*host{phone}, middle...), far)
	link := ""
	if legs > 1 {
		link = one(g, []string{"X-CID", "Session-ID", "P-Charging-Vector", "correlation_id", "heuristics"})
	}
	d.c.Link = link
	common := g.id()
	for i := range legs {
		l := &leg{
			callID: g.id() + "@" + ends[i].addr.Addr().String(), caller: caller, callee: callee, fromTag: "f" + g.id(),
			nodes: []*host{ends[i]}, cseq: 1 + g.rng.IntN(100), recseq: 1 + g.rng.IntN(100),
		}
		if legs == 1 && hops > 1 || legs > 1 && i == 0 && hops > 1 {
			l.nodes = append(l.nodes, one(g, g.world.edges))
		}
		if legs == 1 && hops > 2 || legs > 1 && i == legs-1 && hops > 1 {
			l.nodes = append(l.nodes, one(g, g.world.cores))
		}
		l.nodes = append(l.nodes, ends[i+1])
		if i > 0 {
			// As B2BUAs write numbers on.
			write := one(g, []func(string) string{
				func(n string) string { return n }, func(n string) string { return "+" + n },
				func(n string) string { return "00" + n }, func(n string) string { return "0" + n[2:] },
			})
			l.caller.user, l.callee.user = write(caller.user), write(callee.user)
		}
		l.target = l.callee.user
		switch link {
		case "X-CID":
			if i > 0 {
				l.headers = append(l.headers, "X-CID: "+d.legs[0].callID)
			}
		case "Session-ID":
			l.headers = append(l.headers, fmt.Sprintf("Session-ID: %032x;remote=00000000000000000000000000000000", uint64(n)+1<<40))
		case "P-Charging-Vector":
			l.headers = append(l.headers, `P-Charging-Vector: icid-value="icid-`+common+`";icid-generated-at=10.9.9.9`)
		case "correlation_id":
			l.correlation = "corr-" + common
		}
		d.legs = append(d.legs, l)
		d.tags = append(d.tags, "t"+g.id())
		d.c.CallIDs = append(d.c.CallIDs, l.callID)
	}
	c, first, last := d.c, d.legs[0], d.legs[legs-1]
	c.first = first
	c.FromUser, c.ToUser, c.RuriUser = first.caller.user, first.callee.user, first.target
	c.Src, c.Dst = first.nodes[0].addr.String(), first.nodes[1].addr.String()
	d.reaches(last.nodes[len(last.nodes)-2], last.nodes[len(last.nodes)-1])
	return d
}

func (d *talk) reaches(from, to *host) {
	d.c.LastSrc, d.c.LastDst = from.addr.String(), to.addr.String()
}

func (d *talk) wait(low, high time.Duration) { d.at += d.g.between(low, high) }

// sdp is a description of the caller's media, or of the callee's. A B2BUA passes
// them on as they are.
func (d *talk) sdp(caller bool, direction string) string {
	last := d.legs[len(d.legs)-1]
	if caller {
		return description(d.legs[0].nodes[0], d.ports[0], direction)
	}
	return description(last.nodes[len(last.nodes)-1], d.ports[1], direction)
}

// invite sends the INVITE over every leg: the first one, or the caller's next
// try.
func (d *talk) invite(headers ...string) {
	d.invites = nil
	for i := range d.legs {
		d.inviteOn(i, headers...)
	}
}

// inviteOn sends the INVITE over one leg.
func (d *talk) inviteOn(i int, headers ...string) *transaction {
	l := d.legs[i]
	l.cseq++
	t := d.g.newTransaction(d.c, l, message{
		method: "INVITE", cseq: l.cseq, from: l.caller, to: l.callee, fromTag: l.fromTag, target: l.target,
		sdp: d.sdp(true, "sendrecv"), headers: append([]string{"Contact: <sip:" + l.caller.user + "@" + l.nodes[0].addr.String() + ">"}, headers...),
	}, l.nodes)
	if i == 0 {
		d.c.try(d.at)
	}
	d.invites = append(d.invites, t)
	d.at = t.request(d.at)
	t.trying()
	d.at += d.g.hopTime()
	return t
}

// up sends a response to the INVITE from the callee back to the caller.
func (d *talk) up(status int, reason, sdp string, headers ...string) {
	for i := len(d.invites) - 1; i >= 0; i-- {
		t := d.invites[i]
		wire, arrived := t.respond(answer{status, reason, d.tags[i], sdp, headers}, len(t.nodes)-1, d.at)
		if i == 0 {
			d.c.told(status, wire)
			if status >= 200 {
				d.c.FinalStatus, d.c.FinalReason, d.c.Answer = status, reason, wire
			}
		}
		d.at = arrived + d.g.hopTime()
	}
}

func (d *talk) ring(status int) {
	sdp := ""
	if status == 183 {
		sdp = d.sdp(false, "sendrecv")
	}
	d.up(status, map[int]string{180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress"}[status], sdp)
}

// answer sends 200 and its ACK.
func (d *talk) answer() {
	d.up(200, "OK", d.sdp(false, "sendrecv"))
	d.ack()
}

// ack acknowledges the 2xx from end to end.
func (d *talk) ack() {
	for i, l := range d.legs {
		d.at = d.g.newTransaction(d.c, l, message{
			method: "ACK", cseq: l.cseq, from: l.caller, to: l.callee, fromTag: l.fromTag, toTag: d.tags[i], target: l.target,
		}, l.nodes).request(d.at)
	}
}

// refuse sends a failure from node n of the last leg back to the caller.
func (d *talk) refuse(status int, reason string, n int, q850 int) {
	var headers []string
	if q850 != 0 {
		headers = []string{fmt.Sprintf("Reason: Q.850;cause=%d", q850)}
		d.c.Q850 = q850
	}
	for i := len(d.invites) - 1; i >= 0; i-- {
		t := d.invites[i]
		from := len(t.nodes) - 1
		if i == len(d.invites)-1 {
			from = n
		}
		wire, arrived := t.refuse(answer{status, reason, d.tags[i], "", headers}, from, 0, d.at)
		if i == 0 {
			d.c.told(status, wire)
			d.c.FinalStatus, d.c.FinalReason, d.c.End = status, reason, wire
		}
		d.at = arrived + d.g.hopTime()
	}
}

// last is the number of the callee's node on the last leg.
func (d *talk) last() int { return len(d.invites[len(d.invites)-1].nodes) - 1 }

// within sends a request within the dialog from end to end with its response.
func (d *talk) within(method string, fromCaller bool, status int, reason string, headers ...string) (first *transaction, answered int64) {
	legs := make([]int, len(d.legs))
	for i := range legs {
		legs[i] = i
		if !fromCaller {
			legs[i] = len(d.legs) - 1 - i
		}
	}
	transactions := map[int]*transaction{}
	for _, i := range legs {
		l := d.legs[i]
		m := message{method: method, headers: headers}
		nodes := l.nodes
		if fromCaller {
			l.cseq++
			m.cseq, m.from, m.to, m.fromTag, m.toTag, m.target = l.cseq, l.caller, l.callee, l.fromTag, d.tags[i], l.callee.user
		} else {
			l.recseq++
			m.cseq, m.from, m.to, m.fromTag, m.toTag, m.target = l.recseq, l.callee, l.caller, d.tags[i], l.fromTag, l.caller.user
			nodes = reversed(nodes)
		}
		if method == "INVITE" || method == "UPDATE" {
			m.sdp = d.sdp(fromCaller, "sendonly")
		}
		t := d.g.newTransaction(d.c, l, m, nodes)
		transactions[i] = t
		d.at = t.request(d.at) + d.g.hopTime()
	}
	for n := len(legs) - 1; n >= 0; n-- {
		t := transactions[legs[n]]
		a := answer{status: status, reason: reason}
		if method == "INVITE" && status < 300 {
			a.sdp = d.sdp(!fromCaller, "recvonly")
		}
		var wire, arrived int64
		if status >= 300 && method == "INVITE" {
			a.toTag = t.message.toTag
			wire, arrived = t.refuse(a, len(t.nodes)-1, 0, d.at)
		} else {
			wire, arrived = t.respond(a, len(t.nodes)-1, d.at)
		}
		if legs[n] == 0 {
			first, answered = t, wire
		}
		d.at = arrived + d.g.hopTime()
	}
	if method == "INVITE" && status < 300 {
		for _, i := range legs {
			t := transactions[i]
			m := t.message
			m.method, m.sdp = "ACK", ""
			d.at = d.g.newTransaction(d.c, d.legs[i], m, t.nodes).request(d.at)
		}
	}
	return first, answered
}

func reversed(nodes []*host) []*host {
	out := make([]*host, len(nodes))
	for i, n := range nodes {
		out[len(nodes)-1-i] = n
	}
	return out
}

// bye ends the call.
func (d *talk) bye(byCaller bool) {
	t, answered := d.within("BYE", byCaller, 200, "OK", "Reason: Q.850;cause=16;text=\"Normal call clearing\"")
	d.c.Q850 = 16
	d.c.End, d.c.Completed = t.sent[0], true
	d.c.SDDMs = ms(answered - t.sent[0])
	d.c.Outcome, d.c.ReleasedBy = "answered", "callee"
	if byCaller {
		d.c.ReleasedBy = "caller"
	}
}

// cancelled is the caller's CANCEL after a while, and the 487 that comes of it.
func (d *talk) cancelled() {
	for _, t := range d.invites {
		d.at = t.cancel(0, d.at) + d.g.hopTime()
	}
	d.refuse(487, "Request Terminated", d.last(), 0)
	d.c.Outcome, d.c.ReleasedBy = "cancelled", "caller"
}
