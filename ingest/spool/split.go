package spool

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/heplake/heplake/ingest/batch"
)

// split follows the parts of one sealed batch that ClickHouse refused.
type split struct {
	parts              int // that wait or are leased
	accepted, rejected int
}

func (s *Spool) splitOf(e *Entry) *split {
	sp := s.splits[e.of.root]
	if sp == nil {
		sp = &split{}
		s.splits[e.of.root] = sp
	}
	return sp
}

// splitDone takes a part out of the account of its batch.
func (s *Spool) splitDone(e *Entry) {
	if e.of.root == "" {
		return
	}
	sp := s.splitOf(e)
	if sp.parts--; sp.parts <= 0 {
		delete(s.splits, e.of.root)
	}
}

// hopelessAfter rows of a batch refused one by one, and none accepted, mean
// that it is not its rows that are at fault.
const hopelessAfter = 16

// Worth tells whether splitting the refused batch may save rows of it. It may
// not when it is a single row, or when of the batch it is a part of nothing but
// refused rows was found.
func (s *Spool) Worth(e *Entry) bool {
	if e.Rows < 2 {
		return false
	}
	if e.of.root == "" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.splitOf(e)
	return sp.accepted > 0 || sp.rejected < hopelessAfter
}

// Split replaces a refused batch by two batches that together hold its rows and
// packets. On disk both are written before the refused one goes, and neither is
// leased before that: whatever is cut short in between, after a restart either
// the whole is there or its halves are, never both.
//
// After an error the batch is still leased.
func (s *Spool) Split(e *Entry, first, second batch.Sealed) error {
	of := lineage{parent: e.ID, root: e.of.root}
	if of.root == "" {
		of.root = e.ID
	}
	halves := make([]*Entry, 0, 2)
	undo := func(err error) error {
		for _, h := range halves {
			s.remove(h)
		}
		return fmt.Errorf("spool: split %s: %w", e.ID, err)
	}
	for _, b := range []batch.Sealed{first, second} {
		h := &Entry{ID: b.ID, Table: b.Table, Rows: b.Rows, Packets: b.Packets, oldest: b.Oldest, of: of, size: b.Size() + prefixLen}
		if e.path == "" {
			h.sealed = &b
		} else {
			body, err := write(s.dir, b, of, s.opt.Sync)
			if err != nil {
				return undo(err)
			}
			h.path, h.body = body.Path, body
		}
		halves = append(halves, h)
	}
	if e.path != "" {
		if err := os.Remove(e.path); err != nil {
			return undo(err)
		}
		if s.opt.Sync {
			// The halves are there: that the whole is gone for good matters only
			// to a machine that loses power now.
			_ = syncDir(s.dir)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range halves {
		s.add(&s.backlog, h)
	}
	s.release(e)
	s.forget(e)
	s.splitDone(e)
	return nil
}

// withoutUnfinishedSplits removes halves whose whole is still there: they were
// written by a Split that was cut short, and never sent.
func withoutUnfinishedSplits(found []*Entry) (kept []*Entry) {
	there := map[string]bool{}
	for _, e := range found {
		there[e.ID] = true
	}
	for _, e := range found {
		if e.of.parent != "" && there[e.of.parent] {
			_ = os.Remove(e.path)
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// deadLetter is a line of dead/rejected.jsonl.
type deadLetter struct {
	Time    time.Time `json:"time"`
	File    string    `json:"file"`
	Root    string    `json:"batch"` // as it was sealed
	Table   string    `json:"table"`
	Rows    int       `json:"rows"`
	Packets int       `json:"packets"`
	Error   string    `json:"error"`
}

// deadIndex lists the rejected files with their errors.
const deadIndex = "rejected.jsonl"

// Reject forgets a batch that ClickHouse will never take, and keeps its file
// in the dead-letter folder with the reason, for an operator to look at.
func (s *Spool) Reject(e *Entry, b batch.Sealed, why error) error {
	s.mu.Lock()
	s.release(e)
	s.forget(e)
	root := e.ID
	if e.of.root != "" {
		root = e.of.root
		s.splitOf(e).rejected++
		s.splitDone(e)
	}
	n, tell := s.dead.allow(time.Now())
	s.mu.Unlock()
	if tell {
		s.opt.Log.Error("ClickHouse refuses rows; they are kept in the spool's dead folder", "times", n, "batch", root, "table", e.Table, "rows", e.Rows, "error", why)
	}
	dead := filepath.Join(s.dir, deadDir)
	name := e.ID + suffix
	// The line first: a file without one would be a row without its reason.
	if err := appendLine(filepath.Join(dead, deadIndex), deadLetter{time.Now().UTC(), name, root, e.Table, e.Rows, e.Packets, why.Error()}); err != nil {
		s.opt.Log.Warn("spool cannot note why a batch was refused", "id", e.ID, "error", err)
	}
	if e.path != "" {
		return os.Rename(e.path, filepath.Join(dead, name))
	}
	_, err := write(dead, b, e.of, s.opt.Sync)
	return err
}

func appendLine(path string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
