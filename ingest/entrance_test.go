package ingest

import (
	"log/slog"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/bench/gen"
	"github.com/heplake/heplake/ingest/listen"
)

// reads are packets of the bench's traffic as a UDP socket's reads bring them.
type reads [][]listen.Packet

// perRead is what a read brings under load.
const perRead = 64

func makeReads(tb testing.TB, packets, agents int) (all reads) {
	tb.Helper()
	g, err := gen.New(gen.Config{Seed: 1, Packets: packets, Rate: 100_000, Agents: agents})
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now().UnixMicro()
	var read []listen.Packet
	for i := range packets {
		agent, ok := g.Next()
		if !ok {
			tb.Fatalf("%d packets", i)
		}
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(agent)}), 9060)
		read = append(read, listen.Packet{Data: g.Append(nil, start+int64(i)*10), From: from})
		if len(read) == perRead {
			all, read = append(all, read), nil
		}
	}
	return append(all, read)
}

// newTestPipeline is one whose batches nobody seals.
func newTestPipeline(rows int) *Pipeline {
	return New(Config{
		Workers: 1, BatchRows: rows, BatchAge: time.Hour, BatchBytes: 1 << 30, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID", "P-Charging-Vector"},
		TimeAhead:          24 * time.Hour, TimeBehind: 90 * 24 * time.Hour,
	}, nil, nil, slog.New(slog.DiscardHandler))
}

// TestEntranceDoesNotAllocate: a packet costs no allocation from the read to
// the columns, by the door that a UDP socket's reader uses, once the columns
// have their memory and the media addresses are known.
func TestEntranceDoesNotAllocate(t *testing.T) {
	const packets = 20_000
	all := makeReads(t, packets, 16)
	p := newTestPipeline(10 * packets)
	w := p.workers[0]
	door := entrance{w, "udp"}
	pass := func() {
		for _, read := range all {
			door.Packets(time.Now(), read)
		}
	}
	empty := func() {
		for _, x := range w.sipRows.byDay {
			x.Reset()
		}
		for _, x := range w.mediaRows.byDay {
			x.Reset()
		}
		w.legs.digests.Reset()
		w.legs.prompt.Reset()
	}
	pass()
	empty()
	if n := testing.AllocsPerRun(3, func() {
		pass()
		empty()
	}); n != 0 {
		t.Errorf("%g allocations for %d packets", n, packets)
	}
	if n := p.Books().Received["udp"]; n != 5*packets {
		t.Errorf("%d packets received, want %d", n, 5*packets)
	}
	if len(w.eventRows.byDay) != 0 {
		t.Error("packets of the generator went into events")
	}
}

// cpuTime is what this process has used: on a busy machine it says more than
// the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEntrance is what a packet costs from the read to the columns, at
// the same door that the UDP sockets use.
func BenchmarkEntrance(b *testing.B) {
	const packets = 200_000
	all := makeReads(b, packets, 16)
	p := newTestPipeline(100_000)
	go func() {
		for s := range p.seal {
			s.release()
		}
	}()
	door := entrance{p.workers[0], "udp"}
	for _, read := range all {
		door.Packets(time.Now(), read)
	}
	b.ReportAllocs()
	before := cpuTime(b)
	n := 0
	for b.Loop() {
		door.Packets(time.Now(), all[n%len(all)])
		n++
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(n*perRead), "cpu-ns/packet")
}

// BenchmarkSealing is the same with the batches sealed.
func BenchmarkSealing(b *testing.B) {
	const packets = 200_000
	all := makeReads(b, packets, 16)
	p := newTestPipeline(100_000)
	go func() {
		for s := range p.seal {
			if _, err := s.seal(); err != nil {
				b.Error(err)
			}
			s.release()
		}
	}()
	door := entrance{p.workers[0], "udp"}
	b.ReportAllocs()
	before := cpuTime(b)
	n := 0
	for b.Loop() {
		door.Packets(time.Now(), all[n%len(all)])
		n++
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(n*perRead), "cpu-ns/packet")
}
