package plugin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/query"
)

// quality answers with what was reported about a call's media: a frame
// "reports", a row for each report, and a frame "summary" of one row. With a
// metric it answers with that figure over time, a series for each stream.
//
// Like a flow, the call is looked for in the time range first and then
// everywhere, and one that nothing was reported on gives an empty frame.
func (d *Datasource) quality(ctx context.Context, l *lake, q question) (data.Frames, error) {
	if q.CallID == "" {
		return nil, badQueryf("the query names no Call-ID")
	}
	if _, ok := reportFigures[q.Metric]; !ok && q.Metric != "" {
		return nil, badQueryf("there is no media figure %q: want %s", q.Metric, strings.Join(reportFigureNames, ", "))
	}
	request := query.QualityRequest{ID: q.CallID, From: q.TimeRange.From, To: q.TimeRange.To, Tenant: q.Tenant}
	quality, err := l.Quality(ctx, request)
	if errors.Is(err, query.ErrNotFound) {
		request.From, request.To = time.Time{}, time.Time{}
		quality, err = l.Quality(ctx, request)
	}
	switch {
	case errors.Is(err, query.ErrNotFound):
		f := reportsFrame(nil)
		notice(f, data.NoticeSeverityInfo, "No record has the Call-ID or correlation id %s.", text(q.CallID))
		return data.Frames{f}, nil
	case err != nil:
		return nil, err
	case len(quality.Streams) == 0:
		return data.Frames{reportsFrame(nil)}, nil
	case q.Metric != "":
		return figureFrames(quality.Streams, q.Metric), nil
	}
	return data.Frames{reportsFrame(quality.Streams), summaryFrame(quality)}, nil
}

// figure is a number of a report; nil where it was not reported.
type figure struct {
	unit string
	get  func(query.QualityReport) *float64
}

// known is a figure that cannot be zero: zero stands for unknown.
func known(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

// received is a figure of what was received; nil in a report that says nothing of it.
func received(r query.QualityReport, v float64) *float64 {
	if !r.Reception {
		return nil
	}
	return &v
}

var (
	reportFigures = map[string]figure{
		"mos":          {"", func(r query.QualityReport) *float64 { return known(r.MOS) }},
		"r_factor":     {"", func(r query.QualityReport) *float64 { return known(r.RFactor) }},
		"rtt_ms":       {"ms", func(r query.QualityReport) *float64 { return known(r.RTTMs) }},
		"jitter_ms":    {"ms", func(r query.QualityReport) *float64 { return received(r, r.JitterMs) }},
		"loss_percent": {"percent", func(r query.QualityReport) *float64 { return received(r, r.FractionLost*100) }},
	}
	reportFigureNames = []string{"mos", "loss_percent", "jitter_ms", "rtt_ms", "r_factor"}
)

// streamReport is a report with the stream that it is about.
type streamReport struct {
	*query.Stream
	query.QualityReport
}

// inTime lists all reports of all streams by time.
func inTime(streams []query.Stream) []streamReport {
	var out []streamReport
	for i := range streams {
		for _, r := range streams[i].Reports {
			out = append(out, streamReport{&streams[i], r})
		}
	}
	slices.SortStableFunc(out, func(a, b streamReport) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	return out
}

// reportsFrame has a row for each report. Its fields have the names of the
// columns of the table media.
func reportsFrame(streams []query.Stream) *data.Frame {
	rows := inTime(streams)
	f := data.NewFrame("reports")
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable}
	f.Fields = append(f.Fields, fieldOf(rows, "time", "", func(r streamReport) time.Time { return r.Time }))
	for _, c := range []struct {
		name string
		get  func(streamReport) string
	}{
		{"ssrc", func(r streamReport) string { return strconv.FormatUint(uint64(r.SSRC), 10) }},
		{"src", func(r streamReport) string { return r.Src }},
		{"dst", func(r streamReport) string { return r.Dst }},
		{"source", func(r streamReport) string { return r.Source }},
		{"codec", func(r streamReport) string { return r.Codec }},
	} {
		f.Fields = append(f.Fields, fieldOf(rows, c.name, "", func(r streamReport) string { return text(c.get(r)) }))
	}
	f.Fields = append(f.Fields,
		fieldOf(rows, "packets", "", func(r streamReport) int64 { return int64(r.Packets) }),
		fieldOf(rows, "lost", "", func(r streamReport) int64 { return r.Lost }),
		fieldOf(rows, "fraction_lost", "percentunit", func(r streamReport) *float64 { return received(r.QualityReport, r.FractionLost) }),
	)
	for _, name := range []string{"jitter_ms", "rtt_ms", "mos", "r_factor"} {
		fig := reportFigures[name]
		f.Fields = append(f.Fields, fieldOf(rows, name, fig.unit, func(r streamReport) *float64 { return fig.get(r.QualityReport) }))
	}
	return f
}

func fieldOf[R, T any](rows []R, name, unit string, get func(R) T) *data.Field {
	values := make([]T, len(rows))
	for i, r := range rows {
		values[i] = get(r)
	}
	field := data.NewField(name, nil, values)
	if unit != "" {
		field.Config = &data.FieldConfig{Unit: unit}
	}
	return field
}

// summaryFrame is the whole call in one row.
func summaryFrame(q *query.Quality) *data.Frame {
	one := []*query.Quality{q}
	f := data.NewFrame("summary",
		fieldOf(one, "mos", "", func(q *query.Quality) *float64 { return q.MOS }),
		fieldOf(one, "mos_min", "", func(q *query.Quality) *float64 { return q.MOSMin }),
		fieldOf(one, "loss_percent", "percent", func(q *query.Quality) *float64 { return q.LossPercent }),
		fieldOf(one, "packets_lost", "", func(q *query.Quality) int64 { return q.PacketsLost }),
		fieldOf(one, "jitter_avg", "ms", func(q *query.Quality) *float64 { return q.JitterAvg }),
		fieldOf(one, "jitter_max", "ms", func(q *query.Quality) *float64 { return q.JitterMax }),
		fieldOf(one, "rtt", "ms", func(q *query.Quality) *float64 { return q.RTT }),
		fieldOf(one, "r_factor", "", func(q *query.Quality) *float64 { return q.RFactor }),
		fieldOf(one, "streams", "", func(q *query.Quality) int64 { return int64(len(q.Streams)) }),
		fieldOf(one, "reports", "", func(q *query.Quality) int64 { return int64(q.Reports) }),
	)
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable}
	return f
}

// figureFrames is one figure over time, a frame for each stream that has it.
func figureFrames(streams []query.Stream, metric string) data.Frames {
	fig := reportFigures[metric]
	var frames data.Frames
	for _, s := range streams {
		var (
			times  []time.Time
			values []*float64
		)
		for _, r := range inTime([]query.Stream{s}) {
			if v := fig.get(r.QualityReport); v != nil {
				times, values = append(times, r.Time), append(values, v)
			}
		}
		if len(times) == 0 {
			continue
		}
		f := timeSeries(metric, data.Labels{
			"ssrc": "0x" + strconv.FormatUint(uint64(s.SSRC), 16), "src": text(s.Src), "dst": text(s.Dst),
			"source": text(s.Source), "codec": text(s.Codec),
		}, times, values)
		f.Fields[1].Config = &data.FieldConfig{Unit: fig.unit, DisplayNameFromDS: text(s.Src + " → " + s.Dst)}
		frames = append(frames, f)
	}
	if len(frames) == 0 {
		f := timeSeries(metric, nil, nil, nil)
		notice(f, data.NoticeSeverityInfo, "No report on this call has %s.", metric)
		frames = data.Frames{f}
	}
	return frames
}
