package query_test

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
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/schema"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake is a database with real captures in it, put there by the pipeline.
type lake struct {
	*query.Store
	db   driver.Conn
	name string
}

// open gives the test a database with these captures of testdata/captures.
func open(t *testing.T, names ...string) *lake {
	t.Helper()
	address := chtest.Database(t)
	l := &lake{db: chtest.Dial(t, address), name: chtest.Name(t, address)}
	o := schema.Options{Database: l.name}
	for _, table := range schema.Tables() {
		l.exec(t, table.CreateSQL(o))
	}
	for _, view := range schema.Views() {
		l.exec(t, view.CreateSQL(o))
	}
	l.load(t, names...)
	store, err := query.Open(t.Context(), query.Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	l.Store = store
	return l
}

func (l *lake) exec(t *testing.T, sql string) {
	t.Helper()
	if err := l.db.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// load sends captures through the pipeline, and waits until they are stored.
func (l *lake) load(t *testing.T, names ...string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sp, err := spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Workers: 1, UDPBuffer: 8 << 20, MaxConnections: 100, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: 50 * time.Millisecond, BatchBytes: 64 << 20, Inserters: 1, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID"}, SIPHeaders: []string{"X-CID"},
		TimeAhead: 10 * 365 * 24 * time.Hour, TimeBehind: 10 * 365 * 24 * time.Hour,
	}, sp, insert.New(l.db, l.name, time.Minute), log)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	sent := uint64(0)
	for _, name := range names {
		packets := captures.Read(t, captures.Path(name+".pcap"))
		conn, err := net.Dial(packets[0].Transport, p.Addrs()[packets[0].Transport].String())
		if err != nil {
			t.Fatal(err)
		}
		for _, packet := range packets {
			if _, err := conn.Write(packet.Payload); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if packets[0].Transport == "udp" {
			for p.Books().Total() < sent { // no faster than the kernel's buffer empties
				time.Sleep(time.Millisecond)
			}
		}
		_ = conn.Close()
		sent = 0
		for b := p.Books(); b.Total() == 0 || b.Total() != sent; b = p.Books() { // a stream's packets are known when it has ended
			sent = b.Total()
			time.Sleep(20 * time.Millisecond)
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
