package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/query/filter"
	"github.com/heplake/heplake/schema"
)

// Options say where ClickHouse is and what one query may cost.
type Options struct {
	// URL is http://user:password@host:8123/heplake, or the same with https,
	// clickhouse (native protocol) or tcp as its scheme. The options of
	// clickhouse-go's DSN are accepted as URL parameters.
	URL string
	// Database overrides the URL's; schema.Database when both are empty.
	Database string
	// MaxTime is what one query may take on the server; 30 s when 0.
	MaxTime time.Duration
	// MaxMemory is what one query may allocate on the server in bytes; 2 GiB when 0.
	MaxMemory uint64
	// MaxRows is the most rows one query may return; 100,000 when 0.
	MaxRows uint64
	// Aliases name addresses in ladders.
	Aliases []Alias
	// AliasesNow, if set, gives them anew for each ladder, in place of Aliases. It
	// must be safe for concurrent use.
	AliasesNow func(context.Context) []Alias
	// Configure, if set, makes the last changes to what the URL says before the
	// connection is opened: a token, TLS, the size of the pool. The Database it
	// finds is empty; one that it sets is current in queries on Conn, and must
	// exist by then.
	Configure func(*clickhouse.Options)
}

func (o Options) withDefaults() Options {
	if o.MaxTime <= 0 {
		o.MaxTime = 30 * time.Second
	}
	if o.MaxMemory == 0 {
		o.MaxMemory = 2 << 30
	}
	if o.MaxRows == 0 {
		o.MaxRows = 100_000
	}
	return o
}

// namer gives the names of addresses.
func (o Options) namer() func(context.Context) aliases {
	if now := o.AliasesNow; now != nil {
		return func(ctx context.Context) aliases { return newAliases(now(ctx)) }
	}
	list := newAliases(o.Aliases)
	return func(context.Context) aliases { return list }
}

// Store answers questions from ClickHouse. It is safe for use by many
// goroutines at once.
type Store struct {
	conn     driver.Conn
	database string
	limits   clickhouse.Settings
	// small are the settings of queries that read little, besides the limits.
	small   clickhouse.Settings
	maxTime time.Duration
	// aliasesNow are the names of addresses at the moment.
	aliasesNow func(context.Context) aliases
	trunks     trunkNames
	// usersWhole is when it was last known that table users tells of all messages.
	usersWhole atomic.Pointer[time.Time]
	// noUsers and noCards have searches do without table users, and without cards: tests
	// hold that this changes nothing.
	noUsers, noCards bool
}

// Open connects to ClickHouse and checks that it answers. The error wraps
// ErrUnavailable when it does not. Close the store when done.
//
// The user may be a reader: with readonly=2, or with limits of its own, of which
// the tighter ones hold.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	opt, err := clickhouse.ParseDSN(o.URL)
	if err != nil {
		return nil, fmt.Errorf("query: clickhouse url: %w", err)
	}
	switch {
	case o.Database != "":
		opt.Auth.Database = o.Database
	case opt.Auth.Database == "" || opt.Auth.Database == "default":
		opt.Auth.Database = schema.Database
	}
	database := opt.Auth.Database
	// Names are always qualified: the server may be asked before the database is there.
	opt.Auth.Database = ""
	opt.ReadTimeout = o.MaxTime + 10*time.Second
	if o.Configure != nil {
		o.Configure(opt)
	}
	conn, err := clickhouse.Open(opt)
	if err != nil {
		return nil, fmt.Errorf("query: connect to clickhouse: %w", err)
	}
	s := &Store{conn: conn, database: database, maxTime: o.MaxTime, aliasesNow: o.namer()}
	if err := s.readLimits(ctx, o); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("query: connect to clickhouse: %w", err)
	}
	return s, nil
}

