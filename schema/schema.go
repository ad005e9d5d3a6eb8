// Package schema is the one declaration of heplake's tables and columns. The
// Arrow schema that ingest fills, the DDL that migrate applies, the retention
// and the documentation all derive from it.
//
// What the orders, codecs and indexes cost and save was measured; docs/storage.md
// has the figures.
package schema

import "slices"

// Kind is a column's type. It fixes both the Arrow type that ingest sends and
// the ClickHouse type that stores it.
type Kind uint8

// The kinds of columns.
const (
	// Time is µs since the epoch, UTC.
	Time Kind = iota + 1
	// Enum is a string of which there are few different ones: dictionary-encoded
	// on the way and at rest.
	Enum
	// Text is any bytes, valid UTF-8 or not.
	Text
	// Uint8, Uint16, Uint32, Uint64, Int64 and Float32 are numbers.
	Uint8
	Uint16
	Uint32
	Uint64
	Int64
	Float32
	// Addr is an IPv6 address; IPv4 is mapped (::ffff:a.b.c.d), and :: stands for
	// an address the sender did not give.
	Addr
	// Enums is a list of values like those of Enum.
	Enums
	// Map has Enum keys and Text values.
	Map
	// Metrics has Enum keys and Float32 values.
	Metrics
)

// Column is one column of a table.
type Column struct {
	Name string
	Kind Kind
	// Doc says what the column means, its unit, and where it comes from.
	Doc string
	// Codec overrides the kind's compression codec.
	Codec string
	// Index is a data-skipping index, "" for none: "bloom_filter(0.01)", "minmax".
	Index string
	// Type overrides the kind's ClickHouse type, for the columns of derived tables
	// that no kind has.
	Type string
	// Alias is the SQL expression that computes the column when it is read; "" for
	// a stored column. Nothing is sent for it, nothing can be inserted into it.
	Alias string
	// Was is the column's earlier name: migrate renames a stored column of that
	// name.
	Was string
	// Internal marks a stored column that others are computed from and that says
	// little alone: it is no field of filters.
	Internal bool
	// BlockBytes is how much of the column is compressed together, 0 for
	// ClickHouse's own choice. More is smaller, and dearer to read one row of.
	BlockBytes int
	// Default is the expression that ClickHouse fills the column with: ingest sends
	// no such column.
	Default string
}

// SQLType is the ClickHouse type of the column.
func (c Column) SQLType() string {
	if c.Type != "" {
		return c.Type
	}
	return c.Kind.SQLType()
}

// Table is one table.
type Table struct {
	Name string
	Doc  string
	// Columns in the order in which they are stored and sent.
	Columns []Column
	// PartitionBy, OrderBy are ClickHouse expressions.
	PartitionBy string
	OrderBy     string
	// TTLDays is how long rows are kept when no setting says otherwise.
	TTLDays int
	// Engine is the table engine with its parameters; MergeTree when empty.
	Engine string
	// TTLFrom is the expression from which TTLDays counts; the column time when
	// empty.
	TTLFrom string
	// TTLLike names the table whose retention setting this one follows; its own
	// when empty.
	TTLLike string
	// Granularity is the number of rows of a granule; 2048 when 0.
	Granularity int
	// Gather has the parts of a partition merged into one once the youngest of them
	// is gatherSeconds old: what nobody writes to any more is read faster.
	Gather bool
	// Parts are further settings, of how its parts are written.
	Parts []Setting
	// Recompress is how columns of codec Default are compressed in the end.
	Recompress Recompression
	// ShardBy is the expression, a number, by which a cluster's shards share the
	// rows; see ShardKey when empty. Where the engine puts rows of one sorting key
	// together it must follow from that key.
	ShardBy string
}

// Recompression is what becomes of a table's columns of codec Default, which are
// inserted with a fast codec: a merge of rows that have all reached an age gives
// them a better one. Most rows are merged more than once while they are young.
type Recompression struct {
	// Codec is the better one, "" for none.
	Codec string
	// Seconds is the age by the column that retention goes by.
	Seconds int
}

