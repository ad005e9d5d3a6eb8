package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
)

// maxConcurrent is how many queries of one request run at a time.
const maxConcurrent = 4

// model is a query as the editor writes it, and as dashboards and alert rules
// store it.
type model struct {
	QueryType string `json:"queryType"`
	// Filter is an expression of the filter language. calls, series, logs.
	Filter string `json:"filter"`
	// CallID is a Call-ID of any leg, or a correlation id. flow, quality, logs.
	CallID string `json:"callId"`
	// Metric is the figure of a series; for quality it asks for that figure over
	// time, a series for each stream, in place of the reports.
	Metric  string `json:"metric"`
	GroupBy names  `json:"groupBy"`
	Limit   int    `json:"limit"`
	SQL     string `json:"sql"`
	// Format overrides what the shape of an SQL result says: see shape.
	Format string `json:"format"`
	// Tenant restricts the answer to one tenant's traffic; empty is all.
	Tenant string `json:"tenant"`
}

// names is a list of names, in JSON an array or one string with commas.
type names []string

func (n *names) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		var text string
		if err := json.Unmarshal(b, &text); err != nil {
			return fmt.Errorf("want names, separated by commas")
		}
		list = strings.Split(text, ",")
	}
	*n = nil
	for _, name := range list {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	return nil
}

// question is one query with all that belongs to it.
type question struct {
	backend.DataQuery
	model
	kind  string
	alert bool // asked by an alert rule
}

// answerer answers questions of one type.
type answerer func(d *Datasource, ctx context.Context, l *lake, q question) (data.Frames, error)

// answerers by query type. They may run at the same time.
var answerers = map[string]answerer{
	"calls":   (*Datasource).calls,
	"flow":    (*Datasource).flow,
	"quality": (*Datasource).quality,
	"series":  (*Datasource).series,
	"logs":    (*Datasource).logs,
	"sql":     (*Datasource).sql,
}

// QueryData answers the queries of a request, each by itself: a fault in one
// leaves the others whole. They run at the same time whatever their types,
// which is why this is no datasource.QueryTypeMux.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	who := newAsker(req.PluginContext, req.Headers)
	responses := make([]backend.DataResponse, len(req.Queries))
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	for i, q := range req.Queries {
		group.Go(func() error {
			responses[i] = d.answer(ctx, who, q)
			return nil
		})
	}
	_ = group.Wait() // no query fails the others
	out := backend.NewQueryDataResponse()
	for i, q := range req.Queries {
		out.Responses[q.RefID] = responses[i]
	}
	return out, nil
}

// answer answers one query. A panic fails that query alone.
func (d *Datasource) answer(ctx context.Context, who asker, dq backend.DataQuery) (response backend.DataResponse) {
	q := question{DataQuery: dq, alert: who.Alert}
	defer func() {
		if r := recover(); r != nil {
			backend.Logger.Error("query panicked", "ref", q.RefID, "type", q.kind, "panic", r, "stack", string(debug.Stack()))
			response = backend.DataResponse{
				Error:  fmt.Errorf("the data source failed in a way it should not; the Grafana server's log has the details"),
				Status: backend.StatusInternal, ErrorSource: backend.ErrorSourcePlugin,
			}
		}
	}()
	if err := q.read(); err != nil {
		return d.failed(err, false)
	}
	run, ok := answerers[q.kind]
	if !ok {
		return d.failed(badQueryf("there is no query type %q: want calls, flow, quality, series, logs or sql", q.kind), false)
	}
	l, err := d.open(ctx)
	if err != nil {
		return d.failed(err, false)
	}
	who.Query, who.RefID = q.kind, q.RefID
	ctx, done := l.audit(ctx, who)
	defer done()
	frames, err := run(d, ctx, l, q)
	if err != nil {
		return d.failed(err, q.kind == "sql")
	}
	return backend.DataResponse{Frames: frames, Status: backend.StatusOK}
}

// read reads the query's JSON. The type is the request's; the JSON has it when
// the query comes through /api/v1/eval, and a query with neither is for calls,
// as in the editor.
func (q *question) read() error {
	if len(q.JSON) > 0 {
		if err := json.Unmarshal(q.JSON, &q.model); err != nil {
			return badQueryf("the query's JSON cannot be read: %w", err)
		}
	}
	switch {
	case q.DataQuery.QueryType != "":
		q.kind = q.DataQuery.QueryType
	case q.model.QueryType != "":
		q.kind = q.model.QueryType
	default:
		q.kind = "calls"
	}
	q.CallID = strings.TrimSpace(q.CallID)
	return nil
}

// text makes a string fit for Arrow and JSON: what came off the wire need not be UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// notice puts a notice on the frame.
func notice(f *data.Frame, severity data.NoticeSeverity, format string, args ...any) {
	f.AppendNotices(data.Notice{Severity: severity, Text: fmt.Sprintf(format, args...)})
}

// version of the frame types, see https://grafana.github.io/dataplane/contract/.
var typeVersion = data.FrameTypeVersion{0, 1}
