package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/schema"
)

// Result says what one call did.
type Result struct {
	Table, Day string
	// Rows and Bytes were written, in so many files; 0 when the archive had all.
	Rows  uint64
	Bytes int64
	Files int
	// Present is how many rows the day has.
	Present uint64
}

// Archive implements retention.Archiver: it returns nil when every row that the
// day of the table has now can be read back. The error wraps ErrRestored for a
// day that was restored and is to stay.
func (a *Archive) Archive(ctx context.Context, table, partition string) error {
	if held, until, err := a.restored(ctx, table, partition); err != nil {
		return a.failed(err, "archive %s of %s: %w", partition, table, err)
	} else if held {
		return fmt.Errorf("archive %s of %s: %w until %s", partition, table, ErrRestored, until)
	}
	_, err := a.Put(ctx, table, partition)
	return err
}

// Put archives what the archive does not have of a day of a table.
func (a *Archive) Put(ctx context.Context, of, day string) (Result, error) {
	r, err := a.put(ctx, of, day)
	if err != nil {
		return r, a.failed(err, "archive %s of %s: %w", day, of, err)
	}
	a.metrics.wrote(of, r)
	if r.Files > 0 {
		a.log.Info("archived", "table", of, "day", day, "rows", r.Rows, "bytes", r.Bytes, "files", r.Files, "to", a.store.place(a.folder(of, day)))
	}
	return r, nil
}

func (a *Archive) put(ctx context.Context, of, day string) (Result, error) {
	r := Result{Table: of, Day: day}
	if _, err := ParseDay(day); err != nil {
		return r, err
	}
	t, err := a.find(ctx, of, of)
	if err != nil {
		return r, err
	}
	unlock, err := a.store.lock(of, day)
	if err != nil {
		return r, err
	}
	defer unlock()
	parts, err := a.parts(ctx, of, day)
	if err != nil || len(parts) == 0 {
		return r, err
	}
	known, err := a.manifests(ctx, of, day)
	if err != nil {
		return r, err
	}
	for _, p := range parts {
		r.Present += p.Rows
	}
	if len(known) > 0 && a.saw(of, day, parts) {
		return r, nil
	}
	m := &Manifest{
		Format: manifestFormat, Version: manifestVersion, Heplake: version.Version, Schema: schema.Version, Created: time.Now().UTC().Truncate(time.Second),
		Database: a.database, Table: of, Day: day, Generation: len(known) + 1, Columns: t.columns,
	}
	if n := len(known); n > 0 {
		m.Generation = known[n-1].Generation + 1
	}
	if err := a.mayLeave(ctx, t, day); err != nil {
		return r, err
	}
	d, err := a.store.draft(ctx, of, day, path.Join(a.folder(of, day), strconv.Itoa(m.Generation)))
	if err != nil {
		return r, err
	}
	defer d.discard()
	if err := a.fill(ctx, t, m, known, d); err != nil {
		return r, err
	}
	if len(m.Files) > 0 {
		b, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return r, err
		}
		if err := d.publish(ctx, append(b, '\n')); err != nil {
			return r, err
		}
	}
	r.Rows, r.Bytes, r.Files = m.Rows, m.Bytes, len(m.Files)
	a.noteSeen(of, day, parts)
	return r, nil
}

