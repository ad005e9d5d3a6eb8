package schema

// Restored says which days were read back out of the archive, and until when
// retention leaves them alone.
var Restored = Table{
	Name: "restored",
	Doc:  "Days that were restored from the archive: retention leaves them alone for a while.",
	Columns: []Column{
		{Name: "of_table", Kind: Enum, Doc: "Table."},
		{Name: "day", Type: "Date", Doc: "Partition."},
		{Name: "time", Kind: Time, Codec: "ZSTD(1)", Doc: "When it was restored."},
		moment("until", "Until when it stays; NULL: until it is given back."),
		{Name: "rows", Kind: Uint64, Doc: "Rows that came back."},
		{Name: "version", Kind: Uint64, Codec: "ZSTD(1)", Doc: "The newest row of a table's day holds."},
		{Name: "deleted", Kind: Uint8, Doc: "1: the day was given back to retention."},
	},
	Engine:      "ReplacingMergeTree(version, deleted)",
	PartitionBy: "toYear(day)",
	OrderBy:     "(of_table, day)",
	ShardBy:     "cityHash64(of_table, day)",
	TTLFrom:     "time",
	TTLDays:     3650,
}
