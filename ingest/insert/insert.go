// Package insert sends sealed batches to ClickHouse and says what a failure means.
package insert

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest/batch"
)

// ErrRejected marks a batch that ClickHouse will not take however often it is
// sent: the fault is in the data or in the schema, not in the moment.
var ErrRejected = errors.New("rejected by ClickHouse")

// Inserter sends batches over one connection pool. It is safe for concurrent use.
type Inserter struct {
	conn     driver.Conn
	database string
	timeout  time.Duration
	// newer is nil until the server was asked whether it knows newerSetting.
	newer atomic.Pointer[bool]
}

// newerSetting goes over insert_deduplicate where ClickHouse has it (26.x), and
// a user's profile may turn it off. Older servers refuse what they do not know.
const newerSetting = "deduplicate_insert"

// New makes an inserter. conn must speak HTTP, over which ClickHouse takes
// Arrow streams. timeout bounds one insert.
func New(conn driver.Conn, database string, timeout time.Duration) *Inserter {
	return &Inserter{conn: conn, database: database, timeout: timeout}
}

// Insert sends a batch and returns nil only when ClickHouse has confirmed it.
// The batch's id is the deduplication token: sending it again after any doubt
// stores its rows once, in the tables that views feed as well.
func (i *Inserter) Insert(ctx context.Context, b batch.Sealed) error {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	settings := clickhouse.Settings{
		"insert_deduplicate":                                 1,
		"insert_deduplication_token":                         b.ID,
		"async_insert":                                       0,
		"max_partitions_per_insert_block":                    1,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		// A batch is one block: it lands whole or not at all.
		"max_insert_block_size":       10_000_000,
		"min_insert_block_size_rows":  0,
		"min_insert_block_size_bytes": 0,
		"wait_end_of_query":           1,
		// The first merge, which each part meets soon, makes the indexes: made at once
		// they would be made twice. Until then a part is read without.
		"materialize_skip_indexes_on_insert": 0,
		// Views group their rows themselves; doing so again costs a third more.
		"optimize_on_insert": 0,
		// Where the tables are spread over a cluster, the confirmation is that of all
		// the shards concerned. Each gets its piece of the block under the same token,
		// so that a batch sent again adds only what some shard did not take before.
		"distributed_foreground_insert": 1,
	}
	newer, err := i.knowsNewer(ctx)
	if err != nil {
		return fmt.Errorf("insert of %d rows into %s: %w", b.Rows, b.Table, err)
	}
	if newer {
		settings[newerSetting] = "enable"
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(settings))
	query := fmt.Sprintf("INSERT INTO `%s`.`%s`", i.database, b.Table)
	stream, err := open(b)
	if err != nil {
		return fmt.Errorf("insert of %d rows into %s: %w", b.Rows, b.Table, err)
	}
	defer func() { _ = stream.Close() }()
	if err := i.conn.InsertFormat(ctx, "ArrowStream", query, stream); err != nil {
		if is(err, codeUnknownSetting) {
			i.newer.Store(nil) // another server answers now: ask again
		}
		if rejected(err) {
			return fmt.Errorf("insert of %d rows into %s: %w: %w", b.Rows, b.Table, ErrRejected, err)
		}
		return fmt.Errorf("insert of %d rows into %s: %w", b.Rows, b.Table, err)
	}
	return nil
}

// knowsNewer asks the server once whether it has newerSetting.
func (i *Inserter) knowsNewer(ctx context.Context) (bool, error) {
	if known := i.newer.Load(); known != nil {
		return *known, nil
	}
	var n uint64
	err := i.conn.QueryRow(ctx, "SELECT count() FROM system.settings WHERE name = '"+newerSetting+"'").Scan(&n)
	if err != nil && !is(err, codeAccessDenied) {
		return false, fmt.Errorf("ask for its settings: %w", err)
	}
	known := n > 0
	i.newer.Store(&known)
	return known, nil
}

// Error codes of ClickHouse about settings.
const (
	codeUnknownSetting = 115
	codeAccessDenied   = 497
)

func is(err error, code int32) bool {
	var ex *clickhouse.Exception
	return errors.As(err, &ex) && ex.Code == code
}

// Error codes of ClickHouse that blame the data. Every other error (overload,
// memory, read-only, a schema that migrate has yet to bring up, network,
// restart) may pass.
const (
	codeCannotParseText    = 6
	codeCannotReadAllData  = 33
	codeIllegalColumn      = 44
	codeTypeMismatch       = 53
	codeArgumentOutOfBound = 69
	codeCannotConvertType  = 70
	codeIncorrectData      = 117
	codeValueOutOfRange    = 321
	codeCannotInsertNull   = 349
	codeViolatedConstraint = 469
)

func rejected(err error) bool {
	var ex *clickhouse.Exception
	if !errors.As(err, &ex) {
		return false
	}
	switch ex.Code {
	case codeCannotParseText, codeCannotReadAllData, codeIllegalColumn, codeTypeMismatch, codeArgumentOutOfBound,
		codeCannotConvertType, codeIncorrectData, codeValueOutOfRange, codeCannotInsertNull, codeViolatedConstraint:
		return true
	}
	return false
}
