package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

func (l *lake) series(t *testing.T, r query.SeriesRequest) query.SeriesResult {
	t.Helper()
	if r.To.IsZero() {
		r.From, r.To = capturedFrom, capturedTo
	}
	s, err := l.Series(t.Context(), r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	for i, at := range s.Times {
		if want := s.Times[0].Add(time.Duration(i) * s.Step); !at.Equal(want) || at.Unix()%int64(s.Step/time.Second) != 0 {
			t.Fatalf("bucket %d begins at %s", i, at)
		}
	}
	return s
}

// sums are the series' labels with their sums.
func sums(t *testing.T, s query.SeriesResult) []string {
	t.Helper()
	var out []string
	for _, x := range s.Series {
		if len(x.Values) != len(s.Times) {
			t.Fatalf("%d values in %d buckets", len(x.Values), len(s.Times))
		}
		sum := 0.0
		var labels []string
		for _, v := range x.Values {
			sum += *v
		}
		for _, l := range x.Labels {
			labels = append(labels, l.Name+"="+l.Value)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %g", strings.Join(labels, ","), sum)))
	}
	return out
}

func TestSeries(t *testing.T) {
	l := open(t, failures)
	for _, c := range []struct {
		request query.SeriesRequest
		want    []string
	}{
		{query.SeriesRequest{Metric: "messages"}, []string{"112"}},
		{query.SeriesRequest{Metric: "messages", Step: time.Second, From: time.Date(2026, 11, 21, 2, 30, 0, 0, time.UTC), To: time.Date(2026, 11, 21, 2, 40, 0, 0, time.UTC)}, []string{"112"}},
		{query.SeriesRequest{Metric: "errors"}, []string{"18"}},
		{query.SeriesRequest{Metric: "errors", GroupBy: []string{"status"}},
			[]string{"status=487 5", "status=486 4", "status=480 2", "status=488 2", "status=603 2", "status=404 1", "status=408 1", "status=503 1"}},
		{query.SeriesRequest{Metric: "errors", GroupBy: []string{"class"}, Filter: "status != 487"}, []string{"class=4xx 10", "class=6xx 2", "class=5xx 1"}},
		{query.SeriesRequest{Metric: "messages", GroupBy: []string{"method", "class"}, Limit: 2},
			[]string{"method=,class=1xx 29", "method=INVITE,class=request 25", "method=other,class=other 58"}},
		{query.SeriesRequest{Metric: "messages", GroupBy: []string{"src_ip", "transport"}}, []string{"src_ip=127.0.0.1,transport=udp 112"}},
		{query.SeriesRequest{Metric: "messages", Filter: "method = REGISTER"}, []string{"0"}},
		{query.SeriesRequest{Metric: "messages", Filter: "method = REGISTER", GroupBy: []string{"node"}}, nil},
		{query.SeriesRequest{Metric: "messages", Tenant: "other"}, []string{"0"}},
	} {
		s := l.series(t, c.request)
		got := sums(t, s)
		// 18 of 4xx to 6xx: the truth has 486:4 603:2 480:2 488:2 487:5 404:1 503:1 408:1.
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) {
			t.Errorf("%+v: got %q, want %q", c.request, got, want)
		}
		if other := strings.Contains(strings.Join(c.want, ""), "=other"); s.Truncated != other {
			t.Errorf("%+v: truncated is %t", c.request, s.Truncated)
		}
	}
	// Every column that can be grouped by is one.
	for _, column := range query.GroupColumns() {
		if got := l.series(t, query.SeriesRequest{Metric: "messages", GroupBy: []string{column}}); len(got.Series) == 0 {
			t.Errorf("no series by %s", column)
		}
	}
}

// TestSeriesBuckets checks that rows fall into the right bucket and the window's
// ends are kept.
func TestSeriesBuckets(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, method) SELECT toDateTime64('2026-11-21 00:00:00', 6, 'UTC') + toIntervalSecond(number), 't', 'OPTIONS' FROM numbers(600)`)
	from := time.Date(2026, 11, 21, 0, 0, 30, 0, time.UTC)
	s := l.series(t, query.SeriesRequest{Metric: "messages", From: from, To: from.Add(3 * time.Minute), Step: time.Minute})
	var got []string
	for i, v := range s.Series[0].Values {
		got = append(got, fmt.Sprintf("%s %g", s.Times[i].Format("15:04:05"), *v))
	}
	wantLines(t, got, []string{"00:00:00 30", "00:01:00 60", "00:02:00 60", "00:03:00 30"})
}

func TestSeriesRefuses(t *testing.T) {
	l := open(t)
	now := time.Now()
	for what, r := range map[string]query.SeriesRequest{
		"an unknown metric":  {Metric: "rows"},
		"an unknown group":   {Metric: "messages", GroupBy: []string{"raw"}},
		"a window backwards": {Metric: "messages", From: now, To: now},
		"half a second":      {Metric: "messages", Step: 500 * time.Millisecond},
		"too many buckets":   {Metric: "messages", From: now.Add(-24 * time.Hour), To: now, Step: time.Second},
		"too many series":    {Metric: "messages", Limit: query.MaxSeries + 1},
	} {
		if _, err := l.Series(t.Context(), r); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var fe *filter.Error
	if _, err := l.Series(t.Context(), query.SeriesRequest{Metric: "messages", Filter: "outcome = failed"}); !errors.As(err, &fe) {
		t.Errorf("a filter on calls: %v", err)
	}
}
