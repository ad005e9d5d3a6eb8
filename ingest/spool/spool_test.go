package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, dir string, o Options) *Spool {
	t.Helper()
	if o.MaxBytes == 0 {
		o.MaxBytes, o.MemoryBytes = 1<<30, 1<<30
	}
	o.Log = quiet
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealed(id string, size int) batch.Sealed {
	return batch.Sealed{ID: id, Table: "sip", Rows: 3, Packets: 2, Oldest: time.Unix(1, 0).UTC(), Body: bytes.Repeat([]byte(id), size)[:size]}
}

func next(t *testing.T, s *Spool) (*Entry, batch.Sealed) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	e, b, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	size := b.Size()
	if b, err = b.Load(); err != nil {
		t.Fatal(err)
	}
	if size != int64(len(b.Body)) {
		t.Fatalf("batch %s says it has %d bytes and has %d", b.ID, size, len(b.Body))
	}
	return e, b
}

func TestABatchSurvivesARestartByteForByte(t *testing.T) {
	dir := t.TempDir()
	want := sealed("a", 100_000)
	for _, sync := range []bool{true, false} {
		if _, _, err := open(t, dir, Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20, Sync: sync}).Put(want); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir, Options{})
		if st := again.Stats(); st.Batches != 1 || st.Packets != 2 {
			t.Errorf("sync %v: after the restart %+v, want the one batch", sync, st)
		}
		e, got := next(t, again)
		if got.ID != want.ID || got.Table != want.Table || got.Rows != want.Rows || got.Packets != want.Packets || !got.Oldest.Equal(want.Oldest) || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("sync %v: came back as %+v", sync, got)
		}
		again.Ack(e)
		if st := again.Stats(); st != (Stats{}) {
			t.Errorf("sync %v: after the acknowledgement %+v, want nothing", sync, st)
		}
		if st := open(t, dir, Options{}).Stats(); st.Batches != 0 {
			t.Errorf("sync %v: an acknowledged batch is back after a restart", sync)
		}
	}
}

func TestFreshBatchesGoBeforeTheBacklogAndBothInOrder(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, Options{})
	for _, id := range []string{"1", "2"} {
		if _, _, err := before.Put(sealed(id, 10)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, Options{})
	for _, id := range []string{"3", "4"} {
		if _, _, err := s.Put(sealed(id, 10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"3", "4", "1", "2"} {
		e, b := next(t, s)
		if b.ID != want {
			t.Errorf("got %s, want %s", b.ID, want)
		}
		s.Ack(e)
	}
}

// TestWhatIsOnDiskTakesNoMemory: the caller may use the memory of a batch again
// as soon as Put returns.
func TestWhatIsOnDiskTakesNoMemory(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20})
	for i := range 5 {
		b := sealed(fmt.Sprint(i), 1000)
		b.Pieces, b.Body = [][]byte{b.Body[:10:10], b.Body[10:]}, nil
		if _, _, err := s.Put(b); err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Pieces {
			clear(p)
		}
	}
	if st := s.Stats(); st.MemoryBytes != 0 || st.Batches != 5 {
		t.Errorf("%+v, want 5 batches on disk alone", st)
	}
	for i := range 5 {
		e, b := next(t, s)
		if b.ID != fmt.Sprint(i) || !bytes.Equal(b.Body, sealed(fmt.Sprint(i), 1000).Body) {
			t.Errorf("batch %d came as %s with %q", i, b.ID, b.Body)
		}
		s.Ack(e)
	}
}

func TestAFullSpoolSaysSo(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1500, MemoryBytes: 0})
	if _, _, err := s.Put(sealed("a", 1000)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Put(sealed("b", 1000)); !errors.Is(err, ErrFull) {
		t.Errorf("put beyond the limit: %v, want ErrFull", err)
	}
	e, _ := next(t, s)
	s.Ack(e)
	if _, _, err := s.Put(sealed("b", 1000)); err != nil {
		t.Errorf("put after room was made: %v", err)
	}
}

func TestADiskThatRefusesLeavesMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, Options{MaxBytes: 1 << 20, MemoryBytes: 1500})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Put(sealed("a", 1000)); err != nil {
		t.Fatalf("put without a disk: %v, want it kept in memory", err)
	}
	if _, _, err := s.Put(sealed("b", 1000)); !errors.Is(err, ErrFull) {
		t.Errorf("put without disk and memory: %v, want ErrFull", err)
	}
	if st := s.Stats(); st.WriteErrors != 2 || !st.DiskRefuses || st.Bytes != 0 || st.MemoryBytes != 1000 {
		t.Errorf("%+v, want two write errors and 1000 bytes in memory", st)
	}
	e, b := next(t, s)
	if b.ID != "a" {
		t.Errorf("got %s", b.ID)
	}
	s.Ack(e)
}

func TestDamagedFilesAreSetAsideAndTheOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	for _, id := range []string{"a", "b", "c", "d"} {
		if _, _, err := s.Put(sealed(id, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	damage := func(id string, f func([]byte) []byte) {
		path := filepath.Join(dir, id+suffix)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage("a", func(b []byte) []byte { return b[:len(b)-1] })              // torn
	damage("b", func(b []byte) []byte { b[len(b)-5] ^= 1; return b })       // a flipped bit
	damage("c", func(b []byte) []byte { return append([]byte("x"), b...) }) // not ours
	if err := os.WriteFile(filepath.Join(dir, "e"+suffix+tmpSuffix), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}

	again := open(t, dir, Options{})
	if st := again.Stats(); st.Corrupt != 2 || st.Batches != 2 {
		t.Errorf("after open %+v, want two files found damaged by their lengths and two left", st)
	}
	// The flipped bit shows when the body is read.
	e, _, err := again.Next(t.Context())
	if !errors.Is(err, errCorrupt) || e.ID != "b" {
		t.Errorf("reading the flipped one: %v", err)
	}
	e, b := next(t, again)
	if b.ID != "d" {
		t.Errorf("got %s, want the one that is whole", b.ID)
	}
	again.Ack(e)
	dead, err := os.ReadDir(filepath.Join(dir, deadDir))
	if err != nil || len(dead) != 3 {
		t.Errorf("%d files set aside (%v), want 3", len(dead), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+tmpSuffix)); len(left) != 0 {
		t.Errorf("half-written files left: %v", left)
	}
}

func TestRetryComesBackAndRejectIsKeptForTheOperator(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, _, err := s.Put(sealed("a", 10)); err != nil {
		t.Fatal(err)
	}
	e, _ := next(t, s)
	s.Retry(e)
	e, b := next(t, s)
	if b.ID != "a" || e.Attempts != 1 {
		t.Errorf("after a retry: %s with %d attempts", b.ID, e.Attempts)
	}
	if err := s.Reject(e, b, errors.New("no such row")); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("after the rejection %+v, want nothing", st)
	}
	if got, err := read(filepath.Join(dir, deadDir, "a"+suffix)); err != nil || !bytes.Equal(got.Body, b.Body) {
		t.Errorf("the rejected batch is not kept: %v", err)
	}
}

func TestNextWaitsAndEndsWithItsContext(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("next of an empty spool: %v", err)
	}
	done := make(chan string)
	for range 2 {
		go func() {
			_, b, _ := s.Next(context.Background())
			done <- b.ID
		}()
	}
	for _, id := range []string{"a", "b"} {
		if _, _, err := s.Put(sealed(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{<-done: true, <-done: true}
	if !got["a"] || !got["b"] {
		t.Errorf("two that waited got %v", got)
	}
}

// TestABatchMayGoBeforeItIsOnTheDisk leases and acknowledges a batch of which
// nobody waited for the disk yet.
func TestABatchMayGoBeforeItIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{Sync: true})
	_, kept, err := s.Put(sealed("a", 1000))
	if err != nil {
		t.Fatal(err)
	}
	// A process that is killed now leaves it whole.
	if st := open(t, dir, Options{}).Stats(); st.Batches != 1 || st.Corrupt != 0 {
		t.Errorf("after a kill: %+v", st)
	}
	e, b := next(t, s)
	if !bytes.Equal(b.Body, sealed("a", 1000).Body) {
		t.Error("the batch is another one")
	}
	// Who waits for it sees that it is gone.
	time.AfterFunc(10*time.Millisecond, func() { s.Ack(e) })
	if !kept.Sync(t.Context(), time.Hour) {
		t.Error("a batch that ClickHouse has is not safe")
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("in the end %+v", st)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// TestADiskThatTakesAndDoesNotKeep fails the synchronisation of a batch that
// waits, of one that is being sent, and of one for which there is no memory.
func TestADiskThatTakesAndDoesNotKeep(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1 << 20, MemoryBytes: 1500, Sync: true})
	refuse := func(id string, lease bool) (kept *Kept, e *Entry) {
		_, kept, err := s.Put(sealed(id, 1000))
		if err != nil {
			t.Fatal(err)
		}
		if lease {
			e, _ = next(t, s)
		}
		if err := kept.f.Close(); err != nil {
			t.Fatal(err)
		}
		if kept.Sync(t.Context(), 0) {
			t.Errorf("%s is said to be on the disk", id)
		}
		return kept, e
	}
	_, leased := refuse("leased", true)
	if st := s.Stats(); st.MemoryBytes != 0 || st.WriteErrors != 1 || !st.DiskRefuses {
		t.Errorf("%+v, want what is being sent left as it is and the alarm on", st)
	}
	s.Retry(leased)
	refuse("waits", false)
	refuse("no-room", false)
	if st := s.Stats(); st.MemoryBytes != 1000 || st.Batches != 3 || st.Bytes != 2*(1000+prefixLen) {
		t.Errorf("%+v, want one batch in memory and two in their files", st)
	}
	for range 3 {
		e, b := next(t, s)
		if !bytes.Equal(b.Body, sealed(b.ID, 1000).Body) {
			t.Errorf("batch %s is another one", b.ID)
		}
		s.Ack(e)
	}
	if st := s.Stats(); st.Batches != 0 || st.Bytes != 0 || st.MemoryBytes != 0 || st.Packets != 0 {
		t.Errorf("in the end %+v", st)
	}
}
