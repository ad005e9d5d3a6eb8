// Package rollups measures what calls and KPIs cost: the CPU time of ClickHouse for
// inserts and merges with the feeds and the assembler, beside that of messages alone, and
// of messages with the tables by which searches find them; and the CPU time of the
// assembler itself.
//
//	go test ./bench/rollups -run '^$' -bench . -benchtime 1x
package rollups

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/bench/gen"
	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/digest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// load is how many packets a second are sent, and for how long: what batches of a second
// hold matters, not how fast the machine could be.
type load struct{ rate, seconds int }

// loads are a rate at which what each insert costs weighs as much as what is in it, and
// that which heplake is made for.
var loads = []load{{20_000, 60}, {100_000, 30}}

// stored is what is stored of the traffic.
type stored int

const (
	messages stored = iota // messages and media alone
	found                  // and ids and users, by which they are found
	all                    // and calls, registrations and KPIs
)

// cpu is what a million SIP messages took, in s: the engine in all, what of that was
// merges of messages and media, what it counts itself of inserts, feeds, queries and merges
// of what calls and KPIs are and are made of, and an assembler that makes every call once more.
type cpu struct{ engine, merges, counted, assembler float64 }

// BenchmarkRollups compares what the engine takes besides merges of messages and media:
// how many of these fall into the minute is chance, a third of all messages more or
// less, and they are the same whatever else is stored. On a machine whose speed changes
// from minute to minute the differences do so by a half. What the engine counts itself is
// steadier; it leaves out what background threads do, such as to remove parts.
func BenchmarkRollups(b *testing.B) {
	for _, l := range loads {
		b.Run(strconv.Itoa(l.rate), l.compare)
	}
}

// compare runs the load with all that can be stored of it.
func (l load) compare(b *testing.B) {
	besides := map[stored]float64{}
	names := []string{"messages alone", "with what finds them", "with calls and KPIs"}
	for what, name := range names {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				took := l.run(b, stored(what))
				besides[stored(what)] = took.engine - took.merges
				b.ReportMetric(took.engine, "clickhouse-s/M")
				b.ReportMetric(took.merges, "message-merges-s/M")
				if stored(what) != all {
					continue
				}
				b.ReportMetric(took.assembler, "assembler-s/M")
				b.ReportMetric(took.counted, "counted-s/M")
				if len(besides) == len(names) {
					b.ReportMetric(besides[all]-besides[messages], "added-s/M")
					b.ReportMetric(besides[all]-besides[found], "rollups-s/M")
				}
			}
		})
	}
}

// withoutDigests is a connection on which what calls are made of is not stored.
type withoutDigests struct{ driver.Conn }

func (c withoutDigests) InsertFormat(ctx context.Context, format, query string, data io.Reader) error {
	if strings.Contains(query, schema.LegDigests.Name) {
		_, err := io.Copy(io.Discard, data)
		return err
	}
	return c.Conn.InsertFormat(ctx, format, query, data)
}

// leaveOut takes digests and does nothing with them: with it what else is made of messages
// is inserted as often as where calls are put together.
type leaveOut struct{}

func (leaveOut) Run() uint64                              { return 1 }
func (leaveOut) Ours() bool                               { return true }
func (leaveOut) Take(uint64, string, []digest.Piece) bool { return true }
func (leaveOut) Renew()                                   {}
func (leaveOut) Stored(time.Time)                         {}

