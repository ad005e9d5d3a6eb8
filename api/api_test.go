package api

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
)

const (
	callsCapture = "kamailio-hep3-udp-sip-calls-a"
	mediaCapture = "rtpengine-kamailio-hep3-udp-call-with-rtcp-a"
	legsCapture  = "sngrep-hep3-udp-b2bua-two-callids-xcid-a"
	// The captures were taken within this hour.
	window = "from=2026-11-21T01:00:00Z&to=2026-11-21T05:00:00Z"
)

func TestAnswersFromCaptures(t *testing.T) {
	l := open(t, callsCapture, mediaCapture, legsCapture)

	t.Run("calls", func(t *testing.T) {
		res := decode[query.CallsResult](t, get(t, l.url, "/api/v1/calls?"+window+"&filter="+url.QueryEscape(`call_id = 1-14981@127.0.0.1`)))
		if len(res.Calls) != 1 || res.Truncated {
			t.Fatalf("%d calls, truncated %v; want one", len(res.Calls), res.Truncated)
		}
		c := res.Calls[0]
		if c.FromUser != "alice" || c.ToUser != "bob" || c.Messages != 14 || c.Outcome != query.Answered || !slices.Equal(c.CallIDs, []string{"1-14981@127.0.0.1"}) {
			t.Errorf("call is %+v", c)
		}
		if want := time.UnixMicro(1795228584193712).UTC(); !c.Start.Equal(want) {
			t.Errorf("start is %v, want %v", c.Start, want)
		}
	})

	t.Run("limit", func(t *testing.T) {
		res := decode[query.CallsResult](t, get(t, l.url, "/api/v1/calls?limit=2&"+window))
		if len(res.Calls) != 2 || !res.Truncated || res.Calls[0].Start.Before(res.Calls[1].Start) {
			t.Errorf("%d calls, truncated %v; want the two newest of more", len(res.Calls), res.Truncated)
		}
		oldest := decode[query.CallsResult](t, get(t, l.url, "/api/v1/calls?oldest=true&limit=2&"+window))
		if len(oldest.Calls) != 2 || oldest.Calls[0].Start.After(oldest.Calls[1].Start) || !oldest.Calls[1].Start.Before(res.Calls[1].Start) {
			t.Errorf("the oldest are not the oldest: %+v", oldest.Calls)
		}
	})

	// The search of the customers' document, sent as it stands there: GET with a body.
	t.Run("search by GET with a body", func(t *testing.T) {
		body := `{"timestamp": {"from": "2026-11-21T01:00:00Z", "to": "2026-11-21T05:00:00Z"}, "param": {"search": {"call_id": "1-14981@127.0.0.1"}}}`
		wantOneRow(t, decode[searchAnswer](t, send(t, http.MethodGet, l.url, "/api/v3/search/call", body)))
	})
	t.Run("search by POST", func(t *testing.T) {
		body := `{"timestamp": {"from": 1795222800000, "to": 1795237200}, "param": {"limit": "5", "search": {"call_id": "1-14981@127.0.0.1", "from_user": "ali%"}}}`
		wantOneRow(t, decode[searchAnswer](t, send(t, http.MethodPost, l.url, "/api/v3/search/call", body)))
	})
	t.Run("search by query", func(t *testing.T) {
		wantOneRow(t, decode[searchAnswer](t, get(t, l.url, "/api/v3/search/call?"+window+"&call_id=1-14981%40127.0.0.1&method=INVITE")))
	})
	t.Run("search in Homer's words", func(t *testing.T) {
		body := `{"config": {"protocol_id": {"name": "SIP", "value": 1}}, "param": {"transaction": {}, "limit": 200, "search": {"1_call": [
			{"name": "data_header.callid", "value": "1-14981@127.0.0.1;nosuch", "type": "string", "hepid": 1},
			{"name": "protocol_header.srcIp", "value": "127.0.0.1", "type": "string", "hepid": 1},
			{"name": "limit", "value": "200", "type": "string", "hepid": 1}]},
			"location": {"node": ["localnode"]}, "timezone": {"value": 0, "name": "UTC"}}, "timestamp": {"from": 1795222800000, "to": 1795237200000}}`
		wantOneRow(t, decode[searchAnswer](t, send(t, http.MethodPost, l.url, "/api/v3/search/call", body)))
	})
	t.Run("search by smart input", func(t *testing.T) {
		body := `{"param": {"search": {"1_call": [{"name": "smartinput", "value": "data_header.from_user = 'alice' AND sip.callid = '1-14981@127.0.0.1'"}]}}, "timestamp": {"from": 1795222800000, "to": 1795237200000}}`
		wantOneRow(t, decode[searchAnswer](t, send(t, http.MethodPost, l.url, "/api/v3/search/call", body)))
	})
	t.Run("search without a match", func(t *testing.T) {
		r := get(t, l.url, "/api/v3/search/call?"+window+"&call_id=nosuchcall")
		if want := `{"total":0,"data":[],"keys":[],"truncated":false}` + "\n"; string(r.body) != want {
			t.Errorf("answer is %s, want %s", r.body, want)
		}
	})
	t.Run("search in the wrong profile", func(t *testing.T) {
		body := `{"param": {"search": {"1_registration": [{"name": "data_header.callid", "value": "1-14981@127.0.0.1"}]}}, "timestamp": {"from": 1795222800000, "to": 1795237200000}}`
		if a := decode[searchAnswer](t, send(t, http.MethodPost, l.url, "/api/v3/search/call", body)); a.Total != 0 {
			t.Errorf("a call was found among the registrations: %+v", a)
		}
	})

	t.Run("transaction", func(t *testing.T) {
		a := decode[transactionAnswer](t, get(t, l.url, "/api/v3/call/transaction/1-14981@127.0.0.1"))
		if a.Total != 14 || len(a.Data.Messages) != 14 || len(a.Data.CallData) != 14 {
			t.Fatalf("total %d, %d messages, %d arrows; want 14 each", a.Total, len(a.Data.Messages), len(a.Data.CallData))
		}
		m := a.Data.Messages[0]
		if m.Method != "INVITE" || m.CSeq != "1 INVITE" || m.SrcIP != "127.0.0.1" || m.SrcPort != 5070 || m.DstPort != 5060 || m.Protocol != 17 || m.Family != 2 ||
			m.MicroTS != 1795228584193712 || m.TimeSeconds != 1795228584 || m.TimeUseconds != 193712 || m.CaptureID != "2001" || m.Profile != "1_call" || m.Proto != "sip" ||
			m.FromUser != "alice" || m.ToUser != "bob" || m.RURIUser != "bob" || !strings.HasPrefix(m.Raw, "INVITE sip:bob@127.0.0.1:5080;transport=UDP SIP/2.0\r\n") {
			t.Errorf("first message is %+v", m)
		}
		var methods []string
		for _, m := range a.Data.Messages {
			methods = append(methods, m.Method)
		}
		// The response to the BYE was reported before the BYE that it answers.
		if got, want := strings.Join(methods, " "), "INVITE 100 INVITE 100 180 180 200 200 ACK ACK BYE BYE 200 200"; got != want {
			t.Errorf("messages are %s, want %s", got, want)
		}
		if len(a.Data.Hosts) != 3 || len(a.Data.Alias) != 3 || a.Data.Hosts["127.0.0.1:5070"].Position != 0 || a.Data.Alias["127.0.0.1:5060"] != "127.0.0.1:5060" {
			t.Errorf("hosts are %v, aliases %v", a.Data.Hosts, a.Data.Alias)
		}
		for i, arrow := range a.Data.CallData {
			if arrow.ID != a.Data.Messages[i].ID || a.Data.Hosts[arrow.DstID].Position != arrow.Destination {
				t.Errorf("arrow %d is %+v", i, arrow)
			}
		}
	})

	t.Run("transaction with media", func(t *testing.T) {
		a := decode[transactionAnswer](t, get(t, l.url, "/api/v3/call/transaction/c5b45d0d88c546cc"))
		kinds := map[string]int{}
		for _, m := range a.Data.Messages {
			kinds[m.Proto]++
		}
		if kinds["sip"] == 0 || kinds["rtcp"] == 0 {
			t.Errorf("messages are %v, want SIP and RTCP", kinds)
		}
	})

	t.Run("flow of both legs", func(t *testing.T) {
		var sizes []int
		for _, id := range []string{"1-16637@127.0.0.1", "B2B.282.4935033.1795228813.895324710"} {
			f := decode[query.Flow](t, get(t, l.url, "/api/v1/flow/"+id))
			if len(f.Legs) != 2 {
				t.Errorf("by %s: %d legs, want 2", id, len(f.Legs))
			}
			sizes = append(sizes, len(f.Items))
		}
		if sizes[0] != 14 || sizes[1] != 14 {
			t.Errorf("items by either leg: %v, want 14 and 14", sizes)
		}
	})

	t.Run("flow limited", func(t *testing.T) {
		f := decode[query.Flow](t, get(t, l.url, "/api/v1/flow/1-14981@127.0.0.1?limit=3"))
		if len(f.Items) != 3 || f.Truncated == "" {
			t.Errorf("%d items, truncated %q", len(f.Items), f.Truncated)
		}
	})

	t.Run("flow drawn", func(t *testing.T) {
		for _, path := range []string{"/api/v1/flow/1-14981@127.0.0.1.svg", "/api/v1/flow/1-14981@127.0.0.1?format=svg"} {
			r := get(t, l.url, path)
			if r.status != 200 || r.header.Get("Content-Type") != "image/svg+xml" {
				t.Fatalf("%s: status %d, type %q", path, r.status, r.header.Get("Content-Type"))
			}
			for dec := xml.NewDecoder(strings.NewReader(string(r.body))); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
			if !strings.Contains(string(r.body), "180 Ringing") {
				t.Errorf("%s: the picture lacks 180 Ringing", path)
			}
		}
		r := get(t, l.url, "/api/v1/flow/1-14981@127.0.0.1.txt?width=100")
		if r.status != 200 || r.header.Get("Content-Type") != textType || !strings.Contains(string(r.body), "INVITE") {
			t.Errorf("status %d, type %q, body %.300s", r.status, r.header.Get("Content-Type"), r.body)
		}
		for _, line := range strings.Split(string(r.body), "\n") {
			if n := len([]rune(line)); n > 100 {
				t.Errorf("a line has %d cells, asked were 100: %s", n, line)
			}
		}
	})

	t.Run("quality", func(t *testing.T) {
		for _, path := range []string{"/api/v1/quality/c5b45d0d88c546cc", "/api/v3/call/quality/c5b45d0d88c546cc"} {
			r := get(t, l.url, path)
			q := decode[query.Quality](t, r)
			if q.Reports == 0 || len(q.Streams) == 0 || q.JitterAvg == nil {
				t.Errorf("%s: quality is %+v", path, q)
			}
			for _, name := range []string{`"mos":`, `"packets_lost":`, `"jitter_avg":`, `"rtt":`} {
				if !strings.Contains(string(r.body), name) {
					t.Errorf("%s: answer lacks %s", path, name)
				}
			}
		}
	})

	t.Run("series", func(t *testing.T) {
		a := decode[seriesAnswer](t, get(t, l.url, "/api/v1/series?metric=messages&step=600&"+window))
		sum := 0.0
		for _, s := range a.Series {
			for _, v := range s.Values {
				if v != nil {
					sum += *v
				}
			}
		}
		var stored uint64
		if err := l.db.QueryRow(t.Context(), "SELECT count() FROM "+l.name+".sip").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if a.Step != 600 || uint64(sum) != stored || stored == 0 {
			t.Errorf("step %v, %v messages; want step 600 and all %d", a.Step, sum, stored)
		}
	})

	t.Run("large answers are compressed", func(t *testing.T) {
		plain := get(t, l.url, "/api/v1/flow/1-14981@127.0.0.1", "Accept-Encoding: identity")
		gz := get(t, l.url, "/api/v1/flow/1-14981@127.0.0.1", "Accept-Encoding: gzip")
		if gz.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" || len(gz.body)*3 > len(plain.body) {
			t.Errorf("%d bytes of %q, %d plain", len(gz.body), gz.header.Get("Content-Encoding"), len(plain.body))
		}
		small := get(t, l.url, "/healthz", "Accept-Encoding: gzip")
		if small.header.Get("Content-Encoding") != "" {
			t.Error("a small answer was compressed")
		}
	})

	t.Run("counted", func(t *testing.T) {
		for _, kind := range []string{"calls", "flow", "quality", "series"} {
			if metric(t, l.registry, "heplake_search_queries_total", "kind", kind) == 0 {
				t.Errorf("no search of kind %s was counted", kind)
			}
		}
	})
}

