package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/go-faster/city"

	"github.com/heplake/heplake/query/filter"
)

// Table ids says in which hours an id has messages and what else these are
// called. With both, the order of the tables (hour, correlation_id, time) leads
// to them: a few granules, however many months there are.

const (
	// maxLookups is how many ids are looked up one by one; each costs a granule of
	// every part. More are found faster by going through the time they were seen in.
	maxLookups = 64
	// maxPlaces bounds what one look-up may bring.
	maxPlaces = 5_000
	// idLag is by how much ids may be behind the messages. What is newer is looked
	// for by other means.
	idLag = 10 * time.Minute
)

// place is an hour in which messages have this Call-ID and this correlation id.
type place struct {
	tenant                string
	hour                  time.Time
	callID, correlationID string
}

// places are what ids led to.
type places struct {
	list []place
	// lost are ids that have no place: there are no messages of them, or only some
	// that came a moment ago.
	lost []string
	// whole is false when there were too many.
	whole bool
}

// lookUp finds the places of ids, in the hours that the windows touch.
func (s *Store) lookUp(ctx context.Context, c *cost, ids []string, tenant string, looked windows, limit int) (places, error) {
	out := places{whole: true}
	if len(ids) == 0 {
		return out, nil
	}
	var p filter.Params
	names := make(map[uint64]string, len(ids))
	hashes := make([]uint64, len(ids))
	for i, id := range ids {
		hashes[i] = city.CH64([]byte(id))
		names[hashes[i]] = id
	}
	sql := "SELECT DISTINCT id, tenant, hour, call_id, correlation_id FROM " + s.table("ids") +
		" WHERE id IN " + p.Add("Array(UInt64)", hashes) + " AND " + tenantCondition(tenant, &p) + " AND " + looked.hours("hour", &p) +
		" LIMIT " + p.Add("UInt64", uint64(limit+1))
	found := map[uint64]bool{}
	err := s.query(s.light(ctx), c, sql, p.Args(), func(rows driver.Rows) error {
		var id uint64
		var pl place
		if err := rows.Scan(&id, &pl.tenant, &pl.hour, &pl.callID, &pl.correlationID); err != nil {
			return err
		}
		found[id] = true
		if pl.callID == "" {
			pl.callID = names[id]
		}
		if pl.correlationID == "" {
			pl.correlationID = names[id]
		}
		pl.hour = pl.hour.UTC()
		out.list = append(out.list, pl)
		return nil
	})
	for i, id := range ids {
		if !found[hashes[i]] {
			out.lost = append(out.lost, id)
		}
	}
	if len(out.list) > limit {
		out.list, out.whole = out.list[:limit], false
	}
	return out, err
}

// reach follows ids to their places and the other ids there to theirs, until
// nothing is new.
func (s *Store) reach(ctx context.Context, c *cost, ids []string, tenant string, looked windows, limit int) (places, error) {
	out := places{whole: true}
	seen := map[place]bool{}
	asked := map[string]bool{"": true}
	for range maxRounds {
		ids = unasked(ids, asked)
		if len(ids) == 0 {
			return out, nil
		}
		found, err := s.lookUp(ctx, c, ids, tenant, looked, limit)
		if err != nil {
			return out, err
		}
		out.lost = append(out.lost, found.lost...)
		ids = ids[:0:0]
		for _, pl := range found.list {
			if !seen[pl] {
				seen[pl] = true
				out.list = append(out.list, pl)
				ids = append(ids, pl.callID, pl.correlationID)
			}
		}
		if !found.whole || len(out.list) > limit || len(asked)+len(ids) > maxLookups*maxRounds {
			out.whole = false
			return out, nil
		}
	}
	out.whole = len(unasked(ids, asked)) == 0
	return out, nil
}

// names lists the correlation ids and the Call-IDs of the places.
func (pl places) names() (correlationIDs, callIDs []string) {
	for _, p := range pl.list {
		correlationIDs, callIDs = append(correlationIDs, p.correlationID), append(callIDs, p.callID)
	}
	slices.Sort(correlationIDs)
	slices.Sort(callIDs)
	return slices.Compact(correlationIDs), slices.Compact(callIDs)
}

