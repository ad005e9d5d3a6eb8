package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// routes are the resources: what the editor asks for completion and variables,
// and a call as JSON. Grafana lets those in who may query the data source.
//
//	GET /schema                               tables and columns
//	GET /fields                               fields of the filter language, by what it is about
//	GET /values?field=F&from=T&to=T&prefix=P  values of a field in a time range, the most frequent first
//	GET /call/{id}?from=T&to=T&max=N          a call's flow, as package query has it
//
// Times are ms since the epoch or RFC 3339.
func (d *Datasource) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schema", d.serve(d.schemaResource))
	mux.HandleFunc("GET /fields", d.serve(d.fieldsResource))
	mux.HandleFunc("GET /values", d.serve(d.valuesResource))
	// A Call-ID may hold slashes.
	mux.HandleFunc("GET /call/{id...}", d.serve(d.callResource))
	return mux
}

// serve turns a function into a handler that answers in JSON.
func (d *Datasource) serve(get func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := get(r)
		status := http.StatusOK
		if err != nil {
			value, status = d.resourceError(err)
		}
		body, err := json.Marshal(value)
		if err != nil {
			backend.Logger.Error("resource cannot be encoded", "path", r.URL.Path, "error", err)
			body, status = []byte(`{"error":"the answer cannot be encoded"}`), http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the asker may be gone
	}
}

// resourceError is the body and status for an error; for a filter's error with
// its place.
func (d *Datasource) resourceError(err error) (body any, status int) {
	if errors.Is(err, query.ErrNotFound) {
		return map[string]any{"error": "no record has this id"}, http.StatusNotFound
	}
	out := map[string]any{"error": d.message(err)}
	var e *filter.Error
	if errors.As(err, &e) {
		out["column"], out["got"], out["expected"] = e.Column(), e.Got, e.Expected
	}
	return out, int(classify(err, false).status())
}

// resourceColumn is a column as the editor completes it.
type resourceColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Doc  string `json:"doc"`
}

type resourceTable struct {
	Name    string           `json:"name"`
	Doc     string           `json:"doc"`
	Columns []resourceColumn `json:"columns"`
}

// schemaResource is the declared schema: it needs no ClickHouse.
func (d *Datasource) schemaResource(*http.Request) (any, error) {
	var tables []resourceTable
	add := func(name, doc string, columns []schema.Column) {
		t := resourceTable{Name: name, Doc: doc}
		for _, c := range columns {
			t.Columns = append(t.Columns, resourceColumn{c.Name, c.SQLType(), c.Doc})
		}
		tables = append(tables, t)
	}
	for _, t := range schema.Tables() {
		add(t.Name, t.Doc, t.Columns)
	}
	for _, v := range schema.Views() {
		add(v.Name, v.Doc, v.Columns)
	}
	return map[string]any{"database": d.settings.database(), "tables": tables, "macros": macroList()}, nil
}

func macroList() []string {
	var names []string
	for name := range macros {
		names = append(names, macroPrefix+name)
	}
	slices.Sort(names)
	return names
}

// resourceField is a field of the filter language.
type resourceField struct {
	Name   string   `json:"name"`
	Doc    string   `json:"doc"`
	Type   string   `json:"type"`
	Scope  string   `json:"scope"` // record, call
	Ops    []string `json:"ops"`
	Values []string `json:"values,omitempty"` // all there are, where they are few
	Listed bool     `json:"listed"`           // /values knows the field
}

var (
	typeNames  = map[filter.Type]string{filter.String: "string", filter.Number: "number", filter.Address: "address", filter.Timestamp: "time", filter.List: "list"}
	scopeNames = map[filter.Scope]string{filter.Record: "record", filter.Call: "call"}
	targets    = map[string]*filter.Target{"calls": filter.Calls, "messages": filter.Messages, "reports": filter.Reports, "events": filter.Events}
)

// fieldsResource lists the fields, the metrics and what series split by.
func (d *Datasource) fieldsResource(*http.Request) (any, error) {
	out := map[string]any{"metrics": query.Metrics(), "group_by": query.GroupColumns(), "kpi_group_by": query.KPIGroupColumns()}
	for name, target := range targets {
		var fields []resourceField
		for _, f := range target.Fields() {
			rf := resourceField{Name: f.Name, Doc: f.Doc, Type: typeNames[f.Type], Scope: scopeNames[f.Scope], Values: f.Values}
			for _, op := range f.Ops() {
				rf.Ops = append(rf.Ops, fmt.Sprint(op))
			}
			_, rf.Listed = listed(f.Name)
			rf.Listed = rf.Listed || len(f.Values) > 0
			fields = append(fields, rf)
		}
		out[name] = fields
	}
	return out, nil
}

// The bounds of a list of values.
const (
	maxValues     = 500
	defaultWindow = time.Hour
)

