package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder/testflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run with -update and look at what it writes)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; run with -update and look at it. Written now:\n%s", name, got)
	}
}

// realCalls are the calls of two captures, as package query would give them.
func realCalls(t testing.TB) []query.Call {
	t.Helper()
	var out []query.Call
	const failures = "kamailio-hep3-udp-sip-failures-a"
	for _, id := range []string{
		"1-15155@127.0.0.1", "1-15157@127.0.0.1", "1-15159@127.0.0.1", "1-15163@127.0.0.1",
		"1-15165@127.0.0.1", "1-15166@127.0.0.1", "1-15168@127.0.0.1", "1-15171@127.0.0.1",
	} {
		out = append(out, testflow.Load(t, failures, id).Call)
	}
	return append(out, testflow.Load(t, "kamailio-hep3-two-legs-topoh-xcid-a", "1-16207@127.0.0.1", "!!:hmx*").Call)
}

func f64(v float64) *float64 { return &v }

// api is an API that answers every path with what was put there.
type api struct {
	*httptest.Server
	requests []*url.URL
}

func serve(t *testing.T, routes map[string]http.HandlerFunc) (*api, *Client) {
	t.Helper()
	a := &api{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.requests = append(a.requests, r.URL)
		if h := routes[r.URL.EscapedPath()]; h != nil {
			h(w, r)
			return
		}
		reject(http.StatusNotFound, `{"title":"Not Found","status":404,"detail":"no such call"}`)(w, r)
	}))
	t.Cleanup(a.Close)
	c, err := NewClient(a.URL, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return a, c
}

func reply(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func reject(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Request-Id", "r-17")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestTableGolden(t *testing.T) {
	calls := realCalls(t)
	for _, w := range []int{0, 60, 80, 100, 120, 160, 200} {
		var b bytes.Buffer
		if err := Table(&b, calls, Display{Width: w}); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("table-%d.txt", w), b.Bytes())
	}
	calls[3].Method, calls[3].MOSAvg, calls[1].MOSAvg = "REGISTER", f64(4.2), f64(2.9)
	calls[0].CallIDs = []string{"c2b1d0f4-" + strings.Repeat("0123456789abcdef", 4) + "@pbx.example.net"}
	for _, d := range []Display{{Width: 100, ASCII: true}, {Width: 140, Color: true}} {
		var b bytes.Buffer
		if err := Table(&b, calls, d); err != nil {
			t.Fatal(err)
		}
		golden(t, fmt.Sprintf("table-mixed-%d.txt", d.Width), b.Bytes())
	}
}

// A table never shortens a Call-ID, and nothing else is wider than the terminal.
func TestTableFits(t *testing.T) {
	calls := realCalls(t)
	calls[2].FromUser = strings.Repeat("電話", 40)
	for w := 50; w < 220; w += 7 {
		var b bytes.Buffer
		if err := Table(&b, calls, Display{Width: w}); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(b.String(), "\n") {
			if n := termtext.Width(l); n > w {
				t.Errorf("width %d: line of %d cells: %q", w, n, l)
			}
		}
		for i := range calls {
			if !strings.Contains(b.String(), callID(&calls[i])) {
				t.Errorf("width %d: %s is not whole", w, callID(&calls[i]))
			}
		}
	}
}

