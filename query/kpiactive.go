package query

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// runActive counts the calls that are up at the end of each bucket: those answered
// before, less those ended before.
func (q *kpiQuery) runActive(ctx context.Context, s *Store) error {
	began := window{q.window.from.Add(-startMargin), q.window.to}
	x := split{index: "toInt64(1)"}
	if len(q.dims) == 0 {
		q.addSeries(nil)
	} else {
		tops, err := q.tops(ctx, s, began, "answered")
		if err != nil || len(tops) == 0 {
			return err
		}
		x = q.splitBy(tops)
	}
	if err := s.query(ctx, nil, q.activeSQL(s, began, x), q.params.Args(), q.read); err != nil {
		return err
	}
	if len(q.dims) > 0 {
		// Values without a call that was answered have calls all the same.
		q.result.Series = slices.DeleteFunc(q.result.Series, func(series Series) bool {
			return !slices.ContainsFunc(series.Values, func(v *float64) bool { return v != q.metric.empty })
		})
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
func (q *kpiQuery) activeSQL(s *Store, began window, x split) string {
	step := int64(q.result.Step / time.Second)
	width := q.params.Add("Int64", step*1_000_000)
	// Bucket numbers: the first holds what was before, that behind the last what is not yet.
	first := q.params.Add("Int64", q.result.Times[0].Unix()/step)
	to := q.params.Add("Int64", q.window.to.UnixMicro())
	behind := strconv.FormatInt(q.result.Times[len(q.result.Times)-1].Unix()/step+1, 10)
	bucket := func(time string) string {
		micros := "toUnixTimestamp64Micro(" + time + ")"
		return "if(" + micros + " < " + to + ", greatest(intDiv(" + micros + ", " + width + "), " + first + "), " + behind + ")"
	}
	up := "toInt64(" + behind + ")"
	pairs := "SELECT " + x.of(q.keyOfRow()) + " AS series, " + bucket("assumeNotNull(answer)") + " AS a," +
		" multiIf(isNotNull(end), " + bucket("assumeNotNull(end)") + ", outcome = 'in_progress', " + up + ", " + bucket("last_seen") + ") AS b, toInt64(count()) AS n" +
		strings.Replace(q.rows(s, began), " WHERE ", " WHERE isNotNull(answer) AND method = 'INVITE' AND ", 1) + " GROUP BY series, a, b"
	stepSQL := q.params.Add("Int64", step)
	return "SELECT change.1 * " + stepSQL + " AS bucket, series, CAST(toFloat64(sum(change.2)) AS Nullable(Float64)) FROM (" + pairs + ")" +
		" ARRAY JOIN [(a, n), (b, -n)] AS change WHERE change.1 < " + behind + " GROUP BY bucket, series"
}
