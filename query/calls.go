package query

import (
	"context"
	"time"
)

// The bounds of CallsRequest.Limit.
const (
	DefaultCalls = 200
	MaxCalls     = 10_000
)

// CallsRequest asks for calls.
type CallsRequest struct {
	// Filter is an expression of package filter; empty for every call. A call
	// matches when its messages and its own figures do: see filter.Calls.
	Filter string `json:"filter"`
	// From and To bound the messages that are looked at: a call is found when
	// a message that the filter wants lies in [From, To). A zero To is now, a
	// zero From is a day before To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Limit is how many calls to return: DefaultCalls when 0, MaxCalls at most.
	Limit int `json:"limit"`
	// Oldest returns the oldest calls of the window, oldest first, instead of
	// the newest, newest first. The order is by Call.Start.
	Oldest bool `json:"oldest"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// CallsResult has the calls found.
type CallsResult struct {
	Calls []Call `json:"calls"`
	// Truncated says that there are, or may be, more calls than were returned.
	Truncated bool `json:"truncated"`
	// ScannedRows and ScannedBytes are what the server read for the answer.
	ScannedRows  uint64 `json:"scanned_rows"`
	ScannedBytes uint64 `json:"scanned_bytes"`
}

// Calls returns the calls that match, newest first. Messages that belong to no
// call (REGISTER, OPTIONS, …) form rows of their own: Call.Method tells, and
// the filter `method = INVITE` leaves only calls.
//
// The error is a *filter.Error, or wraps ErrTooExpensive, ErrUnavailable or
// ErrInvalid.
func (s *Store) Calls(ctx context.Context, r CallsRequest) (CallsResult, error) {
	return CallsResult{}, ErrUnavailable
}
