package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// RestoreRequest says what comes back.
type RestoreRequest struct {
	Table, Day string
	// Into is a table beside, made like Table when it is not there; Table itself
	// when empty.
	Into string
	// Stay is how long retention leaves the day alone; 0: until it is given back.
	// It means nothing with Into, of which retention knows nothing.
	Stay time.Duration
}

// Restored says what came back.
type Restored struct {
	Table, Day, Into string
	// Archived is how many rows the archive has of the day, Rows how many of them
	// came back; the others were there.
	Archived, Rows uint64
}

// Restore puts a day of a table back. Rows that are there are not added again: a
// day that was restored before, or not deleted yet, stays as it is. After a crash
// the same call goes on where it was.
//
// The error wraps ErrDamaged for files that are not what was written, before
// anything is changed; ErrExpires when the table's TTL would drop the rows at once.
func (a *Archive) Restore(ctx context.Context, r RestoreRequest) (Restored, error) {
	done, err := a.restore(ctx, r)
	if err != nil {
		return done, a.failed(err, "restore %s of %s: %w", r.Day, r.Table, err)
	}
	if done.Archived > 0 {
		a.log.Info("restored", "table", r.Table, "into", done.Into, "day", r.Day, "archived", done.Archived, "rows", done.Rows)
	}
	return done, nil
}

func (a *Archive) restore(ctx context.Context, r RestoreRequest) (Restored, error) {
	done := Restored{Table: r.Table, Day: r.Day, Into: r.Into}
	if done.Into == "" {
		done.Into = r.Table
	}
	day, err := ParseDay(r.Day)
	if err != nil {
		return done, err
	}
	if !identifier.MatchString(done.Into) {
		return done, fmt.Errorf("a table's name has letters, digits and _, which %q has not", done.Into)
	}
	found, err := a.manifests(ctx, r.Table, r.Day)
	if err != nil {
		return done, err
	}
	if len(found) == 0 {
		return done, nil
	}
	for _, m := range found {
		done.Archived += m.Rows
		if err := m.Verify(ctx); err != nil {
			return done, err
		}
	}
	unlock, err := a.store.lock(r.Table, r.Day)
	if err != nil {
		return done, err
	}
	defer unlock()
	own, err := a.find(ctx, r.Table, r.Table)
	if err != nil {
		return done, err
	}
	if done.Into != r.Table {
		if err := a.like(ctx, own, done.Into, own.engine); err != nil {
			return done, err
		}
	} else if err := own.keeps(day, time.Now()); err != nil {
		return done, err
	}
	target, err := a.find(ctx, r.Table, done.Into)
	if err != nil {
		return done, err
	}
	if done.Into == r.Table {
		// Before the rows are there: retention may come by at any time.
		s := Stay{Table: r.Table, Day: r.Day, Rows: done.Archived}
		if r.Stay > 0 {
			s.Until = time.Now().Add(r.Stay)
		}
		if err := a.stay(ctx, s); err != nil {
			return done, err
		}
	}
	staging := *target
	staging.name, staging.engine = "restore_"+done.Into+"_"+strings.ReplaceAll(r.Day, "-", ""), "MergeTree"
	if err := a.stage(ctx, target, &staging, found); err != nil {
		return done, err
	}
	done.Rows, err = a.attach(ctx, target, &staging, found[0], r.Day)
	if err != nil {
		return done, err
	}
	if done.Into == schema.SIP.Name {
		if err := a.findable(ctx, r); err != nil {
			return done, err
		}
	}
	a.drop(ctx, name(a.database, staging.name))
	return done, nil
}

