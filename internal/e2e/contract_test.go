package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// TestDoors checks what scripts and monitoring lean on: addresses.json, the
// health checks and the metrics with the operators' names.
func TestDoors(t *testing.T) {
	dir := t.TempDir()
	l := serve(t, dir)

	st, err := os.Stat(filepath.Join(dir, "addresses.json"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("addresses.json has mode %v: it holds a password", st.Mode().Perm())
	}
	for _, key := range []string{"hep_udp", "hep_tcp", "api", "metrics", "clickhouse_http", "clickhouse_tcp", "clickhouse_user", "clickhouse_password"} {
		if l.addr[key] == "" || strings.HasSuffix(l.addr[key], ":0") {
			t.Errorf("addresses.json: %s is %q", key, l.addr[key])
		}
	}
	if strings.Contains(string(l.said()), l.addr["clickhouse_password"]) {
		t.Error("the log has the password")
	}
	for _, server := range []string{"api", "metrics"} {
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, body := l.get(server, path); code != http.StatusOK {
				t.Errorf("%s on %s: %d %s", path, server, code, body)
			}
		}
	}

	out := l.must("replay", captures.Path("kamailio-hep3-udp-sip-failures-a.pcap"), "--to", l.addr["hep_udp"], "--now")
	const packets = 112
	if !strings.Contains(out, sprintf("sent %d packets", packets)) {
		t.Errorf("replay says %q", out)
	}
	l.drained(packets)
	eventually(t, "calls are made of what is stored", func() (bool, string) {
		n := count(t, l.sql(), "calls")
		return n > 0, sprintf("%d calls", n)
	})
	l.must("search", "method = INVITE")
	f := l.metrics()
	for _, want := range []struct {
		name   string
		labels []string
		value  float64
	}{
		{"homer_captured_packets_total", nil, packets},
		{"homer_sip_methods_total", []string{"method", "INVITE"}, 25},
		{"homer_sip_methods_total", []string{"method", "CANCEL"}, 5},
		{"homer_response_codes_total", []string{"code", "486"}, 4},
		{"homer_response_codes_total", []string{"code", "200"}, 9},
		{"homer_capture_errors_total", nil, 0},
		{"heplake_received_total", []string{"transport", "udp"}, packets},
		{"heplake_stored_total", nil, packets},
		{"heplake_stored_rows_total", []string{"table", "sip"}, packets},
		{"heplake_waiting", nil, 0},
		{"heplake_search_queries_total", []string{"kind", "calls"}, 1},
	} {
		if f[want.name] == nil {
			t.Errorf("/metrics lacks %s", want.name)
		} else if got := f.sum(want.name, want.labels...); got != want.value {
			t.Errorf("%s%v is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	for _, name := range []string{"homer_database_inserts_per_second", "homer_search_queries_per_second", "homer_storage_used_percent"} {
		if f[name] == nil {
			t.Errorf("/metrics lacks %s", name)
		}
	}
	if used := f.sum("homer_storage_used_percent"); used <= 0 || used > 100 {
		t.Errorf("homer_storage_used_percent is %v", used)
	}
	documented(t, f)
	l.stop()
}

// documented checks that docs/metrics.md has every metric of ours that is served.
func documented(t *testing.T, f figures) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range f {
		if ours := strings.HasPrefix(name, "heplake_") || strings.HasPrefix(name, "homer_"); ours && !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
}

// TestRefusesToStart: a mistake in the settings ends the start with one line
// that names it.
func TestRefusesToStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heplake.yaml")
	for _, c := range []struct {
		name, yaml string
		env        []string
		args       []string
		want       []string
	}{
		{"unknown key", "hep:\n  upd: 127.0.0.1:0\n", nil, []string{"serve"}, []string{"unknown key hep.upd", "hep.udp"}},
		{"bad value", "batch:\n  rows: many\n", nil, []string{"serve"}, []string{"batch.rows", "a number of rows", "many"}},
		{"bad variable", "", []string{"HEPLAKE_LOG_LEVEL=loud"}, []string{"serve"}, []string{"HEPLAKE_LOG_LEVEL", "debug, info, warn or error"}},
		{"no library", "", []string{"HEPLAKE_EMBEDDED_LIBRARY=/nowhere/libchdb.so"}, []string{"serve"}, []string{"embedded.library", "/nowhere/libchdb.so"}},
		{"ingest without ClickHouse", "", nil, []string{"ingest"}, []string{"clickhouse.url"}},
		{"api without ClickHouse", "", nil, []string{"api"}, []string{"clickhouse.url"}},
		{"unknown command", "", nil, []string{"sniff"}, []string{"sniff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			settings := append([]string{"HEPLAKE_DATA_DIR=" + t.TempDir()}, everyPortFree...)
			s := heplake(t, env(append(settings, c.env...)...), append(c.args, "--config", file)...)
			if s.code != 1 || strings.Count(s.err, "\n") != 1 {
				t.Errorf("exit code %d, want 1 and one line on stderr: %q", s.code, s.err)
			}
			for _, want := range c.want {
				if !strings.Contains(s.err, want) {
					t.Errorf("%q does not say %q", s.err, want)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	s := heplake(t, env(), "version")
	if s.code != 0 || !regexp.MustCompile(`(?m)^heplake \S+$`).MatchString(s.out) || !strings.Contains(s.out, "engine") {
		t.Errorf("exit code %d: %s%s", s.code, s.out, s.err)
	}
}

// TestEngineAndMigration runs the engine alone and migrates it from outside.
func TestEngineAndMigration(t *testing.T) {
	dir := t.TempDir()
	alone := append([]string{"HEPLAKE_DATA_DIR=" + dir}, everyPortFree...)
	engine := start(t, env(alone...), executable, "clickhouse")
	l := &lake{t: t, dir: dir, process: engine}
	eventually(t, "heplake clickhouse is ready", func() (bool, string) {
		if engine.ended() {
			t.Fatalf("heplake clickhouse ended: %v\n%s", engine.err, engine.said())
		}
		b, err := os.ReadFile(filepath.Join(dir, "addresses.json"))
		return err == nil && json.Unmarshal(b, &l.addr) == nil, string(engine.said())
	})
	if s := heplake(t, env(alone...), "clickhouse"); s.code != 1 || !strings.Contains(s.err, dir) {
		t.Errorf("a second engine on the same folder: exit code %d: %s", s.code, s.err)
	}

	outside := env("HEPLAKE_DATA_DIR="+t.TempDir(), sprintf("HEPLAKE_CLICKHOUSE_URL=http://%s:%s@%s/heplake", l.addr["clickhouse_user"], l.addr["clickhouse_password"], l.addr["clickhouse_http"]))
	migrate := func(args ...string) string {
		t.Helper()
		s := heplake(t, outside, append([]string{"migrate"}, args...)...)
		if s.code != 0 {
			t.Fatalf("heplake migrate %v: exit code %d: %s", args, s.code, s.err)
		}
		return s.out
	}
	first := migrate("--plan")
	for _, table := range []string{"sip", "media", "events"} {
		if !strings.Contains(first, "CREATE TABLE IF NOT EXISTS `heplake`.`"+table+"`") {
			t.Errorf("the plan does not create %s:\n%s", table, first)
		}
	}
	if again := migrate("--plan"); again != first {
		t.Errorf("a plan changed something; the second is\n%s", again)
	}
	if out := migrate(); strings.Contains(out, " 0 statements") {
		t.Errorf("nothing was migrated: %s", out)
	}
	if n := count(t, l.sql(), "system.tables WHERE database = 'heplake' AND name IN ('sip', 'media', 'events', 'calls')"); n != 4 {
		t.Errorf("%d of 4 tables are there", n)
	}
	if out := migrate("--plan"); !strings.Contains(out, "nothing to do") || strings.Contains(out, "CREATE") {
		t.Errorf("after the migration the plan is\n%s", out)
	}
	if out := migrate(); !strings.Contains(out, " 0 statements") {
		t.Errorf("the second migration did something:\n%s", out)
	}
	l.stop()
}
