package query

import (
	"context"
	"time"
)

// The bounds of a series request.
const (
	DefaultSeries = 20
	MaxSeries     = 200
	MaxBuckets    = 11_000
)

// SeriesRequest asks for a figure over time.
type SeriesRequest struct {
	// Metric is one of Metrics.
	Metric string `json:"metric"`
	// GroupBy splits the figure by columns, one series for each combination of
	// values: any of GroupColumns.
	GroupBy []string `json:"group_by"`
	// Filter is an expression of package filter on single messages; empty for all.
	Filter string `json:"filter"`
	// From and To bound the window [From, To). A zero To is now, a zero From is
	// an hour before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Step is the width of a bucket, in whole seconds; chosen to give at most
	// some hundred buckets when 0. Buckets start at multiples of Step since the
	// epoch.
	Step time.Duration `json:"step"`
	// Limit is how many series to return: the largest ones by their sum, the
	// others added up in one more whose labels are all "other". DefaultSeries
	// when 0, MaxSeries at most.
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

// SeriesResult is a figure over time, split into series, largest sum first.
type SeriesResult struct {
	Metric string `json:"metric"`
	// Unit is the unit of the values as Grafana names it: "short", "ms", "percent".
	Unit string        `json:"unit"`
	Step time.Duration `json:"step"`
	// Times are the starts of the buckets, without gaps.
	Times  []time.Time `json:"times"`
	Series []Series    `json:"series"`
	// Truncated says that series beyond Limit were added up as "other".
	Truncated bool `json:"truncated"`
}

// Metrics lists the names that SeriesRequest.Metric takes.
func Metrics() []string { return []string{"messages", "errors"} }

// GroupColumns lists the names that SeriesRequest.GroupBy takes.
func GroupColumns() []string { return nil }

// Series returns a figure over time in buckets without gaps. Without groups
// there is always one series, of zeros when nothing happened.
//
// The error is a *filter.Error, or wraps ErrTooExpensive, ErrUnavailable or
// ErrInvalid.
func (s *Store) Series(ctx context.Context, r SeriesRequest) (SeriesResult, error) {
	return SeriesResult{}, ErrUnavailable
}
