package query_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// The window of the captures.
var (
	capturedFrom = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	capturedTo   = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
)

const (
	failures   = "kamailio-hep3-udp-sip-failures-a"
	dialogs    = "kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a"
	lossy      = "kamailio-hep3-udp-sip-loss-retransmissions-a"
	twoLegs    = "kamailio-hep3-two-legs-topoh-xcid-a"
	registers  = "kamailio-hep3-udp-sip-register-options-message-publish-a"
	withMedia  = "rtpengine-kamailio-hep3-udp-call-with-rtcp-a"
	withEvents = "opensips-hep3-udp-sip-xlog-a"
	b2b        = "sngrep-hep3-udp-b2bua-two-callids-xcid-a"
)

func (l *lake) search(t *testing.T, filter string) []query.Call {
	t.Helper()
	r, err := l.Calls(t.Context(), query.CallsRequest{Filter: filter, From: capturedFrom, To: capturedTo, Limit: 1000})
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	if r.Truncated {
		t.Errorf("%s: truncated", filter)
	}
	return r.Calls
}

// ids are the first legs of calls, in their order.
func ids(calls []query.Call) []string {
	out := []string{}
	for _, c := range calls {
		out = append(out, c.CallIDs[0])
	}
	return out
}

func line(c query.Call) string {
	return fmt.Sprintf("%s %s %s %d %s m%d r%d h%d", c.CallIDs[0], c.Method, c.Outcome, c.FinalStatus, c.ReleasedBy, c.Messages, c.Retransmissions, c.Hops)
}

