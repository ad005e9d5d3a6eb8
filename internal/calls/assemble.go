package calls

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Assemble makes a call of the legs of a group. now is the time at which it is
// looked at: a call without a final response is in progress for a while after its
// last message, and unanswered then; the zero time means that nothing more comes.
//
// The result depends on what the legs hold alone, not on the order or the pieces
// in which it came. Nothing of it aliases the legs but strings.
func Assemble(g Group, now time.Time) Call {
	if len(g.Legs) == 0 {
		return Call{}
	}
	legs := slices.Clone(g.Legs)
	for i := range legs {
		openingOf(&legs[i])
	}
	legs = inOrder(legs)
	openings := make([]*opening, len(legs))
	for i := range legs {
		openings[i] = legs[i].opened
	}
	a := assembly{legs: legs, openings: openings, shared: g.shared}
	a.gather()
	a.parties()
	a.links(g.Links)
	f := openings[0].fate()
	a.fare(f, now)
	a.quality()
	return a.call
}

// assembly is a call being put together.
type assembly struct {
	legs     []Leg
	openings []*opening
	shared   []string // see Group
	call     Call
}

// gather collects what every leg adds to the call.
func (a *assembly) gather() {
	c := &a.call
	first := &a.legs[0]
	c.Tenant, c.Key = first.Tenant, key(a.legs, a.shared)
	var hops []hop
	var q850At time.Time
	for i := range a.legs {
		l, o := &a.legs[i], a.openings[i]
		c.CallIDs = append(c.CallIDs, l.CallID)
		c.CorrelationIDs = append(c.CorrelationIDs, l.CorrelationIDs...)
		c.UserAgents = append(c.UserAgents, l.UserAgents...)
		c.Nodes = append(c.Nodes, l.Nodes...)
		c.MediaAddresses = append(c.MediaAddresses, l.MediaAddresses...)
		c.Messages += l.Messages
		c.Retransmissions += retransmissions(o.events)
		hops = o.hops(hops)
		if c.Start.IsZero() || l.First.Before(c.Start) {
			c.Start = l.First.UTC()
		}
		if l.Last.After(c.LastSeen) {
			c.LastSeen = l.Last.UTC()
		}
		if l.Q850 != 0 && (c.Q850 == 0 || l.Last.After(q850At)) {
			c.Q850, q850At = l.Q850, l.Last
		}
		if c.Codecs == nil {
			c.Codecs = codecs(cmp.Or(l.Answered, l.Offered))
		}
	}
	c.Hops = uint64(len(hops))
	for _, s := range []*[]string{&c.CorrelationIDs, &c.UserAgents, &c.Nodes, &c.MediaAddresses} {
		slices.Sort(*s)
		*s = slices.DeleteFunc(slices.Compact(*s), func(v string) bool { return v == "" })
	}
}

// parties says who called whom, from where to where.
func (a *assembly) parties() {
	c, first, o := &a.call, &a.legs[0], a.openings[0]
	p := &first.Opening
	if fromCallee(first, o) {
		turned := *p
		turned.FromUser, turned.FromDomain, turned.ToUser, turned.ToDomain = p.ToUser, p.ToDomain, p.FromUser, p.FromDomain
		turned.Src, turned.Dst, turned.RuriUser, turned.RuriDomain = p.Dst, p.Src, "", ""
		p = &turned
	}
	c.FromUser, c.FromDomain, c.ToUser, c.ToDomain = p.FromUser, p.FromDomain, p.ToUser, p.ToDomain
	c.RuriUser, c.RuriDomain, c.PAIUser, c.Diversion = p.RuriUser, p.RuriDomain, p.PAIUser, p.Diversion
	c.Src, c.Dst, c.Transport = p.Src, p.Dst, p.Transport
	if len(o.tries) > 0 {
		c.Src = cmp.Or(first.Addresses[o.tries[0].client], c.Src)
		c.Dst = cmp.Or(first.Addresses[o.tries[0].server], c.Dst)
	}
	c.Opened = o.seen
	c.Method = o.method.String()
	if o.method == Other {
		c.Method = p.Method
	}
	c.LastSrc, c.LastDst = c.Src, c.Dst
	for i := len(a.legs) - 1; i >= 0; i-- {
		if a.openings[i].method != o.method {
			continue
		}
		l := &a.legs[i]
		if t := a.openings[i].lastHop(); t != nil && l.Addresses[t.server].IsValid() {
			c.LastSrc, c.LastDst = l.Addresses[t.client], l.Addresses[t.server]
		} else if l.Opening.Dst.IsValid() {
			c.LastSrc, c.LastDst = l.Opening.Src, l.Opening.Dst
		}
		break
	}
}

