package media

import (
	"errors"
	"testing"
)

func TestRTPStat(t *testing.T) {
	for _, c := range []struct {
		name, in string
		check    func(r Report) bool
		extra    map[string]float64
	}{
		{
			"AVM",
			"CS=123;PS=1433;ES=1525;OS=229280;SP=0/0;SO=0;QS=-;PR=1500;ER=1525;OR=243520;CR=0;SR=0;QR=-;PL=25,3;BL=0;LS=0;RB=0/0;SB=-/-;EN=PCMA,FAX;DE=PCMU;JI=23,2;DL=20,19,71;IP=192.0.2.1:7082,[2001:db8::1]:25132",
			func(r Report) bool {
				return r.Packets == 1500 && r.Octets == 243520 && r.Lost == 25 && r.FractionLost == float32(25.0/1525) &&
					r.JitterMs == 23 && string(r.Codec) == "PCMU" && r.MOSMethod == MethodEModel &&
					r.LocalAddr.String() == "192.0.2.1:7082" && r.RemoteAddr.String() == "[2001:db8::1]:25132"
			},
			map[string]float64{
				MetricSetupMs: 123, MetricPacketsSent: 1433, MetricExpectedSent: 1525, MetricOctetsSent: 229280, MetricExpected: 1525,
				MetricLostSent: 3, MetricJitterSentMs: 2, MetricLatencyMs: 20, MetricMaxLatencyMs: 71,
			},
		},
		{
			"baresip",
			"EX=BareSip;CS=0;CD=4;PR=200;PS=201;PL=0,0;PD=5,6;JI=1.2,0.4;IP=10.0.0.1,10.0.0.2",
			func(r Report) bool {
				return r.Packets == 200 && r.Lost == 0 && r.JitterMs == 1.2 && r.LocalAddr.String() == "10.0.0.1:0" && r.RemoteAddr.String() == "10.0.0.2:0"
			},
			map[string]float64{MetricDurationS: 4, MetricPacketsSent: 201, MetricDiscarded: 5, MetricDiscardedSent: 6, MetricJitterSentMs: 0.4},
		},
		{
			"AudioCodes, with an empty parameter",
			"PS=207;OS=49680;;PR=314;OR=50240;PL=0;JI=600;LA=40;",
			func(r Report) bool { return r.Packets == 314 && r.Octets == 50240 && r.JitterMs == 600 && r.RTTMs == 0 },
			map[string]float64{MetricPacketsSent: 207, MetricOctetsSent: 49680, MetricLatencyMs: 40},
		},
		{
			"Cisco, commas",
			"PS=300,OS=48000,PR=365,OR=58400,PL=5,JI=2,LA=7,DU=7",
			func(r Report) bool { return r.Packets == 365 && r.Lost == 5 && r.JitterMs == 2 },
			map[string]float64{MetricPacketsSent: 300, MetricLatencyMs: 7, MetricDurationS: 7},
		},
		{
			"commas and blanks",
			"PS=1, PR=2, OR=3, PL=4, JI=5, DU=12",
			func(r Report) bool { return r.Packets == 2 && r.Octets == 3 && r.Lost == 4 && r.JitterMs == 5 },
			map[string]float64{MetricDurationS: 12},
		},
		{
			"Poly, MOS given",
			"PS=1234,OS=34560,PR=1236,OR=24720,JI=1,DU=1230,PL=0,EN=G711U,DE=G711U,MOS=4.0",
			func(r Report) bool { return r.MOS == 4 && r.MOSMethod == MethodReported && string(r.Codec) == "G711U" },
			map[string]float64{MetricDurationS: 1230},
		},
		{
			"libre's long names",
			"MOS=3.8;Jitter=7;PacketLossPct=2.5;RTT=260682;RTPStat=RTP: 258452 bytes, 1509 packets, 0 errors; RTCP:  1248 bytes, 18 packets, 12 errors",
			func(r Report) bool {
				return r.MOS == 3.8 && r.JitterMs == 7 && r.FractionLost == 0.025 && r.RTTMs == 260.682
			},
			nil,
		},
		{
			"Siemens",
			"IPL=10.0.0.1;PTL=5000;IPR=10.0.0.2;PTR=5002;SRCS=17;SRCR=0x12;MT=0;PS=662;OS=105920;PR=661;OR=105760;PL=0;JI=0;LA=1;SS=0;EN=8;DE=18;IE=00;TCLW=52",
			func(r Report) bool {
				return r.Packets == 661 && r.SSRC == 0x12 && r.Reporter == 17 && string(r.Codec) == "G729" &&
					r.LocalAddr.String() == "10.0.0.1:5000" && r.RemoteAddr.String() == "10.0.0.2:5002"
			},
			nil,
		},
		{"lower case", "ps=1;pr=2;pl=0", func(r Report) bool { return r.Packets == 2 }, map[string]float64{MetricPacketsSent: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTPStat([]byte(c.in))
			if err != nil || len(got) != 1 {
				t.Fatal(err, got)
			}
			r := got[0]
			if r.Source != SourceRTPStat || r.Type != TypeFinal || !r.Reception || !c.check(r) {
				t.Errorf("%+v", r)
			}
			for name, v := range c.extra {
				if got, ok := r.Metric(name); !ok || got != v {
					t.Errorf("%s: %v %v, want %v", name, got, ok, v)
				}
			}
		})
	}
	for in, reason := range map[string]string{"": ReasonEmpty, " \t": ReasonEmpty, "hello": ReasonNoReport, "A=1;B=2": ReasonNoReport, "PR=x;IP=y": ReasonNoReport} {
		got, err := new(Decoder).RTPStat([]byte(in))
		var e *Error
		if !errors.As(err, &e) || e.Reason != reason || len(got) != 0 {
			t.Errorf("%q: %v %+v", in, err, got)
		}
	}
}
