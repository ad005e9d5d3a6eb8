package harness_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
)

func TestHealthOfAWorkingSource(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-calls-a")
	p := harness.Start(t)
	good := source(t, l)
	server := chtest.Server(t)
	reader := harness.Source{
		Settings: map[string]any{"url": "http://" + server.HTTPAddr(), "database": l.Name, "user": string(embedded.Reader)},
		Secrets:  map[string]string{"password": server.Password(embedded.Reader)},
	}
	native := harness.Source{Settings: maps.Clone(reader.Settings), Secrets: reader.Secrets}
	native.Settings["url"] = "clickhouse://" + server.TCPAddr()
	for name, s := range map[string]harness.Source{"owner": good, "reader": reader, "reader, native protocol": native} {
		t.Run(name, func(t *testing.T) {
			s.UID = name
			r, details := p.Health(s)
			if r.Status != pluginv2.CheckHealthResponse_OK {
				t.Fatalf("status %s: %s", r.Status, r.Message)
			}
			if v, _ := details["clickhouse_version"].(string); v == "" || !strings.Contains(r.Message, v) {
				t.Errorf("message %q lacks the version %q", r.Message, v)
			}
			if details["schema_version"] != float64(schema.Version) || details["missing"] != nil || details["denied"] != nil || details["category"] != nil {
				t.Errorf("details %v", details)
			}
			newest, err := time.Parse(time.RFC3339Nano, fmt.Sprint(details["newest"]))
			if want := l.To.Add(-time.Second); err != nil || !newest.Equal(want) {
				t.Errorf("newest %v, want %v", details["newest"], want)
			}
			if skew, ok := details["clock_skew_ms"].(float64); !ok || skew < -1000 || skew > 1000 {
				t.Errorf("clock skew %v ms on one machine", details["clock_skew_ms"])
			}
			warned := strings.Contains(fmt.Sprint(details["warnings"]), "may write")
			if want := name == "owner"; warned != want {
				t.Errorf("warned of a user who may write: %v, want %v", warned, want)
			}
			if frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls"})))[0].Rows() == 0 {
				t.Error("no calls")
			}
		})
	}
}

