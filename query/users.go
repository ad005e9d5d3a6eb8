package query

import (
	"context"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/go-faster/city"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// Table users says in which hours and under which correlation ids a user's messages
// are. A call's row then tells the rest, unless part of the call lies beyond the
// window: which of its messages are meant is not in it. What is no call, and calls at
// the edges, are looked up in sip, by hour and correlation id.

const (
	// leastUsers is the least window in which table users is asked: of the hours of a
	// candidate the edges of the window may then cut one only.
	leastUsers = 3 * time.Hour
	// runGap is how long a call may be without a message that names the user, for the
	// messages before to be taken for the same call's at first.
	runGap = 3 * time.Hour
	// maxRun bounds the hours of a candidate in which its call's row is looked for.
	maxRun = 24
)

// toldByUsers is the part of what is left of which table users tells all; none where
// the filter asks for something else. Of the newest messages it may not tell yet, and
// of those that an earlier version stored not before it was made up for them.
func (s *callSearch) toldByUsers(ctx context.Context) (window, error) {
	if s.plan.Users == nil || s.places != nil || s.noCalls || s.store.noUsers {
		return window{}, nil
	}
	if _, ok := candidateFlags(s.plan, &s.params); !ok {
		return window{}, nil
	}
	w := s.left
	w.to = earlier(w.to, time.Now().Add(-idLag))
	if w.to.Sub(w.from) < leastUsers {
		return window{}, nil
	}
	from, err := s.store.usersBegin(ctx, &s.cost)
	if w.from.Before(from) {
		w.from = from
	}
	if w.to.Sub(w.from) < leastUsers {
		return window{}, err
	}
	return w, err
}

// usersFor is for how long it is remembered that table users is whole: what it lacks is
// made up for after an upgrade alone, which begins this process anew.
const usersFor = time.Minute

// usersBegin is the time from which on table users tells of all messages, but for the
// newest: it does not of the days whose digests are still to be made.
func (s *Store) usersBegin(ctx context.Context, c *cost) (from time.Time, err error) {
	if at := s.usersWhole.Load(); at != nil && time.Since(*at) < usersFor {
		return time.Time{}, nil
	}
	sql := "SELECT toDateTime(max(day) + 1, 'UTC'), count() FROM (SELECT day FROM " + s.table(schema.Backfill.Name) + " WHERE source = 'sip' GROUP BY day HAVING argMax(done, time) = 0)"
	var days uint64
	asked := time.Now()
	err = s.query(s.light(ctx), c, sql, nil, func(rows driver.Rows) error { return rows.Scan(&from, &days) })
	if err != nil || days > 0 {
		return from, err
	}
	s.usersWhole.Store(&asked)
	return time.Time{}, nil
}

// runUsers goes through what is left by table users, until that time. Hours that have too
// many candidates are left.
func (s *callSearch) runUsers(ctx context.Context, end time.Time) error {
	for s.narrow(); ; s.narrow() {
		done := s.until(end)
		if !done.from.Before(done.to) || s.tired() {
			return nil
		}
		candidates, err := s.userCandidates(ctx, done)
		if err != nil {
			return err
		}
		if len(candidates) == s.batch() {
			// There may be more in the last one's hour, and beyond.
			last := candidates[len(candidates)-1].hours[0]
			candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return c.hours[0].Equal(last) })
			if len(candidates) == 0 {
				return nil
			}
			if s.request.Oldest {
				done.to = last
			} else {
				done.from = last.Add(time.Hour)
			}
		}
		if err := s.add(ctx, candidates, done); err != nil {
			return err
		}
	}
}

