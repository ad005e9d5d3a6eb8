package digest

// Piece is what came to a leg in a slot. Pieces of a leg are put together by
// writing them one behind the other.
type Piece struct {
	// Slot is when the slot begins, in s since the epoch.
	Slot   uint32
	CallID string
	Kinds  Kinds
	Digest []byte
}

// Fresh is to how many legs something came since Hand.
func (b *Builder) Fresh() int { return len(b.fresh) }

// Hand gives what came since the last Hand to so many legs of those to which something
// did, their new ids, and who their messages name besides. What it returns is the
// caller's: its memory is not the builder's. The builder goes on to hold all that it
// was given; what a row says once, like who called whom, is in one of the pieces alone.
func (b *Builder) Hand(most int, ids func(ID), users func(User)) []Piece {
	size, n := 0, 0
	fresh := b.fresh[:min(most, len(b.fresh))]
	for _, i := range fresh {
		if l := &b.legs[i]; len(l.data) > l.handed && l.news != 0 {
			size += len(l.callID) + baseSize + len(l.data) - l.handed
			n++
		}
	}
	text, pieces := make([]byte, 0, size), make([]Piece, 0, n)
	for _, i := range fresh {
		l := &b.legs[i]
		l.fresh = false
		b.IDs(int(i), ids)
		b.Users(int(i), users)
		if len(l.data) == l.handed || l.news == 0 {
			continue
		}
		from := len(text)
		if l.handed > 0 {
			text = appendBase(text, l.base)
		}
		text = append(text, l.data[l.handed:]...)
		pieces = append(pieces, Piece{l.slot, string(l.callID), l.news, text[from:len(text):len(text)]})
		l.handed, l.news = len(l.data), 0
	}
	b.fresh = append(b.fresh[:0], b.fresh[len(fresh):]...)
	return pieces
}

// Twin is the number of the row for the leg and slot of row i of another builder, -1
// when there is none.
func (b *Builder) Twin(other *Builder, i int) int {
	if len(b.slots) == 0 {
		return -1
	}
	l := &other.legs[i]
	mask := uint64(len(b.slots) - 1)
	for s := l.hash & mask; b.slots[s] != 0; s = (s + 1) & mask {
		if own := &b.legs[b.slots[s]-1]; own.hash == l.hash && own.slot == l.slot && string(own.callID) == string(l.callID) {
			return int(b.slots[s] - 1)
		}
	}
	return -1
}
