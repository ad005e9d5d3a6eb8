package gen

import (
	"bytes"
	"hash/fnv"
	"maps"
	"testing"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
)

const testStart = 1_790_000_000_000_000

// all makes every packet and gives it to visit.
func all(t testing.TB, cfg Config, visit func(data []byte, agent int)) Counts {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var buf []byte
	for i := 0; ; i++ {
		agent, ok := g.Next()
		if !ok {
			return g.Counts()
		}
		buf = g.Append(buf[:0], testStart+int64(i)*100)
		visit(buf, agent)
	}
}

func TestEveryPacketDecodes(t *testing.T) {
	const packets, agents = 60_000, 5
	var (
		d        hep.Decoder
		p        hep.Packet
		m        sip.Message
		reports  media.Decoder
		scanner  = sip.NewScanner(sip.Options{Headers: []string{"X-CID"}})
		methods  = map[string]int{}
		statuses = map[int]int{}
		rtcp     int
		legs     = map[string]string{} // second leg's Call-ID to X-CID
		calls    = map[string]bool{}
		bodies   int
	)
	counts := all(t, Config{Seed: 7, Packets: packets, Rate: 20_000, Agents: agents}, func(data []byte, agent int) {
		if err := d.Decode(&p, data); err != nil {
			t.Fatalf("HEP: %v", err)
		}
		if p.Quirks != 0 || len(p.Extra) > 0 {
			t.Fatalf("HEP: quirks %s, %d further chunks", p.Quirks, len(p.Extra))
		}
		if agent < 0 || agent >= agents || p.CaptureID != 2001+uint32(agent) {
			t.Fatalf("agent %d with capture id %d", agent, p.CaptureID)
		}
		if p.Type == hep.TypeRTCP {
			rtcp++
			rows, err := reports.RTCPJSON(p.Payload, 0)
			if err != nil || len(rows) != 1 {
				t.Fatalf("RTCP: %d reports, %v: %s", len(rows), err, p.Payload)
			}
			r := rows[0]
			if rtt, ok := media.RTT(p.Time, r.LSR, r.DLSR); !ok || rtt < 14 || rtt > 16 || r.Packets < 250 || r.SSRC == 0 || r.JitterMs <= 0 {
				t.Fatalf("RTCP: round trip %g ms, %+v: %s", rtt, r, p.Payload)
			}
			return
		}
		if !scanner.Scan(&m, p.Payload) || m.Errs != 0 {
			t.Fatalf("SIP: %s in\n%s", m.Errs.Append(nil), p.Payload)
		}
		if n, whole := sip.MessageLength(p.Payload); !whole || n != len(p.Payload) {
			t.Fatalf("SIP: message of %d bytes in a payload of %d:\n%s", n, len(p.Payload), p.Payload)
		}
		if m.SDP.Has {
			bodies++
			if len(m.SDP.Streams()) != 1 || m.SDP.Streams()[0].Port == 0 {
				t.Fatalf("SDP: %s", m.Body)
			}
		}
		if m.Response {
			statuses[int(m.Status)]++
		} else {
			methods[string(m.Method)]++
		}
		if string(m.Method) == "INVITE" {
			calls[string(m.CallID)] = true
			if len(m.Custom) > 0 {
				legs[string(m.CallID)] = string(m.Custom[0].Value)
			}
		}
	})
	if counts.Packets != packets || counts.SIP+counts.RTCP != packets || counts.RTCP != rtcp {
		t.Errorf("counted %+v; %d RTCP seen", counts, rtcp)
	}
	if !maps.Equal(methods, counts.Methods) || !maps.Equal(statuses, counts.Statuses) {
		t.Errorf("counted %v %v, seen %v %v", counts.Methods, counts.Statuses, methods, statuses)
	}
	for leg, first := range legs {
		if leg == first || !calls[first] {
			t.Fatalf("leg %s names %s, which is no first leg", leg, first)
		}
	}
	if len(legs) != counts.TwoLegged || counts.TwoLegged == 0 {
		t.Errorf("%d second legs, %d counted", len(legs), counts.TwoLegged)
	}
	ended := 0
	for _, n := range counts.Calls() {
		ended += n
	}
	if ended != len(calls)-len(legs) {
		t.Errorf("%d calls counted, %d seen", ended, len(calls)-len(legs))
	}
	for _, o := range []Outcome{Answered, Busy, Failed, Cancelled, NoAnswer, Registration, Ping} {
		if counts.Dialogs[o.String()] == 0 {
			t.Errorf("no dialog of kind %s", o)
		}
	}
	if mean := counts.SIPBytes / int64(counts.SIP); mean < 640 || mean > 740 {
		t.Errorf("SIP of %d bytes on average, want 640 to 740", mean)
	}
	if bodies == 0 {
		t.Error("no SDP")
	}
}

