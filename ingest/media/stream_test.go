package media

import (
	"math"
	"math/rand/v2"
	"testing"
)

// rtpBytes builds an RTP packet.
func rtpBytes(pt uint8, seq uint16, ts, ssrc uint32, payload int) []byte {
	b := []byte{0x80, pt, byte(seq >> 8), byte(seq), byte(ts >> 24), byte(ts >> 16), byte(ts >> 8), byte(ts),
		byte(ssrc >> 24), byte(ssrc >> 16), byte(ssrc >> 8), byte(ssrc)}
	return append(b, make([]byte, payload)...)
}

func TestRTPHeader(t *testing.T) {
	for _, c := range []struct {
		name    string
		in      []byte
		ok      bool
		payload int
	}{
		{"plain", rtpBytes(8, 1, 2, 3, 160), true, 160},
		{"no payload", rtpBytes(8, 1, 2, 3, 0), true, 0},
		{"two CSRC", append([]byte{0x82}, rtpBytes(8, 1, 2, 3, 20)[1:]...), true, 12},
		{"extension of one word", append(append([]byte{0x90}, rtpBytes(8, 1, 2, 3, 0)[1:]...), 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 5, 6), true, 2},
		{"padding", append(append([]byte{0xa0}, rtpBytes(8, 1, 2, 3, 4)[1:]...), 0, 0, 3), true, 4},
		{"padding over the header", append(append([]byte{0xa0}, rtpBytes(8, 1, 2, 3, 0)[1:]...), 2), false, 0},
		{"padding of 0", append([]byte{0xa0}, rtpBytes(8, 1, 2, 3, 4)[1:]...), false, 0},
		{"extension cut", append([]byte{0x90}, rtpBytes(8, 1, 2, 3, 3)[1:]...), false, 0},
		{"extension longer than the packet", append(append([]byte{0x90}, rtpBytes(8, 1, 2, 3, 0)[1:]...), 0xbe, 0xde, 0, 9, 1), false, 0},
		{"CSRC cut", append([]byte{0x8f}, rtpBytes(8, 1, 2, 3, 4)[1:]...), false, 0},
		{"version 1", append([]byte{0x40}, rtpBytes(8, 1, 2, 3, 4)[1:]...), false, 0},
		{"RTCP", srOne, false, 0},
		{"short", rtpBytes(8, 1, 2, 3, 0)[:11], false, 0},
		{"empty", nil, false, 0},
	} {
		h, ok := RTPHeader(c.in)
		if ok != c.ok || len(h.Payload) != c.payload {
			t.Errorf("%s: %+v %v", c.name, h, ok)
		}
		if ok && (h.PayloadType != 8 || h.Sequence != 1 || h.Timestamp != 2 || h.SSRC != 3 || h.Marker) {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
	if h, ok := RTPHeader(rtpBytes(0x80|101, 0xfffe, 0xfffffffd, 0xfffffffc, 4)); !ok || !h.Marker || h.PayloadType != 101 ||
		h.Sequence != 0xfffe || h.Timestamp != 0xfffffffd || h.SSRC != 0xfffffffc {
		t.Errorf("%+v %v", h, ok)
	}
}

// feed sends sequence numbers, 20 ms and 160 units apart by number.
func feed(s *StreamStats, seqs ...uint16) {
	for _, seq := range seqs {
		h := RTP{PayloadType: 8, Sequence: seq, Timestamp: uint32(seq) * 160, SSRC: 1, Payload: make([]byte, 160)}
		s.Add(&h, int64(seq)*20_000)
	}
}

func TestStreamSequence(t *testing.T) {
	for _, c := range []struct {
		name                                                     string
		seqs                                                     []uint16
		packets                                                  uint64
		lost                                                     int64
		highest                                                  uint32
		expected, gaps, longest, duplicates, reordered, restarts float64
	}{
		{"in order", []uint16{5, 6, 7, 8}, 4, 0, 8, 4, 0, 0, 0, 0, 0},
		{"over the wrap", []uint16{65534, 65535, 0, 1}, 4, 0, 65537, 4, 0, 0, 0, 0, 0},
		{"gap over the wrap", []uint16{65533, 65534, 1, 2}, 4, 2, 65538, 6, 1, 2, 0, 0, 0},
		{"two gaps", []uint16{1, 2, 5, 6, 8}, 5, 3, 8, 8, 2, 2, 0, 0, 0},
		{"late packet fills its gap", []uint16{1, 2, 4, 3, 5}, 5, 0, 5, 5, 1, 1, 0, 1, 0},
		{"late packet over the wrap", []uint16{65534, 0, 65535, 1}, 4, 0, 65537, 4, 1, 1, 0, 1, 0},
		{"duplicates of old and new", []uint16{1, 2, 2, 3, 1, 4}, 6, 0, 4, 4, 0, 0, 2, 0, 0},
		{"duplicates do not make up for loss", []uint16{1, 2, 2, 4, 4}, 5, 1, 4, 4, 1, 1, 2, 0, 0},
		{"late packet twice", []uint16{1, 3, 2, 2}, 4, 0, 3, 3, 1, 1, 1, 1, 0},
		{"older than the first seen", []uint16{10, 9, 11}, 3, 0, 11, 2, 0, 0, 0, 1, 0},
		{"lone outlier is not counted", []uint16{1, 2, 30000, 3, 4}, 4, 0, 4, 4, 0, 0, 0, 0, 0},
		{"restart", []uint16{1, 2, 4, 30000, 30001, 30002}, 5, 1, 30002, 6, 1, 1, 0, 0, 1},
		{"restart downwards", []uint16{50000, 50001, 100, 101, 102}, 4, 0, 102, 4, 0, 0, 0, 0, 1},
		{"one packet", []uint16{9}, 1, 0, 9, 1, 0, 0, 0, 0, 0},
		{"none", nil, 0, 0, 0, 0, 0, 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s StreamStats
			feed(&s, c.seqs...)
			r := s.Report(TypeFinal, nil, nil)
			if r.Packets != c.packets || r.Lost != c.lost || r.HighestSeq != c.highest || r.Octets != 160*c.packets ||
				r.Source != SourceRTP || r.Type != TypeFinal || r.Reception != (c.packets > 0) {
				t.Errorf("%+v", r)
			}
			for name, want := range map[string]float64{
				MetricExpected: c.expected, MetricGaps: c.gaps, MetricLongestGap: c.longest,
				MetricDuplicates: c.duplicates, MetricReordered: c.reordered, MetricRestarts: c.restarts,
			} {
				if got, ok := r.Metric(name); !ok || got != want {
					t.Errorf("%s: %v %v, want %v", name, got, ok, want)
				}
			}
		})
	}
}

// TestStreamLongRun checks 200 000 packets (three wraps) with random loss,
// duplication and reordering against plain counting.
func TestStreamLongRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var s StreamStats
	sent, kept, dup := 0, 0, 0
	var queue []uint32
	send := func(n uint32) {
		kept++
		h := RTP{PayloadType: 0, Sequence: uint16(n), Timestamp: n * 160, SSRC: 1}
		s.Add(&h, int64(n)*20_000)
	}
	const first, count = 60000, 200_000
	for n := uint32(first); n < first+count; n++ {
		sent++
		switch x := rng.IntN(100); {
		case n == first || n == first+count-1:
			send(n)
		case x < 3: // lost
			continue
		case x < 5: // late by up to 20
			queue = append(queue, n)
		case x < 6:
			send(n)
			send(n)
			dup++
		default:
			send(n)
		}
		if len(queue) > 0 && n-queue[0] > uint32(rng.IntN(20)) {
			send(queue[0])
			queue = queue[1:]
		}
	}
	r := s.Report(TypeFinal, nil, nil)
	duplicates, _ := r.Metric(MetricDuplicates)
	if r.Packets != uint64(kept) || r.Lost != int64(sent-kept+dup) || duplicates != float64(dup) || r.HighestSeq != first+count-1 {
		t.Errorf("packets %d lost %d duplicates %v highest %d; sent %d, kept %d, dup %d", r.Packets, r.Lost, duplicates, r.HighestSeq, sent, kept, dup)
	}
	if want := float32(r.Lost) / count; math.Abs(float64(r.FractionLost-want)) > 1e-6 {
		t.Errorf("fraction %v, want %v", r.FractionLost, want)
	}
	// Losses come one by one: as good as random.
	if b, _ := r.Metric(MetricBurstRatio); b < 1 || b > 1.1 {
		t.Errorf("burst ratio %v", b)
	}
}

