package media

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
)

// packet builds one RTCP packet around a body of 32-bit words.
func packet(typ, count int, body ...uint32) []byte {
	b := []byte{0x80 | byte(count), byte(typ), 0, byte(len(body))}
	for _, w := range body {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// Parts of compounds. Words are SSRC, NTP, NTP, RTP, packets, octets; then
// blocks of SSRC, fraction and loss, highest, jitter, LSR, DLSR.
var (
	srEmpty = packet(200, 0, 9, 0xe0000001, 0x80000000, 160, 50, 8000)
	srOne   = packet(200, 1, 9, 0xe0000001, 0x80000000, 160, 50, 8000, 3, 0x40000005, 0x10002, 16, 0x11223344, 0x10000)
	rrTwo   = packet(201, 2, 9, 3, 0x80fffffe, 7, 1, 2, 3, 4, 0xff7fffff, 8, 4, 5, 6)
	rrEmpty = packet(201, 0, 9)
	// Two chunks: SSRC 7 has a NAME, SSRC 9 the CNAME "ab".
	sdes = packet(202, 2, 7, 0x02024142, 0x00000000, 9, 0x01026162, 0x00000000)
	bye  = packet(203, 1, 9)
	app  = packet(204, 0, 9, 0x41424344)
	fb   = packet(206, 1, 9, 3)
	voip = packet(207, 0, 9, 0x07000008, 3, 0x10080402, 0x00780fa0, 0x0058003c, 0xebc87f10, 0x557f2928, 0x30000028, 0x005000f0)
)

func TestRTCPCompounds(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		want  []want
		cname string
		bye   bool
	}{
		{"SR", srOne, []want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}}, "", false},
		{"SR, SDES", join(srOne, sdes), []want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}}, "ab", false},
		{"SR without block", join(srEmpty, sdes), []want{{TypeSR, SourceRTCP, 9, 9, 0, 0, 0}}, "ab", false},
		{
			"RR with two blocks, loss -2 and the largest", rrTwo,
			[]want{{TypeRR, SourceRTCP, 3, 9, -2, 0.5, 1}, {TypeRR, SourceRTCP, 4, 9, 8388607, 255.0 / 256, 4}}, "", false,
		},
		{
			"SR then RR, for more than 31 blocks", join(srOne, rrTwo),
			[]want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}, {TypeRR, SourceRTCP, 3, 9, -2, 0.5, 1}, {TypeRR, SourceRTCP, 4, 9, 8388607, 255.0 / 256, 4}}, "", false,
		},
		{"SR, SDES, BYE", join(srOne, sdes, bye), []want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}}, "ab", true},
		{"empty RR, SDES, BYE", join(rrEmpty, sdes, bye), []want{{TypeBYE, SourceRTCP, 9, 9, 0, 0, 0}}, "ab", true},
		{"empty RR, SDES", join(rrEmpty, sdes), []want{{TypeSDES, SourceRTCP, 9, 9, 0, 0, 0}}, "ab", false},
		{"SDES alone", sdes, []want{{TypeSDES, SourceRTCP, 7, 7, 0, 0, 0}}, "ab", false},
		{"BYE alone", bye, []want{{TypeBYE, SourceRTCP, 9, 9, 0, 0, 0}}, "", true},
		{"BYE of nobody", packet(203, 0), []want{{TypeBYE, SourceRTCP, 0, 0, 0, 0, 0}}, "", true},
		{"empty RR alone", rrEmpty, []want{{TypeRR, SourceRTCP, 9, 9, 0, 0, 0}}, "", false},
		{"APP", app, []want{{TypeApp, SourceRTCP, 9, 9, 0, 0, 0}}, "", false},
		{"feedback alone, RFC 5506", fb, []want{{TypeFeedback, SourceRTCP, 3, 9, 0, 0, 0}}, "", false},
		{
			"SR, SDES, feedback twice", join(srOne, sdes, fb, fb),
			[]want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}, {TypeFeedback, SourceRTCP, 3, 9, 0, 0, 0}, {TypeFeedback, SourceRTCP, 3, 9, 0, 0, 0}}, "ab", false,
		},
		{
			"empty RR, SDES, feedback", join(rrEmpty, sdes, fb),
			[]want{{TypeSDES, SourceRTCP, 9, 9, 0, 0, 0}, {TypeFeedback, SourceRTCP, 3, 9, 0, 0, 0}}, "ab", false,
		},
		{"unknown type within the range", join(packet(212, 0, 1), bye), []want{{TypeBYE, SourceRTCP, 9, 9, 0, 0, 0}}, "", true},
		{
			"SR and XR", join(srOne, voip),
			[]want{{TypeSR, SourceRTCP, 3, 9, 5, 0.25, 16}, {TypeXR, SourceRTCPXR, 3, 9, 0, 16.0 / 256, 0}}, "", false,
		},
		{"XR with nothing we read", packet(207, 0, 9, 0x04000002, 1, 2), []want{{TypeXR, SourceRTCPXR, 9, 9, 0, 0, 0}}, "", false},
		{
			"padding and a profile's extension",
			join([]byte{0xa0, 201, 0, 3}, []byte{0, 0, 0, 9}, []byte{1, 2, 3, 4}, []byte{0, 0, 0, 4}),
			[]want{{TypeRR, SourceRTCP, 9, 9, 0, 0, 0}}, "", false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTCP(c.in, 8000)
			if err != nil {
				t.Fatal(err)
			}
			if s := summary(got); !reflect.DeepEqual(s, c.want) {
				t.Errorf("got  %+v\nwant %+v", s, c.want)
			}
			for _, r := range got {
				if string(r.CNAME) != c.cname || r.Bye != c.bye {
					t.Errorf("CNAME %q, bye %v", r.CNAME, r.Bye)
				}
				if r.Type == TypeSR && (r.NTP != 0xe000000180000000 || r.MidNTP() != 0x00018000 || r.RTPTime != 160 || r.Packets != 50 || r.Octets != 8000) {
					t.Errorf("sender: %+v", r)
				}
			}
		})
	}
	r, _ := new(Decoder).RTCP(srOne, 8000)
	if r[0].HighestSeq != 0x10002 || r[0].LSR != 0x11223344 || r[0].DLSR != 0x10000 || r[0].JitterMs != 2 {
		t.Errorf("%+v", r[0])
	}
}

