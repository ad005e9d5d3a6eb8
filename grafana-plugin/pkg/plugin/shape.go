package plugin

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// maxLabelSets is how many series an SQL result may fall into.
const maxLabelSets = 1_000

// The values of model.Format.
const (
	formatTable  = "table"
	formatSeries = "time_series"
)

// shape turns the table that SQL gave into the frames that its shape calls for:
//
//   - a time first, then numbers: a time series, wide
//   - a time first, then strings and numbers, put into buckets or asked for by
//     an alert rule: time series, one frame for each number and set of strings,
//     which become labels
//   - strings and numbers without a time: numeric-long, which alert rules read
//     as one value for each set of strings
//   - anything else: a table
//
// bucketed says that the SQL puts times into buckets; format ("table",
// "time_series") overrides all that.
func shape(f *data.Frame, format string, bucketed, alert bool) (data.Frames, error) {
	layout := layoutOf(f)
	switch format {
	case formatTable:
		return table(f, layout), nil
	case formatSeries, "":
	default:
		return nil, badQueryf("there is no format %q: want %s or %s", format, formatTable, formatSeries)
	}
	must := format == formatSeries
	if !layout.series() {
		if must {
			return nil, badQueryf("a time series needs a time as its first column, then numbers, and strings to label them by")
		}
		return table(f, layout), nil
	}
	meant := must || bucketed || alert
	switch {
	case len(layout.strings) > 0 && meant:
		return multi(f, layout)
	case len(layout.strings) > 0:
		return table(f, layout), nil
	case !ascending(f) && meant:
		f = sortByTime(f)
	case !ascending(f):
		return table(f, layout), nil // in an order that somebody chose
	}
	f.Meta.Type, f.Meta.TypeVersion, f.Meta.PreferredVisualization = data.FrameTypeTimeSeriesWide, typeVersion, data.VisTypeGraph
	return data.Frames{f}, nil
}

// layout is what the columns of a table are, by index.
type layout struct {
	timeFirst        bool // and never null
	times            int
	numbers, strings []int
	others           int
}

func (l layout) series() bool {
	return l.timeFirst && l.times == 1 && len(l.numbers) > 0 && l.others == 0
}

func layoutOf(f *data.Frame) layout {
	var l layout
	for i, field := range f.Fields {
		switch t := field.Type(); {
		case t.Time():
			l.times++
			if i == 0 {
				l.timeFirst = !hasNull(field)
			}
		case t.Numeric():
			l.numbers = append(l.numbers, i)
		case t == data.FieldTypeString || t == data.FieldTypeNullableString,
			t == data.FieldTypeBool || t == data.FieldTypeNullableBool:
			l.strings = append(l.strings, i)
		default:
			l.others++
		}
	}
	return l
}

func hasNull(field *data.Field) bool {
	if !field.Nullable() {
		return false
	}
	for i := range field.Len() {
		if field.NilAt(i) {
			return true
		}
	}
	return false
}

func table(f *data.Frame, l layout) data.Frames {
	f.Meta.Type, f.Meta.TypeVersion, f.Meta.PreferredVisualization = data.FrameTypeTable, typeVersion, data.VisTypeTable
	if l.times == 0 && l.others == 0 && len(l.numbers) > 0 && len(l.strings) > 0 {
		f.Meta.Type = data.FrameTypeNumericLong
	}
	return data.Frames{f}
}

func timeAt(field *data.Field, i int) time.Time {
	v, _ := field.ConcreteAt(i)
	t, _ := v.(time.Time)
	return t
}

func ascending(f *data.Frame) bool {
	times := f.Fields[0]
	for i := 1; i < times.Len(); i++ {
		if timeAt(times, i).Before(timeAt(times, i-1)) {
			return false
		}
	}
	return true
}

// order is the rows of a frame in order of time.
func order(f *data.Frame) []int {
	rows := make([]int, f.Rows())
	for i := range rows {
		rows[i] = i
	}
	sort.SliceStable(rows, func(a, b int) bool {
		return timeAt(f.Fields[0], rows[a]).Before(timeAt(f.Fields[0], rows[b]))
	})
	return rows
}

func sortByTime(f *data.Frame) *data.Frame {
	out := f.EmptyCopy()
	out.Meta = f.Meta
	for _, row := range order(f) {
		out.AppendRow(f.RowCopy(row)...)
	}
	return out
}

// multi splits a table by its strings into one frame for each number.
func multi(f *data.Frame, l layout) (data.Frames, error) {
	type group struct {
		labels data.Labels
		rows   []int
	}
	groups := map[string]*group{}
	var keys []string
	for _, row := range order(f) {
		parts := make([]string, len(l.strings))
		for i, column := range l.strings {
			if v, ok := f.Fields[column].ConcreteAt(row); ok {
				parts[i] = fmt.Sprint(v)
			}
		}
		key := strings.Join(parts, "\x00")
		g := groups[key]
		if g == nil {
			if len(groups) == maxLabelSets {
				return nil, badQueryf("the strings of the result make more than %d series: group by fewer of them, or ask for the format %s", maxLabelSets, formatTable)
			}
			g = &group{labels: data.Labels{}}
			for i, column := range l.strings {
				g.labels[f.Fields[column].Name] = parts[i]
			}
			groups[key], keys = g, append(keys, key)
		}
		g.rows = append(g.rows, row)
	}
	slices.Sort(keys)
	var frames data.Frames
	for _, key := range keys {
		g := groups[key]
		for _, column := range l.numbers {
			times := make([]time.Time, len(g.rows))
			values := data.NewFieldFromFieldType(f.Fields[column].Type(), len(g.rows))
			values.Name, values.Labels = f.Fields[column].Name, g.labels.Copy()
			for i, row := range g.rows {
				times[i] = timeAt(f.Fields[0], row)
				values.Set(i, f.Fields[column].CopyAt(row))
			}
			frame := data.NewFrame(f.Fields[column].Name, data.NewField(f.Fields[0].Name, nil, times), values)
			frame.Meta = &data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeGraph, ExecutedQueryString: f.Meta.ExecutedQueryString}
			frames = append(frames, frame)
		}
	}
	if len(frames) == 0 {
		// No rows: the table's columns say what there would have been.
		f.Meta.Type, f.Meta.TypeVersion = data.FrameTypeTimeSeriesLong, typeVersion
		return data.Frames{f}, nil
	}
	frames[0].Meta.Notices = f.Meta.Notices
	return frames, nil
}
