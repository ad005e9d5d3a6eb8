package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

// The bounds of an export of several calls.
const (
	defaultExportCalls = 100
	maxExportCalls     = 1000
	// maxExportBytes is how much of records one export takes, all calls together.
	maxExportBytes = 64 << 20
)

// exportPattern takes the format at the end of what is the Call-ID's, which may
// hold slashes that clients did not escape.
const exportPattern = "/api/v3/export/call/{callid...}"

// exportParams are what every export takes.
type exportParams struct {
	options   export.Options
	leg       string
	anonymise bool
	key       string
}

func (p *params) export(zone *time.Location) exportParams {
	return exportParams{options: export.Options{Zone: zone}, anonymise: p.flag("anonymise", false), key: p.text("key")}
}

func (e exportParams) check() error {
	if e.key != "" && !e.anonymise {
		return bad("key", "key goes with anonymise=true")
	}
	return nil
}

// exportable refuses exports of what a tenant has, if its records are to stay where
// they are.
func (s *server) exportable(tenant string) error {
	if !slices.Contains(s.noExport, tenant) {
		return nil
	}
	return &problem{Status: http.StatusForbidden, kind: "residency", Detail: "records of tenant " + tenant + " stay where they are and are not exported (setting residency)"}
}

// anonymiser is nil when none is asked for.
func (e exportParams) anonymiser() *export.Anonymiser {
	if !e.anonymise {
		return nil
	}
	return export.NewAnonymiser([]byte(e.key))
}

// exportCall answers GET /api/v3/export/call/{callid}/{format}.
func (s *server) exportCall(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.FlowRequest{From: p.time("from"), To: p.time("to"), MaxMessages: p.count("limit", query.MaxFlowMessages), Media: true, Events: true}
	e := p.export(zone)
	e.leg, e.options.SIPp.MaxPause = p.text("leg"), p.duration("max_pause")
	if err := p.check(); err != nil {
		return err
	}
	id, name := cutFormatName(r.PathValue("callid"))
	format, err := exportFormat(name, false)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	f, err := s.askFlow(r.Context(), id, req)
	if err != nil {
		return err
	}
	if e.leg != "" {
		leg, ok := export.FindLeg(f, e.leg)
		if !ok {
			return bad("leg", fmt.Sprintf("leg takes the letter or the Call-ID of one of the call's %d legs, not %q", len(f.Legs), e.leg))
		}
		e.options.SIPp.Leg = leg
	}
	return s.writeExport(r.Context(), w, format, e, id, f.Truncated, f)
}

// cutFormatName parts a Call-ID, which may hold slashes, from the format behind it.
func cutFormatName(path string) (id, format string) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return path, ""
	}
	return path[:i], path[i+1:]
}

func exportFormat(name string, bulk bool) (export.Format, error) {
	f, ok := export.FormatOf(name)
	if !ok || bulk && !f.Bulk {
		return f, bad("format", fmt.Sprintf("format takes %s, not %q", strings.Join(export.FormatNames(bulk), ", "), name))
	}
	return f, nil
}

// exportCalls answers GET /api/v1/export: all calls that a search finds, in one
// file.
func (s *server) exportCalls(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.CallsRequest{
		Filter: p.text("filter"), Zone: zone, From: p.time("from"), To: p.time("to"), Limit: p.count("limit", maxExportCalls), Oldest: p.flag("oldest", false),
	}
	name := p.text("format")
	e := p.export(zone)
	if err := p.check(); err != nil {
		return err
	}
	format, err := exportFormat(name, true)
	if err != nil {
		return err
	}
	if err := e.check(); err != nil {
		return err
	}
	if req.Limit == 0 {
		req.Limit = defaultExportCalls
	}
	found, err := ask(r.Context(), s, "calls", func(ctx context.Context) (query.CallsResult, error) { return s.store.Calls(ctx, req) })
	if err != nil {
		return err
	}
	if len(found.Calls) == 0 {
		return fmt.Errorf("export: %w", query.ErrNotFound)
	}
	var cut []string
	if found.Truncated {
		cut = append(cut, fmt.Sprintf("more calls match than the %d exported", len(found.Calls)))
	}
	flows, reason, err := s.flowsOf(r.Context(), found.Calls)
	if err != nil {
		return err
	}
	if reason != "" {
		cut = append(cut, reason)
	}
	return s.writeExport(r.Context(), w, format, e, "calls", strings.Join(cut, "; "), flows...)
}

