package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// minuteGroups are what messages_1m can be split by.
var minuteGroups = []string{"tenant", "node", "method", "cseq_method", "status", "class"}

// minuteColumns are the columns of messages_1m that the groups are made of, as it
// has them, and all columns of source made of these: what no group needs is empty,
// since each column more by which millions of minutes are added up takes its time.
func (q *seriesQuery) minuteColumns() (raw, columns []string) {
	needed := map[string]bool{}
	for _, name := range q.names {
		switch name {
		case "method":
			needed["cseq_method"], needed["status"] = true, true
		case "class":
			needed["status"] = true
		default:
			needed[name] = true
		}
	}
	for _, c := range []struct{ name, sql, empty string }{
		{"tenant", "toString(tenant)", "''"}, {"node", "toString(node)", "''"}, {"cseq_method", "toString(cseq_method)", "''"}, {"status", "status", "toUInt16(0)"},
	} {
		sql := c.empty
		if needed[c.name] {
			raw, sql = append(raw, c.name), c.sql
		}
		columns = append(columns, sql+" AS "+c.name)
	}
	return raw, columns
}

// source is what the figure is computed of, as SQL behind FROM: each row stands for
// n messages. Whole minutes are counted already, and added up to the step.
func (q *seriesQuery) source(s *Store) string {
	table := s.table(q.metric.table)
	from, to := time.Unix(floor(q.window.from.Add(time.Minute-1).Unix(), 60), 0).UTC(), time.Unix(floor(q.window.to.Unix(), 60), 0).UTC()
	if !q.rolled || !from.Before(to) {
		star := "*"
		if q.metric.table == schema.SIP.Name {
			star = schema.SIP.Star() // a filter or a group may be of a computed column
		}
		return "(SELECT " + star + ", 1 AS n" + q.metric.more + " FROM " + table + " WHERE " + q.window.condition(&q.params) + " AND " + q.conditions + ")"
	}
	const ofMessages = "toString(tenant) AS tenant, toString(node) AS node, toString(cseq_method) AS cseq_method, status, "
	stamp := func(t time.Time) string {
		return "toDateTime(" + q.params.Add("UInt32", uint32(max(0, t.Unix()))) + ", 'UTC')"
	}
	step := q.params.Add("UInt32", uint32(q.result.Step/time.Second))
	raw, columns := q.minuteColumns()
	minutes := "SELECT toUInt32(bucket) - toUInt32(bucket) % " + step + " AS at, " + strings.Join(append(raw, "sum(messages) AS n"), ", ") + " FROM " + s.table("messages_1m") +
		" WHERE bucket >= " + stamp(from) + " AND bucket < " + stamp(to) + " AND " + q.conditions + " GROUP BY " + strings.Join(append([]string{"at"}, raw...), ", ")
	method := "''"
	if slices.Contains(q.names, "method") {
		method = "if(status = 0, toString(cseq_method), '')"
	}
	parts := []string{"SELECT toDateTime64(at, 6, 'UTC') AS time, " + method + " AS method, " + strings.Join(columns, ", ") + ", n FROM (" + minutes + ")"}
	for _, edge := range []window{{q.window.from, from}, {to, q.window.to}} {
		if edge.from.Before(edge.to) {
			parts = append(parts, "SELECT time, toString(method) AS method, "+ofMessages+"toUInt64(1) AS n FROM "+table+" WHERE "+edge.condition(&q.params)+" AND "+q.conditions)
		}
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ")"
}

// runRanked answers for groups of which there are few: what there is in each bucket
// is added up once, and of that is seen which weigh most.
func (q *seriesQuery) runRanked(ctx context.Context, s *Store) error {
	step, limit := q.params.Add("Int64", int64(q.result.Step/time.Second)), q.params.Add("UInt64", uint64(q.limit+1))
	at := "intDiv(toUnixTimestamp64Micro(time), 1000000)"
	sql := "SELECT " + at + " - " + at + " % " + step + " AS bucket, [" + strings.Join(q.groups, ", ") + "] AS values, sum(n) AS n FROM " + q.source(s) + " GROUP BY bucket, values"
	sql = "SELECT bucket, values, n, sum(n) OVER (PARTITION BY values) AS weight FROM (" + sql + ")"
	sql = "SELECT bucket, values, n, least(dense_rank() OVER (ORDER BY weight DESC, values), " + limit + ") AS place FROM (" + sql + ")"
	sql = "SELECT place, any(values), bucket, toFloat64(sum(n)) FROM (" + sql + ") GROUP BY place, bucket ORDER BY place"
	var tops [][]string
	var places []uint64
	var found []float64
	var buckets []int64
	err := s.query(ctx, nil, sql, q.params.Args(), func(rows driver.Rows) error {
		var place uint64
		var values []string
		var bucket int64
		var n float64
		if err := rows.Scan(&place, &values, &bucket, &n); err != nil {
			return err
		}
		if int(place) > len(tops) {
			tops = append(tops, values)
		}
		places, buckets, found = append(places, place), append(buckets, bucket), append(found, n)
		return nil
	})
	if err != nil || len(tops) == 0 {
		return err
	}
	q.nameTops(tops)
	for i, place := range places {
		if at, ok := q.buckets[buckets[i]]; ok {
			q.result.Series[place-1].Values[at] = &found[i]
		}
	}
	return nil
}
