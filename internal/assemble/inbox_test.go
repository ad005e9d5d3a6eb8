package assemble

import (
	"strconv"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// TestInbox: it takes nothing before it is open, and of a run that it has lost
// count of nothing more; the next run has another number.
func TestInbox(t *testing.T) {
	woken := 0
	drain := func(b *Inbox) []handed {
		queue, _ := b.drain()
		return queue
	}
	b := newInbox(func() { woken++ })
	piece := []digest.Piece{{Slot: 600, CallID: "a", Kinds: digest.OfCall, Digest: make([]byte, 100)}}
	if b.Run() != 0 || b.Take(0, "t", nil) && len(drain(b)) > 0 {
		t.Error("a closed inbox takes something")
	}
	b.open()
	run := b.Run()
	if run == 0 || b.Take(run+1, "t", piece) || !b.Take(run, "t", piece) {
		t.Error("an open one does not take what is of its run, alone")
	}
	if got := drain(b); len(got) != 1 || got[0].tenant != "t" || len(drain(b)) != 0 {
		t.Errorf("%d were taken", len(got))
	}
	b.open()
	if b.Run() != run {
		t.Error("another run, though nothing was lost")
	}
	large := []digest.Piece{{CallID: "b", Digest: make([]byte, inboxBytes/2)}}
	if !b.Take(run, "t", large) || b.Take(run, "t", large) || b.Run() != 0 || len(drain(b)) != 0 {
		t.Error("more is taken than there is room for")
	}
	b.open()
	again := b.Run()
	if again == 0 || again == run {
		t.Errorf("run %d after %d", again, run)
	}
	until := time.Now()
	b.Stored(until)
	if _, stored := b.drain(); !stored.Equal(until) {
		t.Errorf("stored until %v, want %v", stored, until)
	}
	b.Renew()
	b.Renew()
	b.open()
	if b.Run() == again {
		t.Error("the same run after Renew")
	}
	b.close()
	if b.Run() != 0 {
		t.Error("a closed inbox takes something")
	}
	if woken != 2 {
		t.Errorf("woken %d times, want 2", woken)
	}
}

// TestRemembered: nothing is forgotten within the hour, however much there is, and
// afterwards it is known since when.
func TestRemembered(t *testing.T) {
	var r remembered
	const n = 1_000_000
	hash := func(i int) uint64 { return legID{"t", strconv.Itoa(i)}.hash() }
	for i := range n {
		r.add(hash(i))
	}
	for i := range n {
		if !r.has(hash(i)) {
			t.Fatalf("%d is forgotten", i)
		}
	}
	if !r.since.IsZero() {
		t.Error("something is said to be forgotten")
	}
	found := 0
	for i := n; i < 2*n; i++ {
		if r.has(hash(i)) {
			found++
		}
	}
	if found > n/20_000 {
		t.Errorf("%d of %d are found that were not added", found, n)
	}
	second := time.Now().Add(-2 * remember)
	for i := range r.filters {
		r.filters[i].begun = second
	}
	r.begin(time.Now())
	if len(r.filters) != 2 || !r.since.Equal(second) {
		t.Errorf("%d filters since %v, want the last of before, and a new one", len(r.filters), r.since)
	}
}

// TestHeldEntriesStay: what may be stored nowhere is not forgotten.
func TestHeldEntriesStay(t *testing.T) {
	c := newCache(1 << 10)
	now := time.Now()
	c.stored = now.Add(-time.Second)
	data := make([]byte, 200)
	add := func(id string, handed time.Time) {
		e := c.digest(legID{"t", id}, 600, digest.OfCall|digest.Opens, data, now)
		e.handedAt = handed
		c.settled(e, now)
	}
	add("held", now)
	add("stored", c.stored)
	add("long ago", now.Add(-2*handedFor))
	add("never", time.Time{})
	for i := range 100 {
		add(string(rune('0'+i)), time.Time{})
	}
	for id, want := range map[string]bool{"held": true, "stored": false, "long ago": false, "never": false} {
		if got := c.get(legID{"t", id}) != nil; got != want {
			t.Errorf("%s is there: %v, want %v", id, got, want)
		}
	}
}
