package query

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// cursor is a place in a list that is in order of time: that of the last row
// given out. It is a key and no count of rows, so that rows inserted meanwhile
// move nothing: none is given twice, none is passed over.
type cursor struct {
	// window is that of the first page: a page asked for later, with "until now",
	// must not slide.
	window window
	// at and id are the key of the last row: its time, and what tells rows of
	// the same time apart.
	at time.Time
	id uint64
	// skip is how many rows with just this key were given out.
	skip uint32
}

// cursorLength is the length of a cursor in bytes: four numbers of eight, one of
// four, and the check.
const cursorLength = 4*8 + 4 + 8

// encode writes the cursor for the caller to hand back. search is what the
// cursor belongs to: it means nothing in another search.
func (c cursor) encode(search ...string) string {
	b := make([]byte, 0, cursorLength)
	for _, t := range []time.Time{c.window.from, c.window.to, c.at} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	b = binary.BigEndian.AppendUint64(b, c.id)
	b = binary.BigEndian.AppendUint32(b, c.skip)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, cursorCheck(b, search)))
}

// decodeCursor reads a cursor of this search. The error wraps ErrInvalid.
func decodeCursor(text string, search ...string) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorLength {
		return cursor{}, fmt.Errorf("%w: the cursor is not one that a search gave", ErrInvalid)
	}
	head := b[:cursorLength-8]
	if binary.BigEndian.Uint64(b[cursorLength-8:]) != cursorCheck(head, search) {
		return cursor{}, fmt.Errorf("%w: the cursor is of another search", ErrInvalid)
	}
	at := func(i int) time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(b[i:]))).UTC() }
	c := cursor{window: window{at(0), at(8)}, at: at(16), id: binary.BigEndian.Uint64(b[24:]), skip: binary.BigEndian.Uint32(b[32:])}
	// A call that goes on in the window may have begun before it.
	if !c.window.from.Before(c.window.to) || c.at.Before(c.window.from.Add(-startMargin)) || c.at.After(c.window.to) {
		return cursor{}, fmt.Errorf("%w: the cursor lies outside its own window", ErrInvalid)
	}
	return c, nil
}

// cursorCheck is a hash over a cursor and its search. It keeps cursors from
// being mixed up. It is no secret and need not be: a cursor says where a search
// goes on, never what the caller may see.
func cursorCheck(head []byte, search []string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(head)
	for _, s := range search {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s)))
		_, _ = io.WriteString(h, s)
	}
	return h.Sum64()
}
