package api

import (
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// What Homer's clients write, and the expression that it becomes.
func TestSearchBecomesFilter(t *testing.T) {
	const call = "cseq_method in (INVITE, ACK, BYE, CANCEL, PRACK, UPDATE, INFO, REFER)"
	tests := []struct{ name, param, want string }{
		{"nothing", `{}`, ``},
		{"one field", `{"search": {"call_id": "abc123@example.com"}}`, `(call_id = "abc123@example.com")`},
		{"two fields", `{"search": {"to_user": "bob", "from_user": "alice"}}`, `((from_user = "alice")) and ((to_user = "bob"))`},
		{"or logic", `{"search": {"to_user": "bob", "from_user": "alice"}, "orlogic": true}`, `((from_user = "alice")) or ((to_user = "bob"))`},
		{"number", `{"search": {"status": 486}}`, `(status = "486")`},
		{"status class", `{"search": {"status": "4xx"}}`, `(status = "4xx")`},
		{"list", `{"search": {"from_user": ["a", "b", 3]}}`, `(from_user in ("a", "b", "3"))`},
		{"list with a pattern", `{"search": {"from_user": ["a", "b%"]}}`, `(from_user like "b%" or from_user = "a")`},
		{"quotes and backslashes", `{"search": {"from_user": "a\"b\\c\n' or 1=1 --"}}`, `(from_user = "a\"b\\c\n' or 1=1 --")`},
		{"semicolon is no list in a plain field", `{"search": {"ruri_user": "100;phone-context=x"}}`, `(ruri_user = "100;phone-context=x")`},
		{"pattern", `{"search": {"from_user": "4930_1%"}}`, `(from_user like "4930\\_1%")`},
		{"pattern with an escaped percent", `{"search": {"from_user": "a\\%b%"}}`, `(from_user like "a\\%b%")`},
		{"pattern ending in a backslash", `{"search": {"from_user": "%\\"}}`, `(from_user like "%\\\\")`},
		{"smart input as a field", `{"search": {"smartinput": "from_user = alice or status >= 500"}}`, `from_user = alice or status >= 500`},
		{"Homer's empty form", `{"search": {"1_call": []}}`, call},
		{"Homer's field", `{"search": {"1_call": [{"name": "data_header.from_user", "value": "alice", "type": "string", "hepid": 1}]}}`, "(" + call + ` and ((data_header.from_user = "alice")))`},
		{"limit and empty values ask nothing", `{"search": {"1_call": [{"name": "limit", "value": "5"}, {"name": "data_header.to_user", "value": ""}, {"name": "data_header.method"}, {"name": "targetResultsContainer", "value": {"x": 1}}]}}`, call},
		{"one of several", `{"search": {"1_call": [{"name": "sip.from_user", "value": "a;b;c%"}]}}`, "(" + call + ` and ((sip.from_user like "c%" or sip.from_user in ("a", "b"))))`},
		{"not", `{"search": {"1_call": [{"name": "data_header.from_user", "value": "!=a;b"}]}}`, "(" + call + ` and (not (data_header.from_user in ("a", "b"))))`},
		{"not like", `{"search": {"1_call": [{"name": "data_header.user_agent", "value": "!=friendly%"}]}}`, "(" + call + ` and (not (data_header.user_agent like "friendly%")))`},
		{"empty", `{"search": {"1_call": [{"name": "data_header.user_agent", "value": "isEmpty"}]}}`, "(" + call + ` and ((data_header.user_agent = "")))`},
		{"not empty", `{"search": {"1_call": [{"name": "data_header.user_agent", "value": "!=isNull"}]}}`, "(" + call + ` and (not (data_header.user_agent = "")))`},
		{"alternative", `{"search": {"1_call": [{"name": "data_header.from_user", "value": "a"}, {"name": "data_header.to_user", "value": "||b"}]}}`,
			"(" + call + ` and (((data_header.from_user = "a")) or ((data_header.to_user = "b"))))`},
		{"or logic leaves the profile alone", `{"orlogic": true, "search": {"1_call": [{"name": "data_header.from_user", "value": "a"}, {"name": "data_header.to_user", "value": "b"}]}}`,
			"(" + call + ` and (((data_header.from_user = "a")) or ((data_header.to_user = "b"))))`},
		{"text in messages", `{"search": {"1_call": [{"name": "raw", "value": "%X-Debug: (on)%yes%"}]}}`, "(" + call + ` and ((raw ~ "(?is)X-Debug: \\(on\\).*yes")))`},
		{"status in method", `{"search": {"1_call": [{"name": "data_header.method", "value": "486;BYE"}]}}`, "(" + call + ` and ((status = 486 or data_header.method = "BYE")))`},
		{"Homer's CSeq", `{"search": {"1_call": [{"name": "data_header.cseq", "value": "102 INVITE"}]}}`, "(" + call + ` and (((cseq = 102 and cseq_method = INVITE))))`},
		{"protocol by number", `{"search": {"1_call": [{"name": "protocol_header.protocol", "value": "17"}]}}`, "(" + call + ` and ((transport = udp)))`},
		{"smart input among others", `{"search": {"1_call": [{"name": "smartinput", "value": "sip.from_user = 'a' OR sip.to_user = 'b'"}, {"name": "net.srcIp", "value": "10.0.0.1"}]}}`,
			"(" + call + ` and ((sip.from_user = 'a' OR sip.to_user = 'b') and ((net.srcIp = "10.0.0.1"))))`},
		{"registrations", `{"search": {"1_registration": []}}`, "cseq_method = REGISTER"},
		{"two profiles", `{"search": {"1_registration": [], "1_call": []}}`, call + " or cseq_method = REGISTER"},
		{"a profile and a field", `{"search": {"1_registration": [], "call_id": "x"}}`, `((call_id = "x")) and (cseq_method = REGISTER)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := searchFromBody([]byte(`{"param": `+tt.param+`}`), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if req.Filter != tt.want {
				t.Errorf("filter is\n%s, want\n%s", req.Filter, tt.want)
			}
			if _, err := filter.CompileCalls(req.Filter, new(filter.Params)); err != nil {
				t.Errorf("the filter does not compile: %v", err)
			}
		})
	}
}

func TestSearchWindowAndLimit(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name, body string
		want       query.CallsRequest
	}{
		{"RFC 3339", `{"timestamp": {"from": "2025-01-17T00:00:00Z", "to": "2025-01-17T23:59:59.5+01:00"}}`,
			query.CallsRequest{From: time.Date(2025, 1, 17, 0, 0, 0, 0, time.UTC), To: time.Date(2025, 1, 17, 22, 59, 59, 5e8, time.UTC)}},
		{"milliseconds", `{"timestamp": {"from": 1795226366123, "to": "1795227409000"}}`,
			query.CallsRequest{From: time.UnixMilli(1795226366123).UTC(), To: time.UnixMilli(1795227409000).UTC()}},
		{"seconds", `{"timestamp": {"from": 1795226366, "to": 1795227409.25}}`,
			query.CallsRequest{From: time.Unix(1795226366, 0).UTC(), To: time.UnixMilli(1795227409250).UTC()}},
		{"relative", `{"timestamp": {"from": "now-2h", "to": "now"}}`, query.CallsRequest{From: now.Add(-2 * time.Hour), To: now}},
		{"none", `{"timestamp": {"from": null, "to": ""}}`, query.CallsRequest{}},
		{"limit", `{"param": {"limit": 7}}`, query.CallsRequest{Limit: 7}},
		{"limit as text", `{"param": {"limit": "7"}}`, query.CallsRequest{Limit: 7}},
		{"limit among the conditions", `{"param": {"search": {"1_registration": [{"name": "limit", "value": "9"}]}}}`, query.CallsRequest{Limit: 9, Filter: "cseq_method = REGISTER"}},
		{"limit wins over the one among the conditions", `{"param": {"limit": 7, "search": {"1_registration": [{"name": "limit", "value": "9"}]}}}`, query.CallsRequest{Limit: 7, Filter: "cseq_method = REGISTER"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := searchFromBody([]byte(tt.body), now)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	good := map[string]time.Time{
		"2026-01-31":                  time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
		"2026-01-31 10:00:00":         time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC),
		"2026-01-31T10:00:00.123456Z": time.Date(2026, 1, 31, 10, 0, 0, 123456000, time.UTC),
		"1795226366123456":            time.UnixMicro(1795226366123456).UTC(),
		"1795226366123456789":         time.Unix(0, 1795226366123456789).UTC(),
		"0":                           time.Unix(0, 0).UTC(),
		"now":                         now,
		"now-90s":                     now.Add(-90 * time.Second),
		"now-7d":                      now.AddDate(0, 0, -7),
		"now-2w":                      now.AddDate(0, 0, -14),
		"2026-01-31T10:00:00.5-03:00": time.Date(2026, 1, 31, 13, 0, 0, 5e8, time.UTC),
	}
	for in, want := range good {
		if got, err := parseTime(in, now); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %v (%v), want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "yesterday", "-5", "NaN", "+Inf", "1e30", "now+1h", "now--1h", "now-", "now-x", "now-99999999999999w", "0001-01-01T00:00:00Z", "9999-12-31", "12:00"} {
		if got, err := parseTime(in, now); err == nil || !strings.Contains(err.Error(), in) {
			t.Errorf("%q is %v, error %v; want an error that quotes it", in, got, err)
		}
	}
}

// Whatever a client sends, what comes out is a filter that compiles, or an
// error that is the client's.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{
		`{"param":{"search":{"call_id":"x"}}}`, `{"param":{"search":{"1_call":[{"name":"data_header.from_user","value":"||!=a%;\\b_"}]},"orlogic":true}}`,
		`{"param":{"search":{"1_call":[{"name":"raw","value":"%(x)[%"}],"status":["4xx",5]}},"timestamp":{"from":"now-1d"}}`, `[]`, `{"param":{"search":{"a\"b":1}}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		req, err := searchFromBody([]byte(body), time.Unix(1795226366, 0))
		if err != nil {
			if p := asProblem(err); p.Status != 400 || p.Detail == "" {
				t.Fatalf("status %d, detail %q for %v", p.Status, p.Detail, err)
			}
			return
		}
		if _, err := filter.CompileCalls(req.Filter, new(filter.Params)); err != nil {
			t.Fatalf("%s became %s: %v", body, req.Filter, err)
		}
	})
}
