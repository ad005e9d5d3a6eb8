package schema

import (
	"fmt"
	"strings"
	"time"
)

// Derived lists the tables that are computed from those that ingest fills: the
// first ones by materialized views (see Feeds), the others by the assembler.
func Derived() []*Table {
	tables := []*Table{&Legs, &LegLinks, &LegReports, &CallRows, &RegistrationRows, &AssemblerState, &Messages1m, &Restored, &IDs}
	tables = append(tables, keeperTables()...)
	for _, r := range Rollups() {
		tables = append(tables, r.Tables()...)
	}
	return tables
}

// slot is how much time a row of legs covers. A call lies in one or two of them;
// the newest ones are what the assembler reads over and over.
const slot = "toStartOfTenMinutes(time)"

// eventType is one message of a leg, as calls.Event has it: Go reads the fields
// in this order.
const eventType = "Tuple(time Int64, method UInt8, status UInt16, cseq UInt32, from_tag UInt32, to_tag UInt32, branch UInt32, src UInt32, dst UInt32, agent UInt32, sdp UInt32, expires UInt32)"

// addressType is an address that hashes of events stand for.
const addressType = "Tuple(hash UInt32, ip IPv6, port UInt16)"

// reportType is one quality report: when and by whom, its stream, its figures.
const reportType = "Tuple(time Int64, ip IPv6, port UInt16, ssrc UInt32, reporter UInt32, mos Float32, loss Float32, jitter Float32, rtt Float32, reception UInt8)"

func union(element string) string {
	return "SimpleAggregateFunction(groupUniqArrayArray, Array(" + element + "))"
}

func simple(function, typ string) string {
	return "SimpleAggregateFunction(" + function + ", " + typ + ")"
}

const utc = "DateTime64(6, 'UTC')"

// legKey are the columns that name a row of legs.
func legKey(rest ...Column) []Column {
	return append([]Column{
		{Name: "slot", Type: "DateTime('UTC')", Doc: "The ten minutes that the messages lie in."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "call_id", Kind: Text, Doc: "Call-ID of the leg."},
		{Name: "touched", Type: simple("max", utc), Codec: "Delta(8), ZSTD(1)", Index: "minmax", Doc: "When the server began the newest insert that is in it."},
	}, rest...)
}

// Legs has what the assembler makes calls of: for each Call-ID and ten minutes
// the messages in short. Every column may be fed the same message twice: none
// counts.
var Legs = Table{
	Name: "legs",
	Doc:  "Messages of calls and registrations in short, by Call-ID and ten minutes: what call_rows is made of.",
	Columns: legKey(
		Column{Name: "first", Type: simple("min", utc), Codec: "Delta(8), ZSTD(1)", Doc: "First message."},
		Column{Name: "last", Type: simple("max", utc), Codec: "Delta(8), ZSTD(1)", Doc: "Last message."},
		Column{Name: "events", Type: simple("groupArrayArray", "Array("+eventType+")"), Doc: "Each message: time in µs, method by number, status, CSeq, expiry; tags, branch, addresses, agent and SDP as hashes."},
		Column{Name: "opening", Type: simple("max", "String"), Doc: "The opening request's facts in words parted by \\x1f, after what makes the one wanted the greatest: whether it opens, is on its first hop, is a request, and its time counted down."},
		Column{Name: "addresses", Type: union(addressType), Doc: "Addresses that hashes in events stand for."},
		Column{Name: "correlation_ids", Type: union("String"), Doc: "Correlation ids other than the Call-ID."},
		Column{Name: "link_ids", Type: union("String"), Doc: "header:value of what else names the call."},
		Column{Name: "reasons", Type: union("Tuple(status UInt16, reason String)"), Doc: "Reason phrases of responses."},
		Column{Name: "q850", Type: simple("max", "UInt64"), Doc: "Time in µs << 12 | last cause of Reason."},
		Column{Name: "offered", Type: simple("max", "String"), Doc: "Time in hexadecimal and summary of the last SDP of a request."},
		Column{Name: "answered", Type: simple("max", "String"), Doc: "Likewise of a response."},
		Column{Name: "user_agents", Type: union("String"), Doc: "User-Agent and Server headers."},
		Column{Name: "nodes", Type: union("String"), Doc: "Capture agents, by name, else by capture id."},
		Column{Name: "media", Type: union("String"), Doc: "Addresses that SDP announced, as ip:port."},
	),
	Engine:      "AggregatingMergeTree",
	PartitionBy: "toDate(slot)",
	OrderBy:     "(slot, tenant, call_id)",
	TTLFrom:     "touched",
	TTLDays:     8,
	Granularity: 512,
}

