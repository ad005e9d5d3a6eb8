package assemble

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/digest"
)

// TestForgetsSeldom fills the cache with far more legs that are to be written than
// it has room for: all are kept, and they are not gone through with every leg that
// comes.
func TestForgetsSeldom(t *testing.T) {
	const legs, room = 20_000, 1_000
	now := time.Unix(1_800_000_000, 0)
	size := (&entry{legID: legID{"", "10000"}, digests: digest.Gathered{Data: make([]byte, 640)}}).size()
	c := newCache(2 * room * size)
	young := func() uintptr { return reflect.ValueOf(c.young).Pointer() }
	forgot, last := 0, young()
	for i := range legs {
		c.digest(legID{"", strconv.Itoa(i)}, now.Unix(), digest.OfCall, make([]byte, 100), now)
		if p := young(); p != last {
			forgot, last = forgot+1, p
		}
	}
	if n := len(c.young) + len(c.old); n != legs {
		t.Errorf("%d of %d legs are kept", n, legs)
	}
	if forgot > 2*legs/room {
		t.Errorf("legs were forgotten %d times", forgot)
	}
	// Once they are written, they go.
	for e := range c.dirty {
		e.dirtySince = time.Time{}
	}
	clear(c.dirty)
	for i := range legs {
		e := c.digest(legID{"", strconv.Itoa(legs + i)}, now.Unix(), digest.OfCall, make([]byte, 100), now)
		e.dirtySince = time.Time{}
		delete(c.dirty, e)
	}
	if n := len(c.young) + len(c.old); n > legs+4*room {
		t.Errorf("%d legs are kept once they are written", n)
	}
	if !c.forgotten.has(legID{"", "0"}.hash()) {
		t.Error("it does not know what it forgot")
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
