package assemble

import (
	"context"
	"strconv"
	"time"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
)

// staleCalls finds the rows, written before, of calls that are part of the given
// ones, or that are one of these under another key or hour.
//
// A row's key is a Call-ID or correlation id of one of its legs, and its start is
// the time of one of their messages. So only calls of several ids, or over
// several hours, can have such rows.
func (c *chunk) staleCalls(ctx context.Context, made []calls.Call) ([]calls.Call, error) {
	owner := map[legID]*calls.Call{}
	tenants := map[string]bool{}
	var ids []string
	var from, to time.Time
	for i := range made {
		call := &made[i]
		first, last := hourOf(call.Start), hourOf(call.LastSeen)
		all := append(append([]string{}, call.CallIDs...), call.CorrelationIDs...)
		alone := first.Equal(last)
		for _, id := range all {
			alone = alone && id == call.Key
		}
		if alone {
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
		return nil, nil
	}
	sql := "SELECT tenant, correlation_id, start FROM " + c.table(schema.CallRows.Name) + " FINAL WHERE " + hours(from, to) +
		" AND tenant IN " + inList(keysOf(tenants)) + " AND correlation_id IN " + inList(ids)
	var out []calls.Call
	err := c.rows(ctx, sql, func(r *reader) {
		row := calls.Call{Tenant: r.string(), Key: r.string(), Start: time.UnixMicro(r.int64()).UTC()}
		call := owner[legID{row.Tenant, row.Key}]
		if call == nil || row.Start.Before(call.Start) || row.Start.After(call.LastSeen) {
			return // another call that had the same id, at another time
		}
		if row.Key != call.Key || !hourOf(row.Start).Equal(hourOf(call.Start)) {
			out = append(out, row)
		}
	})
	return out, err
}

// staleRegistrations finds the rows, written before, of attempts that began
// earlier than was known.
func (c *chunk) staleRegistrations(ctx context.Context, made []calls.Registration) ([]calls.Registration, error) {
	type attempt struct {
		legID
		start int64
	}
	present := map[attempt]bool{}
	legs := map[legID]bool{}
	tenants := map[string]bool{}
	var ids []string
	for i := range made {
		id := legID{made[i].Tenant, made[i].CallID}
		present[attempt{id, made[i].Time.UnixMicro()}] = true
		if !legs[id] {
			legs[id], tenants[id.tenant] = true, true
			ids = append(ids, id.callID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	sql := "SELECT tenant, call_id, start FROM " + c.table(schema.RegistrationRows.Name) + " FINAL WHERE " + hours(hourOf(c.slot.Add(-time.Minute)), hourOf(c.slot)) +
		" AND tenant IN " + inList(keysOf(tenants)) + " AND call_id IN " + inList(ids)
	var out []calls.Registration
	err := c.rows(ctx, sql, func(r *reader) {
		row := calls.Registration{Tenant: r.string(), CallID: r.string(), Time: time.UnixMicro(r.int64()).UTC()}
		id := legID{row.Tenant, row.CallID}
		if legs[id] && c.inSlot(row.Time) && !present[attempt{id, row.Time.UnixMicro()}] {
			out = append(out, row)
		}
	})
	return out, err
}

func hourOf(t time.Time) time.Time { return t.Truncate(time.Hour) }

// hours is the condition for rows that start in the hours.
func hours(from, to time.Time) string {
	second := func(t time.Time) string { return "toDateTime(" + strconv.FormatInt(max(0, t.Unix()), 10) + ", 'UTC')" }
	return "toStartOfHour(start) >= " + second(from) + " AND toStartOfHour(start) <= " + second(to) +
		" AND start >= " + second(from) + " AND start < " + second(to.Add(time.Hour))
}
