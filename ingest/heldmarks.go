package ingest

import (
	"slices"
	"time"
)

// heldDigests is the state of what a worker holds.
type heldDigests struct {
	// run is what they were handed over under, 0 when they were not.
	run uint64
	// handed is when they were last, or looked at in a flood, size how much there was
	// left then.
	handed time.Time
	size   int
	// floodUntil ends a flood.
	floodUntil time.Time
	// marks say since when the legs are held, the oldest first.
	marks []heldMark
}

// heldMark is a number of legs that were handed over, or looked at, for the first time
// then.
type heldMark struct {
	at   time.Time
	legs int
}

// flooded says that what is held came in a flood: it was not handed over.
func (h *heldDigests) flooded() bool { return h.run == 0 && len(h.marks) > 0 }

// mark notes that legs were handed over, of which so many are held now.
func (h *heldDigests) mark(now time.Time, legs int) {
	for _, m := range h.marks {
		legs -= m.legs
	}
	if h.handed = now; legs > 0 {
		h.marks = append(h.marks, heldMark{now, legs})
	}
}

// until counts the legs that were handed over for the first time by t.
func (h *heldDigests) until(t time.Time) (legs int) {
	for _, m := range h.marks {
		if m.at.After(t) {
			break
		}
		legs += m.legs
	}
	return legs
}

// let forgets the n oldest legs.
func (h *heldDigests) let(n int) {
	for len(h.marks) > 0 && n > 0 {
		m := &h.marks[0]
		gone := min(n, m.legs)
		m.legs -= gone
		if n -= gone; m.legs == 0 {
			h.marks = slices.Delete(h.marks, 0, 1)
		}
	}
	if len(h.marks) == 0 {
		h.run = 0
	}
}
