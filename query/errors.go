package query

import "errors"

// The errors a caller can do something about. Returned errors wrap them and say
// what failed; use errors.Is. A filter that does not compile is a *filter.Error,
// which has the position; use errors.As.
var (
	// ErrNotFound says that no record has the id asked for.
	ErrNotFound = errors.New("not found")
	// ErrTooExpensive says that a limit on time, memory or rows stopped the query.
	// A narrower time window or a more selective filter may pass.
	ErrTooExpensive = errors.New("query is too expensive")
	// ErrUnavailable says that ClickHouse cannot be reached or is not ready, the
	// tables not being there included. The same request may pass later.
	ErrUnavailable = errors.New("clickhouse is not available")
	// ErrInvalid says that the request itself is wrong: an unknown metric, a
	// window that ends before it starts.
	ErrInvalid = errors.New("invalid request")
)
