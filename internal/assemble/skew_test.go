package assemble_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/laketest"
)

// TestTruthWithFaults is TestTruth with what goes wrong on the way: agents whose
// clocks differ, packets that their agent sends twice or late, reports that are
// lost; in batches of any size, in any order, and with every batch sent twice.
// What each call was must come out all the same, times as far as clocks agree.
func TestTruthWithFaults(t *testing.T) {
	for _, way := range []struct {
		name             string
		cfg              truth.Config
		batch            int
		shuffled, double bool
	}{
		{"clocks differ", truth.Config{Seed: 11, Calls: 300, Registrations: 60, Skew: 20 * time.Millisecond}, 100_000, false, false},
		{"packets come twice and late", truth.Config{Seed: 12, Calls: 300, Registrations: 60, Duplicates: 0.2, Late: 0.1}, 100_000, false, true},
		{"reports are lost", truth.Config{Seed: 13, Calls: 300, Registrations: 60, Lossy: 1}, 100_000, false, false},
		{"all of it", truth.Config{Seed: 14, Calls: 300, Registrations: 60, Skew: 20 * time.Millisecond, Lossy: 0.5, Duplicates: 0.1, Late: 0.1}, 1000, true, true},
		{"all of it, by sevens", truth.Config{Seed: 15, Calls: 15, Registrations: 4, Skew: 20 * time.Millisecond, Lossy: 0.5, Duplicates: 0.2, Late: 0.1}, 7, true, true},
		{"all of it, one by one", truth.Config{Seed: 16, Calls: 2, Registrations: 1, Skew: 20 * time.Millisecond, Duplicates: 0.3}, 1, true, true},
	} {
		t.Run(way.name, func(t *testing.T) {
			way.cfg.Start = shortlyBefore(time.Now())
			corpus, err := truth.New(way.cfg)
			if err != nil {
				t.Fatal(err)
			}
			packets := corpus.Data()
			if way.shuffled {
				rng := rand.New(rand.NewPCG(3, 4))
				rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
			}
			l := laketest.Open(t)
			a := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name})
			feed(t, l, packets, way.batch, way.double, nil, holding{}, func() {
				if err := a.Pass(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
			if err := a.Settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			compareWithTruth(t, l, corpus)
			// The minutes that calls begin in are those of the agents' clocks; their sums
			// over all minutes are not a matter of clocks.
			total := truth.Minute{}
			for _, m := range corpus.Minutes {
				total.Attempts += m.Attempts
				total.Answered += m.Answered
				total.Redirected += m.Redirected
				total.Cancelled += m.Cancelled
				total.Failed += m.Failed
				total.Unanswered += m.Unanswered
				total.Final4xx += m.Final4xx
				total.Final5xx += m.Final5xx
				total.Final6xx += m.Final6xx
				total.Delivered += m.Delivered
				total.Registrations += m.Registrations
				total.RegFailures += m.RegFailures
			}
			if way.cfg.Lossy == 0 {
				for _, table := range []string{"kpi_1m", "kpi_1h", "kpi_1d"} {
					compare(t, table, query(t, l, strings.ReplaceAll(sumsSQL, "{table}", table)), []string{sums(total)})
				}
			}
			compare(t, "registrations_1m", query(t, l, "SELECT concat(toString(sum(attempts)), ' ', toString(sum(failures))) FROM registrations_1m FINAL WHERE dim = 'all'"),
				[]string{figures(total.Registrations, total.RegFailures)})
		})
	}
}

const sumsSQL = `SELECT arrayStringConcat(arrayMap(x -> toString(x), [sum(attempts), sum(answered), sum(redirected), sum(cancelled), sum(failed), sum(unanswered),
	sum(final_4xx), sum(final_5xx), sum(final_6xx), sum(delivered)]), ' ') FROM {table} FINAL WHERE dim = 'all'`

func sums(m truth.Minute) string {
	return figures(m.Attempts, m.Answered, m.Redirected, m.Cancelled, m.Failed, m.Unanswered, m.Final4xx, m.Final5xx, m.Final6xx, m.Delivered)
}

func figures(list ...int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, " ")
}
