package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// faults is a store that fails, to see what clients get to hear. Answers are
// tested on the real one.
type faults struct {
	Store
	calls func(context.Context) error
}

func (f faults) Calls(ctx context.Context, _ query.CallsRequest) (query.CallsResult, error) {
	return query.CallsResult{Calls: []query.Call{}}, f.calls(ctx)
}

func (faults) Ping(context.Context) error { return nil }

func failing(err error) faults { return faults{calls: func(context.Context) error { return err }} }

func TestErrorsOfTheStore(t *testing.T) {
	tests := []struct {
		name       string
		err        error
		status     int
		kind       string
		retryAfter string
	}{
		{"filter", fmt.Errorf("calls: %w", &filter.Error{Input: "ä b", Pos: 3, Got: `"b"`, Expected: "an operator"}), 400, "filter", ""},
		{"invalid", fmt.Errorf("calls: %w: the window ends before it starts", query.ErrInvalid), 400, "request", ""},
		{"not found", fmt.Errorf("flow: %w", query.ErrNotFound), 404, "not-found", ""},
		{"too expensive", fmt.Errorf("calls: %w: code 241", query.ErrTooExpensive), 422, "too-expensive", ""},
		{"unavailable", fmt.Errorf("calls: %w: dial tcp 10.0.0.1:8123", query.ErrUnavailable), 503, "unavailable", "5"},
		{"out of time", context.DeadlineExceeded, 504, "timeout", ""},
		{"anything else", errors.New("password hunter2 refused at 10.0.0.1"), 500, "internal", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get(t, serve(t, Config{Store: failing(tt.err)}), "/api/v1/calls")
			p := wantProblem(t, r, tt.status, tt.kind)
			if got := r.header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After is %q, want %q", got, tt.retryAfter)
			}
			if tt.status >= 500 && (strings.Contains(p.Detail, "hunter2") || strings.Contains(p.Detail, "10.0.0.1")) {
				t.Errorf("the answer tells of the inside: %q", p.Detail)
			}
			if tt.name == "filter" && p.Column != 3 {
				t.Errorf("column is %d, want 3 characters", p.Column)
			}
		})
	}
}

func TestPanicIsCountedAndLogged(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	url := serve(t, Config{
		Store:      faults{calls: func(context.Context) error { panic("out of range") }},
		Registerer: registry, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	p := wantProblem(t, get(t, url, "/api/v1/calls"), 500, "internal")
	if strings.Contains(p.Detail, "out of range") {
		t.Errorf("the answer tells of the inside: %q", p.Detail)
	}
	if n := metric(t, registry, "heplake_api_panics_total"); n != 1 {
		t.Errorf("%v panics counted, want 1", n)
	}
	if n := metric(t, registry, "heplake_api_requests_in_flight"); n != 0 {
		t.Errorf("%v requests in flight, want none", n)
	}
	for _, want := range []string{"out of range", p.RequestID, "serve_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, log.String())
		}
	}
	// The turn was given back, and the server lives.
	wantProblem(t, get(t, url, "/api/v1/calls"), 500, "internal")
}

func TestRequestID(t *testing.T) {
	url := serve(t, Config{Store: failing(nil)})
	if got := get(t, url, "/healthz", "X-Request-ID: trace-1.a_B").header.Get(requestIDHeader); got != "trace-1.a_B" {
		t.Errorf("id is %q, want the client's", got)
	}
	seen := map[string]bool{}
	for _, id := range []string{"", strings.Repeat("x", 65), "with space", "quote\"", "ümlaut"} {
		got := get(t, url, "/healthz", "X-Request-ID: "+id).header.Get(requestIDHeader)
		if got == id || !validID(got) || seen[got] {
			t.Errorf("for %q the id is %q, want a fresh one", id, got)
		}
		seen[got] = true
	}
}

func TestSecurityHeaders(t *testing.T) {
	url := serve(t, Config{Store: failing(nil)})
	for _, path := range []string{"/", "/healthz", "/api/v1/calls", "/nosuch"} {
		h := get(t, url, path).header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy is %q", path, csp)
		}
	}
}

func TestTurns(t *testing.T) {
	registry := prometheus.NewRegistry()
	asked, release := make(chan struct{}), make(chan struct{})
	url := serve(t, Config{Registerer: registry, MaxQueries: 1, Timeout: 200 * time.Millisecond, Store: faults{calls: func(ctx context.Context) error {
		asked <- struct{}{}
		<-release
		<-ctx.Done() // its time is up before that of the second, or soon after
		return ctx.Err()
	}}})
	done := make(chan reply)
	go func() { done <- get(t, url, "/api/v1/calls") }()
	<-asked
	// The second waits for its turn until its own time is up; pages need no turn.
	wantProblem(t, get(t, url, "/api/v1/calls"), 504, "timeout")
	if r := get(t, url, "/healthz"); r.status != 200 {
		t.Errorf("healthz is %d while searches wait", r.status)
	}
	close(release)
	wantProblem(t, <-done, 504, "timeout")
	if n := metric(t, registry, "heplake_search_queries_total", "kind", "calls"); n != 1 {
		t.Errorf("%v questions reached the store, want 1", n)
	}
}