// userCandidates are the first of a part of what is left, by table users.
func (s *callSearch) userCandidates(ctx context.Context, left window) ([]candidate, error) {
	var p filter.Params
	users := make([]uint64, len(s.plan.Users.Names))
	for i, name := range s.plan.Users.Names {
		users[i] = city.CH64([]byte(name))
	}
	calls, all := s.plan.Users.Fields, s.plan.Users.Fields|s.plan.Users.Fields<<schema.OtherUserFields
	hours, order := "arrayReverseSort(groupUniqArray(hour))", "DESC"
	if s.request.Oldest {
		hours, order = "arraySort(groupUniqArray(hour))", "ASC"
	}
	fields := "bitAnd(fields, " + p.Add("UInt8", all) + ")"
	sql := "SELECT tenant, correlation_id, " + hours + " AS hours, toBool(bitAnd(groupBitOr(toUInt8(" + fields + ")), " + p.Add("UInt8", calls) + ") != 0) FROM " + s.store.table(schema.Users.Name) +
		" WHERE user IN " + p.Add("Array(UInt64)", users) + " AND " + fields + " != 0 AND " + windows{left}.hours("hour", &p) + " AND " + tenantCondition(s.request.Tenant, &p) +
		" GROUP BY tenant, correlation_id ORDER BY hours[1] " + order + ", correlation_id LIMIT " + p.Add("UInt64", uint64(s.batch()))
	var out []candidate
	err := s.store.query(s.store.light(ctx), &s.cost, sql, p.Args(), func(rows driver.Rows) error {
		var c candidate
		if err := rows.Scan(&c.tenant, &c.id, &c.hours, &c.call); err != nil {
			return err
		}
		for i := range c.hours {
			c.hours[i] = c.hours[i].UTC()
		}
		// The bounds that leave out nothing.
		c.at, c.first = c.hours[0], c.hours[len(c.run())-1]
		if !s.request.Oldest {
			c.at = earlier(c.at.Add(time.Hour), left.to).Add(-time.Microsecond)
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// run are the hours of the candidate that may be of one call, which is in the first;
// none when its times are known.
func (c *candidate) run() []time.Time {
	for i := 1; i < len(c.hours); i++ {
		if i == maxRun || c.hours[i-1].Sub(c.hours[i]).Abs() > runGap {
			return c.hours[:i]
		}
	}
	return c.hours
}

// within reports whether the candidate's first message may be one of the row's call.
func (c *candidate) within(r *keyedRow) bool {
	if c.hours == nil {
		return !c.at.Before(r.Start) && !c.at.After(r.LastSeen)
	}
	return c.hours[0].Add(time.Hour).After(r.Start) && !c.hours[0].After(r.LastSeen)
}

// tells reports whether the rows of the candidate's id can tell which call it is of:
// where only hours are known, one of the rows alone that lies within the window.
func (s *callSearch) tells(c candidate, rows []*keyedRow) bool {
	if c.hours == nil {
		return true
	}
	if time.Since(c.hours[0].Add(time.Hour)) < freshFor {
		return false // there may be a message that the row was made without
	}
	n := 0
	for _, r := range rows {
		if r.deleted == 0 && c.within(r) {
			if n++; r.Start.Before(s.window.from) || !r.LastSeen.Before(s.window.to) {
				return false
			}
		}
	}
	return n == 1
}

// firstHours is in how many hours of a candidate its times are looked for at first. The
// first of its messages are nearly always in the first hour; the window's edge may be
// between.
const firstHours = 2

// timeCandidates finds the times of the messages of pending candidates of which only
// hours are known, and drops those that have none. done tells whether there were any.
func (s *callSearch) timeCandidates(ctx context.Context) (done bool, err error) {
	for _, n := range []int{firstHours, 0} {
		var missing []candidate
		for _, c := range s.pending {
			if c.hours != nil && (n > 0 || len(c.hours) > firstHours) {
				missing = append(missing, c)
			}
		}
		if len(missing) == 0 {
			continue
		}
		done = true
		exact, err := s.timesOf(ctx, missing, n)
		if err != nil {
			return done, err
		}
		s.timeFrom(exact)
	}
	s.pending = slices.DeleteFunc(s.pending, func(c candidate) bool { return c.hours != nil })
	return done, nil
}

// timeFrom gives pending candidates of which only hours are known their times.
func (s *callSearch) timeFrom(exact map[node]candidate) {
	for i, c := range s.pending {
		if e, ok := exact[c.node]; ok && c.hours != nil {
			s.pending[i] = e
		}
	}
}

// timesOf gives the candidates as sip has them, in the first n of their hours or, when
// n is 0, in all.
func (s *callSearch) timesOf(ctx context.Context, list []candidate, n int) (map[node]candidate, error) {
	hours := map[string]bool{}
	var ids []string
	for _, c := range list {
		ids = append(ids, c.id)
		first := c.hours
		if n > 0 {
			first = first[:min(n, len(first))]
		}
		for _, h := range first {
			hours[h.Format(time.DateTime)] = true
		}
	}
	p := s.params.Clone()
	where := " AND toStartOfHour(time) IN " + p.Add("Array(DateTime('UTC'))", setOf(hours)) + " AND correlation_id IN " + p.Add("Array(String)", ids)
	found, err := s.candidatesWhere(ctx, s.window, where, p, len(ids)+1)
	exact := make(map[node]candidate, len(found))
	for _, c := range found {
		exact[c.node] = c
	}
	return exact, err
}