func TestVoIPMetrics(t *testing.T) {
	got, err := new(Decoder).RTCP(voip, 8000)
	if err != nil || len(got) != 1 {
		t.Fatal(err, got)
	}
	r := got[0]
	if r.RTTMs != 88 || r.MOS != 4.1 || r.RFactor != 85 || r.MOSMethod != MethodReported {
		t.Errorf("%+v", r)
	}
	want := []Metric{
		{MetricDiscardRate, 8.0 / 256}, {MetricBurstDensity, 4.0 / 256}, {MetricGapDensity, 2.0 / 256},
		{MetricBurstMs, 120}, {MetricGapMs, 4000}, {MetricEndSystemMs, 60},
		{MetricSignalLevel, -21}, {MetricNoiseLevel, -56}, // RERL and external R are 127
		{MetricGmin, 16}, {MetricMOSLQ, 4.1}, {MetricMOSCQ, 4}, {MetricRXConfig, 0x30},
		{MetricJBNominalMs, 40}, {MetricJBMaxMs, 80}, {MetricJBAbsMaxMs, 240},
	}
	if !reflect.DeepEqual(r.Extra, want) {
		t.Errorf("got  %v\nwant %v", r.Extra, want)
	}

	// MOS-LQ unavailable: the conversational one. Both: the E-model, which
	// rates 9 % lost or discarded without concealment as bad.
	for _, c := range []struct {
		words  uint32
		mos    float32
		r      float32
		method string
	}{
		{0x557f7f28, 4, 85, MethodReported},
		{0x7f7f2928, 4.1, 0, MethodReported},
	} {
		b := append([]byte(nil), voip...)
		binary.BigEndian.PutUint32(b[32:], c.words)
		r, err := new(Decoder).RTCP(b, 8000)
		if err != nil || r[0].MOS != c.mos || r[0].RFactor != c.r || r[0].MOSMethod != c.method {
			t.Errorf("%x: %v %+v", c.words, err, r)
		}
	}
	b := append([]byte(nil), voip...)
	binary.BigEndian.PutUint32(b[32:], 0x7f7f7f7f)
	r2, err := new(Decoder).RTCP(b, 8000)
	if err != nil || r2[0].MOSMethod != MethodEModel || r2[0].MOS < 1.4 || r2[0].MOS > 1.5 {
		t.Errorf("no MOS: %v %+v", err, r2)
	}
}

