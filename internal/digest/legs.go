package digest

import (
	"hash/maphash"
	"time"
)

// Held is the memory that the builder keeps, in bytes.
func (b *Builder) Held() int {
	n := 4*cap(b.slots) + cap(b.untold)
	for i := range b.legs {
		l := &b.legs[i]
		n += cap(l.callID) + cap(l.data) + 8*cap(l.noted) + 176
	}
	return n
}

// maxKeptLegs, maxKeptBytes and maxKeptUntold bound the memory that is kept for what comes
// next.
const (
	maxKeptLegs   = 1 << 16
	maxKeptBytes  = 2 << 10 // of one leg
	maxKeptUntold = 4 << 20
)

// Reset empties the builder and keeps its memory.
func (b *Builder) Reset() {
	if len(b.legs) > maxKeptLegs {
		*b = Builder{text: b.text}
		return
	}
	clear(b.slots)
	for _, i := range b.order[b.gone:] {
		b.legs[i].trim()
		b.free = append(b.free, i)
	}
	b.order, b.gone, b.bytes, b.fresh, b.Opened = b.order[:0], 0, 0, b.fresh[:0], time.Time{}
	b.letUntold()
}

// Release lets the n oldest rows go. Nothing may have come to any since Tell.
func (b *Builder) Release(n int) {
	if n >= b.Len() {
		b.Reset()
		return
	}
	for _, i := range b.order[b.gone : b.gone+n] {
		l := &b.legs[i]
		b.unplace(l.hash, i)
		b.bytes -= l.size()
		l.trim()
		b.free = append(b.free, i)
	}
	if b.gone += n; b.gone > len(b.order)/2 {
		b.order = b.order[:copy(b.order, b.order[b.gone:])]
		b.gone = 0
	}
}

// Oldest is how many of the oldest rows have so many bytes together.
func (b *Builder) Oldest(bytes int) (n int) {
	for ; n < b.Len() && bytes > 0; n++ {
		bytes -= b.leg(n).size()
	}
	return n
}

// leg is the i-th, beginning with the oldest.
func (b *Builder) leg(i int) *leg { return &b.legs[b.order[b.gone+i]] }

// size is what the leg counts in the builder's size.
func (l *leg) size() int { return len(l.data) - baseSize }

// trim lets memory go that a leg seldom needs.
func (l *leg) trim() {
	if cap(l.data) > maxKeptBytes {
		l.data = nil
	}
}

// Share is which of n builders a leg belongs to, 0 to n-1, by the id that its digest lies
// under: the same for all of a process.
func Share(id []byte, n int) int {
	// Not the bits by which a builder finds it.
	return int(maphash.Bytes(seed, id) >> 40 % uint64(n))
}

// at returns the place of what gathers the leg's row for the time.
func (b *Builder) at(us int64, callID []byte) int32 {
	slot := uint32(max(0, us) / slotMicros * SlotSeconds)
	h := maphash.Bytes(seed, callID) ^ uint64(slot)*0x9e3779b97f4a7c15
	if 2*(b.Len()+1) > len(b.slots) {
		b.slots = make([]int32, max(1024, 2*len(b.slots)))
		for _, i := range b.order[b.gone:] {
			b.place(b.legs[i].hash, i)
		}
	}
	mask := uint64(len(b.slots) - 1)
	for s := h & mask; b.slots[s] != 0; s = (s + 1) & mask {
		if l := &b.legs[b.slots[s]-1]; l.hash == h && l.slot == slot && string(l.callID) == string(callID) {
			if !l.fresh {
				l.fresh = true
				b.fresh = append(b.fresh, b.slots[s]-1)
			}
			return b.slots[s] - 1
		}
	}
	i := b.room()
	l := &b.legs[i]
	*l = leg{
		slot: slot, hash: h, base: int64(slot) * 1_000_000, rank: -1,
		callID: append(l.callID[:0], callID...), data: l.data[:0], noted: l.noted[:0], fresh: true,
	}
	l.data = appendBase(l.data, l.base)
	b.fresh, b.order = append(b.fresh, i), append(b.order, i)
	b.place(h, i)
	return i
}

// room is a place for a leg, where the one that went last was if there is one: its
// memory is warm, and that of few is kept.
func (b *Builder) room() (i int32) {
	if n := len(b.free) - 1; n >= 0 {
		i, b.free = b.free[n], b.free[:n]
		return i
	}
	if n := len(b.legs); n == cap(b.legs) {
		grown := make([]leg, n, max(256, 2*n))
		copy(grown, b.legs)
		b.legs = grown
	}
	b.legs = b.legs[:len(b.legs)+1]
	return int32(len(b.legs) - 1)
}

func (b *Builder) place(h uint64, i int32) {
	mask := uint64(len(b.slots) - 1)
	s := h & mask
	for b.slots[s] != 0 {
		s = (s + 1) & mask
	}
	b.slots[s] = i + 1
}

// unplace is place undone: what was put farther on because of it moves up.
func (b *Builder) unplace(h uint64, i int32) {
	mask := uint64(len(b.slots) - 1)
	s := h & mask
	for b.slots[s] != i+1 {
		s = (s + 1) & mask
	}
	for next := (s + 1) & mask; b.slots[next] != 0; next = (next + 1) & mask {
		home := b.legs[b.slots[next]-1].hash & mask
		if (next-home)&mask >= (next-s)&mask {
			b.slots[s], s = b.slots[next], next
		}
	}
	b.slots[s] = 0
}