// run sends the traffic and returns what it took.
func (l load) run(b *testing.B, what stored) (took cpu) {
	b.Helper()
	engine := chtest.StartEngine(b, embedded.Config{})
	conn := chtest.Dial(b, strings.TrimSuffix(engine.URL(embedded.Owner), "/"+schema.Database))
	o := schema.Options{}
	steps, err := migrate.Plan(b.Context(), conn, o)
	if err == nil {
		err = migrate.Apply(b.Context(), conn, steps)
	}
	if err != nil {
		b.Fatal(err)
	}
	if what != all {
		for _, f := range schema.Feeds() {
			exec(b, conn, "DROP VIEW "+schema.Database+"."+f.Name+" SYNC")
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	done := make(chan struct{})
	scratch := b.TempDir()
	sp, err := spool.Open(b.TempDir(), spool.Options{MaxBytes: 4 << 30, MemoryBytes: 256 << 20, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	// As heplake has it: what is late about calls waits for messages.
	crowded := func() bool {
		oldest := sp.OldestPut(schema.SIP.Name)
		return !oldest.IsZero() && time.Since(oldest) > assemble.CrowdedAfter
	}
	a := assemble.New(assemble.Config{Conn: conn, Scratch: scratch, Crowded: crowded})
	go func() {
		defer close(done)
		if what == all {
			a.Run(ctx)
		}
	}()
	before := engineCPU(b, engine.PID())
	l.send(b, conn, sp, what, a.Inbox())
	for idle := 0; idle < 4; time.Sleep(500 * time.Millisecond) {
		if idle++; count(b, conn, "SELECT count() FROM system.merges") > 0 || late(b, a) {
			idle = 0
		}
	}
	cancel()
	<-done
	took.engine = engineCPU(b, engine.PID()) - before
	exec(b, conn, "SYSTEM FLUSH LOGS")
	// The bench's own questions are about tables of system.
	const cpuTime = "SELECT toUInt64(sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds'])) FROM system."
	const merges = "part_log WHERE event_type = 'MergeParts' AND database = '" + schema.Database + "' AND table"
	took.merges = float64(count(b, conn, cpuTime+merges+" IN ('sip', 'media')")) / 1e6
	took.counted = float64(count(b, conn, cpuTime+"query_log WHERE type = 'QueryFinish' AND query_kind IN ('Insert', 'Select') AND query NOT LIKE '%system.%'"+
		" AND NOT arrayExists(t -> splitByChar('.', t)[2] IN ('sip', 'media', 'ids', 'users'), tables)")+
		count(b, conn, cpuTime+"query_views_log WHERE status = 'QueryFinish'")+
		count(b, conn, cpuTime+merges+" NOT IN ('sip', 'media', 'ids', 'users')")) / 1e6
	if took.merges == 0 || what == all && took.counted == 0 {
		b.Fatal("the engine's log has no merge of messages, or nothing of calls")
	}
	if what == all {
		began := ownCPU(b)
		if err := assemble.New(assemble.Config{Conn: conn, Scratch: scratch}).Pass(b.Context()); err != nil {
			b.Fatal(err)
		}
		took.assembler = ownCPU(b) - began
	}
	millions := float64(count(b, conn, "SELECT count() FROM "+schema.Database+".sip")) / 1e6
	return cpu{took.engine / millions, took.merges / millions, took.counted / millions, took.assembler / millions}
}

// send sends the traffic through the pipeline and waits until it is stored.
func (l load) send(b *testing.B, conn driver.Conn, sp *spool.Spool, what stored, inbox ingest.Handover) {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	if what == found {
		conn, inbox = withoutDigests{conn}, leaveOut{}
	}
	p := ingest.New(ingest.Config{
		UDP: "127.0.0.1:0", Workers: 2, UDPBuffer: 16 << 20, MaxConnections: 10, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: time.Second, BatchBytes: 64 << 20, Inserters: 4, Tenant: "default",
		NoDigests: what == messages, Handover: inbox, CorrelationHeaders: schema.DefaultLinkHeaders, TimeAhead: 24 * time.Hour, TimeBehind: 24 * time.Hour,
	}, sp, insert.New(conn, schema.Database, time.Minute), log)
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	g, err := gen.New(gen.Config{Seed: 1, Packets: l.rate * l.seconds, Rate: float64(l.rate), Mix: gen.DefaultMix, Agents: 4})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := gen.Send(b.Context(), g, gen.SendConfig{To: p.Addrs()["udp"].String(), Proto: "udp", Conns: 4, Rate: float64(l.rate)}); err != nil {
		b.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		b.Fatal(err)
	}
}

// late reports whether there are digests that the assembler has yet to read.
func late(b *testing.B, a *assemble.Assembler) bool {
	b.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(a)
	families, err := registry.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "heplake_assemble_lag_seconds" {
			return f.GetMetric()[0].GetGauge().GetValue() > 1
		}
	}
	b.Fatal("the assembler does not say how late it is")
	return false
}

func exec(b *testing.B, conn driver.Conn, sql string) {
	b.Helper()
	if err := conn.Exec(b.Context(), sql); err != nil {
		b.Fatal(err)
	}
}

func count(b *testing.B, conn driver.Conn, sql string) (n uint64) {
	b.Helper()
	if err := conn.QueryRow(b.Context(), sql).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

// engineCPU is the CPU time of a process in s.
func engineCPU(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
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

// ownCPU is that of this process.
func ownCPU(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
