package assemble

import (
	"testing"
	"time"
)

// TestMayFind: where nobody else inserts, a busy assembler looks seldom; it looks at every
// pass where somebody does, where it has little to do, and where the server's clock was set.
func TestMayFind(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const passed = 6 * time.Second
	for name, way := range map[string]struct {
		change func(a *Assembler)
		set    time.Duration
		looks  bool
	}{
		"busy":              {func(*Assembler) {}, 0, false},
		"for the first":     {func(a *Assembler) { a.looked = false }, 0, true},
		"found something":   {func(a *Assembler) { a.found = true }, 0, true},
		"not busy":          {func(a *Assembler) { clear(a.cache.dirty) }, 0, true},
		"a while ago":       {func(a *Assembler) { a.clock.looked, a.done = a.clock.looked.Add(-lookEvery), a.done.Add(-lookEvery) }, 0, true},
		"clock set ahead":   {func(*Assembler) {}, time.Hour, true},
		"clock set 2s back": {func(*Assembler) {}, -2 * time.Second, true},
	} {
		a := New(Config{})
		for range busyLegs + 1 {
			a.cache.dirty[&entry{}] = struct{}{}
		}
		a.looked, a.done, a.clock.looked = true, now.Add(-passed), time.Now().Add(-passed)
		way.change(a)
		if got := a.mayFind(now.Add(way.set)); got != way.looks {
			t.Errorf("%s: %t", name, got)
		}
	}
}
