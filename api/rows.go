package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/query"
)

const rowsPattern = "/api/v1/rows/{table}"

// rowsHeader says how many rows an answer has.
const rowsHeader = "X-Heplake-Rows"

// Rows is where rows are streamed from, and how much of them at a time. A limit
// other than that of rows ends the answer as a broken transfer, which no client
// takes for its end.
type Rows struct {
	// ClickHouse answers the queries; its user needs to read, no more.
	ClickHouse *chhttp.Client
	// Database has the tables.
	Database string
	// Most is how many rows one answer has at most; 10,000,000 when 0.
	Most uint64
	// Bytes is how much one answer has at most, before compression by HTTP; 64 GiB
	// when 0.
	Bytes int64
	// Time is how long one may take; 30 minutes when 0.
	Time time.Duration
	// AtOnce is how many there may be at a time; 2 when 0. Further ones get 503.
	AtOnce int
}

func (r *Rows) withDefaults() *Rows {
	var out Rows
	if r != nil {
		out = *r
	}
	out.Most, out.Bytes = cmp.Or(out.Most, 10_000_000), cmp.Or(out.Bytes, 64<<30)
	out.Time, out.AtOnce = cmp.Or(out.Time, 30*time.Minute), cmp.Or(out.AtOnce, 2)
	return &out
}

// rowFormat is a format that rows are written in.
type rowFormat struct {
	name, mediaType, extension, clickHouse string
	// packed formats are compressed in themselves.
	packed bool
}

var rowFormats = []rowFormat{
	{"parquet", "application/vnd.apache.parquet", "parquet", "Parquet", true},
	{"arrow", "application/vnd.apache.arrow.stream", "arrows", "ArrowStream", true},
	{"csv", "text/csv; charset=utf-8; header=present", "csv", "CSVWithNames", false},
	{"jsonl", "application/x-ndjson", "jsonl", "JSONEachRow", false},
}

// RowFormats lists the formats by name.
func RowFormats() []string {
	var out []string
	for _, f := range rowFormats {
		out = append(out, f.name)
	}
	return out
}

// rowSettings are those of every stream: text that is no UTF-8 must not spoil JSON,
// times are written as everywhere in the API, and no sort takes all memory.
var rowSettings = map[string]string{
	"output_format_json_validate_utf8": "1", "output_format_json_quote_64bit_integers": "0", "output_format_json_escape_forward_slashes": "0",
	"date_time_output_format": "iso", "output_format_parquet_compression_method": "zstd", "output_format_parquet_string_as_string": "1",
	"output_format_parquet_row_group_size": "100000", "output_format_parquet_row_group_size_bytes": "67108864", "output_format_arrow_string_as_string": "1",
	"max_bytes_before_external_sort": "536870912", "optimize_read_in_order": "1", "max_threads": "2",
	"cancel_http_readonly_queries_on_client_close": "1", "optimize_and_compare_chain": "0",
}

// tableRows answers GET /api/v1/rows/{table}: rows as they come out of ClickHouse.
// What they are is said before the first byte: how many, and whether a limit cut
// them. After that an error breaks the connection.
func (s *server) tableRows(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.BulkRequest{
		Table: r.PathValue("table"), Filter: p.text("filter"), From: p.time("from"), To: p.time("to"), Zone: zone,
		Columns: p.list("columns"), Limit: uint64(p.count("limit", int(s.rows.Most))),
	}
	name := p.text("format")
	if err := p.check(); err != nil {
		return err
	}
	format, err := findRowFormat(name)
	if err != nil {
		return err
	}
	req.Limit = cmp.Or(req.Limit, s.rows.Most)
	bulk, err := query.NewBulk(s.rows.Database, req)
	if err != nil {
		return err
	}
	if s.rows.ClickHouse == nil {
		return &problem{Status: http.StatusNotImplemented, kind: "not-here", Detail: "this heplake has no connection over which rows can be streamed"}
	}
	select {
	case s.rowTurns <- struct{}{}:
		defer func() { <-s.rowTurns }()
	default:
		s.metrics.refused.Inc()
		return errBusy
	}
	s.metrics.searched("rows", time.Now())
	return s.streamRows(r.Context(), w, req, bulk, format)
}

func findRowFormat(name string) (rowFormat, error) {
	for _, f := range rowFormats {
		if f.name == name {
			return f, nil
		}
	}
	return rowFormat{}, bad("format", fmt.Sprintf("format takes %s, not %q", strings.Join(RowFormats(), ", "), name))
}

