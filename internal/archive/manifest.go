package archive

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	manifestFormat  = "heplake-archive"
	manifestVersion = 1
	manifestName    = "manifest.json"
)

// Manifest says what a generation of a table's day holds. It is written last.
type Manifest struct {
	// Format and Version tell what this is; readers refuse a higher version.
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Heplake and Schema are the versions that wrote it.
	Heplake  string    `json:"heplake"`
	Schema   int       `json:"schema_version"`
	Created  time.Time `json:"created"`
	Database string    `json:"database"`
	Table    string    `json:"table"`
	Day      string    `json:"day"`
	// Generation counts from 1; further ones have rows that came later.
	Generation int `json:"generation"`
	// Rows and Bytes are those of all files.
	Rows  uint64 `json:"rows"`
	Bytes int64  `json:"bytes"`
	// MinTime and MaxTime are of the first and the last row.
	MinTime time.Time `json:"min_time"`
	MaxTime time.Time `json:"max_time"`
	Columns []Column  `json:"columns"`
	Files   []File    `json:"files"`

	// store has it, in this folder.
	store store
	dir   string
}

// File is one Parquet file of a generation.
type File struct {
	Name  string `json:"name"`
	Rows  uint64 `json:"rows"`
	Bytes int64  `json:"bytes"`
	// SHA256 is that of the file, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Hash is sum(cityHash64(tuple(…))) of ClickHouse over the columns in
	// their order.
	Hash uint64 `json:"hash,string"`
	Span Span   `json:"span"`
}

// Path is where a file of the generation lies: a path, or an address.
func (m *Manifest) Path(f File) string { return m.store.place(m.name(f)) }

// name is what the store knows a file by.
func (m *Manifest) name(f File) string { return path.Join(m.dir, f.Name) }

// check refuses what this program does not understand.
func (m *Manifest) check(table, day string) error {
	switch {
	case m.Format != manifestFormat || m.Version < 1:
		return fmt.Errorf("%w: it is no manifest of an archive", ErrDamaged)
	case m.Version > manifestVersion:
		return fmt.Errorf("it has version %d, written by heplake %s; this heplake knows version %d", m.Version, m.Heplake, manifestVersion)
	case m.Table != table || m.Day != day:
		return fmt.Errorf("%w: it is of %s of table %s", ErrDamaged, m.Day, m.Table)
	}
	var rows uint64
	var bytes int64
	for _, f := range m.Files {
		rows, bytes = rows+f.Rows, bytes+f.Bytes
		if f.Name != path.Base(f.Name) {
			return fmt.Errorf("%w: it names a file %q", ErrDamaged, f.Name)
		}
	}
	if rows != m.Rows || bytes != m.Bytes {
		return fmt.Errorf("%w: its files have %d rows and it says %d", ErrDamaged, rows, m.Rows)
	}
	return nil
}

// manifests reads the generations of a table's day, oldest first.
func (a *Archive) manifests(ctx context.Context, table, day string) ([]*Manifest, error) {
	folder := a.folder(table, day)
	names, err := a.store.children(ctx, folder)
	if err != nil {
		return nil, err
	}
	var out []*Manifest
	for _, name := range names {
		generation, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		m, err := a.readManifest(ctx, path.Join(folder, name), table, day)
		if errors.Is(err, fs.ErrNotExist) && a.store.inPlace() {
			continue // a draft, or what a crash left of one
		}
		if err != nil {
			return nil, err
		}
		if m.Generation != generation {
			return nil, fmt.Errorf("%s: %w: it is of generation %d", a.store.place(m.dir), ErrDamaged, m.Generation)
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y *Manifest) int { return x.Generation - y.Generation })
	// There a draft is only ever of the next generation: one that is missing before
	// another was there once.
	for i, m := range out {
		if a.store.inPlace() && m.Generation != i+1 {
			return nil, fmt.Errorf("%s: %w: generation %d is missing", a.store.place(folder), ErrDamaged, i+1)
		}
	}
	return out, nil
}

func (a *Archive) readManifest(ctx context.Context, dir, table, day string) (*Manifest, error) {
	name := path.Join(dir, manifestName)
	f, err := a.store.open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.store.place(name), err)
	}
	m := &Manifest{store: a.store, dir: dir}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", a.store.place(name), ErrDamaged, err)
	}
	if err := m.check(table, day); err != nil {
		return nil, fmt.Errorf("%s: %w", a.store.place(name), err)
	}
	return m, nil
}

// List lists what the archive has of a table, every table when empty: by table,
// day and generation.
func (a *Archive) List(ctx context.Context, table string) ([]*Manifest, error) {
	var out []*Manifest
	for _, t := range Tables() {
		if table != "" && t != table {
			continue
		}
		days, err := a.Days(ctx, t)
		if err != nil {
			return nil, err
		}
		for _, day := range days {
			found, err := a.manifests(ctx, t, day)
			if err != nil {
				return nil, fmt.Errorf("archive: %w", err)
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

// Days lists the days of a table that the archive has, oldest first.
func (a *Archive) Days(ctx context.Context, table string) ([]string, error) {
	names, err := a.store.children(ctx, path.Join(a.database, table))
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	var out []string
	for _, name := range names {
		if _, err := ParseDay(name); err == nil {
			out = append(out, name)
		}
	}
	return out, nil
}

func decodeKey(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil {
		return nil, fmt.Errorf("a key that is no base64: %w", err)
	}
	return key, nil
}
