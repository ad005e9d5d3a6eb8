package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// View is a view: its rows are computed from the tables when it is read.
type View struct {
	Name string
	Doc  string
	// Columns in order. Those of kind Time and Float32 may be NULL where Doc says
	// so; figures are Float64.
	Columns []Column

	query func(o Options) string
}

// Query is the view's SELECT, with the tables qualified by their database: those
// of the node, so that each row of the view must be made of rows of one shard.
func (v *View) Query(o Options) string { return v.query(o.onNode()) }

// CreateSQL is the statement that creates or replaces the view: in a cluster the
// one that has a node's rows.
func (v *View) CreateSQL(o Options) string {
	return fmt.Sprintf("CREATE OR REPLACE VIEW %s\n(\n    %s\n)\nAS\n%s\nCOMMENT %s", o.Target(o.LocalName(v.Name)), v.ColumnsSQL(), v.Query(o), Quote(v.Doc))
}

// ColumnsSQL lists the view's columns as CREATE VIEW takes them: their types are
// those of the query, their comments are for who looks into the database.
func (v *View) ColumnsSQL() string {
	out := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		out[i] = "`" + c.Name + "` " + c.SQLType() + " COMMENT " + Quote(c.Doc)
	}
	return strings.Join(out, ",\n    ")
}

// Views lists every view, each after those that it reads.
func Views() []*View { return append([]*View{&Calls, &Registrations}, AnalystViews()...) }

// Outcomes lists the values of calls.outcome.
func Outcomes() []string {
	return []string{"answered", "failed", "cancelled", "unanswered", "in_progress"}
}

// Releasers lists the values of calls.released_by.
func Releasers() []string { return []string{"caller", "callee", "network", ""} }

// Calls has one row per call, all its legs in it.
var Calls = View{
	Name:    "calls",
	Doc:     "One row per call: every message of every leg that correlation reaches.",
	Columns: callColumns(),
	query:   callsView,
}

// Registrations has one row per attempt to register.
var Registrations = View{
	Name:    "registrations",
	Doc:     "One row per attempt of a user agent to register, to refresh or to remove a binding; a challenge and its answer are one attempt.",
	Columns: registrationColumns(),
	query:   registrationsView,
}

// DialogColumns are the columns of CallsQuery: the first ones of Calls.
func DialogColumns() []Column {
	columns := callColumns()
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == "jitter_ms" })
	return columns[:i+1]
}

// CallsQuery is the query that computes calls out of messages themselves: dialogs
// of methods that the assembler leaves alone (OPTIONS, MESSAGE, SUBSCRIBE, …), and
// calls that it has not come to yet. It depends on the sources being restricted.
type CallsQuery struct {
	// SIP and Media are what stands behind FROM: table names, or SELECTs in
	// parentheses that have the tables' columns.
	SIP, Media string
	// Key is the expression, over call_id and other_id, for what the legs of one
	// call share; empty for the correlation id.
	Key string
	// Matches are conditions on single messages; the query's columns m0, m1, … say
	// for each whether some message of the call meets it.
	Matches []string
}

// SQL is the query's text, a SELECT of DialogColumns and of Matches.
//
// It goes in three steps. Step one gathers each leg, which is each Call-ID:
// times, counts, and lists of the requests that could have opened it and of the
// responses to them. Step two finds in these lists which request opened the leg
// and how that fared. A list, because only all of it tells which transaction
// counts: after a challenge (401, 407) the INVITE comes again with a higher
// CSeq; a proxy's forks have their own branches and finals; a re-INVITE, which
// has a To tag, may fail without harm. Step three puts the legs of a call
// together; the leg that began first speaks for it.
func (q CallsQuery) SQL() string {
	key := q.Key
	if key == "" {
		key = "if(other_id != '', other_id, call_id)"
	}
	var leg, call, result strings.Builder
	for i, m := range q.Matches {
		fmt.Fprintf(&leg, ",\n            max(%s) AS leg_m%d", m, i)
		fmt.Fprintf(&call, ",\n            max(leg_m%d) AS m%d", i, i)
		fmt.Fprintf(&result, ",\n    m%d", i)
	}
	return strings.NewReplacer(
		"/*sip*/", q.SIP, "/*media*/", q.Media, "/*key*/", key,
		"/*leg matches*/", leg.String(), "/*call matches*/", call.String(), "/*matches*/", result.String(),
	).Replace(strings.TrimSpace(callsSQL))
}

// callsSQL is the text of CallsQuery.
//
//go:embed calls.sql
var callsSQL string
