package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// Sum is a figure of one call or registration that rollups add up: a count, a
// total, or a state from which quantiles are computed. docs/kpis.md defines them.
type Sum struct {
	Name, Doc string
	// SQL is the figure of a row of the rollup's source.
	SQL string
	// Quantiles: SQL is Nullable, and what is kept is a state for quantiles.
	Quantiles bool
}

// quantileLevels are the levels that states are read at.
const quantileLevels = "0.5, 0.95, 0.99"

// Type is the ClickHouse type of the sum's column.
func (s Sum) Type() string {
	if s.Quantiles {
		return "AggregateFunction(quantilesTDigestIf(" + quantileLevels + "), Float64, UInt8)"
	}
	return "Float64"
}

// Gather is the aggregate that makes the sum of rows of the source.
func (s Sum) Gather() string {
	if s.Quantiles {
		return "quantilesTDigestIfState(" + quantileLevels + ")(assumeNotNull(" + s.SQL + "), toUInt8(isNotNull(" + s.SQL + ")))"
	}
	return "sum(toFloat64(" + s.SQL + "))"
}

// Merge is the aggregate that adds sums up.
func (s Sum) Merge() string {
	if s.Quantiles {
		return "quantilesTDigestIfMergeState(" + quantileLevels + ")(`" + s.Name + "`)"
	}
	return "sum(`" + s.Name + "`)"
}

// Rollup is a family of tables of sums by time, tenant, and one dimension at a
// time. A bucket is always computed whole, of the rows that there are: late
// messages, repetitions and the order of things cannot skew it.
type Rollup struct {
	// Name is the tables' prefix, Source the view that is summed up, Rows the table
	// that it reads.
	Name, Source, Rows string
	Sums               []Sum
	// Dimensions are, by name, the SQL of a row's values: an array.
	Dimensions []Dimension

	// columns are the source's, computed is what it computes of rows r of the table.
	columns  []Column
	computed map[string]string
}

// Dimension is what sums are split by.
type Dimension struct {
	Name string
	// Values is SQL for the array of a row's values as text.
	Values string
}

// DimensionAll is the dimension of the sums of everything; its value is empty.
const DimensionAll = "all"

// Resolution is a width of buckets.
type Resolution struct {
	// Suffix is that of the tables' names.
	Suffix  string
	Seconds int64
	// days is how long rows are kept.
	days int
}

// Resolutions are the widths of buckets, finest first; each is made of the one
// before, the first of the source.
var Resolutions = []Resolution{{"1m", 60, 90}, {"1h", 3600, 730}, {"1d", 86400, 3650}}

// isAttempt is the condition for a call that was attempted.
const isAttempt = "method = 'INVITE' AND opened = 1"

// attempted is SQL that is 1 where the condition holds for a call that was attempted.
func attempted(condition string) string { return "(" + isAttempt + " AND (" + condition + "))" }

const (
	isAnswered = "final_status BETWEEN 200 AND 299"
	// The failures that the user called caused: see calls.CountsOf.
	reachedUser = `(final_status >= 400 OR outcome IN ('cancelled', 'unanswered')) AND (final_status IN (480, 486, 600, 603, 607)
        OR (final_status IN (0, 408, 487) AND isNotNull(ring) AND outcome != 'in_progress') OR q850 IN (17, 18, 19, 20, 21))`
	isEnded  = isAnswered + " AND outcome = 'answered'"
	isActive = isAnswered + " AND outcome = 'in_progress'"
)

func figureIf(condition, value string) string {
	return "if(" + attempted(condition) + ", " + value + ", NULL)"
}

