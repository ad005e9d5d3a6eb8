package assemble_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/laketest"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// TestCaptures checks that real traffic in the tables makes the calls that package
// calls makes of it without them.
func TestCaptures(t *testing.T) {
	const lineSQL = `SELECT concat(call_ids[1], ' ', method, ' ', outcome, ' ', toString(final_status), ' ', released_by, ' m', toString(messages),
		' r', toString(retransmissions), ' h', toString(hops), ' l', toString(length(call_ids)), ' ', arrayStringConcat(user_agents, ','), ' ', arrayStringConcat(codecs, ',')) FROM calls`
	for _, capture := range []string{
		"kamailio-hep3-udp-sip-failures-a", "kamailio-hep3-udp-sip-loss-retransmissions-a", "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a",
		"kamailio-hep3-two-legs-topoh-xcid-a", "rtpengine-kamailio-hep3-udp-call-with-rtcp-a",
	} {
		t.Run(capture, func(t *testing.T) {
			var want []string
			for _, g := range calls.GroupLegs(callstest.Legs(callstest.Capture(t, capture)), calls.DefaultLinkOptions()) {
				c := calls.Assemble(g, time.Time{})
				if c.Method != "INVITE" {
					continue
				}
				want = append(want, fmt.Sprintf("%s %s %s %d %s m%d r%d h%d l%d %s %s", c.CallIDs[0], c.Method, c.Outcome, c.FinalStatus, c.ReleasedBy, c.Messages,
					c.Retransmissions, c.Hops, len(c.Legs), list(c.UserAgents), list(c.Codecs)))
			}
			if len(want) == 0 {
				t.Fatal("no calls in the capture")
			}
			compare(t, "calls", query(t, laketest.Open(t, capture), lineSQL), want)
		})
	}
}
