package query

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/schema"
)

// runActive counts the calls that are up at the end of each bucket: those answered
// before, less those ended before.
func (q *kpiQuery) runActive(ctx context.Context, s *Store) error {
	began := window{q.window.from.Add(-startMargin), q.window.to}
	x, tops := everything, []top(nil)
	if len(q.dims) == 0 {
		q.addSeries(nil)
	} else {
		var err error
		if tops, err = q.tops(ctx, s, began, "answered"); err != nil || len(tops) == 0 {
			return err
		}
		x = q.splitBy(tops)
	}
	if err := s.query(ctx, nil, q.activeSQL(s, began, x), q.params.Args(), q.read); err != nil {
		return err
	}
	if len(q.dims) > 0 {
		// Values without a call that was answered have calls all the same. The others
		// follow the largest of them.
		kept := q.result.Series[:0]
		for i, series := range q.result.Series {
			if tops[i].weight > 0 || slices.ContainsFunc(series.Values, func(v *float64) bool { return v != q.metric.empty }) {
				kept = append(kept, series)
			}
		}
		q.result.Series = kept
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

// activeSQL is SQL for how many more calls are up at the end of a bucket than at
// that of the one before, by series. Calls are counted by the pair of buckets in
// which they were answered and ended, of which there are few, before the two are
// told apart.
//
// Where there is no filter, the window is asked of the index alone, an hour wider,
// so that no row's start is read: what the index lets through began in that hour at
// the earliest, with each version that there is, or was answered before the window.
//
// Each column takes its time to read: an answered call, and no other row, has a
// duration, which says when it ended, or was last heard of while it is up.
func (q *kpiQuery) activeSQL(s *Store, began window, x split) string {
	seconds := int64(q.result.Step / time.Second)
	step, width := q.params.Add("Int64", seconds), q.params.Add("Int64", seconds*1_000_000)
	// Buckets by number: the first has what was before, the last what is not yet.
	first := q.params.Add("Int64", q.result.Times[0].Unix()/seconds)
	behind := q.params.Add("Int64", q.result.Times[len(q.result.Times)-1].Unix()/seconds+1)
	to := q.params.Add("Int64", began.to.UnixMicro())
	answer := "toUnixTimestamp64Micro(assumeNotNull(answer))"
	end := "(" + answer + " + toInt64(round(assumeNotNull(duration_s) * 1000000)))"
	bucket := func(micros string) string { return "greatest(intDiv(" + micros + ", " + width + "), " + first + ")" }
	calls, up, when := s.table("calls"), "outcome = 'in_progress'", began.starts(&q.params)
	if q.plain() {
		// The index does not see through the view.
		calls, up = s.callRows(), schema.CallUpSQL("fromUnixTimestamp64Micro"+end)
		when = "indexHint(toStartOfHour(start) >= " + hour(began.from.Add(-time.Hour), &q.params) + " AND toStartOfHour(start) <= " + hour(began.to, &q.params) + ")"
	}
	a := "toUInt32(" + bucket(answer) + ")"
	b := "toUInt32(if(" + end + " >= " + to + " OR (" + up + "), " + behind + ", " + bucket(end) + "))"
	changes := ""
	if len(q.dims) > 0 {
		// A call that was answered and ended in one bucket changes nothing: most are
		// such, and whose they are takes longer to find out than that.
		changes = " AND a != b"
	}
	pairs := "SELECT " + x.of(q.keyOfRow(q.dims)) + " AS series, " + a + " AS a, " + b + " AS b, toInt64(count()) AS n" +
		" FROM " + calls + " WHERE " + when +
		" AND isNotNull(duration_s) AND " + answer + " >= " + q.params.Add("Int64", began.from.UnixMicro()) + " AND " + answer + " < " + to + changes +
		" AND " + tenantCondition(q.tenant, &q.params) + " AND " + strings.ReplaceAll(q.filter, "{sip}", s.table("sip")) + " GROUP BY series, a, b"
	return "SELECT toInt64(change.1) * " + step + " AS bucket, series, CAST(toFloat64(sum(change.2)) AS Nullable(Float64)) FROM (" + pairs + ")" +
		" ARRAY JOIN [(a, n), (b, -n)] AS change WHERE change.1 < " + behind + " GROUP BY bucket, series"
}
