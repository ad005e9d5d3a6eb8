package query

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

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
