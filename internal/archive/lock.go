package archive

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lock takes the lock of a table's day; the function gives it back. It ends with
// the process, so that a crash leaves none.
func (a *Archive) lock(table, day string) (func(), error) {
	path := filepath.Join(a.temporary(), table+"-"+day+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s of %s: %w", day, table, ErrBusy)
	}
	return func() {
		// The file stays: one that waits for a lock on a file that is gone would share
		// the day with one that made it anew.
		_ = f.Close()
	}, nil
}

// draft makes the folder in which a generation is written, and removes what a
// crash left of one.
func (a *Archive) draft(table, day string) (string, error) {
	dir := filepath.Join(a.temporary(), table+"-"+day)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o700)
}

// publish renames a draft to what it is, so that it is there whole or not at all.
func publish(draft, to string) error {
	if err := syncDir(draft); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(draft, to); err != nil {
		return err
	}
	// The names above may be new, too.
	for dir := filepath.Dir(to); ; dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, "tmp")); err == nil || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