// mayLeave refuses a day that has rows of a tenant that stay where they are.
func (a *Archive) mayLeave(ctx context.Context, t *table, day string) error {
	if len(a.residents) == 0 {
		return nil
	}
	var names []string
	for _, tenant := range a.residents {
		names = append(names, schema.Quote(tenant))
	}
	type row struct {
		Tenant string `json:"tenant"`
	}
	found, err := ask[row](ctx, a, "SELECT toString(tenant) AS tenant FROM "+name(t.database, t.name)+" WHERE "+t.onDay(day)+" AND tenant IN ("+strings.Join(names, ", ")+") LIMIT 1")
	if err != nil {
		return fmt.Errorf("ask whose rows they are: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("tenant %s: %w", found[0].Tenant, ErrResidency)
	}
	return nil
}

// fill writes the files of a generation: all rows, or those that no generation
// before has.
func (a *Archive) fill(ctx context.Context, t *table, m *Manifest, known []*Manifest, d draft) error {
	var spans []Span
	if len(known) > 0 {
		for _, f := range known[0].Files {
			spans = append(spans, f.Span)
		}
	} else {
		var err error
		if spans, err = a.spans(ctx, t, m.Day); err != nil {
			return err
		}
	}
	for _, s := range spans {
		condition, drop := t.onDay(m.Day)+" AND "+s.condition(t), func() {}
		if len(known) > 0 {
			var err error
			if condition, drop, err = a.missing(ctx, t, known, s, condition); err != nil {
				return err
			}
			if condition == "" {
				continue
			}
		}
		f, first, last, err := a.writeFile(ctx, t, m.Day, d, d.file(len(m.Files)), condition)
		drop()
		if err != nil {
			return err
		}
		f.Span = s
		m.add(f, first, last)
	}
	return nil
}

func (m *Manifest) add(f File, first, last time.Time) {
	if m.Files = append(m.Files, f); f.Rows == 0 {
		return
	}
	if m.Rows == 0 || first.Before(m.MinTime) {
		m.MinTime = first
	}
	if last.After(m.MaxTime) {
		m.MaxTime = last
	}
	m.Rows, m.Bytes = m.Rows+f.Rows, m.Bytes+f.Bytes
}

// parquet are the settings of what is written: text is binary, since messages
// are not always UTF-8, and row groups are small enough to be read by anybody.
var parquet = map[string]string{
	"output_format_parquet_compression_method": "zstd", "output_format_parquet_string_as_string": "0", "output_format_parquet_row_group_size": "100000",
	"output_format_parquet_row_group_size_bytes": "67108864", "output_format_parquet_parallel_encoding": "0", "optimize_read_in_order": "1",
}

// tries is how often a file is written while its rows change.
const tries = 3

// writeFile writes the rows of a condition and reads them back. What it returns
// is stored, and the same as in the table.
func (a *Archive) writeFile(ctx context.Context, t *table, day string, d draft, file, condition string) (f File, first, last time.Time, err error) {
	columns := columnNames(t.columns)
	for range tries {
		before, err := a.summarise(ctx, t, columns, condition)
		if err != nil {
			return f, first, last, err
		}
		f = File{Name: file, Rows: before.Rows, Hash: before.Hash}
		sql := "SELECT " + quoted(columns) + " FROM " + t.source() + " WHERE " + condition + " ORDER BY " + t.sortByKey + " FORMAT Parquet"
		var written string
		if written, f.SHA256, f.Bytes, err = a.save(ctx, sql, d, file); err != nil {
			return f, first, last, fmt.Errorf("write %s: %w", f.Name, err)
		}
		after, err := a.readBack(ctx, t.name, day, written, t.columns, columns)
		if err != nil {
			return f, first, last, fmt.Errorf("read %s back: %w", f.Name, err)
		}
		if after.same(before) {
			return f, time.UnixMicro(before.Min).UTC(), time.UnixMicro(before.Max).UTC(), nil
		}
		a.log.Debug("archive: rows changed while they were written; once more", "table", t.name, "rows", before.Rows, "written", after.Rows)
	}
	return f, first, last, ErrChanging
}

// save streams a query's result into a file, and gives the name to open it by, its
// SHA-256 and its size.
func (a *Archive) save(ctx context.Context, sql string, d draft, file string) (written, sum string, size int64, err error) {
	s, err := a.ch.Stream(ctx, chhttp.Query{SQL: sql, Settings: settings(parquet)})
	if err != nil {
		return "", "", 0, err
	}
	defer func() { _ = s.Close() }()
	h := sha256.New()
	written, size, err = d.write(ctx, file, io.TeeReader(s, h))
	return written, hex.EncodeToString(h.Sum(nil)), size, err
}

// readBack reads a file as a restore does, and summarises it.
func (a *Archive) readBack(ctx context.Context, table, day, file string, has []Column, columns []string) (summary, error) {
	var s summary
	into, drop, err := a.work(ctx, "check", table, day, "rows UInt64, hash UInt64")
	if err != nil {
		return s, err
	}
	defer drop()
	err = a.load(ctx, file, "INSERT INTO "+into+" SELECT count(), sum("+hashOf(columns)+") FROM input("+schema.Quote(structure(has))+") FORMAT Parquet")
	if err != nil {
		return s, err
	}
	return one[summary](ctx, a, "SELECT rows, hash, '0' AS min, '0' AS max FROM "+into)
}

// work makes a table for what is found out about a day of a table, in place of one
// that a crash left; whoever holds the day's lock has it for itself.
func (a *Archive) work(ctx context.Context, purpose, table, day, columns string) (called string, drop func(), err error) {
	called = name(a.database, "archive_"+purpose+"_"+table+"_"+strings.ReplaceAll(day, "-", "")+a.store.locker())
	if err := a.exec(ctx, "DROP TABLE IF EXISTS "+called+" SYNC"); err != nil {
		return "", nil, err
	}
	if err := a.exec(ctx, "CREATE TABLE "+called+" ("+columns+") ENGINE = Memory COMMENT 'heplake archive works with it'"); err != nil {
		return "", nil, err
	}
	return called, func() { a.drop(ctx, called) }, nil
}

// load sends a file as the data of an INSERT.
func (a *Archive) load(ctx context.Context, file, sql string) error {
	f, err := a.store.open(ctx, file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return a.ch.Exec(ctx, chhttp.Query{SQL: sql, Body: f, Settings: settings(nil)})
}

// drop drops a table of ours, though the context may have ended.
func (a *Archive) drop(ctx context.Context, table string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := a.exec(ctx, "DROP TABLE IF EXISTS "+table+" SYNC"); err != nil {
		a.log.Warn("archive: a table of work stays", "table", table, "error", err)
	}
}
