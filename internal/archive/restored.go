package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/heplake/heplake/schema"
)

// Stay is a day that was restored and stays for a while.
type Stay struct {
	Table string
	Day   string
	// Until is when retention may delete it again; the zero time is never.
	Until time.Time
	Rows  uint64
}

// stay notes that a day is to stay; with no rows yet, before it is there.
func (a *Archive) stay(ctx context.Context, s Stay) error {
	until := "NULL"
	if !s.Until.IsZero() {
		until = fmt.Sprintf("fromUnixTimestamp64Micro(%d, 'UTC')", s.Until.UnixMicro())
	}
	err := a.exec(ctx, fmt.Sprintf("INSERT INTO %s (of_table, day, time, until, rows, version, deleted) SELECT %s, %s, now64(6, 'UTC'), %s, %d, toUnixTimestamp64Micro(now64(6)), 0",
		name(a.database, schema.Restored.Name), schema.Quote(s.Table), schema.Quote(s.Day), until, s.Rows))
	if err != nil {
		return fmt.Errorf("note that the day stays: %w", err)
	}
	return nil
}

// Stays lists the days that were restored and stay.
func (a *Archive) Stays(ctx context.Context) ([]Stay, error) {
	type row struct {
		Table string `json:"of_table"`
		Day   string `json:"day"`
		Until int64  `json:"until,string"`
		Rows  uint64 `json:"rows,string"`
	}
	rows, err := ask[row](ctx, a, "SELECT of_table, toString(day) AS day, ifNull(toUnixTimestamp64Micro(until), 0) AS until, rows FROM (SELECT of_table, day, until, rows FROM "+
		name(a.database, schema.Restored.Name)+" FINAL WHERE until IS NULL OR until > now64(6, 'UTC')) ORDER BY of_table, day")
	if err != nil {
		return nil, fmt.Errorf("archive: ask for the days restored: %w", err)
	}
	var out []Stay
	for _, r := range rows {
		s := Stay{Table: r.Table, Day: r.Day, Rows: r.Rows}
		if r.Until != 0 {
			s.Until = time.UnixMicro(r.Until).UTC()
		}
		out = append(out, s)
	}
	return out, nil
}

// restored tells whether a day was restored and stays, and until when in words.
func (a *Archive) restored(ctx context.Context, table, day string) (bool, string, error) {
	all, err := a.Stays(ctx)
	if err != nil {
		return false, "", err
	}
	for _, s := range all {
		if s.Table != table || s.Day != day {
			continue
		}
		if s.Until.IsZero() {
			return true, "it is given back", nil
		}
		return true, s.Until.Format(time.RFC3339), nil
	}
	return false, "", nil
}

// GiveBack ends the stay of a day: retention deletes it again when it comes by.
// It tells whether the day was one that stayed.
func (a *Archive) GiveBack(ctx context.Context, table, day string) (bool, error) {
	if _, err := ParseDay(day); err != nil {
		return false, err
	}
	held, _, err := a.restored(ctx, table, day)
	if err != nil || !held {
		return false, err
	}
	err = a.exec(ctx, fmt.Sprintf("INSERT INTO %s (of_table, day, time, until, rows, version, deleted) SELECT of_table, day, now64(6, 'UTC'), until, rows, toUnixTimestamp64Micro(now64(6)), 1 FROM %[1]s FINAL WHERE of_table = %s AND day = %s",
		name(a.database, schema.Restored.Name), schema.Quote(table), schema.Quote(day)))
	if err != nil {
		return false, fmt.Errorf("archive: give %s of %s back: %w", day, table, err)
	}
	return true, nil
}
