package ingest

import (
	"sync"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// gathering is where digests of some legs are made. The hops of a call are reported by
// several agents and so come to several workers: what these receive of a leg goes to the
// one place that its id names, and is one row.
//
// Who has a worker's lock may take that of one gathering; nobody takes a worker's lock
// while holding a gathering's.
type gathering struct {
	mu sync.Mutex
	// digests are what records say of legs, in short; prompt those of records that are
	// not of the present.
	digests, prompt digest.Builder
	held            heldDigests
}

// gatheringOf is where what is said of the leg goes.
func (p *Pipeline) gatheringOf(id []byte) *gathering {
	return &p.workers[digest.Share(id, len(p.workers))].legs
}

// builder is that for a record: of one whose time is not that of its receipt digests are
// stored at once, as nobody would look for them at the time of a crash.
func (g *gathering) builder(r *record, skew time.Duration) *digest.Builder {
	b := &g.digests
	if off := r.us - r.received.UnixMicro(); max(off, -off) > skew.Microseconds() {
		b = &g.prompt
	}
	if b.Opened.IsZero() {
		b.Opened = r.received
	}
	return b
}

// heldSince is when the first was received of what is held and was not handed over.
func (g *gathering) heldSince() time.Time {
	if len(g.held.marks) > 0 {
		return g.held.handed
	}
	return g.digests.Opened
}
