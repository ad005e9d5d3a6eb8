package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// segment is a part of the window and the rollup that answers for it; nil is the
// rows themselves.
type segment struct {
	window
	resolution *schema.Resolution
}

// lags is how old a bucket of each resolution is when it is as the rows say.
var lags = []time.Duration{10 * time.Minute, 70 * time.Minute, 26 * time.Hour}

// cover splits a window into segments, each answered by the coarsest rollup whose
// buckets lie in it, and in one bucket of the series each.
func cover(w window, step time.Duration, now time.Time, place int) []segment {
	for ; place >= 0; place-- {
		res := &schema.Resolutions[place]
		width := time.Duration(res.Seconds) * time.Second
		if step%width != 0 {
			continue
		}
		end := w.to
		if limit := now.Add(-lags[place]); end.After(limit) {
			end = limit
		}
		from, to := floor(w.from.Add(width-1).Unix(), res.Seconds), floor(end.Unix(), res.Seconds)
		whole := window{time.Unix(from, 0).UTC(), time.Unix(to, 0).UTC()}
		if w.from.Nanosecond() == 0 && w.from.Unix()%res.Seconds == 0 {
			whole.from = w.from
		}
		if !whole.from.Before(whole.to) {
			continue
		}
		var out []segment
		if w.from.Before(whole.from) {
			out = cover(window{w.from, whole.from}, step, now, place-1)
		}
		out = append(out, segment{whole, res})
		if whole.to.Before(w.to) {
			out = append(out, cover(window{whole.to, w.to}, step, now, place-1)...)
		}
		return out
	}
	return []segment{{w, nil}}
}

// used are the sums that the figure is made of.
func (q *kpiQuery) used() []schema.Sum {
	var out []schema.Sum
	for _, sum := range q.kpi.rollup.Sums {
		if strings.Contains(q.kpi.value, "("+sum.Name+")") {
			out = append(out, sum)
		}
	}
	return out
}

// coarsest is the widest step: with it, cover has the coarsest rollups.
var coarsest = time.Duration(schema.Resolutions[len(schema.Resolutions)-1].Seconds) * time.Second

// segments are the parts of the window that rollups answer for, and the rest, for
// buckets of that step.
func (q *kpiQuery) segments(w window, step time.Duration) []segment {
	if !q.rolled {
		return []segment{{w, nil}}
	}
	return cover(w, step, q.now, len(schema.Resolutions)-1)
}

// oneValue are the dimensions of which each row of a source has one value.
var oneValue = []string{"src_ip", "dst_ip", "prefix", "final_status", "released_by", "status"}

// split gives rows the numbers of the series that they belong to.
type split struct {
	// index is SQL for the number of the series that a key, in its braces, belongs
	// to; 0 is the others.
	index string
	// keys, where it is not empty, is the parameter with the values that have a
	// series of their own: a rollup's others are everything less these, so that of
	// thousands of values only those few have to be added up.
	keys string
}

func (x split) of(key string) string { return strings.ReplaceAll(x.index, "{key}", key) }

// splitBy splits by the values that weigh most.
func (q *kpiQuery) splitBy(tops []string) split {
	values, numbers := make([][]string, len(tops)), []int64{}
	for i, key := range tops {
		if values[i] = []string{key}; len(q.dims) > 1 {
			values[i] = strings.Split(key, separator)
		}
	}
	keys := q.nameTops(values)
	for i := range keys {
		numbers = append(numbers, int64(i+1))
	}
	names := q.params.Add("Array(String)", keys)
	x := split{index: "transform({key}, " + names + ", " + q.params.Add("Array(Int64)", numbers) + ", toInt64(0))"}
	states := slices.ContainsFunc(q.used(), func(s schema.Sum) bool { return s.Quantiles })
	if len(q.dims) == 1 && q.rolled && !states && slices.Contains(oneValue, q.dims[0].Name) {
		x.keys = names
	}
	return x
}

// source is SQL for the sums of the window by bucket and series.
func (q *kpiQuery) source(s *Store, x split) string {
	var parts []string
	for _, g := range q.segments(q.window, q.result.Step) {
		switch {
		case g.resolution == nil:
			parts = append(parts, q.direct(s, g.window, x))
		case x.keys != "":
			parts = append(parts, q.few(s, g, x))
		default:
			parts = append(parts, q.rolledUp(s, g, x))
		}
	}
	return "(" + strings.Join(parts, "\nUNION ALL\n") + ")"
}

// key is SQL for what a row of a rollup is told apart by, and the dimension that
// the row is of.
func (q *kpiQuery) key() (dim, key string) {
	if len(q.dims) == 0 {
		return schema.DimensionAll, "''"
	}
	switch dim := q.dims[0].Name; dim {
	case "tenant":
		return schema.DimensionAll, "toString(tenant)"
	case "src_trunk", "dst_trunk":
		return strings.Replace(dim, "trunk", "ip", 1), schema.TrunkSQL("toIPv6OrDefault(value)", filter.TrunksView)
	default:
		return dim, "value"
	}
}