// Column returns the named column.
func (t *Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Sent lists the columns that ingest sends, in order.
func (t *Table) Sent() []Column {
	return slices.DeleteFunc(t.Stored(), func(c Column) bool { return c.Default != "" })
}

// Stored lists the columns that are stored, in order.
func (t *Table) Stored() []Column {
	out := make([]Column, 0, len(t.Columns))
	for _, c := range t.Columns {
		if c.Alias == "" {
			out = append(out, c)
		}
	}
	return out
}

// Readable lists the columns that say something to a reader: all but Internal ones.
func (t *Table) Readable() []Column {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return c.Internal })
}

// Star is the list of all columns for a SELECT: * alone leaves out those that are
// computed.
func (t *Table) Star() string {
	star := "*"
	for _, c := range t.Columns {
		if c.Alias != "" {
			star += ", " + c.Name
		}
	}
	return star
}

// Database is the database that holds every table.
const Database = "heplake"

// Tables lists the tables of what was received. Derived has those that are computed
// of it.
func Tables() []*Table { return []*Table{&SIP, &Media, &Events} }

// ByIngest lists the tables that ingest inserts into: those of what was received, and
// what it keeps of that in short.
func ByIngest() []*Table { return append(Tables(), &LegDigests, &IDs, &Users) }

// origin is what every record has: when, whose, who reported it, which call.
func origin(rest ...Column) []Column {
	return originWith([]Column{
		{Name: "call_id", Kind: Text, Index: "bloom_filter(0.01)", Doc: "SIP Call-ID of the call that the record belongs to, as far as known."},
	}, rest)
}

func originWith(callID, rest []Column) []Column {
	return slices.Concat([]Column{
		{Name: "time", Kind: Time, Doc: "When the capture agent saw it (HEP chunks 0x09, 0x0a); the time of receipt where the agent gave none or an absurd one."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "node", Kind: Enum, Doc: "Name of the capture agent (HEP chunk 0x13), empty when it gives none."},
		{Name: "capture_id", Kind: Uint32, Doc: "Id of the capture agent (HEP chunk 0x0c)."},
		{Name: "correlation_id", Kind: Text, Index: "bloom_filter(0.01)", Doc: "What ties the legs of a call together: HEP chunk 0x11, else the first configured header, else the Call-ID."},
	}, callID, []Column{
		{Name: "src_ip", Kind: Addr, Index: "bloom_filter(0.01)", Doc: "Sender of the captured packet."},
		{Name: "src_port", Kind: Uint16, Doc: "Port of the sender."},
		{Name: "dst_ip", Kind: Addr, Index: "bloom_filter(0.01)", Doc: "Receiver of the captured packet."},
		{Name: "dst_port", Kind: Uint16, Doc: "Port of the receiver."},
		{Name: "transport", Kind: Enum, Doc: "Transport of the captured packet: udp, tcp, tls, ws, wss, sctp."},
	}, rest)
}

// compressedWithAge gives the columns that declare no codec the one of which Recompress
// says what it is.
func compressedWithAge(columns []Column) []Column {
	for i := range columns {
		switch c := &columns[i]; {
		case c.Codec != "" || c.Alias != "":
		case c.rises():
			c.Codec = "Delta(8), Default"
		default:
			c.Codec = "Default"
		}
	}
	return columns
}

// hepColumn keeps the chunks of the packet that have no column of their own.
var hepColumn = Column{Name: "hep", Kind: Map, Doc: "HEP chunks without a column of their own, by name (vlan, tos, src_mac, mos, group_id, …; vendor chunks as vendor.type in decimal), and hep.time: the sender's own time where it was not believed."}

// userIndex is over users: of granules that do not have one, a hundredth read in
// vain would be as many as those that have it, where each has few calls in months.
const userIndex = "bloom_filter(0.001)"