// TestCallsOfCaptures checks the calls of real traffic against what the tools
// that made it were told to do (testdata/captures/README.md).
func TestCallsOfCaptures(t *testing.T) {
	for capture, want := range map[string][]string{
		failures: {
			"1-15171@127.0.0.1 INVITE answered 200 caller m21 r0 h3", // forked
			"1-15168@127.0.0.1 INVITE failed 408 network m7 r2 h2",   // nobody answers
			"1-15167@127.0.0.1 INVITE failed 503 network m3 r0 h1",
			"1-15166@127.0.0.1 INVITE failed 404 network m3 r0 h1",
			"2-15165@127.0.0.1 INVITE cancelled 487 caller m13 r0 h2",
			"1-15165@127.0.0.1 INVITE cancelled 487 caller m13 r0 h2",
			"1-15163@127.0.0.1 INVITE failed 302 callee m7 r0 h2",
			"1-15161@127.0.0.1 INVITE failed 488 callee m9 r0 h2",
			"1-15159@127.0.0.1 INVITE failed 480 callee m9 r0 h2",
			"1-15157@127.0.0.1 INVITE failed 603 callee m9 r0 h2",
			"2-15155@127.0.0.1 INVITE failed 486 callee m9 r0 h2",
			"1-15155@127.0.0.1 INVITE failed 486 callee m9 r0 h2",
		},
		lossy: {
			"3-15444@127.0.0.1 INVITE answered 200 caller m15 r2 h2",
			"2-15444@127.0.0.1 INVITE answered 200 caller m15 r1 h2",
			"1-15444@127.0.0.1 INVITE answered 200 caller m19 r4 h2",
		},
		dialogs: {
			"1-15416@127.0.0.1 INVITE answered 200 caller m17 r0 h2", // 407 first
			"2-15414@127.0.0.1 SUBSCRIBE answered 200  m12 r0 h2",
			"1-15414@127.0.0.1 SUBSCRIBE answered 200  m12 r0 h2",
			"2-15412@127.0.0.1 INVITE answered 200 caller m21 r0 h2", // REFER
			"1-15412@127.0.0.1 INVITE answered 200 caller m21 r0 h2",
			"2-15410@127.0.0.1 INVITE answered 200 caller m21 r0 h2", // PRACK
			"1-15410@127.0.0.1 INVITE answered 200 caller m21 r0 h2",
			"2-15408@127.0.0.1 INVITE answered 200 caller m32 r0 h2", // hold, resume
			"1-15408@127.0.0.1 INVITE answered 200 caller m32 r0 h2",
		},
		twoLegs: {
			"1-16210@127.0.0.1 INVITE failed 486 callee m19 r0 h3",
			"3-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3",
			"2-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3",
			"1-16207@127.0.0.1 INVITE answered 200 caller m28 r0 h3",
		},
	} {
		t.Run(capture, func(t *testing.T) {
			l := open(t, capture)
			var got []string
			for _, c := range l.search(t, "") {
				got = append(got, line(c))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestRegistrations checks that what is no call can be found as well.
func TestRegistrations(t *testing.T) {
	l := open(t, registers)
	count := map[string]int{}
	for _, c := range l.search(t, "") {
		count[fmt.Sprintf("%s %s %d", c.Method, c.Outcome, c.FinalStatus)]++
	}
	want := map[string]int{
		"REGISTER answered 200": 3, "REGISTER failed 401": 1, "OPTIONS answered 200": 3, "MESSAGE answered 200": 3, "PUBLISH answered 200": 2,
	}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("got %v, want %v", count, want)
	}
	if got := ids(l.search(t, "method = INVITE")); len(got) != 0 {
		t.Errorf("calls among registrations: %v", got)
	}
	if got := ids(l.search(t, "method = REGISTER and outcome = failed")); !slices.Equal(got, []string{"1-15351@127.0.0.1"}) {
		t.Errorf("failed registrations: %v", got)
	}
}

// TestFiguresOfACall checks one call's times against the capture's frames.
func TestFiguresOfACall(t *testing.T) {
	l := open(t, failures)
	calls := l.search(t, "1-15171@127.0.0.1")
	if len(calls) != 1 {
		t.Fatalf("found %v", ids(calls))
	}
	c := calls[0]
	ms := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.3f", *v)
	}
	got := []string{c.Start.Format("15:04:05.000000"), ms(c.PDDMs), ms(c.SRDMs), ms(c.RingMs), ms(c.DurationS), ms(c.SDDMs), fmt.Sprint(c.Q850),
		c.FromUser, c.FromDomain, c.ToUser, c.ToDomain, c.RURIUser, fmt.Sprint(c.SrcIP, c.SrcPort, c.DstIP, c.DstPort), fmt.Sprint(c.Codecs), fmt.Sprint(c.UserAgents), c.FinalReason}
	want := []string{"02:36:41.585224", "0.948", "0.948", "155.172", "0.304", "0.932", "16",
		"alice", "lab.test", "fork1", "lab.test", "fork1", "127.0.0.1 5070 127.0.0.1 5060", "[PCMU telephone-event]", "", "OK"}
	want[14] = got[14]
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	for _, name := range []string{"sipp-3.6.1 lab", "Kamailio lab A"} {
		if !slices.Contains(c.UserAgents, name) {
			t.Errorf("user agents %q lack %q", c.UserAgents, name)
		}
	}
}

func TestFiltersOnCalls(t *testing.T) {
	l := open(t, failures, twoLegs)
	all := len(l.search(t, ""))
	if all != 16 {
		t.Fatalf("%d calls, want 16", all)
	}
	for f, want := range map[string]int{
		"from_user = alice":                             10,
		"from_user = 'alice' and to_user like 'fo%'":    1,
		"status = 486":                                  3,
		"method = INVITE and status = 486":              3,
		"not status = 486":                              13,
		"status != 486":                                 13,
		"method = CANCEL":                               3, // two callers', and the proxy's of a fork
		"outcome = cancelled":                           2,
		"outcome = cancelled or final_status = 603":     3,
		"outcome = failed and not final_status = 4xx":   3,
		"final_status in (302, 5xx)":                    2,
		"released_by = network":                         3,
		"duration_s > 0.1":                              4,
		"duration_s > 0.1 and hops = 3":                 4,
		"not duration_s > 0.1":                          12,
		"pdd_ms < 1000 and src_ip in 127.0.0.0/8":       12,
		"q850 = 17":                                     3,
		"codecs = PCMU":                                 16,
		"user_agents like '%lab-uas%' and hops = 1":     0,
		"header.x-cid like '%16210%'":                   1,
		"raw ~ '(?i)max-forwards: *70' and hops >= 3":   5,
		"call_id like '!!:%'":                           4,
		"correlation_id = 1-16210@127.0.0.1":            1,
		"'!!:hmx-B7.-h86-h7pyhAaIM78*'":                 1,
		"src_port = 5080 and status = 603":              1,
		"src_port = 5070 and status = 603":              0,
		"capture_id = 2022":                             4,
		"retransmissions > 0":                           1,
		"transport = UDP and messages > 20":             4,
		"time >= '2026-11-21 02:38:00'":                 4,
		"start < '2026-11-21 02:38:00'":                 12,
		"method = INVITE and method = CANCEL":           3,
		"(status = 180 or status = 183) and status=200": 0,
	} {
		if got := l.search(t, f); len(got) != want {
			t.Errorf("%s: %d calls, want %d: %v", f, len(got), want, ids(got))
		}
	}
	// A call found by a message of either leg is the same call.
	a, b := l.search(t, "call_id = '1-16207@127.0.0.1'"), l.search(t, "call_id = '!!:hmx-B7.IBx6-h7pyhAaIM78*'")
	if len(a) != 1 || !reflect.DeepEqual(a, b) {
		t.Errorf("by leg A %+v\nby leg B %+v", a, b)
	}
}

// TestViewSaysTheSame checks that SQL users and the API see the same calls.
func TestViewSaysTheSame(t *testing.T) {
	l := open(t, failures, twoLegs, lossy, dialogs, registers, b2b, withMedia)
	want := map[string]string{}
	for _, c := range l.search(t, "method = INVITE") {
		want[c.CorrelationID] = line(c) + fmt.Sprint(c.CallIDs, c.Start, c.LastSeen)
	}
	rows, err := l.db.Query(t.Context(), "SELECT correlation_id, call_ids, method, outcome, final_status, released_by, messages, retransmissions, hops, start, last_seen FROM calls")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var c query.Call
		if err := rows.Scan(&c.CorrelationID, &c.CallIDs, &c.Method, (*string)(&c.Outcome), &c.FinalStatus, &c.ReleasedBy, &c.Messages, &c.Retransmissions, &c.Hops, &c.Start, &c.LastSeen); err != nil {
			t.Fatal(err)
		}
		n++
		if got := line(c) + fmt.Sprint(c.CallIDs, c.Start, c.LastSeen); got != want[c.CorrelationID] {
			t.Errorf("the view has %s\nthe search %s", got, want[c.CorrelationID])
		}
	}
	if err := rows.Err(); err != nil || n != len(want) || n == 0 {
		t.Errorf("the view has %d rows, the search %d (%v)", n, len(want), err)
	}
}

// TestSearchOrder checks limits and order on 5,000 calls of ten days, whose
// times are known: call n begins n minutes and some before the end, lasts a
// minute, and every seventh is of bob.
func TestSearchOrder(t *testing.T) {
	l := open(t)
	end := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, status, cseq, cseq_method, from_tag, from_user, own_branch)
		SELECT toDateTime64('2026-11-21 12:00:00', 6, 'UTC') - toIntervalSecond(3 * n + 60) + toIntervalSecond(60 * part),
			if(n % 2 = 0, 'even', 'odd'), concat('call-', toString(n)), concat('call-', toString(n)),
			if(part = 0, 'INVITE', ''), if(part = 0, 0, 486), 1, 'INVITE', 'x', if(n % 7 = 0, 'bob', 'alice'), 'b'
		FROM (SELECT number AS n, arrayJoin([0, 1]) AS part FROM numbers(5000))`)
	l.Assemble(t)
	search := func(r query.CallsRequest) []string {
		t.Helper()
		if r.To.IsZero() {
			r.From, r.To = end.Add(-10*24*time.Hour), end
		}
		got, err := l.Calls(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if more := len(got.Calls) == r.Limit; got.Truncated != more {
			t.Errorf("%+v: %d calls, truncated is %t", r, len(got.Calls), got.Truncated)
		}
		return ids(got.Calls)
	}
	name := func(n int) string { return fmt.Sprintf("call-%d", n) }
	var want []string
	check := func(what string, got []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d calls %.120v…, want %d %.120v…", what, len(got), got, len(want), want)
		}
		want = nil
	}
	for n := range 700 {
		want = append(want, name(n))
	}
	check("newest", search(query.CallsRequest{Limit: 700}))
	for n := range 100 {
		want = append(want, name(4999-n))
	}
	check("oldest", search(query.CallsRequest{Limit: 100, Oldest: true}))
	for n := range 700 {
		want = append(want, name(7*n))
	}
	check("bob's", search(query.CallsRequest{Limit: 700, Filter: "from_user = bob"}))
	for n := range 50 {
		want = append(want, name(2*n+1))
	}
	check("a tenant's", search(query.CallsRequest{Limit: 50, Tenant: "odd"}))
	want = []string{name(4321)}
	check("one of old", search(query.CallsRequest{Limit: 5, Filter: "call_id = call-4321"}))
	// Of a window, the calls with a message in it; with a filter, with such a message.
	w := query.CallsRequest{Limit: 500, From: end.Add(-120 * time.Second), To: end.Add(-60 * time.Second)}
	for n := range 41 { // from call 0, which begins at the end and is not in, to those that end at the start
		if n > 0 {
			want = append(want, name(n))
		}
	}
	check("a window's", search(w))
	w.Filter = "status = 486"
	for n := 21; n <= 40; n++ {
		want = append(want, name(n))
	}
	check("a window's refusals", search(w))
	want = []string{}
	check("of another tenant", search(query.CallsRequest{Limit: 5, Tenant: "odd", Filter: "call_id = call-2"}))
}

// TestLegsThroughAThird checks that the search follows links that the view
// does not: leg C names leg B, which names leg A.
func TestLegsThroughAThird(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method) VALUES
		('2026-11-21 00:00:00', 't', 'a', 'a', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:01', 't', 'a', 'b', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:02', 't', 'b', 'c', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:03', 't', 'c', 'c', 'INFO', 2, 'INFO'),
		('2026-11-21 20:00:00', 't', 'c', 'c', 'BYE', 3, 'BYE'),
		('2026-11-21 00:00:02', 'u', 'b', 'b', 'INVITE', 1, 'INVITE'),
		('2026-11-21 00:00:02', 't', '', '', 'INVITE', 1, 'INVITE')`)
	l.Assemble(t)
	for _, f := range []string{"call_id = c", "correlation_id = a", "method = BYE"} {
		calls := l.search(t, "tenant = t and "+f)
		if len(calls) != 1 || !slices.Equal(calls[0].CallIDs, []string{"a", "b", "c"}) || calls[0].Messages != 5 {
			t.Errorf("%s: %+v", f, calls)
		}
	}
	if calls := l.search(t, "tenant = u"); len(calls) != 1 || calls[0].Messages != 1 {
		t.Errorf("the other tenant's call: %+v", calls)
	}
	if calls := l.search(t, ""); len(calls) != 2 {
		t.Errorf("%d calls, want 2", len(calls))
	}
}

