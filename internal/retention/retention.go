// Package retention says what is stored, for how long, and what a change of
// that would do; and it frees disk space when it runs out.
package retention

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// Part is one data part of a table: what ClickHouse drops whole.
type Part struct {
	Table string
	// Day is its partition, midnight UTC.
	Day  time.Time
	Name string
	Rows uint64
	// Bytes are on the disk, indexes included.
	Bytes uint64
	// Newest is the time of its newest row; on a cluster of its day's.
	Newest time.Time
	// Disk is the name of the disk that it lies on.
	Disk string
}

// Table is what one table holds.
type Table struct {
	Name string
	// Days is how long its rows are kept; 0 for ever.
	Days int
	// Parts, oldest day first.
	Parts []Part
	// Shares says, by day, which rules the rows are kept by; nil before Classify.
	Shares map[time.Time][]Share
}

// Share are the rows of one day of a table that one rule is about.
type Share struct {
	// Class is the rule's position in the policy counted from 1; 0: none is about
	// them, their table's days are.
	Class int
	// Held: a hold keeps them, whatever the rule says.
	Held bool
	Rows uint64
}

// Rows and Bytes are those of all its parts.
func (t *Table) Rows() (n uint64) {
	for _, p := range t.Parts {
		n += p.Rows
	}
	return n
}

// Bytes are those of all its parts.
func (t *Table) Bytes() (n uint64) {
	for _, p := range t.Parts {
		n += p.Bytes
	}
	return n
}

// Oldest is the first day of which it has rows; zero when it is empty.
func (t *Table) Oldest() time.Time {
	if len(t.Parts) == 0 {
		return time.Time{}
	}
	return t.Parts[0].Day
}

// ClassHoldings are what a table has of a class: rows that only its rule keeps,
// their share of the bytes by number, and those that holds keep besides.
type ClassHoldings struct{ Rows, Bytes, Held uint64 }

// Class is what the table has of a class (see Share) by what Classify found.
func (t *Table) Class(class int) (c ClassHoldings) {
	bytes := map[time.Time]uint64{}
	for _, p := range t.Parts {
		bytes[p.Day.UTC()] += p.Bytes
	}
	for day, shares := range t.Shares {
		var all uint64
		for _, s := range shares {
			all += s.Rows
		}
		for _, s := range shares {
			switch {
			case s.Class != class:
			case s.Held:
				c.Held += s.Rows
			default:
				c.Rows += s.Rows
				c.Bytes += uint64(float64(bytes[day]) * float64(s.Rows) / float64(all))
			}
		}
	}
	if class == 0 && len(t.Shares) == 0 {
		c.Rows, c.Bytes = t.Rows(), t.Bytes() // there was nothing to tell apart
	}
	return c
}

// ourDisks is the condition for the rows of system.disks that tables of the
// database may lie on.
func ourDisks(o schema.Options) string {
	return "name IN (SELECT arrayJoin(disks) FROM system.storage_policies WHERE policy_name IN (SELECT storage_policy FROM system.tables WHERE database = " + schema.Quote(o.DatabaseName()) + "))"
}

// Disk is a disk of ClickHouse.
type Disk struct {
	Name        string
	Free, Total uint64
}

// Holdings is what a database holds, and where.
type Holdings struct {
	// Now is the server's time.
	Now    time.Time
	Policy Policy
	Tables []Table
	Disks  []Disk
}

