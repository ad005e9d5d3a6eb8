package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

const (
	// liveFor is how long a batch counts as live traffic. One that waited for
	// longer is backlog: after an outage what arrives now goes first.
	liveFor = 5 * time.Second
	// backlogEvery gives the backlog each fourth lease while live batches wait,
	// so that it shrinks under steady load and costs live traffic little.
	backlogEvery = 4
	// firstPause and longestPause are how long a batch whose insert failed
	// waits: twice as long each time, so that one that fails alone does not keep
	// an inserter busy.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Next leases a batch, waiting for one until ctx ends. The caller gives it back
// by Ack, Retry, Split or Reject. A live one's stream is in its file, which is
// there until then; of what waited for longer the CRC is checked first. With an error and an entry, the entry's file
// was found damaged and set aside: its packets are lost.
func (s *Spool) Next(ctx context.Context) (*Entry, batch.Sealed, error) {
	for {
		e, wait := s.lease(time.Now())
		if e == nil {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil, batch.Sealed{}, ctx.Err()
			case <-s.wake:
			case <-timer.C:
			}
			timer.Stop()
			continue
		}
		switch {
		case e.sealed != nil:
			return e, *e.sealed, nil
		case e.body.Path != "" && !e.fromBacklog:
			// Written a moment ago and not out of the page cache since.
			return e, batch.Sealed{ID: e.ID, Table: e.Table, Rows: e.Rows, Packets: e.Packets, Oldest: e.oldest, File: e.body}, nil
		}
		sealed, err := read(e.path)
		switch {
		case err == nil:
			return e, sealed, nil
		case errors.Is(err, errCorrupt) || errors.Is(err, fs.ErrNotExist):
			s.mu.Lock()
			s.release(e)
			s.forget(e)
			s.splitDone(e)
			s.setAside(e.path, err)
			s.mu.Unlock()
			return e, batch.Sealed{}, fmt.Errorf("spool: %w", err)
		default: // too many open files, a disk that fails: it may pass
			s.opt.Log.Warn("spool cannot read a file; it will be tried again", "file", e.path, "error", err)
			s.Retry(e)
		}
	}
}

// idle is how long a Next sleeps when nothing waits.
const idle = time.Hour

// lease takes the batch whose turn it is, or says how long to wait for one.
func (s *Spool) lease(now time.Time) (*Entry, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.fresh) > 0 && now.Sub(s.fresh[0].put) > liveFor {
		s.backlog = append(s.backlog, s.fresh[0])
		s.fresh = s.fresh[1:]
	}
	live, wait := s.ready(s.fresh, now)
	old, waitOld := -1, idle
	if s.opt.Leases == 0 || s.old < max(1, s.opt.Leases-1) {
		old, waitOld = s.ready(s.backlog, now)
	}
	if live < 0 && old < 0 {
		return nil, min(wait, waitOld)
	}
	if live >= 0 && old >= 0 {
		s.turn++
	}
	var e *Entry
	if live < 0 || old >= 0 && s.turn%backlogEvery == 0 {
		e = s.backlog[old]
		s.backlog = slices.Delete(s.backlog, old, old+1)
		e.fromBacklog = true
		s.old++
	} else {
		e = s.fresh[live]
		s.fresh = slices.Delete(s.fresh, live, live+1)
		e.fromBacklog = false
	}
	s.leased[e] = true
	s.tables[e.Table]++
	if len(s.fresh)+len(s.backlog) > 0 {
		s.signal() // for the next one that waits
	}
	return e, 0
}

// ready returns the index of the first batch that may be leased now, or -1 and
// when to look again.
func (s *Spool) ready(queue []*Entry, now time.Time) (int, time.Duration) {
	wait := idle
	for i, e := range queue {
		if s.opt.Leases > 0 && s.tables[e.Table] >= max(1, s.opt.Leases/2) {
			continue // the end of one of its leases wakes us
		}
		if d := e.notBefore.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		return i, 0
	}
	return -1, wait
}

// release ends a lease.
func (s *Spool) release(e *Entry) {
	delete(s.leased, e)
	s.tables[e.Table]--
	if e.fromBacklog {
		s.old--
	}
	s.signal()
}

// Retry gives a batch back after a failed insert; it is leased again after a
// pause and after the others that wait.
func (s *Spool) Retry(e *Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(e)
	pause := longestPause
	if e.Attempts < 6 {
		pause = min(pause, firstPause<<e.Attempts)
	}
	e.notBefore = time.Now().Add(pause)
	e.Attempts++
	s.backlog = append(s.backlog, e)
}
