package query

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// kpi is a figure computed of the sums of a rollup: see docs/kpis.md.
type kpi struct {
	name, unit string
	rollup     *schema.Rollup
	// value is the figure as SQL over aggregates of sums; {step} is the width of a
	// bucket in s.
	value string
	// weight is the sum that says how much a series matters.
	weight string
	empty  *float64
}

// levels are the quantiles that a time has, by the suffix of the metric's name.
var levels = []string{"", "_p95", "_p99"}

// quantiles are the metrics of a time: its median, its 95th and 99th percentile.
func quantiles(name, unit string, r *schema.Rollup, state string) []kpi {
	var out []kpi
	for i, suffix := range levels {
		q := fmt.Sprintf("quantilesTDigestIfMerge(0.5, 0.95, 0.99)(%s)[%d]", state, i+1)
		out = append(out, kpi{name: name + suffix, unit: unit, rollup: r, value: "if(isNaN(" + q + "), NULL, toFloat64(" + q + "))", weight: "attempts"})
	}
	return out
}

// kpis lists the figures of calls and registrations.
var kpis = func() []kpi {
	calls, registrations := &schema.CallRollup, &schema.RegistrationRollup
	var out []kpi
	for _, r := range append(slices.Clone(schema.CallRatios), schema.RegistrationRatios...) {
		out = append(out, kpi{r.Name, r.Unit, r.Rollup, r.SQL(func(sum string) string { return "sum(" + sum + ")" }), "attempts", nil})
	}
	count := func(name string, rollup *schema.Rollup, sum string) {
		out = append(out, kpi{name, "short", rollup, "sum(" + sum + ")", "attempts", &zero})
	}
	for _, sum := range []string{"attempts", "answered", "redirected", "cancelled", "failed", "unanswered", "final_4xx", "final_5xx", "final_6xx"} {
		count(sum, calls, sum)
	}
	count("registrations", registrations, "attempts")
	count("reg_failures", registrations, "failures")
	out = append(out, kpi{"cps", "cps", calls, "sum(attempts) / {step}", "attempts", &zero})
	out = append(out, quantiles("srd_ms", "ms", calls, "srd")...)
	out = append(out, quantiles("pdd_ms", "ms", calls, "pdd")...)
	out = append(out, quantiles("sdd_ms", "ms", calls, "sdd")...)
	out = append(out, quantiles("sdt_s", "s", calls, "sdt")...)
	return append(out, quantiles("rrd_ms", "ms", registrations, "rrd")...)
}()

// activeCalls is the metric that is no sum: how many calls are up at a time.
const activeCalls = "active_calls"

// callGroups are the columns of calls, besides the rollups' dimensions, that their
// figures can be split by: read from the calls themselves.
var callGroups = []string{"outcome", "from_domain", "to_domain", "ruri_domain", "transport", "q850"}

// trunkDimensions are the trunks that a call's addresses belong to. Rollups have the
// addresses, to which names are given when they are read: see rolledUp.
var trunkDimensions = func() map[string]schema.Dimension {
	src, dst := schema.TrunkSQL("src_ip", filter.TrunksView), schema.TrunkSQL("dst_ip", filter.TrunksView)
	return map[string]schema.Dimension{
		"src_trunk": {Name: "src_trunk", Values: "[" + src + "]"},
		"dst_trunk": {Name: "dst_trunk", Values: "[" + dst + "]"},
		"trunk":     {Name: "trunk", Values: "arrayDistinct(arrayFilter(t -> t != '', [" + src + ", " + dst + "]))"},
	}
}()

// KPIGroupColumns lists the names that SeriesRequest.GroupBy takes for the metrics
// of calls; those of registrations take the ones that registrations have.
func KPIGroupColumns() []string {
	out := []string{"tenant"}
	for _, d := range schema.CallRollup.Dimensions[1:] {
		out = append(out, d.Name)
	}
	return append(append(out, "src_trunk", "dst_trunk", "trunk"), callGroups...)
}

