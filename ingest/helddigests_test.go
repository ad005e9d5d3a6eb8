package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/schema"
)

// TestToldIDs: a row of ids is made once, and again when something of it differs, or
// in another hour.
func TestToldIDs(t *testing.T) {
	var told toldIDs
	id := digest.ID{Slot: 3600, Key: []byte("k"), CallID: []byte("c"), CorrelationID: []byte("x")}
	has := func(id digest.ID) bool { return told.has(digest.IDHash(id.Key), id) }
	if has(id) || !has(id) {
		t.Error("the same is told twice, or never")
	}
	same := id
	same.Slot += 600
	if !has(same) {
		t.Error("another ten minutes of the hour are told of")
	}
	for _, change := range []func(*digest.ID){
		func(d *digest.ID) { d.Slot += 3600 },
		func(d *digest.ID) { d.Key = []byte("l") },
		func(d *digest.ID) { d.CallID = []byte("d") },
		func(d *digest.ID) { d.CorrelationID = []byte("y") },
		func(d *digest.ID) { d.CallID, d.CorrelationID = d.CorrelationID, d.CallID },
	} {
		other := id
		change(&other)
		if has(other) {
			t.Errorf("%+v is not told of", other)
		}
	}
	fresh := 0
	for i := range 1000 {
		if !has(digest.ID{Key: fmt.Append(nil, i), CallID: []byte("c")}) {
			fresh++
		}
	}
	if fresh != 1000 {
		t.Errorf("%d of 1000 new ones are told of", fresh)
	}
}

// TestToldUsers: a row of users is made once, and again when it says something new.
func TestToldUsers(t *testing.T) {
	var told toldUsers
	u := digest.User{Name: []byte("ann"), CorrelationID: []byte("x"), Fields: 1}
	has := func(u digest.User, hour uint32) bool { return told.has(digest.IDHash(u.Name), hour, u) }
	if has(u, 3600) || !has(u, 3600) {
		t.Error("the same is told twice, or never")
	}
	more := u
	if more.Fields = 3; has(more, 3600) || !has(more, 3600) {
		t.Error("a further field is told twice, or never")
	}
	if more.Fields = 2; !has(more, 3600) || !has(u, 3600) {
		t.Error("fewer fields are told again")
	}
	other := u
	other.CorrelationID = []byte("y")
	if has(other, 3600) || has(u, 7200) || has(digest.User{Name: []byte("ben"), CorrelationID: []byte("x"), Fields: 1}, 3600) {
		t.Error("another correlation id, hour or user is not told")
	}
}

// TestMarks: legs are held from when they were handed over first, and go with the
// oldest.
func TestMarks(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	h := heldDigests{run: 7}
	h.mark(at(0), 10)
	h.mark(at(1), 10) // nothing new
	h.mark(at(2), 15)
	h.mark(at(3), 35)
	for s, want := range []int{10, 10, 15, 35, 35} {
		if got := h.until(at(s)); got != want {
			t.Errorf("%d legs until second %d, want %d", got, s, want)
		}
	}
	if h.until(at(-1)) != 0 || !h.handed.Equal(at(3)) {
		t.Error("legs before the first, or another time of the last handing")
	}
	h.let(12)
	if h.until(at(0)) != 0 || h.until(at(2)) != 3 || h.until(at(3)) != 23 || h.run != 7 {
		t.Errorf("after 12 went: %+v", h)
	}
	h.mark(at(4), 24)
	if h.until(at(4)) != 24 {
		t.Errorf("after one came: %+v", h)
	}
	h.let(24)
	if len(h.marks) != 0 || h.run != 0 {
		t.Errorf("after all went: %+v", h)
	}
}

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
	w.held.marks = []heldMark{{at(-5), 3}, {at(-4), 2}}
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
	w.held.marks = nil
	look(7, at(-5).Add(-1), "all is let go")
	look(8, at(7).Add(-1), "nothing is left")
}
