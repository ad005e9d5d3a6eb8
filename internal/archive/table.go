package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// Column is a column of an archived table.
type Column struct {
	Name string `json:"name"`
	// Type is ClickHouse's.
	Type string `json:"type"`
}

// table is a table as ClickHouse has it.
type table struct {
	declared *schema.Table
	database string
	name     string
	// columns are those that mean something to who reads them: they are archived,
	// whether they are stored or computed when they are read.
	columns []Column
	// stored are the names of those that can be inserted.
	stored []string
	// all is how the table is made, to tell whether another is made the same.
	all    []declaration
	engine string
	// engineFull is the whole clause behind ENGINE.
	engineFull              string
	partitionKey, sortByKey string
	// time is the column that says the day, key the one that rows are sorted by
	// within an hour.
	time, key string
}

// find reads how a table is.
func (a *Archive) find(ctx context.Context, of, as string) (*table, error) {
	i := slices.IndexFunc(tables(), func(t *schema.Table) bool { return t.Name == of })
	if i < 0 {
		return nil, fmt.Errorf("there is no table %q in the archive; there are %s", of, strings.Join(Tables(), ", "))
	}
	t := &table{declared: tables()[i], database: a.database, name: as, time: "time", key: "correlation_id"}
	if t.declared.TTLFrom != "" {
		t.time = t.declared.TTLFrom
	}
	if _, ok := t.declared.Column(t.key); !ok {
		t.key = "call_id"
	}
	where := " WHERE database = " + schema.Quote(a.database) + " AND "
	type row struct {
		Engine       string `json:"engine"`
		EngineFull   string `json:"engine_full"`
		PartitionKey string `json:"partition_key"`
		SortingKey   string `json:"sorting_key"`
	}
	found, err := ask[row](ctx, a, "SELECT engine, engine_full, partition_key, sorting_key FROM system.tables"+where+"name = "+schema.Quote(as))
	if err != nil {
		return nil, fmt.Errorf("ask for table %s: %w", as, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no table %s.%s: heplake migrate makes it", a.database, as)
	}
	if t.engine = found[0].Engine; !strings.HasSuffix(t.engine, "MergeTree") {
		return nil, fmt.Errorf("table %s.%s is of engine %s, which has no days to archive", a.database, as, t.engine)
	}
	t.engineFull, t.partitionKey, t.sortByKey = found[0].EngineFull, found[0].PartitionKey, found[0].SortingKey
	t.all, err = ask[declaration](ctx, a, "SELECT name, type, default_kind = 'ALIAS' ? true : false AS computed FROM system.columns"+where+"table = "+schema.Quote(as)+" ORDER BY position")
	if err != nil {
		return nil, fmt.Errorf("ask for the columns of %s: %w", as, err)
	}
	for _, c := range t.all {
		if !c.Computed {
			t.stored = append(t.stored, c.Name)
		}
		if declared, ok := t.declared.Column(c.Name); !ok || !internal(declared) {
			t.columns = append(t.columns, Column{c.Name, c.Type})
		}
	}
	return t, nil
}

// declaration is a column as the table has it.
type declaration struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Computed bool   `json:"computed"`
}

// internal columns are those that others are computed from, which say it all.
func internal(c schema.Column) bool { return c.Internal }

func columnNames(columns []Column) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return out
}

// structure is the columns as input() takes them.
func structure(columns []Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = "`" + c.Name + "` " + c.Type
	}
	return strings.Join(parts, ", ")
}

// source is the table behind FROM: of rows that replace each other the newest,
// and none that was deleted.
func (t *table) source() string {
	s := name(t.database, t.name)
	if strings.Contains(t.engine, "Replacing") {
		s += " FINAL"
	}
	return s
}

// hashOf is the hash of a row's columns.
func hashOf(columns []string) string { return "cityHash64(tuple(" + quoted(columns) + "))" }

// summary is what one knows rows by: how many, and the sum of their hashes.
type summary struct {
	Rows uint64 `json:"rows,string"`
	Hash uint64 `json:"hash,string"`
	// Min and Max are times in µs since the epoch.
	Min int64 `json:"min,string"`
	Max int64 `json:"max,string"`
}

func (s summary) same(o summary) bool { return s.Rows == o.Rows && s.Hash == o.Hash }

// summarise reads the summary of the rows of a span that meet a condition.
func (a *Archive) summarise(ctx context.Context, t *table, columns []string, condition string) (summary, error) {
	s, err := one[summary](ctx, a, "SELECT count() AS rows, sum("+hashOf(columns)+") AS hash, toUnixTimestamp64Micro(min(`"+t.time+"`)) AS min, toUnixTimestamp64Micro(max(`"+t.time+"`)) AS max FROM "+
		t.source()+" WHERE "+condition)
	if err != nil {
		return s, fmt.Errorf("count the rows of %s: %w", t.name, err)
	}
	return s, nil
}

// onDay is the condition on the partition.
func (t *table) onDay(day string) string { return "toDate(`" + t.time + "`) = " + schema.Quote(day) }

// Bound is a place in the order of a table's hour: a key and a time.
type Bound struct {
	Key []byte `json:"key"`
	// Time is in µs since the epoch.
	Time int64 `json:"time"`
}