func wantOneRow(t *testing.T, a searchAnswer) {
	t.Helper()
	if a.Total != 1 || len(a.Data) != 1 {
		t.Fatalf("total %d, %d rows; want one", a.Total, len(a.Data))
	}
	r := a.Data[0]
	if r.CallID != "1-14981@127.0.0.1" || r.SID != r.CallID || r.FromUser != "alice" || r.SourceIP != "127.0.0.1" || r.SourcePort != 5070 || r.DestPort != 5060 || r.SrcPort != 5070 ||
		r.AliasSrc != "127.0.0.1:5070" || r.CreateDate != 1795228584193 || r.TimeUseconds != 193712 || r.Table != "hep_proto_1_call" || r.Outcome != query.Answered {
		t.Errorf("row is %+v", r)
	}
	for _, key := range []string{"callid", "srcIp", "src_ip", "create_date", "outcome", "pdd_ms", "call_ids"} {
		if !slices.Contains(a.Keys, key) {
			t.Errorf("keys lack %q: %v", key, a.Keys)
		}
	}
}

// Call-IDs may hold nearly anything; each is found by its own path.
func TestOddCallIDs(t *testing.T) {
	l := open(t)
	ids := []string{
		"a/b@example.com", "a//b/../c", "per%cent%2F", "with space", "q?x=1&y=2#f", "käse@例え.jp", "plus+sign", "..", ".", "quote\"'`", "<script>", "{callid}", "semi;colon,comma", "back\\slash", "!!:hmx-B7.IBx6-h7pyhAaIM78*",
	}
	for _, id := range ids {
		if err := l.db.Exec(t.Context(), "INSERT INTO "+l.name+".sip (time, own_call_id, correlation_id, method, cseq, cseq_method, packed) VALUES (now64(6), ?, ?, 'OPTIONS', 1, 'OPTIONS', 'OPTIONS x')", id, id); err != nil {
			t.Fatal(err)
		}
	}
	client, err := cli.NewClient(l.url, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if f, _, err := client.Flow(t.Context(), id); err != nil || len(f.Items) != 1 || f.Items[0].CallID != id {
			t.Errorf("%q: the terminal's client gets %+v, %v", id, f, err)
		}
		escaped := url.PathEscape(id)
		if strings.Trim(id, ".") == "" {
			escaped = strings.ReplaceAll(id, ".", "%2E")
		}
		f := decode[query.Flow](t, get(t, l.url, "/api/v1/flow/"+escaped))
		if len(f.Items) != 1 || f.Items[0].CallID != id {
			t.Errorf("%q: flow is %+v", id, f)
		}
		a := decode[transactionAnswer](t, get(t, l.url, "/api/v3/call/transaction/"+escaped))
		if a.Total != 1 || a.Data.Messages[0].CallID != id || a.Data.Messages[0].Profile != "1_default" {
			t.Errorf("%q: transaction is %+v", id, a)
		}
		s := decode[searchAnswer](t, get(t, l.url, "/api/v3/search/call?from=now-1h&correlation_id="+url.QueryEscape(id)))
		if strings.Contains(id, "%") { // as a pattern it still finds itself
			if s.Total < 1 {
				t.Errorf("%q: search found nothing", id)
			}
		} else if s.Total != 1 || s.Data[0].CallID != id {
			t.Errorf("%q: search is %+v", id, s)
		}
	}
	// Slashes and @ may stand as they are.
	f := decode[query.Flow](t, get(t, l.url, "/api/v1/flow/a/b@example.com"))
	if len(f.Items) != 1 {
		t.Errorf("unescaped slash: flow is %+v", f)
	}
}

