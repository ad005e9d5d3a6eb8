package truth_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
)

// start is so that calls go on beyond midnight.
var start = time.Date(2026, 11, 20, 23, 58, 30, 0, time.UTC)

func corpus(t testing.TB, cfg truth.Config) *truth.Corpus {
	t.Helper()
	if cfg.Start.IsZero() {
		cfg.Start = start
	}
	c, err := truth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rows(t testing.TB, c *truth.Corpus) []callstest.Row {
	t.Helper()
	var out []callstest.Row
	for _, p := range c.Packets {
		out = append(out, callstest.Decode(t, p.Data)...)
	}
	return out
}

// assembled is what package calls makes of rows.
func assembled(rows []callstest.Row) (list []calls.Call, registrations []calls.Registration) {
	legs := callstest.Legs(rows)
	for _, g := range calls.GroupLegs(legs, calls.DefaultLinkOptions()) {
		list = append(list, calls.Assemble(g, time.Time{}))
	}
	for _, l := range legs {
		registrations = append(registrations, calls.Registrations(l, time.Time{})...)
	}
	return list, registrations
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func got(list []calls.Call) []truth.Got {
	var out []truth.Got
	for _, c := range list {
		var reasons []string
		for _, l := range c.Legs {
			reasons = append(reasons, l.Reason)
		}
		out = append(out, truth.Got{
			FinalReason: c.FinalReason, Codecs: c.Codecs, Nodes: c.Nodes, LegReasons: reasons,
			CallIDs: c.CallIDs, Method: c.Method, Start: c.Start, FirstProvisional: at(c.FirstProvisional), Ring: at(c.Ring), Answer: at(c.Answer), End: at(c.End),
			LastSeen: c.LastSeen, Outcome: string(c.Outcome), FinalStatus: int(c.FinalStatus), ReleasedBy: c.ReleasedBy, Q850: int(c.Q850),
			FromUser: c.FromUser, ToUser: c.ToUser, RuriUser: c.RuriUser, Src: c.Src.String(), Dst: c.Dst.String(), LastSrc: c.LastSrc.String(), LastDst: c.LastDst.String(),
			Messages: c.Messages, Retransmissions: c.Retransmissions, Hops: c.Hops, PDDMs: c.PDDMs, SRDMs: c.SRDMs, SDDMs: c.SDDMs, DurationS: c.DurationS,
			LossPercent: c.LossPercent, JitterMs: c.JitterMs, CallerLossPercent: c.Caller.LossPercent, CalleeLossPercent: c.Callee.LossPercent,
		})
	}
	return out
}

func check(t *testing.T, differences []string) {
	t.Helper()
	for i, d := range differences {
		if i == 20 {
			t.Errorf("and %d more", len(differences)-i)
			break
		}
		t.Error(d)
	}
}

// TestCallsAreTheTruth: whatever happened is what package calls says happened.
func TestCallsAreTheTruth(t *testing.T) {
	for name, cfg := range map[string]truth.Config{
		"plain":            {Seed: 1, Calls: 800},
		"clocks differ":    {Seed: 2, Calls: 800, Skew: 20 * time.Millisecond},
		"duplicates, late": {Seed: 3, Calls: 400, Duplicates: 0.1, Late: 0.1},
		"reports lost":     {Seed: 4, Calls: 800, Lossy: 1},
		"all of it":        {Seed: 5, Calls: 800, Registrations: 100, Skew: 10 * time.Millisecond, Lossy: 0.5, Duplicates: 0.05, Late: 0.05},
		"many at once":     {Seed: 6, Calls: 400, Gap: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			c := corpus(t, cfg)
			list, _ := assembled(rows(t, c))
			check(t, c.CompareCalls(got(list)))
		})
	}
}

// TestOrderDoesNotMatter: the same rows in any order, and events any number of
// times, give the same calls to the last field.
func TestOrderDoesNotMatter(t *testing.T) {
	c := corpus(t, truth.Config{Seed: 7, Calls: 300, Registrations: 60, Skew: 10 * time.Millisecond, Lossy: 0.3, Duplicates: 0.05})
	list := rows(t, c)
	want, wantRegistrations := assembled(list)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 5 {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		legs := callstest.Legs(list)
		for i := range legs {
			// Each event several times, as pieces that overlap bring it.
			e := slices.Repeat(legs[i].Events, 1+rng.IntN(3))
			rng.Shuffle(len(e), func(i, j int) { e[i], e[j] = e[j], e[i] })
			legs[i].Events = e
		}
		var got []calls.Call
		for _, g := range calls.GroupLegs(legs, calls.DefaultLinkOptions()) {
			rng.Shuffle(len(g.Legs), func(i, j int) { g.Legs[i], g.Legs[j] = g.Legs[j], g.Legs[i] })
			got = append(got, calls.Assemble(g, time.Time{}))
		}
		if !reflect.DeepEqual(got, want) {
			for i := range got {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Fatalf("shuffled, a call is\n%+v\nnot\n%+v", got[i], want[i])
				}
			}
			t.Fatalf("shuffled, there are %d calls, not %d", len(got), len(want))
		}
		var registrations []calls.Registration
		for _, l := range legs {
			registrations = append(registrations, calls.Registrations(l, time.Time{})...)
		}
		sortRegistrations(registrations)
		sortRegistrations(wantRegistrations)
		if !reflect.DeepEqual(registrations, wantRegistrations) {
			t.Fatal("shuffled, registrations differ")
		}
	}
}

