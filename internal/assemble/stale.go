package assemble

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
)

// row names the row of calls that a call is in. A row's key is a Call-ID or
// correlation id of one of its legs, and its start is the time of one of their
// messages.
func row(c *calls.Call) rowKey { return rowKey{c.Key, c.Start.UnixMicro()} }

// staleCalls finds the rows, written before, of calls that are part of the given
// ones, or that are one of these under another key or hour, and marks of the minutes
// (markOf) in which rows were that are not there any more. What was written of legs by
// this process is known; of others it is looked for.
func (c *chunk) staleCalls(ctx context.Context, made []calls.Call) (gone, marks []calls.Call, err error) {
	present := make(map[place]bool, len(made))
	for i := range made {
		present[placeOf(made[i].Tenant, made[i].Key, made[i].Start)] = true
	}
	owner := map[legID]*calls.Call{}
	tenants := map[string]bool{}
	var ids []string
	var from, to time.Time
	// was takes a row that was written, if it is of the call and not as it is now.
	was := func(call *calls.Call, key string, start time.Time) {
		if start.Before(call.Start) || start.After(call.LastSeen) {
			return // another call that had the same id, at another time
		}
		k := placeOf(call.Tenant, key, start)
		if present[k] && minuteOf(start).Equal(minuteOf(call.Start)) {
			return
		}
		if !present[k] {
			present[k] = true
			gone = append(gone, calls.Call{Tenant: call.Tenant, Key: key, Start: start})
		}
		mark := markOf(call.Tenant, start)
		if k = placeOf(mark.Tenant, mark.Key, mark.Start); !present[k] {
			present[k] = true
			marks = append(marks, mark)
			c.rollups[0].change(start) // also if the insert fails, and nobody knows what is there
		}
	}
	for i := range made {
		call := &made[i]
		first, last := hourOf(call.Start), hourOf(call.LastSeen)
		all := append(append([]string{}, call.CallIDs...), call.CorrelationIDs...)
		alone := first.Equal(last)
		for _, id := range all {
			alone = alone && id == call.Key
		}
		fresh, unknown := true, false
		for _, id := range call.CallIDs {
			l := c.legs[legID{call.Tenant, id}]
			if l == nil {
				continue
			}
			fresh, alone = fresh && l.e.fresh, alone && !l.e.doubtful
			k := l.e.row
			alone = alone && !mayHaveMoved(l.e, call)
			if k.start != 0 && slices.Contains(all, k.key) {
				was(call, k.key, time.UnixMicro(k.start).UTC())
			}
			unknown = unknown || (k.start == 0 || c.doubtful()) && c.inherited(call.Start)
		}
		if !unknown && (alone || fresh) {
			continue
		}
		tenants[call.Tenant] = true
		if from.IsZero() || first.Before(from) {
			from = first
		}
		if last.After(to) {
			to = last
		}
		for _, id := range all {
			k := legID{call.Tenant, id}
			if owner[k] == nil {
				ids = append(ids, id)
			}
			owner[k] = call
		}
	}
	if len(ids) == 0 {
		return gone, marks, nil
	}
	sql := "SELECT tenant, correlation_id, start FROM " + c.table(schema.CallRows.Name) + " FINAL WHERE " + hours(from, to) +
		" AND tenant IN " + inList(keysOf(tenants)) + " AND correlation_id IN " + inList(ids)
	err = c.rows(ctx, sql, func(r *reader) {
		k := legID{c.intern(r.bytes()), r.string()}
		if start, call := time.UnixMicro(r.int64()).UTC(), owner[k]; call != nil {
			was(call, k.callID, start)
		}
	})
	return gone, marks, err
}

// place is where a row of calls is: of several with the same place the newest
// holds.
type place struct {
	tenant, key string
	hour        int64
}

func placeOf(tenant, key string, start time.Time) place {
	return place{tenant, key, start.Unix() / 3600}
}

// mayHaveMoved reports whether the row of a call, if something of the leg was written
// before and nobody knows what, may say that it began in another minute: then it begins
// with what came since.
func mayHaveMoved(e *entry, call *calls.Call) bool {
	return e.row.start == 0 && e.came != 0 && e.came <= call.Start.UnixMicro() && minuteOf(call.Start).Before(minuteOf(call.LastSeen))
}

// markOf is a row, of no call, that is marked as gone: it says that in the minute there
// was one that is not there any more. It is inserted with what takes that one's place,
// and so is known of after a kill, when nothing may be left of the other (resume). No
// Call-ID is like its key, which has the minute so that there is one for each in an hour.
func markOf(tenant string, start time.Time) calls.Call {
	start = minuteOf(start)
	return calls.Call{Tenant: tenant, Key: "\x00" + start.Format("04"), Start: start}
}

func minuteOf(t time.Time) time.Time { return t.Truncate(time.Minute) }

// staleRegistrations finds the rows, written before, of attempts that began
// earlier than was known.
func (c *chunk) staleRegistrations(ctx context.Context, made []calls.Registration, of []*entry) ([]calls.Registration, error) {
	type attempt struct {
		legID
		start int64
	}
	present := make(map[attempt]bool, len(made))
	for i := range made {
		present[attempt{legID{made[i].Tenant, made[i].CallID}, made[i].Time.UnixMicro()}] = true
	}
	var out []calls.Registration
	gone := func(e *entry, start int64) {
		if k, t := (attempt{e.legID, start}), time.UnixMicro(start).UTC(); inSlots(e, t) && !present[k] {
			present[k] = true
			out = append(out, calls.Registration{Tenant: e.tenant, CallID: e.callID, Time: t})
		}
	}
	inherited := map[*entry]bool{}
	for i := range made {
		if l := c.legs[legID{made[i].Tenant, made[i].CallID}]; l != nil && c.inherited(made[i].Time) {
			inherited[l.e] = true
		}
	}
	unknown := map[legID]*entry{}
	tenants := map[string]bool{}
	var ids []string
	var list []*entry
	for _, e := range of {
		for _, start := range e.attempts {
			gone(e, start)
		}
		if !e.fresh || inherited[e] {
			unknown[e.legID], tenants[e.tenant] = e, true
			ids, list = append(ids, e.callID), append(list, e)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	s := c.span(list)
	sql := "SELECT tenant, call_id, start FROM " + c.table(schema.RegistrationRows.Name) + " FINAL WHERE " + hours(hourOf(s.from.Add(-time.Minute)), hourOf(s.to)) +
		" AND tenant IN " + inList(keysOf(tenants)) + " AND call_id IN " + inList(ids)
	err := c.rows(ctx, sql, func(r *reader) {
		id := legID{c.intern(r.bytes()), r.string()}
		if start, e := r.int64(), unknown[id]; e != nil {
			gone(e, start)
		}
	})
	return out, err
}

// inSlots reports whether a registration that began then is one of those that the
// leg's change may be of: it began in a slot that changed, or little before.
func inSlots(e *entry, t time.Time) bool {
	from := time.Unix(e.dirtyFrom, 0)
	return !t.Before(from.Add(-time.Minute)) && t.Before(time.Unix(e.last, 0).Add(slotWidth))
}

func hourOf(t time.Time) time.Time { return t.Truncate(time.Hour) }

// hours is the condition for rows that start in the hours.
func hours(from, to time.Time) string {
	second := func(t time.Time) string { return "toDateTime(" + strconv.FormatInt(max(0, t.Unix()), 10) + ", 'UTC')" }
	return "toStartOfHour(start) >= " + second(from) + " AND toStartOfHour(start) <= " + second(to) +
		" AND start >= " + second(from) + " AND start < " + second(to.Add(time.Hour))
}
