package assemble

import (
	"context"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
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
)

// touched is a leg, or the reports of one, that was touched.
type touched struct {
	legID
	reports bool
	mark    mark
}

// touchedSlots lists the slots with legs or reports touched since then.
func (a *Assembler) touchedSlots(ctx context.Context, since time.Time) ([]time.Time, error) {
	condition := " WHERE touched >= fromUnixTimestamp64Micro(" + strconv.FormatInt(since.UnixMicro(), 10) + ")"
	sql := "SELECT slot FROM (SELECT DISTINCT slot FROM " + a.table("legs") + condition + " UNION DISTINCT SELECT DISTINCT slot FROM " + a.table("leg_reports") + condition + ") ORDER BY slot"
	var out []time.Time
	err := a.rows(ctx, sql, func(r *reader) { out = append(out, time.Unix(int64(r.uint32()), 0).UTC()) })
	return out, err
}

// assembleSlot assembles the legs of a slot that were touched since then.
func (a *Assembler) assembleSlot(ctx context.Context, slot, since, now time.Time) error {
	for _, reports := range []bool{false, true} {
		after := legID{}
		for {
			page, last, full, err := a.list(ctx, slot, since, now, reports, after)
			if err != nil {
				return err
			}
			for chunk := range slices.Chunk(page, chunkLegs) {
				if err := a.chunk(ctx, slot, now, chunk); err != nil {
					return err
				}
			}
			if !full {
				break
			}
			after = last
		}
	}
	return nil
}

// list is a page of a slot's touched legs that are not assembled as they are now.
// A merge of parts changes neither of the two figures that tell.
func (a *Assembler) list(ctx context.Context, slot, since, now time.Time, reports bool, after legID) (page []touched, last legID, full bool, err error) {
	table, size := "legs", "sum(length(events))"
	if reports {
		table, size = "leg_reports", "sum(length(reports))"
	}
	sql := "SELECT tenant, call_id, max(touched) AS newest, " + size + " FROM " + a.table(table) +
		" WHERE slot = toDateTime(" + strconv.FormatInt(slot.Unix(), 10) + ") AND (toString(tenant), call_id) > (" + schema.Quote(after.tenant) + ", " + schema.Quote(after.callID) + ")" +
		" GROUP BY tenant, call_id HAVING newest >= fromUnixTimestamp64Micro(" + strconv.FormatInt(since.UnixMicro(), 10) + ")" +
		" ORDER BY tenant, call_id LIMIT " + strconv.Itoa(pageLegs)
	rows, oldest := 0, now.UnixMicro()
	err = a.rows(ctx, sql, func(r *reader) {
		t := touched{legID: legID{r.string(), r.string()}, reports: reports, mark: mark{touched: r.int64(), size: r.uint64()}}
		rows++
		last = t.legID
		if was, ok := a.seen.get(t.key(slot)); ok && was == t.mark {
			return
		}
		oldest = min(oldest, t.mark.touched)
		page = append(page, t)
	})
	a.metrics.lag.Set(float64(now.UnixMicro()-oldest) / 1e6)
	return page, last, rows == pageLegs, err
}

var seed = maphash.MakeSeed()

// key tells touched legs apart.
func (t *touched) key(slot time.Time) uint64 {
	return maphash.Comparable(seed, struct {
		legID
		slot    int64
		reports bool
	}{t.legID, slot.Unix(), t.reports})
}

// chunk is some touched legs of a slot being made calls.
type chunk struct {
	*Assembler
	slot, now time.Time
	// legs are all that were read, those touched and those linked with them.
	legs map[legID]*leg
	// touched are those whose calls are to be made.
	touched map[legID]bool
}

