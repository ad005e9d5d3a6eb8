package query

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query/filter"
)

// insertRandomDialogs inserts 600 dialogs of a day ago, of messages that hardly
// belong together.
func insertRandomDialogs(t *testing.T, l *laketest.Lake) {
	t.Helper()
	// Values are few, so that requests, answers and copies of them meet.
	if err := l.DB.Exec(t.Context(), `INSERT INTO sip (time, own_call_id, correlation_id, method, status, reason, cseq, cseq_method, own_branch, from_tag, to_tag, from_user, to_user, ruri_user, src_ip, src_port, dst_ip, dst_port, sdp, node, capture_id, user_agent, server, q850)
WITH (n, list) -> list[1 + cityHash64(number, n) % length(list)] AS pick, pick('request', [0, 0, 1]) AS request
SELECT now64(6, 'UTC') - 86400 + intDiv(number, 8) * 60 + number % 8 + cityHash64(number) % 1000 / 1000, concat('dialog-', toString(intDiv(number, 8))) AS dialog, dialog,
	if(request, m, ''), if(request, 0, pick('status', [100, 180, 183, 200, 202, 302, 401, 404, 407, 503])) AS answer, if(request, '', concat('reason ', toString(answer))),
	pick('cseq', [1, 1, 2]), m, pick('branch', ['', 'z9hG4bKa', 'z9hG4bKa', 'z9hG4bKb']), pick('from_tag', ['a', 'a', 'a', 'b']), pick('to_tag', ['', '', 'x']),
	pick('from', ['100', '101']), pick('to', ['200', '201']), pick('ruri', ['200', '300']),
	toIPv6(pick('src', ['10.0.0.1', '10.0.0.2'])), pick('sport', [5060, 5070]), toIPv6(pick('dst', ['10.0.0.1', '10.0.0.2'])), pick('dport', [5060, 5070]),
	pick('sdp', ['', '', 'audio 10.0.0.1:20000 PCMU,PCMA sendrecv, video 10.0.0.1:20002 H264 sendrecv', 'image']), pick('node', ['', 'edge', 'core']), pick('agent', [0, 7, 8]),
	pick('ua', ['', 'one', 'two']), pick('server', ['', 'one', 'three']), pick('q850', [0, 0, 16, 31])
FROM (SELECT number, ['OPTIONS', 'REGISTER', 'SUBSCRIBE', 'MESSAGE', 'NOTIFY'][1 + (intDiv(number, 8) + (cityHash64(number) % 11 = 0)) % 5] AS m FROM numbers(4800))`); err != nil {
		t.Fatal(err)
	}
}

// TestDialogsAreWhatSQLSays computes dialogs of other methods here and by
// schema.CallsQuery: all of the captures, and some hundred of random messages.
func TestDialogsAreWhatSQLSays(t *testing.T) {
	l := laketest.Open(t, captures.Names(t, "*")...)
	insertRandomDialogs(t, l)
	s, err := Open(t.Context(), Options{URL: l.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var ids []string
	if err := l.DB.QueryRow(t.Context(), "SELECT groupUniqArray(call_id) FROM sip").Scan(&ids); err != nil {
		t.Fatal(err)
	}
	components, whole, err := s.closure(t.Context(), &cost{}, closureRequest{ids: ids, maxLinks: 100_000})
	if err != nil || !whole {
		t.Fatal(whole, err)
	}
	got, rest, err := s.dialogs(t.Context(), &cost{}, components)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 600 || len(rest) == 0 || len(got)+len(rest) != len(components) {
		t.Fatalf("%d of %d components are dialogs, %d are not", len(got), len(components), len(rest))
	}
	var params filter.Params
	plan, err := filter.CompileCalls("", &params)
	if err != nil {
		t.Fatal(err)
	}
	ctx := WithSettings(t.Context(), clickhouse.Settings{"max_query_size": 16 << 20})
	all, err := s.computeBySQL(ctx, &cost{}, components, plan, params)
	if err != nil {
		t.Fatal(err)
	}
	want := map[node]string{}
	text := func(c Call) string {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, c := range all {
		want[node{c.Tenant, c.CallIDs[0]}] = text(c)
	}
	outcomes := map[Outcome]int{}
	for _, c := range got {
		outcomes[c.Outcome]++
		if have, want := text(c), want[node{c.Tenant, c.CallIDs[0]}]; have != want {
			t.Errorf("computed here\n%s\nby SQL\n%s", have, want)
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("outcomes %v, want three kinds", outcomes)
	}
	if calls, err := s.compute(t.Context(), &cost{}, components, plan, params); err != nil || len(calls) != len(all) {
		t.Errorf("%d calls of both ways, %v, want %d", len(calls), err, len(all))
	}
}

// TestCandidatesThatAreDialogs asks for dialogs in two ways that mean the same, of
// which one only has them computed of what their ids alone lead to.
func TestCandidatesThatAreDialogs(t *testing.T) {
	l := laketest.Open(t, captures.Names(t, "*")...)
	insertRandomDialogs(t, l)
	l.Digest(t)
	s, err := Open(t.Context(), Options{URL: l.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx := WithSettings(t.Context(), clickhouse.Settings{"max_query_size": 16 << 20})
	for filter, least := range map[string]int{"from_user = 100": 400, "to_user = 201": 400, "user = alice": 1, "from_user = 1001": 1, "method = REGISTER": 100, "method = OPTIONS": 100, "status >= 500": 100} {
		list := func(filter string) map[string]string {
			r, err := s.Calls(ctx, CallsRequest{Filter: filter, From: time.Now().AddDate(-5, 0, 0), To: time.Now().AddDate(0, 0, 1), Limit: MaxCalls})
			if err != nil {
				t.Fatalf("%s: %v", filter, err)
			}
			out := map[string]string{}
			for _, c := range r.Calls {
				text, err := json.Marshal(c)
				if err != nil {
					t.Fatal(err)
				}
				out[c.Tenant+" "+c.CorrelationID+" "+c.Start.String()] = string(text)
			}
			return out
		}
		got, want := list(filter), list(filter+" and call_id != nobody")
		if len(got) != len(want) || len(got) < least {
			t.Errorf("%s: %d calls, and %d when asked another way; want %d at least", filter, len(got), len(want), least)
		}
		for key, text := range want {
			if got[key] != text {
				t.Errorf("%s: %s is\n%s\nand asked another way\n%s", filter, key, got[key], text)
			}
		}
	}
}