// Read reads the holdings of the tables of schema.Kept, to be kept by a policy. Of a
// cluster they are those of all shards, of one replica each.
func Read(ctx context.Context, db driver.Conn, o schema.Options, p Policy) (*Holdings, error) {
	ctx = spread(ctx, o)
	now, err := serverTime(ctx, db)
	if err != nil {
		return nil, err
	}
	h := &Holdings{Now: now, Policy: p}
	for _, t := range schema.Kept() {
		held := Table{Name: t.Name, Days: p.tableDays(t)}
		if held.Parts, err = readParts(ctx, db, o, t); err != nil {
			return nil, err
		}
		h.Tables = append(h.Tables, held)
	}
	disk := "name"
	if o.Clustered() {
		disk = "concat('shard ', toString(_shard_num), ', ', name)"
	}
	rows, err := db.Query(ctx, "SELECT "+disk+" AS disk, unreserved_space, total_space FROM "+system(o, "disks")+" WHERE "+ourDisks(o)+" ORDER BY disk")
	if err != nil {
		return nil, fmt.Errorf("retention: ask for the disks: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d Disk
		if err := rows.Scan(&d.Name, &d.Free, &d.Total); err != nil {
			return nil, fmt.Errorf("retention: read the disks: %w", err)
		}
		h.Disks = append(h.Disks, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: read the disks: %w", err)
	}
	return h, nil
}

// With is the holdings as another policy has them. What Classify found is not in
// it: rules may be others.
func (h *Holdings) With(p Policy) *Holdings {
	out := &Holdings{Now: h.Now, Policy: p, Disks: h.Disks}
	for _, t := range h.Tables {
		declared := tableNamed(t.Name)
		out.Tables = append(out.Tables, Table{Name: t.Name, Days: p.tableDays(declared), Parts: t.Parts})
	}
	return out
}

// tableNamed is one of schema.Kept.
func tableNamed(name string) *schema.Table {
	for _, t := range schema.Kept() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// timeColumn is the column that a table's days count from.
func timeColumn(t *schema.Table) string {
	if t.TTLFrom != "" {
		return t.TTLFrom
	}
	return "time"
}

// readParts reads the active parts of a table. The newest row of a part comes
// from the extremes that ClickHouse keeps with it: no row is read. On a cluster it
// is the newest of the part's day, on any shard: another replica may be asked for
// it, whose parts have other names.
//
// A merge may take a part's place while it is asked for: then they are read again.
func readParts(ctx context.Context, db driver.Conn, o schema.Options, t *schema.Table) ([]Part, error) {
	const tries, pause = 10, 50 * time.Millisecond
	for try := 1; ; try++ {
		parts, err := readPartsOnce(ctx, db, o, t)
		merged := func(p Part) bool { return p.Newest.Unix() <= 0 }
		if err != nil || !slices.ContainsFunc(parts, merged) {
			return parts, err
		}
		if try == tries { // parts come and go all the time: these are of their day
			for i := range parts {
				if p := &parts[i]; merged(*p) {
					p.Newest = p.Day.AddDate(0, 0, 1).Add(-time.Second)
				}
			}
			return parts, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("retention: read the parts of %s: %w", t.Name, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// readPartsOnce has no time of the newest row of a part that was merged meanwhile.
func readPartsOnce(ctx context.Context, db driver.Conn, o schema.Options, t *schema.Table) ([]Part, error) {
	table := t.Name
	same, of := "_part", "p.name"
	if o.Clustered() {
		same, of = t.PartitionBy, "toDate(p.partition)"
	}
	rows, err := db.Query(ctx, `SELECT p.name, toDateTime(toDate(p.partition), 'UTC'), p.rows, p.bytes_on_disk, e.newest, p.disk_name
FROM `+system(o, "parts")+` AS p
LEFT JOIN (SELECT `+same+` AS same, max(`+timeColumn(t)+`) AS newest FROM `+qualified(o, table)+` GROUP BY same) AS e ON e.same = `+of+`
WHERE p.active AND p.rows > 0 AND p.database = `+schema.Quote(o.DatabaseName())+` AND p.table = `+schema.Quote(o.LocalName(table))+`
ORDER BY p.partition, p.name`)
	if err != nil {
		return nil, fmt.Errorf("retention: ask for the parts of %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	var out []Part
	for rows.Next() {
		p := Part{Table: table}
		if err := rows.Scan(&p.Name, &p.Day, &p.Rows, &p.Bytes, &p.Newest, &p.Disk); err != nil {
			return nil, fmt.Errorf("retention: read the parts of %s: %w", table, err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: read the parts of %s: %w", table, err)
	}
	return out, nil
}

// Expired lists the parts that ClickHouse drops by itself where the tables have a
// TTL, as they do unless the policy has rules: those of which every row has
// expired. Others go later, when their newest row has.
func (h *Holdings) Expired(table string) []Part {
	var out []Part
	for i := range h.Tables {
		t := &h.Tables[i]
		if t.Name != table {
			continue
		}
		for _, p := range t.Parts {
			if expired(p.Newest, t.Days, h.Now) {
				out = append(out, p)
			}
		}
	}
	return out
}

// expired tells whether rows as old as the newest have been kept long enough.
func expired(newest time.Time, days int, now time.Time) bool {
	// As a TTL has it: whole seconds.
	return days > 0 && newest.Truncate(time.Second).AddDate(0, 0, days).Before(now)
}