// stored is SQL from FROM on for the rows of a rollup's dimension in a segment.
// What it asks for is of the table's order alone, so that it can be asked before
// rows of one key are brought down to the newest.
func (q *kpiQuery) stored(s *Store, g segment, dim string) string {
	return s.table(q.kpi.rollup.TableName(*g.resolution)) + " FINAL PREWHERE dim = " + schema.Quote(dim) +
		" AND bucket >= toDateTime(" + q.params.Add("UInt32", uint32(g.from.Unix())) + ", 'UTC') AND bucket < toDateTime(" + q.params.Add("UInt32", uint32(g.to.Unix())) + ", 'UTC')" +
		" AND " + tenantCondition(q.tenant, &q.params)
}

const atOfRollup = "toInt64(toUInt32(bucket))"

func (q *kpiQuery) rolledUp(s *Store, g segment, x split) string {
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, "`"+sum.Name+"`")
	}
	dim, key := q.key()
	return "SELECT " + atOfRollup + " AS at, " + x.of(key) + " AS series, " + strings.Join(sums, ", ") + " FROM " + q.stored(s, g, dim)
}

// few is rolledUp for a split whose others are everything less those with a series.
func (q *kpiQuery) few(s *Store, g segment, x split) string {
	var sums, added, signed []string
	for _, sum := range q.used() {
		name := "`" + sum.Name + "`"
		sums = append(sums, name)
		added = append(added, "sum(n."+name+") AS "+name)
		signed = append(signed, name+" * part.2 AS "+name)
	}
	dim, key := q.key()
	parts := "[(own, toFloat64(1))]"
	if q.result.Truncated {
		parts = "[(own, toFloat64(1)), (toInt64(0), toFloat64(-1))]"
	}
	sql := "SELECT at, part.1 AS series, " + strings.Join(signed, ", ") + " FROM (SELECT " + atOfRollup + " AS at, " + x.of(key) + " AS own, " + strings.Join(added, ", ") +
		" FROM (SELECT bucket, value, " + strings.Join(sums, ", ") + " FROM " + q.stored(s, g, dim) + " AND value IN " + x.keys + ") AS n GROUP BY at, own) ARRAY JOIN " + parts + " AS part"
	if q.result.Truncated {
		sql += "\nUNION ALL\nSELECT " + atOfRollup + " AS at, toInt64(0) AS series, " + strings.Join(sums, ", ") + " FROM " + q.stored(s, g, schema.DimensionAll)
	}
	return sql
}

// keyOfRow is SQL for what a row of the rollup's source is told apart by.
func (q *kpiQuery) keyOfRow() string {
	if len(q.dims) == 0 {
		return "''"
	}
	keys := make([]string, len(q.dims))
	for i, d := range q.dims {
		keys[i] = "arrayJoin(if(empty(" + d.Values + "), [''], " + d.Values + "))"
	}
	return "concat(" + strings.Join(keys, ", '"+separatorSQL+"', ") + ", '')"
}

func (q *kpiQuery) direct(s *Store, w window, x split) string {
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, sum.Gather()+" AS `"+sum.Name+"`")
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	at := "toInt64(toUnixTimestamp(start))"
	return "SELECT " + at + " - " + at + " % " + step + " AS at, " + x.of(q.keyOfRow()) + " AS series, " + strings.Join(sums, ", ") + q.rows(s, w) + " GROUP BY at, series"
}

// rows is SQL from FROM on for the rows of the rollup's source that begin in a
// window.
func (q *kpiQuery) rows(s *Store, w window) string {
	return " FROM " + s.table(q.kpi.rollup.Source) + " WHERE " + w.starts(&q.params) + " AND " + tenantCondition(q.tenant, &q.params) +
		" AND " + strings.ReplaceAll(q.filter, "{sip}", s.table("sip"))
}

// run answers the request.
func (q *kpiQuery) run(ctx context.Context, s *Store) error {
	x := split{index: "toInt64(1)"}
	if len(q.dims) == 0 {
		q.addSeries(nil)
	} else {
		tops, err := q.tops(ctx, s, q.window, q.kpi.weight)
		if err != nil || len(tops) == 0 {
			return err
		}
		x = q.splitBy(tops)
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	value := strings.ReplaceAll(q.kpi.value, "{step}", "toFloat64("+step+")")
	sql := "SELECT at - at % " + step + " AS bucket, series, CAST(" + value + " AS Nullable(Float64)) FROM " + q.source(s, x) + " GROUP BY bucket, series"
	return s.query(ctx, nil, sql, q.params.Args(), q.read)
}

// tops lists the keys that have most of a sum in a window, one more than the limit.
// They are the same whatever the step: the coarsest rollups say.
func (q *kpiQuery) tops(ctx context.Context, s *Store, w window, sum string) ([]string, error) {
	weight, _ := q.kpi.rollup.Sum(sum)
	var parts []string
	for _, g := range q.segments(w, coarsest) {
		if g.resolution == nil {
			parts = append(parts, "SELECT "+q.keyOfRow()+" AS key, "+weight.Gather()+" AS n"+q.rows(s, g.window)+" GROUP BY key")
		} else {
			dim, key := q.key()
			parts = append(parts, "SELECT "+key+" AS key, `"+weight.Name+"` AS n FROM "+q.stored(s, g, dim))
		}
	}
	sql := "SELECT key FROM (" + strings.Join(parts, "\nUNION ALL\n") + ") GROUP BY key ORDER BY sum(n) DESC, key LIMIT " + q.params.Add("UInt64", uint64(q.limit+1))
	var out []string
	err := s.query(ctx, nil, sql, q.params.Args(), func(rows driver.Rows) error {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		out = append(out, key)
		return nil
	})
	return out, err
}
