package plugin

import (
	"context"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
)

// defaultMetric is the figure of a query that names none.
const defaultMetric = "messages"

// series answers with a frame for each series: a time and one number, labelled
// by what the query splits by.
//
// It is never without data for want of traffic: counts are zero then, and a
// split of nothing is one series of zeros without labels, because "no data" in
// an alert rule must mean that something is broken. Ratios and means of nothing
// stay null: a zero would be a false value, and an alert.
func (d *Datasource) series(ctx context.Context, l *lake, q question) (data.Frames, error) {
	metric := q.Metric
	if metric == "" {
		metric = defaultMetric
	}
	request := query.SeriesRequest{
		Metric: metric, GroupBy: q.GroupBy, Filter: q.Filter,
		From: q.TimeRange.From, To: q.TimeRange.To,
		Step:  step(q.Interval, q.TimeRange.To.Sub(q.TimeRange.From), q.MaxDataPoints),
		Limit: q.Limit, Tenant: q.Tenant,
	}
	result, err := l.Series(ctx, request)
	if err != nil {
		return nil, err
	}
	if len(result.Series) == 0 && len(request.GroupBy) > 0 {
		request.GroupBy = nil
		if result, err = l.Series(ctx, request); err != nil {
			return nil, err
		}
	}
	frames := seriesFrames(result)
	if result.Truncated && len(frames) > 0 {
		notice(frames[0], data.NoticeSeverityInfo, "There are more series than the largest %d; the others are added up as \"other\".", len(result.Series)-1)
	}
	return frames, nil
}

// seriesFrames makes a frame of each series.
func seriesFrames(result query.SeriesResult) data.Frames {
	frames := make(data.Frames, 0, len(result.Series))
	for _, s := range result.Series {
		labels := data.Labels{}
		for _, l := range s.Labels {
			labels[l.Name] = text(l.Value)
		}
		f := timeSeries(result.Metric, labels, result.Times, s.Values)
		f.Fields[0].Config = &data.FieldConfig{Interval: float64(result.Step.Milliseconds())}
		f.Fields[1].Config = &data.FieldConfig{Unit: result.Unit}
		frames = append(frames, f)
	}
	return frames
}

// timeSeries is one frame of the type timeseries-multi. The times are copied:
// frames of one response must not share them.
func timeSeries(name string, labels data.Labels, times []time.Time, values []*float64) *data.Frame {
	f := data.NewFrame(name, data.NewField("time", nil, slices.Clone(times)), data.NewField(name, labels, values))
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeGraph}
	return f
}

// steps are the widths of buckets that people can read an axis by, in seconds.
var steps = []int64{1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800}

// Over more than manyDays, steps of more than finest are whole hours: what happened
// is added up by the hour already, and a wide panel over a month, which would have
// steps of 20 or 30 minutes, is spared the sums of each minute.
const (
	manyDays = 7 * 24 * time.Hour
	finest   = 15 * time.Minute
)

// step is the width of a bucket: what Grafana suggests, in whole seconds, and
// wide enough that the window holds no more points than asked for, nor more
// than package query gives.
func step(suggested, window time.Duration, maxPoints int64) time.Duration {
	const room = query.MaxBuckets - 1 // the first bucket begins before the window
	if maxPoints <= 0 || maxPoints > room {
		maxPoints = room
	}
	want := max(suggested, window/time.Duration(maxPoints), time.Second)
	if window > manyDays && want > finest {
		want = max(want, time.Hour)
	}
	seconds := int64((want + time.Second - 1) / time.Second)
	for _, s := range steps {
		if s >= seconds {
			return time.Duration(s) * time.Second
		}
	}
	const day = 86400
	return time.Duration((seconds+day-1)/day*day) * time.Second
}
