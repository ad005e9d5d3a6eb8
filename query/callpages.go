package query

import (
	"hash/fnv"
	"slices"
	"strconv"
)

// Pages of calls: a cursor has the start of the last call of a page, a hash of
// its key, and how many calls of that very start were given out.

// identity is what a cursor of the search belongs to.
func (r *CallsRequest) identity() []string {
	zone := ""
	if r.Zone != nil {
		zone = r.Zone.String()
	}
	return []string{"calls", r.Filter, r.Tenant, zone, strconv.FormatBool(r.Oldest)}
}

// afterCalls reads the request's cursor; nil when it has none.
func afterCalls(r CallsRequest) (*cursor, error) {
	if r.Cursor == "" {
		return nil, nil
	}
	c, err := decodeCursor(r.Cursor, r.identity()...)
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// callHash tells calls of the same start apart.
func callHash(c *Call) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Tenant + "\x00" + c.CorrelationID))
	return h.Sum64()
}

// want is how many calls the search has to find: those of the page, and those of
// the same start as the last one before, which it finds again.
func (s *callSearch) want() int {
	if s.after == nil {
		return s.request.Limit
	}
	return s.request.Limit + int(s.after.skip)
}

// behind leaves out the calls that stand before the page: those that began on
// the other side of the cursor.
func (s *callSearch) behind(calls []Call) []Call {
	if s.after == nil {
		return calls
	}
	return slices.DeleteFunc(calls, func(c Call) bool {
		if s.request.Oldest {
			return c.Start.Before(s.after.at)
		}
		return c.Start.After(s.after.at)
	})
}

// dropGiven drops, of the sorted calls of the cursor's own start, those up to the
// one at which the page before ended; when that is no call any more, because it
// turned out to be a leg of another, as many as were given.
func (s *callSearch) dropGiven() {
	if s.after == nil {
		return
	}
	given, same := 0, 0
	for i := range s.found {
		if !s.found[i].Start.Equal(s.after.at) {
			break
		}
		same++
		if callHash(&s.found[i]) == s.after.id {
			given = same
		}
	}
	if given == 0 {
		given = min(same, int(s.after.skip))
	}
	s.found = s.found[given:]
}

// cursor is where the list goes on behind these calls.
func (s *callSearch) cursor(calls []Call) string {
	last := &calls[len(calls)-1]
	c := cursor{window: s.window, at: last.Start, id: callHash(last)}
	for i := range slices.Backward(calls) {
		if !calls[i].Start.Equal(c.at) {
			break
		}
		c.skip++
	}
	if s.after != nil && c.at.Equal(s.after.at) {
		c.skip += s.after.skip
	}
	return c.encode(s.request.identity()...)
}