// SIP has one row per SIP message.
var SIP = Table{
	Name: "sip",
	Doc:  "One row per SIP message.",
	Columns: compressedWithAge(originWith(packedCallID, []Column{
		{Name: "method", Kind: Enum, Index: "set(64)", Doc: "Method of a request; empty on a response."},
		{Name: "status", Kind: Uint16, Index: "set(128)", Doc: "Status code of a response; 0 on a request."},
		{Name: "reason", Kind: Enum, Doc: "Reason phrase of a response."},
		{Name: "cseq", Kind: Uint32, Doc: "Number of the CSeq header."},
		{Name: "cseq_method", Kind: Enum, Doc: "Method of the CSeq header."},
		{Name: "from_user", Kind: Text, Index: userIndex, Doc: "User part of the From URI, as sent."},
		{Name: "from_domain", Kind: Enum, Doc: "Host of the From URI."},
		{Name: "from_tag", Kind: Text, Doc: "Tag of the From header."},
		{Name: "to_user", Kind: Text, Index: userIndex, Doc: "User part of the To URI, as sent."},
		{Name: "to_domain", Kind: Enum, Doc: "Host of the To URI."},
		{Name: "to_tag", Kind: Text, Doc: "Tag of the To header."},
		{Name: "ruri_user", Kind: Text, Index: userIndex, Doc: "User part of the Request-URI; empty on a response."},
		{Name: "ruri_domain", Kind: Enum, Doc: "Host of the Request-URI."},
		{Name: "user_agent", Kind: Enum, Doc: "User-Agent header."},
		{Name: "server", Kind: Enum, Doc: "Server header."},
		{Name: "contact_user", Kind: Text, Doc: "User part of the first Contact."},
		{Name: "contact_host", Kind: Enum, Doc: "Host of the first Contact."},
		{Name: "contact_port", Kind: Uint16, Doc: "Port of the first Contact, 0 when it names none."},
		{Name: "pai_user", Kind: Text, Doc: "User part of P-Asserted-Identity (RFC 3325)."},
		{Name: "auth_user", Kind: Text, Doc: "User name of Authorization or Proxy-Authorization."},
		{Name: "diversion", Kind: Enum, Doc: "User part of Diversion (RFC 5806), else of the last History-Info (RFC 7044)."},
		{Name: "branch_at", Kind: Uint32, Internal: true, Doc: "What via_branch is made of: where the branch begins in packed, in bytes from 1; 0 when it is not there in one piece."},
		{Name: "branch_len", Kind: Uint16, Internal: true, Doc: "What via_branch is made of: the branch's length in packed, in bytes."},
		{Name: "own_branch", Kind: Text, Was: "via_branch", Internal: true, Doc: "What via_branch is made of: the branch itself where branch_at is 0."},
		{Name: "via_host", Kind: Enum, Doc: "Host of the bottom-most Via: who began the request."},
		{Name: "via_port", Kind: Uint16, Doc: "Port of the bottom-most Via, 0 when it names none."},
		{Name: "content_type", Kind: Enum, Doc: "Content-Type header."},
		{Name: "expires", Kind: Uint32, Doc: "Expires header, else the first Contact's expires parameter, in seconds; 0 when neither is there."},
		{Name: "q850", Kind: Uint16, Doc: "Cause of the Reason header with protocol Q.850 (RFC 3326), else of an ISUP body; 0 when none."},
		{Name: "reason_header", Kind: Enum, Doc: "Reason header, whole (RFC 3326)."},
		{Name: "sdp", Kind: Text, Doc: "One-line summary of the SDP body: media, address:port, codecs, direction; empty without SDP."},
		{Name: "headers", Kind: Map, Doc: "Headers kept by configuration, by the name configured."},
		{Name: "parse_error", Kind: Enum, Doc: "What is wrong with the message, as words joined by commas; empty when nothing is."},
		hepColumn,
		{Name: "packed", Kind: Text, Was: "raw", Internal: true, Codec: "Default", BlockBytes: 1 << 20, Doc: "What raw is made of: the message as it is where packing is 0; where it is 1, with marks in place of what other columns hold."},
		{Name: "raw", Kind: Text, Alias: rawAlias(), Doc: "The message, byte for byte."},
		{Name: "via_branch", Kind: Text, Alias: branchAlias, Doc: "Branch of the topmost Via."},
	})),
	PartitionBy: "toDate(time)",
	OrderBy:     "(toStartOfHour(time), correlation_id, time)",
	TTLDays:     90,
	Recompress:  Recompression{Codec: "ZSTD(8)", Seconds: 20},
}

