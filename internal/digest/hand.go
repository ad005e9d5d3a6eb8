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

// Fresh is to how many legs something came since Tell.
func (b *Builder) Fresh() int { return len(b.fresh) }

// Hand is Tell, and gives what came to each of these legs since the last Hand. What it
// returns is the caller's: its memory is not the builder's. The builder goes on to hold
// all that it was given; what a row says once, like who called whom, is in one of the
// pieces alone.
func (b *Builder) Hand(ids func(ID), users func(User)) []Piece {
	size, n := 0, 0
	for _, i := range b.fresh {
		if l := &b.legs[i]; len(l.data) > l.handed && l.news != 0 {
			size += len(l.callID) + baseSize + len(l.data) - l.handed
			n++
		}
	}
	text, pieces := make([]byte, 0, size), make([]Piece, 0, n)
	for _, i := range b.fresh {
		l := &b.legs[i]
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
		l.recent.known = 0 // the next piece stands by itself
	}
	b.Tell(ids, users)
	return pieces
}
