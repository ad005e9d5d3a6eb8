package ingest

import (
	"cmp"
	"slices"
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

	mu   sync.Mutex
	free []*batch.Batch[R]
	// spare is the least that free held since the last trim: batches that nobody
	// needed in that time.
	spare int
	// held is the memory of the free ones, in bytes.
	held int
}

func newPool[R any](table *schema.Table) *pool[R] { return &pool[R]{table: table} }

func (p *pool[R]) get() *batch.Batch[R] {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free) - 1
	if n < 0 {
		return batch.New[R](p.table)
	}
	b := p.free[n]
	p.free[n] = nil
	p.free = p.free[:n]
	p.spare = min(p.spare, n)
	p.held -= b.Held()
	return b
}

func (p *pool[R]) put(b *batch.Batch[R]) {
	b.Reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
	p.held += b.Held()
}

// trim lets go of what was not needed since the last trim, all but one: after a
// peak the memory goes back.
func (p *pool[R]) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.spare - 1 {
		p.held -= p.free[0].Held()
		p.free = slices.Delete(p.free, 0, 1)
	}
	p.spare = len(p.free)
}

// heldBytes is the memory of the emptied batches.
func (p *pool[R]) heldBytes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
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

func (o *openBatches[R]) takeAll() (all []*batch.Batch[R]) {
	for _, x := range o.takeOpenedBefore(time.Unix(1<<40, 0)) {
		all = append(all, x.b)
	}
	return all
}

// takeOpenedBefore removes and returns the batches whose first record came
// before t, by day, and drops those without records.
func (o *openBatches[R]) takeOpenedBefore(t time.Time) (old []dayBatch[R]) {
	for day, b := range o.byDay {
		if b.Rows() > 0 && !b.Opened().Before(t) {
			continue
		}
		o.take(b)
		if b.Rows() == 0 {
			o.pool.put(b)
			continue
		}
		old = append(old, dayBatch[R]{day, b})
	}
	return old
}

// dayBatch is a batch with its day.
type dayBatch[R any] struct {
	day int64
	b   *batch.Batch[R]
}

// takeSmall removes and returns the batch of the day if it has rows and may join
// the other one; nil otherwise.
func (o *openBatches[R]) takeSmall(day int64, other *batch.Batch[R], batchRows int) *batch.Batch[R] {
	b := o.byDay[day]
	if b == nil || b.Rows() == 0 || !mayJoin(other, b, batchRows) {
		return nil
	}
	o.take(b)
	return b
}

// mergeRows and mergeBytes, whichever is more, bound the batches that workers' batches
// are merged into. Each batch costs a file, a request and a part in ClickHouse, each row
// of one merged a copy: below this a copy is the cheaper.
const (
	mergeRows  = 25_000
	mergeBytes = 4 << 20
)

// mayJoin reports whether one batch is to take the rows of the other.
func mayJoin[R any](a, b *batch.Batch[R], batchRows int) bool {
	rows := a.Rows() + b.Rows()
	return rows <= batchRows && (rows <= mergeRows || a.Size()+b.Size() <= mergeBytes)
}

// sealOld seals the workers' batches of a table whose first record came before
// t. Small ones of one day become one; others that are not due yet join them.
func sealOld[R any](p *Pipeline, pool *pool[R], of func(*worker) *openBatches[R], t time.Time) {
	var old []dayBatch[R]
	for _, w := range p.workers {
		w.mu.Lock()
		old = append(old, of(w).takeOpenedBefore(t)...)
		w.mu.Unlock()
	}
	// The largest of a day first: it takes the others.
	slices.SortFunc(old, func(x, y dayBatch[R]) int {
		return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(y.b.Rows(), x.b.Rows()))
	})
	for i := 0; i < len(old); {
		day, b := old[i].day, old[i].b
		for i++; i < len(old) && old[i].day == day && mayJoin(b, old[i].b, p.cfg.BatchRows); i++ {
			b.Take(old[i].b)
			pool.put(old[i].b)
		}
		if i == len(old) || old[i].day != day {
			for _, w := range p.workers {
				w.mu.Lock()
				young := of(w).takeSmall(day, b, p.cfg.BatchRows)
				w.mu.Unlock()
				if young != nil {
					b.Take(young)
					pool.put(young)
				}
			}
		}
		sealAll(p, pool, []*batch.Batch[R]{b})
	}
}
