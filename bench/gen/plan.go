package gen

// Outcome is how a dialog goes.
type Outcome uint8

// The outcomes: of calls, then what is no call.
const (
	Answered  Outcome = iota
	Busy              // 486
	Failed            // another final failure, such as 404 or 503
	Cancelled         // CANCEL and 487
	NoAnswer          // 480 after long ringing
	Registration
	Ping // OPTIONS
	none // packets on their own
	outcomes
)

var outcomeNames = [outcomes]string{"answered", "busy", "failed", "cancelled", "noanswer", "register", "options", ""}

// String returns the outcome's name in a Mix and in Counts.
func (o Outcome) String() string { return outcomeNames[o] }

// kind is a kind of message. hop 0 is between caller and proxy, hop 1 between
// proxy and callee, or B2BUA in one of these places.
type kind uint8

const (
	invite kind = iota
	trying
	ringing
	answer // 200 to INVITE
	ack
	bye         // from the caller
	byeCallee   // from the callee
	byeOK       // to bye
	byeCalleeOK // to byeCallee
	cancel
	cancelOK
	failure    // the final failure that the plan's outcome says
	failureAck // ACK of a failure, hop by hop (RFC 3261 section 17.1.1.3)
	register
	challenge
	registerAuth
	registerOK
	options
	optionsOK
	rtcpCaller // the stream that the caller sends
	rtcpCallee
	kinds
)

// sip tells SIP messages from reports.
func (k kind) sip() bool { return k < rtcpCaller }

// step is one packet of a dialog.
type step struct {
	kind     kind
	leg, hop uint8
	seq      uint8   // which report of its stream
	delay    float64 // least wait before it, in seconds
}

// plan is a dialog's course. Dialogs share it.
type plan struct {
	outcome Outcome
	legs    int
	steps   []step
}

// Delays in seconds: least values, at most twice that is waited.
const (
	hopDelay    = 0.0005
	networkTime = 0.010
	ringAfter   = 0.3
	ringShort   = 1.0
	ringLong    = 4.0
	talk        = 3.0 // in all, divided by the reports
)

// down adds the message on each hop of each leg from the caller on.
func (p *plan) down(k kind, delay float64) {
	for leg := range p.legs {
		for hop := range 2 {
			p.add(k, leg, hop, delay)
			delay = hopDelay
		}
	}
}

// up adds the message on each hop from the last callee back.
func (p *plan) up(k kind, delay float64) {
	for leg := p.legs - 1; leg >= 0; leg-- {
		for hop := 1; hop >= 0; hop-- {
			p.add(k, leg, hop, delay)
			delay = hopDelay
		}
	}
}

func (p *plan) add(k kind, leg, hop int, delay float64) {
	p.steps = append(p.steps, step{kind: k, leg: uint8(leg), hop: uint8(hop), delay: delay})
}

// newCall is a call over so many legs. If it is answered there are so many
// reports, and the callee ends it or the caller.
func newCall(outcome Outcome, legs, reports int, calleeEnds bool) *plan {
	p := &plan{outcome: outcome, legs: legs}
	delay := 0.0
	for leg := range legs {
		p.add(invite, leg, 0, delay)
		p.add(trying, leg, 0, hopDelay)
		p.add(invite, leg, 1, hopDelay)
		p.add(trying, leg, 1, networkTime)
		delay = hopDelay
	}
	switch outcome {
	case Answered:
		p.up(ringing, ringAfter)
		p.up(answer, ringShort)
		p.down(ack, networkTime)
		for i := range reports {
			k := rtcpCaller
			if i%2 == 1 {
				k = rtcpCallee
			}
			p.steps = append(p.steps, step{kind: k, seq: uint8(i / 2), delay: talk / float64(reports+1)})
		}
		if calleeEnds {
			p.up(byeCallee, talk/float64(reports+1))
			p.down(byeCalleeOK, networkTime)
		} else {
			p.down(bye, talk/float64(reports+1))
			p.up(byeOK, networkTime)
		}
	case Cancelled:
		p.up(ringing, ringAfter)
		for leg := range legs {
			for hop := range 2 {
				// CANCEL is answered hop by hop (RFC 3261 section 9.2).
				delay := hopDelay
				if leg == 0 && hop == 0 {
					delay = ringShort
				}
				p.add(cancel, leg, hop, delay)
				p.add(cancelOK, leg, hop, networkTime)
			}
		}
		p.fail(networkTime)
	case NoAnswer:
		p.up(ringing, ringAfter)
		p.fail(ringLong)
	default:
		p.fail(ringAfter)
	}
	return p
}

// fail adds the final failure, with its ACK on each hop.
func (p *plan) fail(delay float64) {
	for leg := p.legs - 1; leg >= 0; leg-- {
		for hop := 1; hop >= 0; hop-- {
			p.add(failure, leg, hop, delay)
			p.add(failureAck, leg, hop, hopDelay)
			delay = hopDelay
		}
	}
}

func newRegistration() *plan {
	p := &plan{outcome: Registration, legs: 1}
	p.down(register, 0)
	p.up(challenge, networkTime)
	p.down(registerAuth, networkTime)
	p.up(registerOK, networkTime)
	return p
}

func newOptions() *plan {
	p := &plan{outcome: Ping, legs: 1}
	p.down(options, 0)
	p.up(optionsOK, networkTime)
	return p
}
