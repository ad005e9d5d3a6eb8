package calls_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/calls"
)

// legOf is a leg of one INVITE, over a number of ms, by who called whom.
func legOf(t testing.TB, callID string, ms float64, hop, caller, called string) calls.Leg {
	t.Helper()
	l := leg(t, callID, fmt.Sprintf("%g %s INVITE 1 %s/- b%s", ms, hop, callID, callID))
	l.Opening.FromUser, l.Opening.ToUser, l.Opening.RuriUser = caller, called, called
	return l
}

// grouped writes groups as "1+2:0.95 3": Call-IDs, and the least confidence of
// the links.
func grouped(groups []calls.Group) string {
	var out []string
	for _, g := range groups {
		var ids []string
		for _, l := range g.Legs {
			ids = append(ids, l.CallID)
		}
		s := strings.Join(ids, "+")
		if len(g.Links) > 0 {
			least := slices.MinFunc(g.Links, func(a, b calls.Link) int { return int(1000 * (a.Confidence - b.Confidence)) })
			s += fmt.Sprintf(":%.2f", least.Confidence)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// TestEvidence: legs that a B2BUA made of one another are found, and none that it
// may not have made.
func TestEvidence(t *testing.T) {
	media := func(l calls.Leg, addresses ...string) calls.Leg {
		l.MediaAddresses = addresses
		return l
	}
	ended := func(l calls.Leg, ladder string) calls.Leg {
		more := leg(t, l.CallID, ladder)
		l.Events = append(l.Events, more.Events...)
		l.Last = more.Last
		return l
	}
	for name, c := range map[string]struct {
		legs []calls.Leg
		want string
	}{
		"host and both numbers":         {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "4420300400"), legOf(t, "2", 5, "P>B", "4930100200", "4420300400")}, "1+2:0.80"},
		"numbers written in other ways": {[]calls.Leg{legOf(t, "1", 0, "A>P", "030100200", "004420300400"), legOf(t, "2", 5, "P>B", "+4930100200", "020300400")}, "1+2:0.80"},
		"names":                         {[]calls.Leg{legOf(t, "1", 0, "A>P", "alice", "Bob"), legOf(t, "2", 5, "P>B", "alice", "bob")}, "1+2:0.80"},
		"short numbers":                 {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "102"), legOf(t, "2", 5, "P>B", "101", "102")}, "1+2:0.80"},
		"another port":                  {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "4420300400"), legOf(t, "2", 5, "P:5080>B", "4930100200", "4420300400")}, "1+2:0.75"},
		"another caller":                {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "4420300400"), legOf(t, "2", 5, "P>B", "4999999", "4420300400")}, "1+2:0.60"},
		"nameless caller":               {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "4420300400"), legOf(t, "2", 5, "P>B", "anonymous", "4420300400")}, "1+2:0.65"},
		"three legs":                    {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 5, "P>Q", "101", "bob"), legOf(t, "3", 9, "Q>B", "101", "bob")}, "1+2+3:0.80"},
		"media too":                     {[]calls.Leg{media(legOf(t, "1", 0, "A>P", "101", "bob"), "10.9.9.9:4000"), media(legOf(t, "2", 5, "P>B", "101", "bob"), "[::ffff:10.9.9.9]:4000")}, "1+2:0.95"},
		"media and another number":      {[]calls.Leg{media(legOf(t, "1", 0, "A>P", "101", "hotline"), "10.9.9.9:4000"), media(legOf(t, "2", 5, "P>B", "101", "bob"), "10.9.9.9:4000")}, "1+2:0.65"},
		"media and number, host unseen": {[]calls.Leg{media(legOf(t, "1", 0, "A>P", "101", "bob"), "10.9.9.9:4000"), media(legOf(t, "2", 5, "Z>B", "101", "bob"), "10.9.9.9:4000")}, "1+2:0.60"},

		"media alone":         {[]calls.Leg{media(legOf(t, "1", 0, "A>P", "101", "bob"), "10.9.9.9:4000"), media(legOf(t, "2", 5, "Z>B", "202", "eve"), "10.9.9.9:4000")}, "1 2"},
		"media of no address": {[]calls.Leg{media(legOf(t, "1", 0, "A>P", "101", "hotline"), "0.0.0.0:4000"), media(legOf(t, "2", 5, "P>B", "101", "bob"), "0.0.0.0:4000")}, "1 2"},
		"another host":        {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 5, "Q>B", "101", "bob")}, "1 2"},
		"another number":      {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "4420300400"), legOf(t, "2", 5, "P>B", "4930100200", "4420300401")}, "1 2"},
		"too few digits":      {[]calls.Leg{legOf(t, "1", 0, "A>P", "4930100200", "0400"), legOf(t, "2", 5, "P>B", "4930100200", "4420300400")}, "1 2"},
		"too late":            {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 3100, "P>B", "101", "bob")}, "1 2"},
		"before":              {[]calls.Leg{legOf(t, "1", 5, "A>P", "101", "bob"), legOf(t, "2", 0, "P>B", "101", "bob")}, "2 1"},
		"back to the caller":  {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 5, "A>P", "101", "bob")}, "1 2"},
		"over by then":        {[]calls.Leg{ended(legOf(t, "1", 0, "A>P", "101", "bob"), "50 P>A 486/INVITE 1 1/x b1"), legOf(t, "2", 60, "P>B", "101", "bob")}, "1 2"},
		"other method":        {[]calls.Leg{legOf(t, "1", 0, "A>P", "101", "bob"), leg(t, "2", "5 P>B OPTIONS 1 f/- b2")}, "1 2"},

		"two that fit equally well": {[]calls.Leg{
			legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 1, "C>P", "101", "bob"), legOf(t, "3", 5, "P>B", "101", "bob"), legOf(t, "4", 6, "P>B", "101", "bob"),
		}, "1 2 3 4"},
		"two of which one fits better": {[]calls.Leg{
			legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 1, "C>P", "202", "bob"), legOf(t, "3", 5, "P>B", "101", "bob"), legOf(t, "4", 6, "P>B", "202", "bob"),
		}, "1+3:0.80 2+4:0.80"},
		"one after the other": {[]calls.Leg{
			legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 5, "P>B", "101", "bob"), legOf(t, "3", 400, "A:5061>P", "101", "bob"), legOf(t, "4", 405, "P>B", "101", "bob"),
		}, "1+2:0.80 3+4:0.80"},
		"one target after the other": {[]calls.Leg{
			legOf(t, "1", 0, "A>P", "101", "bob"), legOf(t, "2", 5, "P>B", "101", "bob"), legOf(t, "3", 900, "P>C", "101", "bob"),
		}, "1+2+3:0.80"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := grouped(calls.GroupLegs(c.legs, calls.DefaultLinkOptions())); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := grouped(calls.GroupLegs(c.legs, calls.LinkOptions{})); strings.Contains(got, "+") {
				t.Errorf("without heuristics: %s", got)
			}
		})
	}
}

