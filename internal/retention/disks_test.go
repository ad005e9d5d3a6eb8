package retention

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

// disksOf says on which disk each day of sip lies, by how many days ago it was.
func disksOf(t *testing.T, db driver.Conn, o schema.Options) map[int64]string {
	t.Helper()
	rows, err := db.Query(t.Context(), "SELECT dateDiff('day', toDate(partition), toDate(now('UTC'))), disk_name FROM system.parts WHERE active AND rows > 0 AND database = '"+o.DatabaseName()+"' AND table = 'sip'")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]string{}
	for rows.Next() {
		var ago int64
		var disk string
		if err := rows.Scan(&ago, &disk); err != nil {
			t.Fatal(err)
		}
		out[ago] = disk
	}
	return out
}

// TestColdVolume has days move to a second disk: of a database that was made
// without one, by its settings alone.
func TestColdVolume(t *testing.T) {
	s := chtest.StartEngine(t, embedded.Config{Cold: embedded.ColdDisk{Path: t.TempDir() + "/cold"}})
	db := chtest.Dial(t, strings.TrimSuffix(s.URL(embedded.Owner), "/"+embedded.Database))
	o := schema.Options{}
	apply(t, db, o)
	exec(t, db, "INSERT INTO heplake.sip (time, correlation_id) SELECT toStartOfDay(now64(6, 'UTC')) - INTERVAL 1 + number % 8 DAY + INTERVAL 12 HOUR, toString(number) FROM numbers(800)")
	for ago, disk := range disksOf(t, db, o) {
		if disk != "default" {
			t.Errorf("%d days ago lies on %s", ago, disk)
		}
	}
	o.StoragePolicy, o.Cold = embedded.Policy, schema.Cold{Volume: embedded.ColdVolume, Days: 4}
	apply(t, db, o)
	moved := func() bool {
		for ago, disk := range disksOf(t, db, o) {
			if cold := disk == "cold"; ago >= 5 && !cold || ago < 4 && cold {
				return false
			}
		}
		return true
	}
	for deadline := time.Now().Add(time.Minute); !moved() && time.Now().Before(deadline); {
		time.Sleep(200 * time.Millisecond)
	}
	if !moved() {
		t.Fatalf("after four days: %v", disksOf(t, db, o))
	}
	var n uint64
	if err := db.QueryRow(t.Context(), "SELECT count() FROM heplake.sip").Scan(&n); err != nil || n != 800 {
		t.Errorf("%d rows, %v", n, err)
	}

	// Every table has the policy now: rows can be nowhere else.
	if err := CheckResidency(t.Context(), db, o, embedded.Policy); err != nil {
		t.Error(err)
	}
	exec(t, db, "CREATE TABLE heplake.elsewhere (x UInt8) ENGINE = MergeTree ORDER BY x")
	for policy, want := range map[string]string{"default": "sip (heplake)", embedded.Policy: "elsewhere (default)", "paris": "no storage policy paris"} {
		if err := CheckResidency(t.Context(), db, o, policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("residency on %s: %v", policy, err)
		}
	}

	// What comes late goes there at once, and a rule that deletes leaves the rest
	// there.
	exec(t, db, "INSERT INTO heplake.sip (time, correlation_id, cseq_method) SELECT toStartOfDay(now64(6, 'UTC')) - INTERVAL 10 DAY, toString(number), ['OPTIONS', 'INVITE'][1 + number % 2] FROM numbers(10)")
	sweep(t, keeper(db, o, Policy{Rules: []Rule{{Name: "pings", Methods: []string{"OPTIONS"}, Days: 2}}}))
	if disks := disksOf(t, db, o); disks[10] != "cold" {
		t.Errorf("a late day lies on %s", disks[10])
	}
	if err := db.QueryRow(t.Context(), "SELECT count() FROM heplake.sip WHERE time < now() - INTERVAL 9 DAY").Scan(&n); err != nil || n != 5 {
		t.Errorf("%d of the late rows are left, %v", n, err)
	}

	// The guard looks for days on the disk that is short: dropping others frees
	// nothing there.
	g := &Guard{DB: db, Schema: o, MinFree: 1 << 40, Log: slog.New(slog.DiscardHandler)}
	g.Register(prometheus.NewRegistry())
	if free, err := g.freeSpace(t.Context()); err != nil || len(free) != 2 || free["cold"] == 0 || free["default"] == 0 {
		t.Errorf("free: %v, %v", free, err)
	}
	g.free = func(context.Context) (map[string]uint64, error) {
		return map[string]uint64{"default": g.MinFree - 1, "cold": g.MinFree}, nil
	}
	if err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	disks := disksOf(t, db, o)
	if disks[10] == "" || disks[1] == "" {
		t.Errorf("days on the other disk were dropped, or more than needed: %v", disks)
	}
	if n := len(disks); n != 8 {
		t.Errorf("one day was to go: %v", disks)
	}
}
