package assemble

import (
	"container/list"
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

	// used is its place among those in the cache, and counted the size that it has there.
	used    *list.Element
	counted int
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
func (e *entry) size() int { return e.digests.Held() + len(e.tenant) + len(e.callID) + 450 }

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
	legs map[legID]*entry
	// used has them in the order in which they were asked for, the last one first.
	used list.List
	// bytes is their memory, unwritten that of those that are still to be written; size
	// is what there is for all.
	bytes, unwritten, size int
	forgotten              remembered
	// follows is the slot from which on every digest went through here.
	follows int64
	// stored is until when the table has all of what was handed over.
	stored time.Time
	dirty  map[*entry]struct{}
	// shelf has some of those that there was no room for, nil when none are kept.
	shelf *shelf
}

func newCache(size int) *cache {
	return &cache{legs: map[legID]*entry{}, size: size, dirty: map[*entry]struct{}{}}
}

var seed = maphash.MakeSeed()

func (id legID) hash() uint64 { return maphash.Comparable(seed, id) }

// get returns the leg, nil when it is not here.
func (c *cache) get(id legID) *entry {
	e := c.legs[id]
	if e != nil {
		c.used.MoveToFront(e.used)
		return e
	}
	if e = c.shelf.take(id); e != nil {
		c.put(e)
	}
	return e
}

// gone says that what is noted of the row of an entry from now on is not kept, if it was
// let go while somebody worked with it: what the shelf, or who asked for it since, knows of
// that is not true any more.
func (c *cache) gone(e *entry) {
	if e.used != nil {
		return
	}
	c.shelf.drop(e.legID)
	if other := c.legs[e.legID]; other != nil {
		other.row, other.written, other.fresh = rowKey{}, 0, false
	}
}

// put enters a leg that is not here.
func (c *cache) put(e *entry) {
	c.forget()
	c.legs[e.legID] = e
	e.used = c.used.PushFront(e)
	c.count(e)
}

// count takes note of an entry's size.
func (c *cache) count(e *entry) {
	if e.used == nil {
		return // it is not here any more
	}
	size := e.size()
	c.bytes += size - e.counted
	if e.dirty() {
		c.unwritten += size - e.counted
	}
	e.counted = size
}

// forgetMost is how many legs are looked at for each that comes, so that one is never
// long about it: on the whole one goes for each.
const forgetMost = 4

// forget lets those go that nobody asked for the longest, while there is less room than
// they take: all but what is still to be written, or stored. Those that are written have
// half of the room at least.
func (c *cache) forget() {
	now := time.Now()
	for range forgetMost {
		if c.bytes-c.unwritten <= max(c.size/2, c.size-c.unwritten) {
			return
		}
		last := c.used.Back()
		e := last.Value.(*entry)
		if e.dirty() || c.held(e, now) {
			c.used.MoveToFront(last)
			continue
		}
		c.used.Remove(last)
		delete(c.legs, e.legID)
		c.bytes -= e.counted
		e.used, e.counted = nil, 0
		c.forgotten.add(e.hash())
		c.shelf.put(e)
	}
}

// settled notes that a leg is written as it is. What is over has no more of its memory
// than it needs.
func (c *cache) settled(e *entry, now time.Time) {
	if e.dirty() {
		delete(c.dirty, e)
		c.unwritten -= e.counted
	}
	e.dirtySince, e.assembledAt = time.Time{}, now
	if e.kinds&digest.Over != 0 {
		e.digests.Trim()
		c.count(e)
	}
}

// knows reports whether a leg that is not here has no digests of the slot or
// after.
func (c *cache) knows(id legID, slot int64) bool {
	return slot >= max(c.follows, c.forgotten.since.Unix()) && !c.forgotten.has(id.hash())
}

// reset forgets everything, as when another process had the work.
func (c *cache) reset() {
	shelf := c.shelf
	shelf.clear()
	*c = *newCache(c.size)
	c.shelf = shelf
}

// digest takes in a digest as it is stored. A leg is whole when its beginning is in
// it, and nothing of it can have been stored before it came here: of what two workers
// have of a leg, the one with its beginning may come second.
func (c *cache) digest(id legID, slot int64, kinds digest.Kinds, data []byte, now time.Time) *entry {
	e := c.get(id)
	if e == nil {
		e = &entry{legID: id, fresh: c.knows(id, slot)}
		c.put(e)
	}
	e.add(slot, kinds, data)
	c.count(e)
	if e.fresh && e.first > c.follows && kinds&digest.Opens != 0 {
		e.whole = true
	}
	if !e.fresh && e.row.start == 0 {
		if first := digest.First(data); first != 0 && (e.came == 0 || first < e.came) {
			e.came = first
		}
	}
	if !e.dirty() {
		c.dirty[e] = struct{}{}
		c.unwritten += e.counted
	}
	e.touch(slot, kinds, now)
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