// homerExport answers POST /api/v3/export/call/messages/{format} and
// …/transaction/{format}, which Homer's clients ask for in the shape of their
// transaction.
func (s *server) homerExport(w http.ResponseWriter, r *http.Request) error {
	format, err := exportFormat(r.PathValue("format"), false)
	if err != nil {
		return homerProblem(err)
	}
	flows, err := s.homerFlows(w, r)
	if err == nil && len(flows) == 0 {
		err = query.ErrNotFound
	}
	if err != nil {
		return homerProblem(err)
	}
	var cut []string
	if n := len(flows); n > 1 && !format.Bulk {
		flows, cut = flows[:1], append(cut, fmt.Sprintf("%s holds one call, the first of the %d asked for", format.Name, n))
	}
	for _, f := range flows {
		if f.Truncated != "" {
			cut = append(cut, f.Truncated)
		}
	}
	name := "export-" + time.Now().UTC().Format("2006-01-02T15-04-05Z")
	if err := s.writeExport(r.Context(), w, format, exportParams{}, name, strings.Join(cut, "; "), flows...); err != nil {
		return homerProblem(err)
	}
	return nil
}

// flowsOf asks for the flows of calls, until they are too much for one answer;
// reason says so.
func (s *server) flowsOf(ctx context.Context, calls []query.Call) (flows []*query.Flow, reason string, err error) {
	size, parts := 0, 0
	for i, c := range calls {
		// The time is known: the lookup is cheap.
		f, err := s.askFlow(ctx, c.CorrelationID, query.FlowRequest{From: c.Start, To: c.LastSeen.Add(time.Second), Media: true, Events: true, Tenant: c.Tenant})
		if errors.Is(err, query.ErrNotFound) { // expired since
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if f.Truncated != "" {
			parts++
		}
		for j := range f.Items {
			size += len(f.Items[j].RawBytes)
		}
		if flows = append(flows, f); size > maxExportBytes && i+1 < len(calls) {
			return flows, fmt.Sprintf("only %d of the %d calls found fit into one export", i+1, len(calls)), nil
		}
	}
	if parts > 0 {
		reason = fmt.Sprintf("%d of the calls are not whole", parts)
	}
	return flows, reason, nil
}

// writeExport answers with flows in a format. It is encoded whole before the first
// byte goes out, so that a failure is still an error and not half a file.
func (s *server) writeExport(ctx context.Context, w http.ResponseWriter, format export.Format, e exportParams, name, cut string, flows ...*query.Flow) error {
	for _, f := range flows {
		if err := s.exportable(f.Call.Tenant); err != nil {
			return err
		}
	}
	if a := e.anonymiser(); a != nil {
		for i, f := range flows {
			if err := ctx.Err(); err != nil {
				return err
			}
			flows[i] = a.Flow(f)
		}
		if len(flows) == 1 { // the name would give it away
			name = flows[0].Call.CorrelationID
		}
		name += "-anonymised"
	}
	var b bytes.Buffer
	err := format.Write(&b, e.options, flows...)
	switch {
	case errors.Is(err, export.ErrNoScenario):
		return &problem{Status: http.StatusUnprocessableEntity, kind: "no-scenario", Detail: err.Error()}
	case err != nil:
		return fmt.Errorf("export as %s: %w", format.Name, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	disposition := "attachment"
	if format.Text {
		disposition = "inline"
	}
	contentType := format.MediaType
	if format.Name == "json" && len(flows) != 1 {
		contentType = "application/x-ndjson"
	}
	h := w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": format.FileName(name)}))
	if cut != "" {
		h.Set(truncatedHeader, oneLine(cut))
	}
	return write(w, contentType, http.StatusOK, b.Bytes())
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
}
