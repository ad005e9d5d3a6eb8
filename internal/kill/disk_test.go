//go:build linux

package kill

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFullDisk has the spool on a small file system and the engine halted until
// that is full: an alarm and not a crash, and nothing is lost of what memory
// has room for. A POST is refused for as long as nothing can be kept on the disk.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	l := prepare(t)
	spool := filepath.Join(l.dir, "data", "spool")
	if err := os.MkdirAll(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", spool, "tmpfs", 0, "size=3m"); err != nil {
		t.Skip("cannot mount a small file system here:", err)
	}
	t.Cleanup(func() {
		l.end(t)
		if err := unix.Unmount(spool, 0); err != nil {
			t.Error(err)
		}
	})
	l.start(t)
	r := round{t, l, &line{}, "full-disk"}
	before := r.settle(t)
	o := r.load()
	nap()
	pid := r.engine()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume := func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
	defer resume()
	eventually(t, "the alarm", func() bool { return r.books(t)["heplake_spool_disk_refuses"] == 1 })
	time.Sleep(2 * time.Second)
	during := r.books(t)
	if during["heplake_waiting"] == 0 || during[`heplake_spool_errors_total{error="write"}`] == 0 {
		t.Errorf("the disk is full: %v wait, %v batches refused", during["heplake_waiting"], during[`heplake_spool_errors_total{error="write"}`])
	}
	resume()
	nap()
	r.nothingLost(o, before)
	eventually(t, "the end of the alarm", func() bool { return r.books(t)["heplake_spool_disk_refuses"] == 0 })
	answered, refused := 0, 0
	for _, s := range o {
		for _, rec := range s.sent {
			if s.transport == "http" && rec.whole {
				answered++
			} else if s.transport == "http" {
				refused++
			}
		}
	}
	if answered == 0 || refused == 0 {
		t.Errorf("%d posted records were answered for, %d were not; want some of both", answered, refused)
	}
	t.Logf("%v batches refused by the disk, %v packets waited; %d posted records answered for, %d refused", during[`heplake_spool_errors_total{error="write"}`], during["heplake_waiting"], answered, refused)
}
