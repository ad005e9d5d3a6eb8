package ingest

import (
	"time"

	"github.com/heplake/heplake/schema"
)

// storedWatch finds out up to when everything that was handed over is stored.
type storedWatch struct {
	// until is the time in question, which was before at: by at rows were made of all
	// that was handed over until then. spooled is by when these were in the spool.
	until, at, spooled time.Time
}

// watchStored tells the assembler what is stored of that which it was given.
func (p *Pipeline) watchStored(now time.Time) {
	w := &p.stored
	if w.at.IsZero() {
		w.until, w.at, w.spooled = now.Add(-1), now, time.Time{}
		for _, k := range p.workers {
			if marks := k.legs.held.marks; len(marks) > 0 && !marks[0].at.After(w.until) {
				w.until = marks[0].at.Add(-1)
			}
		}
		return
	}
	if w.spooled.IsZero() {
		open := p.commits.oldestUnspooled()
		for _, k := range p.workers {
			k.mu.Lock()
			open = earlier(open, opened(&k.digestRows))
			k.mu.Unlock()
		}
		if !open.IsZero() && !open.After(w.at) {
			return
		}
		// Not the caller's time: a batch may have come into the spool since.
		w.spooled = time.Now()
	}
	if put := p.spool.OldestPut(schema.LegDigests.Name); put.IsZero() || put.After(w.spooled) {
		p.cfg.Handover.Stored(w.until)
		w.at = time.Time{}
	}
}
