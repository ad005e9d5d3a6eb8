package main

import (
	"context"
	"io"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/schema"
)

// waking is a connection that tells when rows were inserted.
type waking struct {
	driver.Conn
	inserted func()
}

// InsertFormat implements driver.Conn.
func (w waking) InsertFormat(ctx context.Context, format, query string, data io.Reader) error {
	err := w.Conn.InsertFormat(ctx, format, query, data)
	if err == nil {
		w.inserted()
	}
	return err
}

// crowded reports whether messages come too late into ClickHouse.
func (s *server) crowded() bool {
	sp := s.spool.Load()
	if sp == nil {
		return false
	}
	oldest := sp.OldestPut(schema.SIP.Name)
	return !oldest.IsZero() && time.Since(oldest) > assemble.CrowdedAfter
}

// startAssembler makes calls of what is inserted, here or by others.
func (s *server) startAssembler(ctx context.Context) (*assemble.Assembler, error) {
	conn, err := connect(s.db.writer, true)
	if err != nil {
		return nil, err
	}
	a := assemble.New(assemble.Config{
		Conn: conn, Database: s.db.name(), Log: s.log, LinkHeaders: s.c.Correlation.Headers, Crowded: s.crowded,
		Replicas: s.c.ClickHouse.URL != "", Scratch: s.c.Data.Dir,
	})
	s.registry.MustRegister(a)
	// It goes on while the pipeline writes what it has received.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	s.assemble = func() {
		go func() {
			defer close(done)
			a.Run(ctx)
		}()
	}
	s.onStop(func(stopping context.Context) error {
		cancel()
		if s.ready.schema.Load() {
			<-done
			// What was received last is in calls, too, when the program has ended.
			if a.Pass(stopping) == nil {
				_ = a.Release(stopping)
			}
		}
		return conn.Close()
	})
	return a, nil
}