// TestIDs: what legs have in common by name.
func TestIDs(t *testing.T) {
	with := func(l calls.Leg, correlation []string, links ...string) calls.Leg {
		l.CorrelationIDs, l.LinkIDs = correlation, links
		return l
	}
	a, b, c := legOf(t, "1", 0, "A>P", "x", "y"), legOf(t, "2", 5000, "Q>B", "u", "v"), legOf(t, "3", 90000, "R>C", "w", "z")
	other := b
	other.Tenant = "another"
	var many []calls.Leg
	for i := range 65 {
		many = append(many, with(legOf(t, fmt.Sprintf("%02d", i), float64(i)*9000, "A>P", "x", "y"), []string{"shared"}))
	}
	chain := make([]calls.Leg, 70)
	for i := range chain {
		chain[i] = with(legOf(t, fmt.Sprintf("%02d", i), float64(i)*9000, "A>P", "x", "y"), nil, fmt.Sprintf("X-CID:%02d", i-1))
	}
	for name, v := range map[string]struct {
		legs []calls.Leg
		want string
	}{
		"nothing":                    {[]calls.Leg{a, b}, "1 2"},
		"a correlation id":           {[]calls.Leg{with(a, []string{"x"}), with(b, []string{"x", "2"})}, "1+2:1.00"},
		"the other's Call-ID":        {[]calls.Leg{a, with(b, []string{"1"})}, "1+2:1.00"},
		"a header":                   {[]calls.Leg{with(a, nil, "Session-ID:s"), with(b, nil, "Session-ID:s")}, "1+2:1.00"},
		"the other's Call-ID in one": {[]calls.Leg{a, with(b, nil, "X-CID:1")}, "1+2:1.00"},
		"through a third":            {[]calls.Leg{with(a, nil, "Session-ID:s"), with(b, nil, "X-CID:1"), with(c, nil, "Session-ID:s")}, "1+2+3:1.00"},
		"the same of another tenant": {[]calls.Leg{with(a, []string{"x"}), with(other, []string{"x"})}, "2 1"},
		"of no value":                {[]calls.Leg{with(a, []string{""}, "X-CID:"), with(b, []string{""}, "X-CID:")}, "1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := grouped(calls.GroupLegs(v.legs, calls.LinkOptions{})); got != v.want {
				t.Errorf("got %s, want %s", got, v.want)
			}
		})
	}
	if got := len(calls.GroupLegs(many, calls.LinkOptions{})); got != 65 {
		t.Errorf("an id that 65 legs have makes %d calls of them, should make 65", got)
	}
	keys := map[string]bool{}
	for _, g := range calls.GroupLegs(many, calls.LinkOptions{}) {
		keys[calls.Assemble(g, time.Time{}).Key] = true
	}
	if len(keys) != 65 {
		t.Errorf("65 calls have %d keys", len(keys))
	}
	for _, g := range calls.GroupLegs(chain, calls.LinkOptions{}) {
		if len(g.Legs) > 64 {
			t.Errorf("a call of %d legs", len(g.Legs))
		}
	}
	if got := grouped(calls.GroupLegs(chain, calls.LinkOptions{MaxLegs: 2})); !strings.HasPrefix(got, "00+01:1.00 02+03:1.00 ") {
		t.Errorf("bounded to two legs: %s", got)
	}
	links := calls.GroupLegs([]calls.Leg{a, with(b, []string{"1"}, "X-CID:1")}, calls.LinkOptions{})[0].Links
	if want := []calls.Link{{A: "1", B: "2", Reason: "X-CID", Value: "1", Confidence: 1}}; !slices.Equal(links, want) {
		t.Errorf("links are %v, should be %v", links, want)
	}
}

