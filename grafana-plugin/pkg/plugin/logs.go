package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query/filter"
)

// The bounds of the lines of a logs query.
const (
	defaultLines = 1_000
	maxLines     = 10_000
)

// logs answers with one frame of log lines: the records of the table events,
// newest first, of one call when the query names one. Among them are the
// packets that would not decode, as errors.
func (d *Datasource) logs(ctx context.Context, l *lake, q question) (data.Frames, error) {
	var params filter.Params
	where, err := filter.Events.Compile(q.Filter, &params)
	if err != nil {
		return nil, err
	}
	where += fmt.Sprintf(" AND time >= fromUnixTimestamp64Micro(%s) AND time < fromUnixTimestamp64Micro(%s)",
		params.Add("Int64", q.TimeRange.From.UnixMicro()), params.Add("Int64", q.TimeRange.To.UnixMicro()))
	if q.CallID != "" {
		id := params.Add("String", q.CallID)
		where += " AND (call_id = " + id + " OR correlation_id = " + id + ")"
	}
	if q.Tenant != "" {
		where += " AND tenant = " + params.Add("String", q.Tenant)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLines
	}
	limit = min(limit, maxLines)
	sql := fmt.Sprintf("SELECT time, body, type_name, node, call_id, stage, error, toString(src_ip), toString(dst_ip) FROM events WHERE %s ORDER BY time DESC LIMIT %d", where, limit+1)
	rows, err := l.Conn().Query(l.Limit(ctx), sql, params.Args()...)
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var (
		times                []time.Time
		bodies, levels, ids  []string
		labels               []json.RawMessage
		t                    time.Time
		body, typeName, node string
		callID, stage, fault string
		src, dst             string
		seen                 = map[string]int{}
		more                 bool
	)
	for rows.Next() {
		if len(times) == limit {
			more = true
			break
		}
		if err := rows.Scan(&t, &body, &typeName, &node, &callID, &stage, &fault, &src, &dst); err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		level := "info"
		if fault != "" {
			level = "error"
		}
		label, err := json.Marshal(nonEmpty(map[string]string{
			"type": typeName, "node": node, "call_id": callID, "stage": stage, "error": fault,
			"src_ip": plainIP(src), "dst_ip": plainIP(dst),
		}))
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		// A line's id has to be its own: lines of one moment are numbered.
		id := fmt.Sprintf("%d", t.UnixMicro())
		seen[id]++
		times, bodies, levels, labels = append(times, t), append(bodies, text(body)), append(levels, level), append(labels, label)
		ids = append(ids, fmt.Sprintf("%s_%d", id, seen[id]))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	f := data.NewFrame("logs",
		data.NewField("timestamp", nil, times),
		data.NewField("body", nil, bodies),
		data.NewField("severity", nil, levels),
		data.NewField("id", nil, ids),
		data.NewField("labels", nil, labels),
	)
	f.Meta = &data.FrameMeta{Type: data.FrameTypeLogLines, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeLogs, ExecutedQueryString: sql}
	if more {
		notice(f, data.NoticeSeverityInfo, "These are the newest %d lines; there are more in the time range.", limit)
	}
	return data.Frames{f}, nil
}

// nonEmpty leaves out the keys that have no value.
func nonEmpty(m map[string]string) map[string]string {
	maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
	for k, v := range m {
		m[k] = text(v)
	}
	return m
}
