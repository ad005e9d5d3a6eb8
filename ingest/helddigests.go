package ingest

import (
	"hash/maphash"
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
	// Take gives it pieces of the tenant's legs, which are its own from then on. It
	// reports whether the run is still that.
	Take(run uint64, tenant string, pieces []digest.Piece) bool
	// Renew has it choose another number.
	Renew()
}

const (
	// holdFor is how long digests are held that were handed over, heldBytes how many
	// bytes of them in a worker.
	holdFor   = 15 * time.Second
	heldBytes = 8 << 20
	// usersHeldFor is how long rows of users are held, where their digests were handed
	// over: few and large batches cost ClickHouse half of what many do, and a search
	// looks for the newest messages itself.
	usersHeldFor = 8 * time.Second
	// heldSkew is how far a record's time may be from that of its receipt for its
	// digest to be held: what a process that is killed has in memory is made again
	// of the messages with times shortly before (assemble.mend).
	heldSkew = 10 * time.Second
	// holdLegs is how many legs must get something within a batch's age: holding the
	// digests of few spares little.
	holdLegs = 64
	// Digests that come faster than floodRate in a worker, in bytes a second, are
	// stored as they come, for so long: some 50,000 messages a second with two. Held,
	// they would be a burst for the sealers, and receipt would wait.
	floodRate, floodPause = 2 << 20, 10 * time.Second
	// overdue is how long digests may wait for ClickHouse before the assembler is
	// not to rely on its memory of them any more.
	overdue = 20 * time.Second
)

// heldDigests is the state of what a worker holds.
type heldDigests struct {
	// run is what they were handed over under, 0 when they were not.
	run uint64
	// handed is when they were last, size how much there was then.
	handed time.Time
	size   int
	// promptUntil ends a flood.
	promptUntil time.Time
}

// sealDigests hands over digests, and seals those that are due, having been received
// before t; all of them at a stop.
func (p *Pipeline) sealDigests(t, now time.Time, stopping bool) {
	if p.cfg.Handover != nil && now.Sub(p.lookedOverdue) > time.Second {
		p.lookedOverdue = now
		if at := p.spool.OldestPut(schema.LegDigests.Name); !at.IsZero() && now.Sub(at) > overdue {
			p.cfg.Handover.Renew()
		}
	}
	if gone := p.idsGone.Load(); gone != p.told.gone {
		p.told.gone = gone
		clear(p.told.seen)
		clear(p.toldUsers.seen)
	}
	// What one worker has to hand over goes with what the others have: fewer batches.
	due := false
	for _, w := range p.workers {
		w.mu.Lock()
		due = due || w.digestsDue(t)
		w.mu.Unlock()
	}
	if due {
		for _, w := range p.workers {
			w.mu.Lock()
			if b := &w.promptDigests; b.Len() > 0 {
				w.digestsReceived = b.Opened
				w.flushDigests(b, 0)
			}
			w.sealHeld(now, stopping)
			w.mu.Unlock()
		}
	}
	sealOld(p, p.digests, func(w *worker) *openBatches[batch.LegDigests] { return &w.digestRows }, t)
	sealOld(p, p.ids, func(w *worker) *openBatches[batch.IDs] { return &w.idRows }, t)
	if !p.usersPrompt {
		t = t.Add(-usersHeldFor)
	}
	p.usersPrompt = false
	sealOld(p, p.users, func(w *worker) *openBatches[batch.Users] { return &w.userRows }, t)
}

// digestsDue reports whether the worker has digests that were received before t,
// or as many as it may have.
func (w *worker) digestsDue(t time.Time) bool {
	if b := &w.promptDigests; b.Len() > 0 && (b.Opened.Before(t) || b.Size() > heldBytes) {
		return true
	}
	b := &w.digests
	return b.Len() > 0 && (w.heldSince().Before(t) || b.Size() > heldBytes)
}

// heldSince is when the first was received of what is held and was not handed over.
func (w *worker) heldSince() time.Time {
	if w.held.run != 0 {
		return w.held.handed
	}
	return w.digests.Opened
}

// sealHeld hands over what the worker holds, and makes rows of it when it is time.
func (w *worker) sealHeld(now time.Time, stopping bool) {
	b, h := &w.digests, &w.held
	if b.Len() == 0 {
		return
	}
	since := w.heldSince()
	w.digestsReceived = since
	if float64(b.Size()-h.size) > floodRate*max(now.Sub(since), 10*time.Millisecond).Seconds() {
		h.promptUntil = now.Add(floodPause)
	}
	run := uint64(0)
	if w.p.cfg.Handover != nil && now.After(h.promptUntil) {
		run = w.p.cfg.Handover.Run()
	}
	if run == 0 || h.run != 0 && h.run != run || h.run == 0 && (b.Fresh() < w.p.cfg.HoldLegs || stopping) {
		w.flushDigests(b, h.run)
		return
	}
	h.run, h.handed, h.size = run, now, b.Size()
	pieces := b.Hand(w.addID, w.addUser)
	taken := len(pieces) == 0 || w.p.cfg.Handover.Take(run, w.p.cfg.Tenant, pieces)
	if !taken || stopping || b.Size() > heldBytes || now.Sub(b.Opened) > holdFor {
		w.flushDigests(b, run)
	}
}

// flushDigests makes rows of what was gathered, and was handed over in this run.
func (w *worker) flushDigests(b *digest.Builder, run uint64) {
	w.p.usersPrompt = w.p.usersPrompt || run == 0
	for i := range b.Len() {
		b.IDs(i, w.addID)
		b.Users(i, w.addUser)
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
	if b == &w.digests {
		w.held.run, w.held.size = 0, 0
	}
	b.Reset()
}

// toldIDs are the rows of table ids that were made of late: a call has several
// messages in an hour, which one row leads to.
type toldIDs struct {
	seen []uint64
	// gone is how many batches of ids or users were lost when this was begun.
	gone uint64
}

// toldRows is how many rows are remembered.
const toldRows = 1 << 16

var toldSeed = maphash.MakeSeed()

// has reports whether the row was made before, and remembers that it is now. hash
// is that of the id.
func (s *toldIDs) has(hash uint64, id digest.ID) bool {
	if s.seen == nil {
		s.seen = make([]uint64, toldRows)
	}
	const odd = 0x9e3779b97f4a7c15
	h := (hash+uint64(id.Slot/3600))*odd ^ maphash.Bytes(toldSeed, id.CallID)
	h = h*odd ^ maphash.Bytes(toldSeed, id.CorrelationID)
	place := &s.seen[h%toldRows]
	if *place == h {
		return true
	}
	*place = h
	return false
}

// toldUsers are the rows of table users that were made of late: of a call several
// messages name a user.
type toldUsers struct{ seen []uint64 }

// userFields are the bits of an element of seen that say of which fields a row was
// made; the others are of the row's hash.
const userFields = 0xff

// has reports whether such rows were made before, and remembers that they are now.
// hash is that of the name.
func (s *toldUsers) has(hash uint64, hour uint32, u digest.User) bool {
	if s.seen == nil {
		s.seen = make([]uint64, toldRows)
	}
	const odd = 0x9e3779b97f4a7c15
	h := (hash+uint64(hour/3600))*odd ^ maphash.Bytes(toldSeed, u.CorrelationID)
	place := &s.seen[(h>>8)%toldRows]
	if *place&^userFields != h&^userFields {
		*place = h&^userFields | uint64(u.Fields)
		return false
	}
	if *place|uint64(u.Fields) == *place {
		return true
	}
	*place |= uint64(u.Fields)
	return false
}
