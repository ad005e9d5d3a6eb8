package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
)

// envJob makes the test binary a process that does one job on an archive and
// can be killed at it.
const envJob = "HEPLAKE_TEST_ARCHIVE_JOB"

type job struct {
	Options Options
	Table   string
	Day     string
	Restore bool
}

func TestMain(m *testing.M) {
	if text := os.Getenv(envJob); text != "" {
		if err := doJob(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	chtest.Main(m)
}

func doJob(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	j.Options.Log = slog.New(slog.DiscardHandler)
	a, err := Open(j.Options)
	if err != nil {
		return err
	}
	if j.Restore {
		_, err = a.Restore(context.Background(), RestoreRequest{Table: j.Table, Day: j.Day})
	} else {
		_, err = a.Put(context.Background(), j.Table, j.Day)
	}
	return err
}

// runKilled runs the job in a process that is killed after a while. It tells
// whether the job was done before.
func runKilled(t *testing.T, j job, after time.Duration) bool {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envJob+"="+string(text))
	var said errorText
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if timer.Stop() && err != nil {
		t.Fatalf("the job failed: %v: %s", err, said)
	}
	return err == nil
}

type errorText string

func (e *errorText) Write(p []byte) (int, error) { *e += errorText(p); return len(p), nil }

// archiveKilled kills the archiver of a day at ever later times until it gets
// through, each time later by a part of what it was given, and returns what it
// wrote then. What is there is whole at any time.
func archiveKilled(t *testing.T, w *world, j job, part time.Duration) *Manifest {
	t.Helper()
	kills := 0
	for after := 40 * time.Millisecond; !runKilled(t, j, after); after += after / part {
		kills++
		found, err := w.List(t.Context(), "")
		if err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
		for _, m := range found { // killed between the rename and its end
			if err := m.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := w.List(t.Context(), j.Table)
	if err != nil || len(found) != 1 || len(found[0].Files) < 3 {
		t.Fatalf("%d generations, %v", len(found), err)
	}
	if kills < 3 {
		t.Errorf("killed only %d times", kills)
	}
	return found[0]
}

// killable is the job of archiving the first day of a table.
func (w *world) killable(t *testing.T, table string) job {
	j := job{Options: w.options, Table: table, Day: w.over(t, table)[0]}
	j.Options.Log = nil // which is the process's own
	return j
}

// TestBucketKilled kills who archives into a bucket: nothing is left there of what
// was under way.
func TestBucketKilled(t *testing.T) {
	w := openAt(t, inBucket, 10<<10)
	m := archiveKilled(t, w, w.killable(t, "sip"), 2)
	if err := m.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if keys := w.keys(t); len(keys) != len(m.Files)+1 {
		t.Errorf("of %d files and a manifest there is %v", len(m.Files), keys)
	}
}

// TestKilled kills the archiver, and then the restorer, at ever later times until
// it gets through. What is there is whole at any time, and in the end every row
// is there once.
func TestKilled(t *testing.T) {
	w := open(t, 10<<10)
	const table = "sip"
	before := w.content(t, table)
	j := w.killable(t, table)
	archiveKilled(t, w, j, 3)
	w.exec(t, "TRUNCATE TABLE "+table)
	kills := 0
	j.Restore = true
	for after := 40 * time.Millisecond; !runKilled(t, j, after); after += after / 3 {
		kills++
		if got := w.content(t, table); len(got) != 0 && string(got) != string(before) {
			t.Fatalf("killed after %s, a part of the day is there", after)
		}
	}
	if kills < 3 {
		t.Errorf("killed only %d times", kills)
	}
	if got := w.content(t, table); string(got) != string(before) {
		t.Error("the day is not as it was")
	}
}