// farFuture is later than any day that is given back.
var farFuture = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// findable has tables ids and users say where the day's messages are, for as long as
// they stay: searches by Call-ID and by user go by them, and their rows went with the
// messages.
func (a *Archive) findable(ctx context.Context, r RestoreRequest) error {
	until := farFuture
	if r.Stay > 0 {
		until = time.Now().Add(r.Stay)
	}
	o := schema.Options{Database: a.database}
	for _, sql := range []string{schema.RestoreIDsSQL(o, r.Day, until), schema.RestoreUsersSQL(o, r.Day, until)} {
		if err := a.exec(ctx, sql); err != nil {
			return fmt.Errorf("note where the messages are: %w", err)
		}
	}
	return nil
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Verify reads every file of the generation and compares its SHA-256. The error
// wraps ErrDamaged and names the file.
func (m *Manifest) Verify(ctx context.Context) error {
	for _, f := range m.Files {
		if err := m.verify(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) verify(ctx context.Context, f File) error {
	path := m.Path(f)
	file, err := m.store.open(ctx, m.name(f))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	h := sha256.New()
	n, err := io.CopyBuffer(h, struct{ io.Reader }{contextReader{ctx, file}}, make([]byte, 256<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if n != f.Bytes {
		return fmt.Errorf("%s: %w: it has %d bytes, and had %d", path, ErrDamaged, n, f.Bytes)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.SHA256 {
		return fmt.Errorf("%s: %w: its SHA-256 is %s, and was %s", path, ErrDamaged, sum, f.SHA256)
	}
	return nil
}

// contextReader reads until the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// deletes finds the days of a TTL that deletes; one that moves rows or compresses
// them anew says so behind it.
var deletes = regexp.MustCompile(`toIntervalDay\((\d+)\)(\s+(?:TO|RECOMPRESS)\s)?`)

// keeps refuses a day that the table's own TTL drops. With an archive it has none:
// the keeper deletes, who asks the archive first.
func (t *table) keeps(day, now time.Time) error {
	_, clause, ok := strings.Cut(t.engineFull, " TTL ")
	if !ok {
		return nil
	}
	clause, _, _ = strings.Cut(clause, " SETTINGS ")
	for _, m := range deletes.FindAllStringSubmatch(clause, -1) {
		days, err := strconv.Atoi(m[1])
		if err == nil && m[2] == "" && day.AddDate(0, 0, days+1).Before(now) {
			return fmt.Errorf("%w: %s.%s has TTL %s; start heplake serve with archive.dir or archive.url set, after which the keeper deletes in its place, or restore into another table with --into",
				ErrExpires, t.database, t.name, clause)
		}
	}
	return nil
}

// settingsToCopy are settings of a table that one must have as well from which
// partitions are attached to it.
var settingsToCopy = regexp.MustCompile(`(?:index_granularity|index_granularity_bytes|storage_policy) = (?:'[^']*'|\d+)`)

// like makes a table with the columns, keys and storage of another, and no TTL.
func (a *Archive) like(ctx context.Context, t *table, as, engine string) error {
	engine = strings.TrimPrefix(engine, "Replicated")
	if strings.HasSuffix(engine, "ReplacingMergeTree") {
		engine = t.declared.EngineSQL()
	}
	sql := "CREATE TABLE IF NOT EXISTS " + name(a.database, as) + " AS " + name(t.database, t.name) + " ENGINE = " + engine +
		" PARTITION BY " + t.partitionKey + " ORDER BY (" + t.sortByKey + ")"
	if _, clause, ok := strings.Cut(t.engineFull, " SETTINGS "); ok {
		if keep := settingsToCopy.FindAllString(clause, -1); len(keep) > 0 {
			sql += " SETTINGS " + strings.Join(keep, ", ")
		}
	}
	if err := a.exec(ctx, sql+" COMMENT 'Restored by heplake from its archive'"); err != nil {
		return fmt.Errorf("make table %s: %w", as, err)
	}
	return nil
}

// stage loads every file into a table beside the target, span by span. Spans that
// a call before has loaded whole are left as they are.
func (a *Archive) stage(ctx context.Context, target, staging *table, found []*Manifest) error {
	if err := a.like(ctx, target, staging.name, "MergeTree"); err != nil {
		return err
	}
	at, err := a.find(ctx, target.declared.Name, staging.name)
	if err != nil {
		return err
	}
	if !slices.Equal(at.all, target.all) { // of an older version, left by a crash
		a.drop(ctx, name(a.database, staging.name))
		if err := a.like(ctx, target, staging.name, "MergeTree"); err != nil {
			return err
		}
	}
	for _, f := range found[0].Files {
		if err := a.stageSpan(ctx, staging, found, f.Span); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) stageSpan(ctx context.Context, t *table, found []*Manifest, s Span) error {
	var want summary
	same := true
	type source struct {
		m *Manifest
		f File
	}
	var sources []source
	for _, m := range found {
		same = same && slices.Equal(m.Columns, t.columns)
		for _, f := range m.Files {
			if f.Span.equal(s) {
				sources = append(sources, source{m, f})
				want.Rows, want.Hash = want.Rows+f.Rows, want.Hash+f.Hash
			}
		}
	}
	columns := columnNames(t.columns)
	if !same {
		// The table has other columns by now: what file and table share is compared.
		want.Hash = 0
		shared := t.columns
		for _, src := range sources {
			shared = common(src.m.Columns, shared)
		}
		columns = columnNames(shared)
		for _, src := range sources {
			read, err := a.readBack(ctx, src.m.Table, src.m.Day, src.m.name(src.f), shared, columns)
			if err != nil {
				return fmt.Errorf("read %s: %w", src.m.Path(src.f), err)
			}
			want.Hash += read.Hash
		}
	}
	condition := s.condition(t)
	have, err := a.summarise(ctx, t, columns, condition)
	if err != nil || have.same(want) {
		return err
	}
	if have.Rows > 0 { // a part of it, left by a crash
		if err := a.exec(ctx, "ALTER TABLE "+name(t.database, t.name)+" DELETE WHERE "+condition); err != nil {
			return err
		}
	}
	for _, src := range sources {
		if err := a.load(ctx, src.m.name(src.f), insertSQL(t, src.m.Columns)); err != nil {
			return fmt.Errorf("load %s: %w", src.m.Path(src.f), err)
		}
	}
	if have, err = a.summarise(ctx, t, columns, condition); err == nil && !have.same(want) {
		err = fmt.Errorf("%w: %d rows with hash %d came out of it, and %d with %d went in", ErrDamaged, have.Rows, have.Hash, want.Rows, want.Hash)
	}
	return err
}

// insertSQL inserts a file into a table that may have other columns by now: those
// that the file lacks have their defaults, unless they are columns of the file
// under another name. Columns that others are computed from so become what these
// are, as in rows of before there was such computing.
func insertSQL(t *table, has []Column) string {
	var into, from []string
	for _, column := range t.stored {
		source := column
		if !slices.ContainsFunc(has, func(h Column) bool { return h.Name == source }) {
			source = formerName(t.declared, column)
		}
		if slices.ContainsFunc(has, func(h Column) bool { return h.Name == source }) {
			into, from = append(into, column), append(from, source)
		}
	}
	return "INSERT INTO " + name(t.database, t.name) + " (" + quoted(into) + ") SELECT " + quoted(from) + " FROM input(" + schema.Quote(structure(has)) + ") FORMAT Parquet"
}

// formerName is what a column was called in an earlier version of the schema; ""
// when it was called as now.
func formerName(t *schema.Table, column string) string {
	c, _ := t.Column(column)
	return c.Was
}

// attach makes the staged rows rows of the target, in one step: all of them when
// the target has none of that day, else those that it lacks.
func (a *Archive) attach(ctx context.Context, target, staging *table, spans *Manifest, day string) (uint64, error) {
	hash := hashOf(columnNames(target.columns))
	there, err := a.parts(ctx, target.name, day)
	if err != nil {
		return 0, err
	}
	from := *staging
	if len(there) > 0 {
		from.name = staging.name + "_missing"
		a.drop(ctx, name(a.database, from.name))
		if err := a.like(ctx, target, from.name, "MergeTree"); err != nil {
			return 0, err
		}
		defer a.drop(ctx, name(a.database, from.name))
		for _, f := range spans.Files {
			condition := f.Span.condition(target)
			err := a.exec(ctx, "INSERT INTO "+name(a.database, from.name)+" ("+quoted(target.stored)+") SELECT "+quoted(target.stored)+" FROM "+staging.source()+" WHERE "+condition+
				" AND "+hash+" NOT IN (SELECT "+hash+" FROM "+name(a.database, target.name)+" WHERE "+target.onDay(day)+" AND "+condition+")")
			if err != nil {
				return 0, fmt.Errorf("find the rows that are missing: %w", err)
			}
		}
	}
	s, err := a.summarise(ctx, &from, columnNames(target.columns), "1")
	if err != nil || s.Rows == 0 {
		return 0, err
	}
	if err := a.exec(ctx, "ALTER TABLE "+name(a.database, target.name)+" ATTACH PARTITION "+schema.Quote(day)+" FROM "+name(a.database, from.name)); err != nil {
		return 0, fmt.Errorf("attach the day: %w", err)
	}
	return s.Rows, nil
}