// kpiQuery is a request for a kpi on its way.
type kpiQuery struct {
	*seriesQuery
	kpi kpi
	now time.Time
	// dims are what it is grouped by.
	dims []schema.Dimension
	// rolled: rollups can answer. tenant: it is grouped by the tenant.
	rolled bool
	filter string
	tenant string
}

// newKPIQuery makes the query of a request whose figure is a kpi.
func newKPIQuery(r SeriesRequest, q *seriesQuery, k kpi) (*kpiQuery, error) {
	out := &kpiQuery{seriesQuery: q, kpi: k, now: time.Now(), rolled: r.Filter == "" && len(r.GroupBy) <= 1, filter: "1", tenant: r.Tenant}
	for _, name := range r.GroupBy {
		d, ok := out.dimension(name)
		if !ok {
			return nil, fmt.Errorf("%w: %s cannot be split by %q", ErrInvalid, k.name, name)
		}
		out.dims = append(out.dims, d)
	}
	if r.Filter != "" {
		if k.rollup != &schema.CallRollup {
			condition, err := filter.Messages.Compile(r.Filter, &q.params)
			if err != nil {
				return nil, err
			}
			if !onRow(condition, registrationFields) {
				return nil, fmt.Errorf("%w: registrations can be filtered by tenant, call_id, src_ip, src_port, dst_ip, dst_port, transport and user_agent", ErrInvalid)
			}
			out.filter = condition
			return out, nil
		}
		plan, err := filter.CompileCalls(r.Filter, &q.params)
		if err != nil {
			return nil, err
		}
		out.filter = flagNames.ReplaceAllStringFunc(plan.Match, func(name string) string {
			i, _ := strconv.Atoi(name[1:])
			return out.ofCall(plan.Messages[i])
		})
	}
	return out, nil
}

// dimension is what the figure is split by under that name.
func (q *kpiQuery) dimension(name string) (schema.Dimension, bool) {
	if d, ok := q.kpi.rollup.Dimension(name); ok && name != schema.DimensionAll {
		return d, true
	}
	if name == "tenant" {
		return schema.Dimension{Name: name, Values: "[toString(tenant)]"}, true
	}
	if d, ok := trunkDimensions[name]; ok {
		// A call whose two addresses are of one trunk counts once: rollups cannot tell.
		q.rolled = q.rolled && name != "trunk"
		return d, true
	}
	if q.kpi.rollup == &schema.CallRollup && slices.Contains(callGroups, name) {
		q.rolled = false
		return schema.Dimension{Name: name, Values: "[toString(" + name + ")]"}, true
	}
	return schema.Dimension{}, false
}

// The fields of messages that calls and registrations have, too, as their opening
// request has them.
var (
	callFields         = []string{"tenant", "method", "from_user", "from_domain", "to_user", "to_domain", "ruri_user", "ruri_domain", "pai_user", "diversion", "src_ip", "src_port", "dst_ip", "dst_port", "transport"}
	registrationFields = []string{"tenant", "call_id", "src_ip", "src_port", "dst_ip", "dst_port", "transport", "user_agent"}
	flagNames          = regexp.MustCompile(`\bm[0-9]+\b`)
	identifiers        = regexp.MustCompile("`([^`]+)`")
)

// onRow reports whether a compiled condition names the fields alone.
func onRow(condition string, fields []string) bool {
	for _, m := range identifiers.FindAllStringSubmatch(condition, -1) {
		if !slices.Contains(fields, m[1]) {
			return false
		}
	}
	return true
}

// maxFilterIDs bounds the Call-IDs that a condition on messages may find.
const maxFilterIDs = "1000000"

