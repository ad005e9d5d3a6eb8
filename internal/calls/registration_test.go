package calls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
)

// TestAttempts: what belongs to one attempt to register, and what to the next.
func TestAttempts(t *testing.T) {
	for name, c := range map[string]struct{ ladder, want string }{
		"the challenge is answered": {`
			0  A>R REGISTER 1 a/- b1
			9  R>A 401/REGISTER 1 a/x b1
			20 A>R REGISTER 2 a/- b2
			29 R>A 200/REGISTER 2 a/x b2`, "0 deregistered 200 rrd 29 ira false of 2"},
		"the challenge is answered much later": {`
			0     A>R REGISTER 1 a/- b1
			9     R>A 401/REGISTER 1 a/x b1
			20000 A>R REGISTER 2 a/- b2
			20009 R>A 200/REGISTER 2 a/x b2`, "0 failed 401 rrd - ira false of 1, 20000 deregistered 200 rrd 9 ira false of 1"},
		"after a success comes another attempt": {`
			0  A>R REGISTER 1 a/- b1
			9  R>A 200/REGISTER 1 a/x b1
			20 A>R REGISTER 2 a/- b2
			29 R>A 500/REGISTER 2 a/x b2`, "0 deregistered 200 rrd 9 ira false of 1, 20 failed 500 rrd - ira true of 1"},
		"the response on the first hop was not seen": {`
			0  A>P REGISTER 1 a/- b1
			1  P>R REGISTER 1 a/- b2
			9  R>P 403/REGISTER 1 a/x b2`, "0 failed 403 rrd - ira true of 1"},
		"another phone's restart begins anew": {`
			0    A>R REGISTER 1 a/- b1
			9    R>A 200/REGISTER 1 a/x b1
			5000 A>R REGISTER 1 b/- b2
			5009 R>A 200/REGISTER 1 b/x b2`, "0 deregistered 200 rrd 9 ira false of 1, 5000 deregistered 200 rrd 9 ira false of 1"},
		"no response": {`
			0    A>R REGISTER 1 a/- b1
			500  A>R REGISTER 1 a/- b1`, "0 unanswered 0 rrd - ira true of 1"},
		"a redirect is no IRA": {`
			0    A>R REGISTER 1 a/- b1
			5    R>A 302/REGISTER 1 a/x b1`, "0 failed 302 rrd - ira false of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range calls.Registrations(leg(t, "1", c.ladder), time.Time{}) {
				rrd := "-"
				if r.RRDMs != nil {
					rrd = fmt.Sprint(*r.RRDMs)
				}
				got = append(got, fmt.Sprintf("%d %s %d rrd %s ira %v of %d", r.Time.Sub(epoch).Milliseconds(), r.Outcome, r.Status, rrd, r.Ineffective, r.Requests))
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
	if got := calls.Registrations(leg(t, "1", "0 A>R REGISTER 1 a/- b1"), epoch.Add(time.Second)); got[0].Outcome != calls.InProgress || got[0].Ineffective {
		t.Errorf("a second later it is %s", got[0].Outcome)
	}
	if got := calls.Registrations(leg(t, "1", "0 A>R INVITE 1 a/- b1"), epoch); got != nil {
		t.Errorf("a call registers: %v", got)
	}
}

// TestRegistrationsOfCaptures: sipp and baresip registered through Kamailio.
func TestRegistrationsOfCaptures(t *testing.T) {
	for capture, want := range map[string]string{
		// Digest and removal, a wrong password.
		"kamailio-hep3-udp-sip-register-options-message-publish-a": `alice registered 200 alice@127.0.0.1:5070 exp 300 of 2 true
alice deregistered 200 alice@127.0.0.1:5070 exp 0 of 2 true
carol registered 200 carol@127.0.0.1:5070 exp 300 of 2 true
carol deregistered 200 carol@127.0.0.1:5070 exp 0 of 2 true
1001 registered 200 1001@127.0.0.1:5070 exp 300 of 2 true
1001 deregistered 200 1001@127.0.0.1:5070 exp 0 of 2 true
alice failed 401 alice@127.0.0.1:5070 exp 300 of 2 true`,
		// A phone names itself anew at each start.
		"heplify-hep3-udp-sip-rtcp-a": `bob registered 200 bob-0x5591a7919880@10.99.0.1:5175 exp 60 of 2 true
bob deregistered 200 bob-0x5591a7919880@10.99.0.1:5175 exp 0 of 2 true
alice registered 200 alice-0x5563ae062880@10.99.0.1:5171 exp 60 of 2 true
alice deregistered 200 alice-0x5563ae062880@10.99.0.1:5171 exp 0 of 2 true`,
	} {
		t.Run(capture, func(t *testing.T) {
			var got []string
			for _, l := range callstest.Legs(callstest.Capture(t, capture)) {
				for _, r := range calls.Registrations(l, time.Time{}) {
					got = append(got, fmt.Sprintf("%s %s %d %s exp %d of %d %v", r.User, r.Outcome, r.Status, r.Contact, r.Expires, r.Requests, r.Challenged))
				}
			}
			if s := strings.Join(got, "\n"); s != want {
				t.Errorf("got\n%s\nwant\n%s", s, want)
			}
		})
	}
}
