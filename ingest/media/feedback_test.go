package media

import (
	"errors"
	"reflect"
	"testing"
)

// padded is a packet with four bytes of padding.
func padded(b []byte) []byte {
	b = join(b, []byte{0, 0, 0, 4})
	b[0] |= 0x20
	b[3]++
	return b
}

func TestFeedback(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		ssrc uint32
		want []Metric
	}{
		{
			// Packet 100 and 101, 116 of its mask; packet 300 alone.
			"NACK", packet(205, 1, 9, 3, 100<<16|0x8001, 300<<16), 3,
			[]Metric{{MetricNACK, 2}, {MetricNACKPackets, 4}},
		},
		{"PLI", packet(206, 1, 9, 3), 3, []Metric{{MetricPLI, 1}}},
		{"PLI, padded", padded(packet(206, 1, 9, 3)), 3, []Metric{{MetricPLI, 1}}},
		{"SLI", packet(206, 2, 9, 3, 0x00080040), 3, []Metric{{MetricSLI, 1}}},
		{"RPSI", packet(206, 3, 9, 3, 0x00600000), 3, []Metric{{MetricRPSI, 1}}},
		{"FIR of two streams", packet(206, 4, 9, 0, 3, 7<<24, 4, 8<<24), 3, []Metric{{MetricFIR, 2}, {MetricFIRSeq, 7}}},
		{"VBCM", packet(206, 7, 9, 3, 3, 0x05200000), 3, []Metric{{MetricVBCM, 1}}},
		{
			// Exponent 1, mantissa 125,000, overhead 40: 250 kbit/s.
			"TMMBR", packet(205, 3, 9, 0, 3, 1<<26|125000<<9|40), 3,
			[]Metric{{MetricTMMBR, 1}, {MetricMaxBitrate, 250000}},
		},
		{"TMMBN of nobody", packet(205, 4, 9, 0), 0, []Metric{{MetricTMMBN, 0}}},
		{
			// Two streams, exponent 2, mantissa 250,000: 1 Mbit/s.
			"REMB", packet(206, 15, 9, 0, 0x52454d42, 2<<24|2<<18|250000, 3, 4), 3,
			[]Metric{{MetricREMB, 2}, {MetricMaxBitrate, 1e6}},
		},
		{"application layer, not REMB", packet(206, 15, 9, 3, 0x41424344, 5), 3, []Metric{{MetricAFB, 1}}},
		{
			// From packet 5 on 21: a run of 4 that arrived, 3 of the 14 in a
			// vector of bits, 2 of the last 3 in a vector of pairs, whose other
			// four pairs stand for nothing. Deltas follow.
			"TWCC", packet(205, 15, 9, 3, 5<<16|21, 0x00000100, 0x2004<<16|0x8000|0x2021, 0xc000<<16|0x1<<28|0x2<<24|0xff<<16|0x0404), 3,
			[]Metric{{MetricTWCC, 1}, {MetricBeginSeq, 5}, {MetricTWCCPackets, 21}, {MetricTWCCLost, 12}},
		},
		{"TWCC, a run of lost ones", packet(205, 15, 9, 3, 65530<<16|100, 0x00000100, 0x0064<<16), 3, []Metric{{MetricTWCC, 1}, {MetricBeginSeq, 65530}, {MetricTWCCPackets, 100}, {MetricTWCCLost, 100}}},
		{"congestion control of RFC 8888", packet(205, 11, 9, 3, 0x00010001, 0x80000000, 1), 3, []Metric{{MetricCCFB, 1}}},
		{"a transport kind without a name", packet(205, 30, 9, 3, 1), 3, []Metric{{MetricRTPFB, 30}}},
		{"a payload kind without a name", packet(206, 9, 9, 3), 3, []Metric{{MetricPSFB, 9}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTCP(c.in, 0)
			if err != nil || len(got) != 1 {
				t.Fatal(err, got)
			}
			r := got[0]
			if r.Type != TypeFeedback || r.Source != SourceRTCP || r.Reporter != 9 || r.SSRC != c.ssrc || r.Reception || r.MOS != 0 {
				t.Errorf("%+v", r)
			}
			if !reflect.DeepEqual(r.Extra, c.want) {
				t.Errorf("got  %v\nwant %v", r.Extra, c.want)
			}
			// The figures of one packet do not end up with the next.
			twice, err := new(Decoder).RTCP(join(srOne, c.in, c.in), 0)
			if err != nil || len(twice) != 3 || len(twice[0].Extra) != 0 || !reflect.DeepEqual(twice[1].Extra, c.want) || !reflect.DeepEqual(twice[2].Extra, c.want) {
				t.Errorf("%v %+v", err, twice)
			}
		})
	}
}

// TestFeedbackFaults: a packet that says more than it has is a fault, and what
// came before it is there.
func TestFeedbackFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		in      []byte
		reports int
	}{
		{"no media source", packet(206, 1, 9), 1}, // feedback of which nothing is known
		{"a NACK of nothing", packet(205, 1, 9, 3), 1},
		{"FIR without an entry", packet(206, 4, 9, 0, 3), 1},
		{"TMMBR without an entry", packet(205, 3, 9, 0), 1},
		{"REMB that counts five streams", packet(206, 15, 9, 0, 0x52454d42, 5<<24, 3), 1},
		{"TWCC without a head", packet(205, 15, 9, 3, 5), 1},
		{"TWCC without chunks", packet(205, 15, 9, 3, 100, 0), 1},
		{"TWCC with a run of none", packet(205, 15, 9, 3, 100, 0, 0x2000<<16, 0), 1},
		{"behind an SR", join(srOne, packet(205, 1, 9, 3)), 2},
	} {
		got, err := new(Decoder).RTCP(c.in, 0)
		var fault *Error
		if !errors.As(err, &fault) || fault.Reason != ReasonLength || len(got) != c.reports {
			t.Errorf("%s: %v, %+v", c.name, err, got)
		}
	}
	if got, err := new(Decoder).RTCP(join(srOne, packet(205, 1, 9, 3)), 0); err == nil || got[0].Type != TypeSR || got[1].Type != TypeFeedback {
		t.Errorf("%v %+v", err, got)
	}
}