// fromCallee tells whether the request that the leg's facts are of is one that the
// callee sent within the dialog, the opening one having been missed: its From is
// the call's To.
func fromCallee(l *Leg, o *opening) bool {
	if l.Opening.Method == "" {
		return false // of a response: to the INVITE, where one was seen
	}
	found := false
	for i := range l.Events {
		e := &l.Events[i]
		if e.Status != 0 || e.Method.String() != l.Opening.Method || e.FromTag == 0 {
			continue
		}
		if e.FromTag == o.callerTag {
			return false
		}
		found = found || e.ToTag == o.callerTag
	}
	return found && o.callerTag != 0
}

// fare says how the call came out.
func (a *assembly) fare(f *fate, now time.Time) {
	c, o := &a.call, a.openings[0]
	isCall := o.method == Invite
	numbers := make([]uint32, len(o.tries))
	for i, t := range o.tries {
		numbers[i] = t.cseq
	}
	slices.Sort(numbers)
	c.Tries = uint64(len(slices.Compact(numbers)))
	c.FirstProvisional, c.Ring = timeOf(f.provisional), timeOf(f.ring)
	c.FinalStatus = f.status
	a.borrowStatus(f)
	c.FinalReason = a.legs[0].Reasons[c.FinalStatus]
	finals := []Event(nil)
	if f.final != nil {
		finals = []Event{*f.final}
		if f.final.Status > 0 {
			finals = where(f.told, func(e *Event) bool {
				return e.Status == f.final.Status && e.ToTag == f.final.ToTag && e.Branch == f.final.Branch
			})
		}
		if len(finals) == 0 {
			finals = []Event{*f.final}
		}
	}
	var r release
	switch {
	case f.answered:
		c.Answer = timeOf(f.final)
		if isCall {
			r = a.release(f)
			c.End = timeAt(r.time)
		}
	case f.failed:
		c.End = timeOf(f.final)
	}
	c.ByeAnswered, c.SDDMs = r.answered, r.sddMs
	ringing := where(f.told, isRinging)
	if f.ring != nil {
		if len(ringing) == 0 {
			ringing = []Event{*f.ring}
		}
		c.PDDMs = delay(f.first, ringing)
		if f.answered || f.failed {
			c.RingMs = delay(ringing, finals)
		}
	}
	if f.fares != nil {
		fares := where(f.told, tellsFate)
		if len(fares) == 0 {
			fares = []Event{*f.fares}
		}
		c.SRDMs = delay(f.first, fares)
	}
	if isCall && !c.Answer.IsZero() {
		end := c.End
		if end.IsZero() {
			end = c.LastSeen
		}
		s := max(0, end.Sub(c.Answer).Seconds())
		c.DurationS = &s
	}
	c.Outcome = a.outcome(f, isCall, now)
	if isCall {
		c.ReleasedBy = a.releasedBy(f, r)
	}
}

