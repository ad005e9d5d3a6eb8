package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
)

// problemType is the media type of errors.
const problemType = "application/problem+json"

// problem is an error as it goes over the wire (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id"`
	// Parameter is what in the request is wrong: the name of a query parameter, or
	// a JSON pointer (RFC 6901) into the body.
	Parameter string `json:"parameter,omitempty"`
	// Column is where in a filter expression, in characters from 1.
	Column int `json:"column,omitempty"`
	// Message is Detail, and Data empty, where Homer's clients ask: they look there.
	Message string    `json:"message,omitempty"`
	Data    *struct{} `json:"data,omitempty"`

	// kind is the last part of Type.
	kind string
	// retryAfter is in seconds; 0 when a retry would not help.
	retryAfter int
}

func (p *problem) Error() string { return p.Detail }

// errBusy says that all turns are taken.
var errBusy = errors.New("too many searches at once")

// problemKinds are the titles of problems by kind. Types are URNs, because
// there is no place on the web that explains them.
var problemKinds = map[string]string{
	"request":       "Bad request",
	"filter":        "Bad filter",
	"no-route":      "No such route",
	"method":        "Method not allowed",
	"not-found":     "Not found",
	"too-large":     "Request too large",
	"too-expensive": "Search too expensive",
	"no-scenario":   "No scenario",
	"busy":          "Too many searches at once",
	"unavailable":   "Database not available",
	"not-ready":     "Not ready",
	"timeout":       "Out of time",
	"not-here":      "Not available here",
	"residency":     "Not to be exported",
	"internal":      "Internal error",
}

// bad is an error of the client's; parameter is what is wrong.
func bad(parameter, detail string) *problem {
	return &problem{Status: http.StatusBadRequest, kind: "request", Parameter: parameter, Detail: detail}
}

// fail answers with the error as a problem. What is not the client's doing is
// logged whole and told in general words.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client has gone
	}
	p := asProblem(err)
	p.Type, p.Title, p.RequestID = "urn:heplake:problem:"+p.kind, problemKinds[p.kind], requestID(r.Context())
	if p.Status >= http.StatusInternalServerError {
		s.log.Error("request failed", "id", p.RequestID, "method", r.Method, "path", r.URL.EscapedPath(), "status", p.Status, "error", err)
	}
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	_ = writeJSON(w, problemType, p.Status, p)
}

// asProblem decides what an error looks like outside.
func asProblem(err error) *problem {
	var p *problem
	var f *filter.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		clone := *p
		return &clone
	case errors.As(err, &f):
		return &problem{Status: http.StatusBadRequest, kind: "filter", Detail: f.Error(), Parameter: "filter", Column: f.Column()}
	case errors.As(err, &tooLarge):
		return &problem{Status: http.StatusRequestEntityTooLarge, kind: "too-large", Detail: "the request body may have " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"}
	case errors.Is(err, query.ErrInvalid):
		return &problem{Status: http.StatusBadRequest, kind: "request", Detail: err.Error()}
	case errors.Is(err, query.ErrNotFound):
		return &problem{Status: http.StatusNotFound, kind: "not-found", Detail: "no call with this id is stored"}
	case errors.Is(err, query.ErrTooExpensive):
		return &problem{Status: http.StatusUnprocessableEntity, kind: "too-expensive", Detail: "the search took more time, memory or rows than it may; narrow the time window or add conditions"}
	case errors.Is(err, errBusy):
		return &problem{Status: http.StatusServiceUnavailable, kind: "busy", Detail: "other searches take all the room; try again", retryAfter: 2}
	case errors.Is(err, query.ErrUnavailable):
		return &problem{Status: http.StatusServiceUnavailable, kind: "unavailable", Detail: "ClickHouse does not answer, or the tables are not there yet", retryAfter: 5}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{Status: http.StatusGatewayTimeout, kind: "timeout", Detail: "the search did not end in time; narrow the time window or add conditions"}
	default:
		return &problem{Status: http.StatusInternalServerError, kind: "internal", Detail: "this is a fault of heplake or of its database; the log has it under the request's id"}
	}
}