// TestStreamJitter computes RFC 3550 6.4.1 apart from the code under test:
// J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16.
func TestStreamJitter(t *testing.T) {
	arrivals := []int64{0, 20_000, 45_000, 60_000, 99_125, 100_000} // µs
	stamps := []uint32{4294967200, 64, 224, 384, 544, 704}          // wraps
	var s StreamStats
	want := 0.0
	for i := range arrivals {
		h := RTP{PayloadType: 8, Sequence: uint16(i), Timestamp: stamps[i]}
		s.Add(&h, 1_700_000_000_000_000+arrivals[i])
		if i > 0 {
			d := float64(arrivals[i]-arrivals[i-1])/125 - float64(stamps[i]-stamps[i-1]) // 8 units a ms
			want += (math.Abs(d) - want) / 16
		}
	}
	r := s.Report(TypePeriodic, nil, nil)
	if math.Abs(float64(r.JitterMs)-want/8) > 1e-5 || r.JitterRaw != uint32(want) {
		t.Errorf("jitter %v ms, %d units; want %v units", r.JitterMs, r.JitterRaw, want)
	}
	if r.Start != 1_700_000_000_000_000 || r.Stop != 1_700_000_000_100_000 || string(r.Codec) != "PCMA" {
		t.Errorf("%+v", r)
	}

	// A digit sends many packets of one timestamp: no jitter of the network.
	var d StreamStats
	for i := range 50 {
		h := RTP{PayloadType: 101, Sequence: uint16(i), Timestamp: 1000}
		d.Add(&h, int64(i)*20_000)
	}
	if r := d.Report(TypePeriodic, nil, nil); r.JitterMs != 0 {
		t.Errorf("telephone events gave %v ms", r.JitterMs)
	}

	// The clock given counts: 960 units are 20 ms at 48 kHz.
	o := StreamStats{ClockRate: 48000}
	for i := range 50 {
		h := RTP{PayloadType: 111, Sequence: uint16(i), Timestamp: uint32(i) * 960}
		o.Add(&h, int64(i)*20_000)
	}
	if r := o.Report(TypePeriodic, []byte("opus"), nil); r.JitterMs != 0 || string(r.Codec) != "opus" || r.MOS < 4.3 {
		t.Errorf("%+v", r)
	}
}

