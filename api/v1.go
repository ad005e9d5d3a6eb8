package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	svgType  = "image/svg+xml"
)

// calls answers GET /api/v1/calls with a query.CallsResult.
func (s *server) calls(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.CallsRequest{
		Filter: p.text("filter"), From: p.time("from"), To: p.time("to"), Zone: zone,
		Limit: p.count("limit", query.MaxCalls), Oldest: p.flag("oldest", false), Cursor: p.text("cursor"),
	}
	if err := p.check(); err != nil {
		return err
	}
	res, err := ask(r.Context(), s, "calls", func(ctx context.Context) (query.CallsResult, error) { return s.store.Calls(ctx, req) })
	if err != nil {
		return err
	}
	return writeJSON(w, jsonType, http.StatusOK, res)
}

// flow answers GET /api/v1/flow/{callid} with a query.Flow, or a drawing of it.
func (s *server) flow(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	_ = p.timeZone()
	req := query.FlowRequest{
		From: p.time("from"), To: p.time("to"), MaxMessages: p.count("limit", query.MaxFlowMessages),
		Media: p.flag("media", true), Events: p.flag("events", true),
	}
	format, width := p.text("format"), p.count("width", maxWidth)
	if err := p.check(); err != nil {
		return err
	}
	id := r.PathValue("callid")
	if format == "" {
		id, format = cutFormat(id)
	}
	if format != "json" && format != "svg" && format != "txt" {
		return bad("format", "format takes json, svg or txt, not "+strconv.Quote(format))
	}
	f, err := s.askFlow(r.Context(), id, req)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	switch format {
	case "svg":
		if err := ladder.SVG(&b, f, ladder.SVGOptions{}); err != nil {
			return err
		}
		return write(w, svgType, http.StatusOK, b.Bytes())
	case "txt":
		if err := ladder.Text(&b, f, ladder.TextOptions{Width: width}); err != nil {
			return err
		}
		return write(w, textType, http.StatusOK, b.Bytes())
	}
	return writeJSON(w, jsonType, http.StatusOK, f)
}

// maxWidth is the widest text ladder, in cells.
const maxWidth = 1000

// cutFormat cuts .svg, .txt or .json off the end of a Call-ID. A Call-ID that
// itself ends so is asked for with format=json.
func cutFormat(id string) (callID, format string) {
	for _, format := range []string{"svg", "txt", "json"} {
		if callID, ok := strings.CutSuffix(id, "."+format); ok {
			return callID, format
		}
	}
	return id, "json"
}

// askFlow asks for the flow that has the id.
func (s *server) askFlow(ctx context.Context, id string, req query.FlowRequest) (*query.Flow, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	req.ID = id
	return ask(ctx, s, "flow", func(ctx context.Context) (*query.Flow, error) { return s.store.Flow(ctx, req) })
}

// quality answers with a query.Quality.
func (s *server) quality(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	_ = p.timeZone()
	req := query.QualityRequest{ID: r.PathValue("callid"), From: p.time("from"), To: p.time("to")}
	if err := p.check(); err != nil {
		return err
	}
	if err := checkID(req.ID); err != nil {
		return err
	}
	q, err := ask(r.Context(), s, "quality", func(ctx context.Context) (*query.Quality, error) { return s.store.Quality(ctx, req) })
	if err != nil {
		return err
	}
	return writeJSON(w, jsonType, http.StatusOK, q)
}

// maxID is the longest Call-ID that is looked for, in bytes.
const maxID = 4 << 10

func checkID(id string) error {
	switch {
	case id == "":
		return bad("callid", "a Call-ID is missing at the end of the path")
	case len(id) > maxID:
		return bad("callid", "the Call-ID is longer than "+strconv.Itoa(maxID)+" bytes")
	}
	return nil
}

// seriesAnswer is a query.SeriesResult with the step in seconds.
type seriesAnswer struct {
	query.SeriesResult
	Step float64 `json:"step"`
}

// series answers GET /api/v1/series.
func (s *server) series(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r.URL, time.Now())
	zone := p.timeZone()
	req := query.SeriesRequest{
		Metric: p.text("metric"), GroupBy: p.list("group_by"), Filter: p.text("filter"), Zone: zone,
		From: p.time("from"), To: p.time("to"), Step: p.duration("step"), Limit: p.count("limit", query.MaxSeries),
	}
	if err := p.check(); err != nil {
		return err
	}
	if req.Metric == "" {
		return bad("metric", "metric is missing; there are "+strings.Join(query.Metrics(), ", "))
	}
	res, err := ask(r.Context(), s, "series", func(ctx context.Context) (query.SeriesResult, error) { return s.store.Series(ctx, req) })
	if err != nil {
		return err
	}
	return writeJSON(w, jsonType, http.StatusOK, seriesAnswer{SeriesResult: res, Step: res.Step.Seconds()})
}
