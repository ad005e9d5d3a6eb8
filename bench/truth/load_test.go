package truth_test

import (
	"maps"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/gen"
	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
)

// generatedLoad is traffic of the load generator, which was made without a
// thought of package calls.
func generatedLoad(t *testing.T) (gen.Counts, []callstest.Row) {
	t.Helper()
	g, err := gen.New(gen.Config{Seed: 3, Packets: 40_000, Rate: 5000, Agents: 4})
	if err != nil {
		t.Fatal(err)
	}
	var list []callstest.Row
	for us := start.UnixMicro(); ; us += 200 {
		if _, ok := g.Next(); !ok {
			return g.Counts(), list
		}
		list = append(list, callstest.Decode(t, g.Append(nil, us))...)
	}
}

// TestGeneratedLoad: the calls are those that the generator counts, and none of
// them is linked to another one.
func TestGeneratedLoad(t *testing.T) {
	counts, list := generatedLoad(t)
	got, twoLegged := map[string]int{}, 0
	for _, group := range calls.GroupLegs(callstest.Legs(list), calls.DefaultLinkOptions()) {
		c := calls.Assemble(group, time.Time{})
		if c.Method == "INVITE" {
			got[string(c.Outcome)]++
			if len(c.Legs) == 2 {
				twoLegged++
			}
		}
		for _, l := range group.Links {
			if l.Confidence < 1 {
				t.Errorf("%s and %s are linked by %s", l.A, l.B, l.Reason)
			}
		}
	}
	if want := counts.Calls(); !maps.Equal(got, want) {
		t.Errorf("calls are %v, should be %v", got, want)
	}
	if twoLegged != counts.TwoLegged {
		t.Errorf("%d calls have two legs, should be %d", twoLegged, counts.TwoLegged)
	}
}

// TestEvidenceUnderLoad: without the header that ties the legs, the heuristics
// find the same pairs among hundreds of calls at a time, and no other.
func TestEvidenceUnderLoad(t *testing.T) {
	counts, list := generatedLoad(t)
	parent := map[string]string{} // Call-ID → that of the leg before
	for i := range list {
		r := &list[i]
		if r.CorrelationID != r.CallID {
			parent[r.CallID] = r.CorrelationID
		}
		r.CorrelationID, r.LinkIDs = r.CallID, nil
	}
	found := 0
	for _, group := range calls.GroupLegs(callstest.Legs(list), calls.DefaultLinkOptions()) {
		for _, l := range group.Links {
			if parent[l.B] != l.A {
				t.Errorf("%s is linked to %s by %s, %.2f", l.B, l.A, l.Reason, l.Confidence)
			} else {
				found++
			}
		}
	}
	if found != counts.TwoLegged {
		t.Errorf("%d pairs are found of %d", found, counts.TwoLegged)
	}
}