// ofCall is a condition on messages as one on calls: what the opening request
// says is asked of the call's row; for all else some message must meet it.
func (q *kpiQuery) ofCall(condition string) string {
	if onRow(condition, callFields) {
		return "(" + condition + ")"
	}
	around := window{q.window.from.Add(-time.Hour), q.window.to.Add(farMargin)}
	return "hasAny(call_ids, (SELECT groupUniqArray(" + maxFilterIDs + ")(call_id) FROM {sip} WHERE " + around.condition(&q.params) + " AND " + condition + "))"
}

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

// source is SQL for the sums of the window by bucket and values grouped by.
func (q *kpiQuery) source(s *Store) string {
	segments := []segment{{q.window, nil}}
	if q.rolled {
		segments = cover(q.window, q.result.Step, q.now, len(schema.Resolutions)-1)
	}
	parts := make([]string, len(segments))
	for i, g := range segments {
		if g.resolution != nil {
			parts[i] = q.rolledUp(s, g)
		} else {
			parts[i] = q.direct(s, g.window)
		}
	}
	return "(" + strings.Join(parts, "\nUNION ALL\n") + ")"
}

// used are the sums that the figure is made of, and the one that weighs.
func (q *kpiQuery) used() []schema.Sum {
	var out []schema.Sum
	for _, sum := range q.kpi.rollup.Sums {
		if sum.Name == q.kpi.weight || strings.Contains(q.kpi.value, "("+sum.Name+")") {
			out = append(out, sum)
		}
	}
	return out
}

func (q *kpiQuery) rolledUp(s *Store, g segment) string {
	dim, key := schema.DimensionAll, "[]::Array(String)"
	if len(q.dims) == 1 {
		dim, key = q.dims[0].Name, "[value]"
		switch dim {
		case "tenant":
			dim, key = schema.DimensionAll, "[toString(tenant)]"
		case "src_trunk", "dst_trunk":
			dim, key = strings.Replace(dim, "trunk", "ip", 1), "["+schema.TrunkSQL("toIPv6OrDefault(value)", filter.TrunksView)+"]"
		}
	}
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, "`"+sum.Name+"`")
	}
	return "SELECT toInt64(toUInt32(bucket)) AS at, " + key + " AS values, " + strings.Join(sums, ", ") + " FROM " + s.table(q.kpi.rollup.TableName(*g.resolution)) +
		" FINAL WHERE dim = " + schema.Quote(dim) + " AND bucket >= toDateTime(" + q.params.Add("UInt32", uint32(g.from.Unix())) + ", 'UTC') AND bucket < toDateTime(" + q.params.Add("UInt32", uint32(g.to.Unix())) + ", 'UTC')" +
		" AND " + tenantCondition(q.tenant, &q.params)
}

