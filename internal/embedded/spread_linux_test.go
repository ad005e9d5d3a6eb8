package embedded

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMarkTop(t *testing.T) {
	dir := t.TempDir()
	if flags(t, dir)&fsTopDir != 0 {
		t.Fatal("marked before")
	}
	for range 2 {
		if err := markTop(dir); err != nil {
			t.Fatal(err)
		}
		if flags(t, dir)&fsTopDir == 0 {
			t.Fatal("not marked")
		}
	}
	if err := markTop(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// TestSpreadParts: what is there at the start is marked, and what comes later.
func TestSpreadParts(t *testing.T) {
	dir := t.TempDir()
	if !seeksInodes(dir) {
		t.Skip("not an ext4 without a journal")
	}
	first, later := filepath.Join(dir, "store", "abc", "abc1"), filepath.Join(dir, "store", "def", "def1")
	if err := os.MkdirAll(first, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		spreadParts(ctx, dir)
	}()
	waitMarked(t, first)
	if err := os.MkdirAll(later, 0o700); err != nil {
		t.Fatal(err)
	}
	waitMarked(t, later)
	cancel()
	<-done
}

func waitMarked(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); flags(t, dir)&fsTopDir == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is not marked", dir)
		}
	}
}

func flags(t *testing.T, dir string) uint32 {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	v, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		t.Skipf("a file system without flags: %v", err)
	}
	return v
}

func TestSeeksInodes(t *testing.T) {
	for _, dir := range []string{"/proc", "/dev", "/nowhere"} {
		if seeksInodes(dir) {
			t.Errorf("%s is said to be an ext4", dir)
		}
	}
}
