package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// part is an active part of a table's day.
type part struct {
	Name string `json:"name"`
	Rows uint64 `json:"rows,string"`
}

func (a *Archive) parts(ctx context.Context, table, day string) ([]part, error) {
	parts, err := ask[part](ctx, a, "SELECT name, rows FROM system.parts WHERE active AND rows > 0 AND database = "+schema.Quote(a.database)+" AND table = "+schema.Quote(table)+
		" AND partition = "+schema.Quote(day))
	if err != nil {
		return nil, fmt.Errorf("ask for the parts of %s: %w", table, err)
	}
	return parts, nil
}

// saw says that all parts were found in the archive before. A part never changes:
// merges, inserts and deletions make others.
func (a *Archive) saw(table, day string, parts []part) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen[table+" "+day]
	return !slices.ContainsFunc(parts, func(p part) bool { return !seen[p.Name] })
}

func (a *Archive) noteSeen(table, day string, parts []part) {
	seen := map[string]bool{}
	for _, p := range parts {
		seen[p.Name] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[table+" "+day] = seen
}

// missing is the condition on those rows of a span that no generation has, "" when
// there are none. The condition reads a table that drop drops.
//
// As long as a span's rows are those of its file, counts and hashes say so. After
// that (rules deleted some, others came late) the hashes of single rows do: those
// of one span fit into memory, as its file did.
func (a *Archive) missing(ctx context.Context, t *table, known []*Manifest, s Span, condition string) (missing string, drop func(), err error) {
	var files []File
	var of []*Manifest
	for _, m := range known {
		for _, f := range m.Files {
			if f.Span.equal(s) {
				files, of = append(files, f), append(of, m)
			}
		}
	}
	columns := columnNames(t.columns)
	present, err := a.summarise(ctx, t, columns, condition)
	if err != nil || present.Rows == 0 {
		return "", nil, err
	}
	if len(files) == 1 && slices.Equal(of[0].Columns, t.columns) && present.same(summary{Rows: files[0].Rows, Hash: files[0].Hash}) {
		return "", nil, nil
	}
	work, drop, err := a.work(ctx, "known", t.name, known[0].Day, "of UInt16, hash UInt64")
	if err != nil {
		return "", nil, err
	}
	condition += " AND "
	for i, f := range files {
		// Only what file and table share can be compared: columns come and go.
		common := common(of[i].Columns, t.columns)
		if err := a.load(ctx, of[i].name(f), fmt.Sprintf("INSERT INTO %s SELECT %d, %s FROM input(%s) FORMAT Parquet", work, i, hashOf(columnNames(common)), schema.Quote(structure(common)))); err != nil {
			drop()
			return "", nil, fmt.Errorf("read %s: %w", of[i].Path(f), err)
		}
		condition += fmt.Sprintf("%s NOT IN (SELECT hash FROM %s WHERE of = %d) AND ", hashOf(columnNames(common)), work, i)
	}
	condition = strings.TrimSuffix(condition, " AND ")
	left, err := a.summarise(ctx, t, columns, condition)
	if err != nil || left.Rows == 0 {
		drop()
		return "", nil, err
	}
	return condition, drop, nil
}

// common are the columns that a file and the table both have, with the table's
// types.
func common(file, table []Column) []Column {
	var out []Column
	for _, c := range table {
		if slices.ContainsFunc(file, func(f Column) bool { return f.Name == c.Name }) {
			out = append(out, c)
		}
	}
	return out
}
