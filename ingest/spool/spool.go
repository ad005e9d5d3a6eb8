// Package spool keeps sealed batches between ingest and ClickHouse: on disk, so
// that a crash or an outage loses none, and in memory what the disk does not
// take. A live batch is sent out of its file, which the kernel still has in its
// page cache: the common case reads nothing from the disk and keeps no copy.
//
// A batch enters by Put, may be inserted while the disk still writes it, is safe
// by Kept.Sync, is leased by Next, and leaves by Ack once ClickHouse
// has confirmed it. One that ClickHouse refuses is replaced by its halves
// (Split) until the rows at fault are alone, which go to the dead-letter folder
// (Reject). Live batches are leased before the backlog, so that live traffic is
// queryable at once while an outage is worked off.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

// ErrFull is returned by Put when neither disk nor memory may take the batch.
var ErrFull = errors.New("spool is full")

// Options bound a spool.
type Options struct {
	// MaxBytes bounds the files on disk.
	MaxBytes int64
	// MemoryBytes bounds the batches held in memory while the disk takes none.
	MemoryBytes int64
	// Sync has batches on the disk for good when Kept.Sync returns.
	Sync bool
	// DropOldest makes room for a new batch by dropping the oldest that wait.
	// Without it the new one is refused.
	DropOldest bool
	// Leases is how many batches are out at once, by as many inserters. One
	// table may have half of them and the backlog all but one, so that neither
	// a table that is stuck nor an old outage keeps live traffic waiting.
	// 0 is no limit.
	Leases int
	// Log gets a line about what is unusual, at most one a minute of a kind.
	Log *slog.Logger
}

// Stats are a spool's figures at one moment.
type Stats struct {
	Batches, Packets int
	// Bytes are on disk, MemoryBytes in memory alone.
	Bytes, MemoryBytes int64
	// Corrupt counts files found damaged and set aside since Open.
	Corrupt int
	// WriteErrors counts batches that the disk refused since Open.
	WriteErrors int
	// DiskRefuses says that the last write failed.
	DiskRefuses bool
}

// Entry is a leased batch.
type Entry struct {
	ID            string
	Table         string
	Rows, Packets int
	// Attempts counts failed inserts.
	Attempts int

	oldest time.Time
	of     lineage
	sealed *batch.Sealed // nil when on disk
	path   string        // "" when only in memory
	body   batch.File    // of one written since Open
	size   int64         // of the file
	put    time.Time
	// notBefore is when a batch whose insert failed may be tried again.
	notBefore   time.Time
	fromBacklog bool          // leased from there
	gone        chan struct{} // closed once it is acknowledged or given up; nil of what Put did not take
}

// Lost says what the spool gave up.
type Lost struct {
	Table string
	// Reason is full (a new batch found no room), evicted (an old one made room
	// for it) or stop (one in memory alone at the end).
	Reason        string
	Rows, Packets int
}

// Spool is safe for concurrent use.
type Spool struct {
	dir string
	opt Options

	mu      sync.Mutex
	fresh   []*Entry // live traffic, oldest first
	backlog []*Entry // what waited for longer, or failed
	leased  map[*Entry]bool
	tables  map[string]int // leases by table
	old     int            // leases of the backlog
	turn    uint           // leases while both waited
	splits  map[string]*split
	lost    map[lossKey]lossCount
	stats   Stats
	wake    chan struct{} // capacity 1: something may be ready

	refused, recovered, full, dead throttle
}

// deadDir holds rows that ClickHouse refused and files found damaged.
const deadDir = "dead"

