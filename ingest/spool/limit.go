package spool

import (
	"slices"
	"time"
)

// roomOnDisk tells whether a file of the size may be written, and with
// DropOldest drops what waits until it may.
func (s *Spool) roomOnDisk(size int64, evicted *[]Lost) bool {
	for s.stats.Bytes+size > s.opt.MaxBytes {
		if !s.opt.DropOldest || size > s.opt.MaxBytes || !s.evict(func(e *Entry) bool { return e.path != "" }, evicted) {
			return false
		}
	}
	return true
}

// roomInMemory tells whether a body that the disk does not take may be kept in
// memory, and with DropOldest drops what waits there alone until it may.
func (s *Spool) roomInMemory(size int64, evicted *[]Lost) bool {
	if size > s.opt.MemoryBytes {
		return false
	}
	for s.stats.MemoryBytes+size > s.opt.MemoryBytes {
		if !s.opt.DropOldest || !s.evict(func(e *Entry) bool { return e.path == "" }, evicted) {
			return false
		}
	}
	return true
}

// evict drops the oldest batch of the kind that waits, if there is one. Leased
// ones are on their way and stay.
func (s *Spool) evict(kind func(*Entry) bool, evicted *[]Lost) bool {
	var oldest *Entry
	for _, queue := range [][]*Entry{s.backlog, s.fresh} {
		for _, e := range queue {
			if kind(e) && (oldest == nil || e.oldest.Before(oldest.oldest)) {
				oldest = e
			}
		}
	}
	if oldest == nil {
		return false
	}
	s.unqueue(oldest)
	s.forget(oldest)
	s.splitDone(oldest)
	s.remove(oldest)
	l := Lost{oldest.Table, "evicted", oldest.Rows, oldest.Packets}
	s.noteLost(l)
	*evicted = append(*evicted, l)
	return true
}

// rescued is how many batches one Put brings to the disk besides its own.
const rescued = 4

// rescue writes batches that wait in memory alone to a disk that takes writes
// again, so that a crash does not cost them.
func (s *Spool) rescue() {
	for range rescued {
		e := s.takeUnwritten()
		if e == nil {
			return
		}
		body, err := write(s.dir, *e.sealed, e.of, s.opt.Sync)
		s.mu.Lock()
		if err == nil { // else the alarm of the next Put tells: this one's own was taken
			e.path, e.body = body.Path, body
			s.stats.Bytes += e.size
			s.stats.MemoryBytes -= e.sealed.Size()
			e.sealed = nil
		}
		s.backlog = append(s.backlog, e)
		s.signal()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// takeUnwritten takes the first batch that waits in memory alone out of its
// queue, if there is one and room on the disk for it.
func (s *Spool) takeUnwritten() *Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range []*[]*Entry{&s.backlog, &s.fresh} {
		for i, e := range *queue {
			if e.path == "" && s.stats.Bytes+e.size <= s.opt.MaxBytes {
				*queue = slices.Delete(*queue, i, i+1)
				return e
			}
		}
	}
	return nil
}

// Close writes what is in memory alone to the disk, if it takes it now, and
// returns what it does not: nothing else keeps that. Nobody may hold a lease
// any more or use the spool after.
func (s *Spool) Close() (lost []Lost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Concat(s.backlog, s.fresh) {
		if e.path != "" {
			continue
		}
		body, err := write(s.dir, *e.sealed, e.of, s.opt.Sync)
		s.noteWrite(err)
		if err == nil {
			e.path = body.Path
			s.stats.Bytes += e.size
			continue
		}
		s.forget(e)
		l := Lost{e.Table, "stop", e.Rows, e.Packets}
		s.noteLost(l)
		lost = append(lost, l)
	}
	inMemory := func(e *Entry) bool { return e.path == "" }
	s.backlog, s.fresh = slices.DeleteFunc(s.backlog, inMemory), slices.DeleteFunc(s.fresh, inMemory)
	return lost
}

// noteWrite keeps the alarm: it goes on with the first write that fails and off
// with the first that succeeds.
func (s *Spool) noteWrite(err error) {
	was := s.stats.DiskRefuses
	s.stats.DiskRefuses = err != nil
	switch {
	case err != nil:
		s.stats.WriteErrors++
		if n, ok := s.refused.allow(time.Now()); ok {
			s.opt.Log.Error("spool cannot write to the disk; batches are kept in memory only", "batches", n, "error", err)
		}
	case was:
		if _, ok := s.recovered.allow(time.Now()); ok {
			s.opt.Log.Info("spool writes to the disk again")
		}
	}
}

type lossKey struct{ table, reason string }

type lossCount struct{ batches, rows int }

func (s *Spool) noteLost(l Lost) {
	k := lossKey{l.Table, l.Reason}
	c := s.lost[k]
	s.lost[k] = lossCount{c.batches + 1, c.rows + l.Rows}
	if n, ok := s.full.allow(time.Now()); ok {
		s.opt.Log.Error("the spool gives up batches", "batches", n, "table", l.Table, "reason", l.Reason,
			"disk", s.stats.Bytes, "spool.max", s.opt.MaxBytes, "memory", s.stats.MemoryBytes, "spool.memory", s.opt.MemoryBytes)
	}
}

// throttle lets one line a minute through.
type throttle struct {
	last time.Time
	n    int
}

// allow counts an event and says whether to tell of it, and how many there were
// since the last telling.
func (t *throttle) allow(now time.Time) (n int, ok bool) {
	t.n++
	if !t.last.IsZero() && now.Sub(t.last) < time.Minute {
		return 0, false
	}
	n, t.n, t.last = t.n, 0, now
	return n, true
}
