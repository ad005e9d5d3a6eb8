package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query/export"
)

// ExportOptions are the flags of heplake export.
type ExportOptions struct {
	Client *Client
	CallID string // the call; or else
	// Search takes all calls that match Filter in the time, Limit at most.
	Search       bool
	Filter       string
	Since, Until string
	Limit        int
	Now          time.Time // what "1h" counts from; zero is the present
	// Format is one of export.Formats; "" goes by the name of File, else is pcap.
	Format string
	// File is where it goes: a file, a folder (which ends in a slash, or is there
	// already), or "-" or "" for the standard output.
	File string
	// Anonymise gives pseudonyms; Key makes them the same in every export.
	Anonymise bool
	Key       string
	// Zone is that of the times in text, svg and html; nil is UTC.
	Zone *time.Location
	// Leg and MaxPause are those of a SIPp scenario.
	Leg      string
	MaxPause time.Duration
}

// Export writes a call, or all calls of a search, as a file for other programs. A
// call that is not there, and a search without a match, are ErrNotFound.
func Export(ctx context.Context, d Display, o ExportOptions) error {
	format, err := exportFormat(o)
	if err != nil {
		return err
	}
	toFolder := isFolder(o.File)
	switch {
	case o.CallID == "" && !o.Search:
		return errors.New("which Call-ID? Or --search FILTER for all calls that match")
	case o.CallID != "" && o.Search:
		return errors.New("a Call-ID and --search exclude each other")
	case o.Key != "" && !o.Anonymise:
		return errors.New("--key goes with --anonymise")
	case o.Search && !toFolder && !format.Bulk:
		return fmt.Errorf("--format %s holds one call: name a folder with -w (it ends in /), or use %s", format.Name, strings.Join(export.FormatNames(true), ", "))
	case !format.Text && o.toStdout() && d.Width > 0:
		return fmt.Errorf("--format %s is nothing to look at: name a file with -w, or redirect the output", format.Name)
	}
	if o.Anonymise && o.Key == "" {
		o.Key = rand.Text() // the same for all calls of this export
	}
	switch {
	case o.CallID != "":
		return exportOne(ctx, d, o, format)
	case toFolder:
		return exportEach(ctx, d, o, format)
	}
	return exportAll(ctx, d, o, format)
}

func (o *ExportOptions) toStdout() bool { return o.File == "" || o.File == "-" }

// exportFormat is the format asked for, or else the one that the file's name has.
func exportFormat(o ExportOptions) (export.Format, error) {
	if o.Format == "" {
		name := strings.ToLower(filepath.Base(o.File))
		for _, f := range export.Formats() {
			if strings.HasSuffix(name, f.Extension) || f.Name == "sipp" && strings.HasSuffix(name, ".tar") || f.Name == "json" && strings.HasSuffix(name, "json") ||
				f.Name == "json" && strings.HasSuffix(name, ".jsonl") {
				return f, nil
			}
		}
		o.Format = "pcap"
	}
	f, ok := export.FormatOf(o.Format)
	if !ok {
		return f, fmt.Errorf("--format %q: want %s", o.Format, strings.Join(export.FormatNames(false), ", "))
	}
	return f, nil
}

