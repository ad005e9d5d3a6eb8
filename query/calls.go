package query

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// The bounds of CallsRequest.Limit.
const (
	DefaultCalls = 200
	MaxCalls     = 10_000
)

// CallsRequest asks for calls.
type CallsRequest struct {
	// Filter is an expression of package filter; empty for every call. A call
	// matches when its messages and its own figures do: see filter.CallPlan.
	Filter string `json:"filter"`
	// From and To bound the messages that are looked at: a call is found when
	// a message that the filter wants lies in [From, To). A zero To is now, a
	// zero From is a day before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Zone is where times in Filter are that name no zone; nil is UTC.
	Zone *time.Location `json:"-"`
	// Limit is how many calls to return: DefaultCalls when 0, MaxCalls at most.
	Limit int `json:"limit"`
	// Oldest returns the oldest calls of the window, oldest first, instead of
	// the newest, newest first. The order is by Call.Start.
	Oldest bool `json:"oldest"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
	// Cursor is CallsResult.Next of the page before, empty for the first. The
	// window is then that of the first page; the rest must be the same.
	Cursor string `json:"cursor"`
}

// CallsResult has the calls found.
type CallsResult struct {
	Calls []Call `json:"calls"`
	// Next is where the list goes on: the Cursor of the next page. "" when this
	// is all that was found. Calls that begin meanwhile move nothing.
	Next string `json:"next,omitempty"`
	// Truncated says that there are, or may be, more calls than were returned.
	Truncated bool `json:"truncated"`
	// ScannedRows and ScannedBytes are what the server read for the answer.
	ScannedRows  uint64 `json:"scanned_rows"`
	ScannedBytes uint64 `json:"scanned_bytes"`
}

// Calls returns the calls that match, newest first. Messages that belong to no
// call (REGISTER, OPTIONS, …) form rows of their own: Call.Method tells, and
// the filter `method = INVITE` leaves only calls.
//
// The error is a *filter.Error, or wraps ErrTooExpensive, ErrUnavailable or
// ErrInvalid.
func (s *Store) Calls(ctx context.Context, r CallsRequest) (CallsResult, error) {
	w, err := windowOf(r.From, r.To, 24*time.Hour)
	if err != nil {
		return CallsResult{}, err
	}
	if r.Limit < 0 || r.Limit > MaxCalls {
		return CallsResult{}, fmt.Errorf("%w: limit %d is not between 0 and %d", ErrInvalid, r.Limit, MaxCalls)
	}
	if r.Limit == 0 {
		r.Limit = DefaultCalls
	}
	after, err := afterCalls(r)
	if err != nil {
		return CallsResult{}, err
	}
	if after != nil {
		w = after.window
	}
	search := &callSearch{store: s, request: r, window: w, left: w, after: after, seen: map[node]bool{}, computed: map[node]bool{}, deadline: time.Now().Add(s.maxTime)}
	search.params.Zone = r.Zone
	if search.plan, err = filter.CompileCalls(r.Filter, &search.params); err != nil {
		return CallsResult{}, err
	}
	if err := search.start(ctx); err != nil {
		return CallsResult{}, fmt.Errorf("search calls: %w", err)
	}
	result := search.result()
	s.nameTrunks(ctx, result.Calls)
	return result, nil
}

// othersTime is how long a search that calls' rows answer looks for what is no
// call besides, at most.
const othersTime = 5 * time.Second

// start searches the calls' rows where these can tell what matches, and the
// messages for the rest.
func (s *callSearch) start(ctx context.Context) error {
	if s.plan.IDs != nil && len(s.plan.IDs) <= maxLookups {
		if done, err := s.byID(ctx); done || err != nil {
			return err
		}
		return s.run(ctx)
	}
	flags, rows, callsOnly := asksRows(s.plan, &s.params)
	if !rows {
		return s.run(ctx)
	}
	found, err := s.store.rowSearch(ctx, &s.cost, s.request, s.window, s.after, s.plan, flags, &s.params, s.want()+1)
	if err == nil {
		found, err = s.freshCalls(ctx, found)
		found = s.behind(found)
	}
	if err != nil || callsOnly {
		s.found = found
		return err
	}
	// What is no call matters as far as it belongs among the first, beside the calls.
	s.found = found
	for i := range found {
		s.done(&found[i])
	}
	s.plan.Prefilter = "(" + s.plan.Prefilter + " AND " + schema.OtherMethodsSQL + ")"
	s.noCalls = true
	s.deadline = time.Now().Add(min(othersTime, s.store.maxTime))
	return s.run(ctx)
}

// done marks a call's legs as such that need not be looked at any more.
func (s *callSearch) done(c *Call) {
	for _, id := range append(slices.Clone(c.CallIDs), c.CorrelationID) {
		s.seen[node{c.Tenant, id}], s.computed[node{c.Tenant, id}] = true, true
	}
}

// How a search goes through its window.
const (
	// firstSlice is the newest part of the window, each further one being
	// sliceGrowth times as wide: a search for what is common ends soon, one for
	// what is rare costs few slices more.
	firstSlice  = time.Minute
	sliceGrowth = 8
	// firstIndexed and indexedGrowth are the same for what bloom filters lead to:
	// there the number of queries is what costs.
	firstIndexed  = 24 * time.Hour
	indexedGrowth = 24
	// minCandidates and maxCandidates are how many calls are computed at a time,
	// maxExamined how many in all.
	minCandidates = 500
	maxCandidates = 5_000
	maxExamined   = 200_000
	// oldestMargin is how long before its first matching message a call may
	// have begun, when the oldest calls are asked for.
	oldestMargin = time.Hour
)

// callSearch is one search for calls. It takes the window slice by slice, from
// the end that is asked for; in each it finds the correlation ids of messages
// that meet the filter's necessary condition, all legs of these, and computes
// those calls alone.
type callSearch struct {
	store   *Store
	request CallsRequest
	plan    filter.CallPlan
	params  filter.Params
	window  window
	// left is the part of the window not yet looked at.
	left window
	// places are where the ids are that the filter demands; nil when it demands none,
	// or of too many.
	places *places
	// after is the last call of the page before; nil on the first.
	after *cursor
	// noCalls says that candidates are of methods that make no calls.
	noCalls bool
	// fresh are the legs whose calls' rows are behind; nil when not asked for yet.
	fresh map[node]bool
	// pending are candidates of slices done whose calls are not computed yet.
	pending []candidate
	// seen are ids that need not be candidates any more, computed those of calls
	// that are computed.
	seen, computed map[node]bool
	found          []Call
	examined       int
	deadline       time.Time
	cut            bool
	cost           cost
}

// firstWidth is how wide the first slice of a search is, and how much wider each
// further one.
func firstWidth(indexed bool) (width, growth time.Duration) {
	if indexed {
		return firstIndexed, indexedGrowth
	}
	return firstSlice, sliceGrowth
}

// wider is how wide the slice after one of that width is, in which there were n
// candidates. What the bloom filters lead to lies far apart: there the slice is as
// wide as has, by these, what is still missing.
func (s *callSearch) wider(width, growth time.Duration, n int) time.Duration {
	if s.plan.Indexed && n >= 4 {
		missing := max(1, s.worthwhile()-len(s.pending)-n)
		return min(width*growth, max(width, width/time.Duration(n)*time.Duration(missing+missing/4)))
	}
	return width * growth
}

// run goes through what is left: by table users where that can tell, else through the
// messages.
func (s *callSearch) run(ctx context.Context) error {
	told, err := s.toldByUsers(ctx)
	if err != nil {
		return err
	}
	if told.from.Before(told.to) {
		near, far := told.to, told.from
		if s.request.Oldest {
			near, far = far, near
		}
		if err := s.runMessages(ctx, near); err != nil {
			return err
		}
		if err := s.runUsers(ctx, far); err != nil {
			return err
		}
	}
	if s.request.Oldest {
		return s.runMessages(ctx, s.window.to)
	}
	return s.runMessages(ctx, s.window.from)
}

// until is the part of what is left that lies before the time, in the order asked for.
func (s *callSearch) until(end time.Time) window {
	w := s.left
	if s.request.Oldest {
		w.to = earlier(w.to, end)
	} else if w.from.Before(end) {
		w.from = end
	}
	return w
}

// tired reports whether the search has taken enough, and notes that it was cut short.
func (s *callSearch) tired() bool {
	tired := s.examined >= maxExamined || !time.Now().Before(s.deadline)
	s.cut = s.cut || tired
	return tired
}

// runMessages goes through the messages of what is left, until that time.
func (s *callSearch) runMessages(ctx context.Context, end time.Time) error {
	width, growth := firstWidth(s.plan.Indexed)
	if s.places != nil {
		width = s.left.to.Sub(s.left.from)
	}
	for s.narrow(); ; s.narrow() {
		left := s.until(end)
		if !left.from.Before(left.to) || s.tired() {
			return nil
		}
		slice := s.next(left, width)
		candidates, err := s.candidates(ctx, slice)
		if err != nil {
			return err
		}
		done := slice
		if len(candidates) == s.batch() {
			// There may be more in the slice: those beyond the last one's time.
			done = s.upTo(slice, candidates[len(candidates)-1].at)
		} else {
			width = s.wider(width, growth, len(candidates))
		}
		if err := s.add(ctx, candidates, done); err != nil {
			return err
		}
	}
}

// add adds the candidates of a part of what is left, and computes the calls of those
// gathered when there are enough.
func (s *callSearch) add(ctx context.Context, candidates []candidate, done window) error {
	s.keep(candidates)
	if s.request.Oldest {
		s.left.from = done.to
	} else {
		s.left.to = done.from
	}
	if len(s.pending) >= s.worthwhile() || !s.left.from.Before(s.left.to) {
		return s.compute(ctx)
	}
	return nil
}

// next is the part of what is left that is looked at next.
func (s *callSearch) next(left window, width time.Duration) window {
	if all := left.to.Sub(left.from); width > all || width <= 0 {
		return left
	}
	if s.request.Oldest {
		return window{left.from, left.from.Add(width)}
	}
	return window{left.to.Add(-width), left.to}
}

// upTo is the part of the slice that candidates cover of which at is the last.
// Messages at the very same microsecond as the last one's are looked at again,
// unless that is all the slice.
func (s *callSearch) upTo(slice window, at time.Time) window {
	if s.request.Oldest {
		if at.After(slice.from) {
			return window{slice.from, at}
		}
		return window{slice.from, at.Add(time.Microsecond)}
	}
	if after := at.Add(time.Microsecond); after.Before(slice.to) {
		return window{after, slice.to}
	}
	return window{at, slice.to}
}

// batch is how many candidates are taken at a time.
func (s *callSearch) batch() int {
	n := 2 * s.want()
	if s.plan.OnCalls {
		n = maxCandidates
	}
	return min(max(n, minCandidates), maxCandidates)
}

// narrow leaves out what is left of the window but cannot have a call that belongs
// among the first: one that begins after the last of those found has no message
// before that. One more than asked for is looked for, to know whether there are more.
func (s *callSearch) narrow() {
	if len(s.found) <= s.want() {
		return
	}
	s.sort()
	last := s.found[s.want()].Start
	if s.request.Oldest {
		if end := last.Add(oldestMargin + time.Microsecond); end.Before(s.left.to) {
			s.left.to = end
		}
		return
	}
	if last.After(s.left.from) {
		s.left.from = last
	}
}

// sort puts the calls in the order asked for. Equal starts are in the order of
// their ids, so that the same search gives the same list.
func (s *callSearch) sort() {
	sort.Slice(s.found, func(i, j int) bool {
		a, b := &s.found[i], &s.found[j]
		switch {
		case !a.Start.Equal(b.Start):
			return a.Start.After(b.Start) != s.request.Oldest
		case a.CorrelationID != b.CorrelationID:
			return a.CorrelationID < b.CorrelationID
		}
		return a.Tenant < b.Tenant
	})
}

func (s *callSearch) result() CallsResult {
	s.sort()
	s.dropGiven()
	r := CallsResult{Calls: s.found, Truncated: s.cut, ScannedRows: s.cost.rows.Load(), ScannedBytes: s.cost.bytes.Load()}
	if len(r.Calls) > s.request.Limit {
		r.Calls, r.Truncated = r.Calls[:s.request.Limit], true
		r.Next = s.cursor(r.Calls)
	}
	if r.Calls == nil {
		r.Calls = []Call{}
	}
	return r
}