// CallRollup sums up calls.
var CallRollup = Rollup{
	Name: "kpi", Source: "calls", Rows: "call_rows", columns: callColumns(), computed: callComputed,
	Sums: []Sum{
		{Name: "attempts", Doc: "INVITE calls whose opening was seen.", SQL: attempted("1")},
		{Name: "pending", Doc: "Of these, without an outcome yet.", SQL: attempted("outcome = 'in_progress' AND NOT (" + isAnswered + ")")},
		{Name: "answered", Doc: "Final response 2xx.", SQL: attempted(isAnswered)},
		{Name: "redirected", Doc: "Final response 3xx.", SQL: attempted("final_status BETWEEN 300 AND 399")},
		{Name: "cancelled", Doc: "Given up by the caller.", SQL: attempted("outcome = 'cancelled'")},
		{Name: "failed", Doc: "Failed, redirected included.", SQL: attempted("outcome = 'failed'")},
		{Name: "unanswered", Doc: "No final response.", SQL: attempted("outcome = 'unanswered'")},
		{Name: "final_4xx", Doc: "Final response 4xx.", SQL: attempted("final_status BETWEEN 400 AND 499")},
		{Name: "final_5xx", Doc: "Final response 5xx.", SQL: attempted("final_status BETWEEN 500 AND 599")},
		{Name: "final_6xx", Doc: "Final response 6xx.", SQL: attempted("final_status BETWEEN 600 AND 699")},
		{Name: "effective", Doc: "Final response 200, 480, 486, 600 or 603.", SQL: attempted("final_status IN (200, 480, 486, 600, 603)")},
		{Name: "ineffective", Doc: "Final response 408, 500, 503 or 504.", SQL: attempted("final_status IN (408, 500, 503, 504)")},
		{Name: "delivered", Doc: "Answered, or the user called was reached.", SQL: attempted("(" + isAnswered + ") OR (" + reachedUser + ")")},
		{Name: "ended", Doc: "Answered, and over.", SQL: attempted(isEnded)},
		{Name: "active", Doc: "Answered, and up.", SQL: attempted(isActive)},
		{Name: "completed", Doc: "Ended by a BYE that got a 2xx.", SQL: attempted(isEnded + " AND bye_answered = 1")},
		{Name: "talk_seconds", Doc: "Time from the answer to the BYE, of those ended.", SQL: "ifNull(" + figureIf(isEnded, "duration_s") + ", 0)"},
		{Name: "call_messages", Doc: "SIP messages of calls, copies included.", SQL: "messages"},
		{Name: "retransmissions", Doc: "Of these, what the same sender had sent before.", SQL: "retransmissions"},
		{Name: "mos_sum", Doc: "Mean opinion scores of calls that have one, added up.", SQL: "ifNull(mos_avg, 0)"},
		{Name: "mos_count", Doc: "How many calls have one.", SQL: "isNotNull(mos_avg)"},
		{Name: "jitter_sum", Doc: "Jitter of calls that have one, in ms.", SQL: "ifNull(jitter_ms, 0)"},
		{Name: "loss_sum", Doc: "Share lost of calls that have one, in percent.", SQL: "ifNull(loss_percent, 0)"},
		{Name: "reception_count", Doc: "How many calls have the two.", SQL: "isNotNull(loss_percent)"},
		{Name: "srd", Doc: "Session request delay in ms, for quantiles.", SQL: figureIf("("+isAnswered+") OR final_status >= 400", "srd_ms"), Quantiles: true},
		{Name: "pdd", Doc: "Post-dial delay in ms, likewise.", SQL: figureIf("1", "pdd_ms"), Quantiles: true},
		{Name: "sdd", Doc: "Session disconnect delay in ms, likewise.", SQL: figureIf("1", "sdd_ms"), Quantiles: true},
		{Name: "sdt", Doc: "Session duration time in s, likewise.", SQL: figureIf(isEnded, "duration_s"), Quantiles: true},
	},
	Dimensions: []Dimension{
		{DimensionAll, "['']"},
		{"node", "arrayMap(n -> toString(n), nodes)"},
		{"src_ip", "[" + addressText("src_ip") + "]"},
		{"dst_ip", "[" + addressText("dst_ip") + "]"},
		{"user_agent", "arrayMap(a -> toString(a), user_agents)"},
		{"prefix", "[extract(ruri_user, '^\\\\+?[0-9]{1,4}')]"},
		{"final_status", "[if(final_status = 0, '', toString(final_status))]"},
		{"released_by", "[toString(released_by)]"},
	},
}

