package query

import (
	"context"
	"time"
)

// QualityRequest asks for a call's media quality.
type QualityRequest struct {
	// ID is a Call-ID of any leg, or a correlation id.
	ID string `json:"id"`
	// From and To say where to look, if known; a margin is added. Zero is
	// everywhere.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Tenant restricts the search to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// Quality returns what was reported about the media of the call that has the
// id, over all its legs. A call about which nothing was reported has no streams
// and nil figures.
//
// The error wraps ErrNotFound when neither a SIP message nor a report has the
// id, else ErrTooExpensive, ErrUnavailable or ErrInvalid.
func (s *Store) Quality(ctx context.Context, r QualityRequest) (*Quality, error) {
	return nil, ErrNotFound
}
