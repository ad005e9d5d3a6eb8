package query

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// startMargin is how long before a message of it a call may have begun.
const startMargin = 24 * time.Hour

// starts is the condition for rows of calls that began within the window. It
// names the hours as well, by which the table is ordered.
func (w window) starts(p *filter.Params) string {
	return "toStartOfHour(start) >= " + hour(w.from, p) + " AND toStartOfHour(start) <= " + hour(w.to, p) +
		" AND start >= fromUnixTimestamp64Micro(" + p.Add("Int64", w.from.UnixMicro()) + ") AND start < fromUnixTimestamp64Micro(" + p.Add("Int64", w.to.UnixMicro()) + ")"
}

// callMethod is the compiled condition `method = INVITE`, which a call's row
// answers: it has no other opening.
var callMethod = regexp.MustCompile("^`method` = \\{p(\\d+):String\\}$")

// asksRows reports whether the calls' own rows can tell which calls match, and
// whether nothing but calls can match. Then flags has what m0, m1, … stand for.
func asksRows(plan filter.CallPlan, params *filter.Params) (flags []string, rows, callsOnly bool) {
	for _, m := range plan.Messages {
		flag, ok := invites(m, params)
		if !ok {
			return nil, false, false
		}
		flags = append(flags, flag)
	}
	// Only a conjunction leaves out what is not INVITE for certain.
	callsOnly = len(flags) > 0 && !strings.Contains(plan.Match, " OR ") && !strings.Contains(plan.Match, "NOT ")
	return flags, true, callsOnly
}

// invites is what a row answers the condition `method = INVITE` by; ok is false for
// any other condition.
func invites(condition string, params *filter.Params) (flag string, ok bool) {
	match := callMethod.FindStringSubmatch(condition)
	if match == nil {
		return "", false
	}
	i, err := strconv.Atoi(match[1])
	if args := params.Args(); err != nil || i >= len(args) || namedValue(args[i]) != "INVITE" {
		return "", false
	}
	return "method = 'INVITE'", true
}

// namedValue is the value of an argument, when it is a string.
func namedValue(arg any) string {
	if named, ok := arg.(driver.NamedValue); ok {
		s, _ := named.Value.(string)
		return s
	}
	return ""
}

// withFlags is the beginning of a query of the view calls whose conditions name m0, m1, ….
func withFlags(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return "WITH " + strings.Join(flagsNamed(flags), ", ") + " "
}

// withOutcome is withFlags of rows r of call_rows, and says what the outcome is.
func withOutcome(flags []string) string {
	return "WITH " + strings.Join(append(flagsNamed(flags), "("+schema.CallOutcomeSQL()+") AS outcome"), ", ") + " "
}

func flagsNamed(flags []string) []string {
	out := make([]string, len(flags))
	for i, f := range flags {
		out[i] = "(" + f + ") AS m" + strconv.Itoa(i)
	}
	return out
}

// firstRows is the part of the window whose calls' rows are read first, by their
// start; each further one is sliceGrowth times as wide.
const firstRows = time.Hour

