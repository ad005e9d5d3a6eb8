package ingest

import (
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// TestLegIsGatheredInOnePlace has several workers receive the hops of calls at once, as
// of agents that send to several sockets: each leg is one row, with all its messages.
func TestLegIsGatheredInOnePlace(t *testing.T) {
	const packets = 20_000
	all := makeReads(t, packets, 16)
	messagesOf := func(workers int) (rows int, legs map[string]int) {
		one := newTestPipeline(10 * packets)
		one.cfg.Workers = workers
		p := New(one.cfg, nil, nil, one.log)
		var receiving sync.WaitGroup
		for i, w := range p.workers {
			receiving.Go(func() {
				for n := i; n < len(all); n += workers {
					entrance{w, "udp"}.Packets(time.Now(), all[n])
				}
			})
		}
		receiving.Wait()
		legs = map[string]int{}
		var decoder digest.Decoder
		for _, w := range p.workers {
			for _, b := range []*digest.Builder{&w.legs.digests, &w.legs.prompt} {
				for i := range b.Len() {
					row := b.Row(i)
					if row.Kinds == 0 {
						continue
					}
					leg, err := decoder.Decode("default", string(row.CallID), row.Digest)
					if err != nil {
						t.Fatal(err)
					}
					rows++
					legs[string(row.CallID)] += len(leg.Events)
				}
			}
		}
		return rows, legs
	}
	rows, legs := messagesOf(1)
	if rows < len(legs) || len(legs) < 500 {
		t.Fatalf("%d rows of %d legs", rows, len(legs))
	}
	got, of3 := messagesOf(3)
	if got != rows {
		t.Errorf("%d rows by three workers, %d by one", got, rows)
	}
	for id, n := range legs {
		if of3[id] != n {
			t.Errorf("leg %s has %d messages by three workers, %d by one", id, of3[id], n)
		}
	}
}