func (a *Assembler) chunk(ctx context.Context, slot, now time.Time, list []touched) error {
	c := &chunk{Assembler: a, slot: slot, now: now, legs: make(map[legID]*leg, len(list)), touched: make(map[legID]bool, len(list))}
	if err := c.load(ctx, list); err != nil {
		return err
	}
	if err := c.follow(ctx); err != nil {
		return err
	}
	if err := a.loadReports(ctx, c.span().wider(slotWidth), c.legs); err != nil {
		return err
	}
	if err := c.write(ctx); err != nil {
		return err
	}
	for i := range list {
		a.seen.put(list[i].key(slot), list[i].mark)
	}
	a.metrics.legs.Add(float64(len(list)))
	a.worked += len(list)
	return nil
}

// load reads the touched legs whole.
func (c *chunk) load(ctx context.Context, list []touched) error {
	ids := make([]legID, 0, len(list))
	var named []string // by reports: Call-IDs, or correlation ids
	tenants := map[string]bool{}
	for _, t := range list {
		ids = append(ids, t.legID)
		if t.reports {
			named = append(named, t.callID)
			tenants[t.tenant] = true
		} else {
			c.touched[t.legID] = true
		}
	}
	near := span{c.slot, c.slot}.wider(slotWidth)
	if len(named) > 0 {
		// A report is about a call that began before it.
		carriers, err := c.loadCarriers(ctx, near.wider(farSpan), tenants, named)
		if err != nil {
			return err
		}
		ids = append(ids, carriers...)
		near = near.wider(farSpan)
		for _, id := range ids {
			c.touched[id] = true
		}
	}
	if err := c.loadLegs(ctx, near, ids, c.legs); err != nil {
		return err
	}
	return c.complete(ctx, ids)
}

// complete reads those legs anew, from farther around, whose beginning was not
// found, or that may have gone on.
func (c *chunk) complete(ctx context.Context, ids []legID) error {
	late := c.slot.Add(lateAfter).Before(c.now)
	var far []legID
	for _, id := range ids {
		l := c.legs[id]
		if l != nil && !registers(l) && (late || !l.opened) {
			far = append(far, id)
		}
	}
	return c.loadLegs(ctx, span{c.slot, c.slot}.wider(farSpan), far, c.legs)
}

// registers reports whether a leg is of registrations alone. These go on for
// weeks under one Call-ID: they are not read as a whole.
func registers(l *leg) bool {
	found := false
	for i := range l.Events {
		switch l.Events[i].Method {
		case calls.Register:
			found = true
		case calls.Invite, calls.Bye:
			return false
		}
	}
	return found
}

// span is the time from the first to the last slot of the legs read.
func (c *chunk) span() span {
	s := span{c.slot, c.slot}
	for _, l := range c.legs {
		if registers(l) {
			continue
		}
		if f := slotOf(l.First); f.Before(s.from) {
			s.from = f
		}
		if t := slotOf(l.Last); t.After(s.to) {
			s.to = t
		}
	}
	return s
}

// follow adds the legs that may be of one call with those read.
func (c *chunk) follow(ctx context.Context) error {
	fresh := make([]legID, 0, len(c.legs))
	for id := range c.legs {
		fresh = append(fresh, id)
	}
	asked := map[legID]bool{} // ids in use as Call-IDs, correlation ids and link ids
	limit := len(c.legs) + maxLinked
	for range linkRounds {
		wanted := map[legID]bool{}
		tenants := map[string]bool{}
		var values []string
		for _, id := range fresh {
			l := c.legs[id]
			if registers(l) {
				continue
			}
			keys := calls.CandidateKeys(&l.Leg, c.links)
			c.near.add(id, l.First, keys.Near)
			for _, v := range keys.IDs {
				k := legID{id.tenant, v}
				if !asked[k] {
					asked[k], tenants[id.tenant] = true, true
					values = append(values, v)
					wanted[k] = true
				}
			}
			for _, other := range c.near.find(id.tenant, keys.Near, keys.From, keys.To) {
				wanted[other] = true
			}
		}
		if len(values) == 0 && len(wanted) == 0 {
			return nil
		}
		around := c.span().wider(linkSpan)
		carriers, err := c.loadCarriers(ctx, around, tenants, values)
		if err != nil {
			return err
		}
		for _, id := range carriers {
			wanted[id] = true
		}
		fresh = fresh[:0]
		for id := range wanted {
			if c.legs[id] == nil {
				fresh = append(fresh, id)
			}
		}
		if len(fresh) == 0 || len(c.legs)+len(fresh) > limit {
			return nil
		}
		if err := c.loadLegs(ctx, around, fresh, c.legs); err != nil {
			return err
		}
		if err := c.complete(ctx, fresh); err != nil {
			return err
		}
		fresh = slices.DeleteFunc(fresh, func(id legID) bool { return c.legs[id] == nil })
		if len(fresh) == 0 {
			return nil
		}
	}
	return nil
}

