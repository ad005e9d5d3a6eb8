package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/heplake/heplake/internal/chtest"
)

// lake is a running `heplake serve` and ways to ask it.
type lake struct {
	*process
	t   testing.TB
	dir string
	// addr is addresses.json.
	addr map[string]string
	db   driver.Conn
}

// env is the environment of a heplake: this one's without heplake's settings,
// and these.
func env(settings ...string) []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "HEPLAKE_") {
			out = append(out, kv)
		}
	}
	return append(append(out, "HEPLAKE_EMBEDDED_LIBRARY="+library), settings...)
}

// everyPortFree are the settings that let the kernel choose each port.
var everyPortFree = []string{
	"HEPLAKE_HEP_UDP=127.0.0.1:0", "HEPLAKE_HEP_TCP=127.0.0.1:0", "HEPLAKE_API_ADDR=127.0.0.1:0", "HEPLAKE_METRICS_ADDR=127.0.0.1:0",
	"HEPLAKE_EMBEDDED_HTTP=127.0.0.1:0", "HEPLAKE_EMBEDDED_TCP=127.0.0.1:0",
}

// serve starts `heplake serve` on a data folder and waits until it is ready.
// Batches are sealed after 50 ms, so that tests need not wait.
func serve(t testing.TB, dir string, settings ...string) *lake {
	t.Helper()
	addresses := filepath.Join(dir, "addresses.json")
	if err := os.Remove(addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	all := append([]string{"HEPLAKE_DATA_DIR=" + dir, "HEPLAKE_BATCH_AGE=50ms"}, everyPortFree...)
	l := &lake{t: t, dir: dir, process: start(t, env(append(all, settings...)...), executable, "serve")}
	eventually(t, "heplake serve is ready", func() (bool, string) {
		if l.ended() {
			t.Fatalf("heplake serve ended: %v\n%s", l.err, l.said())
		}
		b, err := os.ReadFile(addresses)
		if err != nil {
			return false, err.Error()
		}
		if err := json.Unmarshal(b, &l.addr); err != nil {
			return false, err.Error()
		}
		code, body := l.get("metrics", "/readyz")
		return code == http.StatusOK, body
	})
	return l
}

// stop ends heplake as an operator would and expects exit code 0.
func (l *lake) stop() {
	l.t.Helper()
	if l.db != nil {
		_ = l.db.Close() // an engine that stops waits some seconds for its clients
	}
	l.signal(syscall.SIGTERM)
	l.wait(patience)
}

// sql is a connection to the embedded engine as its owner, open until the stop.
func (l *lake) sql() driver.Conn {
	l.t.Helper()
	if l.db != nil {
		return l.db
	}
	u := url.URL{
		Scheme: "http", Host: l.addr["clickhouse_http"], Path: "/heplake",
		User: url.UserPassword(l.addr["clickhouse_user"], l.addr["clickhouse_password"]),
	}
	l.db = chtest.Dial(l.t, u.String())
	return l.db
}

// count is SELECT count() FROM this.
func count(t testing.TB, db driver.Conn, from string, args ...any) int {
	t.Helper()
	var n uint64
	if err := db.QueryRow(t.Context(), "SELECT count() FROM "+from, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// get asks one of heplake's HTTP servers, api or metrics.
func (l *lake) get(server, path string) (code int, body string) {
	l.t.Helper()
	return l.ask(http.MethodGet, server, path, "")
}

func (l *lake) ask(method, server, path, body string) (code int, answer string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, "http://"+l.addr[server]+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// answer asks the API and decodes its answer, which must be a 200.
func (l *lake) answer(method, path, body string, into any) {
	l.t.Helper()
	code, text := l.ask(method, "api", path, body)
	if code != http.StatusOK {
		l.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		l.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}

// said is what a command printed and how it ended.
type said struct {
	out, err string
	code     int
}

// heplake runs a command to its end.
func heplake(t testing.TB, environ []string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), executable, args...)
	cmd.Env, cmd.Dir = environ, t.TempDir()
	cmd.WaitDelay = patience
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("heplake %s: %v", strings.Join(args, " "), err)
	}
	return said{out.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// cli runs a command against this lake's API.
func (l *lake) cli(args ...string) said {
	l.t.Helper()
	return heplake(l.t, env("HEPLAKE_API=http://"+l.addr["api"]), args...)
}

// must is cli for a command that has to find something.
func (l *lake) must(args ...string) string {
	l.t.Helper()
	s := l.cli(args...)
	if s.code != 0 {
		l.t.Fatalf("heplake %s: exit code %d\n%s%s", strings.Join(args, " "), s.code, s.out, s.err)
	}
	return s.out
}

// dial opens a HEP connection: network is udp or tcp.
func (l *lake) dial(network string) net.Conn {
	l.t.Helper()
	c, err := net.Dial(network, l.addr["hep_"+network])
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = c.Close() })
	return c
}

// figures are the metrics of one moment.
type figures map[string]*dto.MetricFamily

// metrics scrapes /metrics.
func (l *lake) metrics() figures {
	l.t.Helper()
	code, body := l.get("metrics", "/metrics")
	if code != http.StatusOK {
		l.t.Fatalf("/metrics: %d %s", code, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	f, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		l.t.Fatalf("/metrics: %v", err)
	}
	return f
}

// sum adds up a metric's values over those with all these labels, given as
// name, value, name, value.
func (f figures) sum(name string, labels ...string) float64 {
	var sum float64
metrics:
	for _, m := range f[name].GetMetric() {
		for i := 0; i < len(labels); i += 2 {
			if label(m, labels[i]) != labels[i+1] {
				continue metrics
			}
		}
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
	}
	return sum
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// balance checks the law of the books: received = stored + dropped + waiting.
func (f figures) balance(t testing.TB) {
	t.Helper()
	received, stored, dropped, waiting := f.sum("heplake_received_total"), f.sum("heplake_stored_total"), f.sum("heplake_dropped_total"), f.sum("heplake_waiting")
	if received != stored+dropped+waiting {
		t.Errorf("the books do not balance: received %.0f, stored %.0f + dropped %.0f + waiting %.0f", received, stored, dropped, waiting)
	}
}

// drained waits until this many packets have been received in all and none
// waits, and returns the metrics of that moment.
func (l *lake) drained(packets int) (f figures) {
	l.t.Helper()
	eventually(l.t, "everything sent is received and stored", func() (bool, string) {
		f = l.metrics()
		f.balance(l.t)
		received, waiting := f.sum("heplake_received_total"), f.sum("heplake_waiting")
		return int(received) >= packets && waiting == 0, sprintf("received %.0f of %d, waiting %.0f", received, packets, waiting)
	})
	if received := f.sum("heplake_received_total"); int(received) != packets {
		l.t.Errorf("received %.0f packets, sent %d", received, packets)
	}
	return f
}
