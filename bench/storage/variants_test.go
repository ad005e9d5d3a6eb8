package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/schema"
)

// variant is a way of storing messages.
type variant struct {
	name string
	// change makes it out of the shipped declaration.
	change func(t *schema.Table)
}

// shipped is the name of the variant that is the declaration itself.
const shipped = "shipped"

func variants() []variant {
	final := func(codec string) func(*schema.Table) {
		return func(t *schema.Table) { t.Recompress.Codec = codec }
	}
	return []variant{
		{shipped, func(*schema.Table) {}},
		{"blocks of ClickHouse's size", func(t *schema.Table) { column(t, "packed").BlockBytes = 0 }},
		{"ZSTD(6) in the end", final("ZSTD(6)")},
		{"ZSTD(1) in the end", final("ZSTD(1)")},
		{"all but the message ZSTD(3) always", func(t *schema.Table) { others(t, "ZSTD(3)") }},
		{"no marks, no computed columns: before", unpacked},
		{"the same, ZSTD(9) in the end", func(t *schema.Table) {
			unpacked(t)
			others(t, "Default")
			t.Recompress = schema.SIP.Recompress
		}},
	}
}

func column(t *schema.Table, name string) *schema.Column {
	return &t.Columns[slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == name })]
}

// others gives the columns beside packed that codec.
func others(t *schema.Table, codec string) {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Name != "packed" && c.Alias == "" {
			c.Codec = codec
			if c.Kind == schema.Time {
				c.Codec = "Delta(8), " + codec
			}
		}
	}
}

// unpacked stores the computed columns and not what they are computed of.
func unpacked(t *schema.Table) {
	t.Columns = slices.DeleteFunc(t.Columns, func(c schema.Column) bool { return c.Internal })
	for i := range t.Columns {
		t.Columns[i].Alias = ""
	}
	others(t, "ZSTD(1)")
	column(t, "raw").Codec = "ZSTD(3)"
	t.Recompress = schema.Recompression{}
}

// figures are what is measured of a variant. Bytes are per message, CPU is µs per
// message.
type figures struct {
	name                  string
	bytes, message, index float64
	merge                 float64
	callID, substring     time.Duration
	substringCPU          float64
}

// measure stores the messages of sip once more, by the variant: batch by batch,
// then in one merge.
func (l *lake) measure(b *testing.B, v variant) figures {
	b.Helper()
	t := schema.SIP
	t.Columns = slices.Clone(t.Columns)
	v.change(&t)
	t.Name = "measured"
	name := schema.Database + "." + t.Name
	l.exec(b, "DROP TABLE IF EXISTS "+name+" SYNC")
	l.exec(b, t.CreateSQL(schema.Options{TTLDays: map[string]int{t.Name: 0}}))
	l.exec(b, "ALTER TABLE "+name+" MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1") // but for OPTIMIZE
	var names []string
	for _, c := range t.Stored() {
		names = append(names, c.Name)
	}
	list := strings.Join(names, ", ")
	l.exec(b, "INSERT INTO "+name+" ("+list+") SELECT "+list+" FROM "+schema.Database+".sip SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 100000, min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 0, max_insert_block_size = 100000")
	rows := l.number(b, "SELECT count() FROM "+name)
	before := l.cpu(b)
	l.exec(b, "OPTIMIZE TABLE "+name+" FINAL")
	f := figures{name: v.name, merge: (l.cpu(b) - before) / rows * 1e6}
	if sent, back := l.number(b, "SELECT sum(cityHash64(raw, call_id, via_branch)) % 1000000007 FROM "+schema.Database+".sip"), l.number(b, "SELECT sum(cityHash64(raw, call_id, via_branch)) % 1000000007 FROM "+name); sent != back {
		b.Fatalf("%s: the messages differ", v.name)
	}
	parts := " FROM system.parts WHERE active AND database = '" + schema.Database + "' AND table = '" + t.Name + "'"
	f.bytes = l.number(b, "SELECT sum(bytes_on_disk)"+parts) / rows
	f.index = l.number(b, "SELECT sum(secondary_indices_compressed_bytes + secondary_indices_marks_bytes)"+parts) / rows
	// Of a small part ClickHouse does not know what a column takes on disk.
	f.message = l.number(b, "SELECT sum(column_data_compressed_bytes) FROM system.parts_columns WHERE active AND database = '"+schema.Database+"' AND table = '"+t.Name+"' AND column IN ('packed', 'raw')") / rows
	l.latencies(b, name, &f)
	return f
}

// latencies asks for messages of single calls, and for a text that no message
// has in all of the hour.
func (l *lake) latencies(b *testing.B, name string, f *figures) {
	b.Helper()
	var ids []string
	if err := l.conn.QueryRow(b.Context(), "SELECT groupArray(call_id) FROM (SELECT DISTINCT call_id FROM "+name+" WHERE call_id != '' ORDER BY cityHash64(call_id) LIMIT 21)").Scan(&ids); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for _, id := range ids {
		began := time.Now()
		l.number(b, "SELECT sum(length(raw)) FROM "+name+" WHERE call_id = "+schema.Quote(id))
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	f.callID = took[len(took)/2]
	rows := l.number(b, "SELECT count() FROM "+name)
	before := l.cpu(b)
	for i := range 3 {
		began := time.Now()
		l.number(b, fmt.Sprintf("SELECT count() FROM %s WHERE raw LIKE '%%zyzzyva%d%%'", name, i))
		if d := time.Since(began); i == 0 || d < f.substring {
			f.substring = d
		}
	}
	f.substringCPU = (l.cpu(b) - before) / 3 / rows * 1e6
}

// report measures every variant and prints the tables.
func (l *lake) report(b *testing.B, corpus string) {
	b.Helper()
	sip := schema.Database + ".sip"
	rows := l.number(b, "SELECT count() FROM "+sip)
	fmt.Printf("\n## %s\n\n%.0f SIP messages of %.0f bytes on average. Insert: %.1f µs of the engine's CPU a message.\n", corpus, rows, l.number(b, "SELECT avg(length(raw)) FROM "+sip), l.insert/rows*1e6)
	var all []figures
	for _, v := range variants() {
		all = append(all, l.measure(b, v))
		if v.name == shipped {
			l.columns(b)
		}
	}
	fmt.Printf("\n| variant | B | of which message | indexes | merge, CPU µs | Call-ID, ms | substring, CPU µs a message | ms |\n|---|---|---|---|---|---|---|---|\n")
	for _, f := range all {
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.1f | %d | %.1f | %d |\n", f.name, f.bytes, f.message, f.index, f.merge, f.callID.Milliseconds(), f.substringCPU, f.substring.Milliseconds())
	}
	b.ReportMetric(all[0].bytes, "B/message")
}

// columns prints what each column of the table measured costs.
func (l *lake) columns(b *testing.B) {
	b.Helper()
	rows, err := l.conn.Query(b.Context(), `SELECT column, sum(column_data_compressed_bytes + column_marks_bytes) / sum(rows) FROM system.parts_columns
WHERE active AND database = '`+schema.Database+`' AND table = 'measured' GROUP BY column ORDER BY 2 DESC, 1`)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	fmt.Printf("\n| column | B |\n|---|---|\n")
	few := 0.0
	for rows.Next() {
		var name string
		var bytes float64
		if err := rows.Scan(&name, &bytes); err != nil {
			b.Fatal(err)
		}
		if bytes < 0.2 {
			few += bytes
			continue
		}
		fmt.Printf("| `%s` | %.2f |\n", name, bytes)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	fmt.Printf("| the others | %.2f |\n", few)
}
