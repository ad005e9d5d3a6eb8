package ingest

import (
	"testing"
	"time"
)

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