const wasRegistered = "outcome IN ('registered', 'deregistered')"

// RegistrationRollup sums up registrations.
var RegistrationRollup = Rollup{
	Name: "registrations", Source: "registrations", Rows: "registration_rows", columns: registrationColumns(), computed: registrationComputed,
	Sums: []Sum{
		{Name: "attempts", Doc: "Attempts to register.", SQL: "1"},
		{Name: "pending", Doc: "Of these, without an outcome yet.", SQL: "outcome = 'in_progress'"},
		{Name: "succeeded", Doc: "2xx.", SQL: wasRegistered},
		{Name: "failures", Doc: "A final 3xx to 6xx, or none.", SQL: "outcome IN ('failed', 'unanswered')"},
		{Name: "ineffective", Doc: "Failed attempts by RFC 6076 section 4.2.", SQL: "ineffective"},
		{Name: "challenged", Doc: "Attempts that were challenged.", SQL: "challenged"},
		{Name: "rrd", Doc: "Registration request delay in ms, for quantiles.", SQL: "rrd_ms", Quantiles: true},
	},
	Dimensions: []Dimension{
		{DimensionAll, "['']"},
		{"node", "arrayMap(n -> toString(n), nodes)"},
		{"src_ip", "[" + addressText("src_ip") + "]"},
		{"dst_ip", "[" + addressText("dst_ip") + "]"},
		{"user_agent", "[toString(user_agent)]"},
		{"status", "[if(status = 0, '', toString(status))]"},
	},
}

// Rollups lists the rollups that the assembler keeps.
func Rollups() []*Rollup { return []*Rollup{&CallRollup, &RegistrationRollup} }

// maxValues bounds the values of a dimension in a bucket: addresses of trunks are
// kept first, then those with the most attempts. The dimension all has everything.
const maxValues = "500"

// ofTrunk says whether a bucket's value is an address of a trunk, so that no trunk
// is lost among telephones.
func (o Options) ofTrunk() string {
	return "dim IN ('src_ip', 'dst_ip') AND " + TrunkSQL("toIPv6OrDefault(value)", o.table(Trunks.Name)) + " != ''"
}

// TableName is the name of the rollup's table of that resolution.
func (r *Rollup) TableName(res Resolution) string { return r.Name + "_" + res.Suffix }