func sortRegistrations(list []calls.Registration) {
	slices.SortFunc(list, func(a, b calls.Registration) int {
		return bytes.Compare([]byte(a.CallID+a.Time.String()), []byte(b.CallID+b.Time.String()))
	})
}

// TestFoundFromEachLeg: whichever leg one starts from, following CandidateKeys
// leads to the same call.
func TestFoundFromEachLeg(t *testing.T) {
	c := corpus(t, truth.Config{Seed: 8, Calls: 300, Registrations: 20, Skew: 5 * time.Millisecond, Gap: 20 * time.Millisecond})
	legs := callstest.Legs(rows(t, c))
	o := calls.DefaultLinkOptions()
	want := map[string][]string{} // Call-ID → those of its call
	for _, g := range calls.GroupLegs(legs, o) {
		for _, id := range callIDs(g) {
			want[id] = callIDs(g)
		}
	}
	keys := make([]calls.Keys, len(legs))
	for i := range legs {
		keys[i] = calls.CandidateKeys(&legs[i], o)
	}
	for start := range legs {
		taken := map[int]bool{start: true}
		for grown := true; grown; {
			grown = false
			for i := range legs {
				for j := range taken {
					if !taken[i] && related(keys[j], keys[i]) {
						taken[i], grown = true, true
						break
					}
				}
			}
		}
		var some []calls.Leg
		for i := range taken {
			some = append(some, legs[i])
		}
		for _, g := range calls.GroupLegs(some, o) {
			if ids := callIDs(g); slices.Contains(ids, legs[start].CallID) && !slices.Equal(ids, want[legs[start].CallID]) {
				t.Errorf("from %s one gets to %q, all legs together give %q", legs[start].CallID, ids, want[legs[start].CallID])
			}
		}
	}
}

func callIDs(g calls.Group) []string {
	var out []string
	for _, l := range g.Legs {
		out = append(out, l.CallID)
	}
	return out
}

// related tells whether a search by the keys of one leg finds the other.
func related(a, b calls.Keys) bool {
	return common(a.IDs, b.IDs) || common(a.Near, b.Near) && !b.To.Before(a.From) && !a.To.Before(b.From)
}

func common[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(v T) bool { return slices.Contains(b, v) })
}

// TestRegistrationsAreTheTruth compares every attempt with what was played.
func TestRegistrationsAreTheTruth(t *testing.T) {
	c := corpus(t, truth.Config{Seed: 9, Calls: 50, Registrations: 400, Duplicates: 0.05})
	_, list := assembled(rows(t, c))
	var got []truth.GotRegistration
	for _, r := range list {
		got = append(got, truth.GotRegistration{
			CallID: r.CallID, Time: r.Time, User: r.User, Domain: r.Domain, Contact: r.Contact, Source: r.Source.String(), Outcome: string(r.Outcome),
			Status: int(r.Status), Expires: r.Expires, RRDMs: r.RRDMs, Ineffective: r.Ineffective, Requests: r.Requests,
		})
	}
	check(t, c.CompareRegistrations(got))
}

// TestKPIsAreTheTruth: sums over what each call counts are those of what was
// played, minute by minute, across midnight.
func TestKPIsAreTheTruth(t *testing.T) {
	c := corpus(t, truth.Config{Seed: 10, Calls: 1000, Registrations: 200})
	if days := map[int]bool{}; true {
		for _, m := range c.Minutes {
			days[time.UnixMicro(m.Time).UTC().Day()] = true
		}
		if len(days) != 2 {
			t.Fatalf("the corpus is of days %v, not of two", days)
		}
	}
	list, registrations := assembled(rows(t, c))
	got := map[int64]truth.Minute{}
	minute := func(at time.Time) int64 { return at.Truncate(time.Minute).UnixMicro() }
	for i := range list {
		n := calls.CountsOf(&list[i])
		if n.Attempts == 0 {
			continue
		}
		m := got[minute(list[i].Start)]
		m.Attempts += int(n.Attempts)
		m.Answered += int(n.Answered)
		m.Redirected += int(n.Redirected)
		m.Cancelled += int(n.Cancelled)
		m.Failed += int(n.Failed)
		m.Unanswered += int(n.Unanswered)
		m.Final4xx += int(n.Final4xx)
		m.Final5xx += int(n.Final5xx)
		m.Final6xx += int(n.Final6xx)
		m.Effective += int(n.Effective)
		m.Ineffective += int(n.Ineffective)
		m.Delivered += int(n.Delivered)
		m.Ended += int(n.Ended)
		m.Active += int(n.Active)
		m.Completed += int(n.Completed)
		m.TalkSeconds += n.TalkSeconds
		got[minute(list[i].Start)] = m
		if n.Pending != 0 {
			t.Errorf("%s is pending when nothing more comes", list[i].Key)
		}
	}
	for i := range registrations {
		n := calls.RegistrationCountsOf(&registrations[i])
		m := got[minute(registrations[i].Time)]
		m.Registrations += int(n.Attempts)
		m.RegFailures += int(n.Failed + n.Unanswered)
		m.Ineffectives += int(n.Ineffective)
		got[minute(registrations[i].Time)] = m
	}
	if len(got) != len(c.Minutes) {
		t.Errorf("%d minutes, should be %d", len(got), len(c.Minutes))
	}
	for _, want := range c.Minutes {
		m := got[want.Time]
		m.Time = want.Time
		if math.Abs(m.TalkSeconds-want.TalkSeconds) > 1e-6 {
			t.Errorf("talk time is %g s, should be %g", m.TalkSeconds, want.TalkSeconds)
		}
		m.TalkSeconds = want.TalkSeconds
		if m != want {
			t.Errorf("minute is\n%+v, should be\n%+v", m, want)
		}
	}
}

