package calls

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Registration is one attempt of a user agent to register, to refresh or to
// remove a binding (RFC 3261 section 10). A challenge and the request that
// answers it are one attempt, and so is a request repeated with the interval
// that the registrar wants (423).
type Registration struct {
	Tenant, CallID string
	// CSeq is that of the attempt's first request: with the Call-ID and Time it
	// names the attempt.
	CSeq uint32
	// Time is when the first request was first seen, LastSeen the last message.
	Time, LastSeen time.Time
	// User and Domain are the address of record, Contact the binding as
	// user@host:port, Source and Registrar sender and receiver of the request.
	User, Domain, Contact string
	Source, Registrar     netip.AddrPort
	Transport, UserAgent  string
	Nodes                 []string
	// Outcome is Registered, Deregistered, Failed, Unanswered, or InProgress.
	Outcome Outcome
	// Status and Cause are the final response's code and reason phrase; 0 and ""
	// when none came.
	Status uint16
	Cause  string
	// Expires is what the registrar granted, else what was asked for, in s.
	Expires uint32
	// RRDMs is the registration request delay (RFC 6076 section 4.1): from the
	// first request to the final response, challenges included; nil when it did
	// not succeed.
	RRDMs *float64
	// Ineffective marks a failed registration attempt of RFC 6076 section 4.2: a
	// final response of 4xx (other than 401, 402, 407), 5xx or 6xx, or none.
	Ineffective bool
	// Requests counts the distinct requests of the attempt, Challenged says that
	// there was a challenge among the responses.
	Requests   uint64
	Challenged bool
	// Messages and Retransmissions count as in Call.
	Messages, Retransmissions uint64
}

// retryWithin is how soon a user agent answers a challenge: nobody types in
// between. What comes later is an attempt of its own.
const retryWithin = 10 * time.Second

// Registrations lists the attempts of a leg in order of time; none when a
// REGISTER did not open it. now is as in Assemble.
func Registrations(leg Leg, now time.Time) []Registration {
	if !slices.ContainsFunc(leg.Events, func(e Event) bool { return e.Method == Register }) {
		return nil
	}
	o := openingOf(&leg)
	if o.method != Register {
		return nil
	}
	var out []Registration
	for _, attempt := range o.attempts() {
		out = append(out, o.registration(attempt, now))
	}
	return out
}

// exchange is a request with one CSeq, on every hop.
type exchange struct {
	own, further []*transaction
}

func (x exchange) told() []Event     { return responsesOf(x.own) }
func (x exchange) requests() []Event { return requestsOf(x.own) }
func (x exchange) all() []*transaction {
	return slices.Concat(x.own, x.further)
}

func requestsOf(transactions []*transaction) []Event {
	var out []Event
	for _, t := range transactions {
		out = append(out, t.requests...)
	}
	slices.SortFunc(out, compareEvents)
	return out
}

// final is the final response that the user agent got to the request; where that
// was missed, the one seen on the nearest hop.
func (x exchange) final() *Event {
	told := x.told()
	if e := firstOf(told, isSuccess); e != nil {
		return e
	}
	if e := best(told); e != nil {
		return e
	}
	if e := nearest(x.further, isSuccess); e != nil {
		return e
	}
	return nearest(x.further, isFailure)
}

func (x exchange) began() Event { return x.all()[0].first() }

// attempts puts the exchanges together that belong to one attempt.
func (o *opening) attempts() [][]exchange {
	byNumber := map[dialogRequest]*exchange{}
	var order []*exchange
	for _, t := range o.transactions {
		x := byNumber[dialogRequest{t.cseq, t.fromTag}]
		if x == nil {
			x = &exchange{}
			byNumber[dialogRequest{t.cseq, t.fromTag}] = x
			order = append(order, x)
		}
		if t.own {
			x.own = append(x.own, t)
		} else {
			x.further = append(x.further, t)
		}
	}
	// In order of time: a phone that was restarted begins anew with its numbers.
	slices.SortFunc(order, func(a, b *exchange) int { return compareEvents(a.began(), b.began()) })
	var out [][]exchange
	for _, x := range order {
		x := *x
		if len(out) > 0 {
			last := out[len(out)-1]
			previous := last[len(last)-1]
			if repeats(previous, x) {
				out[len(out)-1] = append(last, x)
				continue
			}
		}
		out = append(out, []exchange{x})
	}
	return out
}

// repeats tells whether a request repeats the one before, as its response asked.
func repeats(previous, x exchange) bool {
	f := previous.final()
	if f == nil || !isChallenge(f.Status) && f.Status != 423 {
		return false
	}
	after := x.began().Time - f.Time
	return after >= -clockTolerance && after <= retryWithin.Microseconds()
}

func (o *opening) registration(attempt []exchange, now time.Time) Registration {
	l := o.leg
	first, last := attempt[0], attempt[len(attempt)-1]
	p := &l.Opening
	r := Registration{
		Tenant: l.Tenant, CallID: l.CallID, CSeq: first.all()[0].cseq, Time: timeAt(first.began().Time),
		User: cmp.Or(p.ToUser, p.FromUser), Domain: cmp.Or(p.ToDomain, p.RuriDomain), Contact: contact(p),
		Source: p.Src, Registrar: p.Dst, Transport: p.Transport, UserAgent: p.UserAgent,
		Nodes: slices.Compact(slices.Sorted(slices.Values(l.Nodes))), Requests: uint64(len(attempt)),
	}
	if len(first.own) > 0 {
		r.Source = cmp.Or(l.Addresses[first.own[0].client], r.Source)
		r.Registrar = cmp.Or(l.Addresses[first.own[0].server], r.Registrar)
	}
	var events []Event
	asked, wanted := uint32(0), false
	for _, x := range attempt {
		for _, t := range x.all() {
			events = slices.Concat(events, t.requests, t.responses)
		}
		for _, e := range x.requests() {
			asked, wanted = e.Expires, true
		}
		if f := x.final(); f != nil && isChallenge(f.Status) {
			r.Challenged = true
		}
	}
	slices.SortFunc(events, compareEvents)
	r.Messages, r.Retransmissions = uint64(len(events)), retransmissions(events)
	r.LastSeen = timeAt(events[len(events)-1].Time)
	r.Expires = asked
	final := last.final()
	if final == nil {
		r.Outcome = Unanswered
		if !now.IsZero() && r.LastSeen.Add(giveUp).After(now) {
			r.Outcome = InProgress
		}
		r.Ineffective = r.Outcome == Unanswered
		return r
	}
	r.Status, r.Cause = final.Status, l.Reasons[final.Status]
	if !isSuccess(final) {
		r.Outcome = Failed
		r.Ineffective = final.Status >= 400 && !isChallenge(final.Status)
		return r
	}
	r.Outcome = Registered
	if final.Expires > 0 {
		r.Expires = final.Expires
	} else if wanted && asked == 0 {
		r.Outcome = Deregistered
	}
	finals := where(last.told(), isSuccess)
	if len(finals) == 0 {
		finals = []Event{*final}
	}
	r.RRDMs = delay(first.requests(), finals)
	return r
}

// contact writes a Contact's address as user@host:port, as much of it as there is.
func contact(p *Opening) string {
	host := p.ContactHost
	if p.ContactPort != 0 {
		host = net.JoinHostPort(host, strconv.Itoa(int(p.ContactPort)))
	}
	if p.ContactUser == "" {
		return host
	}
	return p.ContactUser + "@" + host
}