// TestKeyAndOrder: the leg that began first speaks for the call and names it,
// even when its agent's clock is behind.
func TestKeyAndOrder(t *testing.T) {
	first, second := legOf(t, "1", 8, "A>P", "101", "bob"), legOf(t, "2", 5, "P>B", "101", "robert")
	second.CorrelationIDs = []string{"1"}
	c := calls.Assemble(calls.GroupLegs([]calls.Leg{second, first}, calls.LinkOptions{})[0], time.Time{})
	if got := fmt.Sprintf("%v %s %s %v", c.CallIDs, c.Key, c.ToUser, c.Legs); got != "[1 2] 1 bob [{1  1 0} {2 correlation_id 1 0}]" {
		t.Error(got)
	}
	first.CorrelationIDs = []string{"1", "z", "y"}
	c = calls.Assemble(calls.GroupLegs([]calls.Leg{second, first}, calls.LinkOptions{})[0], time.Time{})
	if c.Key != "y" {
		t.Errorf("key is %q, should be the first correlation id that is no Call-ID", c.Key)
	}
	if c.LastSrc != address(t, "P") || c.LastDst != address(t, "B") || c.Src != address(t, "A") {
		t.Errorf("from %s, at last %s to %s", c.Src, c.LastSrc, c.LastDst)
	}
}
