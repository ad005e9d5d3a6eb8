package ingest

import (
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/schema"
)

// Handover takes digests before they are stored: an assembler in this process. They
// are then stored later, and less of them, as what comes to a leg within seconds
// is one row. It must be safe for concurrent use.
type Handover interface {
	// Run is a number, other than 0, by which it knows what was handed to it; 0 when
	// it takes nothing at the moment. When the number changes, what was handed to it
	// under another must be read from the table, where each row has its number.
	Run() uint64
	// Ours reports whether it is it that makes calls, also while it takes nothing: then
	// what is in memory when the process is killed is made again.
	Ours() bool
	// Take gives it pieces of the tenant's legs, which are its own from then on. It
	// reports whether the run is still that.
	Take(run uint64, tenant string, pieces []digest.Piece) bool
	// Renew has it choose another number.
	Renew()
	// Stored says that ClickHouse has all of what was handed over until then.
	Stored(until time.Time)
}

const (
	// holdFor is how long the digest of a leg is held that was handed over; from then
	// on it, and those half as old, become rows. heldBytes is how many bytes a worker
	// holds: above it the oldest go until a quarter is free.
	holdFor   = 15 * time.Second
	heldBytes = 10 << 20
	// Of digests that come faster than floodRate in a worker, in bytes a second, some
	// 40,000 messages a second with two, an assembler could not keep all in memory: for
	// so long they are held for floodFor and not handed over.
	floodRate, floodPause = 1_700_000, 10 * time.Second
	floodFor              = 6 * time.Second
	// namesHeldFor is how long rows of ids and users are held, where their digests were
	// handed over: few and large batches cost ClickHouse half of what many do, and less,
	// and a search looks for the newest messages itself.
	namesHeldFor = 6 * time.Second
	// heldSkew is how far a record's time may be from that of its receipt for its
	// digest to be held: what a process that is killed has in memory is made again
	// of the messages with times shortly before (assemble.mend).
	heldSkew = 10 * time.Second
	// holdLegs is how many legs must get something within a batch's age: holding the
	// digests of few spares little.
	holdLegs = 64
	// overdue is how long digests may wait for ClickHouse before the assembler is
	// not to rely on its memory of them any more.
	overdue = 20 * time.Second
)

// sealDigests hands over digests, and seals those that are due, having been received
// before t; all of them at a stop.
func (p *Pipeline) sealDigests(t, now time.Time, stopping bool) {
	if p.cfg.Handover != nil && now.Sub(p.lookedOverdue) > time.Second {
		p.lookedOverdue = now
		if at := p.spool.OldestPut(schema.LegDigests.Name); !at.IsZero() && now.Sub(at) > overdue {
			p.cfg.Handover.Renew()
		}
		p.watchStored(now)
	}
	if gone := p.idsGone.Load(); gone != p.told.gone {
		p.told.gone = gone
		clear(p.told.seen)
		clear(p.toldUsers.seen)
	}
	// What one worker has to hand over goes with what the others have: fewer batches.
	due := false
	for _, w := range p.workers {
		w.legs.mu.Lock()
		due = due || w.digestsDue(t)
		w.legs.mu.Unlock()
	}
	if due {
		for _, w := range p.workers {
			w.mu.Lock()
			w.legs.mu.Lock()
			if b := &w.legs.prompt; b.Len() > 0 {
				w.digestsReceived = b.Opened
				w.flushDigests(b, b.Len(), 0)
			}
			w.sealHeld(now, stopping)
			w.legs.mu.Unlock()
			w.mu.Unlock()
		}
	}
	sealOld(p, p.digests, func(w *worker) *openBatches[batch.LegDigests] { return &w.digestRows }, t)
	if !p.namesPrompt {
		t = t.Add(-namesHeldFor)
	}
	p.namesPrompt = false
	sealOld(p, p.ids, func(w *worker) *openBatches[batch.IDs] { return &w.idRows }, t)
	sealOld(p, p.users, func(w *worker) *openBatches[batch.Users] { return &w.userRows }, t)
}