// exportableRows refuses rows of which some are of a tenant whose rows are not
// exported.
func (s *server) exportableRows(ctx context.Context, req query.BulkRequest, settings map[string]string) error {
	for _, tenant := range s.noExport {
		if req.Tenant != "" && req.Tenant != tenant {
			continue
		}
		one := req
		one.Tenant, one.Limit = tenant, 1
		bulk, err := query.NewBulk(s.rows.Database, one)
		if err != nil {
			return err
		}
		n, err := s.rows.ClickHouse.Read(ctx, chhttp.Query{SQL: bulk.Count + " FORMAT TSV", Params: bulk.Params, Settings: settings})
		if err != nil {
			return rowsProblem(err)
		}
		if strings.TrimSpace(string(n)) != "0" {
			return s.exportable(tenant)
		}
	}
	return nil
}

func (s *server) streamRows(ctx context.Context, w http.ResponseWriter, req query.BulkRequest, bulk *query.Bulk, format rowFormat) error {
	settings := map[string]string{"max_execution_time": strconv.Itoa(int(s.rows.Time.Seconds()))}
	for k, v := range rowSettings {
		settings[k] = v
	}
	if err := s.exportableRows(ctx, req, settings); err != nil {
		return err
	}
	counted, err := s.rows.ClickHouse.Read(ctx, chhttp.Query{SQL: bulk.Count + " FORMAT TSV", Params: bulk.Params, Settings: settings})
	if err != nil {
		return rowsProblem(err)
	}
	rows, err := strconv.ParseUint(strings.TrimSpace(string(counted)), 10, 64)
	if err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	stream, err := s.rows.ClickHouse.Stream(ctx, chhttp.Query{SQL: bulk.Select + " FORMAT " + format.clickHouse, Params: bulk.Params, Settings: settings})
	if err != nil {
		return rowsProblem(err)
	}
	defer func() { _ = stream.Close() }()
	// The first bytes say whether the query works at all.
	first := make([]byte, 64<<10)
	n, err := io.ReadFull(stream, first)
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !ended {
		return rowsProblem(err)
	}
	h := w.Header()
	end := "whole"
	if rows > req.Limit {
		end, rows = "truncated", req.Limit
		h.Set(truncatedHeader, fmt.Sprintf("limit: there are more than these %d rows; the oldest hours come first", rows))
	}
	h.Set(rowsHeader, strconv.FormatUint(rows, 10))
	h.Set("Content-Type", format.mediaType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": rowsFileName(req.Table, bulk, format)}))
	if format.packed {
		h.Set(gzhttp.HeaderNoCompression, "true")
	}
	w.WriteHeader(http.StatusOK)
	sent := int64(n)
	if _, err = w.Write(first[:n]); err == nil && !ended {
		var more int64
		more, err = io.CopyBuffer(writerOnly{w}, io.LimitReader(stream, s.rows.Bytes-sent+1), first)
		sent += more
	}
	s.metrics.rowBytes.WithLabelValues(format.name).Add(float64(sent))
	if err == nil && sent > s.rows.Bytes {
		err = fmt.Errorf("it has more than %d bytes", s.rows.Bytes)
	}
	if err != nil {
		if end = "broken"; errors.Is(ctx.Err(), context.Canceled) {
			end = "cancelled"
		} else {
			s.log.Warn("a stream of rows was broken off", "id", requestID(ctx), "table", req.Table, "format", format.name, "bytes", sent, "error", err)
		}
		s.metrics.rows.WithLabelValues(end).Inc()
		panic(http.ErrAbortHandler) // the client must not take it for whole
	}
	s.metrics.rows.WithLabelValues(end).Inc()
	return nil
}

// writerOnly hides ReadFrom, which would read ahead of the compression.
type writerOnly struct{ io.Writer }

// rowsFileName is what a download is called.
func rowsFileName(table string, bulk *query.Bulk, format rowFormat) string {
	const layout = "20060102T150405Z"
	return fmt.Sprintf("%s-%s-%s.%s", table, bulk.From.UTC().Format(layout), bulk.To.UTC().Format(layout), format.extension)
}

// rowsProblem tells apart what ClickHouse refuses.
func rowsProblem(err error) error {
	var e *chhttp.Error
	switch {
	case errors.As(err, &e) && query.IsTooExpensive(int32(e.Code)):
		return fmt.Errorf("%w: %w", query.ErrTooExpensive, err)
	case errors.As(err, &e) && !query.IsUnavailable(int32(e.Code)):
		return err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", query.ErrUnavailable, err)
}
