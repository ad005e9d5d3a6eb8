package schema

import (
	"fmt"
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
		return "Array(LowCardinality(String))"
	case Map:
		return "Map(LowCardinality(String), String)"
	case Metrics:
		return "Map(LowCardinality(String), Float32)"
	}
	panic("schema: kind without a ClickHouse type")
}

// codec is the column's compression: ZSTD everywhere (23 % smaller than LZ4 on
// real SIP), with a Delta before it for the one monotonous column.
func (c Column) codec() string {
	switch {
	case c.Codec != "":
		return c.Codec
	case c.Kind == Time:
		return "Delta(8), ZSTD(1)"
	default:
		return "ZSTD(1)"
	}
}

// Definition is the column's clause in CREATE TABLE and ALTER TABLE ADD COLUMN.
func (c Column) Definition() string {
	return fmt.Sprintf("`%s` %s COMMENT %s CODEC(%s)", c.Name, c.Kind.SQLType(), quote(c.Doc), c.codec())
}

// IndexName is the name of the column's data-skipping index.
func (c Column) IndexName() string { return "idx_" + c.Name }

// IndexDefinition is the column's index clause, "" when it has none.
func (c Column) IndexDefinition() string {
	if c.Index == "" {
		return ""
	}
	return fmt.Sprintf("INDEX %s `%s` TYPE %s GRANULARITY 1", c.IndexName(), c.Name, c.Index)
}

// TTL is the table's TTL expression for rows kept that many days.
func (t *Table) TTL(days int) string {
	return fmt.Sprintf("toDateTime(time) + toIntervalDay(%d)", days)
}

// Settings of every inserted table, in order.
//
// Granules are small so that one call costs few rows to read. The
// deduplication window is what makes a retried batch land once: it must hold
// more batches than can be in doubt at a time.
var tableSettings = []string{
	"index_granularity = 2048",
	"index_granularity_bytes = 4194304",
	"ttl_only_drop_parts = 1",
	"non_replicated_deduplication_window = 10000",
	"allow_suspicious_low_cardinality_types = 1",
}

// Options are the settings that shape the DDL.
type Options struct {
	// Database holds the tables; Database ("heplake") when empty.
	Database string
	// TTLDays overrides the tables' retention by table name; 0 keeps rows for ever.
	TTLDays map[string]int
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
	if days, ok := o.TTLDays[t.Name]; ok {
		return days
	}
	return t.TTLDays
}

// CreateSQL is the statement that creates the table.
func (t *Table) CreateSQL(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS `%s`.`%s`\n(\n", o.DatabaseName(), t.Name)
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
	fmt.Fprintf(&b, "\n)\nENGINE = MergeTree\nPARTITION BY %s\nORDER BY %s\n", t.PartitionBy, t.OrderBy)
	if days := o.TTLDaysOf(t); days > 0 {
		fmt.Fprintf(&b, "TTL %s\n", t.TTL(days))
	}
	fmt.Fprintf(&b, "SETTINGS %s\nCOMMENT %s", strings.Join(tableSettings, ", "), quote(t.Doc))
	return b.String()
}

// quote writes s as an SQL string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
