package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/heplake/heplake/schema"
)

// What is deleted is gone, and what is to go says the server's clock. A clock that
// is ahead, by a mistake or because the machine did not keep the time while it was
// off, would have everything go at once. So the keeper goes by it only while it has
// run on from where it was right, and rests else, until it has stayed there for a
// day: somebody has noticed by then, or it is right.
const (
	// clockSlack is how far ahead of where it should be the clock is believed, and so
	// by how much rows may go too early.
	clockSlack = 24 * time.Hour
	// clockConfirmed is how long a clock that was doubted must have run on.
	clockConfirmed = 24 * time.Hour
)

// clock is what the keeper knows of the server's clock. Local times are of a clock
// that nobody sets.
type clock struct {
	mu sync.Mutex // guards the rest
	// right is the last time of the server's that was believed, at when that was
	// here.
	right, at time.Time
	// doubted is since when the clock is not believed, ahead by how much it was then.
	doubted time.Time
	ahead   time.Duration
}

// believe tells whether the server's clock, which says now, may be gone by, and
// how far ahead of where it should be it is.
func (c *clock) believe(now, local time.Time) (bool, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	should := c.right.Add(local.Sub(c.at))
	ahead := now.Sub(should)
	if ahead > clockSlack {
		if c.doubted.IsZero() || (ahead-c.ahead).Abs() > time.Hour {
			c.doubted, c.ahead = local, ahead
		}
		if local.Sub(c.doubted) < clockConfirmed {
			return false, ahead
		}
	}
	if now.Before(should) {
		now = should // set back: by an earlier time less goes, and this one is not forgotten
	}
	c.right, c.at, c.doubted, c.ahead = now, local, time.Time{}, 0
	return true, ahead
}

// begin has the clock been right then.
func (c *clock) begin(right, local time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.right, c.at = right, local
}

// state is when the clock was right last, zero before begin, and whether it is
// doubted.
func (c *clock) state() (right time.Time, doubted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.right, !c.doubted.IsZero()
}

// errClock ends a sweep in the midst of which the clock was set.
var errClock = errors.New("retention: the clock was set ahead meanwhile")

// sure returns errClock if the clock is not to be gone by any more. What holds is
// read by that clock, too.
func (k *Keeper) sure(ctx context.Context) error {
	if right, _ := k.clock.state(); right.IsZero() {
		return nil // nobody asked before
	}
	if ok, err := k.believeClock(ctx); err != nil || !ok {
		return cmp.Or(err, errClock)
	}
	return nil
}

// believeClock tells whether the server's clock may be gone by, and says so where
// that changes.
func (k *Keeper) believeClock(ctx context.Context) (bool, error) {
	now, err := serverTime(ctx, k.DB)
	if err != nil {
		return false, err
	}
	local := time.Now()
	right, doubted := k.clock.state()
	if right.IsZero() {
		if right, err = k.lastRight(ctx, now); err != nil {
			return false, err
		}
		k.clock.begin(right, local)
	}
	ok, ahead := k.clock.believe(now, local)
	switch {
	case !ok && !doubted:
		k.Log.Error("retention rests: the clock is ahead of where it should be. Nothing is deleted until it is set right, or has run on for a day",
			"clock", now.UTC(), "ahead", ahead.Round(time.Second))
	case ok && doubted:
		k.Log.Info("retention goes on: the clock is believed again", "clock", now.UTC())
	}
	if k.metrics.doubts != nil {
		k.metrics.doubts.Set(map[bool]float64{false: 1}[ok])
	}
	return ok, nil
}

// lastRight is the last time at which a keeper believed the clock. When none has
// told, it is that of the newest row stored, and now where there is none.
func (k *Keeper) lastRight(ctx context.Context, now time.Time) (time.Time, error) {
	var right time.Time
	ctx = spread(ctx, k.Schema)
	if err := k.DB.QueryRow(ctx, "SELECT max(clock) FROM "+qualified(k.Schema, schema.KeeperState.Name)).Scan(&right); err != nil {
		return time.Time{}, fmt.Errorf("retention: ask when the clock was right: %w", err)
	}
	if right.Unix() > 0 {
		return right, nil
	}
	h, err := Read(ctx, k.DB, k.Schema, k.Policy)
	if err != nil {
		return time.Time{}, err
	}
	for i := range h.Tables {
		for _, p := range h.Tables[i].Parts {
			if p.Newest.After(right) && !p.Newest.After(now) {
				right = p.Newest
			}
		}
	}
	if right.Unix() <= 0 {
		return now, nil
	}
	return right, nil
}