// LegLinks finds legs by what they share with others.
var LegLinks = Table{
	Name: "leg_links",
	Doc:  "Legs by what ties them to others: correlation ids that are not their Call-ID, and link ids.",
	Columns: []Column{
		{Name: "slot", Type: "DateTime('UTC')", Doc: "The ten minutes that the messages lie in."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "key", Kind: Text, Doc: "Correlation id, or a link id's value."},
		{Name: "call_id", Kind: Text, Doc: "Call-ID of the leg that has it."},
		{Name: "touched", Type: simple("max", utc), Codec: "Delta(8), ZSTD(1)", Doc: "When the server began the newest insert that is in it."},
	},
	Engine:      "AggregatingMergeTree",
	PartitionBy: "toDate(slot)",
	OrderBy:     "(slot, tenant, key, call_id)",
	TTLFrom:     "touched",
	TTLDays:     8,
	Granularity: 512,
}

// LegReports has the quality reports of legs.
var LegReports = Table{
	Name: "leg_reports",
	Doc:  "Quality reports in short, by Call-ID and ten minutes.",
	Columns: legKey(
		Column{Name: "reports", Type: simple("groupArrayArray", "Array("+reportType+")"), Doc: "Each report: time in µs, who sent it, its stream, MOS, share lost, jitter and round trip in ms, and whether it says anything of reception."},
	),
	Engine:      "AggregatingMergeTree",
	PartitionBy: "toDate(slot)",
	OrderBy:     "(slot, tenant, call_id)",
	TTLFrom:     "touched",
	TTLDays:     8,
	Granularity: 512,
}

// AssemblerState says which assembler works, and how far it is.
var AssemblerState = Table{
	Name: "assembler",
	Doc:  "Which process makes calls of legs, and how far it is: the newest row holds.",
	Columns: []Column{
		{Name: "time", Type: utc, Doc: "When this was so, by the server's clock."},
		{Name: "holder", Kind: Text, Doc: "The process that works."},
		{Name: "done", Type: utc, Doc: "Legs touched before this are in call_rows."},
	},
	ShardBy:     "0",
	PartitionBy: "toDate(time)",
	OrderBy:     "(time, holder)",
	TTLDays:     2,
}

// Feed is a materialized view: what is inserted into From goes through Query
// into To, block by block.
type Feed struct {
	Name, From, To, Doc string

	// columns are those of To that the query gives, in its order.
	columns string
	query   func(o Options) string
	// adds: To adds up what it is given, so that nothing may be given twice.
	adds bool
}

// Query is the feed's SELECT, with the tables qualified by their database: those
// of the node.
func (f *Feed) Query(o Options) string { return f.query(o.onNode()) }

// BackfillSQL feeds what was stored on a day (such as 2026-11-21) before the feed
// was made, which was at the time before. Doing so again does no harm. Where
// ClickHouse carries statements to all nodes, which it does not with this one, it
// feeds what all nodes have, else what the node has.
func (f *Feed) BackfillSQL(o Options, day string, before time.Time) string {
	if !o.Cluster.OnCluster {
		o = o.onNode()
	}
	source := "(SELECT * FROM " + o.table(f.From) + " WHERE toDate(time) = " + Quote(day)
	if f.adds {
		limit := fmt.Sprintf("toStartOfMinute(toDateTime(%d, 'UTC'))", before.Unix())
		source += " AND time < " + limit + " AND (SELECT count() FROM " + o.table(f.To) + " WHERE toDate(bucket) = " + Quote(day) + " AND bucket < " + limit + ") = 0"
	}
	names := f.columns
	return "INSERT INTO " + o.table(f.To) + " (" + names + ")\n" + strings.Replace(f.query(o), "FROM "+o.table(f.From), "FROM "+source+")", 1) +
		"\nSETTINGS asterisk_include_alias_columns = 1, max_partitions_per_insert_block = 0, optimize_on_insert = 0, " + DistributedSettings
}

// CreateSQL is the statement that creates the feed.
func (f *Feed) CreateSQL(o Options) string {
	return fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS %s TO %s AS\n%s\nCOMMENT %s", o.Target(f.Name), o.onNode().table(f.To), f.Query(o), Quote(f.Doc))
}

// Feeds lists the materialized views.
func Feeds() []*Feed {
	return []*Feed{&IDsFeed, &LegsFeed, &FactsFeed, &LinksFeed, &ReportsFeed, &MessagesFeed}
}