func TestBadRequests(t *testing.T) {
	l := open(t)
	search := "/api/v3/search/call"
	body := func(search string) string { return `{"param": {"search": {` + search + `}}}` }
	tests := []struct {
		name, method, path, body string
		status                   int
		kind, parameter, detail  string
		column                   int
	}{
		{"not JSON", "POST", search, `{"param": `, 400, "request", "", "not JSON", 0},
		{"not an object", "POST", search, `"not an object"`, 400, "request", "", "not an object", 0},
		{"search not an object", "POST", search, `{"param": {"search": [1]}}`, 400, "request", "/param/search", "param.search", 0},
		{"body too large", "POST", search, `{"x": "` + strings.Repeat("x", maxBody) + `"}`, 413, "too-large", "", "1048576", 0},
		{"body and query", "POST", search + "?call_id=x", `{}`, 400, "request", "", "not in both", 0},
		{"unknown field", "POST", search, body(`"colour": "red"`), 400, "filter", "/param/search/colour", "colour", 0},
		{"field with SQL", "POST", search, body(`"call_id = 'x' or 1": "red"`), 400, "request", "/param/search/call_id = 'x' or 1", "not the name", 0},
		{"value missing", "POST", search, body(`"call_id": null`), 400, "request", "/param/search/call_id", "takes a string", 0},
		{"value an object", "POST", search, body(`"call_id": {"a": 1}`), 400, "request", "/param/search/call_id", "takes a string", 0},
		{"empty list", "POST", search, body(`"call_id": []`), 400, "request", "/param/search/call_id", "no value", 0},
		{"bad number", "POST", search, body(`"status": "abc"`), 400, "filter", "/param/search/status", "status", 0},
		{"bad address", "POST", search, body(`"src_ip": "10.0.0.300"`), 400, "filter", "/param/search/src_ip", "IP address", 0},
		{"unknown profile", "POST", search, body(`"9_nosuch": []`), 400, "request", "/param/search/9_nosuch", "1_call", 0},
		{"profile not a list", "POST", search, body(`"1_call": {"id": 5}`), 400, "request", "/param/search/1_call", "list", 0},
		{"unknown Homer field", "POST", search, body(`"1_call": [{"name": "limit", "value": 5}, {"name": "data_header.colour", "value": "x"}]`), 400, "filter", "/param/search/1_call/1", "colour", 0},
		{"smart input", "POST", search, body(`"1_call": [{"name": "smartinput", "value": "from_user == 5"}]`), 400, "filter", "/param/search/1_call/0", "smartinput", 14},
		{"bad time", "POST", search, `{"timestamp": {"from": "yesterday"}}`, 400, "request", "/timestamp/from", "yesterday", 0},
		{"time an object", "POST", search, `{"timestamp": {"from": {}}}`, 400, "request", "", "", 0},
		{"bad limit", "POST", search, `{"param": {"limit": "all"}}`, 400, "request", "/param/limit", "whole number", 0},
		{"huge limit", "POST", search, `{"param": {"limit": 1000000}}`, 400, "request", "/param/limit", "10000", 0},
		{"window backwards", "GET", "/api/v1/calls?from=now&to=now-1h", "", 400, "request", "", "", 0},
		{"bad filter", "GET", "/api/v1/calls?filter=from_user+%3D%3D+5", "", 400, "filter", "filter", "column 14", 14},
		{"unknown parameter", "GET", "/api/v1/calls?fliter=x", "", 400, "request", "fliter", "filter", 0},
		{"parameter twice", "GET", "/api/v1/calls?limit=1&limit=2", "", 400, "request", "limit", "more than once", 0},
		{"bad query string", "GET", "/api/v1/calls?limit=%zz", "", 400, "request", "", "query string", 0},
		{"limit of zero", "GET", "/api/v1/calls?limit=0", "", 400, "request", "limit", "from 1 to 10000", 0},
		{"huge limit in the query", "GET", "/api/v1/calls?limit=99999999999999999999", "", 400, "request", "limit", "10000", 0},
		{"bad flag", "GET", "/api/v1/calls?oldest=maybe", "", 400, "request", "oldest", "true or false", 0},
		{"time out of range", "GET", "/api/v1/calls?from=9999-01-01T00:00:00Z", "", 400, "request", "from", "1970", 0},
		{"no metric", "GET", "/api/v1/series", "", 400, "request", "metric", "messages", 0},
		{"unknown metric", "GET", "/api/v1/series?metric=happiness", "", 400, "request", "", "happiness", 0},
		{"bad step", "GET", "/api/v1/series?metric=messages&step=often", "", 400, "request", "step", "60s", 0},
		{"bad format", "GET", "/api/v1/flow/x?format=png", "", 400, "request", "format", "svg", 0},
		{"no Call-ID", "GET", "/api/v1/flow/", "", 400, "request", "callid", "missing", 0},
		{"long Call-ID", "GET", "/api/v1/flow/" + strings.Repeat("x", 5000), "", 400, "request", "callid", "longer", 0},
		{"unknown call: flow", "GET", "/api/v1/flow/nosuch", "", 404, "not-found", "", "", 0},
		{"unknown call: text", "GET", "/api/v1/flow/nosuch.txt", "", 404, "not-found", "", "", 0},
		{"unknown call: quality", "GET", "/api/v1/quality/nosuch", "", 404, "not-found", "", "", 0},
		{"unknown call: transaction", "GET", "/api/v3/call/transaction/nosuch", "", 404, "not-found", "", "", 0},
		{"unknown route", "GET", "/api/v9/calls", "", 404, "no-route", "", "/api/v9/calls", 0},
		{"wrong method", "DELETE", search, "", 405, "method", "", "GET, HEAD, POST", 0},
		{"wrong method for a flow", "POST", "/api/v1/flow/x", "", 405, "method", "", "GET, HEAD", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := send(t, tt.method, l.url, tt.path, tt.body)
			p := wantProblem(t, r, tt.status, tt.kind)
			if p.Parameter != tt.parameter || !strings.Contains(p.Detail, tt.detail) || p.Column != tt.column {
				t.Errorf("parameter %q, column %d, detail %q; want %q, %d, …%s…", p.Parameter, p.Column, p.Detail, tt.parameter, tt.column, tt.detail)
			}
			if tt.status == 405 && r.header.Get("Allow") != tt.detail {
				t.Errorf("Allow is %q, want %q", r.header.Get("Allow"), tt.detail)
			}
		})
	}
}

// Without its tables the database is not available, and the API says so.
func TestTablesMissing(t *testing.T) {
	l := open(t)
	for _, table := range []string{"calls", "sip"} {
		kind := "TABLE"
		if table == "calls" {
			kind = "VIEW"
		}
		if err := l.db.Exec(t.Context(), "DROP "+kind+" "+l.name+"."+table+" SYNC"); err != nil {
			t.Fatal(err)
		}
	}
	r := get(t, l.url, "/api/v1/calls")
	wantProblem(t, r, 503, "unavailable")
	if r.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}
