// Package spool keeps sealed batches between ingest and ClickHouse: on disk, so
// that a crash or an outage loses none, and in memory while there is room, so
// that the common case reads nothing back.
//
// A batch enters by Put, is leased by Next, and leaves by Ack once ClickHouse
// has confirmed it, or by Reject when ClickHouse will never take it. Fresh
// batches are leased before the backlog, so that live traffic is queryable at
// once while an outage is worked off.
package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/heplake/heplake/ingest/batch"
)

// ErrFull is returned by Put when neither disk nor memory may take the batch.
var ErrFull = errors.New("spool is full")

// Options bound a spool.
type Options struct {
	// MaxBytes bounds the files on disk.
	MaxBytes int64
	// MemoryBytes bounds the bodies held in memory.
	MemoryBytes int64
	// Sync makes Put return only when the batch is on the disk for good.
	Sync bool
	// Log gets a line about what is unusual.
	Log *slog.Logger
}

// Stats are a spool's figures at one moment.
type Stats struct {
	Batches, Packets int
	// Bytes are on disk, MemoryBytes in memory.
	Bytes, MemoryBytes int64
	// Corrupt counts files found damaged and set aside since Open.
	Corrupt int
	// WriteErrors counts batches that could not be written and live in memory only.
	WriteErrors int
}

// Entry is a leased batch.
type Entry struct {
	ID            string
	Table         string
	Rows, Packets int
	sealed        *batch.Sealed // nil when only on disk
	path          string        // "" when only in memory
	size          int64
	// Attempts counts failed inserts.
	Attempts int
}

// Spool is safe for concurrent use.
type Spool struct {
	dir string
	opt Options

	mu      sync.Mutex
	fresh   []*Entry // bodies in memory, oldest first
	backlog []*Entry // on disk only, oldest first
	leased  map[*Entry]bool
	stats   Stats
	wake    chan struct{} // capacity 1: something may be ready
}

// deadDir holds batches that ClickHouse refused and files found damaged.
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
	s := &Spool{dir: dir, opt: opt, leased: map[*Entry]bool{}, wake: make(chan struct{}, 1)}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
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
			s.add(&s.backlog, &Entry{ID: h.ID, Table: h.Table, Rows: h.Rows, Packets: h.Packets, path: path, size: size})
		}
	}
	// Ids are UUIDv7: their order is the order of sealing.
	slices.SortFunc(s.backlog, func(a, b *Entry) int { return strings.Compare(a.ID, b.ID) })
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
		s.stats.MemoryBytes += int64(len(e.sealed.Body))
	}
	s.signal()
}

func (s *Spool) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Put takes a batch. It returns ErrFull when there is no room for it; the
// batch is then the caller's to count as lost.
//
// When the disk refuses a batch it is kept in memory and the error is logged
// and counted: a full disk must not stop live traffic.
func (s *Spool) Put(b batch.Sealed) error {
	size := int64(len(b.Body))
	s.mu.Lock()
	roomOnDisk := s.stats.Bytes+size <= s.opt.MaxBytes
	roomInMemory := s.stats.MemoryBytes+size <= s.opt.MemoryBytes
	s.mu.Unlock()
	e := &Entry{ID: b.ID, Table: b.Table, Rows: b.Rows, Packets: b.Packets, size: size + prefixLen}
	var writeErr error
	if roomOnDisk {
		e.path, writeErr = write(s.dir, b, s.opt.Sync)
	}
	if e.path == "" && !roomInMemory {
		if writeErr != nil {
			return fmt.Errorf("%w: %w", ErrFull, writeErr)
		}
		return ErrFull
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if writeErr != nil {
		s.stats.WriteErrors++
		s.opt.Log.Error("spool cannot write; batch kept in memory only", "error", writeErr)
	}
	if roomInMemory {
		e.sealed = &b
		s.add(&s.fresh, e)
	} else {
		s.add(&s.backlog, e)
	}
	return nil
}

// Next leases a batch, waiting for one until ctx ends. The caller gives it back
// by Ack, Retry or Reject.
func (s *Spool) Next(ctx context.Context) (*Entry, batch.Sealed, error) {
	for {
		e := s.lease()
		if e == nil {
			select {
			case <-ctx.Done():
				return nil, batch.Sealed{}, ctx.Err()
			case <-s.wake:
				continue
			}
		}
		if e.sealed != nil {
			return e, *e.sealed, nil
		}
		sealed, err := read(e.path)
		if err == nil {
			return e, sealed, nil
		}
		s.mu.Lock()
		s.forget(e)
		s.setAside(e.path, err)
		s.mu.Unlock()
		return e, batch.Sealed{}, fmt.Errorf("spool: %w", err)
	}
}

func (s *Spool) lease() *Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var e *Entry
	switch {
	case len(s.fresh) > 0:
		e, s.fresh = s.fresh[0], s.fresh[1:]
	case len(s.backlog) > 0:
		e, s.backlog = s.backlog[0], s.backlog[1:]
	default:
		return nil
	}
	s.leased[e] = true
	if len(s.fresh)+len(s.backlog) > 0 {
		s.signal() // for the next one that waits
	}
	return e
}

// Ack forgets a batch: ClickHouse has it.
func (s *Spool) Ack(e *Entry) {
	s.mu.Lock()
	s.forget(e)
	s.mu.Unlock()
	if e.path != "" {
		if err := os.Remove(e.path); err != nil {
			// It will be sent again after a restart and deduplicated by its id.
			s.opt.Log.Warn("spool cannot remove a file", "file", e.path, "error", err)
		}
	}
}

// Retry gives a batch back after a failed insert; it is leased again after the
// others that wait.
func (s *Spool) Retry(e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leased, e)
	e.Attempts++
	switch {
	case e.sealed != nil:
		s.fresh = append(s.fresh, e)
	default:
		s.backlog = append(s.backlog, e)
	}
	s.signal()
}

// Reject forgets a batch that ClickHouse will never take, and keeps its file
// in the dead-letter folder for an operator to look at.
func (s *Spool) Reject(e *Entry, b batch.Sealed) error {
	s.mu.Lock()
	s.forget(e)
	s.mu.Unlock()
	dead := filepath.Join(s.dir, deadDir)
	if e.path != "" {
		return os.Rename(e.path, filepath.Join(dead, filepath.Base(e.path)))
	}
	_, err := write(dead, b, s.opt.Sync)
	return err
}

func (s *Spool) forget(e *Entry) {
	delete(s.leased, e)
	s.stats.Batches--
	s.stats.Packets -= e.Packets
	if e.path != "" {
		s.stats.Bytes -= e.size
	}
	if e.sealed != nil {
		s.stats.MemoryBytes -= int64(len(e.sealed.Body))
	}
}

// Stats returns the figures of this moment.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
