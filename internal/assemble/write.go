package assemble

import (
	"context"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/heplake/heplake/internal/calls"
)

// write makes calls and registrations of the legs, and writes those with a leg
// that changed.
func (c *chunk) write(ctx context.Context) error {
	c.calls.block.reset()
	c.registrations.block.reset()
	legs := make([]calls.Leg, 0, len(c.legs))
	var registrations []calls.Registration
	var registering []*entry
	for id, l := range c.legs {
		switch {
		case !registers(l):
			legs = append(legs, l.Leg.Leg)
		case c.changed[id] && l.e.dirty():
			registering = append(registering, l.e)
			for _, r := range calls.Registrations(l.Leg.Leg, l.Last) {
				if inSlots(l.e, r.Time) {
					registrations = append(registrations, r)
				}
			}
		}
	}
	groups := calls.GroupLegs(legs, c.links)
	made := make([]calls.Call, 0, len(groups))
	for _, g := range groups {
		if !slices.ContainsFunc(g.Legs, func(l calls.Leg) bool { return c.changed[legID{l.Tenant, l.CallID}] }) {
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
	gone, marks, err := c.staleCalls(ctx, made)
	if err != nil {
		return err
	}
	goneToo, err := c.staleRegistrations(ctx, registrations, registering)
	if err != nil {
		return err
	}
	version := c.clock.next(c.now)
	var written []*calls.Call
	var sums []uint64
	for i := range made {
		sum := xxhash.Sum64(c.calls.write(&made[i]))
		if e := c.first(&made[i]); e != nil && e.written == sum && e.row == row(&made[i]) {
			continue // as it is already
		}
		c.calls.keep(version, false)
		written, sums = append(written, &made[i]), append(sums, sum)
	}
	for _, list := range [][]calls.Call{gone, marks} {
		for i := range list {
			c.calls.add(&list[i], version, true)
		}
	}
	for i := range registrations {
		c.registrations.add(&registrations[i], version, false)
	}
	for i := range goneToo {
		c.registrations.add(&goneToo[i], version, true)
	}
	err = insert(ctx, c.Assembler, c.calls)
	if err == nil {
		err = insert(ctx, c.Assembler, c.registrations)
	}
	if err != nil {
		c.doubt(made, registrations, registering)
		return err
	}
	for _, call := range written {
		c.rollups[0].change(call.Start)
	}
	c.note(written, sums, registrations, registering)
	for i := range marks {
		c.rollups[0].change(marks[i].Start)
	}
	for _, list := range [][]calls.Registration{registrations, goneToo} {
		for i := range list {
			c.rollups[1].change(list[i].Time)
		}
	}
	c.metrics.calls.Add(float64(len(written)))
	c.metrics.registrations.Add(float64(len(registrations)))
	c.metrics.removed.Add(float64(len(gone) + len(goneToo)))
	return nil
}

// first is the entry of a call's first leg, which knows its row.
func (c *chunk) first(call *calls.Call) *entry {
	if l := c.legs[legID{call.Tenant, call.CallIDs[0]}]; l != nil {
		return l.e
	}
	return nil
}

// doubt notes that an insert of these failed: what is stored now nobody knows, nor
// whether the rows come in yet. The next time what is stored is looked for, and rows
// that may come are marked as gone when they are not right any more.
func (c *chunk) doubt(made []calls.Call, registrations []calls.Registration, registering []*entry) {
	for i := range made {
		for _, id := range made[i].CallIDs {
			if l := c.legs[legID{made[i].Tenant, id}]; l != nil {
				l.e.doubtful, l.e.fresh, l.e.row, l.e.written = true, false, row(&made[i]), 0
				c.cache.gone(l.e)
			}
		}
	}
	for _, e := range registering {
		e.fresh = false
	}
	for i := range registrations {
		if l := c.legs[legID{registrations[i].Tenant, registrations[i].CallID}]; l != nil {
			l.e.attempts = append(l.e.attempts, registrations[i].Time.UnixMicro())
		}
	}
}

// note remembers what was written.
func (c *chunk) note(written []*calls.Call, sums []uint64, registrations []calls.Registration, registering []*entry) {
	for i, call := range written {
		for _, id := range call.CallIDs {
			if l := c.legs[legID{call.Tenant, id}]; l != nil {
				l.e.row, l.e.written, l.e.doubtful = row(call), 0, false
				c.cache.gone(l.e)
			}
		}
		if e := c.first(call); e != nil {
			e.written = sums[i]
		}
	}
	for _, e := range registering {
		// Those of slots that did not change are still there.
		e.attempts = slices.DeleteFunc(e.attempts, func(us int64) bool {
			t := time.UnixMicro(us)
			return inSlots(e, t) || t.Before(time.Unix(e.last, 0).Add(-2*slotWidth))
		})
	}
	for i := range registrations {
		r := &registrations[i]
		if l := c.legs[legID{r.Tenant, r.CallID}]; l != nil {
			l.e.attempts = append(l.e.attempts, r.Time.UnixMicro())
		}
	}
}

// isCall reports whether legs are a call, or at least of one whose opening was
// missed: a subscription is none.
func isCall(c *calls.Call) bool {
	switch c.Method {
	case "INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE":
		return true
	}
	return false
}
