// Package chhttp speaks ClickHouse's HTTP interface where whole files of a
// format go through: clickhouse-go reads and writes rows, not Parquet.
//
// An answer is a stream. ClickHouse sends its status before it knows whether the
// query will go through; what fails later is an error of the stream's Read, so
// that nobody takes half a result for a whole one.
package chhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Client sends queries to one server as one user. It is safe for use by many
// goroutines at once.
type Client struct {
	base     url.URL
	user     *url.Userinfo
	database string
	headers  map[string]string
	http     *http.Client
}

// New makes a client of an address in the form of clickhouse.url:
// http://user:password@host:8123/database, or https. The database is current in
// every query, and must be there by the time of the first.
func New(address string) (*Client, error) {
	opt, err := clickhouse.ParseDSN(address)
	if err != nil {
		return nil, fmt.Errorf("clickhouse url: %w", err)
	}
	if opt.Protocol != clickhouse.HTTP || len(opt.Addr) == 0 {
		return nil, errors.New("clickhouse url: files go over HTTP alone: http://user:password@host:8123/database")
	}
	c := &Client{
		base: url.URL{Scheme: "http", Host: opt.Addr[0], Path: "/" + strings.Trim(opt.HttpUrlPath, "/")},
		user: url.UserPassword(opt.Auth.Username, opt.Auth.Password), database: opt.Auth.Database, headers: opt.HttpHeaders,
	}
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSClientConfig: opt.TLS, MaxIdleConnsPerHost: 4, IdleConnTimeout: 20 * time.Second,
		// Whoever wants an answer compressed asks for it: it goes on as it is.
		DisableCompression: true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
	}
	if opt.TLS != nil {
		c.base.Scheme = "https"
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Query is what is asked.
type Query struct {
	// SQL is the statement; with a Body it ends in FORMAT and a format's name.
	SQL string
	// Params are the values of {name:Type} in it, as ClickHouse reads them from text.
	Params map[string]string
	// Settings of the statement.
	Settings map[string]string
	// Body is the data of an INSERT, nil for none. The caller closes it.
	Body io.Reader
}

// Error is what ClickHouse answers in place of a result.
type Error struct {
	// Code is the number in ClickHouse's ErrorCodes.cpp; 0 when it gave none.
	Code int
	// Message is ClickHouse's text.
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "clickhouse broke off without saying why"
	}
	return "clickhouse: " + e.Message
}

// Stream sends a query and returns its result as it comes. The caller closes it;
// closing before the end, or the end of the context, ends the query. The error
// is an *Error where ClickHouse refuses the query.
func (c *Client) Stream(ctx context.Context, q Query) (io.ReadCloser, error) {
	values := url.Values{}
	if c.database != "" {
		values.Set("database", c.database)
	}
	for k, v := range q.Settings {
		values.Set(k, v)
	}
	for k, v := range q.Params {
		values.Set("param_"+k, v)
	}
	body := q.Body
	if body == nil {
		body = strings.NewReader(q.SQL)
	} else {
		values.Set("query", q.SQL)
	}
	u := c.base
	u.RawQuery = values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	if password, _ := c.user.Password(); c.user.Username() != "" {
		req.SetBasicAuth(c.user.Username(), password)
	}
	for k, v := range c.headers {
		req.Header.Set(k, v)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", withoutURL(err))
	}
	if res.StatusCode != http.StatusOK {
		defer func() { _ = res.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxMessage))
		code, _ := strconv.Atoi(res.Header.Get("X-ClickHouse-Exception-Code"))
		return nil, &Error{Code: code, Message: strings.TrimSpace(string(text))}
	}
	return &stream{body: res.Body, tag: res.Header.Get("X-ClickHouse-Exception-Tag")}, nil
}

// Exec sends a statement and waits for its end.
func (c *Client) Exec(ctx context.Context, q Query) error {
	_, err := c.Read(ctx, q)
	return err
}

// Read returns a result whole; it is for small ones.
func (c *Client) Read(ctx context.Context, q Query) ([]byte, error) {
	s, err := c.Stream(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	return io.ReadAll(s)
}

// withoutURL takes the address, which has the parameters' values in it, out of an
// error.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// maxMessage is as much of an error's text as is kept.
const maxMessage = 16 << 10

// stream reads an answer, and tells at its end whether that was the end.
//
// A query that fails under way has its error behind what it gave before, between
// lines __exception__ and with the tag of the answer's header; the chunked
// encoding is then broken off. Older servers put the bare error there.
type stream struct {
	body io.ReadCloser
	tag  string
	// tail is what was read last.
	tail []byte
	err  error
}

// Read implements io.Reader. Its error is an *Error when ClickHouse broke off.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.body.Read(p)
	s.keep(p[:n])
	switch {
	case err == nil:
	case err == io.EOF && !s.marked():
		s.err = io.EOF
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		s.err = err
	default:
		s.err = s.exception(err)
	}
	return n, s.err
}

// keep keeps the last bytes of what was read.
func (s *stream) keep(p []byte) {
	if len(p) >= maxMessage {
		s.tail = append(s.tail[:0], p[len(p)-maxMessage:]...)
		return
	}
	if over := len(s.tail) + len(p) - maxMessage; over > 0 {
		s.tail = s.tail[:copy(s.tail, s.tail[over:])]
	}
	s.tail = append(s.tail, p...)
}

const exceptionMark = "__exception__\r\n"

func (s *stream) marked() bool {
	return s.tag != "" && strings.HasSuffix(string(s.tail), s.tag+"\r\n"+exceptionMark)
}

// exception is the error that the tail holds; cause when it holds none.
func (s *stream) exception(cause error) error {
	text := string(s.tail)
	if i := strings.LastIndex(text, exceptionMark+s.tag); s.tag != "" && i >= 0 && !strings.HasPrefix(text[i:], exceptionMark+s.tag+"\r\n"+exceptionMark) {
		text = strings.TrimPrefix(text[i:], exceptionMark+s.tag)
		if end := strings.LastIndex(text, "\n"+lengthLine(text, s.tag)); end >= 0 {
			text = text[:end]
		}
		return parse(strings.TrimSpace(text))
	}
	if i := strings.LastIndex(text, "Code: "); i >= 0 && strings.Contains(text[i:], "DB::Exception") {
		return parse(strings.TrimSpace(text[i:]))
	}
	return fmt.Errorf("clickhouse broke off: %w", cause)
}

// lengthLine is the line with the message's length and the tag, which ends it.
func lengthLine(text, tag string) string {
	lines := strings.Split(text, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.HasSuffix(strings.TrimRight(lines[i], "\r"), " "+tag) {
			return lines[i]
		}
	}
	return exceptionMark
}

func parse(message string) *Error {
	e := &Error{Message: message}
	if rest, ok := strings.CutPrefix(message, "Code: "); ok {
		digits, _, _ := strings.Cut(rest, ".")
		e.Code, _ = strconv.Atoi(digits)
	}
	return e
}

// Close implements io.Closer.
func (s *stream) Close() error { return s.body.Close() }
