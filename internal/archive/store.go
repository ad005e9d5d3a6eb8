package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// store is where an archive lies. Names are paths with slashes from its root on.
type store interface {
	// children lists what lies directly below a folder, sorted; nothing when there is
	// no such folder.
	children(ctx context.Context, folder string) ([]string, error)
	// open opens a file; the error is fs.ErrNotExist when there is none.
	open(ctx context.Context, name string) (io.ReadCloser, error)
	// place says where a name is, to people.
	place(name string) string
	// lock takes the lock of a table's day; the function gives it back. It ends with
	// the process, so that a crash leaves none. The error wraps ErrBusy.
	lock(table, day string) (func(), error)
	// locker is who shares the locks, as a part of the names of tables that the lock's
	// holder works with: "" when it is everybody who has the archive.
	locker() string
	// draft begins a generation that is to be a folder below the day's. What a crash
	// left of one is removed. The caller has the day's lock.
	draft(ctx context.Context, table, day, folder string) (draft, error)
	// inPlace tells whether drafts are written where generations lie, so that what has
	// no manifest there is no damage.
	inPlace() bool
}

// draft is a generation that is being written.
type draft interface {
	// file is the n-th file's name within the generation.
	file(n int) string
	// write stores a file. When it returns nil the whole of it is stored for good,
	// and can be opened by the name that it returns.
	write(ctx context.Context, file string, from io.Reader) (name string, size int64, err error)
	// publish makes it a generation: it is there whole, with its manifest, or not at
	// all.
	publish(ctx context.Context, manifest []byte) error
	// discard removes what was not published.
	discard()
}

// folder is an archive in a folder.
type folder struct{ dir string }

func openFolder(dir string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir}
	return f, os.MkdirAll(f.temporary(), 0o700)
}

// temporary has what is being written, and the locks.
func (f *folder) temporary() string { return filepath.Join(f.dir, "tmp") }

func (f *folder) inPlace() bool { return false }

func (f *folder) place(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *folder) children(_ context.Context, name string) ([]string, error) {
	entries, err := os.ReadDir(f.place(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries { // ReadDir sorts
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, err
}

func (f *folder) open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(f.place(name))
}

func (f *folder) locker() string { return "" }

func (f *folder) lock(table, day string) (func(), error) { return lockFile(f.temporary(), table, day) }

// lockFile takes a lock by a file of a folder.
func lockFile(dir, table, day string) (func(), error) {
	f, err := os.OpenFile(filepath.Join(dir, table+"-"+day+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
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

// folderDraft is written below tmp, and renamed.
type folderDraft struct {
	f *folder
	// name is the draft's folder, to what it will be.
	name, to string
}

func (f *folder) draft(_ context.Context, table, day, to string) (draft, error) {
	d := &folderDraft{f, path.Join("tmp", table+"-"+day), to}
	if err := os.RemoveAll(f.place(d.name)); err != nil {
		return nil, err
	}
	return d, os.Mkdir(f.place(d.name), 0o700)
}

func (d *folderDraft) file(n int) string { return fmt.Sprintf("%04d.parquet", n) }

func (d *folderDraft) write(_ context.Context, file string, from io.Reader) (name string, size int64, err error) {
	name = path.Join(d.name, file)
	f, err := os.OpenFile(d.f.place(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, err
	}
	size, err = io.CopyBuffer(f, from, make([]byte, 256<<10))
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return name, size, err
}

func (d *folderDraft) publish(_ context.Context, manifest []byte) error {
	if err := writeSynced(d.f.place(path.Join(d.name, manifestName)), manifest, os.O_EXCL); err != nil {
		return err
	}
	return rename(d.f.place(d.name), d.f.place(d.to))
}

func (d *folderDraft) discard() { _ = os.RemoveAll(d.f.place(d.name)) }

// rename makes a draft what it is, so that it is there whole or not at all.
func rename(draft, to string) error {
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

// writeSynced makes a file that is on the disk when it returns nil; its name is once
// its folder is. how is os.O_EXCL or os.O_TRUNC.
func writeSynced(name string, data []byte, how int) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|how, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