// TestCorpus: the same seed gives the same bytes, another one others, and every
// scenario, kind of link and fault that was asked for is there.
func TestCorpus(t *testing.T) {
	cfg := truth.Config{Seed: 11, Calls: 400, Registrations: 50, Skew: time.Millisecond, Lossy: 0.2, Duplicates: 0.02, Late: 0.02}
	a, b := corpus(t, cfg), corpus(t, cfg)
	if len(a.Packets) != len(b.Packets) {
		t.Fatalf("%d packets in one run, %d in another", len(a.Packets), len(b.Packets))
	}
	for i := range a.Packets {
		if !bytes.Equal(a.Packets[i].Data, b.Packets[i].Data) {
			t.Fatalf("packet %d differs from run to run", i)
		}
	}
	cfg.Seed++
	if other := corpus(t, cfg); len(other.Packets) == len(a.Packets) && bytes.Equal(other.Packets[0].Data, a.Packets[0].Data) {
		t.Error("another seed gives the same traffic")
	}
	seen := map[string]bool{}
	duplicates, lost := uint64(0), 0
	for _, c := range a.Calls {
		seen[c.Scenario], seen[c.Link] = true, true
		duplicates += c.Duplicates
		if c.Lost != "" {
			lost++
		}
	}
	for _, name := range append(truth.Scenarios(), "X-CID", "Session-ID", "P-Charging-Vector", "correlation_id", "heuristics") {
		if !seen[name] {
			t.Errorf("%q is not played", name)
		}
	}
	if duplicates == 0 || lost == 0 {
		t.Errorf("%d duplicates and %d lost reports, should be some", duplicates, lost)
	}
	if late := slices.IndexFunc(a.Packets, func(p truth.Packet) bool { return p.Arrival-p.Time > 10_000_000 }); late < 0 {
		t.Error("nothing is late")
	}
	for _, bad := range []truth.Config{{Calls: -1}, {Lossy: 2}, {Only: []string{"nothing"}}} {
		if _, err := truth.New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestCompareFindsFaults: a comparison that cannot fail proves nothing.
func TestCompareFindsFaults(t *testing.T) {
	c := corpus(t, truth.Config{Seed: 12, Calls: 40, Only: []string{"answered caller"}})
	list, _ := assembled(rows(t, c))
	for name, spoil := range map[string]func(g *truth.Got){
		"outcome":         func(g *truth.Got) { g.Outcome = "failed" },
		"final_status":    func(g *truth.Got) { g.FinalStatus = 486 },
		"released_by":     func(g *truth.Got) { g.ReleasedBy = "callee" },
		"call_ids":        func(g *truth.Got) { g.CallIDs = append(slices.Clone(g.CallIDs), "more") },
		"messages":        func(g *truth.Got) { g.Messages++ },
		"retransmissions": func(g *truth.Got) { g.Retransmissions++ },
		"hops":            func(g *truth.Got) { g.Hops++ },
		"ring":            func(g *truth.Got) { g.Ring = nil },
		"end":             func(g *truth.Got) { late := g.End.Add(time.Millisecond); g.End = &late },
		"pdd_ms":          func(g *truth.Got) { v := *g.PDDMs + 1; g.PDDMs = &v },
		"src":             func(g *truth.Got) { g.Src = g.Dst },
	} {
		rows := got(list)
		if d := c.CompareCalls(rows); len(d) != 0 {
			t.Fatal(d)
		}
		spoil(&rows[7])
		if d := c.CompareCalls(rows); len(d) == 0 {
			t.Errorf("a wrong %s is not found", name)
		}
	}
	if d := c.CompareCalls(got(list)[1:]); len(d) != 1 {
		t.Errorf("a missing call: %q", d)
	}
}
