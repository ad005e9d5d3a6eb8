package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestASplitCutShortIsForgotten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, sealed("whole", 100))
	path := filepath.Join(dir, "whole"+suffix)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := next(t, s)
	if err := s.Split(e, sealed("first", 50), sealed("second", 60)); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Batches != 2 || st.Packets != 4 {
		t.Errorf("after the split %+v, want two batches", st)
	}
	if st := open(t, dir, Options{}).Stats(); st.Batches != 2 {
		t.Errorf("after a split and a restart %+v, want the halves", st)
	}
	// The crash came before the whole was removed.
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, Options{})
	if st := again.Stats(); st.Batches != 1 {
		t.Errorf("after a split that was cut short %+v, want the whole alone", st)
	}
	if _, b := next(t, again); b.ID != "whole" {
		t.Errorf("got %s", b.ID)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
}

func TestASplitThatTheDiskRefusesChangesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	put(t, s, sealed("whole", 100))
	e, b := next(t, s)
	// A folder in the place of the second half's file.
	if err := os.Mkdir(filepath.Join(dir, "second"+suffix), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Split(e, sealed("first", 50), sealed("second", 60)); err == nil {
		t.Fatal("split over a folder")
	}
	s.Retry(e)
	if err := os.Remove(filepath.Join(dir, "second"+suffix)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Spool{s, open(t, dir, Options{})} {
		if st := s.Stats(); st.Batches != 1 {
			t.Errorf("%+v, want the whole alone", st)
		}
		if _, got := next(t, s); got.ID != b.ID {
			t.Errorf("got %s", got.ID)
		}
	}
}

func TestSplittingGivesUpWhereNoRowIsGood(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	why := errors.New("no such column")
	put(t, s, sealed("r", 100)) // each batch claims three rows
	for i := range hopelessAfter {
		e, _ := next(t, s)
		if !s.Worth(e) {
			t.Fatalf("given up after %d rows", i)
		}
		id := string(rune('a' + i))
		if err := s.Split(e, sealed(id+"1", 10), sealed(id+"2", 10)); err != nil {
			t.Fatal(err)
		}
		e, b := next(t, s)
		if err := s.Reject(e, b, why); err != nil {
			t.Fatal(err)
		}
	}
	e, b := next(t, s)
	if s.Worth(e) {
		t.Error("splitting goes on though nothing but refused rows was found")
	}
	if err := s.Reject(e, b, why); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, deadDir, deadIndex))
	if err != nil || bytes.Count(lines, []byte("\n")) != hopelessAfter+1 || !bytes.Contains(lines, []byte(`"batch":"r"`)) || !bytes.Contains(lines, []byte(why.Error())) {
		t.Errorf("%v; the index of what was refused:\n%s", err, lines)
	}
	if st := s.Stats(); st != (Stats{}) || len(s.splits) != 0 {
		t.Errorf("in the end %+v and %d splits followed", st, len(s.splits))
	}
}
