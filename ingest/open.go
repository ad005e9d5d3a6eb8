package ingest

import (
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/schema"
)

const usPerDay = 24 * 60 * 60 * 1_000_000

// openBatches are a worker's open batches of one table, one for each day of
// which records arrive: mostly one, two around midnight.
type openBatches[R any] struct {
	pool  *pool[R]
	byDay map[int64]*batch.Batch[R]
	// last and lastDay spare the look-up for records of the same day.
	last    *batch.Batch[R]
	lastDay int64
}

// pool keeps emptied batches with their memory for the next use. All workers share it.
type pool[R any] struct {
	table *schema.Table
	free  sync.Pool
}

func newPool[R any](table *schema.Table) *pool[R] {
	p := &pool[R]{table: table}
	p.free.New = func() any { return batch.New[R](table) }
	return p
}

func (p *pool[R]) get() *batch.Batch[R] { return p.free.Get().(*batch.Batch[R]) }

func (p *pool[R]) put(b *batch.Batch[R]) {
	b.Reset()
	p.free.Put(b)
}

// maxOpenDays bounds the batches open at once. Records of that many different
// days at a time are a replay of an archive; each further day seals the others.
const maxOpenDays = 8

// at returns the open batch for records of the time, in µs since the epoch,
// and the batches that had to be sealed to make room for it.
func (o *openBatches[R]) at(us int64) (b *batch.Batch[R], evicted []*batch.Batch[R]) {
	day := us / usPerDay
	if o.last != nil && day == o.lastDay {
		return o.last, nil
	}
	b, ok := o.byDay[day]
	if !ok {
		if len(o.byDay) >= maxOpenDays {
			evicted = o.takeAll()
		}
		if o.byDay == nil {
			o.byDay = make(map[int64]*batch.Batch[R])
		}
		b = o.pool.get()
		o.byDay[day] = b
	}
	o.last, o.lastDay = b, day
	return b, evicted
}

// take removes the batch from the open ones.
func (o *openBatches[R]) take(b *batch.Batch[R]) {
	for day, open := range o.byDay {
		if open == b {
			delete(o.byDay, day)
		}
	}
	if o.last == b {
		o.last = nil
	}
}

func (o *openBatches[R]) takeAll() []*batch.Batch[R] {
	return o.takeOpenedBefore(time.Unix(1<<40, 0))
}

// takeOpenedBefore removes and returns the batches whose first record came
// before t, and drops those without records.
func (o *openBatches[R]) takeOpenedBefore(t time.Time) (old []*batch.Batch[R]) {
	for day, b := range o.byDay {
		if b.Rows() > 0 && !b.Opened().Before(t) {
			continue
		}
		delete(o.byDay, day)
		if o.last == b {
			o.last = nil
		}
		if b.Rows() == 0 {
			o.pool.put(b)
			continue
		}
		old = append(old, b)
	}
	return old
}
