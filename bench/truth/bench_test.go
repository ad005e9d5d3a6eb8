package truth_test

import (
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/calls/callstest"
)

// BenchmarkAssemble groups and assembles the legs of mixed traffic; the time of
// a message is in its metric.
func BenchmarkAssemble(b *testing.B) {
	c := corpus(b, truth.Config{Seed: 1, Calls: 2000, Registrations: 300})
	list := rows(b, c)
	legs := callstest.Legs(list)
	o := calls.DefaultLinkOptions()
	b.ReportAllocs()
	for b.Loop() {
		for _, g := range calls.GroupLegs(legs, o) {
			calls.Assemble(g, time.Time{})
		}
		for i := range legs {
			calls.Registrations(legs[i], time.Time{})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/message")
}
