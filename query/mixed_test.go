package query_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/query"
)

// TestCallsAmongOthers checks the list of calls and of what is no call, of four
// hours in which a call begins every 2 s, with a second leg of the same user, and an
// OPTIONS every 400 s: order, pages, and that the list of calls is not held up
// by a search for what is rare among them.
func TestCallsAmongOthers(t *testing.T) {
	l := open(t)
	end := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const calls, every = 7_200, 200
	l.exec(t, fmt.Sprintf(`INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method, from_tag, from_user, own_branch)
		SELECT toDateTime64('2026-11-21 12:00:00', 6, 'UTC') - toIntervalSecond(2 * n + 2) + toIntervalMillisecond(leg) AS time,
			't', concat('call-', toString(n)), concat(if(leg = 0, 'call-', 'leg-'), toString(n)), 'INVITE', 1, 'INVITE', 'x', if(n %% 20 = 0, 'bob', 'alice'), 'b'
		FROM (SELECT number AS n, arrayJoin([0, 1]) AS leg FROM numbers(%d))
		UNION ALL SELECT toDateTime64('2026-11-21 12:00:00', 6, 'UTC') - toIntervalSecond(2 * %d * n + 1) AS time,
			't', concat('ping-', toString(n)), concat('ping-', toString(n)), 'OPTIONS', 1, 'OPTIONS', 'x', 'bob', 'b' FROM (SELECT number AS n FROM numbers(%d))`, calls, every, calls/every))
	l.Assemble(t)
	s := l.store(t, chtest.Server(t).NativeURL(embedded.Owner), query.Options{}) // this protocol tells what was read
	var all, bob []string                                                        // newest first
	for n := range calls {
		if n%every == 0 {
			ping := fmt.Sprintf("ping-%d", n/every)
			all, bob = append(all, ping), append(bob, ping)
		}
		call := fmt.Sprintf("call-%d", n)
		if all = append(all, call); n%20 == 0 {
			bob = append(bob, call)
		}
	}
	for _, c := range []struct {
		name   string
		filter string
		oldest bool
		limit  int
		want   []string
		// rows that one page may read, of 14,436 in sip and half as many in call_rows.
		rows uint64
	}{
		{"newest", "", false, 30, all, 80_000},
		{"oldest", "", true, 30, all, 200_000},
		{"bob's newest", "from_user = bob", false, 30, bob, 200_000},
		{"bob's oldest", "from_user = bob", true, 30, bob, 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := slices.Clone(c.want)
			if c.oldest {
				slices.Reverse(want)
			}
			r := query.CallsRequest{Filter: c.filter, Oldest: c.oldest, Limit: c.limit, From: end.Add(-5 * time.Hour), To: end}
			for page := range 3 {
				got, err := s.Calls(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if part := want[page*c.limit : (page+1)*c.limit]; !slices.Equal(ids(got.Calls), part) || !got.Truncated {
					t.Errorf("page %d, truncated %t:\n got %.200v…\nwant %.200v…", page, got.Truncated, ids(got.Calls), part)
				}
				if got.ScannedRows == 0 || got.ScannedRows > c.rows {
					t.Errorf("page %d read %d rows", page, got.ScannedRows)
				}
				r.Cursor = got.Next
			}
		})
	}
}

// TestOtherMethodsWithinACall checks that a call is on the list once, though a leg of
// it, under another correlation id than the call's, has messages of other methods.
func TestOtherMethodsWithinACall(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method) VALUES
		('2026-11-21 00:00:00', 't', 'a', 'a', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:01', 't', 'a', 'b', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:02', 't', 'b', 'c', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:03', 't', 'c', 'c', 'OPTIONS', 2, 'OPTIONS'),
		('2026-11-21 00:00:04', 't', 'b', 'c', 'MESSAGE', 3, 'MESSAGE'),
		('2026-11-21 00:00:05', 't', 'x', 'x', 'OPTIONS', 1, 'OPTIONS')`)
	l.Assemble(t)
	if got := ids(l.search(t, "")); !slices.Equal(got, []string{"x", "a"}) {
		t.Errorf("found %v", got)
	}
}
