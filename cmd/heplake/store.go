package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/retention"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// database is the ClickHouse that a command works with: one embedded, or one
// that clickhouse.url names.
type database struct {
	engine *embedded.Server // nil when outside
	// owner, writer, reader and exporter are addresses of one server by user;
	// outside they are the same.
	owner, writer, reader, exporter string
}

// engineNiceness is how far the engine stands back from ingest when there is
// too little processor for both: what the engine cannot take now waits in the
// spool, what ingest cannot take the kernel drops. At 4 an ingest thread weighs
// two and a half times an engine's. Measured with 100,000 messages a second for five
// minutes on two full cores: at 3 the kernel once dropped 0.1 %, at 6 nothing, but
// rows came a minute late.
const engineNiceness = 4

// openDatabase starts the embedded engine, unless clickhouse.url names a server.
func openDatabase(ctx context.Context, c config.Config, log *slog.Logger) (*database, error) {
	if err := checkCluster(c); err != nil {
		return nil, err
	}
	if u := c.ClickHouse.URL; u != "" {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return nil, fmt.Errorf("clickhouse.url takes http://user:password@host:8123/database, not %q", redact(u))
		}
		return &database{owner: u, writer: u, reader: u, exporter: u}, nil
	}
	cfg := embedded.Config{
		Dir: filepath.Join(c.Data.Dir, "clickhouse"), HTTP: c.Embedded.HTTP, TCP: c.Embedded.TCP,
		Cold:    embedded.ColdDisk{Path: c.Storage.Cold.Path, URL: c.Storage.Cold.URL, Key: c.Storage.Cold.Key, Secret: c.Storage.Cold.Secret},
		Library: c.Embedded.Library, MemoryLimit: int64(c.Embedded.Memory), Niceness: engineNiceness, Logger: log,
	}
	sqlAccess(&cfg)
	engine, err := embedded.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &database{
		engine: engine,
		owner:  engine.URL(embedded.Owner), writer: engine.URL(embedded.Writer), reader: engine.URL(embedded.Reader),
		exporter: engine.URL(embedded.Exporter),
	}, nil
}

// stop ends the embedded engine.
func (d *database) stop(ctx context.Context) error {
	if d.engine == nil {
		return nil
	}
	return d.engine.Stop(ctx)
}

// name is the database that the tables are in.
func (d *database) name() string {
	if u, err := url.Parse(d.writer); err == nil && len(u.Path) > 1 {
		return u.Path[1:]
	}
	return schema.Database
}

// connect opens a connection pool. With useDatabase the connection is to the
// database of the address, which must be there by the time it is used.
func connect(address string, useDatabase bool) (driver.Conn, error) {
	opt, err := clickhouse.ParseDSN(address)
	if err != nil {
		return nil, fmt.Errorf("clickhouse.url: %w", err)
	}
	if !useDatabase {
		opt.Auth.Database = ""
	}
	opt.DialTimeout = 5 * time.Second
	opt.MaxOpenConns, opt.MaxIdleConns = 8, 8
	opt.Compression = &clickhouse.Compression{Method: clickhouse.CompressionNone}
	opt.TransportFunc = insert.Transport
	return clickhouse.Open(opt)
}

// redact is an address without its password, for messages.
func redact(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Redacted()
	}
	return "(not an address)"
}

// withDatabase calls a function with the database of the settings and a connection
// of its owner. openRunning opens the database, or openDatabase, which takes an
// engine's data for itself.
func withDatabase(ctx context.Context, g *global, open func(context.Context, config.Config, *slog.Logger) (*database, error), do func(c config.Config, db *database, conn driver.Conn) error) (err error) {
	c, log, err := g.settings()
	if err != nil {
		return err
	}
	db, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, db.stop(stopping))
	}()
	// The database may be yet to be created: statements name it.
	conn, err := connect(db.owner, false)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(c, db, conn)
}

// schemaOptions are the settings that shape the schema. Holds, which shape it too,
// are not among them: see desiredSchema.
func schemaOptions(c config.Config, d *database) schema.Options {
	trunks, _ := schema.ParseTrunks(c.Trunks) // settings has checked them
	o := schema.Options{
		Database: d.name(), Trunks: trunks,
		Cluster: clusterOf(c),
		TTLDays: map[string]int{
			schema.SIP.Name: c.Retention.SIP, schema.Media.Name: c.Retention.Media, schema.Events.Name: c.Retention.Events,
		},
		// The engine's own clock is this machine's, of which nothing is known at a start.
		KeeperDeletes:    len(c.Retention.Rules) > 0 || c.Archive.On() || c.ClickHouse.URL == "",
		KeeperDeletesAll: c.ClickHouse.URL == "",
		StoragePolicy:    c.Storage.Policy,
	}
	if c.Storage.Cold.After > 0 {
		o.Cold = schema.Cold{Volume: c.Storage.Cold.Volume, Days: c.Storage.Cold.After}
	}
	return o
}

// desiredSchema is what the settings and the holds that there are want the schema
// to be.
func desiredSchema(ctx context.Context, conn driver.Conn, c config.Config, d *database) (schema.Options, error) {
	o := schemaOptions(c, d)
	if o.KeeperDeletes {
		return o, nil
	}
	held, err := retention.KeeperDeletes(ctx, conn, o)
	o.KeeperDeletes = held
	return o, err
}

// migrateNow brings the schema to this version.
func migrateNow(ctx context.Context, c config.Config, d *database, log *slog.Logger) error {
	m, err := planMigration(ctx, c, d)
	if err != nil {
		return err
	}
	defer m.close()
	m.each(func(node string, s migrate.Statement) {
		if node == "" {
			log.Info("migrate", "step", s.Reason)
			return
		}
		log.Info("migrate", "node", node, "step", s.Reason)
	})
	for _, p := range m.plans {
		for _, note := range p.Away {
			log.Warn("migrate", "note", note)
		}
	}
	if err := m.apply(ctx); err != nil {
		return err
	}
	return syncUsers(ctx, c, d)
}
