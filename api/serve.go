package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// requestIDHeader carries the id of a request, there and back.
const requestIDHeader = "X-Request-ID"

type requestIDKey struct{}

// requestID is the id of the request that the context belongs to.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// ServeHTTP is what every request goes through: id, deadline, headers, routing;
// and afterwards counters and log.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	id := r.Header.Get(requestIDHeader)
	if !validID(id) {
		id = rand.Text()[:16]
	}
	_, pattern := s.mux.Handler(r)
	timeout := s.timeout
	if pattern == "GET "+rowsPattern {
		timeout = s.rows.Time
	}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestIDKey{}, id), timeout)
	defer cancel()
	r = r.WithContext(ctx)
	// A client that does not take its answer must not hold the connection. Not
	// every ResponseWriter has deadlines, and those that have none need none.
	_ = http.NewResponseController(w).SetWriteDeadline(began.Add(2 * timeout))

	rec := &recorder{ResponseWriter: w}
	setHeaders(rec.Header(), id)
	s.metrics.inFlight.Inc()
	defer func() {
		s.metrics.inFlight.Dec()
		if p := recover(); p != nil {
			s.panicked(rec, r, p)
		}
		s.metrics.answered(r.Method, pattern, rec.code(), time.Since(began))
		s.log.Debug("request", "id", id, "method", r.Method, "path", r.URL.EscapedPath(), "status", rec.code(),
			"bytes", rec.bytes, "duration", time.Since(began), "remote", r.RemoteAddr)
	}()
	if pattern == "" {
		s.unrouted(rec, r)
		return
	}
	s.routed.ServeHTTP(rec, r)
}

// unrouted answers what no route takes. The mux knows which methods a path has.
func (s *server) unrouted(w http.ResponseWriter, r *http.Request) {
	h, _ := s.mux.Handler(r)
	probe := &recorder{ResponseWriter: discard{http.Header{}}}
	h.ServeHTTP(probe, r)
	if probe.status != http.StatusMethodNotAllowed {
		s.fail(w, r, &problem{Status: http.StatusNotFound, kind: "no-route", Detail: "there is nothing at " + r.URL.EscapedPath() + "; / lists what there is"})
		return
	}
	allow := probe.Header().Get("Allow")
	w.Header().Set("Allow", allow)
	s.fail(w, r, &problem{Status: http.StatusMethodNotAllowed, kind: "method", Detail: fmt.Sprintf("%s takes %s, not %s", r.URL.EscapedPath(), allow, r.Method)})
}

func (s *server) panicked(w *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked with as it is
		panic(p)
	}
	s.metrics.panics.Inc()
	s.log.Error("a request panicked", "id", requestID(r.Context()), "method", r.Method, "path", r.URL.EscapedPath(), "panic", p, "stack", string(debug.Stack()))
	if w.status == 0 {
		s.fail(w, r, errors.New("panic"))
	}
}

// handle makes a handler out of a function that returns its error.
func (s *server) handle(do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			s.fail(w, r, err)
		}
	}
}

// setHeaders sets what every answer has. Answers are about people's calls: they
// are not to be kept by caches, framed, or taken for something to run.
func setHeaders(h http.Header, id string) {
	h.Set(requestIDHeader, id)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// writeJSON writes the answer. It is encoded whole before the first byte goes
// out, so that a failure is still an error and not half an answer.
func writeJSON(w http.ResponseWriter, contentType string, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return write(w, contentType, status, b.Bytes())
}

func write(w http.ResponseWriter, contentType string, status int, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// The client may be gone; there is nobody to tell.
	_, _ = w.Write(body)
	return nil
}

// validID says that an id of the client's is short and plain enough for logs.
func validID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// recorder notes the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// statusGone stands for an answer that was not written because the client had
// gone; nginx logs the same.
const statusGone = 499

func (r *recorder) code() int {
	if r.status == 0 {
		return statusGone
	}
	return r.status
}

// discard is a ResponseWriter that keeps headers alone.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