func TestSeedDecidesEverything(t *testing.T) {
	sum := func(seed uint64) uint64 {
		h := fnv.New64a()
		all(t, Config{Seed: seed, Packets: 5000, Rate: 1000, Agents: 3}, func(data []byte, _ int) { h.Write(data) })
		return h.Sum64()
	}
	if once, again := sum(1), sum(1); once != again {
		t.Error("the same seed gives other packets")
	}
	if sum(1) == sum(2) {
		t.Error("another seed gives the same packets")
	}
}

func TestExactNumberOfPackets(t *testing.T) {
	for _, rate := range []float64{1, 500, 100_000} {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 17, 1000, 1001} {
			got := 0
			c := all(t, Config{Seed: 3, Packets: n, Rate: rate}, func([]byte, int) { got++ })
			if got != n || c.Packets != n {
				t.Errorf("%d packets at %g/s: made %d, counted %d", n, rate, got, c.Packets)
			}
		}
	}
}

// TestDialogInOrder checks the course of one call over a B2BUA.
func TestDialogInOrder(t *testing.T) {
	var scanner = sip.NewScanner(sip.Options{})
	var d hep.Decoder
	var p hep.Packet
	var m sip.Message
	var got bytes.Buffer
	n := len(newCall(Cancelled, 2, 0, false).steps)
	all(t, Config{Seed: 1, Packets: n, Rate: 100, Mix: Mix{Cancelled: 1, B2BUA: 100}}, func(data []byte, _ int) {
		if err := d.Decode(&p, data); err != nil || !scanner.Scan(&m, p.Payload) {
			t.Fatal(err)
		}
		if m.Response {
			got.WriteString(string(m.CSeqMethod[0]))
			got.WriteByte('0' + byte(m.Status/100))
		} else {
			got.Write(m.Method[:1])
		}
		got.WriteByte(' ')
	})
	const want = "I I1 I I1 I I1 I I1 I1 I1 I1 I1 C C2 C C2 C C2 C C2 I4 A I4 A I4 A I4 A "
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got.String(), want)
	}
}

func TestRefusals(t *testing.T) {
	for _, cfg := range []Config{
		{Packets: -1, Rate: 1}, {Packets: 1}, {Packets: 1, Rate: 1, Agents: -1}, {Packets: 1, Rate: 1, Mix: Mix{B2BUA: 1}}, {Packets: 1, Rate: 1, Mix: Mix{Busy: -1}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("accepted %+v", cfg)
		}
	}
	for _, s := range []string{"", "answered", "talking=1", "answered=x", "answered=1,b2bua=101", "rtcp=3"} {
		if _, err := ParseMix(s); err == nil {
			t.Errorf("accepted mix %q", s)
		}
	}
	if m, err := ParseMix(DefaultMix.String()); err != nil || m != DefaultMix {
		t.Errorf("the default mix reads as %v, %v", m, err)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	g, err := New(Config{Seed: 1, Packets: 1_000_000, Rate: 5000})
	if err != nil {
		t.Fatal(err)
	}
	var buf []byte
	one := func() {
		if _, ok := g.Next(); !ok {
			t.Fatal("too few packets")
		}
		buf = g.Append(buf[:0], testStart)
	}
	for range 200_000 { // the open dialogs reach their number
		one()
	}
	if n := testing.AllocsPerRun(20_000, one); n != 0 {
		t.Errorf("%g allocations for a packet", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	g, err := New(Config{Seed: 1, Packets: 1 << 40, Rate: 20_000, Agents: 16})
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		g.Next()
		buf = g.Append(buf[:0], testStart)
	}
}
