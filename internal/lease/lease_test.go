package lease

import (
	"testing"
	"time"
)

// TestSilence: a clock that goes on says it; one that was set back says nothing, and
// then it counts from when the row was seen first.
func TestSilence(t *testing.T) {
	const expiry = 20 * time.Second
	at := func(s int) time.Time { return time.Unix(1_800_000_000+int64(s), 0) }
	var s Sign
	if d := s.Silence(at(100), at(130)); d != 30*time.Second {
		t.Errorf("%s after 30 s", d)
	}
	if d := s.Silence(at(4000), at(130)); d < 0 || d > time.Second {
		t.Errorf("%s of a row that was just seen, the clock having been set back", d)
	}
	if !s.Row.Equal(at(4000)) {
		t.Errorf("the newest row is of %s", s.Row)
	}
	s.seen = s.seen.Add(-expiry)
	if d := s.Silence(at(4000), at(140)); d < expiry {
		t.Errorf("%s of a row seen %s ago", d, expiry)
	}
	if d := s.Silence(at(4001), at(140)); d > time.Second {
		t.Errorf("%s of the row after", d)
	}
	if d := new(Sign).Silence(time.Time{}, time.Time{}.Add(-time.Hour)); d > time.Second {
		t.Errorf("%s of the first row seen", d)
	}
}
