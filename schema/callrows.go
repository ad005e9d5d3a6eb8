package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nullable is the type of a figure or a time that there may be none of.
const (
	nullableTime   = "Nullable(" + utc + ")"
	nullableFigure = "Nullable(Float64)"
)

// figure is a column that is NULL where there is no such figure.
func figure(name, doc string) Column {
	return Column{Name: name, Kind: Float32, Type: nullableFigure, Doc: doc}
}

func moment(name, doc string) Column {
	return Column{Name: name, Kind: Time, Type: nullableTime, Doc: doc}
}

// callColumns are the columns of calls: those of call_rows, but for its last three.
func callColumns() []Column {
	return []Column{
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "correlation_id", Kind: Text, Index: "bloom_filter(0.01)", Doc: "What names the call: the correlation id of its first leg that is nobody's Call-ID, else that leg's Call-ID."},
		{Name: "call_ids", Kind: Enums, Index: "bloom_filter(0.01)", Doc: "Call-IDs of its legs, in order of first message."},
		{Name: "method", Kind: Enum, Doc: "Method of the request that opened it; of the first message seen when that was missed."},
		{Name: "start", Kind: Time, Doc: "First message."},
		moment("ring", "First 180 or 183 to the opening request; NULL when none."),
		moment("answer", "First 2xx to the opening request; NULL when none."),
		moment("end", "First BYE, or the final failure; NULL when neither was seen."),
		{Name: "last_seen", Kind: Time, Doc: "Last message."},
		figure("pdd_ms", "Post-dial delay: opening request to first 180 or 183, in ms; NULL when none."),
		figure("srd_ms", "Session request delay (RFC 6076 section 4.3): opening request to the first response that says how it fares (not 100, 401, 402, 407), in ms; NULL when none."),
		figure("ring_ms", "First 180 or 183 to answer or end, in ms; NULL when it did not ring."),
		figure("duration_s", "Answer to end, or to the last message while in progress, in s; NULL when not answered."),
		figure("sdd_ms", "Session disconnect delay (RFC 6076 section 4.4): BYE to its 2xx, in ms; NULL without either."),
		{Name: "outcome", Kind: Enum, Doc: "answered, failed, cancelled, unanswered or in_progress."},
		{Name: "final_status", Kind: Uint16, Doc: "Final status of the opening request; 0 when none arrived."},
		{Name: "final_reason", Kind: Enum, Doc: "Its reason phrase."},
		{Name: "q850", Kind: Uint16, Doc: "Q.850 cause of the last message that gave one; 0 when none."},
		{Name: "released_by", Kind: Enum, Doc: "Who ended it: caller, callee or network; empty when nobody did or it cannot be told."},
		{Name: "from_user", Kind: Text, Index: "bloom_filter(0.01)", Doc: "User part of From."},
		{Name: "from_domain", Kind: Enum, Doc: "Host of From."},
		{Name: "to_user", Kind: Text, Index: "bloom_filter(0.01)", Doc: "User part of To."},
		{Name: "to_domain", Kind: Enum, Doc: "Host of To."},
		{Name: "ruri_user", Kind: Text, Index: "bloom_filter(0.01)", Doc: "User part of the opening Request-URI."},
		{Name: "src_ip", Kind: Addr, Type: "IPv6", Index: "bloom_filter(0.01)", Doc: "Sender of the opening request."},
		{Name: "src_port", Kind: Uint16, Doc: "Its port."},
		{Name: "dst_ip", Kind: Addr, Type: "IPv6", Index: "bloom_filter(0.01)", Doc: "Receiver of the opening request."},
		{Name: "dst_port", Kind: Uint16, Doc: "Its port."},
		{Name: "user_agents", Kind: Enums, Doc: "User-Agent and Server headers seen."},
		{Name: "codecs", Kind: Enums, Doc: "Codecs that the last answering SDP named; of the offer when there was none."},
		{Name: "nodes", Kind: Enums, Doc: "Capture agents that reported it, by name, else by capture id."},
		{Name: "messages", Kind: Uint64, Doc: "SIP messages, copies by several agents included; a record that arrived twice counts once."},
		{Name: "retransmissions", Kind: Uint64, Doc: "Messages that the same sender had sent before, as each capture agent saw them."},
		{Name: "hops", Kind: Uint64, Doc: "Distinct pairs of sender and receiver of the opening requests."},
		figure("mos_min", "Lowest mean opinion score; NULL when none was reported."),
		figure("mos_avg", "Mean of the opinion scores; NULL when none was reported."),
		figure("loss_percent", "Mean share of packets lost, in percent; NULL when no reception was reported."),
		figure("jitter_ms", "Mean interarrival jitter in ms; NULL when no reception was reported."),
		// What the first release had ends here.
		figure("rtt_ms", "Mean round trip in ms; NULL when none was reported."),
		figure("caller_mos", "Mean opinion score of what the caller received; NULL when none was reported."),
		figure("caller_loss_percent", "Likewise the share of packets lost."),
		figure("caller_jitter_ms", "Likewise the jitter."),
		figure("callee_mos", "Mean opinion score of what the callee received; NULL when none was reported."),
		figure("callee_loss_percent", "Likewise the share of packets lost."),
		figure("callee_jitter_ms", "Likewise the jitter."),
		moment("provisional", "First 1xx, 100 included; NULL when none."),
		{Name: "ruri_domain", Kind: Enum, Doc: "Host of the opening Request-URI."},
		{Name: "pai_user", Kind: Text, Doc: "User part of P-Asserted-Identity of the opening request."},
		{Name: "diversion", Kind: Enum, Doc: "User part of its Diversion, else of its last History-Info."},
		{Name: "last_src_ip", Kind: Addr, Type: "IPv6", Doc: "Sender on the last hop of the last leg."},
		{Name: "last_src_port", Kind: Uint16, Doc: "Its port."},
		{Name: "last_dst_ip", Kind: Addr, Type: "IPv6", Doc: "Receiver on the last hop of the last leg."},
		{Name: "last_dst_port", Kind: Uint16, Doc: "Its port."},
		{Name: "transport", Kind: Enum, Doc: "Transport of the first hop."},
		{Name: "media_addresses", Kind: Enums, Doc: "Addresses that its SDP announced, as ip:port."},
		{Name: "correlation_ids", Kind: Enums, Index: "bloom_filter(0.01)", Doc: "Correlation ids of its legs."},
		{Name: "leg_reasons", Kind: Enums, Doc: "For each of call_ids what links that leg to one before it: correlation_id, a header's name, numbers, media; empty for the first."},
		{Name: "leg_confidences", Type: "Array(Float32)", Doc: "How sure each link is, 0 to 1."},
		{Name: "leg_statuses", Type: "Array(UInt16)", Doc: "Final status of each leg; 0 when none arrived."},
		{Name: "tries", Kind: Uint64, Doc: "Opening requests of the caller: challenges and redirects make it more than one."},
		{Name: "bye_answered", Kind: Uint8, Doc: "1 when the first BYE got a 2xx."},
		{Name: "opened", Kind: Uint8, Doc: "1 when the opening was seen."},
	}
}