func TestHealthOfAnEmptySource(t *testing.T) {
	l := laketest.Open(t)
	r, details := harness.Start(t).Health(source(t, l))
	if r.Status != pluginv2.CheckHealthResponse_OK || !strings.Contains(r.Message, "no SIP messages yet") || details["newest"] != nil {
		t.Errorf("%s %s %v", r.Status, r.Message, details)
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	l := laketest.Open(t)
	p := harness.Start(t)
	good := source(t, l)
	with := func(settings map[string]any, secrets map[string]string) harness.Source {
		s := harness.Source{Settings: maps.Clone(good.Settings), Secrets: maps.Clone(good.Secrets)}
		maps.Copy(s.Settings, settings)
		maps.Copy(s.Secrets, secrets)
		return s
	}
	bare := chtest.Name(t, chtest.Database(t))
	old := laketest.Open(t)
	for _, sql := range []string{"ALTER TABLE sip DROP COLUMN content_type", "DROP VIEW calls"} {
		if err := old.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	url, _ := good.Settings["url"].(string)
	const secret = "Wr0ng&Password/?#"
	tests := []struct {
		name     string
		source   harness.Source
		category string
		message  string
	}{
		{"no URL", with(map[string]any{"url": ""}, nil), "settings", "no ClickHouse URL is set"},
		{"scheme", with(map[string]any{"url": "ftp://host"}, nil), "settings", `begins with "ftp"`},
		{"no URL at all", with(map[string]any{"url": "http://u:" + secret + "@h:x"}, nil), "settings", "cannot be read"},
		{"nobody listens", with(map[string]any{"url": "http://" + chtest.FreeAddr(t)}, nil), "connect", "must reach ClickHouse"},
		{"no such host", with(map[string]any{"url": "http://clickhouse.invalid:8123"}, nil), "connect", "clickhouse.invalid"},
		{"HTTP to the native port", with(map[string]any{"url": "http://" + chtest.Server(t).TCPAddr()}, nil), "connect", "8123"},
		{"native to the HTTP port", with(map[string]any{"url": strings.Replace(url, "http", "clickhouse", 1)}, nil), "connect", "9000"},
		{"TLS to a port without", with(map[string]any{"url": strings.Replace(url, "http", "https", 1)}, nil), "tls", "scheme and port"},
		{"wrong password", with(nil, map[string]string{"password": secret}), "authentication", "check user and password"},
		{"wrong password, native", with(map[string]any{"url": "clickhouse://" + chtest.Server(t).TCPAddr()}, map[string]string{"password": secret}), "authentication", "check user and password"},
		{"unknown user", with(map[string]any{"user": "nobody"}, nil), "authentication", "check user and password"},
		{"wrong token", with(nil, map[string]string{"token": secret}), "authentication", "token"},
		{"no database", with(map[string]any{"database": "heplake_nowhere"}, nil), "schema", "run heplake migrate"},
		{"no tables", with(map[string]any{"database": bare}, nil), "schema", "there are no tables of heplake in the database " + bare},
		{"old schema", with(map[string]any{"database": old.Name}, nil), "schema", "lacks calls, sip.content_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.source.UID = tt.name
			r, details := p.Health(tt.source)
			if r.Status != pluginv2.CheckHealthResponse_ERROR || details["category"] != tt.category || !strings.Contains(r.Message, tt.message) {
				t.Errorf("%s, category %v: %s\nwant category %s and %q", r.Status, details["category"], r.Message, tt.category, tt.message)
			}
			response := p.Ask(tt.source, over(l, map[string]any{"queryType": "calls"}))
			if tt.name != "no tables" && tt.name != "old schema" && response.Error == nil {
				t.Error("a query is answered all the same")
			}
			if response.Error != nil && response.ErrorSource != "downstream" {
				t.Errorf("a query's error is %s's: %v", response.ErrorSource, response.Error)
			}
			for _, leak := range []string{secret, good.Secrets["password"], "Wr0ng"} {
				if strings.Contains(r.Message+string(r.JsonDetails)+fmt.Sprint(response.Error), leak) {
					t.Errorf("a secret is in %s %v", r.Message, response.Error)
				}
			}
		})
	}
}

// TestHealthWithoutRights: a user that may read some tables, not all. The
// engine's reader may read databases by their names, so the table that it may
// not read is a view of one in a database of another name.
func TestHealthWithoutRights(t *testing.T) {
	l := laketest.Open(t)
	hidden := "hidden_" + l.Name
	for _, sql := range []string{
		"CREATE DATABASE " + hidden,
		"RENAME TABLE sip TO " + hidden + ".sip",
		"CREATE VIEW sip SQL SECURITY INVOKER AS SELECT * FROM " + hidden + ".sip SETTINGS allow_suspicious_low_cardinality_types = 1",
	} {
		if err := l.DB.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := l.DB.Exec(context.Background(), "DROP DATABASE "+hidden+" SYNC"); err != nil {
			t.Error(err)
		}
	})
	server := chtest.Server(t)
	s := harness.Source{
		Settings: map[string]any{"url": "http://" + server.HTTPAddr(), "database": l.Name, "user": string(embedded.Reader)},
		Secrets:  map[string]string{"password": server.Password(embedded.Reader)},
	}
	p := harness.Start(t)
	r, details := p.Health(s)
	if r.Status != pluginv2.CheckHealthResponse_ERROR || details["category"] != "access" || fmt.Sprint(details["denied"]) != "[sip]" {
		t.Errorf("%s %s %v", r.Status, r.Message, details)
	}
	ask := func(sql string) backend.DataResponse {
		return p.Ask(s, harness.Query{Model: map[string]any{"queryType": "sql", "sql": sql}, From: time.Unix(0, 0), To: time.Unix(1, 0)})
	}
	if r := ask("SELECT count() FROM sip"); r.Status != 403 || r.ErrorSource != "downstream" {
		t.Errorf("status %d, %s: %v", r.Status, r.ErrorSource, r.Error)
	}
	if r := ask("SELECT count() FROM media"); r.Error != nil {
		t.Error(r.Error)
	}
	s.Settings["database"], s.UID = hidden, "hidden"
	if r, details := p.Health(s); details["category"] != "schema" || !strings.Contains(r.Message, "or the user may not see them") {
		t.Errorf("a database that the user may not see: %s %v", r.Message, details)
	}
}

// TestClickHouseComesLater: a source made while ClickHouse is down works once
// it is up, and again after a restart.
func TestClickHouseComesLater(t *testing.T) {
	http := chtest.FreeAddr(t)
	dir := t.TempDir()
	p := harness.Start(t)
	s := harness.Source{
		Settings: map[string]any{"url": "http://" + http, "database": "system", "user": string(embedded.Reader)},
		Secrets:  map[string]string{"password": "unknown yet"},
	}
	one := harness.Query{Model: map[string]any{"queryType": "sql", "sql": "SELECT 1 AS one"}, From: time.Unix(0, 0), To: time.Unix(1, 0)}
	if r := p.Ask(s, one); r.Error == nil || r.Status != 502 || r.ErrorSource != "downstream" {
		t.Fatalf("while it is down: status %d, %s, error %v", r.Status, r.ErrorSource, r.Error)
	}
	server := chtest.StartEngine(t, embedded.Config{Dir: dir, HTTP: http})
	s.Secrets["password"] = server.Password(embedded.Reader)
	s.UID = "with the password"
	if got := value(t, frames(t, p.Ask(s, one))[0], "one", 0); got != uint8(1) {
		t.Errorf("got %v", got)
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := p.Ask(s, one); r.Error == nil || r.Status != 502 {
		t.Errorf("after a stop: status %d, error %v", r.Status, r.Error)
	}
	chtest.StartEngine(t, embedded.Config{Dir: dir, HTTP: http})
	if got := value(t, frames(t, p.Ask(s, one))[0], "one", 0); got != uint8(1) {
		t.Errorf("after a restart: got %v", got)
	}
}
