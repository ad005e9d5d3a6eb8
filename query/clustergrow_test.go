package query_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// rowsOf are a view's rows as JSON, sorted.
func rowsOf(t *testing.T, l *laketest.Lake, view string) string {
	t.Helper()
	body, err := l.DB.QueryFormat(t.Context(), "JSONCompactEachRow", "SELECT * FROM "+l.Name+"."+view)
	if err != nil {
		return "error: " + err.Error()
	}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	rows := strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(rows)
	return answer(t, json.RawMessage("["+strings.Join(rows, ",")+"]"), err)
}

// TestClusterGrows gives a cluster a further shard between the first and the
// second half of the traffic, so that calls begin before and go on after it.
func TestClusterGrows(t *testing.T) {
	corpus, err := truth.New(truth.Config{Seed: 5, Calls: 60, Registrations: 10, Start: capturedFrom.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	made := make([]captures.Packet, len(corpus.Packets))
	for i, p := range corpus.Packets {
		made[i] = captures.Packet{Transport: "udp", Payload: p.Data}
	}
	half := len(made) / 2
	configs := chtest.ClusterConfigs(t, 2)
	chtest.Know(t, configs[:1])
	engine := chtest.StartEngine(t, configs[0])
	node, cluster := laketest.Open(t), &laketest.Cluster{Lake: &laketest.Lake{Name: schema.Database}}
	cluster.Use(t, []*embedded.Server{engine})
	node.Load(t, both{node.DB, node, cluster.Lake}, made[:half])
	node.Settle(t)
	cluster.Settle(t)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := engine.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	chtest.Know(t, configs)
	cluster.Use(t, []*embedded.Server{chtest.StartEngine(t, configs[0]), chtest.StartEngine(t, configs[1])})
	node.Load(t, both{node.DB, node, cluster.Lake}, made[half:])
	node.Settle(t)
	cluster.Settle(t)
	var twice int64
	if err := cluster.DB.QueryRow(t.Context(), "SELECT count() - uniqExact(tenant, correlation_id, start) FROM calls").Scan(&twice); err != nil {
		t.Fatal(err)
	}
	if twice == 0 {
		t.Error("no call is there twice: this test shows less than it should")
	}

	dbs := cluster.Nodes(t)
	moves, err := migrate.PlanMoves(t.Context(), dbs[1], laketest.ClusterOptions())
	if err != nil {
		t.Fatal(err)
	}
	if len(moves) == 0 {
		t.Fatal("nothing is to be moved")
	}
	for range 2 { // the second time as after an interruption
		if err := migrate.ApplyMoves(t.Context(), dbs, moves); err != nil {
			t.Fatal(err)
		}
	}
	if err := assemble.New(assemble.Config{Conn: cluster.DB, Database: cluster.Name}).Recount(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if moves, err = migrate.PlanMoves(t.Context(), dbs[0], laketest.ClusterOptions()); err != nil || len(moves) > 0 {
		t.Errorf("after the moves: %v, %v", moves, err)
	}
	for _, v := range schema.Views() {
		if a, b := rowsOf(t, node, v.Name), rowsOf(t, cluster.Lake, v.Name); a != b {
			t.Errorf("%s: %s", v.Name, difference(a, b))
		}
	}
	for _, r := range schema.Rollups() {
		for _, table := range r.Tables() {
			sums := func(l *laketest.Lake) (v string) {
				if err := l.DB.QueryRow(t.Context(), "SELECT toString((count(), sum(attempts), sum(pending))) FROM "+l.Name+"."+table.Name+" FINAL WHERE attempts > 0").Scan(&v); err != nil {
					t.Fatal(err)
				}
				return v
			}
			if a, b := sums(node), sums(cluster.Lake); a != b {
				t.Errorf("%s: %s on one node, %s on two shards", table.Name, a, b)
			}
		}
	}
}

// copySQL finds the statements of docs/deploy.md that copy a single node's rows,
// digestSQL the one that has them made into calls.
var (
	copySQL   = regexp.MustCompile(`(?m)^INSERT INTO heplake\.\w+ SELECT \* FROM heplake_before\.(\w+) WHERE toDate\(time\) = '2026-11-20' [^;\n]*;$`)
	digestSQL = regexp.MustCompile(`(?m)^INSERT INTO heplake\.backfill [^;\n]*'2026-11-20'[^;\n]*;$`)
)

// TestClusterTakesASingleNodesRows makes a cluster of a single node's database as
// docs/deploy.md says.
func TestClusterTakesASingleNodesRows(t *testing.T) {
	cluster := &laketest.Cluster{Lake: &laketest.Lake{Name: schema.Database}}
	shards := chtest.StartCluster(t, 2)
	conn := chtest.Dial(t, laketest.WithoutDatabase(t, shards[0].URL(embedded.Owner)))
	run := func(sql string) {
		t.Helper()
		if err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	steps, err := migrate.Plan(t.Context(), conn, schema.Options{})
	if err == nil {
		err = migrate.Apply(t.Context(), conn, steps)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := &laketest.Lake{Name: schema.Database, DB: chtest.Dial(t, shards[0].URL(embedded.Owner))}
	var lists [][]captures.Packet
	for _, name := range []string{failures, twoLegs, registers, withMedia, withEvents} {
		lists = append(lists, captures.Read(t, captures.Path(name+".pcap")))
	}
	before.Load(t, before.DB, lists...)
	before.Settle(t)
	want := map[string]string{}
	for _, v := range schema.Views() {
		want[v.Name] = rowsOf(t, before, v.Name)
	}

	run("RENAME DATABASE heplake TO heplake_before")
	cluster.Use(t, shards)
	doc, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	copies := copySQL.FindAllString(string(doc), -1)
	if len(copies) != len(schema.Tables()) {
		t.Fatalf("docs/deploy.md has %d statements that copy, there are %d tables", len(copies), len(schema.Tables()))
	}
	digest := digestSQL.FindString(string(doc))
	if digest == "" {
		t.Fatal("docs/deploy.md has no statement for the calls of a day")
	}
	var days []string
	if err := conn.QueryRow(t.Context(), "SELECT groupUniqArray(toString(toDate(time))) FROM (SELECT time FROM heplake_before.sip UNION ALL SELECT time FROM heplake_before.media UNION ALL SELECT time FROM heplake_before.events)").Scan(&days); err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		for _, sql := range append(copies, digest) {
			run(strings.TrimSuffix(strings.ReplaceAll(sql, "2026-11-20", day), ";"))
		}
	}
	cluster.Settle(t)
	for _, v := range schema.Views() {
		if got := rowsOf(t, cluster.Lake, v.Name); got != want[v.Name] || len(got) < 10 && v.Name == "calls" {
			t.Errorf("%s: %s", v.Name, difference(want[v.Name], got))
		}
	}
}
