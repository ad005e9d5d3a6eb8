package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// The bounds of a series request.
const (
	DefaultSeries = 20
	MaxSeries     = 200
	MaxBuckets    = 11_000
)

// Other is the label of the series that stands for those beyond the limit.
const Other = "other"

// SeriesRequest asks for a figure over time.
type SeriesRequest struct {
	// Metric is one of Metrics.
	Metric string `json:"metric"`
	// GroupBy splits the figure by columns, one series for each combination of
	// values: any of GroupColumns, or of KPIGroupColumns for what is of calls and
	// registrations.
	GroupBy []string `json:"group_by"`
	// Filter is an expression of package filter, empty for all: on single messages,
	// or for what is of calls on calls, where from_user, src_ip, … are those of the
	// opening request.
	Filter string `json:"filter"`
	// From and To bound the window [From, To). A zero To is now, a zero From is
	// an hour before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Zone is where times in Filter are that name no zone; nil is UTC.
	Zone *time.Location `json:"-"`
	// Step is the width of a bucket, in whole seconds; chosen to give at most
	// some hundred buckets when 0. Buckets start at multiples of Step since the
	// epoch; the first and the last count only what lies in the window.
	Step time.Duration `json:"step"`
	// Limit is how many series to return: the largest ones by their sum, the
	// others added up in one more whose labels are all Other. DefaultSeries when
	// 0, MaxSeries at most.
	Limit int `json:"limit"`
	// Tenant restricts the figure to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// Series is one figure over time.
type Series struct {
	// Labels are the values grouped by, in the order of GroupBy.
	Labels []Label `json:"labels"`
	// Values has one value for each of SeriesResult.Times; nil where the figure
	// has no value (a ratio of nothing).
	Values []*float64 `json:"values"`
}

// Label is one value grouped by.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// SeriesResult is a figure over time, split into series, largest sum first and
// that of the others last.
type SeriesResult struct {
	Metric string `json:"metric"`
	// Unit is the unit of the values as Grafana names it: "short", "ms", "percent".
	Unit string        `json:"unit"`
	Step time.Duration `json:"step"`
	// Times are the starts of the buckets, without gaps.
	Times  []time.Time `json:"times"`
	Series []Series    `json:"series"`
	// Truncated says that series beyond Limit were added up as Other.
	Truncated bool `json:"truncated"`
}

// metric is a figure that can be computed for any set of rows of a table.
type metric struct {
	name, unit string
	table      string
	target     *filter.Target
	// where restricts the rows, value computes the figure of them (a Float64 or
	// NULL), weight says how much a series matters.
	where, value, weight string
	// empty is the value of a bucket without rows; nil for none.
	empty *float64
	// more are columns that the value needs besides the table's own.
	more string
}

var zero float64

// retransmissionRate is the KPI of that name for splits by what only messages have:
// of all messages, what the same sender had sent before within the bucket, as one
// agent saw it. A record that arrived twice counts once.
var retransmissionRate = metric{
	name: "retransmission_rate", unit: "percent", table: "sip", target: filter.Messages, where: "1", weight: "sum(n)",
	value: "CAST(100 * (uniqExact(sent, time) - uniqExact(sent)) / uniqExact(sent, time) AS Nullable(Float64))",
	more:  ", cityHash64(node, capture_id, call_id, method, status, cseq, cseq_method, from_tag, to_tag, via_branch, src_ip, src_port, dst_ip, dst_port, sdp) AS sent",
}

// ofMessages are the groups that only messages have.
var ofMessages = []string{"method", "cseq_method", "status", "class"}

// metrics lists the figures in the order of Metrics.
var metrics = []metric{
	{name: "messages", unit: "short", table: "sip", target: filter.Messages, where: "1", value: "toFloat64(sum(n))", weight: "sum(n)", empty: &zero},
	// Every response with a failure code counts, challenges (401, 407) and hung-up
	// calls (487) too: what is an error to whom is for the filter to say.
	{name: "errors", unit: "short", table: "sip", target: filter.Messages, where: "status >= 400", value: "toFloat64(sum(n))", weight: "sum(n)", empty: &zero},
}

// Metrics lists the names that SeriesRequest.Metric takes.
//
// messages is SIP messages, copies by several agents included; errors is
// responses with a status of 400 or more. The others are of calls and
// registrations, as docs/kpis.md defines them; a time is a median, with _p95 and
// _p99 the percentiles.
func Metrics() []string {
	var out []string
	for _, m := range metrics {
		out = append(out, m.name)
	}
	for _, k := range kpis {
		out = append(out, k.name)
	}
	return append(out, activeCalls)
}

// groupColumns are what series can be split by, with the SQL of their values as
// text.
var groupColumns = []struct{ name, sql string }{
	{"tenant", "toString(tenant)"},
	{"node", "toString(node)"},
	{"capture_id", "toString(capture_id)"},
	{"transport", "toString(transport)"},
	{"method", "toString(method)"},
	{"cseq_method", "toString(cseq_method)"},
	{"status", "if(status = 0, '', toString(status))"},
	{"class", "if(status = 0, 'request', concat(toString(intDiv(status, 100)), 'xx'))"},
	{"reason", "toString(reason)"},
	{"src_ip", "replaceOne(toString(src_ip), '::ffff:', '')"},
	{"dst_ip", "replaceOne(toString(dst_ip), '::ffff:', '')"},
	{"src_trunk", schema.TrunkSQL("src_ip", filter.TrunksView)},
	{"dst_trunk", schema.TrunkSQL("dst_ip", filter.TrunksView)},
	{"user_agent", "toString(user_agent)"},
	{"server", "toString(server)"},
	{"from_domain", "toString(from_domain)"},
	{"to_domain", "toString(to_domain)"},
	{"ruri_domain", "toString(ruri_domain)"},
	{"q850", "if(q850 = 0, '', toString(q850))"},
	{"parse_error", "toString(parse_error)"},
}

// GroupColumns lists the names that SeriesRequest.GroupBy takes for messages and
// errors: columns of messages, and class, which is "request" or the status class
// ("4xx").
func GroupColumns() []string {
	out := make([]string, len(groupColumns))
	for i, g := range groupColumns {
		out[i] = g.name
	}
	return out
}

// Series returns a figure over time in buckets without gaps. Without groups
// there is always one series, of zeros when nothing happened.
//
// The error is a *filter.Error, or wraps ErrTooExpensive, ErrUnavailable or
// ErrInvalid.
func (s *Store) Series(ctx context.Context, r SeriesRequest) (SeriesResult, error) {
	if r.Metric == retransmissionRate.name && slices.ContainsFunc(r.GroupBy, func(g string) bool { return slices.Contains(ofMessages, g) }) {
		return s.messageSeries(ctx, r, retransmissionRate)
	}
	if i := slices.IndexFunc(kpis, func(k kpi) bool { return k.name == r.Metric }); i >= 0 {
		return s.kpiSeries(ctx, r, kpis[i], (*kpiQuery).run)
	}
	if r.Metric == activeCalls {
		return s.kpiSeries(ctx, r, kpi{name: activeCalls, unit: "short", rollup: &schema.CallRollup, empty: &zero}, (*kpiQuery).runActive)
	}
	i := slices.IndexFunc(metrics, func(m metric) bool { return m.name == r.Metric })
	if i < 0 {
		return SeriesResult{}, fmt.Errorf("%w: metric %q is none of %s", ErrInvalid, r.Metric, strings.Join(Metrics(), ", "))
	}
	return s.messageSeries(ctx, r, metrics[i])
}

// messageSeries answers a request for a figure of messages.
func (s *Store) messageSeries(ctx context.Context, r SeriesRequest, m metric) (SeriesResult, error) {
	q, err := newSeriesQuery(r, m)
	if err != nil {
		return SeriesResult{}, err
	}
	if err := q.run(ctx, s); err != nil {
		return SeriesResult{}, fmt.Errorf("series %s: %w", r.Metric, err)
	}
	return q.result, nil
}

// kpiSeries answers a request for a figure of calls or registrations.
func (s *Store) kpiSeries(ctx context.Context, r SeriesRequest, k kpi, run func(*kpiQuery, context.Context, *Store) error) (SeriesResult, error) {
	q := &seriesQuery{metric: metric{name: k.name, unit: k.unit, empty: k.empty}, names: r.GroupBy}
	if err := q.frame(r); err != nil {
		return SeriesResult{}, err
	}
	kq, err := newKPIQuery(r, q, k)
	if err != nil {
		return SeriesResult{}, err
	}
	if err := run(kq, ctx, s); err != nil {
		return SeriesResult{}, fmt.Errorf("series %s: %w", r.Metric, err)
	}
	return q.result, nil
}

// frame sets the window, the buckets and the limit.
func (q *seriesQuery) frame(r SeriesRequest) (err error) {
	if q.window, err = windowOf(r.From, r.To, time.Hour); err != nil {
		return err
	}
	switch q.limit = r.Limit; {
	case r.Limit < 0 || r.Limit > MaxSeries:
		return fmt.Errorf("%w: limit %d is not between 0 and %d", ErrInvalid, r.Limit, MaxSeries)
	case r.Limit == 0:
		q.limit = DefaultSeries
	}
	return q.grid(r.Step)
}

// seriesQuery is one request on its way.
type seriesQuery struct {
	metric metric
	groups []string // SQL of the values grouped by
	names  []string
	window window
	limit  int
	// conditions are those on rows besides the window; rolled: messages_1m can
	// answer.
	conditions string
	rolled     bool
	params     filter.Params
	buckets    map[int64]int // start in seconds → index in Times
	result     SeriesResult
}

func newSeriesQuery(r SeriesRequest, m metric) (*seriesQuery, error) {
	q := &seriesQuery{names: r.GroupBy, metric: m}
	for _, name := range r.GroupBy {
		i := slices.IndexFunc(groupColumns, func(g struct{ name, sql string }) bool { return g.name == name })
		if i < 0 {
			return nil, fmt.Errorf("%w: group %q is none of %s", ErrInvalid, name, strings.Join(GroupColumns(), ", "))
		}
		q.groups = append(q.groups, groupColumns[i].sql)
	}
	if err := q.frame(r); err != nil {
		return nil, err
	}
	condition, err := q.metric.target.Compile(r.Filter, &q.params)
	if err != nil {
		return nil, err
	}
	q.conditions = tenantCondition(r.Tenant, &q.params) + " AND " + q.metric.where + " AND " + condition
	q.rolled = r.Filter == "" && m.more == "" && q.result.Step%time.Minute == 0 && !slices.ContainsFunc(r.GroupBy, func(name string) bool { return !slices.Contains(minuteGroups, name) })
	return q, nil
}

// steps are the widths of buckets that are chosen from, in seconds.
var steps = []int64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400}

