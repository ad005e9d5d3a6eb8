package ingest

import (
	"errors"
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/listen"
)

// commits follows batches from their sealing into the spool, so that a sender
// can be told when what it sent is safe. Each sealed batch has a number.
type commits struct {
	mu      sync.Mutex
	changed *sync.Cond
	// issued is the last number given out; under way are those not in the spool yet.
	issued   uint64
	underWay map[uint64]struct{}
	// unspooled are those not written to the spool yet, with when their first packet
	// was received; gathering is that of the oldest on its way to a number.
	unspooled map[uint64]time.Time
	gathering time.Time
	// unsafe is the greatest number of a batch that did not get onto the disk.
	unsafe uint64
	// through is, by worker, the time before which none of its open batches was
	// opened: the others have numbers.
	through map[*worker]time.Time
}

func newCommits() *commits {
	c := &commits{underWay: map[uint64]struct{}{}, unspooled: map[uint64]time.Time{}, through: map[*worker]time.Time{}}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// issue numbers a batch that is handed to the sealers, whose first packet was
// received then.
func (c *commits) issue(opened time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issued++
	c.underWay[c.issued] = struct{}{}
	c.unspooled[c.issued] = opened
	return c.issued
}

// settle says what became of a batch: whether it is on the disk, or has reached
// ClickHouse already.
func (c *commits) settle(number uint64, safe bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.underWay, number)
	delete(c.unspooled, number)
	if !safe {
		c.unsafe = max(c.unsafe, number)
	}
	c.changed.Broadcast()
}

// spooled says that a batch is in the spool, if not on the disk yet.
func (c *commits) spooled(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.unspooled, number)
}

// gather says when the first packet was received of the batches that are about to
// be sealed; zero when there are none any more.
func (c *commits) gather(oldest time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gathering = oldest
}

// oldest is when the first packet was received that is in a batch on its way to
// the spool; zero when none is.
func (c *commits) oldest() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return earlier(c.gathering, c.oldestNumbered())
}

// oldestUnspooled is likewise of the batches that are numbered already.
func (c *commits) oldestUnspooled() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.oldestNumbered()
}

func (c *commits) oldestNumbered() (t time.Time) {
	for _, opened := range c.unspooled {
		t = earlier(t, opened)
	}
	return t
}

// earlier is the earlier of two times, of which zero is none.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}

// pass says that the worker has no open batch any more that was opened before
// t, and that those it had are numbered.
func (c *commits) pass(w *worker, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.through[w] = t
	c.changed.Broadcast()
}

var errUnsafe = errors.New("some of it is not on the disk")

// wait waits until every row that the worker has taken is in a batch that is
// settled. Its error says that a batch numbered after since did not get onto
// the disk.
func (c *commits) wait(w *worker, since uint64) error {
	now := time.Now() // every batch that has such a row was opened before
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.through[w].After(now) {
		c.changed.Wait()
	}
	for last := c.issued; c.anyUpTo(last); {
		c.changed.Wait()
	}
	if c.unsafe > since {
		return errUnsafe
	}
	return nil
}

// anyUpTo tells whether a batch of this number or a lesser one is under way.
func (c *commits) anyUpTo(number uint64) bool {
	for n := range c.underWay {
		if n <= number {
			return true
		}
	}
	return false
}

// Mark implements listen.Durable.
func (e entrance) Mark() listen.Mark {
	c := e.w.p.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	return listen.Mark(c.issued)
}

// Spooled implements listen.Durable. It takes up to the age of a batch, since
// batches are not sealed for its sake: that would make many small ones.
//
// Packets that wait for the rest of their message, and RTP that is summed up,
// are not rows yet and not waited for.
func (e entrance) Spooled(since listen.Mark) error { return e.w.p.commits.wait(e.w, uint64(since)) }
