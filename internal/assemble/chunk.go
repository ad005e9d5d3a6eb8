package assemble

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/digest"
)

// farSpan is how far from a leg's known messages its other ones are looked for,
// when its beginning was not among them; linkSpan how far those of other legs.
const (
	farSpan  = 24 * time.Hour
	linkSpan = time.Hour
	// lateAfter is after how long a slot is not the present any more: messages
	// of later slots may be there.
	lateAfter = 2 * slotWidth
	// linkRounds bounds how many links are followed from one leg to the next,
	// maxLinked how many legs they may add to a chunk.
	linkRounds = 5
	maxLinked  = 20_000
	// readLegs is how many legs are asked for at a time.
	readLegs = 4_000
)

// chunk is some changed legs being made calls.
type chunk struct {
	*Assembler
	now time.Time
	// legs are all that were read, those changed and those linked with them.
	legs map[legID]*leg
	// changed are those whose calls are to be made; due are the entries to settle.
	changed map[legID]bool
	due     []*entry
}

// leg is a leg decoded.
type leg struct {
	*digest.Leg
	e *entry
}

// chunk makes calls of the entries, and writes them.
func (a *Assembler) chunk(ctx context.Context, now time.Time, due []*entry) error {
	c := &chunk{Assembler: a, now: now, legs: make(map[legID]*leg, len(due)), changed: make(map[legID]bool, len(due)), due: due}
	if err := c.load(ctx); err != nil {
		return err
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	if err := c.reports(ctx); err != nil {
		return err
	}
	if err := c.write(ctx); err != nil {
		return err
	}
	settled := time.Now()
	for _, e := range due {
		a.cache.settled(e, settled)
	}
	a.metrics.legs.Add(float64(len(due)))
	a.worked += len(due)
	return nil
}

// load decodes the changed legs, whole.
func (c *chunk) load(ctx context.Context) error {
	var part []*entry
	var reported []string // ids that reports name their call by and that are no leg's
	tenants := map[string]bool{}
	for _, e := range c.due {
		if !e.whole {
			part = append(part, e)
		}
	}
	if err := c.complete(ctx, part); err != nil {
		return err
	}
	around := c.span(c.due)
	for _, e := range c.due {
		if e.kinds&^digest.Reports == 0 {
			since := around.from.Add(-farSpan)
			list, complete := c.carriers.find(e.legID, since)
			for _, id := range list {
				c.want(id)
			}
			if complete && since.Unix() >= c.cache.follows {
				continue
			}
			reported = append(reported, e.callID)
			tenants[e.tenant] = true
			continue
		}
		if err := c.decode(e); err != nil {
			return err
		}
		c.changed[e.legID] = true
	}
	// A report is about a call that began before it.
	named, err := c.loadCarriers(ctx, around.wider(farSpan), tenants, reported)
	if err != nil {
		return err
	}
	for _, id := range named {
		c.want(id)
	}
	var missing []*entry
	for id := range c.changed {
		if c.legs[id] == nil {
			missing = append(missing, c.entry(id))
		}
	}
	return c.add(ctx, missing)
}

// want has a leg's call made besides.
func (c *chunk) want(id legID) { c.changed[id] = true }

// entry is the leg's, made if need be: then nothing is known of it.
func (a *Assembler) entry(id legID) *entry {
	e := a.cache.get(id)
	if e == nil {
		e = &entry{legID: id}
		a.cache.put(e)
	}
	return e
}

// add decodes further legs, those that exist.
func (c *chunk) add(ctx context.Context, list []*entry) error {
	var part []*entry
	for _, e := range list {
		if !e.whole {
			part = append(part, e)
		}
	}
	if err := c.complete(ctx, part); err != nil {
		return err
	}
	for _, e := range list {
		if len(e.digests.Data) > 0 && e.kinds&^digest.Reports != 0 {
			if err := c.decode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *chunk) decode(e *entry) error {
	l, err := c.decoder.Decode(e.tenant, e.callID, e.digests.Data)
	if err != nil {
		// What no heplake wrote is nobody's call; the rest goes on.
		c.metrics.malformed.Inc()
		c.log.Warn("a leg's digests cannot be read", "call_id", e.callID, "error", err)
		return nil
	}
	c.legs[e.legID] = &leg{l, e}
	return nil
}

// complete reads what is stored of the entries in place of what is known of them:
// from near their slots; from farther around those whose beginning is not there,
// or that may have gone on.
func (c *chunk) complete(ctx context.Context, part []*entry) error {
	if len(part) == 0 {
		return nil
	}
	around := c.span(part)
	if err := c.read1(ctx, around.wider(slotWidth), part); err != nil {
		return err
	}
	var far []*entry
	for _, e := range part {
		registers := e.kinds&(digest.OfCall|digest.OfRegistration) == digest.OfRegistration
		late := time.Unix(e.last, 0).Add(lateAfter).Before(c.now)
		if !registers && (late || e.kinds&digest.Opens == 0) {
			far = append(far, e)
		}
	}
	if err := c.read1(ctx, around.wider(farSpan), far); err != nil {
		return err
	}
	for _, e := range part {
		e.whole = true
	}
	return nil
}

// read1 reads the digests of the entries within the span, in place of those that
// are known.
func (c *chunk) read1(ctx context.Context, s span, list []*entry) error {
	for part := range slices.Chunk(list, readLegs) {
		var held []heldEntry
		now := time.Now()
		wanted := make(map[legID]*entry, len(part))
		ids := make([]legID, 0, len(part))
		for _, e := range part {
			wanted[e.legID] = e
			ids = append(ids, e.legID)
			if c.cache.held(e, now) {
				held = append(held, heldEntry{e, slices.Clone(e.digests.Data), e.first, e.last, e.lastAt})
			}
			e.digests.Reset()
			e.lastAt, e.last, e.first = 0, 0, 0
		}
		slices.SortFunc(ids, func(x, y legID) int { return cmp.Compare(x.callID, y.callID) })
		c.metrics.loaded.Add(float64(len(ids)))
		err := c.digests(ctx, legCondition(s, ids)+" ORDER BY slot", func(id legID, slot int64, kinds digest.Kinds, data []byte) {
			if e := wanted[id]; e != nil {
				e.add(slot, kinds, data)
			}
		})
		for _, h := range held {
			h.giveBack()
		}
		for _, e := range part {
			c.cache.count(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// heldEntry is what was known of an entry of which not everything need be stored.
type heldEntry struct {
	*entry
	known       []byte
	first, last int64
	lastAt      int
}

// giveBack adds it to what was read.
func (h heldEntry) giveBack() {
	e := h.entry
	if h.last >= e.last {
		e.lastAt = len(e.digests.Data) + h.lastAt
	}
	if e.first == 0 || h.first != 0 && h.first < e.first {
		e.first = h.first
	}
	e.last = max(e.last, h.last)
	e.digests.AddApart(h.known)
}

// span is the time from the first to the last slot of the entries. Those of which
// nothing is known do not count.
func (c *chunk) span(list []*entry) span {
	var from, to int64
	for _, e := range list {
		if e.first != 0 && (from == 0 || e.first < from) {
			from = e.first
		}
		to = max(to, e.last)
	}
	if from == 0 {
		return span{slotOf(c.now), slotOf(c.now)}
	}
	return span{time.Unix(from, 0), time.Unix(to, 0)}
}

// registers reports whether a leg is of registrations alone. These go on for
// weeks under one Call-ID: they are not read as a whole.
func registers(l *leg) bool {
	return l.e.kinds&(digest.OfCall|digest.OfRegistration) == digest.OfRegistration
}

// follow adds the legs that may be of one call with those read.
func (c *chunk) follow(ctx context.Context) error {
	fresh := make([]*leg, 0, len(c.legs))
	for _, l := range c.legs {
		fresh = append(fresh, l)
	}
	asked := map[legID]bool{} // ids in use as Call-IDs, correlation ids and link ids
	limit := len(c.legs) + maxLinked
	for range linkRounds {
		wanted := map[legID]bool{}
		tenants := map[string]bool{}
		var unknown []string
		for _, l := range fresh {
			if registers(l) {
				continue
			}
			keys := calls.CandidateKeys(&l.Leg.Leg, c.links)
			c.near.add(l.e.legID, l.First, keys.Near)
			since := l.First.Add(-linkSpan)
			for _, v := range keys.IDs {
				k := legID{l.Tenant, v}
				if asked[k] {
					continue
				}
				asked[k] = true
				list, complete := c.carriers.find(k, since)
				for _, other := range list {
					wanted[other] = true
				}
				if v == l.CallID && !c.late(l) {
					// Whoever names this leg came after it, or little before: it is in the
					// index, unless this is of the past.
					continue
				}
				if v != l.CallID && (c.cache.get(k) != nil || !c.cache.knows(k, since.Unix())) {
					wanted[k] = true
				}
				if !complete || since.Unix() < c.cache.follows {
					tenants[l.Tenant] = true
					unknown = append(unknown, v)
				}
			}
			for _, other := range c.near.find(l.Tenant, keys.Near, keys.From, keys.To) {
				wanted[other] = true
			}
		}
		more, err := c.loadCarriers(ctx, c.legSpan().wider(linkSpan), tenants, unknown)
		if err != nil {
			return err
		}
		for _, id := range more {
			wanted[id] = true
		}
		var list []*entry
		span := c.legSpan()
		for id := range wanted {
			if c.legs[id] != nil {
				continue
			}
			e := c.cache.get(id)
			if e == nil {
				// Found near these, if it is there at all.
				e = c.entry(id)
				e.first, e.last = span.from.Unix(), span.to.Unix()
			}
			list = append(list, e)
		}
		if len(list) == 0 || len(c.legs)+len(list) > limit {
			return nil
		}
		if err := c.add(ctx, list); err != nil {
			return err
		}
		fresh = fresh[:0]
		for _, e := range list {
			if l := c.legs[e.legID]; l != nil {
				fresh = append(fresh, l)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
	}
	return nil
}

// late reports whether a leg is of the past.
func (c *chunk) late(l *leg) bool { return l.Last.Add(lateAfter).Before(c.now) }

// legSpan is the time from the first to the last slot of the legs.
func (c *chunk) legSpan() span {
	list := make([]*entry, 0, len(c.legs))
	for _, l := range c.legs {
		if !registers(l) {
			list = append(list, l.e)
		}
	}
	return c.span(list)
}

// loadCarriers lists the legs that have one of the ids as correlation id or link
// id within the span.
func (a *Assembler) loadCarriers(ctx context.Context, s span, tenants map[string]bool, ids []string) ([]legID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	hashes := make([]byte, 0, 21*len(ids))
	for i, id := range ids {
		if i > 0 {
			hashes = append(hashes, ',')
		}
		hashes = strconv.AppendUint(hashes, digest.IDHash([]byte(id)), 10)
	}
	sql := "SELECT DISTINCT tenant, call_id FROM " + a.table("ids") + " WHERE call_id != '' AND id IN (" + string(hashes) + ") AND tenant IN " + inList(keysOf(tenants)) +
		" AND " + span{s.from.Truncate(time.Hour), s.to}.sql("hour")
	var out []legID
	err := a.rows(ctx, sql, func(r *reader) { out = append(out, legID{a.intern(r.bytes()), r.string()}) })
	return out, err
}

// reports gives legs what was reported of their media under a correlation id: of
// several legs that have it the first to begin.
func (c *chunk) reports(ctx context.Context) error {
	owner := map[legID]*leg{}
	for _, l := range c.legs {
		for _, id := range l.CorrelationIDs {
			k := legID{l.Tenant, id}
			if c.legs[k] != nil {
				continue // a leg's Call-ID: it has them itself
			}
			if o := owner[k]; o == nil || l.First.Before(o.First) || l.First.Equal(o.First) && l.CallID < o.CallID {
				owner[k] = l
			}
		}
	}
	list := make([]*entry, 0, len(owner))
	for k, l := range owner {
		e := c.cache.get(k)
		if e == nil {
			if c.cache.knows(k, l.First.Unix()) {
				continue
			}
			e = c.entry(k)
			e.first, e.last = l.e.first, l.e.last
		}
		list = append(list, e)
	}
	part := slices.DeleteFunc(slices.Clone(list), func(e *entry) bool { return e.whole })
	if err := c.complete(ctx, part); err != nil {
		return err
	}
	for _, e := range list {
		if e.kinds&digest.Reports == 0 {
			continue
		}
		r, err := c.decoder.Decode(e.tenant, e.callID, e.digests.Data)
		if err != nil {
			c.metrics.malformed.Inc()
			continue
		}
		l := owner[e.legID]
		l.Quality = append(l.Quality, r.Quality...)
	}
	return nil
}