// Span is a part of a day that goes into one file: hours, of which the rows from
// one bound to the next, where one hour is too much for a file.
type Span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// After is the first row's bound, Until that of the first row that is no longer
	// in it; nil for none.
	After *Bound `json:"after,omitempty"`
	Until *Bound `json:"until,omitempty"`
}

func (s Span) equal(o Span) bool {
	same := func(a, b *Bound) bool {
		return a == nil && b == nil || a != nil && b != nil && string(a.Key) == string(b.Key) && a.Time == b.Time
	}
	return s.From.Equal(o.From) && s.To.Equal(o.To) && same(s.After, o.After) && same(s.Until, o.Until)
}

// condition is the span in SQL. That on the key alone says nothing new, but is
// what ClickHouse's index understands.
func (s Span) condition(t *table) string {
	at := func(micro int64) string { return fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", micro) }
	c := "`" + t.time + "` >= " + at(s.From.UnixMicro()) + " AND `" + t.time + "` < " + at(s.To.UnixMicro())
	bound := func(b *Bound, operator, index string) {
		key := fmt.Sprintf("unhex('%X')", b.Key) // keys are any bytes
		c += " AND `" + t.key + "` " + index + " " + key + " AND (`" + t.key + "`, `" + t.time + "`) " + operator + " (" + key + ", " + at(b.Time) + ")"
	}
	if s.After != nil {
		bound(s.After, ">=", ">=")
	}
	if s.Until != nil {
		bound(s.Until, "<", "<=")
	}
	return c
}

// spans cuts a day into parts of about the size of a file.
func (a *Archive) spans(ctx context.Context, t *table, day string) ([]Span, error) {
	start, err := ParseDay(day)
	if err != nil {
		return nil, err
	}
	type hour struct {
		Hour int64  `json:"h"`
		Rows uint64 `json:"rows,string"`
	}
	hours, err := ask[hour](ctx, a, "SELECT toUInt32(toUnixTimestamp(toStartOfHour(`"+t.time+"`))) AS h, count() AS rows FROM "+t.source()+" WHERE "+t.onDay(day)+" GROUP BY h ORDER BY h")
	if err != nil {
		return nil, fmt.Errorf("count the hours of %s: %w", t.name, err)
	}
	type size struct {
		Row float64 `json:"row"`
	}
	row, err := one[size](ctx, a, "SELECT if(sum(rows) = 0, 1, sum(data_uncompressed_bytes) / sum(rows)) AS row FROM system.parts WHERE active AND database = "+schema.Quote(t.database)+
		" AND table = "+schema.Quote(t.name)+" AND partition = "+schema.Quote(day))
	if err != nil {
		return nil, fmt.Errorf("ask for the size of %s: %w", t.name, err)
	}
	room := uint64(max(1, float64(a.fileBytes)/max(1, row.Row)))
	var out []Span
	in := uint64(0)
	begin := start
	for i, h := range hours {
		at := time.Unix(h.Hour, 0).UTC()
		if in > 0 && in+h.Rows > room {
			out, begin, in = append(out, Span{From: begin, To: at}), at, 0
		}
		in += h.Rows
		if in <= room {
			continue
		}
		// This hour alone is too much.
		end := start.AddDate(0, 0, 1)
		if i+1 < len(hours) {
			end = time.Unix(hours[i+1].Hour, 0).UTC()
		}
		parts, err := a.split(ctx, t, Span{From: begin, To: end}, int((in+room-1)/room))
		if err != nil {
			return nil, err
		}
		out, begin, in = append(out, parts...), end, 0
	}
	if end := start.AddDate(0, 0, 1); begin.Before(end) && len(hours) > 0 {
		out = append(out, Span{From: begin, To: end})
	}
	return out, nil
}

// split cuts a span into n about equal ones, along the order of its rows.
func (a *Archive) split(ctx context.Context, t *table, s Span, n int) ([]Span, error) {
	type bound struct {
		Key  string `json:"k"`
		Time int64  `json:"t,string"`
	}
	sample, err := ask[bound](ctx, a, "SELECT base64Encode(b.1) AS k, toUnixTimestamp64Micro(b.2) AS t FROM (SELECT arrayJoin(arraySort(groupArraySample(20000, 1)((toString(`"+t.key+"`), `"+t.time+"`)))) AS b FROM "+
		t.source()+" WHERE "+s.condition(t)+")")
	if err != nil {
		return nil, fmt.Errorf("divide an hour of %s: %w", t.name, err)
	}
	var out []Span
	var last *Bound
	for i := 1; i < n && len(sample) > 0; i++ {
		b := sample[len(sample)*i/n]
		key, err := decodeKey(b.Key)
		if err != nil {
			return nil, err
		}
		at := &Bound{Key: key, Time: b.Time}
		if last != nil && string(last.Key) == string(at.Key) && last.Time == at.Time {
			continue
		}
		out = append(out, Span{From: s.From, To: s.To, After: last, Until: at})
		last = at
	}
	return append(out, Span{From: s.From, To: s.To, After: last}), nil
}