// hours are the hours of the places. The newest go on a little: messages of the
// next hour may have come a moment ago.
func (pl places) hours() windows {
	if len(pl.list) == 0 {
		return windows{}
	}
	late := time.Now().Add(-idLag)
	list := make([]window, len(pl.list))
	for i, p := range pl.list {
		list[i] = window{p.hour, p.hour.Add(time.Hour)}
		if list[i].to.After(late) {
			list[i].to = list[i].to.Add(time.Hour)
		}
	}
	return merge(list)
}

// rows is the condition for rows of sip at these places and within the windows.
// Those of lost ids are looked for among the newest rows.
func (pl places) rows(looked windows, p *filter.Params) string {
	sql := "0"
	if hours := pl.hours().both(looked); len(hours) > 0 {
		correlationIDs, _ := pl.names()
		sql = "(" + hours.condition(p) + " AND correlation_id IN " + p.Add("Array(String)", correlationIDs) + ")"
	}
	if newest := pl.newest(looked); len(newest) > 0 {
		lost := p.Add("Array(String)", pl.lost)
		sql = "(" + sql + " OR (" + newest.condition(p) + " AND (correlation_id IN " + lost + " OR call_id IN " + lost + ")))"
	}
	return sql
}

// newest are the parts of the windows of which ids may not tell yet, where lost
// ids may be.
func (pl places) newest(looked windows) windows {
	if len(pl.lost) == 0 {
		return windows{}
	}
	now := time.Now()
	return looked.within(window{now.Add(-idLag), now.Add(farMargin)})
}

// byID finds where the ids are that the filter demands, and takes the calls from
// their rows where these say all that is asked. Otherwise done is false, and the
// messages are to be searched at s.places.
func (s *callSearch) byID(ctx context.Context) (done bool, err error) {
	// The call may have begun before the window.
	looked := windows{{s.window.from.Add(-startMargin), s.window.to}}
	pl, err := s.store.lookUp(ctx, &s.cost, s.plan.IDs, s.request.Tenant, looked, maxPlaces)
	if err != nil || !pl.whole {
		return false, err
	}
	s.places = &pl
	if len(pl.list) == 0 || len(pl.newest(looked)) > 0 || s.after != nil {
		return false, nil
	}
	flags := make([]string, len(s.plan.Messages))
	for i, on := range s.plan.OnIDs {
		if on.Empty() {
			return false, nil
		}
		flags[i] = pl.legs(on)
	}
	tenants := map[string]bool{}
	began := make([]window, len(pl.list))
	for i, p := range pl.list {
		tenants[p.tenant] = true
		began[i] = window{p.hour.Add(-time.Hour), p.hour.Add(time.Hour)}
	}
	_, legs := pl.names()
	rows, err := s.store.readRows(ctx, &s.cost, legs, tenants, merge(began), flags, s.plan, s.params)
	if err != nil {
		return false, err
	}
	covered := map[node]bool{}
	var found []Call
	for _, r := range rows {
		if r.behind || r.Start.Before(s.window.from) || !r.LastSeen.Before(s.window.to) {
			return false, nil // which of its messages are meant is not in the row
		}
		for _, id := range r.CallIDs {
			covered[node{r.Tenant, id}] = true
		}
		if r.matches {
			found = append(found, r.Call)
		}
	}
	for _, p := range pl.list {
		if !covered[node{p.tenant, p.callID}] {
			return false, nil
		}
	}
	s.found = found
	return true, nil
}

// legs lists the legs at these places that the condition is about, as flags does.
func (pl places) legs(on filter.IDCondition) string {
	var legs []string
	for _, p := range pl.list {
		if slices.Contains(on.CallIDs, p.callID) || slices.Contains(on.CorrelationIDs, p.correlationID) {
			legs = append(legs, p.tenant+"\n"+p.callID)
		}
	}
	return strings.Join(legs, idSeparator)
}
