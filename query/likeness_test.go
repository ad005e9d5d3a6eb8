package query_test

import (
	"testing"

	"github.com/heplake/heplake/query"
)

// TestLegsFoundByLikeness asks for a call whose legs share no id by either leg.
func TestLegsFoundByLikeness(t *testing.T) {
	const a, b = "1-16639@127.0.0.1", "B2B.282.3534782.1795228814.1316485955"
	l := open(t, "sngrep-hep3-udp-b2bua-two-callids-xcid-a")
	for _, asked := range []string{a, b} {
		f, err := l.Flow(t.Context(), query.FlowRequest{ID: asked, From: l.From, To: l.To})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Legs) != 2 || f.Legs[0].CallID != a || f.Legs[1].CallID != b {
			t.Fatalf("asked for %s: legs %+v", asked, f.Legs)
		}
		for _, leg := range f.Legs {
			if want := map[bool]string{true: "asked", false: "likeness"}[leg.CallID == asked]; leg.LinkedBy != want || leg.LinkValue != "" {
				t.Errorf("asked for %s: leg %s is linked by %s %s, want %s", asked, leg.CallID, leg.LinkedBy, leg.LinkValue, want)
			}
			if second := leg.CallID == b; second != (leg.Reason != "") || second != (leg.Confidence < 1) {
				t.Errorf("leg %s: reason %q, confidence %g", leg.CallID, leg.Reason, leg.Confidence)
			}
		}
	}
}
