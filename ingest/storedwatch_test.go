package ingest

import (
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/schema"
)

// storedUntil is a handover that notes what it is told is stored.
type storedUntil struct {
	Handover
	until time.Time
}

func (s *storedUntil) Stored(until time.Time) { s.until = until }

// TestWatchStored: what was handed over is said to be stored once rows were made of it,
// and every batch with these went through the sealers, the spool and ClickHouse.
func TestWatchStored(t *testing.T) {
	p := newTestPipeline(100)
	var err error
	if p.spool, err = spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20, Log: p.log}); err != nil {
		t.Fatal(err)
	}
	told := &storedUntil{}
	p.cfg.Handover = told
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	w := p.workers[0]
	look := func(s int, want time.Time, why string) {
		t.Helper()
		p.watchStored(at(s))
		if !told.until.Equal(want) {
			t.Fatalf("second %d, %s: stored until %v, want %v", s, why, told.until.Sub(start), want.Sub(start))
		}
	}
	w.legs.held.marks = []heldMark{{at(-5), 3}, {at(-4), 2}}
	// What is held since second -5 is not stored; what was handed over before, perhaps.
	look(0, time.Time{}, "the first look")
	rows := open(w, &w.digestRows, at(-7).UnixMicro())
	commit(w, &w.digestRows, rows, 0, at(-1))
	look(1, time.Time{}, "rows are in an open batch")
	w.digestRows.takeAll()
	number := p.commits.issue(at(-1))
	look(2, time.Time{}, "a batch is with the sealers")
	if _, _, err = p.spool.Put(batch.Sealed{ID: "a", Table: schema.LegDigests.Name, Rows: 1, Body: []byte("a"), Oldest: start}); err != nil {
		t.Fatal(err)
	}
	p.commits.spooled(number)
	look(3, time.Time{}, "a batch is in the spool")
	look(4, time.Time{}, "a batch is in the spool still")
	entry, _, err := p.spool.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	look(5, time.Time{}, "a batch is on its way to ClickHouse")
	p.spool.Ack(entry)
	look(6, at(-5).Add(-1), "ClickHouse has it")
	w.legs.held.marks = nil
	look(7, at(-5).Add(-1), "all is let go")
	look(8, at(7).Add(-1), "nothing is left")
}