func TestTableIsSafe(t *testing.T) {
	calls := realCalls(t)[:1]
	evil := "\x1b]0;x\a\r\n\u202e"
	calls[0].FromUser, calls[0].RURIUser, calls[0].FinalReason, calls[0].CallIDs = evil, evil, evil, []string{evil}
	var b bytes.Buffer
	if err := Table(&b, calls, Display{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\a\r\u202e") || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("%q", b.String())
	}
}

func TestSearchFormats(t *testing.T) {
	calls := realCalls(t)
	answer := map[string]any{"calls": calls, "truncated": true}
	a, c := serve(t, map[string]http.HandlerFunc{"/api/v1/calls": reply(answer)})
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, format := range []string{"", "table", "json", "csv"} {
		var out, remarks bytes.Buffer
		err := Search(context.Background(), Display{Out: &out, Err: &remarks, Width: 120}, SearchOptions{
			Client: c, Filter: `from_user = "alice" and status >= 400`, Since: "1h", Until: "now", Limit: 9, Format: format, Now: now,
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(remarks.String(), "only the newest 9 are shown") {
			t.Errorf("%s: truncation not told: %q", format, remarks.String())
		}
		switch format {
		case "json":
			var got CallsAnswer
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || !got.Truncated || !reflect.DeepEqual(got.Calls, calls) {
				t.Errorf("JSON is not the API's answer (%v): %s", err, out.String())
			}
		case "csv":
			rows, err := csv.NewReader(&out).ReadAll()
			if err != nil || len(rows) != len(calls)+1 {
				t.Errorf("%d CSV rows, %v", len(rows), err)
			}
		default:
			if !strings.Contains(out.String(), "✗ 486 Busy Here") {
				t.Errorf("table: %s", out.String())
			}
		}
		q := a.requests[len(a.requests)-1].Query()
		for k, want := range map[string]string{
			"filter": `from_user = "alice" and status >= 400`, "from": "2026-11-21T11:00:00Z", "to": "2026-11-21T12:00:00Z", "limit": "9",
		} {
			if got := q.Get(k); got != want {
				t.Errorf("%s=%q, want %q", k, got, want)
			}
		}
	}
}

// Times of the filter are in the zone of what is shown.
func TestFilterZone(t *testing.T) {
	a, c := serve(t, map[string]http.HandlerFunc{"/api/v1/calls": reply(map[string]any{"calls": realCalls(t), "truncated": false})})
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zone database on this machine")
	}
	for _, q := range []struct {
		zone         *time.Location
		filter, want string
	}{
		{berlin, `time > "2026-11-20 14:30:00"`, "Europe/Berlin"}, {time.UTC, `time > "2026-11-20 14:30:00"`, ""}, {berlin, "method = INVITE", ""},
		{time.FixedZone("+05:30", 19800), `start > 2026-11-20`, "+05:30"}, {time.Local, `start > 2026-11-20`, time.Now().Format("-07:00")},
	} {
		if err := Search(context.Background(), Display{Out: &bytes.Buffer{}, Zone: q.zone}, SearchOptions{Client: c, Filter: q.filter}); err != nil {
			t.Fatal(err)
		}
		if got := a.requests[len(a.requests)-1].Query().Get("tz"); got != q.want {
			t.Errorf("%s in %v: tz=%q, want %q", q.filter, q.zone, got, q.want)
		}
	}
}

func TestSearchFindsNothing(t *testing.T) {
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/calls": reply(map[string]any{"calls": []query.Call{}, "truncated": false})})
	for format, lines := range map[string]int{"table": 0, "csv": 1, "json": 4} {
		var out bytes.Buffer
		err := Search(context.Background(), Display{Out: &out}, SearchOptions{Client: c, Format: format})
		if ExitCode(err) != 3 || err.Error() != "no call matches" {
			t.Errorf("%s: exit code %d, %v", format, ExitCode(err), err)
		}
		if n := strings.Count(out.String(), "\n"); n != lines {
			t.Errorf("%s: %d lines, want %d: %q", format, n, lines, out.String())
		}
	}
}

// The header names every column of a call, in order, and a row says what the
// call says.
func TestCSV(t *testing.T) {
	calls := realCalls(t)[:1]
	calls[0].FinalReason, calls[0].UserAgents = "Busy, \"Here\"", []string{"Kamailio 5", "sipp lab"}
	calls[0].SrcTrunk, calls[0].DstTrunk = "carrier", "pbx" // JSON leaves empty ones out
	var b bytes.Buffer
	if err := CSV(&b, calls); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\r\n"); n != 2 {
		t.Errorf("%d line ends, want 2", n)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(calls[0])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(doc, &fields); err != nil {
		t.Fatal(err)
	}
	if len(rows[0]) != len(fields) {
		t.Errorf("%d columns, a call has %d", len(rows[0]), len(fields))
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		if _, ok := fields[name]; !ok {
			t.Errorf("column %q is no field of a call", name)
		}
		got[name] = rows[1][i]
	}
	want := map[string]string{
		"start": calls[0].Start.UTC().Format("2006-01-02T15:04:05.000000Z"), "answer": "", "outcome": string(calls[0].Outcome),
		"final_reason": "Busy, \"Here\"", "user_agents": "Kamailio 5|sipp lab", "call_ids": strings.Join(calls[0].CallIDs, " "),
		"src_ip": "127.0.0.1", "src_port": "5070", "mos_avg": "",
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %q, want %q", name, got[name], v)
		}
	}
}

func TestFlow(t *testing.T) {
	const id = "!!:hmx-B7.IBx6-h7pyhAaIM78*"
	f := testflow.Load(t, "kamailio-hep3-two-legs-topoh-xcid-a", "1-16207@127.0.0.1", id)
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/flow/" + url.PathEscape(id): reply(f), "/api/v1/flow/a%2Fb%3Fc": reply(f)})
	for format, want := range map[string]string{"": "✓ ANSWERED", "text": "legs    A 1-16207", "json": `"correlation_id": "1-16207@127.0.0.1"`, "svg": "<svg "} {
		var out bytes.Buffer
		if err := Flow(context.Background(), Display{Out: &out, Width: 100}, FlowOptions{Client: c, CallID: id, Format: format}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %q in %.200s", format, want, out.String())
		}
	}
	// A Call-ID is one path segment, whatever is in it.
	if err := Flow(context.Background(), Display{Out: &bytes.Buffer{}}, FlowOptions{Client: c, CallID: "a/b?c"}); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	err := Flow(context.Background(), Display{Out: &out}, FlowOptions{Client: c, CallID: "nobody"})
	if !errors.Is(err, ErrNotFound) || ExitCode(err) != 3 || err.Error() != `no call with Call-ID "nobody"` || out.Len() > 0 {
		t.Errorf("%v, exit code %d, wrote %q", err, ExitCode(err), out.String())
	}
}

func TestFlagsAreChecked(t *testing.T) {
	a, c := serve(t, nil)
	ctx, d := context.Background(), Display{Out: &bytes.Buffer{}}
	for want, err := range map[string]error{
		`-o "xml": want table, json, csv`:            Search(ctx, d, SearchOptions{Client: c, Format: "xml"}),
		`-o "pdf": want text, json, svg`:             Flow(ctx, d, FlowOptions{Client: c, CallID: "x", Format: "pdf"}),
		`--time "x": want delta, absolute, offset`:   Flow(ctx, d, FlowOptions{Client: c, CallID: "x", Time: "x"}),
		`--theme "blue": want auto, light, dark`:     Flow(ctx, d, FlowOptions{Client: c, CallID: "x", Theme: "blue"}),
		`-o "csv": want text, json`:                  Quality(ctx, d, QualityOptions{Client: c, CallID: "x", Format: "csv"}),
		`flow: which Call-ID?`:                       Flow(ctx, d, FlowOptions{Client: c}),
		`--until (2026-11-20 00:00:00) is not after`: Search(ctx, d, SearchOptions{Client: c, Since: "2026-11-21", Until: "2026-11-19"}),
		`--since "soon" is no time`:                  Search(ctx, d, SearchOptions{Client: c, Since: "soon"}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || ExitCode(err) != 1 {
			t.Errorf("%v, want %q and exit code 1", err, want)
		}
	}
	if len(a.requests) > 0 {
		t.Errorf("asked the API all the same: %v", a.requests)
	}
}

// Whatever goes wrong is one clear line.
func TestErrorsAreOneLine(t *testing.T) {
	status := func(h http.HandlerFunc) error {
		_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/calls": h})
		return Search(context.Background(), Display{Out: &bytes.Buffer{}}, SearchOptions{Client: c})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	dead, err := NewClient(gone.URL, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for want, err := range map[string]error{
		`search: position 7: unknown field "colour"`:              status(reject(400, `{"title":"Bad filter","status":400,"detail":"position 7: unknown field \"colour\""}`)),
		"search: the query took too long (request r-17)":          status(reject(504, `{"title":"the query\ntook too long"}`)),
		"search: the API answered 502 Bad Gateway (request r-17)": status(reject(502, `<html>`)),
		"search: http://127.0.0.1:":                               status(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }),
		"search: cannot reach the API at http://127.0.0.1:":       Search(context.Background(), Display{}, SearchOptions{Client: dead}),
		"search: context canceled":                                Search(cancelled, Display{}, SearchOptions{Client: dead}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q…", err, want)
		}
		if ExitCode(err) != 1 {
			t.Errorf("%v: exit code %d", err, ExitCode(err))
		}
	}
	// A proxy's 404 page is not "no such call".
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/flow/x": http.NotFound})
	if err := Flow(context.Background(), Display{}, FlowOptions{Client: c, CallID: "x"}); ExitCode(err) != 1 {
		t.Errorf("another server's 404: exit code %d, %v", ExitCode(err), err)
	}
}

func TestNewClient(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:9080": "http://127.0.0.1:9080", "voip.example.net:9080": "http://voip.example.net:9080",
		"https://x.example/heplake/": "https://x.example/heplake", "[::1]:9080": "http://[::1]:9080",
		"": "", "ftp://x": "", "http://": "", "http://a b": "",
	} {
		c, err := NewClient(in, 0)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q accepted", in)
		case want != "" && (err != nil || c.base.String() != want):
			t.Errorf("%q: %v, %v", in, c, err)
		}
	}
}
