package insert_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
)

func TestHalvesHoldWhatTheBatchHeld(t *testing.T) {
	conn, db := open(t)
	in := insert.New(conn, db, time.Minute)
	whole := mediaBatch(t, "a", "b", "c", "d", "e")
	first, second, err := insert.Split(whole)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := insert.Split(whole)
	if err != nil || again.ID != first.ID || first.ID == second.ID || first.ID == whole.ID {
		t.Errorf("ids %s, %s, and %s the second time (%v): want two that are always the same", first.ID, second.ID, again.ID, err)
	}
	if first.Rows != 2 || second.Rows != 3 || first.Packets+second.Packets != whole.Packets || !first.Oldest.Equal(whole.Oldest) {
		t.Errorf("halves of %d and %d rows with %d and %d packets", first.Rows, second.Rows, first.Packets, second.Packets)
	}
	// The rows that arrive by halves, and halves of these, are those that arrive whole.
	parts := []batch.Sealed{first}
	for rest := second; rest.Rows > 1; {
		var part batch.Sealed
		if part, rest, err = insert.Split(rest); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
		if rest.Rows == 1 {
			parts = append(parts, rest)
		}
	}
	for _, p := range parts {
		if err := in.Insert(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"CREATE TABLE halves ENGINE = Memory AS SELECT * FROM media SETTINGS allow_suspicious_low_cardinality_types = 1", "TRUNCATE TABLE media"} {
		if err := conn.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Insert(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	if n, m := count(t, conn, "halves"), count(t, conn, "(SELECT * FROM halves INTERSECT SELECT * FROM media)"); n != 5 || m != 5 {
		t.Errorf("%d rows by halves, %d of them as in the whole; want 5", n, m)
	}
}

func TestWhatIsNoBatchIsNotSplit(t *testing.T) {
	good := mediaBatch(t, "a", "b")
	cut, one, lie := good, mediaBatch(t, "a"), good
	cut.Body = good.Body[:len(good.Body)/3]
	lie.Rows = 3
	for name, b := range map[string]batch.Sealed{"a cut stream": cut, "a single row": one, "another number of rows": lie} {
		if _, _, err := insert.Split(b); err == nil {
			t.Errorf("%s was split", name)
		}
	}
}

// TestCrashesWhileSplitting kills the work on a poisoned batch at every step:
// after each insert that ClickHouse confirmed, and after each that it refused,
// the spool is opened anew as after a crash. Good rows land once, bad ones in
// the dead folder.
func TestCrashesWhileSplitting(t *testing.T) {
	conn, db := open(t)
	if err := conn.Exec(t.Context(), "ALTER TABLE media ADD CONSTRAINT good CHECK NOT startsWith(call_id, 'bad')"); err != nil {
		t.Fatal(err)
	}
	in := insert.New(conn, db, time.Minute)
	var calls []string
	for i := range 20 {
		name := "good"
		if i == 3 || i == 4 || i == 17 {
			name = "bad"
		}
		calls = append(calls, fmt.Sprint(name, i))
	}
	dir := t.TempDir()
	start := func() *spool.Spool {
		s, err := spool.Open(dir, spool.Options{MaxBytes: 1 << 30, MemoryBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	if _, _, err := s.Put(mediaBatch(t, calls...)); err != nil {
		t.Fatal(err)
	}
	stored, dropped, crashes := 0, 0, 0
	crashed := map[string]bool{}
	for s.Stats().Batches > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		e, b, err := s.Next(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		err = in.Insert(t.Context(), b)
		if err != nil && !errors.Is(err, insert.ErrRejected) {
			t.Fatal(err)
		}
		if !crashed[b.ID] {
			crashed[b.ID] = true
			crashes++
			s = start()
			continue
		}
		switch {
		case err == nil:
			stored += b.Packets
			s.Ack(e)
		case s.Worth(e):
			first, second, err := insert.Split(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Split(e, first, second); err != nil {
				t.Fatal(err)
			}
			s = start() // and a crash when the halves have just replaced it
		default:
			dropped += b.Packets
			if err := s.Reject(e, b, err); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := count(t, conn, "media"); n != 17 || stored != 17 || dropped != 3 || crashes < 10 {
		t.Errorf("%d rows after %d crashes, counted %d stored and %d dropped; want 17 and 3", n, crashes, stored, dropped)
	}
	if n := count(t, conn, "(SELECT DISTINCT call_id FROM media)"); n != 17 {
		t.Errorf("%d different rows, want 17", n)
	}
	dead, err := filepath.Glob(filepath.Join(dir, "dead", "*.batch"))
	if err != nil || len(dead) != 3 {
		t.Errorf("%d dead files (%v), want 3", len(dead), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "dead", "rejected.jsonl")); err != nil {
		t.Error(err)
	}
}
