package spool

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

func put(t *testing.T, s *Spool, b batch.Sealed) []Lost {
	t.Helper()
	evicted, kept, err := s.Put(b)
	if err != nil {
		t.Fatalf("put %s: %v", b.ID, err)
	}
	kept.Sync(t.Context(), 0)
	return evicted
}

// aged is a batch whose first packet came at second n.
func aged(id string, n int64, size int) batch.Sealed {
	b := sealed(id, size)
	b.Oldest = time.Unix(n, 0).UTC()
	return b
}

func TestOldestMakesRoom(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 2500, MemoryBytes: 1, DropOldest: true})
	put(t, s, aged("b", 2, 1000))
	put(t, s, aged("a", 1, 1000))
	if got := put(t, s, aged("c", 3, 1000)); len(got) != 1 || got[0] != (Lost{"sip", "evicted", 3, 2}) {
		t.Errorf("evicted %+v, want one batch of 3 rows and 2 packets", got)
	}
	for _, want := range []string{"b", "c"} {
		if e, b := next(t, s); b.ID != want {
			t.Errorf("got %s, want %s: the oldest goes", b.ID, want)
		} else {
			s.Ack(e)
		}
	}
	if st := s.Stats(); st != (Stats{}) {
		t.Errorf("in the end %+v", st)
	}
	// What is leased is on its way and stays; what is larger than the limit evicts nothing.
	put(t, s, aged("d", 4, 1000))
	e, _ := next(t, s)
	put(t, s, aged("e", 5, 1000))
	if _, _, err := s.Put(aged("f", 6, 5000)); !errors.Is(err, ErrFull) {
		t.Errorf("a batch larger than the limit: %v", err)
	}
	if got := put(t, s, aged("g", 7, 1000)); len(got) != 1 || s.Stats().Batches != 2 {
		t.Errorf("evicted %+v, %+v", got, s.Stats())
	}
	s.Ack(e)
}

func TestCloseCountsWhatNothingKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := open(t, dir, Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	put(t, s, sealed("a", 100))
	if lost := s.Close(); len(lost) != 1 || lost[0] != (Lost{"sip", "stop", 3, 2}) {
		t.Errorf("lost %+v, want the batch that is in memory alone", lost)
	}
	if st := s.Stats(); st.Batches != 0 || st.Packets != 0 || st.MemoryBytes != 0 {
		t.Errorf("after the loss %+v", st)
	}

	put(t, s, sealed("b", 100))
	if err := os.MkdirAll(filepath.Join(dir, deadDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if lost := s.Close(); lost != nil {
		t.Errorf("lost %+v though the disk is back", lost)
	}
	if e, b := next(t, open(t, dir, Options{})); b.ID != "b" || e.Packets != 2 {
		t.Errorf("the next start finds %s", b.ID)
	}
}

// TestAFullDisk fills the disk by the limit on a file's size, which acts on
// writes as a full disk does.
func TestAFullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	defer limit(was.Cur)
	dir := t.TempDir()
	var log bytes.Buffer
	s, err := Open(dir, Options{MaxBytes: 1 << 20, MemoryBytes: 5500, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, aged("before", 1, 2000))
	limit(500)
	for i, id := range []string{"a", "b"} {
		put(t, s, aged(id, int64(2+i), 2000)) // the second takes the memory of "before", which is on disk
	}
	_, _, err = s.Put(aged("c", 4, 2000))
	limit(was.Cur)
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.EFBIG) {
		t.Errorf("disk and memory full: %v, want both said", err)
	}
	if st := s.Stats(); st.WriteErrors != 3 || !st.DiskRefuses || st.Batches != 3 || st.MemoryBytes != 4000 {
		t.Errorf("%+v, want three refusals, the alarm on, and three batches kept", st)
	}
	if n := strings.Count(log.String(), "spool cannot write"); n != 1 {
		t.Errorf("%d lines about one full disk, want one a minute:\n%s", n, &log)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+tmpSuffix)); len(left) != 0 {
		t.Errorf("half-written files left: %v", left)
	}

	// It recovers by itself.
	put(t, s, aged("d", 5, 500))
	if s.Stats().DiskRefuses || !strings.Contains(log.String(), "writes to the disk again") {
		t.Error("the alarm is still on")
	}
	if st := open(t, dir, Options{}).Stats(); st.Batches != 4 {
		t.Errorf("a crash now would leave %d batches, want all 4: those of the full disk are written later", st.Batches)
	}
	got := map[string]int{}
	for range 4 {
		e, b := next(t, s)
		got[b.ID] = len(b.Body)
		s.Ack(e)
	}
	if got["before"] != 2000 || got["a"] != 2000 || got["b"] != 2000 || got["d"] != 500 {
		t.Errorf("got batches and their sizes %v, want all of them", got)
	}
}

// TestAFullFileSystem is the same on a real one, where a mount is allowed.
func TestAFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := mountTmpfs(dir, "size=64k"); err != nil {
		t.Skip("cannot mount a small file system here:", err)
	}
	defer func() {
		if err := unmount(dir); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, dir, Options{MaxBytes: 1 << 30, MemoryBytes: 1 << 20, Sync: true})
	for _, id := range []string{"a", "b", "c"} {
		put(t, s, sealed(id, 30_000))
	}
	if st := s.Stats(); !st.DiskRefuses || st.Batches != 3 {
		t.Errorf("%+v, want the alarm on and nothing lost", st)
	}
	e, _ := next(t, s)
	s.Ack(e)
	put(t, s, sealed("d", 10_000))
	if st := s.Stats(); st.DiskRefuses || st.Batches != 3 {
		t.Errorf("%+v, want the alarm off once there is room", st)
	}
	if lost := s.Close(); len(lost) != 1 || lost[0].Reason != "stop" {
		t.Errorf("lost at the stop %+v, want the one that does not fit", lost)
	}
}
