package assemble

import (
	"hash/maphash"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// entry is a leg in memory: its digests, and what was made of it.
type entry struct {
	legID
	kinds digest.Kinds
	// digests are its digests. lastAt is where those of its last slot begin, of a leg of
	// registrations.
	digests digest.Gathered
	lastAt  int
	// first and last are its slots.
	first, last int64
	// whole says that every digest that is stored of it is in data.
	whole bool
	// fresh says that nothing can have been written of it by an earlier process.
	fresh bool

	// dirtySince is when it changed, zero when it is written as it is; dirtyAt when
	// it changed last, dirtyFrom the earliest slot that did.
	dirtySince, dirtyAt time.Time
	dirtyFrom           int64
	// decisive says that the change may decide the call, over that it may end it,
	// reportsOnly that it is of reports alone.
	decisive, over, reportsOnly bool
	// came is the time of the earliest message that came since it is here, in µs since the
	// epoch, of a leg of which something may be written and nobody knows what.
	came int64
	// handedAt is when some of it last came by the inbox: for a while that may be
	// nowhere else.
	handedAt time.Time
	// assembledAt is when it was written last.
	assembledAt time.Time
	// row is the row of calls that it is part of, and written a hash of that.
	row     rowKey
	written uint64
	// doubtful says that an insert of its row failed: there may be others.
	doubtful bool
	// attempts are the starts of the registrations written of it, in µs.
	attempts []int64
}

// rowKey names a row of calls.
type rowKey struct {
	key   string
	start int64 // µs since the epoch
}

func (e *entry) dirty() bool { return !e.dirtySince.IsZero() }

// handedFor is how long a digest may be in the inbox alone: ingest holds it for 15 s
// and renews the inbox when ClickHouse does not take it for 20 s after.
const handedFor = time.Minute

// held reports whether an entry may have digests that are not stored yet.
func (c *cache) held(e *entry, now time.Time) bool {
	return e.handedAt.After(c.stored) && now.Sub(e.handedAt) < handedFor
}

// size is about the memory that it takes.
func (e *entry) size() int { return e.digests.Held() + len(e.tenant) + len(e.callID) + 400 }

// maxLegBytes bounds the digests of a leg that are kept: a Call-ID with more is no
// call but a fault or an attack.
const maxLegBytes = digest.MaxEvents * 50

// add adds a digest of the slot.
func (e *entry) add(slot int64, kinds digest.Kinds, data []byte) {
	e.kinds |= kinds
	if e.first == 0 || slot < e.first {
		e.first = slot
	}
	// Registrations go on for weeks under one Call-ID: an attempt is over in a slot, or
	// in the one after.
	registers := e.kinds&(digest.OfRegistration|digest.OfCall) == digest.OfRegistration
	if slot > e.last {
		if registers && e.last != 0 {
			e.digests.Cut(e.lastAt)
		}
		e.last, e.lastAt = slot, len(e.digests.Data)
	}
	switch {
	case len(e.digests.Data)+len(data) > maxLegBytes:
	case registers:
		e.digests.AddApart(data)
	default:
		e.digests.Add(data)
	}
}

// touch notes that it changed.
func (e *entry) touch(slot int64, kinds digest.Kinds, now time.Time) {
	if !e.dirty() {
		e.dirtySince, e.dirtyFrom, e.decisive, e.over, e.reportsOnly = now, slot, false, false, true
	}
	e.dirtyAt = now
	e.dirtyFrom = min(e.dirtyFrom, slot)
	e.decisive = e.decisive || kinds&digest.Decisive != 0
	e.over = e.over || kinds&digest.Over != 0
	e.reportsOnly = e.reportsOnly && kinds == digest.Reports
}

// cache has the legs of late. What it forgets it knows to have known, so that a
// leg which is neither in it nor forgotten has no messages since it follows.
type cache struct {
	young, old map[legID]*entry
	bytes      int // of young
	// size is the memory for all legs, limit half of what is left now for those that are
	// written; kept is what young began with besides.
	size, limit, kept int
	forgotten         remembered
	// follows is the slot from which on every digest went through here.
	follows int64
	// stored is until when the table has all of what was handed over.
	stored time.Time
	dirty  map[*entry]struct{}
}

func newCache(size int) *cache {
	return &cache{
		young: map[legID]*entry{}, old: map[legID]*entry{}, size: size, limit: size / 2,
		dirty: map[*entry]struct{}{},
	}
}

var seed = maphash.MakeSeed()

func (id legID) hash() uint64 { return maphash.Comparable(seed, id) }

// get returns the leg, nil when it is not here.
func (c *cache) get(id legID) *entry {
	if e := c.young[id]; e != nil {
		return e
	}
	e := c.old[id]
	if e != nil {
		delete(c.old, id)
		c.put(e)
	}
	return e
}

// unwritten is the memory of the legs that are still to be written.
func (c *cache) unwritten() (bytes int) {
	for e := range c.dirty {
		bytes += e.size()
	}
	return bytes
}

// share gives those that are written the memory that the others leave, half of all at
// least.
func (c *cache) share() { c.limit = max(c.size/2, c.size-c.unwritten()) / 2 }

// put enters a leg that is not here.
func (c *cache) put(e *entry) {
	if c.bytes > c.limit+c.kept {
		c.forget()
	}
	c.young[e.legID] = e
	c.bytes += e.size()
}

// forget lets the older half go, all but what is still to be written, or stored: that
// counts no more until the next time, or it would be gone through with every leg.
func (c *cache) forget() {
	old, now := c.old, time.Now()
	c.old, c.young, c.bytes = c.young, make(map[legID]*entry, len(c.young)), 0
	for id, e := range old {
		if e.dirty() || c.held(e, now) {
			c.young[id] = e
			c.bytes += e.size()
		} else {
			c.forgotten.add(id.hash())
		}
	}
	c.kept = c.bytes
}

// knows reports whether a leg that is not here has no digests of the slot or
// after.
func (c *cache) knows(id legID, slot int64) bool {
	return slot >= max(c.follows, c.forgotten.since.Unix()) && !c.forgotten.has(id.hash())
}

// reset forgets everything, as when another process had the work.
func (c *cache) reset() { *c = *newCache(c.size) }

// digest takes in a digest as it is stored. A leg is whole when its beginning is in
// it, and nothing of it can have been stored before it came here: of what two workers
// have of a leg, the one with its beginning may come second.
func (c *cache) digest(id legID, slot int64, kinds digest.Kinds, data []byte, now time.Time) *entry {
	e := c.get(id)
	if e == nil {
		known := c.knows(id, slot)
		e = &entry{legID: id, fresh: known}
		e.add(slot, kinds, data)
		c.put(e)
	} else {
		was := e.size()
		e.add(slot, kinds, data)
		c.bytes += e.size() - was
	}
	if e.fresh && e.first > c.follows && kinds&digest.Opens != 0 {
		e.whole = true
	}
	if !e.fresh && e.row.start == 0 {
		if first := digest.First(data); first != 0 && (e.came == 0 || first < e.came) {
			e.came = first
		}
	}
	e.touch(slot, kinds, now)
	c.dirty[e] = struct{}{}
	return e
}

// linkIndex finds legs by the ids that they carry besides their Call-ID.
type linkIndex struct {
	legs generations[legID, carriers]
	// seen are the ids that there were, also those that are no longer in legs.
	seen remembered
}

// carriers are the legs that carry an id.
type carriers struct {
	legs []legID
	// whole says that it was not forgotten before.
	whole bool
}

// maxCarriers bounds the legs of an id that are remembered: an id of more names no
// call.
const maxCarriers = 128

func newLinkIndex() linkIndex { return linkIndex{legs: newGenerations[legID, carriers](250_000)} }

func (x *linkIndex) add(value string, id legID) {
	k := legID{id.tenant, value}
	c, known := x.legs.get(k)
	for _, l := range c.legs {
		if l.callID == id.callID {
			return
		}
	}
	if !known {
		h := k.hash()
		c.whole = !x.seen.has(h)
		x.seen.add(h)
	}
	if len(c.legs) < maxCarriers {
		c.legs = append(c.legs, id)
		x.legs.put(k, c)
	}
}

// find lists the legs that carry the id. complete says that there are no others
// since the time, as far as there is an index.
func (x *linkIndex) find(k legID, since time.Time) (legs []legID, complete bool) {
	c, known := x.legs.get(k)
	if since.Before(x.seen.since) {
		return c.legs, false
	}
	return c.legs, known && c.whole || !known && !x.seen.has(k.hash())
}
