// Package lease tells for how long the holder of a piece of work has said nothing.
// Who works writes a row with the database's time every few seconds; who would take
// over reads the newest. That clock may be set in between, back or ahead.
package lease

import "time"

// Sign is the newest sign of life that was seen. Its zero value has seen none. It is
// for one goroutine.
type Sign struct {
	// Row is the time of the newest row seen, by the database's clock.
	Row time.Time
	// seen is when it was seen first, by a clock that nobody sets.
	seen time.Time
}

// Silence is how long ago the newest row, with this time, was written, now being the
// database's: by that clock, or where it has not come to the row's time, having been
// set back, since the row was seen here.
func (s *Sign) Silence(row, now time.Time) time.Duration {
	if !row.Equal(s.Row) || s.seen.IsZero() {
		s.Row, s.seen = row, time.Now()
	}
	if !now.Before(row) {
		return now.Sub(row)
	}
	return time.Since(s.seen)
}
