package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/api"
	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/listen"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/archive"
	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/fdstore"
	"github.com/heplake/heplake/internal/standback"
)

// stopTimeout bounds a graceful stop: what is not in ClickHouse by then stays
// in the spool.
const stopTimeout = 30 * time.Second

// insertTimeout bounds one insert.
const insertTimeout = 2 * time.Minute

func newServe(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run everything: ingest, API, metrics, and the embedded ClickHouse when no clickhouse.url is set",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), g, parts{ingest: true, api: true})
		},
	}
}

func newIngest(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "ingest",
		Short: "Run the collector alone, in front of clickhouse.url",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), g, parts{ingest: true, outside: true})
		},
	}
}

func newAPI(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "api",
		Short: "Run the HTTP API alone, in front of clickhouse.url",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), g, parts{api: true, outside: true})
		},
	}
}

// parts are what a server command runs.
type parts struct {
	ingest, api bool
	// outside wants a ClickHouse that clickhouse.url names.
	outside bool
}

func serve(ctx context.Context, g *global, run parts) error {
	c, log, err := g.settings()
	if err != nil {
		return err
	}
	if run.outside && c.ClickHouse.URL == "" {
		return errors.New("clickhouse.url is not set: this command works with a ClickHouse of its own elsewhere; `heplake serve` embeds one")
	}
	s := &server{c: c, log: log, registry: prometheus.NewRegistry(), addresses: map[string]string{}}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newStorage(c.Data.Dir))
	defer s.stop()
	if err := s.start(ctx, run); err != nil {
		return err
	}
	<-ctx.Done()
	log.Info("stopping: what was received is being written")
	return nil
}

// server holds the running parts. stops has what undoes them, last started first.
type server struct {
	c         config.Config
	log       *slog.Logger
	registry  *prometheus.Registry
	db        *database
	addresses map[string]string
	ready     readiness
	stops     []func(context.Context) error
	// archive is asked before rows are deleted; nil without one.
	archive *archive.Archive
	// assemble starts the assembler; the tables must be there.
	assemble func()
	// spool is where records wait for ClickHouse; nil until it is open.
	spool atomic.Pointer[spool.Spool]
}

func (s *server) onStop(f func(context.Context) error) { s.stops = append(s.stops, f) }

// background runs a part until the stop, which waits for its end; ctx ends it, too.
// What undoes what the part needs must be among stops already.
func (s *server) background(ctx context.Context, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// stop ends the parts in the reverse order of their start, so that what was
// received reaches ClickHouse before ClickHouse ends.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for i := len(s.stops) - 1; i >= 0; i-- {
		if err := s.stops[i](ctx); err != nil {
			s.log.Error("stop", "error", err)
		}
	}
}

func (s *server) start(ctx context.Context, run parts) (err error) {
	s.tuneRuntime()
	// Before there is a child that would get the sockets too.
	sockets, err := fdstore.FromEnvironment()
	if err != nil {
		return err
	}
	if s.db, err = openDatabase(ctx, s.c, s.log); err != nil {
		return err
	}
	s.onStop(s.db.stop)
	if s.db.engine != nil {
		for k, v := range engineAddresses(s.db.engine) {
			s.addresses[k] = v
		}
		s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "heplake_clickhouse_restarts_total", Help: "Restarts of the embedded ClickHouse after a crash.",
		}, func() float64 { return float64(s.db.engine.Restarts()) }))
	}
	if run.ingest {
		if err := s.checkResidency(ctx); err != nil {
			return err
		}
		var kept *listen.Kept
		if sockets != nil {
			kept = listen.NewKept(sockets, s.c.Data.Dir)
		}
		if err := s.startIngest(ctx, kept); err != nil {
			return err
		}
	}
	if err := s.startMigration(ctx); err != nil {
		return err
	}
	if run.ingest {
		if err := s.startArchive(ctx); err != nil {
			return err
		}
		if err := s.startGuard(ctx); err != nil {
			return err
		}
		if err := s.startKeeper(ctx); err != nil {
			return err
		}
	}
	if run.api {
		if err := s.startAPI(ctx); err != nil {
			return err
		}
	}
	if err := s.startMetrics(ctx); err != nil {
		return err
	}
	if err := writeAddresses(s.c.Data.Dir, s.addresses); err != nil {
		return err
	}
	s.logAddresses()
	slowMonitor()
	return nil
}

