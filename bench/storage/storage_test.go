// Package storage measures what a SIP message costs on disk, by column and by
// ways of storing it: a seeded corpus of the generator, and the real captures.
// It prints the tables of docs/storage.md.
//
//	make bench-storage
//
// STORAGE_PACKETS is how many packets of the generator are stored.
package storage

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/bench/gen"
	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// defaultPackets of the generator are about 1.1 million SIP messages; rate is the
// packets a second that their times stand for.
const (
	defaultPackets = 1_300_000
	rate           = 10_000
)

func BenchmarkStorage(b *testing.B) {
	packets := defaultPackets
	if s := os.Getenv("STORAGE_PACKETS"); s != "" {
		var err error
		if packets, err = strconv.Atoi(s); err != nil {
			b.Fatal("STORAGE_PACKETS: ", err)
		}
	}
	for range b.N {
		l := open(b)
		l.generated(b, packets)
		l.report(b, fmt.Sprintf("Generator, seed 1, %d packets", packets))
		l = open(b)
		l.captured(b)
		l.report(b, "Real captures")
	}
}

// lake is an engine of its own with the tables, and no feeds: what is measured is
// the table of messages.
type lake struct {
	engine *embedded.Server
	conn   driver.Conn
	insert float64 // CPU s of the engine for the inserts
}

func open(b *testing.B) *lake {
	b.Helper()
	l := &lake{engine: chtest.StartEngine(b, embedded.Config{})}
	l.conn = chtest.Dial(b, strings.TrimSuffix(l.engine.URL(embedded.Owner), "/"+schema.Database))
	steps, err := migrate.Plan(b.Context(), l.conn, schema.Options{})
	if err == nil {
		err = migrate.Apply(b.Context(), l.conn, steps)
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range schema.Feeds() {
		l.exec(b, "DROP VIEW "+schema.Database+"."+f.Name+" SYNC")
	}
	// The batches stay as they were inserted, for every variant to begin with.
	l.exec(b, "SYSTEM STOP MERGES "+schema.Database+".sip")
	return l
}

// pipeline stores what send sends to its address, until all packets are stored.
func (l *lake) pipeline(b *testing.B, age time.Duration, send func(p *ingest.Pipeline)) {
	b.Helper()
	const decade = 10 * 365 * 24 * time.Hour // records keep their times
	log := slog.New(slog.DiscardHandler)
	sp, err := spool.Open(b.TempDir(), spool.Options{MaxBytes: 8 << 30, MemoryBytes: 256 << 20, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Workers: 1, UDPBuffer: 8 << 20, MaxConnections: 10, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: age, BatchBytes: 256 << 20, Inserters: 1, Tenant: "default",
		CorrelationHeaders: schema.DefaultLinkHeaders, TimeAhead: decade, TimeBehind: decade,
	}, sp, insert.New(l.conn, schema.Database, time.Minute), log)
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	before := l.cpu(b)
	send(p)
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		b.Fatal(err)
	}
	l.insert += l.cpu(b) - before
}

// dial opens a stream to the pipeline.
func dial(b *testing.B, p *ingest.Pipeline) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", p.Addrs()["tcp"].String())
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// wait closes the stream and waits until so many packets were received.
func wait(b *testing.B, p *ingest.Pipeline, c net.Conn, packets int) {
	b.Helper()
	_ = c.Close()
	for p.Books().Total() < uint64(packets) {
		if b.Context().Err() != nil {
			b.Fatal("stopped")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// generated stores the generator's traffic of an hour of the day before.
func (l *lake) generated(b *testing.B, packets int) {
	b.Helper()
	g, err := gen.New(gen.Config{Seed: 1, Packets: packets, Rate: rate, Mix: gen.DefaultMix, Agents: 4})
	if err != nil {
		b.Fatal(err)
	}
	l.pipeline(b, time.Hour, func(p *ingest.Pipeline) {
		c := dial(b, p)
		us := time.Now().UTC().Truncate(24 * time.Hour).Add(-12 * time.Hour).UnixMicro()
		var buf []byte
		for _, ok := g.Next(); ok; _, ok = g.Next() {
			if buf = g.Append(buf, us); len(buf) > 64<<10 {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				buf = buf[:0]
			}
			us += 1_000_000 / rate
		}
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		wait(b, p, c, packets)
	})
}

// captured stores the captures whose packets are HEP version 3, which frames
// itself on a stream.
func (l *lake) captured(b *testing.B) {
	b.Helper()
	l.pipeline(b, time.Hour, func(p *ingest.Pipeline) {
		c := dial(b, p)
		n := 0
		for _, name := range captures.Names(b, "*hep3*") {
			for _, packet := range captures.Read(b, captures.Path(name+".pcap")) {
				if !strings.HasPrefix(string(packet.Payload), "HEP3") || packet.Transport != "udp" {
					continue
				}
				if _, err := c.Write(packet.Payload); err != nil {
					b.Fatal(err)
				}
				n++
			}
		}
		wait(b, p, c, n)
	})
}

func (l *lake) exec(b *testing.B, sql string) {
	b.Helper()
	if err := l.conn.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

// number is the one number that the query gives.
func (l *lake) number(b *testing.B, sql string) (n float64) {
	b.Helper()
	if err := l.conn.QueryRow(b.Context(), "SELECT toFloat64(("+sql+"))").Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// cpu is the CPU time of the engine so far, in s.
func (l *lake) cpu(b *testing.B) float64 {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(l.engine.PID()) + "/stat")
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	const userField, systemField, ticks = 11, 12, 100 // counted from the state, proc(5)
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[userField], 64)
	system, _ := strconv.ParseFloat(fields[systemField], 64)
	return (user + system) / ticks
}
