package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
)

// RowFormats lists the formats of Rows, by name.
func RowFormats() []string { return []string{"parquet", "arrow", "csv", "jsonl"} }

// RowsOptions are the flags of heplake export for whole tables.
type RowsOptions struct {
	Client *Client
	// Table is what to write rows of: calls when empty.
	Table string
	// Format is one of RowFormats; "" goes by the name of File.
	Format  string
	Columns []string
	Filter  string
	// Since and Until bound the rows, as in a search; Now is what "1h" counts from,
	// zero for the present.
	Since, Until string
	Now          time.Time
	// Limit is how many rows to write at most; 0 for as many as the API gives.
	Limit int
	// File is where they go; "-" or "" is the standard output.
	File string
}

// RowFormat is the format that rows are written in when this is asked for, and
// the file is called so; "" when none is meant, but calls one by one.
func RowFormat(asked, file, table string) string {
	if asked != "" {
		if slices.Contains(RowFormats(), asked) {
			return asked
		}
		return ""
	}
	switch extension := strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), "."); extension {
	case "parquet", "csv":
		return extension
	case "arrow", "arrows":
		return "arrow"
	case "jsonl", "ndjson":
		if table != "" { // else it is calls as documents, a line each
			return "jsonl"
		}
	}
	return ""
}

// Rows writes rows of a table into a file, or to the output, as they come. A file
// is there whole or not at all; what the output got of a transfer that broke off
// is followed by an error. No row is ErrNotFound, unless there is a file, which then
// has none.
func Rows(ctx context.Context, d Display, o RowsOptions) error {
	toStdout := o.File == "" || o.File == "-"
	if toStdout && d.Width > 0 && (o.Format == "parquet" || o.Format == "arrow") {
		return fmt.Errorf("--format %s is nothing to look at: name a file with -w, or redirect the output", o.Format)
	}
	if !toStdout && isFolder(o.File) {
		return fmt.Errorf("rows go into one file: -w names one, not the folder %s", o.File)
	}
	e := ExportOptions{Since: o.Since, Until: o.Until, Now: o.Now, Filter: o.Filter}
	r, err := e.search(d)
	if err != nil {
		return err
	}
	q := url.Values{"format": {o.Format}}
	if len(o.Columns) > 0 {
		q.Set("columns", strings.Join(o.Columns, ","))
	}
	if r.Filter != "" {
		q.Set("filter", r.Filter)
		if zone := zoneName(r.Zone); zone != "" && filterHasTime.MatchString(r.Filter) {
			q.Set("tz", zone)
		}
	}
	if !r.From.IsZero() {
		q.Set("from", r.From.UTC().Format(time.RFC3339Nano))
	}
	if !r.To.IsZero() {
		q.Set("to", r.To.UTC().Format(time.RFC3339Nano))
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	table := cmp.Or(o.Table, "calls")
	body, header, err := o.Client.stream(ctx, "/api/v1/rows/"+escapeSegment(table), q)
	var p *problem
	switch {
	case errors.As(err, &p) && p.noRoute():
		return errors.New("export: this API gives no rows of tables")
	case err != nil:
		return fmt.Errorf("export of %s: %w", table, err)
	}
	defer func() { _ = body.Close() }()
	if toStdout {
		_, err = io.Copy(d.Out, body)
	} else {
		err = writeStream(o.File, body)
	}
	if err != nil {
		return fmt.Errorf("export of %s: %w", table, err)
	}
	rows := header.Get("X-Heplake-Rows")
	if cut := termtext.Clean(header.Get("X-Heplake-Truncated")); cut != "" {
		d.remark("not everything: %s; narrow the search or raise --limit", cut)
	}
	if !toStdout {
		d.remark("%s rows of %s written to %s", termtext.Clean(rows), table, o.File)
	} else if rows == "0" {
		return notFound("no row matches")
	}
	return nil
}

// stream asks for a path and returns the answer as it comes. Only the context
// bounds how long that takes.
func (c *Client) stream(ctx context.Context, path string, q url.Values) (io.ReadCloser, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path+"?"+q.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", "heplake")
	resp, err := (&http.Client{Transport: c.http.Transport, Jar: c.http.Jar, CheckRedirect: c.http.CheckRedirect}).Do(req)
	if err != nil {
		return nil, nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		return nil, nil, readProblem(resp, text)
	}
	return brokenOff{resp.Body}, resp.Header, nil
}

// brokenOff says in plain words that an answer has no end.
type brokenOff struct{ io.ReadCloser }

// Read implements io.Reader.
func (b brokenOff) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the API broke off: a limit of time or size, or an error that its log has; what came is not the whole")
	}
	return n, err
}

// writeStream is writeFile for what comes by and by.
func writeStream(path string, from io.Reader) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, from)
		return errors.Join(err, f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".heplake-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone when all went well
	if _, err = io.Copy(f, from); err == nil {
		err = f.Chmod(0o640)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