// Tables are the rollup's tables, finest first.
func (r *Rollup) Tables() []*Table {
	var out []*Table
	for _, res := range Resolutions {
		columns := []Column{
			{Name: "bucket", Type: "DateTime('UTC')", Codec: "Delta(4), ZSTD(1)", Doc: "Start of the interval: what began in it is counted."},
			{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
			{Name: "dim", Kind: Enum, Doc: "What value is of: all, " + strings.Join(r.dimensionNames(), ", ") + "."},
			{Name: "value", Kind: Text, Doc: "The value; empty for all."},
		}
		for _, s := range r.Sums {
			columns = append(columns, Column{Name: s.Name, Type: s.Type(), Doc: s.Doc})
		}
		partition := "toYYYYMM(bucket)"
		if res.Seconds >= 86400 {
			partition = "toYear(bucket)"
		}
		out = append(out, &Table{
			Name: r.TableName(res), Doc: fmt.Sprintf("Sums of %s by %s, tenant and one dimension at a time.", r.Source, map[string]string{"1m": "minute", "1h": "hour", "1d": "day"}[res.Suffix]),
			Columns:     append(columns, Column{Name: "version", Kind: Uint64, Doc: "When it was computed, in µs since the epoch: the newest row holds."}),
			Engine:      "ReplacingMergeTree(version)",
			PartitionBy: partition,
			OrderBy:     "(dim, tenant, bucket, value)",
			Parts:       []Setting{wideParts},
			Gather:      true,
			TTLFrom:     "bucket",
			TTLDays:     res.days,
			ShardBy:     "cityHash64(dim, tenant, value)",
		})
	}
	return out
}

func (r *Rollup) dimensionNames() []string {
	var out []string
	for _, d := range r.Dimensions[1:] {
		out = append(out, d.Name)
	}
	return out
}

// Dimension returns the named dimension.
func (r *Rollup) Dimension(name string) (Dimension, bool) {
	for _, d := range r.Dimensions {
		if d.Name == name {
			return d, true
		}
	}
	return Dimension{}, false
}

// OfRow is the SQL of a sum, or of the values of a dimension, over the columns of the
// source as one over rows r of the table Rows.
func (r *Rollup) OfRow(sql string) string {
	return identifiers.ReplaceAllStringFunc(sql, func(name string) string {
		if computed, ok := r.computed[name]; ok {
			return "(" + computed + ")"
		}
		return name
	})
}

var identifiers = regexp.MustCompile(`\b[a-z_0-9]+\b`)

// Sum returns the named sum.
func (r *Rollup) Sum(name string) (Sum, bool) {
	for _, s := range r.Sums {
		if s.Name == name {
			return s, true
		}
	}
	return Sum{}, false
}

// FillSQL computes buckets of the finest resolution whole, of the rows of the
// source that meet the condition, which must be all that begin in the buckets.
// buckets is a condition on the column bucket for the same: rows that are there
// and have no calls any more become zero.
//
// Half of what such a query takes is its planning, so it reads the columns that it
// wants rather than the source, says once what most sums ask, and asks it of a call
// rather than of each of its values.
func (r *Rollup) FillSQL(o Options, condition, buckets string, version uint64) string {
	ofCall, ofValue := make([]string, len(r.Sums)), make([]string, len(r.Sums))
	for i, s := range r.Sums {
		name := fmt.Sprintf("s%d", i)
		ofCall[i] = strings.ReplaceAll(s.SQL, isAttempt, "is_attempt") + " AS " + name
		s.SQL = name
		ofValue[i] = s.Gather() + " AS `" + s.Name + "`"
	}
	return r.fill(o, Resolutions[0], "SELECT bucket, tenant, pair.1 AS dim, pair.2 AS value, "+strings.Join(ofValue, ", ")+
		"\n    FROM (SELECT toStartOfMinute(start) AS bucket, tenant, "+strings.Join(ofCall, ", ")+", "+r.pairs()+" AS pairs"+
		"\n    FROM ("+r.rowsSQL(o, condition)+")) ARRAY JOIN pairs AS pair GROUP BY bucket, tenant, dim, value"+
		" ORDER BY "+o.ofTrunk()+" DESC, attempts DESC LIMIT "+maxValues+" BY bucket, tenant, dim", buckets, version)
}

// rowsSQL reads the columns of the source that sums and dimensions are made of.
func (r *Rollup) rowsSQL(o Options, condition string) string {
	wanted := map[string]bool{"tenant": true, "start": true}
	var columns []string
	note := func(sql string) {
		if strings.Contains(sql, isAttempt) && !wanted["is_attempt"] {
			wanted["is_attempt"] = true
			columns = append(columns, isAttempt+" AS is_attempt")
		}
		for _, name := range identifiers.FindAllString(strings.ReplaceAll(sql, isAttempt, ""), -1) {
			wanted[name] = true
		}
	}
	for _, s := range r.Sums {
		note(s.SQL)
	}
	for _, d := range r.Dimensions {
		note(d.Values)
	}
	var read []Column
	for _, c := range r.columns {
		if wanted[c.Name] {
			read = append(read, c)
		}
	}
	return "SELECT " + strings.Join(append(viewed(read, r.computed), columns...), ", ") + " FROM " + o.table(r.Rows) + " AS r FINAL WHERE " + condition
}

// CoarsenSQL computes buckets of the resolution, by its place in Resolutions, of
// those of the finer one before it.
func (r *Rollup) CoarsenSQL(o Options, place int, finer, buckets string, version uint64) string {
	res, from := Resolutions[place], Resolutions[place-1]
	return r.fill(o, res, fmt.Sprintf("SELECT toDateTime(intDiv(toUInt32(f.bucket), %d) * %d, 'UTC') AS bucket, tenant, dim, value, %s\n    FROM %s AS f FINAL WHERE %s GROUP BY bucket, tenant, dim, value",
		res.Seconds, res.Seconds, r.list(Sum.Merge), o.table(r.TableName(from)), finer), buckets, version)
}

// fill inserts what the query gives, and zeros for the keys that there are besides.
func (r *Rollup) fill(o Options, res Resolution, query, buckets string, version uint64) string {
	table := o.table(r.TableName(res))
	var names, zeros []string
	for _, s := range r.Sums {
		names = append(names, "`"+s.Name+"`")
		zero := "0"
		if s.Quantiles {
			zero = "initializeAggregation('quantilesTDigestIfState(" + quantileLevels + ")', toFloat64(0), toUInt8(0))"
		}
		zeros = append(zeros, zero+" AS `"+s.Name+"`")
	}
	columns := "bucket, tenant, dim, value, " + strings.Join(names, ", ")
	return fmt.Sprintf("INSERT INTO %s (%s, version)\nSELECT %s, %d\nFROM\n(\n    SELECT %s, 1 AS is_there FROM (%s)\n    UNION ALL\n    SELECT bucket, tenant, dim, value, %s, 0 AS is_there FROM %s WHERE %s\n)\nORDER BY is_there DESC LIMIT 1 BY bucket, tenant, dim, value",
		table, columns, columns, version, columns, query, strings.Join(zeros, ", "), table, buckets)
}

func (r *Rollup) list(f func(Sum) string) string {
	out := make([]string, len(r.Sums))
	for i, s := range r.Sums {
		out[i] = f(s) + " AS `" + s.Name + "`"
	}
	return strings.Join(out, ", ")
}

// pairs is the array of a row's dimensions and values.
func (r *Rollup) pairs() string {
	out := make([]string, len(r.Dimensions))
	for i, d := range r.Dimensions {
		out[i] = "arrayMap(v -> (" + Quote(d.Name) + ", v), " + d.Values + ")"
	}
	return "arrayConcat(" + strings.Join(out, ", ") + ")"
}

// Messages1m counts messages by minute.
var Messages1m = Table{
	Name: "messages_1m",
	Doc:  "SIP messages by minute.",
	Columns: []Column{
		{Name: "bucket", Type: "DateTime('UTC')", Codec: "Delta(4), ZSTD(1)", Doc: "The minute."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "node", Kind: Enum, Doc: "Name of the capture agent."},
		{Name: "cseq_method", Kind: Enum, Doc: "Method of the CSeq header."},
		{Name: "status", Kind: Uint16, Doc: "Status code; 0 for requests."},
		{Name: "messages", Kind: Uint64, Doc: "How many."},
	},
	Engine:      "SummingMergeTree",
	PartitionBy: "toYYYYMM(bucket)",
	OrderBy:     "(tenant, bucket, node, cseq_method, status)",
	TTLFrom:     "bucket",
	TTLDays:     730,
	ShardBy:     "cityHash64(tenant, bucket, node)",
}

// MessagesFeed counts messages.
var MessagesFeed = Feed{
	Name: "messages_feed", From: "sip", To: "messages_1m", Doc: "Messages by minute, into messages_1m.",
	columns: "bucket, tenant, node, cseq_method, status, messages", adds: true,
	query: func(o Options) string {
		return "SELECT toStartOfMinute(time) AS bucket, tenant, node, cseq_method, status, count() AS messages\nFROM " + o.table("sip") + "\nGROUP BY bucket, tenant, node, cseq_method, status"
	},
}