// versionColumns end the tables of rows that are made anew.
func versionColumns() []Column {
	return []Column{
		{Name: "version", Kind: Uint64, Codec: "Delta(8), Default", Index: "minmax", Doc: "When it was computed, in µs since the epoch by the server's clock: the newest row holds."},
		// ClickHouse lets nobody change the codec of the column that says what is gone.
		{Name: "deleted", Kind: Uint8, Codec: "ZSTD(1)", Doc: "1: there is no such row any more."},
	}
}

// cardColumn is what a list of calls reads in place of the columns: rows of earlier
// versions have none.
var cardColumn = Column{Name: "card", Kind: Text, Internal: true, Doc: "What a list shows of the call, in short: the other columns say all of it. Package internal/callcard reads it; empty in rows of earlier versions."}

// settledCalls halves what an insert of calls takes: with ZSTD(1) at once, to
// compress is half of it. Better codecs than ZSTD(3) make these small granules no
// smaller.
var settledCalls = Recompression{Codec: "ZSTD(3)", Seconds: 20}

// CallRows has the calls as the assembler made them. Whoever reads takes the view
// calls, which also says what time alone decides.
var CallRows = Table{
	Name:        "call_rows",
	Doc:         "Calls as they were computed, newest version last: read them through the view calls.",
	Columns:     compressedWithAge(slices.Concat(callColumns(), []Column{cardColumn}, versionColumns())),
	Engine:      "ReplacingMergeTree(version, deleted)",
	PartitionBy: "toDate(start)",
	OrderBy:     "(toStartOfHour(start), tenant, correlation_id)",
	TTLFrom:     "start",
	TTLDays:     90,
	TTLLike:     "sip",
	// The calls of a search lie in a granule each, and a chart reads columns of all.
	Granularity: 512,
	Parts:       []Setting{wideParts, smallBlocks, seldomMerged},
	Gather:      true,
	Recompress:  settledCalls,
}

