package export

import "strings"

// This file looks ahead: what of a received message this side needs later.

// later calls f for every step after i that this side sends, until f says yes.
func (s *script) later(i int, f func(j int, step *step) bool) bool {
	for j := i + 1; j < len(s.d.steps); j++ {
		if s.d.steps[j].by == s.by && f(j, &s.d.steps[j]) {
			return true
		}
	}
	return false
}

// needsTag reports whether a request that is sent after step i has the tag.
func (s *script) needsTag(i int, captured string) bool {
	return s.later(i, func(_ int, step *step) bool {
		return step.isRequest() && (step.fromTag == captured || step.toTag == captured)
	})
}

// answeredLate reports whether the request of step i is answered when another
// message has been received since.
func (s *script) answeredLate(i int) bool {
	return s.later(i, func(j int, step *step) bool {
		if step.isRequest() || step.request != i {
			return false
		}
		for k := i + 1; k < j; k++ {
			if s.d.steps[k].by != s.by {
				return true
			}
		}
		return false
	})
}

// movesTarget reports whether the message says where later requests of the dialog
// go (RFC 3261 section 12.2).
func (s *script) movesTarget(step *step) bool {
	switch step.method {
	case "INVITE", "UPDATE", "SUBSCRIBE", "REFER", "NOTIFY":
	default:
		return false
	}
	contact := step.msg.get("contact")
	return strings.Contains(contact, "<") && (step.isRequest() || step.status > 100 && step.status < 300)
}

// needsTarget reports whether a request within a dialog is sent after step i.
func (s *script) needsTarget(i int) bool {
	return s.later(i, func(_ int, step *step) bool {
		return step.isRequest() && step.toTag != "" && !s.sharesTransaction(step)
	})
}

// needsRSeq reports whether a PRACK for the response is sent after step i.
func (s *script) needsRSeq(i int, rseq string) bool {
	return s.later(i, func(_ int, step *step) bool {
		n, _, _ := strings.Cut(step.msg.get("rack"), " ")
		return step.method == "PRACK" && n == rseq
	})
}
