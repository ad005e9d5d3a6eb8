package assemble

import (
	"testing"
	"time"
)

// TestClockSince has the server's clock set between two looks.
func TestClockSince(t *testing.T) {
	done := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const passed = 10 * time.Second
	for _, way := range []struct {
		name  string
		set   time.Duration
		since time.Time
		ahead time.Duration
	}{
		{"runs on", 0, done, 0},
		{"an hour ahead", time.Hour, done, time.Hour},
		{"2 s back", -2 * time.Second, done.Add(-2 * time.Second), 0},
		{"a day back", -24 * time.Hour, done.Add(-24 * time.Hour), 0},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := clock{looked: time.Now().Add(-passed)}
			got := c.since(done, done.Add(passed+way.set), overlap)
			if d := way.since.Add(-overlap).Sub(got); d < 0 || d > time.Second {
				t.Errorf("looks from %s on, want %s", got, way.since.Add(-overlap))
			}
			if d := (way.ahead - c.ahead).Abs(); d > time.Second {
				t.Errorf("%s ahead, want %s", c.ahead, way.ahead)
			}
		})
	}
	var first clock
	if got := first.since(done, done.Add(time.Hour), overlap); !got.Equal(done.Add(-overlap)) {
		t.Errorf("a process that takes over looks from %s on", got)
	}
	if got := first.since(done, done.Add(-time.Minute), overlap); got.After(done.Add(-time.Minute - downFor - overlap)) {
		t.Errorf("a process that takes over by a clock that was set back looks from %s on", got)
	}
}

func TestClockVersions(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var c clock
	last := uint64(0)
	for _, at := range []time.Duration{0, 0, time.Second, -time.Hour, -time.Hour + time.Second, 2 * time.Second} {
		v := c.next(now.Add(at))
		if v <= last {
			t.Errorf("version %d follows %d", v, last)
		}
		last = v
	}
	if last != uint64(now.Add(2*time.Second).UnixMicro()) {
		t.Error("versions do not go by the clock where they can")
	}
}
