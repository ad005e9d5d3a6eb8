package harness_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
)

// alertHeaders are those of a rule's evaluation.
var alertHeaders = map[string]string{"FromAlert": "true", "X-Cache-Skip": "true", "http_X-Rule-Uid": "rule-1", "http_X-Rule-Name": "too many errors"}

// TestAlertRules: what a rule asks is answered without a user, without anything
// that a frontend adds, and in the form that rules read.
func TestAlertRules(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-failures-a")
	p := harness.Start(t)
	s := source(t, l)
	for name, user := range map[string]*backend.User{"no user": nil, "the scheduler": {Login: "grafana_scheduler", Role: "Admin"}} {
		t.Run(name, func(t *testing.T) {
			s.User = user
			queries := []harness.Query{
				{RefID: "series", Model: map[string]any{"queryType": "series", "metric": "errors", "groupBy": "status"}},
				{RefID: "silent", Model: map[string]any{"queryType": "series", "metric": "errors", "filter": `from_user = "nobody at all"`}},
				{RefID: "labels", Model: map[string]any{"queryType": "sql", "sql": "SELECT time, method, toFloat64(status) AS status FROM sip WHERE $__timeFilter(time)"}},
				{RefID: "numbers", Model: map[string]any{"queryType": "sql", "sql": "SELECT method, countIf(status >= 500) / count() AS share FROM sip WHERE $__timeFilter(time) GROUP BY method"}},
			}
			for i := range queries {
				queries[i].From, queries[i].To, queries[i].Interval, queries[i].TypeInModelOnly = l.From, l.To, time.Second, true
			}
			got, err := p.Query(t.Context(), s, alertHeaders, queries...)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames(t, got["series"]) {
				if f.Meta.Type != data.FrameTypeTimeSeriesMulti || f.Fields[1].Labels["status"] == "" {
					t.Errorf("series: %+v", f.Meta)
				}
			}
			if all := frames(t, got["silent"]); len(all) != 1 || all[0].Rows() == 0 || sum(t, all) != 0 {
				t.Errorf("silence: %d frames", len(all))
			}
			if all := frames(t, got["labels"]); len(all) < 2 || all[0].Meta.Type != data.FrameTypeTimeSeriesMulti || all[0].Fields[1].Labels == nil {
				t.Errorf("labels: %d frames, %+v", len(all), all[0].Meta)
			}
			if all := frames(t, got["numbers"]); len(all) != 1 || all[0].Meta.Type != data.FrameTypeNumericLong || all[0].Rows() < 2 {
				t.Errorf("numbers: %d frames, %+v", len(all), all[0].Meta)
			}
		})
	}
}

// running are the settings of the queries that ClickHouse runs now and that
// have the mark in their text.
func running(t *testing.T, l *laketest.Lake, mark string) (settings []map[string]string) {
	t.Helper()
	rows, err := l.DB.Query(t.Context(), "SELECT Settings FROM system.processes WHERE position(query, concat({a:String}, {b:String})) > 0", clickhouse.Named("a", mark[:4]), clickhouse.Named("b", mark[4:]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var m map[string]string
		if err := rows.Scan(&m); err != nil {
			t.Fatal(err)
		}
		settings = append(settings, m)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return settings
}

// TestCancelAndAudit: while a query runs, ClickHouse knows who asked; when the
// asker goes away it stops.
func TestCancelAndAudit(t *testing.T) {
	l := laketest.Open(t)
	p := harness.Start(t)
	server := chtest.Server(t)
	reader := harness.Source{
		Settings: map[string]any{"url": "http://" + server.HTTPAddr(), "database": l.Name, "user": string(embedded.Reader)},
		Secrets:  map[string]string{"password": server.Password(embedded.Reader)},
	}
	native := reader
	native.Settings = map[string]any{"url": "clickhouse://" + server.TCPAddr(), "database": l.Name, "user": string(embedded.Reader)}
	for name, s := range map[string]harness.Source{"owner": source(t, l), "reader": reader, "native": native} {
		t.Run(name, func(t *testing.T) {
			s.UID, s.User = name, &backend.User{Login: "alice", Role: "Viewer"}
			mark := "mark of " + name
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := p.Query(ctx, s, map[string]string{
					"X-Dashboard-Uid": "dash-1", "X-Panel-Id": "4", "http_X-Grafana-User": "mallory", "X-Grafana-Org-Id": "99", "X-Dashboard-Title": strings.Repeat("x", 5000),
				}, over(l, map[string]any{"queryType": "sql", "sql": "SELECT sleepEachRow(0.1) AS x, '" + mark + "' FROM numbers(300) SETTINGS max_block_size = 1"}))
				done <- err
			}()
			seen := wait(t, "the query to run", func() []map[string]string { return running(t, l, mark) }, func(s []map[string]string) bool { return len(s) == 1 })
			var comment map[string]any
			if err := json.Unmarshal([]byte(seen[0]["log_comment"]), &comment); err != nil {
				t.Errorf("log_comment %q: %v", seen[0]["log_comment"], err)
			}
			want := map[string]any{"from": "grafana", "login": "alice", "org": float64(7), "dashboard": "dash-1", "panel": "4", "query": "sql", "ref": "A"}
			for key, value := range want {
				if comment[key] != value {
					t.Errorf("%s is %v, want %v", key, comment[key], value)
				}
			}
			if len(comment) != len(want) {
				t.Errorf("log_comment %v, want %v", comment, want)
			}
			cancel()
			if err := <-done; err == nil {
				t.Error("the request was answered")
			}
			wait(t, "the query to stop", func() []map[string]string { return running(t, l, mark) }, func(s []map[string]string) bool { return len(s) == 0 })
		})
	}
}

// wait waits until what get gets is right.
func wait[T any](t *testing.T, what string, get func() T, right func(T) bool) T {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		v := get()
		if right(v) {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: still %v", what, v)
		}
	}
}

// TestSettingsChange: with other settings the next request asks elsewhere.
func TestSettingsChange(t *testing.T) {
	first, second := laketest.Open(t, "kamailio-hep3-udp-sip-calls-a"), laketest.Open(t)
	p := harness.Start(t)
	sql := map[string]any{"queryType": "sql", "sql": "SELECT count() AS n, currentDatabase() AS db FROM sip"}
	for i, l := range []*laketest.Lake{first, second} {
		s := source(t, l)
		s.Changed = time.Unix(int64(1000+i), 0)
		f := frames(t, p.Ask(s, harness.Query{Model: sql, From: time.Unix(0, 0), To: time.Unix(1, 0)}))[0]
		if db := value(t, f, "db", 0); db != l.Name {
			t.Errorf("asked %v, want %s", db, l.Name)
		}
	}
}
