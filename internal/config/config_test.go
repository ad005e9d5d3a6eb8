package config

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
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

func TestTrunks(t *testing.T) {
	want := map[string][]string{"carrier-a": {"192.0.2.0/24", "2001:db8::/32"}, "Site 2": {"10.1.2.3"}}
	c, _, err := Load(write(t, "trunks:\n  carrier-a: [192.0.2.0/24, \"2001:db8::/32\"]\n  Site 2: 10.1.2.3\n"), nil)
	if err != nil || !reflect.DeepEqual(c.Trunks, want) {
		t.Errorf("from the file: %v, %v", c.Trunks, err)
	}
	c, _, err = Load("", []string{"HEPLAKE_TRUNKS=carrier-a=192.0.2.0/24,carrier-a=2001:db8::/32, Site 2=10.1.2.3"})
	if err != nil || !reflect.DeepEqual(c.Trunks, want) {
		t.Errorf("from the environment: %v, %v", c.Trunks, err)
	}
	if _, _, err := Load("", []string{"HEPLAKE_TRUNKS=carrier-a"}); err == nil || !strings.Contains(err.Error(), "trunks takes names") {
		t.Errorf("a name alone: %v", err)
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
		{"rules no list", "retention:\n  rules: 7\n", nil, []string{"retention.rules", "a list of rules"}},
		{"rule with an unknown key", "retention:\n  rules: [{days: 1, metods: [BYE]}]\n", nil, []string{"retention.rules", "metods"}},
		{"rule without days", "retention:\n  rules: [{name: x, methods: [BYE]}]\n", nil, []string{"retention.rules: x", "days is missing"}},
		{"rule of an unknown outcome", "retention:\n  rules: [{days: 1, outcomes: [lost]}]\n", nil, []string{"rule 1", "failed", "lost"}},
		{"rule of an unknown table", "retention:\n  rules: [{days: 1, tables: [calls], tenants: [a]}]\n", nil, []string{"rule 1", "sip, media and events", "calls"}},
		{"rule about everything", "retention:\n  rules: [{days: 1}]\n", nil, []string{"rule 1", "which rows it is about"}},
		{"rules of one name", "retention:\n  rules: [{name: a, days: 1, methods: [BYE]}, {name: a, days: 1, methods: [BYE]}]\n", nil, []string{"two rules", `"a"`}},
		{"a method that is none", "retention:\n  rules: [{days: 1, methods: [\"a b\"]}]\n", nil, []string{"methods", "a b"}},
		{"cold without a place", "storage:\n  cold: {after: 3}\n", nil, []string{"storage.cold.path"}},
		{"residency elsewhere", "tenant: acme\nresidency: [{tenant: acme, policy: frankfurt}]\n", nil, []string{"acme", "frankfurt", "default"}},
		{"residency without a policy", "residency: [{tenant: acme}]\n", nil, []string{"acme", "policy is missing"}},
		{"an archive of what stays", "tenant: acme\narchive: {dir: /x}\nresidency: [{tenant: acme, policy: default}]\n", nil, []string{"archive.dir", "acme"}},
		{"two archives", "archive: {dir: /x, url: \"https://minio/b/\"}\n", nil, []string{"archive.dir", "archive.url"}},
		{"a bucket as a folder", "archive: {dir: \"https://minio/b/\"}\n", nil, []string{"archive.dir", "archive.url"}},
		{"a key of no bucket", "archive: {dir: /x, key: k, secret: s}\n", nil, []string{"archive.key", "archive.url"}},
		{"half a key", "archive: {url: \"https://minio/b/\", key: k}\n", nil, []string{"archive.key", "archive.secret"}},
		{"a bucket for what stays", "tenant: acme\narchive: {url: \"https://minio/b/\"}\nresidency: [{tenant: acme, policy: default}]\n", nil, []string{"archive.url", "acme"}},
		{"two cold places", "storage:\n  cold: {after: 3, path: /x, url: https://b/x/}\n", nil, []string{"one of them"}},
		{"a policy for the embedded engine", "storage:\n  policy: x\n", nil, []string{"clickhouse.url"}},
		{"cold place elsewhere", "clickhouse:\n  url: http://h:8123/heplake\nstorage:\n  cold: {after: 3, path: /x}\n", nil, []string{"storage.policy"}},
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

func TestRetentionRules(t *testing.T) {
	path := write(t, "retention:\n  sip: 30\n  rules:\n    - name: pings\n      methods: [options, REGISTER]\n      days: 7\n    - {outcomes: failed, mos_below: 3.1, tenants: [acme], tables: [sip, media], days: 0}\n")
	c, _, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Retention.Rules) != 2 {
		t.Fatalf("%+v", c.Retention.Rules)
	}
	a, b := c.Retention.Rules[0], c.Retention.Rules[1]
	if a.Name != "pings" || *a.Days != 7 || strings.Join(a.Methods, " ") != "OPTIONS REGISTER" {
		t.Errorf("%+v", a)
	}
	if b.Name != "rule 2" || *b.Days != 0 || b.MOSBelow != 3.1 || b.Outcomes[0] != "failed" || b.Tenants[0] != "acme" || len(b.Tables) != 2 {
		t.Errorf("%+v", b)
	}
	c, _, err = Load(path, []string{"HEPLAKE_RETENTION_RULES=[{name: one, tenants: [x], days: 3}]"})
	if err != nil || len(c.Retention.Rules) != 1 || c.Retention.Rules[0].Name != "one" {
		t.Errorf("from the environment: %+v, %v", c.Retention.Rules, err)
	}
}

func TestResidency(t *testing.T) {
	c, _, err := Load(write(t, "tenant: acme\nresidency:\n  - {tenant: acme, policy: default}\n  - {tenant: b, policy: paris, export: true}\n"), nil)
	if err != nil || !c.Resides() || strings.Join(c.NoExport(), " ") != "acme" {
		t.Errorf("%+v, %v", c.Residency, err)
	}
	c, _, err = Load(write(t, "residency: [{tenant: acme, policy: paris}]\n"), nil)
	if err != nil || c.Resides() || strings.Join(c.NoExport(), " ") != "acme" {
		t.Errorf("%+v, %v", c.Residency, err)
	}
}

func TestColdStorage(t *testing.T) {
	c, _, err := Load(write(t, "storage:\n  cold: {after: 14, path: /mnt/cold}\n"), nil)
	if err != nil || c.Storage.Policy != EmbeddedPolicy || c.Storage.Cold.Volume != "cold" {
		t.Errorf("%+v, %v", c.Storage, err)
	}
	c, _, err = Load(write(t, "clickhouse:\n  url: http://h:8123/heplake\nstorage:\n  policy: tiered\n  cold: {after: 14, volume: s3}\n"), nil)
	if err != nil || c.Storage.Policy != "tiered" || c.Storage.Cold.Volume != "s3" {
		t.Errorf("%+v, %v", c.Storage, err)
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
