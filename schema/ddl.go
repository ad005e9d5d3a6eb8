package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SQLType is the ClickHouse type that stores a column of this kind.
func (k Kind) SQLType() string {
	switch k {
	case Time:
		return "DateTime64(6, 'UTC')"
	case Enum:
		return "LowCardinality(String)"
	case Text:
		return "String"
	case Uint8:
		return "UInt8"
	case Uint16:
		return "UInt16"
	case Uint32:
		return "UInt32"
	case Uint64:
		return "UInt64"
	case Int64:
		return "Int64"
	case Float32:
		return "Float32"
	case Addr:
		return "LowCardinality(IPv6)"
	case Enums:
		return "Array(String)" // with dictionaries merges take a third longer (docs/storage.md)
	case Map:
		return "Map(LowCardinality(String), String)"
	case Metrics:
		return "Map(LowCardinality(String), Float32)"
	}
	panic("schema: kind without a ClickHouse type")
}

// CodecSQL is the column's compression as ClickHouse prints it inside CODEC():
// ZSTD everywhere (23 % smaller than LZ4 on real SIP), with a Delta before it
// for the one monotonous column.
func (c Column) CodecSQL() string {
	switch {
	case c.Codec != "":
		return c.Codec
	case c.rises():
		return "Delta(8), ZSTD(1)"
	default:
		return "ZSTD(1)"
	}
}

// rises reports whether it is a column of times that go up row by row or nearly so. One
// that has NULLs takes no Delta.
func (c Column) rises() bool { return c.Kind == Time && c.Type != nullableTime }

// Definition is the column's clause in CREATE TABLE and ALTER TABLE ADD COLUMN.
func (c Column) Definition() string {
	if c.Alias != "" {
		return fmt.Sprintf("`%s` %s ALIAS %s COMMENT %s", c.Name, c.SQLType(), c.Alias, Quote(c.Doc))
	}
	typ := c.SQLType()
	if c.Default != "" {
		typ += " DEFAULT " + c.Default
	}
	def := fmt.Sprintf("`%s` %s COMMENT %s CODEC(%s)", c.Name, typ, Quote(c.Doc), c.CodecSQL())
	if c.BlockBytes > 0 {
		def += " SETTINGS (" + c.BlockSettings() + ")"
	}
	return def
}

// BlockSettings are the column's own settings, "" for none.
func (c Column) BlockSettings() string {
	if c.BlockBytes == 0 {
		return ""
	}
	return fmt.Sprintf("max_compress_block_size = %d, min_compress_block_size = %d", c.BlockBytes, c.BlockBytes/2)
}

// IndexName is the name of the column's data-skipping index.
func (c Column) IndexName() string { return "idx_" + c.Name }

// IndexDefinition is the column's index clause, "" when it has none.
func (c Column) IndexDefinition() string {
	if c.Index == "" {
		return ""
	}
	return fmt.Sprintf("INDEX %s %s TYPE %s GRANULARITY 1", c.IndexName(), c.IndexExpr(), c.Index)
}

// IndexExpr is what the column's data-skipping index is over. ClickHouse uses
// the index of a computed column only if it is declared over its expression.
func (c Column) IndexExpr() string {
	if c.Alias != "" {
		return c.Alias
	}
	return "`" + c.Name + "`"
}

// TTL is the table's TTL expression for rows kept that many days.
func (t *Table) TTL(days int) string {
	return fmt.Sprintf("toDateTime(%s) + toIntervalDay(%d)", t.ageFrom(), days)
}

// ageFrom is the column that says how old a row is.
func (t *Table) ageFrom() string { return cmp.Or(t.TTLFrom, "time") }

// EngineSQL is the table's engine as it stands in CREATE TABLE.
func (t *Table) EngineSQL() string {
	if t.Engine == "" {
		return "MergeTree"
	}
	return t.Engine
}

// Setting is one MergeTree setting of a table.
type Setting struct{ Name, Value string }

// Settings of every inserted table, in order.
//
// Granules are small so that one call costs few rows to read. The
// deduplication window is what makes a retried batch land once: it must hold
// more batches than can be in doubt at a time. A change of retention
// recalculates what the parts say about their age and rewrites no rows.
var tableSettings = []Setting{
	{"index_granularity", "2048"},
	{"index_granularity_bytes", "4194304"},
	{"ttl_only_drop_parts", "1"},
	{"materialize_ttl_recalculate_only", "1"},
	{"non_replicated_deduplication_window", "10000"},
}

// recompressSettings are those of a table with a Recompression: what codec
// Default is before it, and how soon after one merge for its sake alone a
// partition may have the next. The more wait for it, the fewer are the merges.
// Fresh rows are written twice or three times within a minute: with LZ4 that takes
// half the CPU of ZSTD(1).
var recompressSettings = []Setting{
	{"default_compression_codec", "'LZ4'"},
	{"merge_with_recompression_ttl_timeout", "3600"},
}

// gatherSeconds is long enough for a partition that is written to to be left alone.
const gatherSeconds = "600"

