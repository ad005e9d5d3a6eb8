package spool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

func TestTheBacklogHasAQuarterWhileLiveTrafficWaits(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, Options{})
	for i := range 4 {
		put(t, before, aged(fmt.Sprint("old", i), int64(i), 10))
	}
	s := open(t, dir, Options{})
	for i := range 6 {
		put(t, s, sealed(fmt.Sprint("live", i), 10))
	}
	var got []string
	for range 10 {
		e, b := next(t, s)
		got = append(got, b.ID)
		s.Ack(e)
	}
	const want = "live0 live1 live2 old0 live3 live4 live5 old1 old2 old3"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("leased %s, want %s", s, want)
	}
}

func TestWhatWaitedLongIsNoLongerLive(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	put(t, s, sealed("waited", 10))
	s.fresh[0].put = time.Now().Add(-2 * liveFor)
	put(t, s, sealed("new", 10))
	if _, b := next(t, s); b.ID != "new" {
		t.Errorf("got %s first, want what has just come", b.ID)
	}
}

func table(name, id string) batch.Sealed {
	b := sealed(id, 10)
	b.Table = name
	return b
}

func TestAStuckTableLeavesRoomForTheOthers(t *testing.T) {
	s := open(t, t.TempDir(), Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20, Leases: 4})
	for i := range 4 {
		put(t, s, table("sip", fmt.Sprint("sip", i)))
	}
	first, _ := next(t, s)
	next(t, s)
	if e, _ := s.lease(time.Now()); e != nil {
		t.Fatalf("a third lease of the table: %s", e.ID)
	}
	put(t, s, table("media", "media"))
	if _, b := next(t, s); b.ID != "media" {
		t.Errorf("got %s, want the other table", b.ID)
	}
	// A lease that ends makes room, and wakes who waits for it.
	got := make(chan string)
	go func() {
		_, b, _ := s.Next(t.Context())
		got <- b.ID
	}()
	s.Ack(first)
	if id := <-got; id != "sip2" {
		t.Errorf("got %s after a lease ended", id)
	}
}

func TestTheBacklogLeavesALeaseForLiveTraffic(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, Options{})
	for _, name := range []string{"a", "b", "c", "d"} {
		put(t, before, table(name, name))
	}
	s := open(t, dir, Options{MaxBytes: 1 << 20, MemoryBytes: 1 << 20, Leases: 3})
	next(t, s)
	next(t, s)
	if e, _ := s.lease(time.Now()); e != nil {
		t.Fatalf("the backlog has every lease: %s", e.ID)
	}
	put(t, s, table("sip", "live"))
	if e, _ := s.lease(time.Now()); e == nil || e.ID != "live" {
		t.Errorf("live traffic got %v", e)
	}
}

func TestWhatFailsWaitsLongerEachTime(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	put(t, s, sealed("a", 10))
	now := time.Now()
	for want := firstPause; ; want *= 2 {
		e, _ := s.lease(now)
		if e == nil {
			t.Fatal("not leased after its pause")
		}
		s.Retry(e)
		want = min(want, longestPause)
		if pause := time.Until(e.notBefore); pause > want || pause < want-time.Second {
			t.Errorf("after %d failures a pause of %s, want %s", e.Attempts, pause, want)
		}
		if e, wait := s.lease(time.Now()); e != nil && wait > 0 || e != nil {
			t.Fatal("leased before its pause ended")
		}
		now = e.notBefore
		if e.Attempts == 20 {
			return
		}
	}
}
