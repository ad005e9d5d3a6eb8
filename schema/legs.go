package schema

import (
	"fmt"
	"strings"
	"time"
)

// Derived lists the tables that are computed from the messages and reports: the
// digests by ingest as they arrive, the others by materialized views (see Feeds)
// and by the assembler.
func Derived() []*Table {
	tables := []*Table{&LegDigests, &IDs, &Users, &CallRows, &RegistrationRows, &AssemblerState, &Backfill, &Messages1m, &Restored}
	tables = append(tables, keeperTables()...)
	for _, r := range Rollups() {
		tables = append(tables, r.Tables()...)
	}
	return tables
}

const utc = "DateTime64(6, 'UTC')"

// LegDigests has what the assembler makes calls of. Every digest may be there
// twice: none counts.
var LegDigests = Table{
	Name: "leg_digests",
	Doc:  "Messages and quality reports of calls and registrations in short, by Call-ID and ten minutes: what call_rows is made of. Ingest writes it, package internal/digest reads it.",
	Columns: []Column{
		{Name: "slot", Kind: Uint32, Type: "DateTime('UTC')", Doc: "The ten minutes that the messages lie in."},
		{Name: "tenant", Kind: Enum, Doc: "Whose traffic it is."},
		{Name: "call_id", Kind: Text, Codec: "LZ4", Doc: "Call-ID of the leg; of reports what they name it by."},
		{Name: "kinds", Kind: Uint8, Doc: "What is in it, as bits: 1 messages of a call, 2 of a registration, 4 quality reports, 8 what decides a call, 16 a request that opens a leg, 32 ids that tie legs together, 64 the end of a call, 128 further messages of dialogs."},
		{Name: "touched", Type: utc, Default: "now64(6, 'UTC')", Codec: "Delta(8), ZSTD(1)", Index: "minmax", Doc: "When the server began the insert: the same for all rows of one."},
		{Name: "handed", Kind: Uint64, Codec: "ZSTD(1)", Doc: "What the assembler of the process that wrote it knew itself by when it was given all of this from memory; 0 when it was not."},
		{Name: "digest", Kind: Text, Codec: "LZ4", Doc: "Each message and report in a few bytes, and what they say of the call once."},
	},
	PartitionBy: "toDate(slot)",
	OrderBy:     "(slot, tenant, call_id)",
	TTLFrom:     "touched",
	TTLDays:     8,
	Granularity: 512,
	Parts:       []Setting{muchSeldomMerged},
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

// Backfill says of which days the digests are to be made of what is stored, and of
// which that is done: the newest row of a day holds.
var Backfill = Table{
	Name: "backfill",
	Doc:  "Days whose messages and reports were stored without digests, and whether the assembler has made them since: the newest row holds.",
	Columns: []Column{
		{Name: "source", Kind: Enum, Doc: "Table of the messages or reports: sip, media."},
		{Name: "day", Type: "Date", Doc: "Their day."},
		{Name: "time", Type: utc, Default: "now64(6, 'UTC')", Doc: "When this was so, by the server's clock."},
		{Name: "done", Kind: Uint8, Doc: "1 when the digests are there."},
	},
	PartitionBy: "toYear(day)",
	OrderBy:     "(source, day, time)",
	ShardBy:     "cityHash64(source, day)",
	TTLFrom:     "time",
	TTLDays:     400,
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
		"\nSETTINGS asterisk_include_alias_columns = 1, max_partitions_per_insert_block = 0, optimize_on_insert = 0, " + spill + DistributedSettings
}

// CreateSQL is the statement that creates the feed.
func (f *Feed) CreateSQL(o Options) string {
	return fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS %s TO %s AS\n%s\nCOMMENT %s", o.Target(f.Name), o.onNode().table(f.To), f.Query(o), Quote(f.Doc))
}

// Feeds lists the materialized views.
func Feeds() []*Feed { return []*Feed{&MessagesFeed} }

// RetiredFeeds are the materialized views of earlier versions that do nothing but
// cost now: a migration drops them. RetiredTables are what they filled, which ages
// away.
var (
	RetiredFeeds  = []string{"legs_feed", "facts_feed", "links_feed", "reports_feed", "ids_feed"}
	RetiredTables = []string{"legs", "leg_links", "leg_reports"}
)

// CallMethods are the methods, by CSeq, whose messages make calls and
// registrations. Those of others (OPTIONS pings, MESSAGE, SUBSCRIBE, PUBLISH) are
// in sip alone.
var CallMethods = []string{"INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "REFER", "INFO", "NOTIFY", "REGISTER"}

// DefaultLinkHeaders are those of the setting correlation.headers.
var DefaultLinkHeaders = []string{"X-CID", "Session-ID", "P-Charging-Vector"}

// IsReception is the SQL condition for rows of media whose loss and jitter mean
// something. RTCP feedback, and a sender report without blocks, an SDES or a BYE have
// none; the rows of the latter are about the reporter's own stream.
const IsReception = "(source NOT IN ('rtcp', 'hep-qos') OR ssrc != reporter AND report != 'feedback')"

// table is a table's name as it stands in SQL.
func (o Options) table(name string) string {
	if o.local {
		name = o.LocalName(name)
	}
	return "`" + o.DatabaseName() + "`.`" + name + "`"
}