// registrationColumns are the columns of registrations.
func registrationColumns() []Column {
	return []Column{
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "call_id", Kind: Text, Index: "bloom_filter(0.01)", Doc: "Call-ID."},
		{Name: "cseq", Kind: Uint32, Doc: "CSeq number of the attempt's first request."},
		{Name: "start", Kind: Time, Doc: "First request."},
		{Name: "last_seen", Kind: Time, Doc: "Last message."},
		{Name: "user", Kind: Text, Index: "bloom_filter(0.01)", Doc: "User part of the address of record."},
		{Name: "domain", Kind: Enum, Doc: "Its host."},
		{Name: "contact", Kind: Text, Doc: "Binding as user@host:port."},
		{Name: "src_ip", Kind: Addr, Type: "IPv6", Index: "bloom_filter(0.01)", Doc: "Sender of the request."},
		{Name: "src_port", Kind: Uint16, Doc: "Its port."},
		{Name: "dst_ip", Kind: Addr, Type: "IPv6", Index: "bloom_filter(0.01)", Doc: "Receiver of the request: the registrar, or a proxy."},
		{Name: "dst_port", Kind: Uint16, Doc: "Its port."},
		{Name: "transport", Kind: Enum, Doc: "Transport of the request."},
		{Name: "user_agent", Kind: Enum, Doc: "User-Agent header."},
		{Name: "nodes", Kind: Enums, Doc: "Capture agents that reported it."},
		{Name: "outcome", Kind: Enum, Doc: "registered, deregistered, failed, unanswered or in_progress."},
		{Name: "status", Kind: Uint16, Doc: "Final response; 0 when none came."},
		{Name: "cause", Kind: Enum, Doc: "Its reason phrase."},
		{Name: "expires", Kind: Uint32, Doc: "What the registrar granted, else what was asked for, in s."},
		figure("rrd_ms", "Registration request delay (RFC 6076 section 4.1), challenges included, in ms; NULL when it did not succeed."),
		{Name: "ineffective", Kind: Uint8, Doc: "1: a failed attempt by RFC 6076 section 4.2."},
		{Name: "requests", Kind: Uint64, Doc: "Distinct requests of the attempt."},
		{Name: "challenged", Kind: Uint8, Doc: "1 when there was a challenge among the responses."},
		{Name: "messages", Kind: Uint64, Doc: "SIP messages, copies by several agents included."},
		{Name: "retransmissions", Kind: Uint64, Doc: "Messages that the same sender had sent before."},
	}
}

