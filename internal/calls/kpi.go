package calls

// Counts says which counters a call adds to; a rollup sums them, and ratios are
// computed from the sums (docs/kpis.md). Every field but the last three counts
// INVITE calls whose opening was seen: one call is one attempt, however many
// challenges and redirects its caller answered.
type Counts struct {
	// Attempts are all, Pending those of them that have no outcome yet: ratios
	// leave them out.
	Attempts, Pending uint64
	// Answered got a 2xx, Redirected a 3xx in the end.
	Answered, Redirected uint64
	// Cancelled, Failed and Unanswered are by outcome; Failed includes Redirected.
	Cancelled, Failed, Unanswered uint64
	// Final4xx, Final5xx and Final6xx are by class of the final response; those
	// cancelled are among Final4xx by their 487.
	Final4xx, Final5xx, Final6xx uint64
	// Effective ended with 200, 480, 486, 600 or 603 (RFC 6076 section 4.7).
	Effective uint64
	// Ineffective ended with 408, 500, 503 or 504 (RFC 6076 section 4.8).
	Ineffective uint64
	// Delivered reached the user: answered, busy, not picked up or turned down
	// (ITU-T E.425).
	Delivered uint64
	// Ended were answered and are over, Active were answered and are not.
	Ended, Active uint64
	// Completed were answered, and ended by a BYE that was answered in turn (RFC
	// 6076 section 4.9).
	Completed uint64
	// TalkSeconds is the duration of those Ended.
	TalkSeconds float64
	// SRDSuccessMs and SRDFailedMs are the session request delay of calls that
	// were answered and that failed with 4xx to 6xx (RFC 6076 sections 4.3.1 and
	// 4.3.2); nil where there is none. They are for quantiles.
	SRDSuccessMs, SRDFailedMs *float64
	// Messages and Retransmissions are of every method.
	Messages, Retransmissions uint64
}

// CountsOf counts a call.
func CountsOf(c *Call) Counts {
	n := Counts{Messages: c.Messages, Retransmissions: c.Retransmissions}
	if c.Method != Invite.String() || !c.Opened {
		return n
	}
	status := c.FinalStatus
	answered := status >= 200 && status < 300
	n.Attempts = 1
	n.Pending = one(c.Outcome == InProgress && !answered)
	n.Answered = one(answered)
	n.Redirected = one(status >= 300 && status < 400)
	n.Cancelled = one(c.Outcome == Cancelled)
	n.Failed = one(c.Outcome == Failed)
	n.Unanswered = one(c.Outcome == Unanswered)
	n.Final4xx = one(status >= 400 && status < 500)
	n.Final5xx = one(status >= 500 && status < 600)
	n.Final6xx = one(status >= 600 && status < 700)
	switch status {
	case 200, 480, 486, 600, 603:
		n.Effective = 1
	case 408, 500, 503, 504:
		n.Ineffective = 1
	}
	n.Delivered = one(answered || reachedUser(c))
	n.Ended = one(answered && c.Outcome == Answered)
	n.Active = one(answered && c.Outcome == InProgress)
	n.Completed = one(n.Ended == 1 && c.ByeAnswered)
	if n.Ended == 1 && c.DurationS != nil {
		n.TalkSeconds = *c.DurationS
	}
	switch {
	case answered:
		n.SRDSuccessMs = c.SRDMs
	case status >= 400 && !isChallenge(status):
		n.SRDFailedMs = c.SRDMs
	}
	return n
}

// reachedUser reports the failures that the user called caused, who therefore was
// reached: E.425 counts them for the network. A cause of ISDN decides where there
// is one; a call given up or timed out had to ring.
func reachedUser(c *Call) bool {
	if c.FinalStatus < 400 && c.Outcome != Cancelled && c.Outcome != Unanswered {
		return false
	}
	switch c.FinalStatus {
	case 480, 486, 600, 603, 607:
		return true
	case 0, 408, 487:
		if !c.Ring.IsZero() {
			return c.Outcome != InProgress
		}
	}
	switch c.Q850 {
	// user busy, no user responding, no answer, subscriber absent, call rejected
	case 17, 18, 19, 20, 21:
		return true
	}
	return false
}

// RegistrationCounts says which counters a registration adds to.
type RegistrationCounts struct {
	// Attempts are all, Pending those of them without an outcome yet.
	Attempts, Pending uint64
	// Registered, Deregistered, Failed and Unanswered are by outcome.
	Registered, Deregistered, Failed, Unanswered uint64
	// Ineffective are the failed attempts of RFC 6076 section 4.2, Challenged
	// those that were challenged.
	Ineffective, Challenged   uint64
	Messages, Retransmissions uint64
}

// RegistrationCountsOf counts a registration.
func RegistrationCountsOf(r *Registration) RegistrationCounts {
	return RegistrationCounts{
		Attempts: 1, Pending: one(r.Outcome == InProgress),
		Registered: one(r.Outcome == Registered), Deregistered: one(r.Outcome == Deregistered),
		Failed: one(r.Outcome == Failed), Unanswered: one(r.Outcome == Unanswered),
		Ineffective: one(r.Ineffective), Challenged: one(r.Challenged),
		Messages: r.Messages, Retransmissions: r.Retransmissions,
	}
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
