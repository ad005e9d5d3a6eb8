package assemble

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/digest"
)

// Inbox is where the ingest of the same process puts digests before they are
// stored. It is an ingest.Handover, safe for concurrent use.
type Inbox struct {
	wake func()

	mu sync.Mutex
	// run is what is handed over now is known by, 0 when nothing is taken.
	run    uint64
	queue  []handed
	bytes  int
	broken bool
	// stored is until when the database has all of what was handed over.
	stored time.Time

	handed, renewed prometheus.Counter
}

func newInbox(wake func()) *Inbox {
	return &Inbox{
		wake:    wake,
		handed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_handed_total", Help: "Pieces of legs' digests that the assembler got from ingest in the same process, before they were stored."}),
		renewed: prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_handed_again_total", Help: "Times that digests handed over had to be read from the table nevertheless: the assembler, or ClickHouse, was too far behind."}),
	}
}

// handed is what was handed over at a time.
type handed struct {
	tenant string
	pieces []digest.Piece
}

// inboxBytes bounds what waits. An assembler that is so far behind reads the rest
// from the table.
const inboxBytes = 32 << 20

// pieceOverhead is about what a piece takes besides its text.
const pieceOverhead = 64

// Run implements ingest.Handover.
func (b *Inbox) Run() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return 0
	}
	return b.run
}

// Ours implements ingest.Handover.
func (b *Inbox) Ours() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.run != 0
}

// Take implements ingest.Handover.
func (b *Inbox) Take(run uint64, tenant string, pieces []digest.Piece) bool {
	if !b.take(run, tenant, pieces) {
		return false
	}
	b.wake()
	return true
}

func (b *Inbox) take(run uint64, tenant string, pieces []digest.Piece) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run == 0 || run != b.run || b.broken {
		return false
	}
	for i := range pieces {
		b.bytes += len(pieces[i].CallID) + len(pieces[i].Digest) + pieceOverhead
	}
	b.queue = append(b.queue, handed{tenant, pieces})
	if b.bytes > inboxBytes {
		// All of this run is read from the table.
		b.broken, b.queue, b.bytes = true, nil, 0
		b.renewed.Inc()
		return false
	}
	b.handed.Add(float64(len(pieces)))
	return true
}

// Renew implements ingest.Handover.
func (b *Inbox) Renew() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run != 0 && !b.broken {
		b.broken = true
		b.renewed.Inc()
	}
}

// Stored implements ingest.Handover.
func (b *Inbox) Stored(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = until
}

// open has it take what comes, under another run if the last one is broken.
func (b *Inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run == 0 || b.broken {
		b.run, b.broken = max(1, rand.Uint64()), false
	}
}

// close has it take nothing any more, and forgets what it has.
func (b *Inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run, b.broken, b.queue, b.bytes = 0, false, nil, 0
}

// drain returns what was handed over, and until when that is stored.
func (b *Inbox) drain() (queue []handed, stored time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue = b.queue
	b.queue, b.bytes = nil, 0
	return queue, b.stored
}
