package api

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake is an API over a database with real captures in it.
type lake struct {
	url      string
	db       driver.Conn
	name     string
	registry *prometheus.Registry
}

// open gives the test an API over a migrated database of its own, into which the
// pipeline has put these captures.
func open(t *testing.T, names ...string) *lake {
	t.Helper()
	data := laketest.Open(t, names...)
	l := &lake{db: data.DB, name: data.Name, registry: prometheus.NewRegistry()}
	store, err := query.Open(t.Context(), query.Options{URL: data.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	l.url = serve(t, Config{Store: store, Registerer: l.registry})
	return l
}

// serve runs an API and returns its address.
func serve(t *testing.T, c Config) string {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request. path begins with / and is escaped.
func send(t *testing.T, method, base, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, b}
}

func get(t *testing.T, base, path string, headers ...string) reply {
	t.Helper()
	return send(t, http.MethodGet, base, path, "", headers...)
}

// decode decodes a good answer.
func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if r.status != http.StatusOK {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	if ct := r.header.Get("Content-Type"); ct != jsonType {
		t.Errorf("content type %q", ct)
	}
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("%v in %.300s", err, r.body)
	}
	return v
}

// wantProblem checks that an answer is a problem of this status and kind, and
// returns it.
func wantProblem(t *testing.T, r reply, status int, kind string) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("status %d, %v in %.300s", r.status, err, r.body)
	}
	if r.status != status || p.Status != status || p.Type != "urn:heplake:problem:"+kind || p.Title == "" {
		t.Errorf("status %d, problem %+v; want status %d, kind %s", r.status, p, status, kind)
	}
	if ct := r.header.Get("Content-Type"); ct != problemType {
		t.Errorf("content type %q", ct)
	}
	if id := r.header.Get(requestIDHeader); id == "" || p.RequestID != id {
		t.Errorf("request id is %q in the body, %q in the header", p.RequestID, id)
	}
	return p
}

// metric is the value of a counter or gauge, the sum of those that have the
// labels; -1 when there is none.
func metric(t *testing.T, registry *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum, found := 0.0, false
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			has := 0
			for _, l := range m.GetLabel() {
				for i := 0; i < len(labels); i += 2 {
					if l.GetName() == labels[i] && l.GetValue() == labels[i+1] {
						has++
					}
				}
			}
			if has == len(labels)/2 {
				found = true
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	if !found {
		return -1
	}
	return sum
}
