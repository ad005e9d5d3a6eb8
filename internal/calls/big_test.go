package calls_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// TestLongLeg: a phone that registers every minute for a week under one Call-ID is
// no trouble.
func TestLongLeg(t *testing.T) {
	const refreshes = 10_000
	var b strings.Builder
	for i := range refreshes {
		fmt.Fprintf(&b, "%d A>P REGISTER %d a%d/- b%d\n%d P>A 200/REGISTER %d a%d/x b%d\n", i*60000, i+1, i, i, i*60000+9, i+1, i, i)
	}
	l := leg(t, "1", b.String())
	if got := len(calls.Registrations(l, time.Time{})); got != refreshes {
		t.Errorf("%d attempts, should be %d", got, refreshes)
	}
	c := calls.Assemble(calls.GroupLegs([]calls.Leg{l}, calls.DefaultLinkOptions())[0], time.Time{})
	if c.Tries != refreshes || c.Hops != 1 || c.Retransmissions != 0 {
		t.Errorf("tries %d, hops %d, retransmissions %d", c.Tries, c.Hops, c.Retransmissions)
	}
}

// TestBusyNumber: of a thousand calls to one number over one host at a time none is
// linked at random.
func TestBusyNumber(t *testing.T) {
	var legs []calls.Leg
	for i := range 1000 {
		legs = append(legs, legOf(t, fmt.Sprintf("a%d", i), float64(i), fmt.Sprintf("A:%d>P", 1024+i), "101", "service"))
		legs = append(legs, legOf(t, fmt.Sprintf("b%d", i), float64(i)+500, "P>B", "101", "service"))
	}
	for _, g := range calls.GroupLegs(legs, calls.DefaultLinkOptions()) {
		if len(g.Legs) > 1 {
			t.Fatalf("%s", grouped([]calls.Group{g}))
		}
	}
}
