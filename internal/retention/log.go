package retention

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// Why rows were deleted.
const (
	causeRetention = "retention"
	causeDisk      = "disk"
)

// readLog reads what the log says last of each day. A database without the table
// has no such days.
func readLog(ctx context.Context, db driver.Conn, o schema.Options) (map[dayOf]verdict, error) {
	if ok, err := exists(ctx, db, o, schema.RetentionLog.Name); err != nil || !ok {
		return nil, err
	}
	rows, err := db.Query(ctx, "SELECT toString(of_table), toDateTime(day, 'UTC'), argMax(judged, time), argMax(remaining, time) FROM "+
		qualified(o, schema.RetentionLog.Name)+" GROUP BY of_table, day")
	if err != nil {
		return nil, fmt.Errorf("retention: read the log: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[dayOf]verdict{}
	for rows.Next() {
		var d dayOf
		var v verdict
		if err := rows.Scan(&d.table, &d.day, &v.judged, &v.left); err != nil {
			return nil, fmt.Errorf("retention: read the log: %w", err)
		}
		d.day = d.day.UTC()
		out[d] = v
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: read the log: %w", err)
	}
	return out, nil
}

// readRestored reads which days came back out of the archive and are to stay.
func readRestored(ctx context.Context, db driver.Conn, o schema.Options) (map[dayOf]bool, error) {
	if ok, err := exists(ctx, db, o, schema.Restored.Name); err != nil || !ok {
		return nil, err
	}
	rows, err := db.Query(ctx, "SELECT toString(of_table), toDateTime(day, 'UTC') FROM "+qualified(o, schema.Restored.Name)+" FINAL WHERE until IS NULL OR until > now64(6, 'UTC')")
	if err != nil {
		return nil, fmt.Errorf("retention: ask for the days restored: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[dayOf]bool{}
	for rows.Next() {
		var d dayOf
		if err := rows.Scan(&d.table, &d.day); err != nil {
			return nil, fmt.Errorf("retention: ask for the days restored: %w", err)
		}
		d.day = d.day.UTC()
		out[d] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("retention: ask for the days restored: %w", err)
	}
	return out, nil
}

// writeLog writes down what was done, a row for each rule.
func writeLog(ctx context.Context, db driver.Conn, o schema.Options, a *Action, cause string) error {
	rules := a.ByRule
	if len(rules) == 0 {
		rules = []RuleRows{{}}
	}
	values := make([]string, len(rules))
	for i, r := range rules {
		bytes := uint64(0)
		if a.Rows > 0 {
			bytes = uint64(float64(a.Bytes) * float64(r.Rows) / float64(a.Rows))
		}
		values[i] = "(now64(6), " + strings.Join([]string{
			schema.Quote(a.Table), schema.Quote(a.Day.Format(time.DateOnly)), schema.Quote(cause), schema.Quote(a.Kind), schema.Quote(r.Rule),
			decimal(r.Rows), decimal(bytes), decimal(a.Left), decimal(a.Held), decimal(a.judged)}, ", ") + ")"
	}
	err := db.Exec(ctx, "INSERT INTO "+qualified(o, schema.RetentionLog.Name)+" (time, of_table, day, cause, action, rule, rows, bytes, remaining, held, judged) VALUES "+strings.Join(values, ", "))
	if err != nil {
		return fmt.Errorf("retention: write the log: %w", err)
	}
	return nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
