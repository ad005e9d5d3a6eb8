// Package laketest gives tests of what reads a database with real traffic in it:
// captures of testdata/captures, put there by the pipeline itself.
package laketest

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// Lake is a database of one test. The test binary's TestMain is chtest.Main.
type Lake struct {
	DB driver.Conn
	// URL is the database's address with its owner's password, Name its name.
	URL, Name string
	// From and To bound the SIP messages in it: [From, To).
	From, To time.Time
}

// Open makes a database, migrates it, and loads these captures.
func Open(t testing.TB, names ...string) *Lake {
	t.Helper()
	l := &Lake{URL: chtest.Database(t)}
	l.DB, l.Name = chtest.Dial(t, l.URL), chtest.Name(t, l.URL)
	steps, err := migrate.Plan(t.Context(), l.DB, schema.Options{Database: l.Name})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), l.DB, steps); err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		return l
	}
	l.load(t, names)
	if err := l.DB.QueryRow(t.Context(), "SELECT min(time), max(time) + toIntervalSecond(1) FROM sip").Scan(&l.From, &l.To); err != nil {
		t.Fatal(err)
	}
	return l
}

// load sends captures of UDP senders through a pipeline, and waits until they
// are stored.
func (l *Lake) load(t testing.TB, names []string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sp, err := spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	const decade = 10 * 365 * 24 * time.Hour // captures keep their times
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", Workers: 1, UDPBuffer: 8 << 20, MaxConnections: 10, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: 50 * time.Millisecond, BatchBytes: 64 << 20, Inserters: 1, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID"}, TimeAhead: decade, TimeBehind: decade,
	}, sp, insert.New(l.DB, l.Name, time.Minute), log)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", p.Addrs()["udp"].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sent := uint64(0)
	for _, name := range names {
		for _, packet := range captures.Read(t, captures.Path(name+".pcap")) {
			if packet.Transport != "udp" {
				t.Fatalf("%s: not all of it is UDP", name)
			}
			if _, err := conn.Write(packet.Payload); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		for p.Books().Total() < sent { // no faster than the kernel's buffer empties
			time.Sleep(time.Millisecond)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if b := p.Books(); b.Lost() != 0 || b.Waiting != 0 {
		t.Fatalf("loading lost %d packets, %d wait", b.Lost(), b.Waiting)
	}
}
