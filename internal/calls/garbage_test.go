package calls_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// TestGarbage: whatever messages a leg has, in any order, it is one call with one
// outcome, whose figures make sense, and the same again when shuffled.
func TestGarbage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	hosts := map[uint32]netip.AddrPort{}
	for i := range uint32(4) {
		hosts[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 5060)
	}
	statuses := []uint16{0, 0, 0, 100, 180, 183, 200, 302, 401, 407, 486, 487, 491, 603}
	for n := range 20_000 {
		var legs []calls.Leg
		for i := range 1 + rng.IntN(3) {
			l := calls.Leg{Tenant: "t", CallID: fmt.Sprint(i), CorrelationIDs: []string{"x"}, Addresses: hosts}
			for range 1 + rng.IntN(9) {
				e := calls.Event{
					Time: epoch.UnixMicro() + rng.Int64N(2e6), Method: calls.Method(rng.IntN(15)), Status: statuses[rng.IntN(len(statuses))], CSeq: rng.Uint32N(3),
					FromTag: rng.Uint32N(3), ToTag: rng.Uint32N(3), Branch: rng.Uint32N(4), Src: rng.Uint32N(4), Dst: rng.Uint32N(4), Agent: rng.Uint32N(2), SDP: rng.Uint32N(2),
				}
				if rng.IntN(3) > 0 {
					e.Method = []calls.Method{calls.Invite, calls.Ack, calls.Bye, calls.Cancel, calls.Register}[rng.IntN(5)]
				}
				l.Events = append(l.Events, e)
			}
			first := slices.MinFunc(l.Events, func(a, b calls.Event) int { return int(a.Time - b.Time) })
			last := slices.MaxFunc(l.Events, func(a, b calls.Event) int { return int(a.Time - b.Time) })
			l.First, l.Last = time.UnixMicro(first.Time).UTC(), time.UnixMicro(last.Time).UTC()
			l.Messages = uint64(len(l.Events))
			legs = append(legs, l)
		}
		c := sound(t, n, legs)
		for i := range legs {
			legs[i].Events = slices.Concat(legs[i].Events, legs[i].Events)
			rng.Shuffle(len(legs[i].Events), func(a, b int) {
				legs[i].Events[a], legs[i].Events[b] = legs[i].Events[b], legs[i].Events[a]
			})
		}
		slices.Reverse(legs)
		if again := sound(t, n, legs); !reflect.DeepEqual(c, again) {
			t.Fatalf("%d: shuffled it is\n%+v\nnot\n%+v", n, again, c)
		}
	}
}

// sound assembles a call and checks that it makes sense.
func sound(t *testing.T, n int, legs []calls.Leg) calls.Call {
	t.Helper()
	groups := calls.GroupLegs(legs, calls.DefaultLinkOptions())
	if len(groups) != 1 {
		t.Fatalf("%d: %d calls", n, len(groups))
	}
	c := calls.Assemble(groups[0], time.Time{})
	for name, v := range map[string]*float64{"pdd": c.PDDMs, "srd": c.SRDMs, "ring": c.RingMs, "sdd": c.SDDMs, "duration": c.DurationS} {
		if v != nil && *v < 0 {
			t.Errorf("%d: %s is %g", n, name, *v)
		}
	}
	answered := c.FinalStatus >= 200 && c.FinalStatus < 300
	switch c.Outcome {
	case calls.Answered, calls.InProgress:
		if !answered {
			t.Errorf("%d: %s with %d", n, c.Outcome, c.FinalStatus)
		}
	case calls.Failed, calls.Cancelled, calls.Unanswered:
		if answered {
			t.Errorf("%d: %s with %d", n, c.Outcome, c.FinalStatus)
		}
	default:
		t.Errorf("%d: outcome %q", n, c.Outcome)
	}
	if c.Outcome == calls.InProgress && !c.End.IsZero() || c.Start.After(c.LastSeen) || len(c.Legs) != len(legs) {
		t.Errorf("%d: %+v", n, c)
	}
	k := calls.CountsOf(&c)
	if sum := k.Answered + k.Cancelled + k.Failed + k.Unanswered + k.Pending; sum != k.Attempts {
		t.Errorf("%d: outcomes add up to %d of %d attempts: %+v", n, sum, k.Attempts, k)
	}
	for i := range legs {
		for _, r := range calls.Registrations(legs[i], time.Time{}) {
			if r.Requests == 0 || r.Time.IsZero() || r.LastSeen.Before(r.Time) {
				t.Errorf("%d: %+v", n, r)
			}
		}
	}
	return c
}
