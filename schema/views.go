package schema

import (
	_ "embed"
	"fmt"
	"strings"
)

// View is a view: its rows are computed from the tables when it is read.
type View struct {
	Name string
	Doc  string
	// Columns in order. Those of kind Time and Float32 may be NULL where Doc says
	// so; figures are Float64.
	Columns []Column

	query func(database string) string
}

// Query is the view's SELECT, with the tables qualified by their database.
func (v *View) Query(o Options) string { return v.query(o.DatabaseName()) }

// CreateSQL is the statement that creates or replaces the view.
func (v *View) CreateSQL(o Options) string {
	return fmt.Sprintf("CREATE OR REPLACE VIEW `%s`.`%s` AS\n%s\nCOMMENT %s", o.DatabaseName(), v.Name, v.Query(o), Quote(v.Doc))
}

// Views lists every view, each after those that it reads.
func Views() []*View { return []*View{&Calls} }

// Outcomes lists the values of calls.outcome.
func Outcomes() []string {
	return []string{"answered", "failed", "cancelled", "unanswered", "in_progress"}
}

// Releasers lists the values of calls.released_by.
func Releasers() []string { return []string{"caller", "callee", "network", ""} }

// Calls has one row per call, all its legs in it.
var Calls = View{
	Name: "calls",
	Doc:  "One row per call (or registration, subscription, …): every message of every leg that shares a correlation id.",
	Columns: []Column{
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "correlation_id", Kind: Text, Doc: "What its legs share."},
		{Name: "call_ids", Kind: Enums, Doc: "Call-IDs of its legs, in order of first message."},
		{Name: "method", Kind: Enum, Doc: "Method of the request that opened it."},
		{Name: "start", Kind: Time, Doc: "First message."},
		{Name: "ring", Kind: Time, Doc: "First 180 or 183 to the opening request; NULL when none."},
		{Name: "answer", Kind: Time, Doc: "First 2xx to the opening request; NULL when none."},
		{Name: "end", Kind: Time, Doc: "First BYE, or the final failure; NULL when neither was seen."},
		{Name: "last_seen", Kind: Time, Doc: "Last message."},
		{Name: "pdd_ms", Kind: Float32, Doc: "Post-dial delay: opening request to first 180 or 183, in ms; NULL when none."},
		{Name: "srd_ms", Kind: Float32, Doc: "Session request delay (RFC 6076 section 4.3): opening request to the first response that says how it fares (not 100, 401, 402, 407), in ms; NULL when none."},
		{Name: "ring_ms", Kind: Float32, Doc: "First 180 or 183 to answer or end, in ms; NULL when it did not ring."},
		{Name: "duration_s", Kind: Float32, Doc: "Answer to end, or to the last message while in progress, in s; NULL when not answered."},
		{Name: "sdd_ms", Kind: Float32, Doc: "Session disconnect delay (RFC 6076 section 4.4): BYE to its 2xx, in ms; NULL without either."},
		{Name: "outcome", Kind: Enum, Doc: "answered, failed, cancelled, unanswered or in_progress."},
		{Name: "final_status", Kind: Uint16, Doc: "Final status of the opening request; 0 when none arrived."},
		{Name: "final_reason", Kind: Enum, Doc: "Its reason phrase."},
		{Name: "q850", Kind: Uint16, Doc: "Q.850 cause of the last message that gave one; 0 when none."},
		{Name: "released_by", Kind: Enum, Doc: "Who ended it: caller, callee or network; empty when nobody did or it cannot be told."},
		{Name: "from_user", Kind: Text, Doc: "User part of From."},
		{Name: "from_domain", Kind: Enum, Doc: "Host of From."},
		{Name: "to_user", Kind: Text, Doc: "User part of To."},
		{Name: "to_domain", Kind: Enum, Doc: "Host of To."},
		{Name: "ruri_user", Kind: Text, Doc: "User part of the opening Request-URI."},
		{Name: "src_ip", Kind: Addr, Doc: "Sender of the opening request."},
		{Name: "src_port", Kind: Uint16, Doc: "Its port."},
		{Name: "dst_ip", Kind: Addr, Doc: "Receiver of the opening request."},
		{Name: "dst_port", Kind: Uint16, Doc: "Its port."},
		{Name: "user_agents", Kind: Enums, Doc: "User-Agent and Server headers seen."},
		{Name: "codecs", Kind: Enums, Doc: "Codecs that the last answering SDP named; of the offer when there was none."},
		{Name: "nodes", Kind: Enums, Doc: "Capture agents that reported it, by name, else by capture id."},
		{Name: "messages", Kind: Uint64, Doc: "SIP messages, copies by several agents included."},
		{Name: "retransmissions", Kind: Uint64, Doc: "Messages that the same sender had sent before, as each capture agent saw them."},
		{Name: "hops", Kind: Uint64, Doc: "Distinct pairs of sender and receiver of the opening requests."},
		{Name: "mos_min", Kind: Float32, Doc: "Lowest mean opinion score; NULL when none was reported."},
		{Name: "mos_avg", Kind: Float32, Doc: "Mean of the opinion scores; NULL when none was reported."},
		{Name: "loss_percent", Kind: Float32, Doc: "Mean share of packets lost, in percent; NULL when no reception was reported."},
		{Name: "jitter_ms", Kind: Float32, Doc: "Mean interarrival jitter in ms; NULL when no reception was reported."},
	},
	query: func(database string) string {
		return CallsQuery{SIP: "`" + database + "`.`sip`", Media: "`" + database + "`.`media`"}.SQL()
	},
}

// CallsQuery is the query that computes calls out of messages. The view calls
// is one use of it; a search restricts its sources instead, and asks for more.
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

// SQL is the query's text, a SELECT of the columns of Calls and of Matches.
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