func TestStreamIntervals(t *testing.T) {
	var s StreamStats
	feed(&s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if r := s.Report(TypePeriodic, nil, nil); r.FractionLost != 0 || r.MOSMethod != MethodEModel {
		t.Errorf("%+v", r)
	}
	feed(&s, 10, 11, 12, 13, 19) // 5 of 10
	if r := s.Report(TypePeriodic, nil, nil); r.FractionLost != 0.5 || r.Lost != 5 {
		t.Errorf("%+v", r)
	}
	if r := s.Report(TypePeriodic, nil, nil); r.FractionLost != 0 || r.Lost != 5 {
		t.Errorf("nothing since: %+v", r)
	}
	if r := s.Report(TypeFinal, nil, nil); r.FractionLost != 0.25 {
		t.Errorf("over all: %+v", r)
	}
	if b, _ := func() (float64, bool) { r := s.Report(TypeFinal, nil, nil); return r.Metric(MetricBurstRatio) }(); b != 5*0.75 {
		t.Errorf("burst ratio %v, want 3.75", b)
	}

	v := StreamStats{ClockRate: videoClock}
	feed(&v, 1, 2, 4)
	if r := v.Report(TypeFinal, nil, nil); r.MOS != 0 {
		t.Errorf("video got MOS %v", r.MOS)
	}
}

func TestDTMF(t *testing.T) {
	for _, c := range []struct {
		in    []byte
		digit byte
		want  DTMFEvent
		ok    bool
	}{
		{[]byte{5, 0x0a, 0x01, 0x40}, '5', DTMFEvent{5, false, 10, 320}, true},
		{[]byte{11, 0x8a, 0x06, 0x40, 0, 0, 0, 0}, '#', DTMFEvent{11, true, 10, 1600}, true},
		{[]byte{15, 0x80, 0, 0}, 'D', DTMFEvent{15, true, 0, 0}, true},
		{[]byte{16, 0, 0, 1}, '!', DTMFEvent{16, false, 0, 1}, true},
		{[]byte{70, 0, 0, 1}, 0, DTMFEvent{70, false, 0, 1}, true},
		{[]byte{5, 0x4a, 0x01, 0x40}, '0', DTMFEvent{}, false}, // reserved bit
		{[]byte{5, 0x0a, 0x01}, '0', DTMFEvent{}, false},
		{nil, '0', DTMFEvent{}, false},
	} {
		e, ok := DTMF(c.in)
		if e != c.want || ok != c.ok || e.Digit() != c.digit {
			t.Errorf("%v: %+v %v %q", c.in, e, ok, e.Digit())
		}
	}
}

func TestSIPInfoDTMF(t *testing.T) {
	for _, c := range []struct {
		contentType, body string
		digit             byte
		ms                int
		ok                bool
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', 160, true},
		{"Application/DTMF-Relay; charset=x", "Duration = 250\nSignal= *", '*', 250, true},
		{"application/dtmf-relay", "Signal: #\r\nDuration: 100", '#', 100, true},
		{"application/dtmf-relay", "Signal=d", 'D', 0, true},
		{"application/dtmf-relay", "Signal=11\r\nDuration=100", '#', 100, true},
		{"application/dtmf-relay", "Signal=hf\r\nDuration=100", '!', 100, true},
		{"application/dtmf-relay", "Signal=5\r\nDuration=-1", '5', 0, true},
		{"application/dtmf-relay", "Duration=160", 0, 0, false},
		{"application/dtmf-relay", "Signal=X", 0, 0, false},
		{"application/dtmf-relay", "Signal=99", 0, 0, false},
		{"application/dtmf-relay", "", 0, 0, false},
		{"application/dtmf", "7", '7', 0, true},
		{"application/dtmf", " 10\r\n", '*', 0, true},
		{"application/dtmf", "Signal=7\r\nDuration=80", '7', 80, true},
		{"application/dtmf", "77", 0, 0, false},
		{"application/sdp", "7", 0, 0, false},
		{"", "7", 0, 0, false},
	} {
		digit, ms, ok := SIPInfoDTMF([]byte(c.contentType), []byte(c.body))
		if digit != c.digit || ms != c.ms || ok != c.ok {
			t.Errorf("%s %q: %q %d %v", c.contentType, c.body, digit, ms, ok)
		}
	}
}

// TestRTT has the figures of RFC 3550 Figure 2: A 0xb710:8000, LSR 0xb705:2000,
// DLSR 0x0005:4000, round trip 0x0006:2000 = 6.125 s.
func TestRTT(t *testing.T) {
	// 0xb710.8000 are the middle bits of 46864.5 s of some NTP era of 65536 s.
	const ntpSeconds = 0xe000b710
	arrival := int64(ntpSeconds-ntpUnixOffset)*1e6 + 500_000
	if ms, ok := RTT(arrival, 0xb7052000, 0x00054000); !ok || ms != 6125 {
		t.Errorf("%v %v, want 6125 ms", ms, ok)
	}
	for _, c := range []struct {
		name      string
		lsr, dlsr uint32
		ms        float32
		ok        bool
	}{
		{"no SR received yet", 0, 0, 0, false},
		{"at once", 0xb7108000, 0, 0, true},
		{"2 ms below zero, clocks a little apart", 0xb7108000, 131, 0, true},
		{"a second below zero", 0xb7108000, 0x10000, 0, false},
		{"11 s", 0xb7058000, 0, 0, false},
		{"over the wrap of the middle bits", 0xffff8000, 0xb7110000 - 0x8000, 500, true},
	} {
		if ms, ok := RTT(arrival, c.lsr, c.dlsr); ms != c.ms || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", c.name, ms, ok, c.ms, c.ok)
		}
	}
	if ms, ok := PathRTT(arrival-150_000, arrival, 0x2000); !ok || math.Abs(float64(ms)-25) > 0.04 {
		t.Errorf("path: %v %v, want 25 ms", ms, ok)
	}
	if ms, ok := PathRTT(arrival, arrival-150_000, 0); ok {
		t.Errorf("answer before the question: %v", ms)
	}
	if got := midNTP(-500_000); got != (ntpUnixOffset-1)&0xffff<<16|0x8000 {
		t.Errorf("before 1970: %x", got)
	}
}
