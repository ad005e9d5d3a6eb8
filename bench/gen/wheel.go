package gen

// wheel is a timing wheel whose time is the number of packets made: a dialog
// that waits is in the slot of the packet at which it goes on.
type wheel struct {
	slots   []int32 // first dialog of each slot, -1 for none; the others by dialog.next
	span    int     // packets that one slot covers
	perS    float64 // packets a second
	at      int     // the slot that take looks at next, counted without wrapping
	skipped int     // packets' worth of time that was left out
}

const (
	wheelSlots = 1 << 14
	// wheelSeconds is the longest wait that the wheel has room for.
	wheelSeconds = 60
)

func (w *wheel) init(rate float64) {
	w.perS = rate
	w.span = max(1, int(rate*wheelSeconds/wheelSlots))
	w.slots = make([]int32, wheelSlots)
	for i := range w.slots {
		w.slots[i] = -1
	}
}

// add lets dialog i wait for so many seconds from the packet made last.
func (w *wheel) add(dialogs []dialog, i int32, made int, seconds float64) {
	slot := (made + w.skipped + int(seconds*w.perS)) / w.span
	slot = min(max(slot, w.at), w.at+wheelSlots-1)
	head := &w.slots[slot%wheelSlots]
	dialogs[i].next = *head
	*head = i
}

// take appends the dialogs of the first slot that has any and is due by the
// packet made last. The slot stays current: what is added to it comes next.
func (w *wheel) take(dialogs []dialog, due []int32, made int) []int32 {
	for now := (made + w.skipped) / w.span; w.at <= now; w.at++ {
		head := &w.slots[w.at%wheelSlots]
		if *head < 0 {
			continue
		}
		for i := *head; i >= 0; i = dialogs[i].next {
			due = append(due, i)
		}
		*head = -1
		return due
	}
	return due
}

// skip leaves out the time until the next slot that has dialogs; there is one.
func (w *wheel) skip(made int) {
	for w.slots[w.at%wheelSlots] < 0 {
		w.at++
	}
	if wait := w.at*w.span - made - w.skipped; wait > 0 {
		w.skipped += wait
	}
}
