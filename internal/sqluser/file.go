package sqluser

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
)

// File keeps the users of the embedded engine, which reads them when it starts
// (see [File.Access]) and starts anew when the file has changed.
type File struct {
	// Path is the file; mode 0600, and written in one step.
	Path string
}

// FilePath is where the users of an engine are, by its folder.
func FilePath(dir string) string { return filepath.Join(dir, "sql_users.json") }

// storedUser is a user with the hash of the password.
type storedUser struct {
	User
	Hash string `json:"password_sha256"`
}

// Access is what the engine is to know of the users.
func (f *File) Access(o schema.Options) (embedded.Access, error) {
	users, err := f.read()
	if err != nil {
		return embedded.Access{}, err
	}
	return access(users, o, time.Now()), nil
}

func (f *File) read() ([]storedUser, error) {
	b, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("SQL users: %w", err)
	}
	var users []storedUser
	if err := json.Unmarshal(b, &users); err != nil {
		return nil, fmt.Errorf("SQL users: %s: %w", f.Path, err)
	}
	for i := range users {
		if err := users[i].Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if len(users[i].Hash) != 64 {
			return nil, fmt.Errorf("SQL users: %s: %s has no password", f.Path, users[i].Name)
		}
	}
	return users, nil
}

// change reads, changes and writes the list, while nobody else does.
func (f *File) change(change func([]storedUser) ([]storedUser, error)) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	lock, err := os.OpenFile(f.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("SQL users: lock %s: %w", lock.Name(), err)
	}
	users, err := f.read()
	if err == nil {
		users, err = change(users)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(users, func(a, b storedUser) int { return cmp.Compare(a.Name, b.Name) })
	b, err := json.MarshalIndent(users, "", "  ")
	if err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	if err := os.WriteFile(f.Path+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	if err := os.Rename(f.Path+".new", f.Path); err != nil {
		return fmt.Errorf("SQL users: %w", err)
	}
	return nil
}

func find(users []storedUser, name string) int {
	return slices.IndexFunc(users, func(u storedUser) bool { return u.Name == name })
}

// List implements Store.
func (f *File) List(context.Context) ([]User, error) {
	users, err := f.read()
	if err != nil {
		return nil, err
	}
	out := make([]User, len(users))
	for i, u := range users {
		out[i] = u.User
	}
	return out, nil
}

// Add implements Store.
func (f *File) Add(_ context.Context, u User, hash string) error {
	if err := u.Check(); err != nil {
		return err
	}
	return f.change(func(users []storedUser) ([]storedUser, error) {
		if find(users, u.Name) >= 0 {
			return nil, fmt.Errorf("%w: %s", ErrExists, u.Name)
		}
		return append(users, storedUser{u, hash}), nil
	})
}

// Rotate implements Store.
func (f *File) Rotate(_ context.Context, name, hash string) error {
	return f.change(func(users []storedUser) ([]storedUser, error) {
		i := find(users, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		users[i].Hash = hash
		return users, nil
	})
}

// Remove implements Store.
func (f *File) Remove(_ context.Context, name string) error {
	return f.change(func(users []storedUser) ([]storedUser, error) {
		i := find(users, name)
		if i < 0 {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, name)
		}
		return slices.Delete(users, i, i+1), nil
	})
}