// readLimits makes the settings of every query: those asked for, as far as the
// user's profile allows. A profile that forbids changing a setting is taken to
// have a limit of its own.
func (s *Store) readLimits(ctx context.Context, o Options) error {
	want := map[string]uint64{
		"max_execution_time": uint64(max(1, (o.MaxTime+time.Second-1)/time.Second)),
		"max_memory_usage":   o.MaxMemory,
		"max_result_rows":    o.MaxRows,
		// This rewriting of comparisons takes longer to plan the query for calls
		// than the query takes to run, and gains nothing in ours.
		"optimize_and_compare_chain": 0,
		// The rows of a call are all in one partition.
		"do_not_merge_across_partitions_select_final": 1,
		// Over HTTP a query runs to its end otherwise, though nobody waits for it.
		"cancel_http_readonly_queries_on_client_close": 1,
	}
	small := map[string]uint64{
		// Threads cost more than they save where a few granules are read.
		"max_threads": 1,
		// The first rows of an order are read with the other columns at once: to come
		// back for these costs more where there is one granule.
		"query_plan_optimize_lazy_materialization": 0,
	}
	// Where the tables are spread over a cluster, a subquery is about all shards.
	const subqueries = "distributed_product_mode"
	names := slices.Concat(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(small)), []string{subqueries})
	rows, err := s.conn.Query(ctx, "SELECT name, ifNull(max, ''), readonly FROM system.settings WHERE name IN {names:Array(String)}", clickhouse.Named("names", names))
	if err != nil {
		return s.wrap(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	s.limits, s.small = clickhouse.Settings{}, clickhouse.Settings{}
	for rows.Next() {
		var name, maximum string
		var fixed uint8
		if err := rows.Scan(&name, &maximum, &fixed); err != nil {
			return err
		}
		if fixed != 0 {
			continue
		}
		if name == subqueries {
			s.limits[name] = "global"
			continue
		}
		if value, ok := small[name]; ok {
			s.small[name] = value
			continue
		}
		value := want[name]
		if m, err := strconv.ParseFloat(maximum, 64); err == nil && m < float64(value) {
			value = uint64(m)
		}
		s.limits[name] = value
	}
	return s.wrap(ctx, rows.Err())
}

// light returns a context for queries that read little.
func (s *Store) light(ctx context.Context) context.Context { return WithSettings(ctx, s.small) }

// Close closes the connections.
func (s *Store) Close() error { return s.conn.Close() }

// Conn is the connection underneath, for SQL of the caller's own. Its queries
// have no limits but those of the context: see Limit.
func (s *Store) Conn() driver.Conn { return s.conn }

// Limit returns a context under which queries on Conn have the store's limits
// and the settings of WithSettings. Further options replace those of the store.
func (s *Store) Limit(ctx context.Context, options ...clickhouse.QueryOption) context.Context {
	settings := maps.Clone(s.limits)
	maps.Copy(settings, settingsOf(ctx))
	return clickhouse.Context(ctx, append([]clickhouse.QueryOption{clickhouse.WithSettings(settings)}, options...)...)
}

// Database is the database that holds the tables.
func (s *Store) Database() string { return s.database }

// Ping checks that ClickHouse answers; the error wraps ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error { return s.wrap(ctx, s.conn.Ping(ctx)) }

// table is a table's name as it stands in SQL.
func (s *Store) table(name string) string { return "`" + s.database + "`.`" + name + "`" }

// cost gathers what queries read on the server.
type cost struct{ rows, bytes atomic.Uint64 }

// query runs a query under the store's limits and calls scan for each row. The
// server stops when the context ends, or the time is up.
func (s *Store) query(ctx context.Context, c *cost, sql string, args []any, scan func(driver.Rows) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.maxTime+5*time.Second)
	defer cancel()
	limited := s.Limit(withoutDeadline{ctx}, clickhouse.WithProgress(func(p *clickhouse.Progress) {
		if c != nil {
			c.rows.Add(p.Rows)
			c.bytes.Add(p.Bytes)
		}
	}))
	rows, err := s.conn.Query(limited, strings.ReplaceAll(sql, filter.TrunksView, s.table(schema.Trunks.Name)), args...)
	if err != nil {
		return s.wrap(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
	}
	return s.wrap(ctx, rows.Err())
}

// withoutDeadline hides when a context ends, though it ends all the same:
// clickhouse-go would send a limit of time that it makes of the deadline in the
// place of ours.
type withoutDeadline struct{ context.Context }

// Deadline implements context.Context.
func (withoutDeadline) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Codes of ClickHouse's errors, as in its ErrorCodes.cpp.
var (
	tooExpensive = []int32{
		158, // TOO_MANY_ROWS
		159, // TIMEOUT_EXCEEDED
		160, // TOO_SLOW
		241, // MEMORY_LIMIT_EXCEEDED
		307, // TOO_MANY_BYTES
		396, // TOO_MANY_ROWS_OR_BYTES
		191, // SET_SIZE_LIMIT_EXCEEDED
		201, // QUOTA_EXCEEDED
		202, // TOO_MANY_SIMULTANEOUS_QUERIES
	}
	unavailable = []int32{
		60,  // UNKNOWN_TABLE
		81,  // UNKNOWN_DATABASE
		209, // SOCKET_TIMEOUT
		210, // NETWORK_ERROR
		279, // ALL_CONNECTION_TRIES_FAILED: a shard is away
		516, // AUTHENTICATION_FAILED
	}
)

// wrap makes an error of the connection one that callers can tell apart. The
// end of the caller's own context stays what it is.
func (s *Store) wrap(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var exception *clickhouse.Exception
	var network net.Error
	switch {
	case errors.As(err, &exception) && slices.Contains(tooExpensive, exception.Code):
		return fmt.Errorf("%w: %w", ErrTooExpensive, err)
	case errors.As(err, &exception) && slices.Contains(unavailable, exception.Code):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.As(err, &exception):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%w: %w", ErrTooExpensive, err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// IsTooExpensive tells whether a code of ClickHouse's means what ErrTooExpensive
// does, for those who ask it without a Store.
func IsTooExpensive(code int32) bool { return slices.Contains(tooExpensive, code) }

// IsUnavailable is the same of ErrUnavailable.
func IsUnavailable(code int32) bool { return slices.Contains(unavailable, code) }