// write makes calls and registrations of the legs, and writes those with a leg
// that was touched.
func (c *chunk) write(ctx context.Context) error {
	c.calls.reset()
	c.registrations.reset()
	var legs []calls.Leg
	var registrations []calls.Registration
	for id, l := range c.legs {
		switch {
		case !registers(l):
			legs = append(legs, l.Leg)
		case c.touched[id]:
			registrations = append(registrations, c.attempts(l)...)
		}
	}
	var made []calls.Call
	for _, g := range calls.GroupLegs(legs, c.links) {
		if !slices.ContainsFunc(g.Legs, func(l calls.Leg) bool { return c.touched[legID{l.Tenant, l.CallID}] }) {
			continue
		}
		last := time.Time{}
		for i := range g.Legs {
			if g.Legs[i].Last.After(last) {
				last = g.Legs[i].Last
			}
		}
		// As of its last message: what time decides later, the view settles.
		if call := calls.Assemble(g, last); isCall(&call) {
			made = append(made, call)
		}
	}
	version := uint64(c.now.UnixMicro())
	for i := range made {
		c.calls.add(&made[i], day(made[i].Start), version, false)
	}
	gone, err := c.staleCalls(ctx, made)
	if err != nil {
		return err
	}
	for i := range gone {
		c.calls.add(&gone[i], day(gone[i].Start), version, true)
	}
	for i := range registrations {
		c.registrations.add(&registrations[i], day(registrations[i].Time), version, false)
	}
	goneToo, err := c.staleRegistrations(ctx, registrations)
	if err != nil {
		return err
	}
	for i := range goneToo {
		c.registrations.add(&goneToo[i], day(goneToo[i].Time), version, true)
	}
	if err := insert(ctx, c.Assembler, c.calls); err != nil {
		return err
	}
	if err := insert(ctx, c.Assembler, c.registrations); err != nil {
		return err
	}
	for _, list := range [][]calls.Call{made, gone} {
		for i := range list {
			c.rollups[0].change(list[i].Start)
		}
	}
	for _, list := range [][]calls.Registration{registrations, goneToo} {
		for i := range list {
			c.rollups[1].change(list[i].Time)
		}
	}
	c.metrics.calls.Add(float64(len(made)))
	c.metrics.registrations.Add(float64(len(registrations)))
	c.metrics.removed.Add(float64(len(gone) + len(goneToo)))
	return nil
}

func day(t time.Time) int64 { return t.Unix() / 86400 }

// isCall reports whether legs are a call, or at least of one whose opening was
// missed: a subscription is none.
func isCall(c *calls.Call) bool {
	switch c.Method {
	case "INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE":
		return true
	}
	return false
}

// attempts are the registrations of a leg that began in the slot, or little
// before: of those the leg was read whole.
func (c *chunk) attempts(l *leg) []calls.Registration {
	var out []calls.Registration
	for _, r := range calls.Registrations(l.Leg, l.Last) {
		if c.inSlot(r.Time) {
			out = append(out, r)
		}
	}
	return out
}

func (c *chunk) inSlot(t time.Time) bool {
	return !t.Before(c.slot.Add(-time.Minute)) && t.Before(c.slot.Add(slotWidth))
}