func TestXRSummaryAndDLRR(t *testing.T) {
	// Loss, duplicates, jitter and TTL valid; sequence 100 to 300.
	summaryBlock := []uint32{0x06e80009, 3, 100<<16 | 300, 20, 4, 8, 80, 16, 24, 0x40403f01}
	dlrr := []uint32{0x05000006, 3, 0x11223344, 0x18000, 4, 5, 0x10000}
	in := packet(207, 0, append(append([]uint32{9}, summaryBlock...), dlrr...)...)
	got, err := new(Decoder).RTCP(in, 8000)
	if err != nil || len(got) != 3 {
		t.Fatal(err, got)
	}
	s := got[0]
	if s.SSRC != 3 || s.Reporter != 9 || s.Lost != 20 || s.FractionLost != 0.1 || s.JitterRaw != 16 || s.JitterMs != 2 || !s.Reception {
		t.Errorf("%+v", s)
	}
	for name, v := range map[string]float64{
		MetricDuplicates: 4, MetricMinJitterMs: 1, MetricMaxJitterMs: 10, MetricMeanJitterMs: 2, MetricDevJitterMs: 3,
		MetricMinTTL: 0x40, MetricMaxTTL: 0x40, MetricMeanTTL: 0x3f, MetricBeginSeq: 100, MetricEndSeq: 300,
	} {
		if got, ok := s.Metric(name); !ok || got != v {
			t.Errorf("%s: %v %v, want %v", name, got, ok, v)
		}
	}
	if d := got[1]; d.SSRC != 3 || d.LSR != 0x11223344 || d.DLSR != 0x18000 || d.Reception || d.MOS != 0 {
		t.Errorf("%+v", d)
	}
	if v, _ := got[2].Metric(MetricDLRRSeconds); got[2].SSRC != 4 || v != 1 {
		t.Errorf("%+v", got[2])
	}

	summaryBlock[0] = 0x06000009 // no flag: none of the figures is valid
	got, err = new(Decoder).RTCP(packet(207, 0, append([]uint32{9}, summaryBlock...)...), 8000)
	if err != nil || got[0].Lost != 0 || got[0].Reception || len(got[0].Extra) != 2 {
		t.Errorf("no flags: %v %+v", err, got)
	}
}

func TestRTCPFaults(t *testing.T) {
	bad := func(b []byte, at int, v byte) []byte {
		c := append([]byte(nil), b...)
		c[at] = v
		return c
	}
	for _, c := range []struct {
		name   string
		in     []byte
		reason string
		offset int
		left   int
	}{
		{"empty", nil, ReasonEmpty, 0, 0},
		{"header cut", srOne[:3], ReasonTruncated, 0, 0},
		{"body cut", srOne[:40], ReasonTruncated, 0, 0},
		{"version 1", bad(srOne, 0, 0x41), ReasonVersion, 0, 0},
		{"RTP", bad(srOne, 1, 8), ReasonType, 1, 0},
		{"second packet is none", join(srOne, []byte{0, 0, 0, 0}), ReasonVersion, len(srOne), 1},
		{"second packet cut", join(srOne, sdes[:6]), ReasonTruncated, len(srOne), 1},
		{"more blocks claimed than there are", bad(srOne, 0, 0x82), ReasonLength, 0, 1},
		{"SR too short for its sender", packet(200, 0, 1, 2), ReasonLength, 0, 0},
		{"RR without SSRC", packet(201, 0), ReasonLength, 0, 0},
		{"padding longer than the packet", []byte{0xa0, 201, 0, 1, 0, 0, 0, 9}, ReasonLength, 0, 0},
		{"padding of 0", []byte{0xa0, 201, 0, 1, 0, 0, 0, 0}, ReasonLength, 0, 0},
		{"padding without body", []byte{0xa0, 201, 0, 0}, ReasonLength, 0, 0},
		{"SDES chunk missing", bad(sdes, 0, 0x83), ReasonLength, 0, 0},
		{"SDES item too long", bad(sdes, 9, 200), ReasonLength, 0, 0},
		{"SDES without end", packet(202, 1, 7, 0x01024142), ReasonLength, 0, 0},
		{"BYE of more than it names", bad(bye, 0, 0x82), ReasonLength, 0, 0},
		{"XR without SSRC", packet(207, 0), ReasonLength, 0, 0},
		{"XR block too long", packet(207, 0, 9, 0x07000009), ReasonLength, 0, 0},
		{"VoIP block too short", packet(207, 0, 9, 0x07000001, 3), ReasonLength, 0, 0},
		{"summary block too short", packet(207, 0, 9, 0x06e80001, 3), ReasonLength, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTCP(c.in, 8000)
			var e *Error
			if !errors.As(err, &e) || e.Reason != c.reason || e.Offset != c.offset || len(got) != c.left {
				t.Errorf("%v and %d reports, want %s at byte %d and %d", err, len(got), c.reason, c.offset, c.left)
			}
		})
	}
}