// TestLongCalls checks that a call of hours is whole, wherever it is found: by the
// message that opened it, by one in between, or by the last one of the other leg.
func TestLongCalls(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, status, cseq, cseq_method, from_tag, to_tag, own_branch) VALUES
		('2026-11-20 20:00:00', 't', 'a', 'a', 'INVITE', 0,   1, 'INVITE', 'f', '',  'b1'),
		('2026-11-20 20:00:01', 't', 'a', 'b', 'INVITE', 0,   1, 'INVITE', 'g', '',  'c1'),
		('2026-11-20 20:00:02', 't', 'b', 'b', '',       200, 1, 'INVITE', 'g', 'u', 'c1'),
		('2026-11-20 20:00:03', 't', 'a', 'a', '',       200, 1, 'INVITE', 'f', 't', 'b1'),
		('2026-11-21 00:30:00', 't', 'a', 'a', 'UPDATE', 0,   2, 'UPDATE', 'f', 't', 'b2'),
		('2026-11-21 05:00:03', 't', 'b', 'b', 'BYE',    0,   1, 'BYE',    'u', 'g', 'c2'),
		('2026-11-21 05:00:04', 't', 'a', 'a', 'BYE',    0,   1, 'BYE',    't', 'f', 'b3'),
		('2026-11-21 05:00:05', 't', 'a', 'a', '',       200, 1, 'BYE',    't', 'f', 'b3')`)
	l.Assemble(t)
	for _, at := range []string{"2026-11-20T20:00:00Z", "2026-11-20T20:00:02Z", "2026-11-21T00:30:00Z", "2026-11-21T05:00:03Z", "2026-11-21T05:00:05Z"} {
		from, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Calls(t.Context(), query.CallsRequest{From: from, To: from.Add(time.Second)})
		if err != nil || len(r.Calls) != 1 {
			t.Fatalf("%s: %d calls, %v", at, len(r.Calls), err)
		}
		c := r.Calls[0]
		if !slices.Equal(c.CallIDs, []string{"a", "b"}) || c.Messages != 8 || c.Outcome != query.Answered || c.ReleasedBy != "callee" || c.DurationS == nil || *c.DurationS != 9*3600+1 {
			t.Errorf("found at %s: %+v", at, c)
		}
		f, err := l.Flow(t.Context(), query.FlowRequest{ID: "b", From: from, To: from.Add(time.Second)})
		if err != nil || len(f.Items) != 8 || len(f.Legs) != 2 {
			t.Errorf("flow found at %s: %v", at, err)
		}
	}
}

func TestCallsRefuses(t *testing.T) {
	l := open(t)
	var fe *filter.Error
	if _, err := l.Calls(t.Context(), query.CallsRequest{Filter: "status >="}); !errors.As(err, &fe) || fe.Pos != 9 {
		t.Errorf("a bad filter: %v", err)
	}
	now := time.Now()
	for what, r := range map[string]query.CallsRequest{
		"a window backwards": {From: now, To: now.Add(-time.Hour)},
		"a negative limit":   {Limit: -1},
		"too high a limit":   {Limit: query.MaxCalls + 1},
	} {
		if _, err := l.Calls(t.Context(), r); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r, err := l.Calls(t.Context(), query.CallsRequest{}); err != nil || r.Calls == nil || len(r.Calls) != 0 || r.Truncated {
		t.Errorf("nothing stored: %+v, %v", r, err)
	}
}
