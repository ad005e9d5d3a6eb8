package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

// ErrNotFound is wrapped by the errors of questions that were understood and
// have no answer.
var ErrNotFound = errors.New("not found")

// notFound says what was not found in its own words.
type notFound string

func (e notFound) Error() string        { return string(e) }
func (e notFound) Is(target error) bool { return target == ErrNotFound }

// ExitCode is the exit code of a command that ended with err: 0 found, 3
// nothing found, 1 anything else.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrNotFound):
		return 3
	}
	return 1
}

// maxAnswer bounds what is read of an answer. A flow at the API's own limit of
// items stays far below.
const maxAnswer = 512 << 20

// Client asks heplake's HTTP API. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *http.Client
}

// NewClient makes a client of the API at an address such as
// "http://127.0.0.1:9080" or "voip.example.net:9080". A timeout of 0 is one
// minute; it covers a whole question and its answer.
func NewClient(address string, timeout time.Duration) (*Client, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the URL of an API; it looks like http://127.0.0.1:9080", address)
	}
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/"), ""
	if timeout == 0 {
		timeout = time.Minute
	}
	return &Client{base: base, http: &http.Client{Timeout: timeout}}, nil
}

// CallsRequest is a search. Zero times and a zero limit leave the choice to the
// API.
type CallsRequest struct {
	Filter   string // in the filter language
	From, To time.Time
	// Zone is where times in Filter are that name no zone; nil is UTC.
	Zone  *time.Location
	Limit int
}

// CallsAnswer is what a search found, newest first. Truncated says that more
// calls matched than the limit let through.
type CallsAnswer struct {
	Calls     []query.Call `json:"calls"`
	Truncated bool         `json:"truncated"`
}

// Calls searches. The second result is the answer as the API wrote it. No match
// is no error: the answer is empty.
func (c *Client) Calls(ctx context.Context, r CallsRequest) (*CallsAnswer, []byte, error) {
	q := url.Values{}
	if r.Filter != "" {
		q.Set("filter", r.Filter)
	}
	if !r.From.IsZero() {
		q.Set("from", r.From.UTC().Format(time.RFC3339Nano))
	}
	if !r.To.IsZero() {
		q.Set("to", r.To.UTC().Format(time.RFC3339Nano))
	}
	if zone := zoneName(r.Zone); zone != "" && filterHasTime.MatchString(r.Filter) {
		q.Set("tz", zone)
	}
	if r.Limit > 0 {
		q.Set("limit", strconv.Itoa(r.Limit))
	}
	var answer CallsAnswer
	raw, err := c.get(ctx, "/api/v1/calls", q, &answer)
	if err != nil {
		return nil, nil, fmt.Errorf("search: %w", err)
	}
	return &answer, raw, nil
}

// filterHasTime finds what may be a time in a filter. Others are sent without a
// zone, so that an API of before zones answers too.
var filterHasTime = regexp.MustCompile(`\d{4}-\d\d-\d\d`)

// zoneName is a zone as the API takes it: by its name, or where it is this
// machine's, which has none, by its present offset. "" is UTC.
func zoneName(zone *time.Location) string {
	switch {
	case zone == nil || zone == time.UTC:
		return ""
	case zone == time.Local || strings.HasPrefix(zone.String(), "+") || strings.HasPrefix(zone.String(), "-"):
		return time.Now().In(zone).Format("-07:00")
	}
	return zone.String()
}

// Flow returns the ladder of the call that a Call-ID belongs to, and the answer
// as the API wrote it. An unknown Call-ID is ErrNotFound.
func (c *Client) Flow(ctx context.Context, callID string) (*query.Flow, []byte, error) {
	return c.FlowSince(ctx, callID, time.Time{})
}

// FlowSince is Flow of a call that began then, or a little before: the API need
// not search all that it has. The answer is whole all the same.
func (c *Client) FlowSince(ctx context.Context, callID string, start time.Time) (*query.Flow, []byte, error) {
	q := url.Values{}
	if !start.IsZero() {
		q.Set("from", start.UTC().Format(time.RFC3339Nano))
	}
	var f query.Flow
	raw, err := c.byCallID(ctx, "flow", callID, q, &f)
	if err != nil {
		return nil, nil, err
	}
	return &f, raw, nil
}

// Quality returns the media quality of the call that a Call-ID belongs to, and
// the answer as the API wrote it. An unknown Call-ID is ErrNotFound.
func (c *Client) Quality(ctx context.Context, callID string) (*query.Quality, []byte, error) {
	var q query.Quality
	raw, err := c.byCallID(ctx, "quality", callID, nil, &q)
	if err != nil {
		return nil, nil, err
	}
	return &q, raw, nil
}

func (c *Client) byCallID(ctx context.Context, what, callID string, q url.Values, into any) ([]byte, error) {
	if callID == "" {
		return nil, fmt.Errorf("%s: which Call-ID?", what)
	}
	raw, err := c.get(ctx, "/api/v1/"+what+"/"+escapeSegment(callID), q, into)
	var p *problem
	switch {
	case errors.As(err, &p) && p.Status == http.StatusNotFound && p.isProblem:
		return nil, notFound(fmt.Sprintf("no call with Call-ID %q", callID))
	case err != nil:
		return nil, fmt.Errorf("%s of %q: %w", what, callID, err)
	}
	return raw, nil
}