// startMigration brings up the schema. The embedded engine must be there, so a
// failure ends the start; a ClickHouse elsewhere may be down for a while, during
// which records gather in the spool.
func (s *server) startMigration(ctx context.Context) error {
	if s.db.engine != nil {
		if err := migrateNow(ctx, s.c, s.db, s.log); err != nil {
			return err
		}
		s.migrated()
		return nil
	}
	s.background(ctx, func(ctx context.Context) {
		pause := backoff.NewExponentialBackOff()
		pause.MaxInterval = 15 * time.Second
		for {
			err := migrateNow(ctx, s.c, s.db, s.log)
			if err == nil {
				s.migrated()
				return
			}
			wait := pause.NextBackOff()
			s.log.Error("the schema is not in place; it will be tried again", "wait", wait.Round(time.Millisecond), "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	})
	return nil
}

// migrated notes that the tables are there.
func (s *server) migrated() {
	if s.assemble != nil {
		s.assemble()
	}
	s.ready.schema.Store(true)
}

func (s *server) startIngest(ctx context.Context, sockets *listen.Kept) error {
	conn, err := connect(s.db.writer, true)
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) error { return conn.Close() })
	assembler, err := s.startAssembler(ctx)
	if err != nil {
		return err
	}
	conn = waking{conn, assembler.Wake}
	cfg, err := pipelineConfig(s.c, s.workers())
	if err != nil {
		return err
	}
	cfg.Handover, cfg.Kept = assembler.Inbox(), sockets
	if s.c.HEP.Durable && s.c.Spool.Sync != "batch" {
		return errors.New("hep.durable needs spool.sync batch: else nothing is on the disk for sure")
	}
	sp, err := spool.Open(filepath.Join(s.c.Data.Dir, "spool"), spool.Options{
		MaxBytes: int64(s.c.Spool.Max), MemoryBytes: int64(s.c.Spool.Memory), Sync: s.c.Spool.Sync == "batch",
		DropOldest: s.c.Spool.Full == "oldest", Leases: cfg.Inserters, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.spool.Store(sp)
	pipeline := ingest.New(cfg, sp, insert.New(conn, s.db.name(), insertTimeout), s.log)
	if err := pipeline.Start(ctx); err != nil {
		return err
	}
	s.onStop(pipeline.Stop)
	s.standBack(ctx, func() float64 {
		// A spool that fills is full before long: then the engine is what is needed.
		if sp.Stats().Bytes > int64(s.c.Spool.Max)/4*3 {
			return 0
		}
		return pipeline.Fill()
	})
	s.registry.MustRegister(pipeline, pipeline.Agents(), sp)
	if h := pipeline.Heplify(); h != nil {
		s.registry.MustRegister(h)
	}
	for transport, addr := range pipeline.Addrs() {
		s.addresses["hep_"+transport] = reachable(addr)
	}
	s.ready.listening.Store(true)
	return nil
}

// standBack has the embedded engine leave the processors to ingest while receive
// buffers fill.
func (s *server) standBack(ctx context.Context, fill func() float64) {
	if s.db.engine == nil {
		return
	}
	guard := standback.New(fill, s.db.engine)
	s.background(context.WithoutCancel(ctx), guard.Run) // as long as there is receipt
	s.registry.MustRegister(guard.Metric())
}

func (s *server) startAPI(ctx context.Context) error {
	store, aliases, err := s.newStore()
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) error { return store.Close() })
	rows, err := chhttp.New(s.db.exporter)
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) error { rows.Close(); return nil })
	handler, err := api.New(api.Config{
		Store: store, Aliases: aliases, Registerer: s.registry, Ready: s.ready.check(s.db), Log: s.log,
		NoExport: s.c.NoExport(),
		Rows:     &api.Rows{ClickHouse: rows, Database: s.db.name(), Most: uint64(s.c.API.Rows), Time: s.c.API.RowsTime},
	})
	if err != nil {
		return err
	}
	addr, err := s.serveHTTP(ctx, "api", s.c.API.Addr, handler)
	if err != nil {
		return err
	}
	s.addresses["api"] = addr
	return nil
}