// Open opens the spool in dir, making it if need be. Batches left from before
// are its backlog.
func Open(dir string, opt Options) (*Spool, error) {
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if err := os.MkdirAll(filepath.Join(dir, deadDir), 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{
		dir: dir, opt: opt, leased: map[*Entry]bool{}, tables: map[string]int{},
		splits: map[string]*split{}, lost: map[lossKey]lossCount{}, wake: make(chan struct{}, 1),
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	var found []*Entry
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		switch {
		case strings.HasSuffix(f.Name(), tmpSuffix):
			// A write that was cut short; its rows were never acknowledged.
			_ = os.Remove(path)
		case strings.HasSuffix(f.Name(), suffix):
			h, size, err := readHeader(path)
			if err != nil {
				s.setAside(path, err)
				continue
			}
			found = append(found, &Entry{
				ID: h.ID, Table: h.Table, Rows: h.Rows, Packets: h.Packets,
				oldest: h.Oldest, of: lineage{h.Parent, h.Root}, path: path, size: size,
			})
		}
	}
	for _, e := range withoutUnfinishedSplits(found) {
		s.add(&s.backlog, e)
	}
	slices.SortFunc(s.backlog, func(a, b *Entry) int {
		if c := a.oldest.Compare(b.oldest); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return s, nil
}

// setAside moves a damaged file out of the way, where an operator can look at it.
func (s *Spool) setAside(path string, why error) {
	s.stats.Corrupt++
	s.opt.Log.Error("spool file set aside", "file", path, "error", why)
	_ = os.Rename(path, filepath.Join(s.dir, deadDir, filepath.Base(path)))
}

func (s *Spool) add(to *[]*Entry, e *Entry) {
	*to = append(*to, e)
	s.stats.Batches++
	s.stats.Packets += e.Packets
	if e.path != "" {
		s.stats.Bytes += e.size
	}
	if e.sealed != nil {
		s.stats.MemoryBytes += e.sealed.Size()
	}
	if e.of.root != "" {
		s.splitOf(e).parts++
	}
	s.signal()
}

func (s *Spool) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Kept is a batch that Put took.
type Kept struct {
	s *Spool
	e *Entry
	f *os.File // nil when there is nothing to wait for
}

// Put takes a batch, whose pieces are the caller's again when it returns. From
// then on it may be leased, and the caller must call Sync of what is returned. It
// returns ErrFull when there is no room for it; the batch is then the caller's
// to count as lost, as are the evicted ones that made room for it.
//
// When the disk refuses a batch it is kept in memory and the error is logged
// and counted: a full disk must not stop live traffic. Every Put tries the disk
// again.
func (s *Spool) Put(b batch.Sealed) (evicted []Lost, kept *Kept, err error) {
	body := b.Size()
	e := &Entry{ID: b.ID, Table: b.Table, Rows: b.Rows, Packets: b.Packets, oldest: b.Oldest, size: body + prefixLen, put: time.Now(), gone: make(chan struct{})}
	s.mu.Lock()
	onDisk := s.roomOnDisk(e.size, &evicted)
	if onDisk {
		s.stats.Bytes += e.size // held until the file is written
	}
	s.mu.Unlock()
	var f *os.File
	var writeErr error
	if onDisk {
		f, e.body, writeErr = place(s.dir, b, e.of)
		e.path = e.body.Path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if onDisk {
		s.stats.Bytes -= e.size
		if writeErr != nil {
			s.noteWrite(writeErr)
		}
	}
	if e.path == "" {
		if !s.roomInMemory(body, &evicted) {
			s.noteLost(Lost{b.Table, "full", b.Rows, b.Packets})
			if writeErr != nil {
				return evicted, nil, fmt.Errorf("%w: %w", ErrFull, writeErr)
			}
			return evicted, nil, ErrFull
		}
		loaded, err := b.Load()
		if err != nil {
			return evicted, nil, fmt.Errorf("%w: %w", ErrFull, err)
		}
		e.sealed = &loaded
	}
	s.add(&s.fresh, e)
	return evicted, &Kept{s, e, f}, nil
}

// Sync waits until the batch is on the disk for good, if Options.Sync wants that,
// and reports whether it is, or ClickHouse has it already. It gives ClickHouse so
// much time first, unless ctx ends: what is gone by then need not be written to
// the disk at all. A batch that the disk refuses is kept in memory.
func (k *Kept) Sync(ctx context.Context, wait time.Duration) (onDisk bool) {
	if k.f == nil {
		return false
	}
	s := k.s
	if s.opt.Sync && wait > 0 {
		timer := time.NewTimer(wait)
		select {
		case <-k.e.gone:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	var err error
	if s.opt.Sync && !k.done() {
		err = k.f.Sync()
	}
	if cerr := k.f.Close(); err == nil {
		err = cerr
	}
	if s.opt.Sync && err == nil && !k.done() {
		err = syncDir(s.dir)
	}
	s.mu.Lock()
	s.noteWrite(err)
	s.mu.Unlock()
	switch {
	case err == nil:
		s.rescue()
		return true
	case k.done():
		return true
	}
	s.takeBack(k.e)
	return false
}

// done reports whether nobody needs the batch's file any more.
func (k *Kept) done() bool {
	select {
	case <-k.e.gone:
		return true
	default:
		return false
	}
}

// takeBack takes a batch that waits from a disk that will not keep it into memory,
// if there is room and it can still be read.
func (s *Spool) takeBack(e *Entry) {
	s.mu.Lock()
	waiting := s.unqueue(e)
	s.mu.Unlock()
	if !waiting {
		return // being sent
	}
	sealed, err := read(e.path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if size := sealed.Size(); err == nil && s.stats.MemoryBytes+size <= s.opt.MemoryBytes {
		s.remove(e)
		s.stats.Bytes -= e.size
		s.stats.MemoryBytes += size
		e.sealed, e.path, e.body = &sealed, "", batch.File{}
	}
	s.backlog = append(s.backlog, e)
	s.signal()
}

// unqueue takes a batch that waits out of its queue, and reports whether it was in
// one.
func (s *Spool) unqueue(e *Entry) bool {
	for _, queue := range []*[]*Entry{&s.backlog, &s.fresh} {
		if i := slices.Index(*queue, e); i >= 0 {
			*queue = slices.Delete(*queue, i, i+1)
			return true
		}
	}
	return false
}

// Ack forgets a batch: ClickHouse has it.
func (s *Spool) Ack(e *Entry) {
	s.mu.Lock()
	s.release(e)
	s.forget(e)
	if e.of.root != "" {
		s.splitOf(e).accepted++
		s.splitDone(e)
	}
	s.mu.Unlock()
	s.remove(e)
}

// remove deletes the file of a batch that is no longer needed.
func (s *Spool) remove(e *Entry) {
	if e.path == "" {
		return
	}
	if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		// It will be sent again after a restart and deduplicated by its id.
		s.opt.Log.Warn("spool cannot remove a file", "file", e.path, "error", err)
	}
}

// forget takes a batch out of the figures.
func (s *Spool) forget(e *Entry) {
	if e.gone != nil {
		close(e.gone)
	}
	s.stats.Batches--
	s.stats.Packets -= e.Packets
	if e.path != "" {
		s.stats.Bytes -= e.size
	}
	if e.sealed != nil {
		s.stats.MemoryBytes -= e.sealed.Size()
	}
}

// Stats returns the figures of this moment.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
