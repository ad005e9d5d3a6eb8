package calls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// TestCountsByStatus holds the counters to docs/kpis.md, for each final response
// there is.
func TestCountsByStatus(t *testing.T) {
	for status := uint16(200); status < 700; status++ {
		c := calls.Call{Method: "INVITE", Opened: true, FinalStatus: status, Outcome: calls.Failed}
		if status < 300 {
			c.Outcome = calls.Answered
		}
		n := calls.CountsOf(&c)
		class := []uint64{n.Answered, n.Redirected, n.Final4xx, n.Final5xx, n.Final6xx}
		for i, v := range class {
			if (v == 1) != (int(status)/100 == i+2) {
				t.Errorf("%d is of classes %v", status, class)
				break
			}
		}
		for name, v := range map[string]struct {
			got  uint64
			want string
		}{
			"effective":   {n.Effective, "200 480 486 600 603"},
			"ineffective": {n.Ineffective, "408 500 503 504"},
		} {
			if (v.got == 1) != strings.Contains(v.want, fmt.Sprint(status)) {
				t.Errorf("%d: %s is %d", status, name, v.got)
			}
		}
		if want := status < 300 || strings.Contains("480 486 600 603 607", fmt.Sprint(status)); (n.Delivered == 1) != want {
			t.Errorf("%d: delivered is %d", status, n.Delivered)
		}
		if n.Attempts != 1 || n.Pending != 0 {
			t.Errorf("%d: attempts %d, pending %d", status, n.Attempts, n.Pending)
		}
	}
}

func TestDelivered(t *testing.T) {
	rang := time.Unix(1, 0)
	for name, c := range map[string]struct {
		call calls.Call
		want uint64
	}{
		"given up while it rang":     {calls.Call{FinalStatus: 487, Outcome: calls.Cancelled, Ring: rang}, 1},
		"given up before":            {calls.Call{FinalStatus: 487, Outcome: calls.Cancelled}, 0},
		"timed out while it rang":    {calls.Call{FinalStatus: 408, Outcome: calls.Failed, Ring: rang}, 1},
		"timed out before":           {calls.Call{FinalStatus: 408, Outcome: calls.Failed}, 0},
		"rang for ever":              {calls.Call{Outcome: calls.Unanswered, Ring: rang}, 1},
		"rings still":                {calls.Call{Outcome: calls.InProgress, Ring: rang}, 0},
		"silence":                    {calls.Call{Outcome: calls.Unanswered}, 0},
		"user busy, says ISDN":       {calls.Call{FinalStatus: 500, Q850: 17, Outcome: calls.Failed}, 1},
		"no circuit, says ISDN":      {calls.Call{FinalStatus: 500, Q850: 34, Outcome: calls.Failed}, 0},
		"no such number":             {calls.Call{FinalStatus: 404, Q850: 1, Outcome: calls.Failed}, 0},
		"redirected":                 {calls.Call{FinalStatus: 302, Q850: 17, Outcome: calls.Failed}, 0},
		"answered":                   {calls.Call{FinalStatus: 200, Outcome: calls.InProgress}, 1},
		"up, with a cause of a BYE":  {calls.Call{FinalStatus: 200, Q850: 16, Outcome: calls.Answered}, 1},
		"a proxy that was reachable": {calls.Call{FinalStatus: 403, Outcome: calls.Failed, Ring: rang}, 0},
	} {
		c.call.Method, c.call.Opened = "INVITE", true
		if got := calls.CountsOf(&c.call).Delivered; got != c.want {
			t.Errorf("%s: delivered is %d, should be %d", name, got, c.want)
		}
	}
}

// TestCountsOfOthers: what is no attempt counts its messages alone.
func TestCountsOfOthers(t *testing.T) {
	for _, c := range []calls.Call{
		{Method: "OPTIONS", Opened: true, FinalStatus: 200, Outcome: calls.Answered, Messages: 4, Retransmissions: 1},
		{Method: "INVITE", FinalStatus: 200, Outcome: calls.InProgress, Messages: 4, Retransmissions: 1},
	} {
		if got, want := calls.CountsOf(&c), (calls.Counts{Messages: 4, Retransmissions: 1}); got != want {
			t.Errorf("%s: %+v", c.Method, got)
		}
	}
}

func TestDelaysOfCounts(t *testing.T) {
	srd, talk := 12.5, 60.0
	up := calls.Call{Method: "INVITE", Opened: true, FinalStatus: 200, Outcome: calls.Answered, SRDMs: &srd, DurationS: &talk, ByeAnswered: true}
	if n := calls.CountsOf(&up); n.SRDSuccessMs != &srd || n.SRDFailedMs != nil || n.TalkSeconds != 60 || n.Ended != 1 || n.Completed != 1 || n.Active != 0 {
		t.Errorf("answered: %+v", n)
	}
	up.Outcome, up.ByeAnswered = calls.InProgress, false
	if n := calls.CountsOf(&up); n.TalkSeconds != 0 || n.Ended != 0 || n.Completed != 0 || n.Active != 1 || n.Pending != 0 {
		t.Errorf("up: %+v", n)
	}
	up.Outcome, up.FinalStatus = calls.Failed, 503
	if n := calls.CountsOf(&up); n.SRDSuccessMs != nil || n.SRDFailedMs != &srd {
		t.Errorf("failed: %+v", n)
	}
	up.FinalStatus = 407
	if n := calls.CountsOf(&up); n.SRDFailedMs != nil {
		t.Error("a challenge that nobody answered has a delay of failure")
	}
}
