package retention

import "context"

// Archiver puts rows somewhere else before they are deleted.
type Archiver interface {
	// Archive is called before rows of a partition are deleted, whether some of
	// them or all. The partition is named as in system.parts.partition: the day,
	// 2026-11-21. It returns nil when every row that the partition has at the time
	// of the call can be read back from the archive, also when the partition was
	// archived before; with an error nothing is deleted, and it is asked again
	// later. It may be called by several goroutines, never twice at once for one
	// partition of a table.
	Archive(ctx context.Context, table, partition string) error
}
