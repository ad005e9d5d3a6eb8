package calls

import "slices"

// fate is how the opening of a leg came out, as its caller was told.
type fate struct {
	// first are the caller's own requests, told what it got to the last try, both
	// in order.
	first, told []Event
	// provisional, ring and fares are the first 1xx, the first 180 or 183, and the
	// first response other than 100 and challenges; nil when none.
	provisional, ring, fares *Event
	// final is what ended the opening: a response, or the ACK that proves one;
	// nil when neither was seen.
	final *Event
	// status is that of the final response; 0 when there is none or it is not known.
	status uint16
	// At most one of answered and failed is true; cancelled goes with failed, or
	// with neither while the final response is not seen.
	answered, failed, cancelled bool
	// dialogs are the To tags of the dialogs that were answered, in order.
	dialogs []uint32
}

func isChallenge(status uint16) bool { return status == 401 || status == 402 || status == 407 }

func isSuccess(e *Event) bool { return e.Status >= 200 && e.Status < 300 }

func isFailure(e *Event) bool { return e.Status >= 300 }

func isRinging(e *Event) bool { return e.Status == 180 || e.Status == 183 }

// fares reports the responses that say how a request fares (RFC 6076 section 4.3).
func tellsFate(e *Event) bool { return e.Status > 100 && !isChallenge(e.Status) }

// fate tells how the opening came out.
func (o *opening) fate() *fate {
	if o.came != nil {
		return o.came
	}
	f := &fate{told: o.told()}
	o.came = f
	for _, t := range o.tries {
		f.first = append(f.first, t.requests...)
	}
	slices.SortFunc(f.first, compareEvents)
	further := o.further()
	o.findFinal(f, further)
	o.findCancel(f)
	f.findProgress(further)
	o.findDialogs(f)
	return f
}

// findProgress finds the provisional responses. Where the caller's own was
// missed, the one nearest to it stands for it.
func (f *fate) findProgress(further []*transaction) {
	f.provisional = firstOf(f.told, func(e *Event) bool { return e.Status < 200 })
	f.ring = firstOf(f.told, isRinging)
	if f.ring == nil {
		f.ring = nearest(further, func(e *Event) bool { return isRinging(e) && (f.final == nil || e.Time <= f.final.Time) })
	}
	f.fares = firstOf(f.told, tellsFate)
	if f.fares == nil || f.ring != nil && f.ring.Time < f.fares.Time {
		f.fares = f.ring
	}
	if f.fares == nil && f.final != nil && f.final.Status > 0 && !isChallenge(f.final.Status) {
		f.fares = f.final
	}
}

// findFinal finds what ended the opening: what the caller was told; where that
// was missed, an answer seen further on, or the caller's ACK. An ACK with the
// INVITE's branch confirms a failure, one with its own a 2xx (RFC 3261 sections
// 17.1.1.3 and 13.2.2.4).
func (o *opening) findFinal(f *fate, further []*transaction) {
	if f.final = firstOf(f.told, isSuccess); f.final == nil {
		f.final = best(f.told)
	}
	if f.final == nil {
		f.final = nearest(further, isSuccess)
	}
	if f.final != nil {
		f.status = f.final.Status
		f.answered, f.failed = isSuccess(f.final), isFailure(f.final)
		return
	}
	if o.method != Invite || len(o.lastTry) == 0 {
		return
	}
	number := o.lastTry[0].cseq
	of := func(branches []*transaction, e *Event) bool {
		return slices.ContainsFunc(branches, func(t *transaction) bool { return t.cseq == number && t.branch == e.Branch })
	}
	isAck := func(e *Event) bool {
		return e.Method == Ack && e.Status == 0 && e.CSeq == number && e.FromTag == o.callerTag && e.Branch != 0
	}
	if f.final = firstOf(o.events, func(e *Event) bool { return isAck(e) && of(o.lastTry, e) }); f.final != nil {
		f.failed = true
		if e := best(responsesOf(further)); e != nil {
			f.status = e.Status
		}
		return
	}
	f.final = firstOf(o.events, func(e *Event) bool { return isAck(e) && !of(o.transactions, e) })
	if f.final != nil {
		f.answered, f.status = true, 200
		return
	}
	// A BYE within the dialog says that there was an answer, but not when.
	f.answered = slices.ContainsFunc(o.events, func(e Event) bool {
		return e.Method == Bye && e.FromTag != 0 && e.ToTag != 0 && (e.FromTag == o.callerTag || e.ToTag == o.callerTag)
	})
	if f.answered {
		f.status = 200
	}
}

