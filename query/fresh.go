package query

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
)

// maxFresh bounds the legs that a search computes of their messages because the
// assembler has not come to them yet: on a busy system rows are a little behind.
const maxFresh = 300

// freshSpan is how long ago, in s, such legs may have been inserted.
const freshSpan = "60"

// fresh lists the legs of calls that got messages since their call's row was
// computed, or that have none; of these Call-IDs, or of all when ids is nil.
func (s *Store) fresh(ctx context.Context, c *cost, ids []string, tenant string) (map[node]bool, error) {
	var p filter.Params
	legs, rows := "1", "1"
	if ids != nil {
		list := p.Add("Array(String)", ids)
		legs, rows = "call_id IN "+list, "hasAny(call_ids, "+list+")"
	}
	const ofCall = "1" // digest.OfCall
	sql := "SELECT l.tenant, l.call_id FROM (SELECT tenant, call_id, toUnixTimestamp64Micro(max(touched)) AS newest FROM " + s.table("leg_digests") +
		" WHERE touched > now64(6) - toIntervalSecond(" + freshSpan + ") AND " + legs + " AND " + tenantCondition(tenant, &p) +
		" GROUP BY tenant, call_id HAVING bitAnd(groupBitOr(kinds), " + ofCall + ") > 0) AS l" +
		" LEFT JOIN (SELECT tenant, arrayJoin(call_ids) AS call_id, max(version) AS computed FROM " + s.table("call_rows") +
		" WHERE version > toUnixTimestamp64Micro(now64(6)) - 2 * " + freshSpan + " * 1000000 AND deleted = 0 AND " + rows + " GROUP BY tenant, call_id) AS r" +
		" ON l.tenant = r.tenant AND l.call_id = r.call_id WHERE newest >= computed LIMIT " + p.Add("UInt64", uint64(maxFresh))
	out := map[node]bool{}
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var n node
		err := rows.Scan(&n.tenant, &n.id)
		out[n] = true
		return err
	})
	return out, err
}

// freshCalls computes, of their messages, the calls that match and whose rows are
// behind, and drops those rows from found.
func (s *callSearch) freshCalls(ctx context.Context, found []Call) ([]Call, error) {
	fresh, err := s.store.fresh(ctx, &s.cost, nil, s.request.Tenant)
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