// RegistrationRows has the attempts to register as the assembler made them.
var RegistrationRows = Table{
	Name:        "registration_rows",
	Doc:         "Attempts to register as they were computed: read them through the view registrations.",
	Columns:     compressedWithAge(slices.Concat(registrationColumns(), versionColumns())),
	Engine:      "ReplacingMergeTree(version, deleted)",
	PartitionBy: "toDate(start)",
	OrderBy:     "(toStartOfHour(start), tenant, call_id, start)",
	TTLFrom:     "start",
	TTLDays:     90,
	TTLLike:     "sip",
	Granularity: 1024,
	Parts:       []Setting{seldomMerged},
	Gather:      true,
	Recompress:  settledCalls,
}

// patienceSQL is how long after its last message a call without a final response
// is waited for, in s: 64*T1 (RFC 3261 section 17.1), and 3 minutes once it rings
// (timer C, section 16.6).
const (
	patience        = 32
	patienceRinging = 180
)

var patienceSQL = fmt.Sprintf("if(isNull(r.ring), %d, %d)", patience, patienceRinging)

// upHours is after how many hours an answered call of which nothing more is
// heard is taken to have ended unseen.
const upHours = 24

var upLimit = strconv.Itoa(upHours)

// callOutcome settles what time alone decides.
var callOutcome = `multiIf(
        r.outcome = 'in_progress' AND isNull(r.answer) AND r.last_seen < now64(6) - toIntervalSecond(` + patienceSQL + `), 'unanswered',
        r.outcome = 'in_progress' AND r.last_seen < now64(6) - toIntervalHour(` + upLimit + `), 'answered',
        r.outcome)`

// CallOutcomeSQL is the expression for the outcome of a row r of call_rows: what time
// alone decides is in no row. The view calls has it; reading it and a few columns
// from call_rows spares ClickHouse the planning of all the others.
func CallOutcomeSQL() string { return callOutcome }

// OutcomeAt is what CallOutcomeSQL gives at the time now, by the server's clock,
// for a row with these values; ring and answer are zero where it has none.
func OutcomeAt(outcome string, ring, answer, lastSeen, now time.Time) string {
	if outcome != "in_progress" {
		return outcome
	}
	wait := patience * time.Second
	if !ring.IsZero() {
		wait = patienceRinging * time.Second
	}
	switch {
	case answer.IsZero() && lastSeen.Before(now.Add(-wait)):
		return "unanswered"
	case lastSeen.Before(now.Add(-upHours * time.Hour)):
		return "answered"
	}
	return outcome
}

// CallUpSQL is the condition that a row r of call_rows, of a call that was answered
// and last heard of at that time, has the outcome in_progress by CallOutcomeSQL.
func CallUpSQL(lastSeen string) string {
	return "r.outcome = 'in_progress' AND " + lastSeen + " >= now64(6) - toIntervalHour(" + upLimit + ")"
}

// What the views compute of rows r of their tables, by column.
var (
	callComputed         = map[string]string{"outcome": callOutcome}
	registrationComputed = func() map[string]string {
		const given = "r.outcome = 'in_progress' AND r.last_seen < now64(6) - toIntervalSecond(32)"
		return map[string]string{"outcome": "if(" + given + ", 'unanswered', r.outcome)", "ineffective": "toUInt8(if(" + given + ", 1, r.ineffective))"}
	}()
)

// callsView reads call_rows. That rows of one key are always in one partition
// makes the partitions' FINALs independent.
func callsView(o Options) string {
	return "SELECT\n    " + strings.Join(viewed(callColumns(), callComputed), ",\n    ") +
		"\nFROM " + o.table(CallRows.Name) + " AS r FINAL"
}

func registrationsView(o Options) string {
	return "SELECT\n    " + strings.Join(viewed(registrationColumns(), registrationComputed), ",\n    ") +
		"\nFROM " + o.table(RegistrationRows.Name) + " AS r FINAL"
}

// viewed lists a view's columns; r is the table that it reads.
func viewed(columns []Column, computed map[string]string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = "r.`" + c.Name + "` AS `" + c.Name + "`"
		if sql, ok := computed[c.Name]; ok {
			out[i] = sql + " AS `" + c.Name + "`"
		}
	}
	return out
}