// CallMethods are the methods, by CSeq, whose messages make calls and
// registrations. Those of others (OPTIONS pings, MESSAGE, SUBSCRIBE, PUBLISH) are
// in sip alone.
var CallMethods = []string{"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "REFER", "INFO", "NOTIFY", "REGISTER"}

// methodNumbers are the numbers of CallMethods in events: those of package calls.
var methodNumbers = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"

var callMethodsSQL = "'" + strings.Join(CallMethods, "', '") + "'"

func hash(column string) string {
	return "if(" + column + " = '', 0, toUInt32(cityHash64(" + column + ")))"
}

// hostHash is the hash of an address and port. The function of one column alone
// is computed once for each value in its dictionary.
func hostHash(ip, port string) string {
	return "toUInt32(cityHash64(toString(" + ip + ")) + " + port + " * 2654435761)"
}

// LegsFeed adds each message to its leg.
var LegsFeed = Feed{
	Name: "legs_feed", From: "sip", To: "legs", Doc: "Messages of calls and registrations, into legs.",
	columns: "slot, tenant, call_id, touched, first, last, events, nodes, user_agents",
	query: func(o Options) string {
		return `SELECT
    ` + slot + ` AS slot,
    tenant,
    call_id,
    now64(6, 'UTC') AS touched,
    min(time) AS first,
    max(time) AS last,
    groupArray((toUnixTimestamp64Micro(time), toUInt8(transform(if(method != '', method, cseq_method), [` + callMethodsSQL + `], ` + methodNumbers + `, 0)), status, cseq, ` +
			hash("from_tag") + ", " + hash("to_tag") + ", " + hash("via_branch") + ",\n        " + hostHash("src_ip", "src_port") + ", " + hostHash("dst_ip", "dst_port") +
			", toUInt32(cityHash64(node) + capture_id), " + hash("sdp") + `, expires)) AS events,
    groupUniqArrayIf(if(node != '', node, toString(capture_id)), node != '' OR capture_id != 0) AS nodes,
    groupUniqArrayIf(if(user_agent != '', toString(user_agent), toString(server)), user_agent != '' OR server != '') AS user_agents
FROM ` + o.table("sip") + `
WHERE cseq_method IN (` + callMethodsSQL + `) AND call_id != ''
GROUP BY slot, tenant, call_id`
	},
}

// opens is the condition for requests that could have opened a leg.
const opens = "(method NOT IN ('', 'ACK', 'BYE', 'CANCEL', 'PRACK') AND to_tag = '')"

// openingWords are the words of the column opening after its first, in the order
// in which Go reads them.
var openingWords = []string{
	"method", "from_user", "from_domain", "to_user", "to_domain", "ruri_user", "ruri_domain", "pai_user", "diversion",
	"contact_user", "contact_host", "toString(contact_port)", "toString(src_ip)", "toString(src_port)", "toString(dst_ip)", "toString(dst_port)", "transport", "user_agent",
}

// FactsFeed adds what only some messages say: opening requests, final responses,
// session descriptions, links.
var FactsFeed = Feed{
	Name: "facts_feed", From: "sip", To: "legs", Doc: "What opening requests, final responses and session descriptions say, into legs.",
	columns: "slot, tenant, call_id, touched, first, last, opening, addresses, correlation_ids, link_ids, reasons, q850, offered, answered, user_agents, media",
	query: func(o Options) string {
		return `SELECT
    ` + slot + ` AS slot,
    tenant,
    call_id,
    now64(6, 'UTC') AS touched,
    min(time) AS first,
    max(time) AS last,
    max(concat(if(` + opens + `, '1', '0'), if(via_host = replaceOne(toString(src_ip), '::ffff:', ''), '1', '0'), if(status = 0, '1', '0'), hex(bitNot(toUnixTimestamp64Micro(time))), '\x1f', ` + strings.Join(openingWords, `, '\x1f', `) + `)) AS opening,
    groupUniqArrayArrayIf([(` + hostHash("src_ip", "src_port") + `, toIPv6(src_ip), src_port), (` + hostHash("dst_ip", "dst_port") + `, toIPv6(dst_ip), dst_port)], ` + opens + `) AS addresses,
    groupUniqArrayIf(correlation_id, correlation_id != call_id AND correlation_id != '') AS correlation_ids,
    groupUniqArrayArrayIf(` + linkIDs(o) + `, notEmpty(headers)) AS link_ids,
    groupUniqArrayIf((status, toString(reason)), status >= 200) AS reasons,
    maxIf(bitOr(bitShiftLeft(toUInt64(toUnixTimestamp64Micro(time)), 12), least(s.q850, 4095)), s.q850 > 0) AS q850,
    maxIf(concat(leftPad(hex(toUnixTimestamp64Micro(time)), 16, '0'), sdp), sdp != '' AND status = 0) AS offered,
    maxIf(concat(leftPad(hex(toUnixTimestamp64Micro(time)), 16, '0'), sdp), sdp != '' AND status > 0) AS answered,
    groupUniqArrayIf(toString(server), server != '' AND user_agent != '') AS user_agents,
    groupUniqArrayArrayIf(arrayMap(m -> splitByChar(' ', m)[2], splitByString(', ', sdp)), sdp != '') AS media
FROM ` + o.table("sip") + ` AS s
WHERE cseq_method IN (` + callMethodsSQL + `) AND call_id != ''
    AND (` + opens + ` OR (status >= 200 AND cseq_method IN ('INVITE', 'REGISTER')) OR method = 'BYE' OR s.q850 > 0 OR s.sdp != '' OR correlation_id != call_id)
GROUP BY slot, tenant, call_id`
	},
}

// DefaultLinkHeaders are those of the setting correlation.headers.
var DefaultLinkHeaders = []string{"X-CID", "Session-ID", "P-Charging-Vector"}

// LinkIDSeparator parts the header from its value in a link id.
const LinkIDSeparator = ":"

// linkIDs is the array of a message's link ids. RFC 7989's session has two UUIDs,
// one of each end, of which nil ones say nothing; Replaces (RFC 3891) names
// another Call-ID.
func linkIDs(o Options) string {
	headers := o.LinkHeaders
	if headers == nil {
		headers = DefaultLinkHeaders
	}
	values := []string{
		"if(match(headers['Session-ID'], '[1-9a-fA-F]'), concat('session-id:', headers['Session-ID']), '')",
		"if(match(headers['Session-ID.remote'], '[1-9a-fA-F]'), concat('session-id:', headers['Session-ID.remote']), '')",
		"if(headers['P-Charging-Vector.icid-value'] != '', concat('icid:', headers['P-Charging-Vector.icid-value']), '')",
		"if(headers['Replaces'] != '', concat('replaces:', splitByChar(';', headers['Replaces'])[1]), '')",
	}
	for _, h := range headers {
		if strings.EqualFold(h, "Session-ID") || strings.EqualFold(h, "P-Charging-Vector") {
			continue
		}
		key := "headers[" + Quote(h) + "]"
		values = append(values, "if("+key+" != '', concat("+Quote(strings.ToLower(h)+LinkIDSeparator)+", "+key+"), '')")
	}
	return "arrayFilter(l -> l != '', [" + strings.Join(values, ", ") + "])"
}

// LinksFeed adds what ties a leg to others.
var LinksFeed = Feed{
	Name: "links_feed", From: "legs", To: "leg_links", Doc: "What ties legs together, into leg_links.",
	columns: "slot, tenant, key, call_id, touched",
	query: func(o Options) string {
		return `SELECT slot, tenant, arrayJoin(arrayDistinct(arrayConcat(correlation_ids, arrayMap(l -> substring(l, position(l, ':') + 1), link_ids)))) AS key, call_id, touched
FROM ` + o.table("legs") + `
WHERE notEmpty(correlation_ids) OR notEmpty(link_ids)`
	},
}

// IsReception is the SQL condition for rows of media whose loss and jitter mean
// something. RTCP feedback, and a sender report without blocks, an SDES or a BYE have
// none; the rows of the latter are about the reporter's own stream.
const IsReception = "(source NOT IN ('rtcp', 'hep-qos') OR ssrc != reporter AND report != 'feedback')"

// ReportsFeed adds quality reports to their leg, which they name by Call-ID, or
// else by their correlation id. RTCP feedback is none: it has no figures of
// quality, and video sends a lot of it.
var ReportsFeed = Feed{
	Name: "reports_feed", From: "media", To: "leg_reports", Doc: "Quality reports, into leg_reports.",
	columns: "slot, tenant, call_id, touched, reports",
	query: func(o Options) string {
		return `SELECT
    ` + slot + ` AS slot,
    tenant,
    if(m.call_id != '', m.call_id, m.correlation_id) AS call_id,
    now64(6, 'UTC') AS touched,
    groupArray((toUnixTimestamp64Micro(time), toIPv6(src_ip), src_port, ssrc, reporter, mos, fraction_lost, jitter_ms, rtt_ms, ` + IsReception + `)) AS reports
FROM ` + o.table("media") + ` AS m
WHERE (m.call_id != '' OR m.correlation_id != '') AND report != 'feedback'
GROUP BY slot, tenant, call_id`
	},
}

// table is a table's name as it stands in SQL.
func (o Options) table(name string) string {
	if o.local {
		name = o.LocalName(name)
	}
	return "`" + o.DatabaseName() + "`.`" + name + "`"
}
