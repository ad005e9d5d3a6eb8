package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
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
}

// Store answers questions from ClickHouse. It is safe for use by many
// goroutines at once.
type Store struct {
	conn     driver.Conn
	database string
	opt      Options
}

// Open connects to ClickHouse and checks that it answers. The error wraps
// ErrUnavailable when it does not. Close the store when done.
func Open(ctx context.Context, o Options) (*Store, error) { return nil, ErrUnavailable }

// Close closes the connections.
func (s *Store) Close() error { return s.conn.Close() }

// Conn is the connection underneath, for SQL of the caller's own. It has no
// limits but those that the caller sets: see Limit.
func (s *Store) Conn() driver.Conn { return s.conn }

// Limit returns a context under which queries on Conn have the store's limits.
func (s *Store) Limit(ctx context.Context) context.Context { return ctx }

// Database is the database that holds the tables.
func (s *Store) Database() string { return s.database }

// Ping checks that ClickHouse answers; the error wraps ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error { return s.conn.Ping(ctx) }
