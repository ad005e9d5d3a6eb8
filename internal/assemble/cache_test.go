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
	size := (&entry{legID: legID{"", "10000"}, data: make([]byte, 100)}).size()
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