// rowSearch reads the first calls of the window by their rows, in the order asked
// for and behind the cursor, if any, limit at most: slice by slice, so that the newest of months are read alone.
func (s *Store) rowSearch(ctx context.Context, c *cost, r CallsRequest, w window, after *cursor, plan filter.CallPlan, flags []string, params *filter.Params, limit int) ([]Call, error) {
	// A call that began before the window may go on in it.
	left := window{w.from.Add(-startMargin), w.to}
	switch {
	case after == nil:
	case r.Oldest:
		left.from = after.at
	case after.at.Before(left.to):
		left.to = after.at.Add(time.Microsecond)
	}
	var out []Call
	for width := firstRows; left.from.Before(left.to) && len(out) < limit; width *= sliceGrowth {
		slice := left
		switch {
		case width <= 0 || width >= left.to.Sub(left.from):
			left.from = left.to
		case r.Oldest:
			slice.to = left.from.Add(width)
			left.from = slice.to
		default:
			slice.from = left.to.Add(-width)
			left.to = slice.from
		}
		found, err := s.rowSlice(ctx, c, r, w, slice, plan, flags, params, limit-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// rowSlice reads the first calls that began in the slice and go on in the window.
func (s *Store) rowSlice(ctx context.Context, c *cost, r CallsRequest, w, slice window, plan filter.CallPlan, flags []string, params *filter.Params, limit int) ([]Call, error) {
	p := params.Clone()
	order := "DESC"
	if r.Oldest {
		order = "ASC"
	}
	condition := " FROM " + s.callRows() +
		" WHERE " + slice.starts(p) + " AND last_seen >= fromUnixTimestamp64Micro(" + p.Add("Int64", w.from.UnixMicro()) + ")" +
		" AND " + tenantCondition(r.Tenant, p) + " AND " + plan.Match +
		" ORDER BY start " + order + ", correlation_id, tenant LIMIT " + p.Add("UInt64", uint64(limit))
	sql := func(columns string) string { return withOutcome(flags) + "SELECT " + columns + condition }
	return rowsAs(ctx, s, c, sql, p.Args(), func(scan scanRow) (Call, error) { return scan() })
}

// rowsOfLegs reads the calls that have one of the legs of components, and tells
// which of them match. covered are the legs of all that were found and are not
// behind.
func (s *Store) rowsOfLegs(ctx context.Context, c *cost, components []*component, plan filter.CallPlan, params filter.Params) (calls []Call, covered map[node]bool, err error) {
	tenants := map[string]bool{}
	var legs []string
	began, messages := make([]window, len(components)), make([]window, len(components))
	for i, component := range components {
		legs = append(legs, component.callIDs()...)
		tenants[component.tenant] = true
		messages[i] = component.span()
		began[i] = window{messages[i].from.Add(-time.Hour), messages[i].to}
	}
	flags, err := s.flags(ctx, c, legs, tenants, merge(messages), plan, params)
	if err != nil {
		return nil, nil, err
	}
	rows, err := s.readRows(ctx, c, legs, tenants, merge(began), flags, plan, params)
	if err != nil {
		return nil, nil, err
	}
	covered = map[node]bool{}
	last := lastMessages(components)
	for _, r := range rows {
		if r.behind || r.outlived(last) {
			continue // its messages say more
		}
		for _, id := range r.CallIDs {
			covered[node{r.Tenant, id}] = true
		}
		if r.matches {
			calls = append(calls, r.Call)
		}
	}
	return calls, covered, nil
}

// callRow is a call as its row has it.
type callRow struct {
	Call
	// matches the plan; behind: there are messages that it was made without.
	matches, behind bool
}

// lastMessages is when the last message was of the call that each leg is of.
func lastMessages(components []*component) map[node]time.Time {
	last := map[node]time.Time{}
	for _, c := range components {
		to := c.span().to.Add(-time.Microsecond)
		for _, id := range c.callIDs() {
			last[node{c.tenant, id}] = to
		}
	}
	return last
}

// outlived reports whether there are messages of the last minute that the row was
// made without: ingest may be holding what the assembler would make of them.
func (r *callRow) outlived(last map[node]time.Time) bool {
	for _, id := range r.CallIDs {
		if at := last[node{r.Tenant, id}]; at.After(r.LastSeen) && time.Since(at) < freshFor {
			return true
		}
	}
	return false
}

// readRows reads the rows of the calls that have one of the legs and began within
// the windows. flags are those of flags.
func (s *Store) readRows(ctx context.Context, c *cost, legs []string, tenants map[string]bool, began windows, flags []string, plan filter.CallPlan, params filter.Params) ([]callRow, error) {
	p := params.Clone()
	flags = slices.Clone(flags)
	for i := range flags {
		flags[i] = "hasAny(arrayMap(i -> concat(tenant, '\\n', i), call_ids), " + p.Add("Array(String)", splitIDs(flags[i])) + ")"
	}
	condition := " FROM " + s.callRows() +
		" WHERE " + began.any(func(w window) string { return w.starts(p) }) + " AND tenant IN " + p.Add("Array(String)", setOf(tenants)) + " AND hasAny(call_ids, " + p.Add("Array(String)", legs) + ")"
	sql := func(columns string) string {
		return withOutcome(flags) + "SELECT toBool(" + plan.Match + ") AS matches, " + columns + condition
	}
	group, ctx := errgroup.WithContext(ctx)
	var fresh map[node]bool
	group.Go(func() (err error) {
		fresh, err = s.freshOf(ctx, c, legs)
		return err
	})
	var out []callRow
	group.Go(func() (err error) {
		out, err = rowsAs(s.light(ctx), s, c, sql, p.Args(), func(scan scanRow) (r callRow, err error) {
			r.Call, err = scan(&r.matches)
			return r, err
		})
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i := range out {
		r := &out[i]
		r.behind = slices.ContainsFunc(r.CallIDs, func(id string) bool { return fresh[node{r.Tenant, id}] })
	}
	return out, nil
}

// idSeparator parts the ids in a flag; no Call-ID has it.
const idSeparator = "\x00"

func splitIDs(flag string) []string {
	if flag == "" {
		return []string{}
	}
	return strings.Split(flag, idSeparator)
}

// flags lists, for each of the plan's conditions on messages, the legs (tenant and
// Call-ID, parted by a line break) that have a message which meets it, joined by
// idSeparator.
func (s *Store) flags(ctx context.Context, c *cost, legs []string, tenants map[string]bool, spans windows, plan filter.CallPlan, params filter.Params) ([]string, error) {
	if len(plan.Messages) == 0 {
		return nil, nil
	}
	p := params.Clone()
	columns := make([]string, len(plan.Messages))
	for i, m := range plan.Messages {
		columns[i] = "toBool(max(" + m + "))"
	}
	sql := "SELECT concat(tenant, '\\n', call_id) AS leg, [" + strings.Join(columns, ", ") + "] FROM " + s.table("sip") + " WHERE " + spans.condition(p) +
		" AND tenant IN " + p.Add("Array(String)", setOf(tenants)) + " AND call_id IN " + p.Add("Array(String)", legs) + " GROUP BY leg"
	lists := make([][]string, len(plan.Messages))
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var id string
		var met []bool
		if err := rows.Scan(&id, &met); err != nil {
			return err
		}
		for i, m := range met {
			if m {
				lists[i] = append(lists[i], id)
			}
		}
		return nil
	})
	out := make([]string, len(lists))
	for i, l := range lists {
		out[i] = strings.Join(l, idSeparator)
	}
	return out, err
}

// known finds the calls that have one of the ids, as their rows say: all their
// Call-IDs and correlation ids, those found by likeness included, and that began at
// most startMargin before the windows.
func (s *Store) known(ctx context.Context, c *cost, r closureRequest, ids []string, looked windows) ([][]node, error) {
	var p filter.Params
	list := p.Add("Array(String)", ids)
	when := looked.any(func(w window) string { return window{w.from.Add(-startMargin), w.to}.starts(&p) })
	sql := "SELECT tenant, call_ids, correlation_ids FROM " + s.table("call_rows") + " FINAL WHERE " + when + " AND " + tenantCondition(r.tenant, &p) +
		" AND (hasAny(call_ids, " + list + ") OR hasAny(correlation_ids, " + list + ")) LIMIT " + p.Add("UInt64", uint64(r.maxLinks+1))
	var out [][]node
	err := s.query(ctx, c, sql, p.Args(), func(rows driver.Rows) error {
		var tenant string
		var legs, others []string
		if err := rows.Scan(&tenant, &legs, &others); err != nil {
			return err
		}
		var group []node
		for _, id := range append(legs, others...) {
			if id != "" {
				group = append(group, node{tenant, id})
			}
		}
		out = append(out, group)
		return nil
	})
	return out, err
}