// Media has one row per report block or quality report.
var Media = Table{
	Name: "media",
	Doc:  "One row per RTCP report block or quality report.",
	Columns: compressedWithAge(origin(
		Column{Name: "source", Kind: Enum, Doc: "What reported: rtcp, rtcp-xr, vq-rtcpxr, rtp-agent, x-rtp-stat, horaclifix, rtp."},
		Column{Name: "report", Kind: Enum, Doc: "Kind of report within the source: sr, rr, xr, bye, sdes, feedback, session, interval, …"},
		Column{Name: "ssrc", Kind: Uint32, Doc: "Stream reported on; the reporter's own where the report names none."},
		Column{Name: "reporter", Kind: Uint32, Doc: "SSRC of who reports."},
		Column{Name: "packets", Kind: Uint64, Doc: "Packets of the stream as the reporter counts them (RTCP SR: packets sent by the reporter)."},
		Column{Name: "octets", Kind: Uint64, Doc: "Payload octets, likewise."},
		Column{Name: "lost", Kind: Int64, Doc: "Packets lost in all; negative when duplicates outnumber losses (RFC 3550 section 6.4.1)."},
		Column{Name: "fraction_lost", Kind: Float32, Doc: "Share lost since the last report, 0 to 1."},
		Column{Name: "jitter_ms", Kind: Float32, Doc: "Interarrival jitter in ms, by the codec's clock rate where known, else 8 kHz."},
		Column{Name: "rtt_ms", Kind: Float32, Doc: "Round-trip time in ms; 0 when unknown."},
		Column{Name: "mos", Kind: Float32, Doc: "Mean opinion score, 1 to 5; 0 when unknown."},
		Column{Name: "mos_method", Kind: Enum, Doc: "How mos came about: reported, e-model; empty when unknown."},
		Column{Name: "r_factor", Kind: Float32, Doc: "R factor (ITU-T G.107), 0 to 100; 0 when unknown."},
		Column{Name: "codec", Kind: Enum, Doc: "Codec of the stream, empty when unknown."},
		Column{Name: "metrics", Kind: Metrics, Doc: "Further figures of the report by name: burst_density, gap_duration, highest_seq, …"},
		hepColumn,
		Column{Name: "raw", Kind: Text, Doc: "The report as it arrived; in the first row of several that came of one packet."},
	)),
	PartitionBy: "toDate(time)",
	OrderBy:     "(toStartOfHour(time), correlation_id, time)",
	TTLDays:     90,
	Recompress:  Recompression{Codec: "ZSTD(8)", Seconds: 20},
}

// Events has one row per record that is neither SIP nor a quality report: logs,
// CDRs, JSON of other protocols, and packets that would not decode.
var Events = Table{
	Name: "events",
	Doc:  "One row per log line, CDR, record of another protocol, and packet that would not decode.",
	Columns: origin(
		Column{Name: "type", Kind: Uint16, Doc: "HEP protocol type (chunk 0x0b); 0 when the packet would not decode."},
		Column{Name: "type_name", Kind: Enum, Doc: "Name of the type: log, cdr, diameter, …; undecodable."},
		Column{Name: "stage", Kind: Enum, Doc: "Where decoding stopped: hep, sip, media; empty when nothing is wrong."},
		Column{Name: "error", Kind: Enum, Doc: "Why decoding stopped; empty when nothing is wrong."},
		Column{Name: "error_offset", Kind: Uint32, Doc: "Offset of the byte at which decoding stopped."},
		hepColumn,
		Column{Name: "body", Kind: Text, Codec: "ZSTD(3)", Doc: "The payload, byte for byte; the whole packet when its HEP would not decode."},
	),
	PartitionBy: "toDate(time)",
	OrderBy:     "(toStartOfHour(time), correlation_id, time)",
	TTLDays:     90,
}