// chosenBuckets is about how many buckets there are when no step is given.
const chosenBuckets = 300

// grid lays out the buckets.
func (q *seriesQuery) grid(step time.Duration) error {
	seconds := int64(step / time.Second)
	span := q.window.to.Sub(q.window.from)
	switch {
	case step < 0 || step%time.Second != 0:
		return fmt.Errorf("%w: step %s is not a number of whole seconds", ErrInvalid, step)
	case step == 0:
		seconds = steps[len(steps)-1]
		for _, s := range steps {
			if int64(span/time.Second)/s <= chosenBuckets {
				seconds = s
				break
			}
		}
	}
	first := floor(q.window.from.Unix(), seconds)
	last := floor(q.window.to.Add(-time.Nanosecond).Unix(), seconds)
	n := (last-first)/seconds + 1
	if n > MaxBuckets {
		return fmt.Errorf("%w: a step of %ds makes %d buckets, at most %d are possible", ErrInvalid, seconds, n, MaxBuckets)
	}
	q.buckets = make(map[int64]int, n)
	q.result = SeriesResult{Metric: q.metric.name, Unit: q.metric.unit, Step: time.Duration(seconds) * time.Second, Times: make([]time.Time, n), Series: []Series{}}
	for i := range n {
		t := first + i*seconds
		q.buckets[t] = int(i)
		q.result.Times[i] = time.Unix(t, 0).UTC()
	}
	return nil
}