// failedAtEnd reports whether one of the transactions failed at a host that, as
// far as was seen, passed the request on to no other. An ACK on its branch proves
// a failure that was missed.
func (o *opening) failedAtEnd(transactions []*transaction) bool {
	for _, t := range transactions {
		passedOn := slices.ContainsFunc(o.transactions, func(n *transaction) bool {
			return n.client == t.server && n.client != n.server && n.cseq == t.cseq
		})
		if passedOn {
			continue
		}
		for i := range t.responses {
			if e := &t.responses[i]; isFailure(e) && !isChallenge(e.Status) {
				return true
			}
		}
		if firstOf(t.responses, func(e *Event) bool { return e.Status >= 200 }) == nil && slices.ContainsFunc(o.events, func(e Event) bool {
			return e.Method == Ack && e.Branch == t.branch && e.Branch != 0 && e.CSeq == t.cseq
		}) {
			return true
		}
	}
	return false
}

// best chooses among the failures of parallel and later branches as a proxy does
// (RFC 3261 section 16.7 step 6): a 6xx, else one of the lowest class, of these
// the last one. With one branch it is what that came to. nil when there is none.
func best(responses []Event) *Event {
	rank := func(e *Event) int {
		if e.Status >= 600 {
			return 0
		}
		return int(e.Status) / 100
	}
	var out *Event
	for i := range responses {
		e := &responses[i]
		switch {
		case !isFailure(e):
		case out == nil, rank(e) < rank(out):
			out = e
		case rank(e) == rank(out) && e.Branch != out.Branch:
			out = e
		}
	}
	return out
}

// findCancel tells whether the caller cancelled the last try. A CANCEL that
// came after the final response cancels nothing; 487 proves one that was missed.
func (o *opening) findCancel(f *fate) {
	if f.answered || o.method != Invite {
		return
	}
	for i := range o.events {
		c := &o.events[i]
		mine := func(t *transaction) bool { return t.cseq == c.CSeq && t.branch == c.Branch }
		if c.Method != Cancel || c.Status != 0 || !slices.ContainsFunc(o.lastTry, mine) {
			continue
		}
		switch {
		case f.final == nil:
			f.cancelled = true
		case f.final.Branch != 0 && f.final.Branch != c.Branch:
		case c.Agent == f.final.Agent && c.Time > f.final.Time:
		case c.Time <= f.final.Time+clockTolerance:
			f.cancelled = true
		}
	}
	if f.cancelled && f.failed && f.status == 0 {
		f.status = 487
	}
	if f.status == 487 {
		f.cancelled = true
	}
}

// clockTolerance is how far the clocks of two capture agents are thought to
// differ at most where the order of two messages has to be told, in µs.
const clockTolerance = 1_000_000

// findDialogs lists the dialogs that were answered, by what the caller saw, else
// by what was seen further on.
func (o *opening) findDialogs(f *fate) {
	if !f.answered {
		return
	}
	add := func(tag uint32) {
		if tag != 0 && !slices.Contains(f.dialogs, tag) {
			f.dialogs = append(f.dialogs, tag)
		}
	}
	if f.final != nil {
		add(f.final.ToTag)
	}
	for i := range f.told {
		if isSuccess(&f.told[i]) {
			add(f.told[i].ToTag)
		}
	}
}

// firstOf is the first event that is such a one; nil when none is.
func firstOf(events []Event, is func(*Event) bool) *Event {
	for i := range events {
		if is(&events[i]) {
			return &events[i]
		}
	}
	return nil
}

// nearest is of the first responses of that kind on each hop the one that came
// last: responses travel towards the caller.
func nearest(transactions []*transaction, is func(*Event) bool) *Event {
	var out *Event
	for _, t := range transactions {
		if e := firstOf(t.responses, is); e != nil && (out == nil || compareEvents(*e, *out) > 0) {
			out = e
		}
	}
	return out
}

func responsesOf(transactions []*transaction) []Event {
	var out []Event
	for _, t := range transactions {
		out = append(out, t.responses...)
	}
	slices.SortFunc(out, compareEvents)
	return out
}

// delay is the time from the first of some events to the first of others in ms,
// by the clock of one agent that saw both where one did; nil when either is missing.
func delay(from, to []Event) *float64 {
	if len(from) == 0 || len(to) == 0 {
		return nil
	}
	for i, e := range from {
		if slices.ContainsFunc(from[:i], func(o Event) bool { return o.Agent == e.Agent }) {
			continue
		}
		if end := firstOf(to, func(o *Event) bool { return o.Agent == e.Agent }); end != nil && end.Time >= e.Time {
			return milliseconds(end.Time - e.Time)
		}
	}
	return milliseconds(max(0, to[0].Time-from[0].Time))
}

func milliseconds(us int64) *float64 {
	ms := float64(us) / 1000
	return &ms
}

// where lists the events that are such ones, in order.
func where(events []Event, is func(*Event) bool) []Event {
	var out []Event
	for i := range events {
		if is(&events[i]) {
			out = append(out, events[i])
		}
	}
	return out
}