func TestBusy(t *testing.T) {
	registry := prometheus.NewRegistry()
	asked, release := make(chan struct{}), make(chan struct{})
	h, err := New(Config{Registerer: registry, Log: slog.New(slog.DiscardHandler), MaxQueries: 1, Store: faults{calls: func(context.Context) error {
		close(asked)
		<-release
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	h.(*server).queue = 10 * time.Millisecond
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	done := make(chan reply)
	go func() { done <- get(t, srv.URL, "/api/v1/calls") }()
	<-asked
	r := get(t, srv.URL, "/api/v1/calls")
	wantProblem(t, r, 503, "busy")
	if r.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if n := metric(t, registry, "heplake_api_refused_total"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	close(release)
	if r := <-done; r.status != 200 {
		t.Errorf("the first search ended with %d", r.status)
	}
}

// A client that leaves ends its question.
func TestDisconnectCancels(t *testing.T) {
	registry := prometheus.NewRegistry()
	asked, ended := make(chan struct{}), make(chan error, 1)
	url := serve(t, Config{Registerer: registry, Store: faults{calls: func(ctx context.Context) error {
		close(asked)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}}})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v3/search/call", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		cancel()
	}()
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the request was answered")
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the question ended with %v", err)
	}
	for range 200 { // the handler returns after the client has gone
		if metric(t, registry, "heplake_api_requests_total", "code", "499") == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the request was not counted as left by its client")
}

func TestReadiness(t *testing.T) {
	var err error
	url := serve(t, Config{Store: failing(nil), Ready: func(context.Context) error { return err }})
	if r := get(t, url, "/readyz"); r.status != 200 || string(r.body) != "ready\n" {
		t.Errorf("status %d, body %q", r.status, r.body)
	}
	err = errors.New("the schema is not in place yet")
	if p := wantProblem(t, get(t, url, "/readyz"), 503, "not-ready"); p.Detail != err.Error() {
		t.Errorf("detail is %q", p.Detail)
	}
	if r := get(t, url, "/healthz"); r.status != 200 || string(r.body) != "ok\n" {
		t.Errorf("healthz: status %d, body %q", r.status, r.body)
	}
	if r := get(t, serve(t, Config{Store: failing(nil)}), "/readyz"); r.status != 200 {
		t.Errorf("without a check: status %d, want Ping's answer", r.status)
	}
}

func TestMethodsAndMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	url := serve(t, Config{Store: failing(nil), Registerer: registry})
	if r := send(t, http.MethodHead, url, "/api/v1/calls", ""); r.status != 200 || len(r.body) != 0 {
		t.Errorf("HEAD: status %d, %d bytes", r.status, len(r.body))
	}
	for range 3 {
		get(t, url, "/api/v1/calls")
	}
	send(t, "BREW", url, "/teapot/1", "")
	send(t, "BREW", url, "/teapot/2", "")
	if n := metric(t, registry, "heplake_api_requests_total", "route", "/api/v1/calls", "method", "GET", "code", "200"); n != 3 {
		t.Errorf("%v requests counted, want 3", n)
	}
	// Neither paths nor methods of clients become labels.
	if n := metric(t, registry, "heplake_api_requests_total", "route", "none", "method", "other"); n != 2 {
		t.Errorf("%v requests without a route counted, want 2", n)
	}
	if n := metric(t, registry, "homer_search_queries_per_second"); n < 0 {
		t.Error("homer_search_queries_per_second is missing")
	}
	if _, err := New(Config{Store: failing(nil), Registerer: registry}); err == nil {
		t.Error("the same metrics were registered twice")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an API without a store was made")
	}
}

func TestRate(t *testing.T) {
	var r rate
	at := func(s int) time.Time { return time.Unix(1_800_000_000+int64(s), 5e8) }
	for s := range 20 {
		for range 4 {
			r.add(at(s))
		}
	}
	for s, want := range map[int]float64{20: 4, 25: 2, 29: 0.4, 30: 0, 1000: 0} {
		clone := rate{counts: r.counts, last: r.last}
		if got := clone.perSecond(at(s)); got != want {
			t.Errorf("after %d s: %v a second, want %v", s, got, want)
		}
	}
}

// A body that arrives too slowly is given up; one that arrives in time leaves the
// connection as it was.
func TestConnectionSurvivesItsDeadlines(t *testing.T) {
	h, err := New(Config{Store: failing(nil), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	client := srv.Client()
	for range 3 {
		resp, err := client.Post(srv.URL+"/api/v3/search/call", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("status %d, %v", resp.StatusCode, err)
		}
		_ = resp.Body.Close()
	}
}
