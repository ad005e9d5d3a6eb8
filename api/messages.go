package api

import (
	"context"
	"net/http"
	"time"

	"github.com/heplake/heplake/query"
)

// messages answers GET /api/v1/messages with a query.MessagesResult.
func (s *server) messages(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.MessagesRequest{
		Filter: p.text("filter"), From: p.time("from"), To: p.time("to"), Zone: zone, Limit: p.count("limit", query.MaxMessages),
		Oldest: p.flag("oldest", false), Unique: p.flag("unique", false), Raw: p.flag("raw", false), Cursor: p.text("cursor"),
	}
	if err := p.check(); err != nil {
		return err
	}
	res, err := s.askMessages(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, jsonType, http.StatusOK, res)
}

// askMessages asks for messages.
func (s *server) askMessages(ctx context.Context, req query.MessagesRequest) (query.MessagesResult, error) {
	return ask(ctx, s, "messages", func(ctx context.Context) (query.MessagesResult, error) { return s.store.Messages(ctx, req) })
}
