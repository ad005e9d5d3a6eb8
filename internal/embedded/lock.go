package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockDir takes the lock on the data directory and returns the file holding it.
//
// The child inherits the descriptor, so the lock is free only when parent and
// child are gone. A parent killed leaves its child shutting down for a moment:
// then, and only then, lockDir waits.
func lockDir(dir string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded clickhouse: %w", err)
	}
	deadline := time.Now().Add(wait)
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("embedded clickhouse: lock %s: %w", f.Name(), err)
		}
		pid := lockOwner(f)
		if alive(pid) || time.Now().After(deadline) {
			_ = f.Close()
			return nil, fmt.Errorf("embedded clickhouse: %s is in use by another heplake (process %d)", dir, pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("embedded clickhouse: lock: %w", err)
	}
	return f, nil
}

// lockOwner reads the process id of the parent holding the lock, 0 if unknown.
func lockOwner(f *os.File) int {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	return pid
}

func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
