package query_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

// TestPagesOfCallsSurviveInserts reads lists of calls page by page while others
// begin: each call comes once, in order. Seven calls each begin in the same
// microsecond; some are found by their rows, some by their messages.
func TestPagesOfCallsSurviveInserts(t *testing.T) {
	l := open(t)
	end := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	insert := func(prefix string, n int) {
		t.Helper()
		l.exec(t, fmt.Sprintf(`INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, status, cseq, cseq_method, from_tag, from_user, own_branch)
			SELECT toDateTime64('2026-11-21 11:59:00', 6, 'UTC') - toIntervalMicrosecond(intDiv(n, 7) * 1300000) + toIntervalSecond(20 * part),
				't', concat('%s', toString(n)), concat('%s', toString(n)), if(part = 0, 'INVITE', ''), if(part = 0, 0, 486), 1, 'INVITE', 'x', 'alice', 'b'
			FROM (SELECT number AS n, arrayJoin([0, 1]) AS part FROM numbers(%d))`, prefix, prefix, n))
		l.Assemble(t)
	}
	insert("call-", 300)
	for _, filter := range []string{"", "method = INVITE", "status = 486"} {
		for _, oldest := range []bool{false, true} {
			what := fmt.Sprintf("filter %q, oldest %t", filter, oldest)
			whole, err := l.Calls(t.Context(), query.CallsRequest{Filter: filter, From: end.Add(-time.Hour), To: end, Oldest: oldest, Limit: 5000})
			if err != nil || whole.Next != "" || whole.Truncated {
				t.Fatalf("%s: %v, next %q", what, err, whole.Next)
			}
			want := ids(whole.Calls)
			var got []string
			r := query.CallsRequest{Filter: filter, From: end.Add(-time.Hour), To: end, Oldest: oldest, Limit: 31}
			for pages := 0; ; pages++ {
				res, err := l.Calls(t.Context(), r)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if (res.Next != "") != res.Truncated || res.Truncated && len(res.Calls) != r.Limit || pages > 100 {
					t.Fatalf("%s: page %d has %d calls, truncated is %t, next is %q", what, pages, len(res.Calls), res.Truncated, res.Next)
				}
				got = append(got, ids(res.Calls)...)
				if res.Next == "" {
					break
				}
				r.Cursor, r.To = res.Next, r.To.Add(time.Hour) // the first page's window holds
				if pages == 2 {
					l.exec(t, fmt.Sprintf("INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method, from_tag) VALUES ('2026-11-21 %s', 't', 'late-%d', 'late-%d', 'INVITE', 1, 'INVITE', 'x')",
						map[bool]string{false: "11:59:59", true: "11:00:01"}[oldest], len(want), len(want)))
					l.Assemble(t)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d calls on pages, %d at once\n%.300v\n%.300v", what, len(got), len(want), got, want)
			}
		}
	}

	// A cursor is of its search alone.
	first, err := l.Calls(t.Context(), query.CallsRequest{From: end.Add(-time.Hour), To: end, Limit: 3})
	if err != nil || first.Next == "" {
		t.Fatalf("%v, next %q", err, first.Next)
	}
	for _, r := range []query.CallsRequest{{Cursor: "x"}, {Cursor: first.Next, Oldest: true}, {Cursor: first.Next, Filter: "method = INVITE"}, {Cursor: first.Next, Tenant: "t"}} {
		if _, err := l.Calls(t.Context(), r); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
