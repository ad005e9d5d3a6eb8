package query

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// candidate is a correlation id with the time of its newest (or oldest) message
// that meets the necessary condition.
type candidate struct {
	node
	at time.Time
	// first is the time of the oldest of them in the slice.
	first time.Time
	// call: one of them is of a method that makes calls.
	call bool
	// hours are those with such messages, the first one asked for first, where only
	// table users was asked: at and first are then the bounds of hours. Else nil.
	hours []time.Time
}

func (s *callSearch) candidates(ctx context.Context, slice window) ([]candidate, error) {
	p := s.params.Clone()
	where := ""
	if s.places != nil {
		where = " AND " + s.places.rows(windows{slice}, p)
	}
	return s.candidatesWhere(ctx, slice, where, p, s.batch())
}

// candidatesWhere are the first of the slice that meet the condition besides.
func (s *callSearch) candidatesWhere(ctx context.Context, slice window, where string, p *filter.Params, limit int) ([]candidate, error) {
	at, order := "max(time)", "DESC"
	if s.request.Oldest {
		at, order = "min(time)", "ASC"
	}
	sql := "SELECT tenant, correlation_id, " + at + " AS at, min(time), toBool(min(" + schema.OtherMethodsSQL + ") = 0) FROM " + s.store.table("sip") +
		" WHERE " + slice.condition(p) + where + " AND " + tenantCondition(s.request.Tenant, p) + " AND correlation_id != '' AND " + s.plan.Prefilter +
		" GROUP BY tenant, correlation_id ORDER BY at " + order + " LIMIT " + p.Add("UInt64", uint64(limit))
	var out []candidate
	err := s.store.query(ctx, &s.cost, sql, p.Args(), func(rows driver.Rows) error {
		var c candidate
		if err := rows.Scan(&c.tenant, &c.id, &c.at, &c.first, &c.call); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// keep keeps the candidates that no earlier slice had.
func (s *callSearch) keep(candidates []candidate) {
	for _, c := range candidates {
		if !s.seen[c.node] {
			s.seen[c.node] = true
			s.pending = append(s.pending, c)
		}
	}
}

// worthwhile is how many candidates are gathered before their calls are computed:
// as many as could be enough. Few queries for many calls cost less than many.
func (s *callSearch) worthwhile() int {
	if s.plan.OnCalls { // perhaps one in ten matches
		return min(10*s.want(), s.batch())
	}
	return min(s.want()+1-len(s.found), s.batch())
}

// compute computes the calls of the pending candidates, a part of them at a time,
// until those left cannot belong among the first.
func (s *callSearch) compute(ctx context.Context) error {
	s.fresh = nil
	taken, before := 0, len(s.found)
	for s.drop(); len(s.pending) > 0; s.drop() {
		n := len(s.pending)
		if missing := s.want() + 1 - len(s.found); missing > 0 && !s.plan.OnCalls {
			// As many as will probably do: a call may have several candidates.
			yield := max(1, len(s.found)-before)
			n = min(n, missing*max(1, (taken+yield-1)/yield)+missing/8+8)
		}
		later := slices.Clone(s.pending[n:])
		s.pending, taken = s.pending[:n], taken+n
		if err := s.computeAll(ctx); err != nil {
			return err
		}
		s.pending = later
		s.dropLegs()
	}
	return nil
}

// dropLegs drops the pending candidates that are other legs of calls that are found.
func (s *callSearch) dropLegs() {
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool { return s.computed[c.node] })
}

// drop drops the pending candidates whose calls begin beyond the last of those found.
func (s *callSearch) drop() {
	if len(s.found) <= s.want() {
		return
	}
	s.sort()
	last := s.found[s.want()].Start
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool {
		if s.request.Oldest {
			return c.at.After(last.Add(oldestMargin))
		}
		return c.at.Before(last)
	})
}

// computeAll computes the calls of all pending candidates.
func (s *callSearch) computeAll(ctx context.Context) error {
	// What is no call has no row there: its times are found meanwhile.
	var others []candidate
	for _, c := range s.pending {
		if !c.call && c.hours != nil {
			others = append(others, c)
		}
	}
	var times map[node]candidate
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return s.rowsOfCandidates(inner) })
	if len(others) > 0 {
		group.Go(func() (err error) {
			times, err = s.timesOf(inner, others, firstHours)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.timeFrom(times)
	if exact, err := s.timeCandidates(ctx); err != nil {
		return err
	} else if exact {
		if err := s.rowsOfCandidates(ctx); err != nil {
			return err
		}
	}
	if err := s.simpleDialogs(ctx); err != nil {
		return err
	}
	s.dropLegs()
	if len(s.pending) == 0 {
		return nil
	}
	ids := make([]string, len(s.pending))
	around := make([]window, len(s.pending))
	for i, c := range s.pending {
		ids[i] = c.id
		around[i] = window{c.at.Add(-nearBefore), c.at.Add(nearAfter)}
	}
	s.pending = nil
	components, whole, err := s.store.closure(ctx, &s.cost, closureRequest{
		ids: ids, tenant: s.request.Tenant, near: merge(around), maxLinks: 4*len(ids) + 1000,
	})
	if err != nil {
		return err
	}
	s.cut = s.cut || !whole
	fresh := components[:0]
	for _, c := range components {
		if !s.computed[node{c.tenant, c.ids()[0]}] {
			fresh = append(fresh, c)
		}
		for _, id := range c.ids() {
			s.seen[node{c.tenant, id}], s.computed[node{c.tenant, id}] = true, true
		}
	}
	s.examined += len(fresh)
	calls, err := s.store.aggregate(ctx, &s.cost, fresh, s.plan, s.params)
	if s.noCalls {
		// A dialog of another method turned out to be a leg of a call that is there.
		calls = slices.DeleteFunc(calls, func(c Call) bool {
			return slices.ContainsFunc(s.found, func(o Call) bool { return o.Tenant == c.Tenant && o.CorrelationID == c.CorrelationID })
		})
	}
	s.found = append(s.found, s.behind(calls)...)
	return err
}

// candidateFlags says what m0, m1, … of the plan are for the calls of candidates:
// the condition that candidates meet is met, and `method = INVITE` is in the row.
// ok is false where the plan asks for more.
func candidateFlags(plan filter.CallPlan, params *filter.Params) (flags []string, ok bool) {
	for _, m := range plan.Messages {
		flag, isMethod := invites(m, params)
		switch {
		case isMethod:
		case m == plan.Prefilter:
			flag = "1"
		default:
			return nil, false
		}
		flags = append(flags, flag)
	}
	return flags, true
}

// keyedRow is a call with what else its row's key and version are.
type keyedRow struct {
	callRow
	version uint64
	deleted uint8
}

// rowsOfCandidates takes from the pending candidates those whose calls' rows say
// all that is asked, and adds the ones that match to found. A row is looked for by
// its hour and key, which is nearly always the correlation id that the candidate
// has; candidates that this does not lead to stay pending. Nearly always, too, a
// call began in the hour of its first message that was found; those that did not are
// looked for an hour before.
func (s *callSearch) rowsOfCandidates(ctx context.Context) error {
	flags, ok := candidateFlags(s.plan, &s.params)
	if !ok || s.places != nil || s.noCalls { // byID looked at the rows
		return nil
	}
	for _, before := range []time.Duration{0, time.Hour} {
		if !slices.ContainsFunc(s.pending, func(c candidate) bool { return c.call }) {
			return nil
		}
		if err := s.rowsBegunIn(ctx, flags, before); err != nil {
			return err
		}
		s.dropLegs() // before they are looked for elsewhere
	}
	return nil
}

// rowsBegunIn is rowsOfCandidates for calls that began so long before the hour of
// their candidate.
func (s *callSearch) rowsBegunIn(ctx context.Context, flags []string, before time.Duration) error {
	p := s.params.Clone()
	var keys []string
	hours, tenants := map[string]bool{}, map[string]bool{}
	for _, c := range s.pending {
		if !c.call {
			continue
		}
		keys, tenants[c.tenant] = append(keys, c.id), true
		hours[c.first.Truncate(time.Hour).Add(-before).UTC().Format(time.DateTime)] = true
		for _, h := range c.run() {
			hours[h.Add(-before).Format(time.DateTime)] = true
		}
	}
	// Versions are told apart here: FINAL would read every column of every granule.
	// Pairs of hour and key would say the same, but take four times as long to plan.
	condition := " FROM " + s.store.table("call_rows") + " AS r" +
		" WHERE toStartOfHour(start) IN " + p.Add("Array(DateTime('UTC'))", setOf(hours)) + " AND correlation_id IN " + p.Add("Array(String)", keys) +
		" AND tenant IN " + p.Add("Array(String)", setOf(tenants))
	sql := func(columns string) string {
		return withOutcome(flags) + "SELECT toBool(" + s.plan.Match + ") AS matches, version, deleted, " + columns + condition
	}
	group, inner := errgroup.WithContext(ctx)
	if s.fresh == nil {
		group.Go(func() (err error) {
			s.fresh, err = s.store.fresh(inner, &s.cost, s.request.Tenant)
			return err
		})
	}
	rows := map[node][]*keyedRow{}
	group.Go(func() error {
		read, err := rowsAs(inner, s.store, &s.cost, sql, p.Args(), func(scan scanRow) (*keyedRow, error) {
			r := &keyedRow{}
			var err error
			r.Call, err = scan(&r.matches, &r.version, &r.deleted)
			return r, err
		})
		for _, r := range read {
			key := node{r.Tenant, r.CorrelationID}
			same := slices.IndexFunc(rows[key], func(old *keyedRow) bool { return old.Start.Truncate(time.Hour).Equal(r.Start.Truncate(time.Hour)) })
			switch {
			case same < 0:
				rows[key] = append(rows[key], r)
			case rows[key][same].version < r.version:
				rows[key][same] = r
			}
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	taken := map[*keyedRow]bool{}
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool {
		if !s.tells(c, rows[c.node]) {
			return false
		}
		for _, r := range rows[c.node] {
			if r.deleted != 0 || !c.within(r) ||
				slices.ContainsFunc(r.CallIDs, func(id string) bool { return s.fresh[node{r.Tenant, id}] }) {
				continue
			}
			if !taken[r] {
				taken[r] = true
				s.take(r)
			}
			return true
		}
		return false
	})
	return nil
}

// take adds a call that was found by its row. Another leg of it may be a
// candidate, too.
func (s *callSearch) take(r *keyedRow) {
	first := node{r.Tenant, r.CallIDs[0]}
	if s.computed[first] {
		return
	}
	s.done(&r.Call)
	s.examined++
	if r.matches {
		s.found = append(s.found, s.behind([]Call{r.Call})...)
	}
}
