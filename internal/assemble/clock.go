package assemble

import (
	"context"
	"time"

	"github.com/heplake/heplake/internal/lease"
)

// The server's clock says when an insert was, which version of a row is newer, and
// who works. It may be set: by hand, or by a machine that finds out late what time
// it is. What is here keeps that from mattering.

// versionSigns is how much further than the last row of table assembler versions may
// have come, in times between two such rows.
const versionSigns = 3

// downFor is how long there may have been no assembler, where the clock was set
// back meanwhile and nobody can tell.
const downFor = time.Hour

// clock is what an assembler knows of the server's clock.
type clock struct {
	// looked is when inserts were listed last, by a clock that nobody sets.
	looked time.Time
	// ahead is how far the clock was set forward between the last two looks.
	ahead time.Duration
	// version is the last one that was given to rows.
	version uint64
	// sign is the newest row of table assembler.
	sign lease.Sign
}

// since is where a look begins that goes back so far behind the last one. If the
// clock was set back since then, new inserts have times before that.
func (c *clock) since(done, now time.Time, back time.Duration) time.Time {
	passed := downFor
	if !c.looked.IsZero() {
		passed = time.Since(c.looked)
		c.ahead = max(0, now.Sub(done.Add(passed)))
	} else if !now.Before(done) {
		passed = 0
	}
	if t := now.Add(-passed); t.Before(done) {
		done = t
	}
	return done.Add(-back)
}

// next is the version of rows that are written now: greater than all before.
func (c *clock) next(now time.Time) uint64 {
	c.version = max(uint64(now.UnixMicro()), c.version+1)
	return c.version
}

// outrun has versions begin after all that there are, where the clock may stand
// before the last of them. Else they are times: searches compare them with those of
// inserts.
func (a *Assembler) outrun(ctx context.Context, now time.Time) error {
	if a.clock.version != 0 {
		return nil
	}
	return a.rows(ctx, "SELECT max(time) FROM "+a.table("assembler"), func(r *reader) {
		a.clock.version = 1
		if last := r.int64() + versionSigns*(a.cfg.Lease/leaseSigns).Microseconds(); last > now.UnixMicro() {
			a.clock.version = uint64(last)
		}
	})
}