func (q *kpiQuery) direct(s *Store, w window) string {
	keys := make([]string, len(q.dims))
	for i, d := range q.dims {
		keys[i] = "arrayJoin(if(empty(" + d.Values + "), [''], " + d.Values + "))"
	}
	key := "[]::Array(String)"
	if len(keys) > 0 {
		key = "[" + strings.Join(keys, ", ") + "]"
	}
	var sums []string
	for _, sum := range q.used() {
		sums = append(sums, sum.Gather()+" AS `"+sum.Name+"`")
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	at := "toInt64(toUnixTimestamp(start))"
	return "SELECT " + at + " - " + at + " % " + step + " AS at, " + key + " AS values, " + strings.Join(sums, ", ") + " FROM " + s.table(q.kpi.rollup.Source) +
		" WHERE " + w.starts(&q.params) + " AND " + tenantCondition(q.tenant, &q.params) + " AND " + strings.ReplaceAll(q.filter, "{sip}", s.table("sip")) + " GROUP BY at, values"
}

// run answers the request.
func (q *kpiQuery) run(ctx context.Context, s *Store) error {
	source := q.source(s)
	index := "1"
	if len(q.dims) == 0 {
		q.addSeries(nil)
	} else {
		tops, err := q.tops(ctx, s, source)
		if err != nil || len(tops) == 0 {
			return err
		}
		index = q.addTops(tops, "arrayStringConcat(values, '"+separatorSQL+"')")
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	value := strings.ReplaceAll(q.kpi.value, "{step}", "toFloat64("+step+")")
	sql := "SELECT at - at % " + step + " AS bucket, toInt64(" + index + ") AS series, CAST(" + value + " AS Nullable(Float64)) FROM " + source + " GROUP BY bucket, series"
	return s.query(ctx, nil, sql, q.params.Args(), q.read)
}

// tops lists the values that weigh most, one more than the limit.
func (q *kpiQuery) tops(ctx context.Context, s *Store, source string) ([][]string, error) {
	p := q.params.Clone()
	sql := "SELECT values FROM " + source + " GROUP BY values ORDER BY sum(`" + q.kpi.weight + "`) DESC, values LIMIT " + p.Add("UInt64", uint64(q.limit+1))
	var out [][]string
	err := s.query(ctx, nil, sql, p.Args(), func(rows driver.Rows) error {
		var values []string
		if err := rows.Scan(&values); err != nil {
			return err
		}
		out = append(out, values)
		return nil
	})
	return out, err
}

// runActive counts the calls that are up at the end of each bucket: those answered
// before, less those ended before.
func (q *kpiQuery) runActive(ctx context.Context, s *Store) error {
	keys := make([]string, len(q.dims))
	for i, d := range q.dims {
		keys[i] = "arrayJoin(if(empty(" + d.Values + "), [''], " + d.Values + "))"
	}
	key := "[]::Array(String)"
	if len(keys) > 0 {
		key = "[" + strings.Join(keys, ", ") + "]"
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	first := q.params.Add("Int64", q.result.Times[0].Unix())
	to := q.params.Add("Int64", q.window.to.UnixMicro())
	began := window{q.window.from.Add(-startMargin), q.window.to}
	source := "(SELECT " + key + " AS values, arrayJoin(arrayFilter(c -> c.1 < " + to + ", [(toUnixTimestamp64Micro(assumeNotNull(answer)), 1)," +
		" (multiIf(isNotNull(end), toUnixTimestamp64Micro(assumeNotNull(end)), outcome = 'in_progress', " + to + ", toUnixTimestamp64Micro(last_seen)), -1)])) AS change" +
		" FROM " + s.table("calls") + " WHERE " + began.starts(&q.params) + " AND isNotNull(answer) AND method = 'INVITE' AND " + tenantCondition(q.tenant, &q.params) +
		" AND " + strings.ReplaceAll(q.filter, "{sip}", s.table("sip")) + ")"
	index := "1"
	if len(q.dims) == 0 {
		q.addSeries(nil)
	} else {
		p := q.params.Clone()
		var tops [][]string
		err := s.query(ctx, nil, "SELECT values FROM "+source+" GROUP BY values ORDER BY count() DESC, values LIMIT "+p.Add("UInt64", uint64(q.limit+1)), p.Args(), func(rows driver.Rows) error {
			var values []string
			if err := rows.Scan(&values); err != nil {
				return err
			}
			tops = append(tops, values)
			return nil
		})
		if err != nil || len(tops) == 0 {
			return err
		}
		index = q.addTops(tops, "arrayStringConcat(values, '"+separatorSQL+"')")
	}
	at := "intDiv(change.1, 1000000)"
	sql := "SELECT greatest(" + at + " - " + at + " % " + step + ", " + first + ") AS bucket, toInt64(" + index + ") AS series, CAST(toFloat64(sum(change.2)) AS Nullable(Float64)) FROM " + source + " GROUP BY bucket, series"
	if err := s.query(ctx, nil, sql, q.params.Args(), q.read); err != nil {
		return err
	}
	for i := range q.result.Series {
		up := 0.0
		values := q.result.Series[i].Values
		for j, v := range values {
			if v != nil {
				up += *v
			}
			now := up
			values[j] = &now
		}
	}
	return nil
}