// listed returns the column of sip whose values can be listed: those with few
// different ones, addresses, ports' statuses, and the users, of whom a prefix
// can be asked for. Ids and message texts are not among them.
func listed(name string) (schema.Column, bool) {
	c, ok := schema.SIP.Column(name)
	if !ok {
		return c, false
	}
	switch c.Kind {
	case schema.Enum, schema.Addr, schema.Uint16:
		return c, true
	}
	return c, slices.Contains([]string{"from_user", "to_user", "ruri_user", "contact_user", "pai_user", "auth_user"}, name)
}

type resourceValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// valuesResource lists the values of a field. Fields with a fixed set of values
// need no ClickHouse.
func (d *Datasource) valuesResource(r *http.Request) (any, error) {
	name := r.URL.Query().Get("field")
	if f, ok := filter.Calls.Field(name); ok {
		name = f.Name
		if len(f.Values) > 0 {
			values := make([]resourceValue, len(f.Values))
			for i, v := range f.Values {
				values[i].Value = v
			}
			return map[string]any{"field": name, "values": values, "truncated": false}, nil
		}
	}
	c, ok := listed(name)
	if !ok {
		return nil, badQueryf("the values of the field %q cannot be listed", name)
	}
	from, to, err := window(r)
	if err != nil {
		return nil, err
	}
	l, ctx, done, err := d.ask(r)
	if err != nil {
		return nil, err
	}
	defer done()
	value := "toString(" + c.Name + ")"
	if c.Kind == schema.Addr {
		value = "replaceRegexpOne(toString(" + c.Name + "), '^::ffff:', '')"
	}
	sql := fmt.Sprintf("SELECT %s AS value, count() AS n FROM sip WHERE time >= fromUnixTimestamp64Micro({from:Int64}) AND time < fromUnixTimestamp64Micro({to:Int64}) AND startsWith(value, {prefix:String}) AND value NOT IN ('', '::') GROUP BY value ORDER BY n DESC, value LIMIT %d", value, maxValues+1)
	rows, err := l.Conn().Query(l.Limit(ctx), sql,
		clickhouse.Named("from", from.UnixMicro()), clickhouse.Named("to", to.UnixMicro()), clickhouse.Named("prefix", r.URL.Query().Get("prefix")))
	if err != nil {
		return nil, fmt.Errorf("values of %s: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	values := []resourceValue{}
	for rows.Next() {
		var v resourceValue
		if err := rows.Scan(&v.Value, &v.Count); err != nil {
			return nil, fmt.Errorf("values of %s: %w", name, err)
		}
		v.Value = text(v.Value)
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("values of %s: %w", name, err)
	}
	truncated := len(values) > maxValues
	return map[string]any{"field": name, "values": values[:min(len(values), maxValues)], "truncated": truncated}, nil
}

// callResource is a call's flow.
func (d *Datasource) callResource(r *http.Request) (any, error) {
	request := query.FlowRequest{ID: r.PathValue("id"), Media: true, Events: true}
	if request.ID == "" {
		return nil, badQueryf("the path names no Call-ID")
	}
	params := r.URL.Query()
	var err error
	if params.Has("from") || params.Has("to") {
		if request.From, request.To, err = window(r); err != nil {
			return nil, err
		}
	}
	if s := params.Get("max"); s != "" {
		if request.MaxMessages, err = strconv.Atoi(s); err != nil || request.MaxMessages < 1 {
			return nil, badQueryf("max is %q: want a number", s)
		}
	}
	l, ctx, done, err := d.ask(r)
	if err != nil {
		return nil, err
	}
	defer done()
	return l.Flow(ctx, request)
}

// ask opens the connection for a resource, and a context that says who asks.
func (d *Datasource) ask(r *http.Request) (*lake, context.Context, context.CancelFunc, error) {
	l, err := d.open(r.Context())
	if err != nil {
		return nil, nil, nil, err
	}
	headers := map[string]string{}
	for name := range r.Header {
		headers[name] = r.Header.Get(name)
	}
	who := newAsker(backend.PluginConfigFromContext(r.Context()), headers)
	who.Query = r.URL.Path
	ctx, done := l.audit(r.Context(), who)
	return l, ctx, done, nil
}

// window reads from and to; a missing to is now, a missing from an hour before.
func window(r *http.Request) (from, to time.Time, err error) {
	if to, err = parseMoment(r, "to", time.Now()); err != nil {
		return from, to, err
	}
	if from, err = parseMoment(r, "from", to.Add(-defaultWindow)); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		return from, to, badQueryf("the time range ends before it begins")
	}
	return from, to, nil
}

func parseMoment(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return otherwise, nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, badQueryf("%s is %q: want ms since the epoch or RFC 3339", name, s)
	}
	return t, nil
}
