// Package retention says what is stored, for how long, and what a change of
// that would do; and it frees disk space when it runs out.
package retention

import (
	"context"
	"fmt"
	"sort"
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
	// Newest is the time of its newest row.
	Newest time.Time
}

// Table is what one table holds.
type Table struct {
	Name string
	// Days is how long its rows are kept; 0 for ever.
	Days int
	// Parts, oldest day first.
	Parts []Part
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

// Disk is a disk of ClickHouse.
type Disk struct {
	Name        string
	Free, Total uint64
}

// Holdings is what a database holds, and where.
type Holdings struct {
	// Now is the server's time.
	Now    time.Time
	Tables []Table
	Disks  []Disk
}

// Read reads the holdings of the tables that ingest fills.
func Read(ctx context.Context, db driver.Conn, o schema.Options) (*Holdings, error) {
	h := &Holdings{}
	if err := db.QueryRow(ctx, "SELECT now64(6, 'UTC')").Scan(&h.Now); err != nil {
		return nil, fmt.Errorf("retention: ask for the time: %w", err)
	}
	for _, t := range schema.Tables() {
		held := Table{Name: t.Name, Days: o.TTLDaysOf(t)}
		parts, err := readParts(ctx, db, o.DatabaseName(), t.Name)
		if err != nil {
			return nil, err
		}
		held.Parts = parts
		h.Tables = append(h.Tables, held)
	}
	rows, err := db.Query(ctx, "SELECT name, unreserved_space, total_space FROM system.disks ORDER BY name")
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

// readParts reads the active parts of a table. The newest row of a part comes
// from the extremes that ClickHouse keeps with it: no row is read.
func readParts(ctx context.Context, db driver.Conn, database, table string) ([]Part, error) {
	name := fmt.Sprintf("`%s`.`%s`", database, table)
	rows, err := db.Query(ctx, `SELECT p.name, toDateTime(toDate(p.partition), 'UTC'), p.rows, p.bytes_on_disk, e.newest
FROM system.parts AS p
INNER JOIN (SELECT _part AS name, max(time) AS newest FROM `+name+` GROUP BY _part) AS e ON e.name = p.name
WHERE p.active AND p.database = `+schema.Quote(database)+` AND p.table = `+schema.Quote(table)+`
ORDER BY p.partition, p.name`)
	if err != nil {
		return nil, fmt.Errorf("retention: ask for the parts of %s: %w", table, err)
	}
	defer func() { _ = rows.Close() }()
	var out []Part
	for rows.Next() {
		p := Part{Table: table}
		if err := rows.Scan(&p.Name, &p.Day, &p.Rows, &p.Bytes, &p.Newest); err != nil {
			return nil, fmt.Errorf("retention: read the parts of %s: %w", table, err)
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: read the parts of %s: %w", table, err)
	}
	return out, nil
}

// Expired lists the parts that a retention of so many days drops: those of
// which every row has expired. Others go later, when their newest row has.
func (h *Holdings) Expired(table string, days int) []Part {
	var out []Part
	for i := range h.Tables {
		t := &h.Tables[i]
		if t.Name != table || days == 0 {
			continue
		}
		for _, p := range t.Parts {
			// As the TTL has it: whole seconds.
			if p.Newest.Truncate(time.Second).AddDate(0, 0, days).Before(h.Now) {
				out = append(out, p)
			}
		}
	}
	return out
}

// fullDays is how many whole days of the past the forecast looks at.
const fullDays = 7

// Daily is the mean of bytes and rows a day over the last whole days that have
// rows, at most seven; with none, today's so far drawn out to a day.
func (t *Table) Daily(now time.Time) (bytes, rows float64) {
	today := now.UTC().Truncate(24 * time.Hour)
	perDay := map[time.Time][2]float64{}
	for _, p := range t.Parts {
		d := perDay[p.Day.UTC()]
		perDay[p.Day.UTC()] = [2]float64{d[0] + float64(p.Bytes), d[1] + float64(p.Rows)}
	}
	days := 0.0
	for day := today.AddDate(0, 0, -fullDays); day.Before(today); day = day.AddDate(0, 0, 1) {
		if d, ok := perDay[day]; ok {
			bytes, rows, days = bytes+d[0], rows+d[1], days+1
		}
	}
	if days > 0 {
		return bytes / days, rows / days
	}
	share := now.Sub(today).Hours() / 24
	if d, ok := perDay[today]; ok && share > 0 {
		return d[0] / share, d[1] / share
	}
	return 0, 0
}

// Day is one day of a forecast.
type Day struct {
	Day time.Time
	// Bytes that all tables will take at its end.
	Bytes float64
}

// Forecast says what the tables will take at the end of each of the next days,
// if as much comes as on the days before, with these retentions in place of the
// present ones (by table; absent: as it is).
func (h *Holdings) Forecast(days int, change map[string]int) []Day {
	today := h.Now.UTC().Truncate(24 * time.Hour)
	out := make([]Day, days)
	for i := range out {
		out[i].Day = today.AddDate(0, 0, i)
	}
	for n := range h.Tables {
		t := &h.Tables[n]
		keep := t.Days
		if c, ok := change[t.Name]; ok {
			keep = c
		}
		daily, _ := t.Daily(h.Now)
		for i := range out {
			end := out[i].Day.AddDate(0, 0, 1)
			for _, p := range t.Parts {
				// A part goes when its newest row has expired.
				if keep == 0 || p.Newest.AddDate(0, 0, keep).After(end) {
					out[i].Bytes += float64(p.Bytes)
				}
			}
			// What is still to come: the rest of today, and whole days, of which
			// those beyond the retention are gone again.
			rest := float64(today.AddDate(0, 0, 1).Sub(h.Now)) / float64(24*time.Hour)
			for d := range i + 1 {
				if keep != 0 && i-d >= keep {
					continue
				}
				share := 1.0
				if d == 0 {
					share = rest
				}
				out[i].Bytes += daily * share
			}
		}
	}
	return out
}

// oldestFirst sorts days across tables.
func oldestFirst(parts []Part) {
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].Day.Before(parts[j].Day) })
}