// borrowStatus takes the status of a failure of which only the caller's ACK was
// seen from the next leg, whose failure it was told.
func (a *assembly) borrowStatus(f *fate) {
	if !f.failed || a.call.FinalStatus != 0 {
		return
	}
	for _, o := range a.openings[1:] {
		if g := o.fate(); g.failed && g.status != 0 {
			a.call.FinalStatus = g.status
			return
		}
	}
}

// release is the end of the first leg; where no end of it was seen, that of the
// leg after which nothing happened any more.
func (a *assembly) release(f *fate) release {
	r := a.openings[0].findRelease(f)
	if r.time != 0 {
		return r
	}
	for _, o := range a.openings[1:] {
		other := o.findRelease(o.fate())
		if other.time == 0 || a.call.LastSeen.After(timeAt(other.time).Add(giveUp)) || a.legs[0].Last.After(timeAt(other.time).Add(giveUp)) {
			continue
		}
		// The tags of that leg are its own: its caller's side is the call's.
		if other.by == o.callerTag {
			other.by = a.openings[0].callerTag
		} else {
			other.by = 0
		}
		return other
	}
	return release{}
}

func (a *assembly) outcome(f *fate, isCall bool, now time.Time) Outcome {
	c := &a.call
	patience := giveUp
	if isCall && f.ring != nil {
		patience = giveUpRing
	}
	switch {
	case f.answered && isCall && c.End.IsZero():
		return InProgress
	case f.answered:
		return Answered
	case f.cancelled:
		return Cancelled
	case f.failed:
		return Failed
	case c.Opened && c.LastSeen.Add(patience).After(now) && !now.IsZero():
		return InProgress
	}
	return Unanswered
}

// releasedBy says who ended the call. A failure that came from the far end of a
// further hop or leg, or that only people and their phones give, is the callee's.
func (a *assembly) releasedBy(f *fate, r release) string {
	c := &a.call
	switch {
	case f.answered && r.time == 0:
		return ""
	case f.answered && r.by == a.openings[0].callerTag:
		return ByCaller
	case f.answered:
		return ByCallee
	case f.cancelled:
		return ByCaller
	case !f.failed:
		return ""
	case c.FinalStatus > 0 && c.FinalStatus < 400, a.openings[0].failedAtEnd(a.openings[0].further()):
		return ByCallee
	}
	switch c.FinalStatus {
	case 480, 486, 488, 600, 603, 604, 606:
		return ByCallee
	}
	for _, o := range a.openings[1:] {
		if o.method == Invite && o.failedAtEnd(slices.Concat(o.lastTry, o.further())) {
			return ByCallee
		}
	}
	return ByNetwork
}

// links lists the legs with what links each to one before it.
func (a *assembly) links(links []Link) {
	for i := range a.legs {
		l := CallLeg{CallID: a.legs[i].CallID, Confidence: 1}
		if i > 0 {
			l.Reason, l.Confidence = linkOf(a.legs, i, links)
		}
		l.FinalStatus = a.openings[i].fate().status
		a.call.Legs = append(a.call.Legs, l)
	}
}

// key is the id that stands for the call.
func key(legs []Leg, shared []string) string {
	isCallID := func(id string) bool { return slices.ContainsFunc(legs, func(l Leg) bool { return l.CallID == id }) }
	out := ""
	for _, id := range legs[0].CorrelationIDs {
		if id != "" && !isCallID(id) && !slices.Contains(shared, id) && (out == "" || id < out) {
			out = id
		}
	}
	return cmp.Or(out, legs[0].CallID)
}

// codecs are the main stream's in an SDP summary: "audio 10.0.0.1:20000
// PCMU,PCMA sendrecv, video …".
func codecs(summary string) []string {
	main, _, _ := strings.Cut(summary, ", ")
	if words := strings.Split(main, " "); len(words) == 4 {
		return strings.Split(words[2], ",")
	}
	return nil
}

func timeOf(e *Event) time.Time {
	if e == nil {
		return time.Time{}
	}
	return timeAt(e.Time)
}

func timeAt(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
