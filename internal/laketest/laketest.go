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
	"github.com/heplake/heplake/internal/assemble"
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
	l.fill(t, names)
	return l
}

// fill loads the captures, if any.
func (l *Lake) fill(t testing.TB, names []string) {
	t.Helper()
	if len(names) == 0 {
		return
	}
	var packets [][]captures.Packet
	for _, name := range names {
		packets = append(packets, captures.Read(t, captures.Path(name+".pcap")))
	}
	l.Load(t, l.DB, packets...)
	l.Pass(t)
	l.Bound(t)
}

// Bound sets From and To by what is stored.
func (l *Lake) Bound(t testing.TB) {
	t.Helper()
	if err := l.DB.QueryRow(t.Context(), "SELECT min(time), max(time) + toIntervalSecond(1) FROM sip").Scan(&l.From, &l.To); err != nil {
		t.Fatal(err)
	}
}

// Load sends captures through a pipeline over the transport they were made with,
// and waits until they are stored. The pipeline inserts over the connection.
func (l *Lake) Load(t testing.TB, conn driver.Conn, list ...[]captures.Packet) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	sp, err := spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	const decade = 10 * 365 * 24 * time.Hour // captures keep their times
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Workers: 1, UDPBuffer: 8 << 20, MaxConnections: 100, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: 50 * time.Millisecond, BatchBytes: 64 << 20, Inserters: 1, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID"}, SIPHeaders: []string{"X-CID"}, TimeAhead: decade, TimeBehind: decade,
	}, sp, insert.New(conn, l.Name, time.Minute), log)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, packets := range list {
		send(t, p, packets)
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

// Feed sends HEP packets through a pipeline, waits until they are stored, and
// makes calls of them.
func (l *Lake) Feed(t testing.TB, packets [][]byte) {
	t.Helper()
	list := make([]captures.Packet, len(packets))
	for i, p := range packets {
		list[i] = captures.Packet{Transport: "udp", Payload: p}
	}
	l.Load(t, l.DB, list)
	l.Pass(t)
}

// Pass makes calls of what ingest stored.
func (l *Lake) Pass(t testing.TB) {
	t.Helper()
	if err := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name}).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Digest does for messages that the test inserted itself what ingest does for
// those that it receives.
func (l *Lake) Digest(t testing.TB) {
	t.Helper()
	var from, to time.Time
	if err := l.DB.QueryRow(t.Context(), "SELECT min(time), max(time) + toIntervalSecond(1) FROM sip").Scan(&from, &to); err != nil {
		t.Fatal(err)
	}
	a := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, LinkHeaders: schema.DefaultLinkHeaders})
	if err := a.DigestStored(t.Context(), schema.SIP.Name, from, to); err != nil {
		t.Fatal(err)
	}
}

// Assemble makes calls of what is stored, also of what the test inserted itself.
func (l *Lake) Assemble(t testing.TB) {
	t.Helper()
	l.Digest(t)
	l.Pass(t)
}

// Settle makes calls and every rollup of what is stored.
func (l *Lake) Settle(t testing.TB) {
	t.Helper()
	if err := assemble.New(assemble.Config{Conn: l.DB, Database: l.Name, LinkHeaders: schema.DefaultLinkHeaders}).Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// burst is how many datagrams are under way at a time: fewer than the smallest
// usual buffer of a socket holds.
const burst = 32

// send sends the packets of one capture and waits until the pipeline has them.
func send(t testing.TB, p *ingest.Pipeline, packets []captures.Packet) {
	t.Helper()
	transport := packets[0].Transport
	conn, err := net.Dial(transport, p.Addrs()[transport].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	before := p.Books().Total()
	for i, packet := range packets {
		if packet.Transport != transport {
			t.Fatal("a capture of several transports")
		}
		if _, err := conn.Write(packet.Payload); err != nil {
			t.Fatal(err)
		}
		for transport == "udp" && p.Books().Total()+burst <= before+uint64(i) { // no faster than the kernel's buffer empties
			time.Sleep(time.Millisecond)
		}
	}
	if transport == "udp" {
		for p.Books().Total() < before+uint64(len(packets)) {
			time.Sleep(time.Millisecond)
		}
		return
	}
	// A stream's packets are counted as they are found in it, the last when it ends.
	_ = conn.Close()
	for seen := before; seen == before || p.Books().Total() != seen; {
		seen = p.Books().Total()
		time.Sleep(50 * time.Millisecond)
	}
}