func isFolder(name string) bool {
	if strings.HasSuffix(name, "/") || strings.HasSuffix(name, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// exported is an answer of the API's export.
type exported struct {
	body []byte
	// name is a safe file name, cut what limit cut it, "" when it is whole.
	name, cut string
}

// export asks for an export.
func (c *Client) export(ctx context.Context, path string, q url.Values, o ExportOptions) (exported, error) {
	if zone := zoneName(o.Zone); zone != "" {
		q.Set("tz", zone)
	}
	if o.Anonymise {
		q.Set("anonymise", "true")
		q.Set("key", o.Key)
	}
	body, header, err := c.fetchWithHeader(ctx, path, q, "*/*")
	if err != nil {
		return exported{}, err
	}
	e := exported{body: body, cut: termtext.Clean(header.Get("X-Heplake-Truncated"))}
	if _, params, err := mime.ParseMediaType(header.Get("Content-Disposition")); err == nil {
		// The API's names are safe; another server's are made so.
		e.name = strings.TrimLeft(filepath.Base(filepath.FromSlash(params["filename"])), ".")
	}
	return e, nil
}

// exportCall asks for one call, of which some time may be known.
func (o *ExportOptions) exportCall(ctx context.Context, callID string, start time.Time, format export.Format) (exported, error) {
	q := url.Values{}
	if !start.IsZero() {
		q.Set("from", start.UTC().Format(time.RFC3339Nano))
	}
	if format.Name == "sipp" {
		if o.Leg != "" {
			q.Set("leg", o.Leg)
		}
		if o.MaxPause > 0 {
			q.Set("max_pause", o.MaxPause.String())
		}
	}
	e, err := o.Client.export(ctx, "/api/v3/export/call/"+escapeSegment(callID)+"/"+format.Name, q, *o)
	var p *problem
	switch {
	case errors.As(err, &p) && p.noRoute():
		return e, fmt.Errorf("export of %q: this API has no export to %s", callID, format.Name)
	case errors.As(err, &p) && p.Status == http.StatusNotFound && p.isProblem:
		return e, notFound(fmt.Sprintf("no call with Call-ID %q", callID))
	case err != nil:
		return e, fmt.Errorf("export of %q: %w", callID, err)
	}
	return e, nil
}

func exportOne(ctx context.Context, d Display, o ExportOptions, format export.Format) error {
	e, err := o.exportCall(ctx, o.CallID, time.Time{}, format)
	if err != nil {
		return err
	}
	if e.cut != "" {
		d.remark("not the whole call: %s", e.cut)
	}
	if isFolder(o.File) {
		name, err := writeInto(o.File, e, map[string]bool{})
		if err == nil {
			d.remark("written to %s", name)
		}
		return err
	}
	return o.write(d, e.body)
}

// exportAll writes all calls of a search into one file.
func exportAll(ctx context.Context, d Display, o ExportOptions, format export.Format) error {
	r, err := o.search(d)
	if err != nil {
		return err
	}
	q := url.Values{"format": {format.Name}}
	if o.Zone == nil && filterHasTime.MatchString(r.Filter) {
		o.Zone = r.Zone // the times in the filter are this user's
	}
	if r.Filter != "" {
		q.Set("filter", r.Filter)
	}
	if !r.From.IsZero() {
		q.Set("from", r.From.UTC().Format(time.RFC3339Nano))
	}
	if !r.To.IsZero() {
		q.Set("to", r.To.UTC().Format(time.RFC3339Nano))
	}
	if r.Limit > 0 {
		q.Set("limit", strconv.Itoa(r.Limit))
	}
	e, err := o.Client.export(ctx, "/api/v1/export", q, o)
	var p *problem
	switch {
	case errors.As(err, &p) && p.noRoute():
		return errors.New("export: this API exports single calls only")
	case errors.As(err, &p) && p.Status == http.StatusNotFound && p.isProblem:
		return notFound("no call matches")
	case err != nil:
		return fmt.Errorf("export: %w", err)
	}
	if e.cut != "" {
		d.remark("not everything: %s; narrow the search or raise --limit", e.cut)
	}
	return o.write(d, e.body)
}

// search reads the flags of a search.
func (o *ExportOptions) search(d Display) (CallsRequest, error) {
	now := o.Now
	if now.IsZero() {
		now = time.Now()
	}
	now = now.In(d.zone())
	r := CallsRequest{Filter: o.Filter, Zone: d.zone(), Limit: o.Limit}
	var err error
	if r.From, err = Since(o.Since, now); err != nil {
		return r, err
	}
	if r.To, err = Until(o.Until, now); err != nil {
		return r, err
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return r, fmt.Errorf("--until (%s) is not after --since (%s)", r.To.In(d.zone()).Format(time.DateTime), r.From.In(d.zone()).Format(time.DateTime))
	}
	return r, nil
}

// exportEach writes each call of a search into a file of its own. A call that has
// no scenario is said and left out.
func exportEach(ctx context.Context, d Display, o ExportOptions, format export.Format) error {
	r, err := o.search(d)
	if err != nil {
		return err
	}
	found, _, err := o.Client.Calls(ctx, r)
	if err != nil {
		return err
	}
	if len(found.Calls) == 0 {
		return notFound("no call matches")
	}
	taken := map[string]bool{}
	for i := range found.Calls {
		c := &found.Calls[i]
		e, err := o.exportCall(ctx, callID(c), c.Start, format)
		var p *problem
		switch {
		case errors.As(err, &p) && strings.HasSuffix(p.Type, ":no-scenario"), errors.Is(err, ErrNotFound):
			d.remark("%v; left out", err)
			continue
		case err != nil:
			return err
		}
		if e.cut != "" {
			d.remark("%s is not the whole call: %s", e.name, e.cut)
		}
		if _, err := writeInto(o.File, e, taken); err != nil {
			return err
		}
	}
	d.remark("%s written to %s", plural(len(taken), "call"), o.File)
	if found.Truncated {
		d.remark("more calls match: narrow the search or raise --limit")
	}
	return nil
}

// remark says something about the answer beside it.
func (d Display) remark(format string, args ...any) {
	if d.Err != nil {
		// What cannot be told does not make the answer wrong.
		_, _ = fmt.Fprintf(d.Err, format+"\n", args...)
	}
}

// writeInto writes an export into a folder, which is made if need be, under a name
// that is not taken.
func writeInto(folder string, e exported, taken map[string]bool) (string, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", err
	}
	base := e.name
	if base == "" || base == string(filepath.Separator) {
		base = "call"
	}
	name, extension := base, filepath.Ext(base)
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(base, extension), n, extension)
	}
	taken[name] = true
	path := filepath.Join(folder, name)
	return path, writeFile(path, e.body)
}

// write writes to the file, or to the standard output.
func (o *ExportOptions) write(d Display, body []byte) error {
	if o.toStdout() {
		_, err := io.Copy(d.Out, bytes.NewReader(body))
		return err
	}
	return writeFile(o.File, body)
}

// writeFile writes a file whole or leaves what was there. What is no regular file
// (a pipe, a device) is written to.
func writeFile(path string, body []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, body, 0o640) //nolint:gosec // it has its mode
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".heplake-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone when all went well
	if _, err = f.Write(body); err == nil {
		err = f.Chmod(0o640)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
