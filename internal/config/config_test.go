package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "heplake.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContractDefaults(t *testing.T) {
	c, _, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct{ key, got, want string }{
		{"data.dir", c.Data.Dir, "./data"},
		{"hep.udp", c.HEP.UDP, ":9060"},
		{"hep.tcp", c.HEP.TCP, ":9060"},
		{"clickhouse.url", c.ClickHouse.URL, ""},
		{"embedded.http", c.Embedded.HTTP, "127.0.0.1:8123"},
		{"embedded.tcp", c.Embedded.TCP, "127.0.0.1:9000"},
		{"api.addr", c.API.Addr, "127.0.0.1:9080"},
		{"metrics.addr", c.Metrics.Addr, ":9090"},
	} {
		if s.got != s.want {
			t.Errorf("%s defaults to %q, want %q", s.key, s.got, s.want)
		}
	}
	if c.Batch.Rows != 100_000 || c.Batch.Age != time.Second {
		t.Errorf("batch defaults to %d rows or %s", c.Batch.Rows, c.Batch.Age)
	}
}

func TestFileThenEnvironment(t *testing.T) {
	path := write(t, "hep:\n  udp: 127.0.0.1:0\n  buffer: 4MiB\nbatch:\n  rows: 7\n  age: 250ms\ncorrelation:\n  headers: [X-Leg, X-CID]\n")
	c, unknown, err := Load(path, []string{"HEPLAKE_BATCH_ROWS=9", "HEPLAKE_SIP_HEADERS=X-A,X-B", "HEPLAKE_SERVICE_HOST=10.0.0.1", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HEP.UDP != "127.0.0.1:0" || c.HEP.Buffer != 4<<20 || c.Batch.Age != 250*time.Millisecond {
		t.Errorf("file not taken: %+v %+v", c.HEP, c.Batch)
	}
	if c.Batch.Rows != 9 {
		t.Errorf("batch.rows is %d: the environment goes over the file", c.Batch.Rows)
	}
	if got := strings.Join(c.Correlation.Headers, " "); got != "X-Leg X-CID" {
		t.Errorf("correlation.headers is %q", got)
	}
	if got := strings.Join(c.SIP.Headers, " "); got != "X-A X-B" {
		t.Errorf("sip.headers is %q", got)
	}
	if len(unknown) != 1 || unknown[0] != "HEPLAKE_SERVICE_HOST" {
		t.Errorf("unknown variables: %v", unknown)
	}
}

func TestRefusalsNameTheKeyAndWhatItTakes(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        []string
		want       []string
	}{
		{"unknown key", "hep:\n  upd: :9060\n", nil, []string{"unknown key hep.upd", "hep.udp"}},
		{"unknown group", "hop: 1\n", nil, []string{"unknown key hop", "hep"}},
		{"not a number", "batch:\n  rows: many\n", nil, []string{"batch.rows", "a number of rows", `"many"`}},
		{"out of range", "batch:\n  rows: 0\n", nil, []string{"batch.rows", "from 1 to 1000000"}},
		{"not a duration", "", []string{"HEPLAKE_BATCH_AGE=soon"}, []string{"HEPLAKE_BATCH_AGE", "batch.age", "a duration"}},
		{"negative duration", "", []string{"HEPLAKE_BATCH_AGE=-1s"}, []string{"batch.age"}},
		{"not a size", "spool:\n  max: lots\n", nil, []string{"spool.max", "8GiB"}},
		{"not one of", "log:\n  level: loud\n", nil, []string{"log.level", "debug, info, warn or error"}},
		{"not YAML", "hep: [", nil, []string{"heplake.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Load(write(t, c.file), c.env)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

var update = flag.Bool("update", false, "write docs/settings.md")

func TestSettingsPageIsTrue(t *testing.T) {
	const path = "../../docs/settings.md"
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Error("docs/settings.md differs from the settings: go test ./internal/config -update")
	}
}
