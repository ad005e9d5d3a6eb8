package calls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
)

// assemble groups rows and makes calls of them, in order of their starts.
func assemble(rows []callstest.Row) []calls.Call {
	var out []calls.Call
	for _, g := range calls.GroupLegs(callstest.Legs(rows), calls.DefaultLinkOptions()) {
		out = append(out, calls.Assemble(g, time.Time{}))
	}
	return out
}

func line(c *calls.Call) string {
	return fmt.Sprintf("%s %s %s %d %s m%d r%d h%d l%d", c.CallIDs[0], c.Method, c.Outcome, c.FinalStatus, c.ReleasedBy, c.Messages, c.Retransmissions, c.Hops, len(c.Legs))
}

// TestCallsOfCaptures checks the calls of real traffic against what the tools that
// made it were told to do.
func TestCallsOfCaptures(t *testing.T) {
	for capture, want := range map[string][]string{
		"kamailio-hep3-udp-sip-failures-a": {
			"1-15155@127.0.0.1 INVITE failed 486 callee m9 r0 h2 l1",
			"2-15155@127.0.0.1 INVITE failed 486 callee m9 r0 h2 l1",
			"1-15157@127.0.0.1 INVITE failed 603 callee m9 r0 h2 l1",
			"1-15159@127.0.0.1 INVITE failed 480 callee m9 r0 h2 l1",
			"1-15161@127.0.0.1 INVITE failed 488 callee m9 r0 h2 l1",
			"1-15163@127.0.0.1 INVITE failed 302 callee m7 r0 h2 l1",
			"1-15165@127.0.0.1 INVITE cancelled 487 caller m13 r0 h2 l1",
			"2-15165@127.0.0.1 INVITE cancelled 487 caller m13 r0 h2 l1",
			"1-15166@127.0.0.1 INVITE failed 404 network m3 r0 h1 l1",
			"1-15167@127.0.0.1 INVITE failed 503 network m3 r0 h1 l1",
			"1-15168@127.0.0.1 INVITE failed 408 network m7 r2 h2 l1",   // nobody answers
			"1-15171@127.0.0.1 INVITE answered 200 caller m21 r0 h3 l1", // forked
		},
		"kamailio-hep3-udp-sip-loss-retransmissions-a": {
			"1-15444@127.0.0.1 INVITE answered 200 caller m19 r4 h2 l1",
			"2-15444@127.0.0.1 INVITE answered 200 caller m15 r1 h2 l1",
			"3-15444@127.0.0.1 INVITE answered 200 caller m15 r2 h2 l1",
		},
		"kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a": {
			"1-15408@127.0.0.1 INVITE answered 200 caller m32 r0 h2 l1", // hold, resume
			"2-15408@127.0.0.1 INVITE answered 200 caller m32 r0 h2 l1",
			"1-15410@127.0.0.1 INVITE answered 200 caller m21 r0 h2 l1", // PRACK
			"2-15410@127.0.0.1 INVITE answered 200 caller m21 r0 h2 l1",
			"1-15412@127.0.0.1 INVITE answered 200 caller m21 r0 h2 l1", // REFER
			"2-15412@127.0.0.1 INVITE answered 200 caller m21 r0 h2 l1",
			"1-15414@127.0.0.1 SUBSCRIBE answered 200  m12 r0 h2 l1",
			"2-15414@127.0.0.1 SUBSCRIBE answered 200  m12 r0 h2 l1",
			"1-15416@127.0.0.1 INVITE answered 200 caller m17 r0 h2 l1", // 407 first
		},
		"kamailio-hep3-two-legs-topoh-xcid-a": {
			"1-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3 l2",
			"2-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3 l2",
			"3-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3 l2",
			"1-16210@127.0.0.1 INVITE failed 486 callee m19 r0 h3 l2",
		},
		"sngrep-hep3-udp-b2bua-two-callids-xcid-a": {
			"1-16637@127.0.0.1 INVITE answered 200 caller m14 r0 h2 l2",
			"2-16637@127.0.0.1 INVITE answered 200 caller m14 r0 h2 l2",
			"3-16637@127.0.0.1 INVITE answered 200 caller m14 r0 h2 l2",
			"1-16639@127.0.0.1 INVITE failed 486 callee m9 r0 h2 l2", // no X-CID: by heuristics
		},
		// Of these calls only the first leg is in the trace; 486 came twice.
		"opensips-hep3-udp-b2bua-xcid-a": {
			"1-16637@127.0.0.1 INVITE answered 200 caller m5 r0 h1 l1",
			"2-16637@127.0.0.1 INVITE answered 200 caller m5 r0 h1 l1",
			"3-16637@127.0.0.1 INVITE answered 200 caller m5 r0 h1 l1",
			"1-16639@127.0.0.1 INVITE failed 486 callee m5 r1 h1 l1",
		},
	} {
		t.Run(capture, func(t *testing.T) {
			var got []string
			for _, c := range assemble(callstest.Capture(t, capture)) {
				got = append(got, line(&c))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestDirectionsOfCaptures: of calls through rtpengine, which puts its own
// address into every SDP, both ends' reports are told apart: where the phones'
// are seen, and where the proxy's copies are seen as well.
func TestDirectionsOfCaptures(t *testing.T) {
	for _, capture := range []string{"rtpengine-kamailio-hep3-udp-call-with-rtcp-a", "captagent-hep3-udp-live-sip-rtcp-a", "heplify-hep3-udp-sip-rtcp-a"} {
		found := 0
		for _, c := range assemble(callstest.Capture(t, capture)) {
			if c.Method != "INVITE" {
				continue
			}
			found++
			if c.Caller.JitterMs == nil || c.Callee.JitterMs == nil {
				t.Errorf("%s: caller %v, callee %v", capture, c.Caller.JitterMs, c.Callee.JitterMs)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d calls", capture, found)
		}
	}
}