// floor is the multiple of step at or before t.
func floor(t, step int64) int64 {
	m := t % step
	if m < 0 {
		m += step
	}
	return t - m
}

func (q *seriesQuery) run(ctx context.Context, s *Store) error {
	if q.rolled && len(q.groups) > 0 {
		return q.runRanked(ctx, s)
	}
	index := "1"
	if len(q.groups) == 0 {
		q.addSeries(nil)
	} else {
		tops, err := q.tops(ctx, s)
		if err != nil || len(tops) == 0 {
			return err
		}
		index = q.addTops(tops, "concat("+strings.Join(q.groups, ", '"+separatorSQL+"', ")+", '')")
	}
	step := q.params.Add("Int64", int64(q.result.Step/time.Second))
	at := "intDiv(toUnixTimestamp64Micro(time), 1000000)"
	sql := "SELECT " + at + " - " + at + " % " + step + " AS bucket, toInt64(" + index + ") AS series, " + q.metric.value +
		" FROM " + q.source(s) + " GROUP BY bucket, series"
	return s.query(ctx, nil, sql, q.params.Args(), q.read)
}

// read takes a row of bucket, series and value.
func (q *seriesQuery) read(rows driver.Rows) error {
	var bucket, series int64
	var value *float64
	if err := rows.Scan(&bucket, &series, &value); err != nil {
		return err
	}
	if series == 0 && q.result.Truncated {
		series = int64(len(q.result.Series))
	}
	i, ok := q.buckets[bucket]
	if !ok || series == 0 {
		return nil // a group that appeared between the two queries
	}
	q.result.Series[series-1].Values[i] = value
	return nil
}

