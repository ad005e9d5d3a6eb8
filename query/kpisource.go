package query

import (
	"context"
	"slices"
	"strings"
	"time"

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

// reading is a rollup, or nil for the rows themselves, and all the parts of the
// window that it answers for: a table that is read once is planned once.
type reading struct {
	resolution *schema.Resolution
	windows    windows
}

// readings are what answers for the window, in buckets of that step.
func (q *kpiQuery) readings(w window, step time.Duration) []reading {
	if !q.rolled {
		return []reading{{windows: windows{w}}}
	}
	var out []reading
	for _, g := range cover(w, step, q.now, len(schema.Resolutions)-1) {
		i := slices.IndexFunc(out, func(r reading) bool { return r.resolution == g.resolution })
		if i < 0 {
			i, out = len(out), append(out, reading{resolution: g.resolution})
		}
		out[i].windows = append(out[i].windows, g.window)
	}
	return out
}

// source is SQL for the sums of the window by bucket and series.
func (q *kpiQuery) source(s *Store, x split) string {
	var parts []string
	for _, r := range q.readings(q.window, q.result.Step) {
		if r.resolution == nil {
			parts = append(parts, q.direct(s, r.windows, x))
		} else {
			parts = append(parts, q.rolledUp(s, r, x))
		}
	}
	union := "(" + strings.Join(parts, "\nUNION ALL\n") + ")"
	if x.keys == "" {
		return union
	}
	var added, signed []string
	for _, sum := range q.used() {
		name := "`" + sum.Name + "`"
		added = append(added, "sum("+name+") AS "+name)
		signed = append(signed, name+" * part.2 AS "+name)
	}
	return "(SELECT at, part.1 AS series, " + strings.Join(signed, ", ") + " FROM (SELECT at, series AS own, " + strings.Join(added, ", ") + " FROM " + union + " GROUP BY at, own)" +
		" ARRAY JOIN " + x.shares("own") + " AS part)"
}

// stored is the dimension of the rollup that has what the query is split by.
func (q *kpiQuery) stored() schema.Dimension {
	name := schema.DimensionAll
	switch {
	case len(q.dims) == 0 || q.dims[0].Name == "tenant":
	case q.byTrunk():
		name = strings.Replace(q.dims[0].Name, "trunk", "ip", 1)
	default:
		name = q.dims[0].Name
	}
	d, _ := q.kpi.rollup.Dimension(name)
	return d
}

// byTrunk reports whether rollups answer by trunk, of which they know the addresses.
func (q *kpiQuery) byTrunk() bool {
	return q.rolled && len(q.dims) == 1 && strings.HasSuffix(q.dims[0].Name, "_trunk")
}

// value is SQL for what tells a rollup's rows of one dimension apart.
func (q *kpiQuery) value() string {
	if len(q.dims) == 1 && q.dims[0].Name == "tenant" {
		return "toString(tenant)"
	}
	return "value"
}

// from is SQL from FROM on for the rows of a rollup that meet a condition. What it
// asks for is of the table's order alone, so that it can be asked before rows of
// one key are brought down to the newest.
func (q *kpiQuery) from(s *Store, r reading, condition string) string {
	stamp := func(t time.Time) string { return "toDateTime(" + q.params.Add("UInt32", uint32(t.Unix())) + ", 'UTC')" }
	return " FROM " + s.table(q.kpi.rollup.TableName(*r.resolution)) + " FINAL PREWHERE " + condition +
		" AND " + r.windows.any(func(w window) string { return "bucket >= " + stamp(w.from) + " AND bucket < " + stamp(w.to) }) +
		" AND " + tenantCondition(q.tenant, &q.params)
}

func (q *kpiQuery) rolledUp(s *Store, r reading, x split) string {
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, "`"+sum.Name+"`")
	}
	condition := "dim = " + schema.Quote(q.stored().Name)
	if x.keys != "" {
		condition += " AND value IN " + x.keys
		if x.rest != none {
			condition = "(" + condition + " OR dim = " + schema.Quote(schema.DimensionAll) + ")"
		}
	}
	return "SELECT toInt64(toUInt32(bucket)) AS at, " + x.stored + " AS series, " + strings.Join(sums, ", ") + q.from(s, r, condition)
}

// keyOfRow is SQL for what a row of the rollup's source is told apart by.
func (q *kpiQuery) keyOfRow(dims []schema.Dimension) string {
	if len(dims) == 0 {
		return "''"
	}
	keys := make([]string, len(dims))
	for i, d := range dims {
		keys[i] = "arrayJoin(if(empty(" + d.Values + "), [''], " + d.Values + "))"
	}
	return q.ofRow("concat(" + strings.Join(keys, ", '"+separatorSQL+"', ") + ", '')")
}

func (q *kpiQuery) direct(s *Store, ws windows, x split) string {
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, q.ofRow(sum.Gather())+" AS `"+sum.Name+"`")
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	at := "toInt64(toUnixTimestamp(start))"
	return "SELECT " + at + " - " + at + " % " + step + " AS at, " + x.of(q.keyOfRow(q.dims)) + " AS series, " + strings.Join(sums, ", ") + q.rows(s, ws) + " GROUP BY at, series"
}

// plain reports whether the query asks nothing of the rollup's source but what its
// rows have: then they are read without the view, whose many columns take longer
// to plan than the few that are needed take to read.
func (q *kpiQuery) plain() bool { return q.filter == "1" }

// ofRow is SQL over the columns of the rollup's source as one over what rows reads.
func (q *kpiQuery) ofRow(sql string) string {
	if q.plain() {
		return q.kpi.rollup.OfRow(sql)
	}
	return sql
}

// rows is SQL from FROM on for the rows of the rollup's source that begin in the
// windows.
func (q *kpiQuery) rows(s *Store, ws windows) string {
	source := s.table(q.kpi.rollup.Source)
	if q.plain() {
		source = s.table(q.kpi.rollup.Rows) + " AS r FINAL"
	}
	return " FROM " + source + " WHERE " + ws.any(func(w window) string { return w.starts(&q.params) }) + " AND " + tenantCondition(q.tenant, &q.params) +
		" AND " + strings.ReplaceAll(q.filter, "{sip}", s.table("sip"))
}

// run answers the request.
func (q *kpiQuery) run(ctx context.Context, s *Store) error {
	x := everything
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
