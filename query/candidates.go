package query

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"github.com/heplake/heplake/query/filter"
)

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
// has; candidates that this does not lead to stay pending.
func (s *callSearch) rowsOfCandidates(ctx context.Context) error {
	flags, ok := candidateFlags(s.plan, &s.params)
	if !ok || s.places != nil || s.noCalls { // byID looked at the rows
		return nil
	}
	p := s.params.Clone()
	var hours, keys []string
	tenants := map[string]bool{}
	for _, c := range s.pending {
		tenants[c.tenant] = true
		at := c.at.Truncate(time.Hour)
		for _, h := range []time.Time{at, at.Add(-time.Hour)} {
			hours, keys = append(hours, h.UTC().Format(time.DateTime)), append(keys, c.id)
		}
	}
	// Versions are told apart here: FINAL would read every column of every granule.
	sql := withFlags(flags) + "SELECT toBool(" + s.plan.Match + ") AS matches, version, deleted, " + columnsOfRows + " FROM " + s.store.table("call_rows") + " AS r" +
		" WHERE (toStartOfHour(start), correlation_id) IN arrayZip(" + p.Add("Array(DateTime('UTC'))", hours) + ", " + p.Add("Array(String)", keys) + ")" +
		" AND tenant IN " + p.Add("Array(String)", setOf(tenants))
	group, inner := errgroup.WithContext(ctx)
	var fresh map[node]bool
	group.Go(func() (err error) {
		fresh, err = s.store.fresh(inner, &s.cost, nil, s.request.Tenant)
		return err
	})
	rows := map[node][]*keyedRow{}
	group.Go(func() error {
		return s.store.query(inner, &s.cost, sql, p.Args(), func(from driver.Rows) error {
			r := &keyedRow{}
			var err error
			if r.Call, err = scanCall(prefixed{from, []any{&r.matches, &r.version, &r.deleted}}); err != nil {
				return err
			}
			key := node{r.Tenant, r.CorrelationID}
			for i, old := range rows[key] {
				if old.Start.Truncate(time.Hour).Equal(r.Start.Truncate(time.Hour)) {
					if old.version < r.version {
						rows[key][i] = r
					}
					return nil
				}
			}
			rows[key] = append(rows[key], r)
			return nil
		})
	})
	if err := group.Wait(); err != nil {
		return err
	}
	taken := map[*keyedRow]bool{}
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool {
		for _, r := range rows[c.node] {
			if r.deleted != 0 || c.at.Before(r.Start) || c.at.After(r.LastSeen) ||
				slices.ContainsFunc(r.CallIDs, func(id string) bool { return fresh[node{r.Tenant, id}] }) {
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
	for _, id := range append(slices.Clone(r.CallIDs), r.CorrelationID) {
		s.seen[node{r.Tenant, id}], s.computed[node{r.Tenant, id}] = true, true
	}
	s.examined++
	if r.matches {
		s.found = append(s.found, s.behind([]Call{r.Call})...)
	}
}
