package plugin

import (
	"context"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
)

// The bounds of an SQL result. More would not fit a browser; the rest is left
// out with a notice.
const (
	maxSQLRows  = 50_000
	maxSQLBytes = 64 << 20
)

// sql answers with the result of the user's own SELECT.
func (d *Datasource) sql(ctx context.Context, l *lake, q question) (data.Frames, error) {
	tokens, err := statement(q.SQL)
	if err != nil {
		return nil, err
	}
	sql, err := expand(source(tokens), newMacroValues(q))
	if err != nil {
		return nil, err
	}
	f, err := l.run(ctx, sql)
	if err != nil {
		return nil, err
	}
	return shape(f, q.Format, buckets(tokens), q.alert)
}

// run runs a query and returns its result as a table, cut at the bounds.
func (l *lake) run(ctx context.Context, sql string) (*data.Frame, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// The store's limit would fail a query with more rows; here it is cut.
	if l.mayCut {
		ctx = query.WithSettings(ctx, clickhouse.Settings{"result_overflow_mode": "break"})
	}
	rows, err := l.Conn().Query(l.Limit(ctx), sql)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	types := rows.ColumnTypes()
	columns := make([]*sqlColumn, len(types))
	for i, t := range types {
		columns[i] = newColumn(t)
	}
	var (
		count, size int
		cut         bool
		targets     = make([]reflect.Value, len(columns))
		pointers    = make([]any, len(columns))
	)
	for rows.Next() {
		if cut = count >= maxSQLRows || size >= maxSQLBytes; cut {
			stop() // before Close, which would read the rest
			break
		}
		for i, c := range columns {
			targets[i] = c.target()
			pointers[i] = targets[i].Interface()
		}
		if err := rows.Scan(pointers...); err != nil {
			return nil, err
		}
		for i, c := range columns {
			n, err := c.add(targets[i])
			if err != nil {
				return nil, err
			}
			size += n
		}
		count++
	}
	if !cut {
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	f := data.NewFrame("sql")
	for _, c := range columns {
		f.Fields = append(f.Fields, c.field)
	}
	f.Meta = &data.FrameMeta{ExecutedQueryString: sql}
	if cut {
		notice(f, data.NoticeSeverityWarning, "Only the first %d rows are shown: add a LIMIT, or aggregate.", count)
	}
	return f, nil
}
