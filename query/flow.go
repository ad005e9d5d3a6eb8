package query

import (
	"context"
	"time"
)

// The bounds of FlowRequest.MaxMessages.
const (
	DefaultFlowMessages = 5_000
	MaxFlowMessages     = 50_000
)

// FlowRequest asks for a call's ladder.
type FlowRequest struct {
	// ID is a Call-ID of any leg, or a correlation id.
	ID string `json:"id"`
	// From and To say where to look, if known; a margin is added. Zero is
	// everywhere.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// MaxMessages is how many SIP messages to return at most, the first ones:
	// DefaultFlowMessages when 0, MaxFlowMessages at most. It bounds media and
	// event rows likewise, each for itself.
	MaxMessages int `json:"max_messages"`
	// Media and Events add quality reports and log records to the ladder.
	Media  bool `json:"media"`
	Events bool `json:"events"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// Flow returns the ladder of the call that has the id: the messages of every
// leg that Call-IDs and correlation ids connect, in order. Asking by any leg
// gives the same ladder, but for Leg.LinkedBy.
//
// The error wraps ErrNotFound when no SIP message has the id, else
// ErrTooExpensive, ErrUnavailable or ErrInvalid.
func (s *Store) Flow(ctx context.Context, r FlowRequest) (*Flow, error) {
	return nil, ErrNotFound
}
