package retention

import (
	"errors"
	"testing"
	"time"

	"github.com/heplake/heplake/schema"
)

// TestClock has a server's clock set while a clock that nobody sets runs on.
func TestClock(t *testing.T) {
	const hour, day, year = time.Hour, 24 * time.Hour, 365 * 24 * time.Hour
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	type look struct {
		after time.Duration // the start, by the clock that nobody sets
		ahead time.Duration // how far the server's clock is from that
		want  bool
	}
	for _, way := range []struct {
		name  string
		looks []look
	}{
		{"runs on", []look{{0, 0, true}, {hour, 0, true}, {40 * day, 0, true}}},
		{"an hour ahead", []look{{0, 0, true}, {hour, hour, true}}},
		{"a year ahead for a minute", []look{{0, 0, true}, {hour, year, false}, {hour + time.Minute, 0, true}}},
		{"a year ahead and it stays", []look{{0, 0, true}, {hour, year, false}, {24 * hour, year, false}, {26 * hour, year, true}, {27 * hour, year, true}}},
		{"ahead and farther ahead", []look{{0, 0, true}, {hour, year, false}, {20 * hour, 2 * year, false}, {26 * hour, 2 * year, false}, {45 * hour, 2 * year, true}}},
		{"years behind and back", []look{{0, 0, true}, {hour, -9 * year, true}, {2 * hour, 0, true}, {3 * hour, year, false}}},
		{"was off for a week", []look{{0, 7 * day, false}, {23 * hour, 7 * day, false}, {24 * hour, 7 * day, true}}},
	} {
		t.Run(way.name, func(t *testing.T) {
			var c clock
			c.begin(start, start)
			for _, l := range way.looks {
				local := start.Add(l.after)
				if ok, ahead := c.believe(local.Add(l.ahead), local); ok != l.want {
					t.Errorf("%s after the start, %s off: believed %v (ahead %s)", l.after, l.ahead, ok, ahead)
				}
			}
		})
	}
}

// TestASweepWhileTheClockIsSet: the clock was right when the keeper asked, and is
// far ahead when the sweep asks.
func TestASweepWhileTheClockIsSet(t *testing.T) {
	b := oneNode(t, schema.Options{KeeperDeletes: true})
	exec(t, b.db, "INSERT INTO sip (time, own_call_id) SELECT now64(6) - INTERVAL 20 DAY, 'kept'")
	k := b.keeper(Policy{Days: map[string]int{"sip": 10}})
	k.clock.begin(time.Now().Add(-11*24*time.Hour), time.Now()) // now is eleven days ahead
	count := func() (n uint64) {
		t.Helper()
		if err := b.db.QueryRow(t.Context(), "SELECT count() FROM sip").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if err := k.Sweep(t.Context()); !errors.Is(err, errClock) || count() != 1 {
		t.Errorf("%v, %d rows are left", err, count())
	}
	k.clock.begin(time.Now(), time.Now())
	sweep(t, k)
	if count() != 0 {
		t.Error("what is over is there still")
	}
}

func TestPartitionEnd(t *testing.T) {
	for _, p := range []struct{ by, id, want string }{
		{"toDate(slot)", "20261231", "2027-01-01"}, {"toMonday(hour)", "20261116", "2026-11-23"},
		{"toYYYYMM(bucket)", "202612", "2027-01-01"}, {"toYear(day)", "2026", "2027-01-01"},
	} {
		if end, err := partitionEnd(p.by, p.id); err != nil || end.Format(time.DateOnly) != p.want {
			t.Errorf("%s %s ends %v, %v; want %s", p.by, p.id, end, err, p.want)
		}
	}
	for _, table := range schema.Expiring() {
		known := false
		for _, id := range []string{"20261116", "202612", "2026"} {
			_, err := partitionEnd(table.PartitionBy, id)
			known = known || err == nil
		}
		if !known {
			t.Errorf("the keeper cannot tell when a partition of %s is over", table.Name)
		}
	}
	for _, p := range []struct{ by, id string }{{"batch", "1"}, {"toDate(time)", "2026-01"}} {
		if _, err := partitionEnd(p.by, p.id); err == nil {
			t.Errorf("%s %s has an end", p.by, p.id)
		}
	}
}

// TestExpire has partitions of every table whose rows are over, and some not.
func TestExpire(t *testing.T) {
	o := schema.Options{KeeperDeletes: true, KeeperDeletesAll: true}
	b := oneNode(t, o)
	const fill = "INSERT INTO messages_1m (bucket, cseq_method, messages) SELECT arrayJoin([now() - INTERVAL 800 DAY, now() - INTERVAL 100 DAY, now()]), 'OPTIONS', 1"
	exec(t, b.db, fill)
	exec(t, b.db, "INSERT INTO kpi_1m (bucket, dim, version) SELECT arrayJoin([now() - INTERVAL 200 DAY, now() - INTERVAL 30 DAY, now()]), 'all', 1")
	exec(t, b.db, "INSERT INTO kpi_1d (bucket, dim, version) SELECT arrayJoin([now() - INTERVAL 30 YEAR, now() - INTERVAL 30 DAY]), 'all', 1")
	// Digests of old messages that were made of late are of use.
	exec(t, b.db, "INSERT INTO leg_digests (slot, call_id, touched) SELECT now() - INTERVAL 60 DAY, 'late', now64(6)")
	exec(t, b.db, "INSERT INTO leg_digests (slot, call_id, touched) SELECT now() - INTERVAL 20 DAY, 'old', now64(6) - INTERVAL 20 DAY")
	exec(t, b.db, "INSERT INTO keeper (time, holder) SELECT arrayJoin([now64(6) - INTERVAL 9 DAY, now64(6)]), 'x'")
	count := func(table string) (n uint64) {
		t.Helper()
		if err := b.db.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	days := count("kpi_1d")
	if count("messages_1m") != 3 || count("kpi_1m") != 3 || count("leg_digests") != 2 || count("keeper") != 2 || days != 2 {
		t.Fatal("something deletes by itself")
	}
	k := b.keeper(Policy{})
	sweep(t, k)
	for table, want := range map[string]uint64{"messages_1m": 2, "kpi_1m": 2, "leg_digests": 1, "keeper": 1, "kpi_1d": 1} {
		if n := count(table); n != want {
			t.Errorf("%s has %d rows, want %d", table, n, want)
		}
	}
	sweep(t, k) // nothing is left to do
}
