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
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake makes a database with hundred messages on each of the last ten days but
// today, and ten reports.
func lake(t *testing.T) (driver.Conn, schema.Options) {
	t.Helper()
	url := chtest.Database(t)
	db, o := chtest.Dial(t, url), schema.Options{Database: chtest.Name(t, url)}
	apply(t, db, o)
	for _, sql := range []string{
		"INSERT INTO sip (time, correlation_id) SELECT toStartOfDay(now64(6, 'UTC')) - INTERVAL 1 + number % 10 DAY + INTERVAL 12 HOUR, toString(number) FROM numbers(1000)",
		"INSERT INTO media (time, correlation_id) SELECT toStartOfDay(now64(6, 'UTC')) - INTERVAL 1 + number % 10 DAY + INTERVAL 12 HOUR, toString(number) FROM numbers(100)",
	} {
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return db, o
}

func apply(t *testing.T, db driver.Conn, o schema.Options) {
	t.Helper()
	steps, err := migrate.Plan(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), db, steps); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db driver.Conn, table string) (n uint64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// still has no part of sip or media written anew, as recompression does to parts
// of past days: what was read of their sizes stays true.
func still(t *testing.T, db driver.Conn) {
	t.Helper()
	for _, table := range []string{"sip", "media"} {
		if err := db.Exec(t.Context(), "SYSTEM STOP MERGES "+table); err != nil {
			t.Fatal(err)
		}
	}
	for {
		var running uint64
		if err := db.QueryRow(t.Context(), "SELECT count() FROM system.merges WHERE database = currentDatabase()").Scan(&running); err != nil {
			t.Fatal(err)
		}
		if running == 0 {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestDryRunEqualsWhatHappens compares what Expired says of a shorter retention
// with what ClickHouse then drops.
func TestDryRunEqualsWhatHappens(t *testing.T) {
	db, o := lake(t)
	h, err := Read(t.Context(), db, o, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Disks) == 0 || h.Disks[0].Total == 0 {
		t.Errorf("disks: %+v", h.Disks)
	}
	for _, table := range h.Tables {
		if want := count(t, db, table.Name); table.Rows() != want || want > 0 && table.Bytes() == 0 {
			t.Errorf("%s: %d rows in %d bytes, not %d rows", table.Name, table.Rows(), table.Bytes(), want)
		}
	}
	for _, days := range []int{8, 4} {
		var goes uint64
		for _, p := range h.With(Policy{Days: map[string]int{"sip": days}}).Expired("sip") {
			goes += p.Rows
		}
		if goes == 0 {
			t.Fatalf("nothing goes at %d days", days)
		}
		o.TTLDays = map[string]int{"sip": days}
		apply(t, db, o)
		if err := db.Exec(t.Context(), "OPTIMIZE TABLE sip FINAL"); err != nil {
			t.Fatal(err)
		}
		var left uint64
		for range 100 {
			if left = count(t, db, "sip"); left == 1000-goes {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if left != 1000-goes {
			t.Errorf("%d days: %d rows are left, the dry run said %d", days, left, 1000-goes)
		}
	}
	if n := count(t, db, "media"); n != 100 {
		t.Errorf("%d media rows are left of 100", n)
	}
}

// TestReadsWhileMerging reads the holdings while parts take each other's place.
func TestReadsWhileMerging(t *testing.T) {
	db, o := lake(t)
	ctx, cancel := context.WithCancel(t.Context())
	merged := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := db.Exec(ctx, "OPTIMIZE TABLE media FINAL"); err != nil && ctx.Err() == nil {
				merged <- err
				return
			}
		}
		merged <- nil
	}()
	for range 40 {
		h, err := Read(t.Context(), db, o, Policy{})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range h.Tables {
			if want := count(t, db, table.Name); table.Rows() != want {
				t.Errorf("%s: %d rows, not %d", table.Name, table.Rows(), want)
			}
		}
	}
	cancel()
	if err := <-merged; err != nil {
		t.Error(err)
	}
}

func TestForecast(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	today := now.Truncate(24 * time.Hour)
	h := &Holdings{Now: now, Policy: Policy{Days: map[string]int{"sip": 3}}, Tables: []Table{{Name: "sip", Days: 3}}}
	for d := 5; d >= 0; d-- {
		day := today.AddDate(0, 0, -d)
		bytes := uint64(100)
		if d == 0 {
			bytes = 50
		}
		h.Tables[0].Parts = append(h.Tables[0].Parts, Part{Table: "sip", Day: day, Rows: 1, Bytes: bytes, Newest: day.Add(24*time.Hour - time.Minute)})
	}
	if daily, _ := h.Tables[0].Daily(now); daily != 100 {
		t.Errorf("%g bytes a day", daily)
	}
	// What the next nights find: that day and the two before.
	for i, day := range h.Forecast(6) {
		if day.Bytes != 300 {
			t.Errorf("night %d (%s): %g bytes", i, day.Day.Format(time.DateOnly), day.Bytes)
		}
	}
	if f := h.With(Policy{Days: map[string]int{"sip": 0}}).Forecast(3); f[2].Bytes != 800 {
		t.Errorf("kept for ever: %g bytes on the third night", f[2].Bytes)
	}
	if f := h.With(Policy{Days: map[string]int{"sip": 1}}).Forecast(1); f[0].Bytes != 100 {
		t.Errorf("kept a day: %g bytes tonight", f[0].Bytes)
	}
}

// TestForecastFollowsRules has a day's rows go in two steps: half after a day, a
// quarter after three; a quarter is held.
func TestForecastFollowsRules(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	h := &Holdings{Now: now, Policy: Policy{Days: map[string]int{"sip": 3}, Rules: []Rule{{Name: "pings", Methods: []string{"OPTIONS"}, Days: 1}}}}
	sip := Table{Name: "sip", Days: 3, Shares: map[time.Time][]Share{}}
	for d := 7; d >= 1; d-- {
		day := now.AddDate(0, 0, -d)
		sip.Parts = append(sip.Parts, Part{Table: "sip", Day: day, Rows: 40, Bytes: 400, Newest: day.Add(24*time.Hour - time.Minute)})
		sip.Shares[day] = []Share{{Class: 1, Rows: 20}, {Class: 0, Rows: 10}, {Class: 0, Held: true, Rows: 10}}
	}
	h.Tables = []Table{sip}
	// At the end of the first night: 100 held of each of seven days; today's 400;
	// and of yesterday and the day before what the table's days keep.
	f := h.Forecast(3)
	if got, want := f[0].Bytes, 7*100.0+400+2*100; got != want {
		t.Errorf("tonight: %g bytes, want %g", got, want)
	}
	// On the third night all that was there is gone but what is held, and the three
	// days that came are there as they are by then.
	if got, want := f[2].Bytes, 7*100.0+400+2*200; got != want {
		t.Errorf("on the third night: %g bytes, want %g", got, want)
	}
	if c := h.Tables[0].Class(0); c != (ClassHoldings{Rows: 70, Bytes: 700, Held: 70}) {
		t.Errorf("no rule: %+v", c)
	}
	if c := h.Tables[0].Class(1); c != (ClassHoldings{Rows: 140, Bytes: 1400}) {
		t.Errorf("pings: %+v", c)
	}
}

// metric is the value of a metric of one table, or without labels.
func metric(t *testing.T, r *prometheus.Registry, name, table string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name && (table == "" || m.Label[0].GetValue() == table) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s of %q", name, table)
	return 0
}

// TestGuardDropsOldestFirst lets the disk be short by two days' worth.
func TestGuardDropsOldestFirst(t *testing.T) {
	db, o := lake(t)
	still(t, db)
	h, err := Read(t.Context(), db, o, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	g := &Guard{DB: db, Schema: o, Log: slog.New(slog.NewTextHandler(&log, nil))}
	registry := prometheus.NewRegistry()
	g.Register(registry)
	// A byte more than the oldest day has in all tables: the next must go too.
	g.free = func(context.Context) (map[string]uint64, error) { return map[string]uint64{"default": 0}, nil }
	for i := range h.Tables {
		if h.Tables[i].Name == "media" {
			g.MinFree = h.Tables[0].Parts[0].Bytes + h.Tables[i].Parts[0].Bytes + 1
		}
	}
	if err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sip, media := count(t, db, "sip"), count(t, db, "media"); sip != 800 || media != 80 {
		t.Errorf("%d and %d rows are left", sip, media)
	}
	var oldest time.Time
	if err := db.QueryRow(t.Context(), "SELECT min(time) FROM sip").Scan(&oldest); err != nil {
		t.Fatal(err)
	}
	if days := int(h.Now.Sub(oldest).Hours()/24) + 1; days > 9 {
		t.Errorf("the oldest row is %s", oldest)
	}
	if n := metric(t, registry, "heplake_disk_guard_dropped_rows_total", "sip"); n != 200 {
		t.Errorf("%g rows counted", n)
	}
	if n := strings.Count(log.String(), "dropped a day"); n != 4 {
		t.Errorf("log: %s", log.String())
	}

	// Never today's, and an alarm when that is all there is.
	if err := db.Exec(t.Context(), "INSERT INTO sip (time) SELECT now64(6)"); err != nil {
		t.Fatal(err)
	}
	g.MinFree = 1 << 62
	if err := g.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "sip"); n != 1 || metric(t, registry, "heplake_disk_guard_low", "") != 1 {
		t.Errorf("%d rows are left, low is %g", n, metric(t, registry, "heplake_disk_guard_low", ""))
	}
	g.free = nil
	g.MinFree = 1
	if err := g.look(t.Context()); err != nil || metric(t, registry, "heplake_disk_guard_low", "") != 0 {
		t.Errorf("with space: %v, low is %g", err, metric(t, registry, "heplake_disk_guard_low", ""))
	}
}
