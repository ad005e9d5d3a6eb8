package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
)

// maxFresh bounds the legs that a search computes of their messages because the
// assembler has not come to them yet: on a busy system rows are a little behind.
const maxFresh = 300

// freshSpan is how long ago, in s, such legs may have been inserted.
const freshSpan = "60"

// freshFor is the same of the messages' own times.
const freshFor = time.Minute

// touchedLegs is SQL for the legs of calls that messages were inserted of lately,
// with the time of the last of them; without what the assembler was given before it
// was inserted.
func (s *Store) touchedLegs(legs, tenant string, p *filter.Params) string {
	const ofCall = "1" // digest.OfCall
	return "SELECT tenant, call_id, toUnixTimestamp64Micro(max(touched)) AS newest FROM " + s.table("leg_digests") +
		" WHERE touched > now64(6) - toIntervalSecond(" + freshSpan + ") AND handed = 0 AND " + legs + " AND " + tenantCondition(tenant, p) +
		" GROUP BY tenant, call_id HAVING bitAnd(groupBitOr(kinds), " + ofCall + ") > 0"
}

// computedLegs is SQL for the legs in rows of calls that were computed lately, with
// the time of the last of these.
func (s *Store) computedLegs(rows string) string {
	return "SELECT tenant, arrayJoin(call_ids) AS call_id, max(version) AS computed FROM " + s.table("call_rows") +
		" WHERE version > toUnixTimestamp64Micro(now64(6)) - 2 * " + freshSpan + " * 1000000 AND deleted = 0 AND " + rows + " GROUP BY tenant, call_id"
}

// fresh lists the legs of calls that got messages since their call's row was
// computed, or that have none.
func (s *Store) fresh(ctx context.Context, c *cost, tenant string) (map[node]bool, error) {
	var p filter.Params
	sql := "SELECT l.tenant, l.call_id FROM (" + s.touchedLegs("1", tenant, &p) + ") AS l LEFT JOIN (" + s.computedLegs("1") +
		") AS r ON l.tenant = r.tenant AND l.call_id = r.call_id WHERE newest >= computed LIMIT " + p.Add("UInt64", uint64(maxFresh))
	out := map[node]bool{}
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var n node
		err := rows.Scan(&n.tenant, &n.id)
		out[n] = true
		return err
	})
	return out, err
}

// freshOf lists those of the legs that got messages since their call's row was
// computed, or that have none. Mostly there is none that got any lately, and to
// plan to look for the rows of none would take longer than all else.
func (s *Store) freshOf(ctx context.Context, c *cost, legs []string) (map[node]bool, error) {
	ctx = s.light(ctx)
	times := func(sql string, p *filter.Params) (map[node]uint64, error) {
		out := map[node]uint64{}
		err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
			var n node
			var at uint64
			err := rows.Scan(&n.tenant, &n.id, &at)
			out[n] = at
			return err
		})
		return out, err
	}
	var p, q filter.Params
	touched, err := times("SELECT tenant, call_id, toUInt64(newest) FROM ("+s.touchedLegs("call_id IN "+p.Add("Array(String)", legs), "", &p)+")", &p)
	if err != nil || len(touched) == 0 {
		return nil, err
	}
	computed, err := times(s.computedLegs("hasAny(call_ids, "+q.Add("Array(String)", legs)+")"), &q)
	out := map[node]bool{}
	for n, at := range touched {
		if at >= computed[n] {
			out[n] = true
		}
	}
	return out, err
}

// freshCalls computes, of their messages, the calls that match and whose rows are
// behind, and drops those rows from found.
func (s *callSearch) freshCalls(ctx context.Context, found []Call) ([]Call, error) {
	fresh, err := s.store.fresh(ctx, &s.cost, s.request.Tenant)
	if err != nil || len(fresh) == 0 || len(fresh) >= maxFresh {
		return found, err
	}
	ids := make([]string, 0, len(fresh))
	for n := range fresh {
		ids = append(ids, n.id)
	}
	components, _, err := s.store.closure(ctx, &s.cost, closureRequest{
		ids: ids, tenant: s.request.Tenant, near: windows{{s.window.from.Add(-startMargin), s.window.to.Add(nearAfter)}}, maxLinks: 4*len(ids) + 1000,
	})
	if err != nil {
		return nil, err
	}
	calls, err := s.store.aggregate(ctx, &s.cost, components, s.plan, s.params)
	if err != nil {
		return nil, err
	}
	behind := map[node]bool{}
	for _, c := range components {
		for _, id := range c.callIDs() {
			behind[node{c.tenant, id}] = true
		}
	}
	out := found[:0:0]
	for _, c := range found {
		if !behind[node{c.Tenant, c.CallIDs[0]}] {
			out = append(out, c)
		}
	}
	for _, c := range calls {
		if c.Start.Before(s.window.to) && !c.LastSeen.Before(s.window.from) {
			out = append(out, c)
		}
	}
	return out, nil
}
