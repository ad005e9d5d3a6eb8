package assemble

import (
	"strconv"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// TestForgets fills the cache with far more legs that are to be written than it has
// room for: all are kept. Once they are written they go, those first that nobody asked
// for the longest.
func TestForgets(t *testing.T) {
	const legs, room = 20_000, 1_000
	now := time.Unix(1_800_000_000, 0)
	id := func(n int) legID { return legID{"", strconv.Itoa(10_000 + n)} }
	size := (&entry{legID: id(0), digests: digest.Gathered{Data: make([]byte, 640)}}).size()
	c := newCache(room * size)
	add := func(n int) *entry {
		return c.digest(id(n), now.Unix(), digest.OfCall|digest.Over, make([]byte, 100), now)
	}
	books := func() {
		t.Helper()
		bytes, unwritten := 0, 0
		for _, e := range c.legs {
			bytes += e.size()
			if e.dirty() {
				unwritten += e.size()
			}
		}
		if bytes != c.bytes || unwritten != c.unwritten || c.used.Len() != len(c.legs) {
			t.Fatalf("%d B, %d of them unwritten, %d legs: the books say %d, %d, %d", bytes, unwritten, len(c.legs), c.bytes, c.unwritten, c.used.Len())
		}
	}
	for n := range legs {
		add(n)
	}
	if n := len(c.legs); n != legs {
		t.Errorf("%d of %d legs are kept", n, legs)
	}
	books()
	for e := range c.dirty {
		c.settled(e, now)
	}
	if c.unwritten != 0 || len(c.dirty) != 0 {
		t.Errorf("%d B of %d legs are to be written", c.unwritten, len(c.dirty))
	}
	books()
	for n := range legs {
		c.get(id(0)) // somebody asks for it
		c.settled(add(legs+n), now)
	}
	if c.bytes > (room+2)*size {
		t.Errorf("%d B are kept once they are written, there is room for %d", c.bytes, room*size)
	}
	books()
	for _, test := range []struct {
		n    int
		want bool
	}{{0, true}, {1, false}, {legs - 1, false}, {legs, false}, {2*legs - room/2, true}, {2*legs - 1, true}} {
		if got := c.legs[id(test.n)] != nil; got != test.want {
			t.Errorf("leg %d: kept is %t, want %t", test.n, got, test.want)
		}
		if knows := c.forgotten.has(id(test.n).hash()); !test.want && !knows {
			t.Errorf("it does not know that it forgot leg %d", test.n)
		}
	}
}

// TestWholeLegs: a leg is whole, and need not be read, when its beginning came by
// and nothing of it can have been stored before, in whatever order its digests came.
func TestWholeLegs(t *testing.T) {
	const begun, later = 600, 1200 // slots
	now := time.Now()
	for _, c := range []struct {
		name    string
		follows int64
		known   bool // there was an entry of it, of which nothing was known
		digests []digest.Kinds
		slot    int64
		want    bool
	}{
		{"the beginning alone", begun, false, []digest.Kinds{digest.OfCall | digest.Opens}, later, true},
		{"the beginning first", begun, false, []digest.Kinds{digest.OfCall | digest.Opens, digest.OfCall}, later, true},
		{"the beginning second", begun, false, []digest.Kinds{digest.OfCall, digest.OfCall | digest.Opens}, later, true},
		{"no beginning", begun, false, []digest.Kinds{digest.OfCall, digest.OfCall | digest.Over}, later, false},
		{"from before what comes by", begun, false, []digest.Kinds{digest.OfCall, digest.OfCall | digest.Opens}, begun, false},
		{"linked before it came", begun, true, []digest.Kinds{digest.OfCall, digest.OfCall | digest.Opens}, later, false},
	} {
		cache := newCache(1 << 20)
		cache.follows = c.follows
		id := legID{"t", c.name}
		if c.known {
			cache.put(&entry{legID: id})
		}
		var e *entry
		for _, kinds := range c.digests {
			e = cache.digest(id, c.slot, kinds, []byte("digest"), now)
		}
		if e.whole != c.want {
			t.Errorf("%s: whole is %t, want %t", c.name, e.whole, c.want)
		}
	}
}
