package archive

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/retention"
	"github.com/heplake/heplake/schema"
)

var _ retention.Archiver = (*Archive)(nil)

// TestRetentionArchivesFirst has the keeper delete an old day: it is in the archive
// then, comes back, stays as long as it is to, and is deleted again.
func TestRetentionArchivesFirst(t *testing.T) {
	for name, at := range map[string]place{"folder": inFolder, "bucket": inBucket} {
		t.Run(name, func(t *testing.T) { retentionArchivesFirst(t, openAt(t, at, 0)) })
	}
}

func retentionArchivesFirst(t *testing.T, w *world) {
	w.exec(t, "ALTER TABLE events REMOVE TTL")
	w.exec(t, "TRUNCATE TABLE events")
	w.exec(t, "INSERT INTO events (time, tenant, body) SELECT toStartOfDay(now64(6, 'UTC')) - INTERVAL 30 DAY + toIntervalSecond(number), 'a', concat(unhex('00FF'), toString(number)) FROM numbers(5000)")
	before := w.content(t, "events")
	day := time.Now().UTC().AddDate(0, 0, -30).Format(time.DateOnly)
	days := map[string]int{"sip": 0, "media": 0, "events": 10}
	k := &retention.Keeper{
		DB: w.lake.DB, Schema: schema.Options{Database: w.lake.Name, KeeperDeletes: true, TTLDays: days}, Policy: retention.Policy{Days: days},
		Archiver: w.Archive, Log: slog.New(slog.DiscardHandler),
	}
	k.Register(prometheus.NewRegistry())
	sweep := func(rows bool) {
		t.Helper()
		if err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.content(t, "events"); (len(got) > 0) != rows || rows && !bytes.Equal(got, before) {
			t.Fatalf("%d bytes of rows are left, there were %d", len(got), len(before))
		}
	}
	sweep(false)
	found, err := w.List(t.Context(), "events")
	if err != nil || len(found) != 1 || found[0].Day != day || found[0].Rows != 5000 {
		t.Fatalf("%+v, %v", found, err)
	}
	if _, err := w.Restore(t.Context(), RestoreRequest{Table: "events", Day: day, Stay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	sweep(true)
	if back, err := w.GiveBack(t.Context(), "events", day); err != nil || !back {
		t.Fatalf("%v, %v", back, err)
	}
	sweep(false)
	if found, err = w.List(t.Context(), "events"); err != nil || len(found) != 1 {
		t.Fatalf("archived again: %d generations, %v", len(found), err)
	}
}