// Download returns a call in one of the API's export formats (pcap, pcapng, text,
// json, sipp, svg, html), and what limit cut it, "" when it is whole. An unknown
// Call-ID is ErrNotFound.
func (c *Client) Download(ctx context.Context, callID, format string) (body []byte, cut string, err error) {
	o := &ExportOptions{Client: c}
	e, err := o.exportCall(ctx, callID, time.Time{}, export.Format{Name: format})
	return e.body, e.cut, err
}

// MostTogether is how many calls DownloadAll takes: their ids go in one request.
const MostTogether = 100

// DownloadAll is Download of several calls in one file, for the formats that hold
// several: pcap, pcapng, text and json.
func (c *Client) DownloadAll(ctx context.Context, calls []query.Call, format string) (body []byte, cut string, err error) {
	f, ok := export.FormatOf(format)
	switch {
	case !ok || !f.Bulk:
		return nil, "", fmt.Errorf("%s holds one call; for several take %s", format, strings.Join(export.FormatNames(true), ", "))
	case len(calls) == 0 || len(calls) > MostTogether:
		return nil, "", fmt.Errorf("%d calls: one file takes 1 to %d", len(calls), MostTogether)
	}
	var ids []string
	from, to := calls[0].Start, calls[0].LastSeen
	for i := range calls {
		ids = append(ids, strconv.Quote(callID(&calls[i])))
		if calls[i].Start.Before(from) {
			from = calls[i].Start
		}
		if calls[i].LastSeen.After(to) {
			to = calls[i].LastSeen
		}
	}
	q := url.Values{
		"format": {format}, "filter": {"call_id in (" + strings.Join(ids, ", ") + ")"}, "limit": {strconv.Itoa(len(calls))},
		"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.Add(time.Second).UTC().Format(time.RFC3339Nano)},
	}
	e, err := c.export(ctx, "/api/v1/export", q, ExportOptions{Client: c})
	var p *problem
	switch {
	case errors.As(err, &p) && p.Status == http.StatusNotFound && p.isProblem:
		return nil, "", notFound("the calls are not there any more")
	case err != nil:
		return nil, "", fmt.Errorf("export: %w", err)
	}
	return e.body, e.cut, nil
}

// escapeSegment escapes a Call-ID as one path segment. "." and ".." would be
// taken for steps in the path, so their dots are escaped as well.
func escapeSegment(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

// get asks for a path, which is already escaped, and decodes the JSON answer.
func (c *Client) get(ctx context.Context, path string, q url.Values, into any) ([]byte, error) {
	body, err := c.fetch(ctx, path, q, "application/json, application/problem+json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("%s does not answer like the heplake API: %w", c.base.Redacted(), err)
	}
	return body, nil
}

// fetch asks for a path, which is already escaped, and returns the answer.
func (c *Client) fetch(ctx context.Context, path string, q url.Values, accept string) ([]byte, error) {
	body, _, err := c.fetchWithHeader(ctx, path, q, accept)
	return body, err
}

// fetchWithHeader is fetch with the answer's header.
func (c *Client) fetchWithHeader(ctx context.Context, path string, q url.Values, accept string) ([]byte, http.Header, error) {
	address := c.base.String() + path
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "heplake")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, nil, c.unreachable(ctx, err)
	case len(body) > maxAnswer:
		return nil, nil, fmt.Errorf("the answer is larger than %d MiB; ask for less", maxAnswer>>20)
	case resp.StatusCode != http.StatusOK:
		return nil, nil, readProblem(resp, body)
	}
	return body, resp.Header, nil
}

// unreachable says in one line why there was no answer.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer from %s within %v", c.base.Redacted(), c.http.Timeout)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("cannot reach the API at %s (is heplake serve running? --api says where): %w", c.base.Redacted(), op.Err)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("asking %s: %w", c.base.Redacted(), err)
}

// problem is an error that the API reported (RFC 9457).
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Status    int    `json:"status"`
	RequestID string `json:"request_id"`
	Column    int    `json:"column"`
	isProblem bool
}

// noRoute reports whether the API, or what stands before it, has no such path.
func (p *problem) noRoute() bool {
	return p.Status == http.StatusNotFound && (!p.isProblem || strings.HasSuffix(p.Type, ":no-route"))
}

// FilterColumn is where in the filter an error of Calls is, in characters from 1;
// 0 when it is about something else.
func FilterColumn(err error) int {
	var p *problem
	if errors.As(err, &p) {
		return p.Column
	}
	return 0
}

func readProblem(resp *http.Response, body []byte) *problem {
	p := &problem{}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if strings.HasSuffix(kind, "json") && json.Unmarshal(body, p) == nil {
		p.isProblem = true
	} else if text := bytes.TrimSpace(body); strings.HasPrefix(kind, "text/plain") && len(text) < 200 {
		p.Detail = string(text)
	}
	p.Status = resp.StatusCode
	if p.RequestID == "" {
		p.RequestID = resp.Header.Get("X-Request-Id")
	}
	return p
}

// Error is one line: what the API said, and the request's id where its own log
// will tell more.
func (p *problem) Error() string {
	s := p.Detail
	if s == "" {
		s = p.Title
	}
	if s = termtext.Clean(s); s == "" {
		s = "the API answered " + strconv.Itoa(p.Status) + " " + http.StatusText(p.Status)
	}
	if p.Status >= 500 && p.RequestID != "" {
		s += " (request " + termtext.Clean(p.RequestID) + ")"
	}
	return s
}