// addTops adds the series of the values that weigh most, and one for the others
// when there are more than the limit. It returns SQL for the number of the series
// that a row, of which key is the SQL of its values joined, belongs to.
func (q *seriesQuery) addTops(tops [][]string, key string) string {
	// A key that is none of these has index 0: the others.
	return "indexOf(" + q.params.Add("Array(String)", q.nameTops(tops)) + ", " + key + ")"
}

// nameTops adds the series as addTops does. It returns the values joined of each
// but the others.
func (q *seriesQuery) nameTops(tops [][]string) []string {
	if len(tops) > q.limit {
		tops = tops[:q.limit]
		q.result.Truncated = true
	}
	keys := make([]string, len(tops))
	for i, values := range tops {
		q.addSeries(values)
		keys[i] = strings.Join(values, separator)
	}
	if q.result.Truncated {
		others := make([]string, len(q.names))
		for i := range others {
			others[i] = Other
		}
		q.addSeries(others)
	}
	return keys
}

// separator parts the values of a key; no value grouped by holds it.
const (
	separator    = "\x1f"
	separatorSQL = `\x1f`
)

// tops lists the values of the groups that weigh most, one more than the limit
// when there are as many.
func (q *seriesQuery) tops(ctx context.Context, s *Store) ([][]string, error) {
	source := q.source(s)
	p := q.params.Clone()
	sql := "SELECT [" + strings.Join(q.groups, ", ") + "] AS values FROM " + source +
		" GROUP BY values ORDER BY " + q.metric.weight + " DESC, values LIMIT " + p.Add("UInt64", uint64(q.limit+1))
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

// addSeries adds a series of empty buckets.
func (q *seriesQuery) addSeries(values []string) {
	series := Series{Labels: make([]Label, len(values)), Values: make([]*float64, len(q.result.Times))}
	for i, v := range values {
		series.Labels[i] = Label{Name: q.names[i], Value: v}
	}
	for i := range series.Values {
		series.Values[i] = q.metric.empty
	}
	q.result.Series = append(q.result.Series, series)
}
