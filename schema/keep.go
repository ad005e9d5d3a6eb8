package schema

import (
	"fmt"
	"strings"
)

// Kept lists the tables whose rows retention's rules and holds are about: those
// that ingest fills, and the calls and registrations made of them. Every one is
// parted by days. Those that are read to judge the others come last.
func Kept() []*Table { return append(Tables(), &CallRows, &RegistrationRows) }

// IsKept tells whether the table is one of Kept.
func IsKept(name string) bool {
	for _, t := range Kept() {
		if t.Name == name {
			return true
		}
	}
	return false
}

// keeperTables lists the tables of internal/retention.
func keeperTables() []*Table { return []*Table{&Holds, &RetentionLog, &KeeperState, &KeeperCalls} }

// Holds has the legal holds. A hold that is over stays in it.
var Holds = Table{
	Name: "holds",
	Doc:  "Legal holds: what no retention and no full disk deletes. A hold that is over stays here.",
	Columns: []Column{
		{Name: "id", Kind: Text, Doc: "What names the hold."},
		{Name: "placed", Kind: Time, Codec: "ZSTD(1)", Doc: "When it was placed."},
		{Name: "tenant", Kind: Enum, Doc: "Whose rows it holds; empty: those of any tenant."},
		{Name: "call_id", Kind: Text, Doc: "Call-ID or correlation id of the call that it holds, all legs of it; empty: everything of the tenant."},
		{Name: "reason", Kind: Text, Doc: "Why."},
		{Name: "who", Kind: Text, Doc: "Who placed it."},
		moment("until", "When it ends by itself; NULL: when it is removed."),
		moment("removed", "When it was removed; NULL: it was not."),
		{Name: "removed_by", Kind: Text, Doc: "Who removed it."},
		{Name: "version", Kind: Uint64, Codec: "ZSTD(1)", Doc: "The newest row of an id holds."},
	},
	Engine:      "ReplacingMergeTree(version)",
	PartitionBy: "toYear(placed)",
	OrderBy:     "(tenant, call_id, id)",
	ShardBy:     "0",
}

// RetentionLog says what was deleted, and why.
var RetentionLog = Table{
	Name: "retention_log",
	Doc:  "What retention deleted, by table, day and rule.",
	Columns: []Column{
		{Name: "time", Kind: Time, Doc: "When it was done."},
		{Name: "of_table", Kind: Enum, Doc: "Table."},
		{Name: "day", Type: "Date", Doc: "Partition."},
		{Name: "cause", Kind: Enum, Doc: "retention, or disk: the disk was nearly full."},
		{Name: "action", Kind: Enum, Doc: "drop (the whole day), delete (some of its rows), or nothing (none was to go)."},
		{Name: "rule", Kind: Enum, Doc: "Rule that let the rows go; empty: the table's own days."},
		{Name: "rows", Kind: Uint64, Doc: "Rows deleted."},
		{Name: "bytes", Kind: Uint64, Doc: "What they took on the disk; of several rules' rows a share by their number."},
		{Name: "remaining", Kind: Uint64, Doc: "Rows that the day had afterwards."},
		{Name: "held", Kind: Uint64, Doc: "Rows that stayed because of a hold alone."},
		{Name: "judged", Kind: Uint64, Doc: "Hash of the condition: a day is judged again when it, or the number of rows, is another."},
	},
	PartitionBy: "toYYYYMM(time)",
	OrderBy:     "(of_table, day, time)",
	ShardBy:     "0",
	TTLDays:     3650,
}

// KeeperState says which process deletes what has expired.
var KeeperState = Table{
	Name: "keeper",
	Doc:  "Which process deletes what has expired: the newest row holds.",
	Columns: []Column{
		{Name: "time", Type: utc, Doc: "When this was so, by the server's clock."},
		{Name: "holder", Kind: Text, Doc: "The process that works."},
		{Name: "clock", Type: utc, Doc: "When it last believed the server's clock; 1970 when it has not yet."},
	},
	PartitionBy: "toDate(time)",
	OrderBy:     "(time, holder)",
	ShardBy:     "0",
	TTLDays:     2,
}

// KeeperCalls has the calls that a deletion under way asks for.
var KeeperCalls = Table{
	Name: "keeper_calls",
	Doc:  "Calls by which a deletion under way tells rows apart; empty otherwise.",
	Columns: []Column{
		{Name: "time", Type: "DateTime('UTC')", Doc: "When they were written down."},
		{Name: "batch", Kind: Text, Doc: "The deletion."},
		{Name: "day", Type: "Date", Doc: "The day that rows are deleted of."},
		{Name: "class", Kind: Uint32, Doc: "Position of the rule that is about the call."},
		{Name: "tenant", Kind: Text, Doc: "Tenant of the call."},
		{Name: "id", Kind: Text, Doc: "Call-ID or correlation id of one of its legs."},
	},
	PartitionBy: "batch",
	OrderBy:     "(day, class, tenant, id)",
	ShardBy:     "0",
	TTLDays:     2,
}

// Cold says when rows go to a colder volume of the storage policy.
type Cold struct {
	// Volume is its name.
	Volume string
	// Days is how old rows are then.
	Days int
}

// WithoutTTL lists the tables whose TTL deletes nothing when the keeper deletes:
// those of Kept, and ids and users, which find their messages.
func WithoutTTL() []*Table { return append(Kept(), &IDs, &Users) }

// Expiring lists the tables besides whose rows are kept for a time: the keeper drops
// partitions of them where it deletes everything (Options.KeeperDeletesAll). They
// are parted by time. KeeperCalls, which is empty but for moments, is not.
func Expiring() (out []*Table) {
	for _, t := range Derived() {
		if t.TTLDays > 0 && !IsKept(t.Name) && t.Name != IDs.Name && t.Name != Users.Name && t.Name != KeeperCalls.Name {
			out = append(out, t)
		}
	}
	return out
}

// TTLSQL is the table's TTL clause without the keyword; "" when it has none.
// Settings that only the keeper can carry out leave the deletion to it.
func (t *Table) TTLSQL(o Options) string {
	days, kept := o.TTLDaysOf(t), IsKept(t.Name)
	var clauses []string
	if c := o.Cold; c.Volume != "" && kept && (days == 0 || o.KeeperDeletes || c.Days < days) {
		clauses = append(clauses, t.TTL(c.Days)+" TO VOLUME "+Quote(c.Volume))
	}
	byKeeper := o.KeeperDeletes && (kept || t == &IDs || t == &Users) || o.KeeperDeletesAll && t.Name != KeeperCalls.Name
	if days > 0 && !byKeeper {
		clauses = append(clauses, t.TTL(days))
	}
	if r := t.Recompress; r.Codec != "" {
		clauses = append(clauses, fmt.Sprintf("toDateTime(%s) + toIntervalSecond(%d) RECOMPRESS CODEC(%s)", t.ageFrom(), r.Seconds, r.Codec))
	}
	return strings.Join(clauses, ", ")
}

// storageSettings are the settings of a table that say where its parts lie.
func storageSettings(o Options) []Setting {
	if o.StoragePolicy == "" {
		return nil
	}
	return []Setting{{"storage_policy", Quote(o.StoragePolicy)}}
}

// keptDoc says in one sentence how long the table's rows stay.
func (t *Table) keptDoc() string {
	if t.TTLDays == 0 {
		return "Kept for ever."
	}
	return fmt.Sprintf("Kept %d days unless set otherwise.", t.TTLDays)
}

// CallOutcome is the expression for the outcome of a row of call_rows: what the
// view calls has.
var CallOutcome = strings.ReplaceAll(callOutcome, "r.", "")
