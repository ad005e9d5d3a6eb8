package archive

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/schema"
)

// Errors that callers tell apart.
var (
	// ErrRestored refuses to archive, and so to delete, a day that was restored and
	// is to stay for a while.
	ErrRestored = errors.New("the day was restored and stays")
	// ErrDamaged says that a file of the archive is not what was written.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrBusy says that somebody else archives or restores that day of the table.
	ErrBusy = errors.New("another process is at work on it")
	// ErrChanging says that a day got rows all the time while it was archived.
	ErrChanging = errors.New("the day gets rows while it is archived")
	// ErrResidency refuses to archive rows of a tenant that stay where they are.
	ErrResidency = errors.New("its rows stay where they are (setting residency)")
	// ErrExpires refuses to restore into a table that would drop the rows at once.
	ErrExpires = errors.New("the table would drop the rows again at once")
)

// Options say what is archived, and where to.
type Options struct {
	// URL is ClickHouse's address with a user that may create tables:
	// http://user:password@host:8123/database.
	URL string
	// Database has the tables.
	Database string
	// Dir is the archive's folder. It is created with mode 0700.
	Dir string
	// Bucket is, in place of a folder, the address of a prefix in an object storage
	// that speaks S3: https://bucket.s3.region.amazonaws.com/prefix/ or
	// https://host/bucket/prefix/.
	Bucket string
	// Key and Secret are the bucket's; with none the environment (AWS_…), the file
	// ~/.aws/credentials or the machine's role are asked.
	Key, Secret string
	// Local is a folder of this machine for the locks of a Bucket. It is created with
	// mode 0700.
	Local string
	// Residents are the tenants whose rows are not to be archived, because they stay where
	// they are; a day that has some is refused with ErrResidency.
	Residents []string
	// FileBytes is how much one file holds before compression, roughly; 512 MiB
	// when 0.
	FileBytes uint64
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// Archive archives days and restores them. It is safe for use by many goroutines
// at once, also of several processes: each day of a table has a lock.
type Archive struct {
	ch        *chhttp.Client
	database  string
	store     store
	fileBytes uint64
	residents []string
	log       *slog.Logger
	metrics   *metrics

	mu sync.Mutex
	// seen are the parts of a table's day that are known to be archived.
	seen map[string]map[string]bool
	// whole are the days of tables that are known to have a generation.
	whole map[string]bool
}

const defaultFileBytes = 512 << 20

// Open opens an archive; nobody is asked yet.
func Open(o Options) (*Archive, error) {
	var s store
	var err error
	switch {
	case o.Dir != "" && o.Bucket == "":
		s, err = openFolder(o.Dir)
	case o.Bucket != "" && o.Dir == "":
		s, err = openBucket(o)
	default:
		err = errors.New("it is either in a folder (archive.dir) or in a bucket (archive.url)")
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	ch, err := chhttp.New(o.URL)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	a := &Archive{
		ch: ch, database: cmp.Or(o.Database, schema.Database), store: s, fileBytes: cmp.Or(o.FileBytes, defaultFileBytes), log: o.Log,
		residents: o.Residents, metrics: newMetrics(), seen: map[string]map[string]bool{}, whole: map[string]bool{},
	}
	if a.log == nil {
		a.log = slog.Default()
	}
	return a, nil
}

// Close closes the connections.
func (a *Archive) Close() { a.ch.Close() }

// folder has the generations of a table's day.
func (a *Archive) folder(table, day string) string { return path.Join(a.database, table, day) }

// settings are those of every statement: no limit of a profile cuts a day off,
// and one day does not take the machine from those who search.
func settings(more map[string]string) map[string]string {
	out := map[string]string{
		"max_execution_time": "0", "max_threads": "2", "max_result_rows": "0", "max_rows_to_read": "0", "max_bytes_to_read": "0",
		"allow_suspicious_low_cardinality_types": "1", "output_format_json_quote_64bit_integers": "1", "output_format_json_escape_forward_slashes": "0",
		"max_partitions_per_insert_block": "0", "optimize_on_insert": "0", "async_insert": "0", "mutations_sync": "2", "final": "0",
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (a *Archive) exec(ctx context.Context, sql string) error {
	return a.ch.Exec(ctx, chhttp.Query{SQL: sql, Settings: settings(nil)})
}

// ask reads a result into values of type T, by the names of columns.
func ask[T any](ctx context.Context, a *Archive, sql string) ([]T, error) {
	s, err := a.ch.Stream(ctx, chhttp.Query{SQL: sql + "\nFORMAT JSONEachRow", Settings: settings(nil)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	var out []T
	for dec := json.NewDecoder(s); ; {
		var v T
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
}

// one is ask for a result of one row.
func one[T any](ctx context.Context, a *Archive, sql string) (T, error) {
	rows, err := ask[T](ctx, a, sql)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%d rows came in place of one", len(rows))
	}
	if err != nil {
		var none T
		return none, err
	}
	return rows[0], nil
}

// Tables lists the tables that are archived: those that ingest fills, and what
// was computed of them row by row, without which a restored day would have
// messages and no calls.
func Tables() []string {
	var out []string
	for _, t := range tables() {
		out = append(out, t.Name)
	}
	return out
}

func tables() []*schema.Table {
	return schema.Kept()
}

// ParseDay checks that a day is written as in 2026-11-21.
func ParseDay(s string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fmt.Errorf("a day is written as in 2026-11-21, not %q", s)
	}
	return t, nil
}

func name(database, table string) string { return "`" + database + "`.`" + table + "`" }

func quoted(columns []string) string {
	if len(columns) == 0 {
		return ""
	}
	return "`" + strings.Join(columns, "`, `") + "`"
}