// digestsDue reports whether the worker has digests that were received before t,
// or as many as it may have.
func (w *worker) digestsDue(t time.Time) bool {
	full := func(b *digest.Builder) bool { return b.Size()+b.Untold() > w.p.cfg.HoldBytes }
	if b := &w.legs.prompt; b.Len() > 0 && (b.Opened.Before(t) || full(b)) {
		return true
	}
	b := &w.legs.digests
	return b.Len() > 0 && (w.legs.heldSince().Before(t) || full(b))
}

// sealHeld hands over what the worker holds, and makes rows of it when it is time. Only
// where an assembler in this process does the work anything is held: when the process is
// killed, the next one knows, and makes up for what was in memory.
func (w *worker) sealHeld(now time.Time, stopping bool) {
	b, h := &w.legs.digests, &w.legs.held
	if b.Len() == 0 {
		return
	}
	since := w.legs.heldSince()
	w.digestsReceived = since
	if float64(b.Size()-h.size) > float64(w.p.cfg.FloodRate)*max(now.Sub(since), 10*time.Millisecond).Seconds() {
		h.floodUntil = now.Add(w.p.cfg.FloodPause)
	}
	run, ours := uint64(0), false
	if w.p.cfg.Handover != nil {
		run, ours = w.p.cfg.Handover.Run(), w.p.cfg.Handover.Ours()
	}
	flood := ours && now.Before(h.floodUntil)
	switch {
	case stopping && h.run == 0, h.run != 0 && h.run != run, !flood && (run == 0 || h.flooded()):
		// Something may have come since it was handed over: the table says it all.
		w.flushDigests(b, b.Len(), 0)
	case flood && h.run == 0:
		h.mark(now, b.Len())
		b.Tell(w.addID, w.addUser)
		w.flushOldest(b, now, floodFor)
	case h.run == 0 && b.Fresh() < w.p.cfg.HoldLegs:
		w.flushDigests(b, b.Len(), 0)
	default:
		h.run = run
		h.mark(now, b.Len())
		pieces := b.Hand(w.addID, w.addUser)
		if taken := len(pieces) == 0 || w.p.cfg.Handover.Take(run, w.p.cfg.Tenant, pieces); !taken || stopping || flood {
			w.flushDigests(b, b.Len(), run)
		} else {
			w.flushOldest(b, now, holdFor)
		}
	}
	h.size = b.Size()
}

// flushOldest makes rows of the oldest legs that are held, where there is too much or
// some were held for that long.
func (w *worker) flushOldest(b *digest.Builder, now time.Time, holdFor time.Duration) {
	h := &w.legs.held
	switch {
	case b.Size() > w.p.cfg.HoldBytes:
		w.flushDigests(b, b.Oldest(b.Size()-w.p.cfg.HoldBytes*3/4), h.run)
	case now.Sub(h.marks[0].at) > holdFor:
		w.flushDigests(b, h.until(now.Add(-holdFor/2)), h.run)
	}
}

// flushDigests makes rows of the n oldest legs that were gathered, and were handed
// over in this run.
func (w *worker) flushDigests(b *digest.Builder, n int, run uint64) {
	w.p.namesPrompt = w.p.namesPrompt || run == 0
	b.Tell(w.addID, w.addUser)
	for i := range n {
		row := b.Row(i)
		if row.Kinds == 0 {
			continue
		}
		rows := open(w, &w.digestRows, int64(row.Slot)*1_000_000)
		rows.Cols.Slot.Append(row.Slot)
		rows.Cols.Tenant.AppendString(w.p.cfg.Tenant)
		rows.Cols.CallID.Append(row.CallID)
		rows.Cols.Kinds.Append(uint8(row.Kinds))
		rows.Cols.Handed.Append(run)
		rows.Cols.Digest.Append(row.Digest)
		commit(w, &w.digestRows, rows, 0, w.digestsReceived)
	}
	if b == &w.legs.digests {
		w.legs.held.let(n)
	}
	b.Release(n)
}