// gatherSettings are those of a table with Gather.
var gatherSettings = []Setting{
	{"min_age_to_force_merge_seconds", gatherSeconds},
	{"min_age_to_force_merge_on_partition_only", "1"},
}

// wideParts have a file for each column from 8 MiB on, before compression: where a
// few columns of many rows are read, one file for all takes twice as long. What is
// just inserted is less, and written with a quarter less work in one file.
var wideParts = Setting{"min_bytes_for_wide_part", "8388608"}

// smallBlocks compresses a granule or two together: where a row of many columns is
// read, blocks of ClickHouse's 64 KiB take two and a half times as long.
var smallBlocks = Setting{"min_compress_block_size", "4096"}

// seldomMerged has merges wait for more parts of like size than ClickHouse's own 5, as the
// embedded engine does for every table: tables whose rows are made of others are
// rewritten half as often or less, and reading them takes no longer. muchSeldomMerged is
// for one that hardly anybody reads. Figures are in docs/storage.md.
var (
	seldomMerged     = Setting{"merge_selector_base", "20"}
	muchSeldomMerged = Setting{"merge_selector_base", "30"}
)

// Settings are the table's MergeTree settings, in order.
func (t *Table) Settings() []Setting {
	settings := slices.Clone(tableSettings)
	if t.Granularity > 0 {
		settings[0].Value = strconv.Itoa(t.Granularity)
	}
	settings = append(settings, t.Parts...)
	if t.Gather {
		settings = append(settings, gatherSettings...)
	}
	if t.Recompress.Codec != "" {
		settings = append(settings, recompressSettings...)
	}
	return settings
}

// QuerySettings must stand on every statement that creates a table or a column:
// ClickHouse advises against LowCardinality(IPv6) unless told that it is meant.
const QuerySettings = "allow_suspicious_low_cardinality_types = 1"

// Options are the settings that shape the DDL.
type Options struct {
	// Database holds the tables; Database ("heplake") when empty.
	Database string
	// TTLDays overrides the tables' retention by table name; 0 keeps rows for ever.
	TTLDays map[string]int
	// Trunks are the networks that have a name: see ParseTrunks.
	Trunks []Trunk
	// Cluster spreads the tables over several nodes.
	Cluster Cluster
	// KeeperDeletes leaves deletion in the tables of Kept to the keeper of
	// internal/retention: their TTL deletes nothing. So it must be when some rows
	// stay longer than others, are held, or are archived first.
	KeeperDeletes bool
	// KeeperDeletesAll, besides KeeperDeletes, leaves deletion in the other tables to
	// the keeper, too: no TTL deletes anything, which goes by the server's clock
	// whatever that says. The keeper doubts a clock that was set far ahead.
	KeeperDeletesAll bool
	// StoragePolicy is the storage policy of every table; ClickHouse's own when
	// empty. Rows lie on its disks and nowhere else.
	StoragePolicy string
	// Cold moves rows of the tables of Kept to a volume of that policy; with an
	// empty volume none.
	Cold Cold

	// local has queries name a node's own tables.
	local bool
}

// DatabaseName is the database the options name.
func (o Options) DatabaseName() string {
	if o.Database == "" {
		return Database
	}
	return o.Database
}

// TTLDaysOf is the retention of a table in days; 0 is for ever.
func (o Options) TTLDaysOf(t *Table) int {
	name := t.Name
	if t.TTLLike != "" {
		name = t.TTLLike
	}
	if days, ok := o.TTLDays[name]; ok {
		return days
	}
	return t.TTLDays
}

// CreateSQL is the statement that creates the table: in a cluster the one that
// has a node's rows (see Distributed for the other).
func (t *Table) CreateSQL(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s\n(\n", o.Target(o.LocalName(t.Name)))
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "    %s,\n", c.Definition())
	}
	for _, c := range t.Columns {
		if def := c.IndexDefinition(); def != "" {
			fmt.Fprintf(&b, "    %s,\n", def)
		}
	}
	s := strings.TrimSuffix(b.String(), ",\n")
	b.Reset()
	b.WriteString(s)
	fmt.Fprintf(&b, "\n)\nENGINE = %s\nPARTITION BY %s\nORDER BY %s\n", o.EngineOf(t), t.PartitionBy, t.OrderBy)
	if ttl := t.TTLSQL(o); ttl != "" {
		fmt.Fprintf(&b, "TTL %s\n", ttl)
	}
	b.WriteString("SETTINGS ")
	for _, set := range o.SettingsOf(t) {
		fmt.Fprintf(&b, "%s = %s, ", set.Name, set.Value)
	}
	fmt.Fprintf(&b, "%s\nCOMMENT %s", QuerySettings, Quote(t.Doc))
	return b.String()
}

// Quote writes s as an SQL string literal.
func Quote(s string) string {
	return "'" + quoter.Replace(s) + "'"
}

var quoter = strings.NewReplacer(`\`, `\\`, `'`, `\'`)
