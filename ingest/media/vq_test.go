package media

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// vqBoth follows the grammar of RFC 6035 4.6, with both directions.
const vqBoth = "VQSessionReport: CallTerm\r\n" +
	"CallID: 6dg37f1890463\r\n" +
	"LocalID: Alice <sip:alice@example.org>\r\n" +
	"RemoteID: Bill <sip:bill@example.net>\r\n" +
	"LocalAddr: IP=10.10.1.100 PORT=5000 SSRC=1a3b5c7d\r\n" +
	"LocalMAC: 00:1f:5b:cc:21:0f\r\n" +
	"RemoteAddr:IP=2001:db8::150 PORT=5002 SSRC=0x2468abcd\r\n" +
	"LocalMetrics:\r\n" +
	"Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-10T18:26:02.5Z\r\n" +
	"SessionDesc:PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP=\"annexb=no\" PLC=3 SSUP=on\r\n" +
	"JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\n" +
	"PacketLoss:NLR=5.0 JDR=2.0\r\n" +
	"BurstGapLoss:BLD=10 BD=0 GLD=2.0 GD=500 GMIN=16\r\n" +
	"Delay:RTD=200 ESD=140 SOWD=110 IAJ=2 MAJ=10\r\n" +
	"Signal:SL=-21 NL=-50 RERL=127\r\n" +
	"QualityEst:RLQ=90 RCQ=85 EXTRI=90 MOSLQ=3.4 MOSCQ=3.3 QoEEstAlg=P.564\r\n" +
	"RemoteMetrics:\r\n" +
	"SessionDesc:PT=8 PLC=3\r\n" +
	"PacketLoss:NLR=1.5\r\n" +
	"Delay:RTD=190\r\n" +
	"QualityEst:RCQ=127 MOSLQ=127 MOSCQ=127\r\n" +
	"DialogID:1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311\r\n"

func TestVQReport(t *testing.T) {
	got, err := new(Decoder).VQReport([]byte(vqBoth))
	if err != nil || len(got) != 2 {
		t.Fatal(err, got)
	}
	l, r := got[0], got[1]
	alice, bill := netip.MustParseAddrPort("10.10.1.100:5000"), netip.MustParseAddrPort("[2001:db8::150]:5002")
	if l.Source != SourceVQ || l.Type != TypeVQSession || l.Party != PartyLocal || string(l.CallID) != "6dg37f1890463" ||
		l.SSRC != 0x2468abcd || l.Reporter != 0x1a3b5c7d || l.LocalAddr != alice || l.RemoteAddr != bill ||
		l.Start != 1097432623000000 || l.Stop != 1097432762500000 || string(l.Codec) != "G729" ||
		l.FractionLost != 0.05 || l.RTTMs != 200 || l.JitterMs != 2 || !l.Reception ||
		l.MOS != 3.4 || l.RFactor != 85 || l.MOSMethod != MethodReported {
		t.Errorf("local: %+v", l)
	}
	for name, v := range map[string]float64{
		MetricPayloadType: 18, MetricSampleRate: 8000, MetricFrameMs: 20, MetricFrameOctets: 20, MetricFramesPerPkt: 2,
		MetricPacketsPerSec: 50, MetricPLC: 3, MetricJBAdaptive: 3, MetricJBRate: 2, MetricJBNominalMs: 40,
		MetricJBMaxMs: 80, MetricJBAbsMaxMs: 120, MetricDiscardRate: 0.02, MetricBurstDensity: 0.1, MetricBurstMs: 0,
		MetricGapDensity: 0.02, MetricGapMs: 500, MetricGmin: 16, MetricEndSystemMs: 140, MetricSymOneWayMs: 110,
		MetricMeanAbsJitter: 10, MetricSignalLevel: -21, MetricNoiseLevel: -50, MetricRLQ: 90, MetricRCQ: 85,
		MetricExtRIn: 90, MetricMOSLQ: float64(float32(3.4)), MetricMOSCQ: float64(float32(3.3)),
	} {
		if got, ok := l.Metric(name); !ok || got != v {
			t.Errorf("%s: %v %v, want %v", name, got, ok, v)
		}
	}
	if v, ok := l.Metric(MetricRERL); ok {
		t.Errorf("RERL is unavailable but %v", v)
	}

	if r.Party != PartyRemote || r.SSRC != 0x1a3b5c7d || r.Reporter != 0x2468abcd || r.LocalAddr != bill || r.RemoteAddr != alice ||
		r.FractionLost != 0.015 || r.RTTMs != 190 || string(r.Codec) != "PCMA" || r.MOSMethod != MethodEModel {
		t.Errorf("remote: %+v", r)
	}
	// PLC=3 says that loss is concealed: Bpl 25.1.
	rf, _ := EModel([]byte("PCMA+PLC"), 0.015, 1, 190/2+packetisationMs)
	if round(rf, 2) != round(float64(r.RFactor), 2) {
		t.Errorf("R %v, want %v", r.RFactor, rf)
	}
}

// TestVQReportOfAPhone has what real phones do: no blank between parameters,
// values behind ":" without one, everything in the section, LF alone.
func TestVQReportOfAPhone(t *testing.T) {
	const in = "VQSessionReport: CallTerm\nLocalMetrics:\nTimestamps:START=2012-01-05T10:00:00Z STOP=2012-01-05T10:00:30Z\n" +
		"SessionDesc:PT=0 PD=PCMU PPS=50 SSUP=off\nCallID:3c26700ddd0d-abc@phone\n" +
		"LocalAddr:IP=[::ffff:10.0.0.1] PORT=50000 SSRC=0x00001234\nRemoteAddr: IP=10.0.0.2 PORT=50002 SSRC=4294967295\n" +
		"JitterBuffer: JBA=3 JBR=1 JBN=1 JBM=20JBX=240\nPacketLoss: NLR=0.0 JDR=0.0\nDelay: RTD=0 ESD=0 IAJ=0\nQualityEst: MOSLQ=4.1MOSCQ=4.0\n"
	got, err := new(Decoder).VQReport([]byte(in))
	if err != nil || len(got) != 1 {
		t.Fatal(err, got)
	}
	r := got[0]
	jbm, _ := r.Metric(MetricJBMaxMs)
	jbx, _ := r.Metric(MetricJBAbsMaxMs)
	moscq, _ := r.Metric(MetricMOSCQ)
	if jbm != 20 || jbx != 240 || r.MOS != 4.1 || moscq != 4 || string(r.CallID) != "3c26700ddd0d-abc@phone" ||
		r.Reporter != 0x1234 || r.SSRC != 4294967295 || r.LocalAddr.Port() != 50000 || r.RemoteAddr.String() != "10.0.0.2:50002" {
		t.Errorf("%+v", r)
	}
}

func TestVQReportForms(t *testing.T) {
	for _, c := range []struct {
		name, in, typ string
		reports       int
		method        string
	}{
		{"interval", "VQIntervalReport\r\n\r\nLocalMetrics:\r\nPacketLoss:NLR=1\r\n", TypeVQInterval, 1, MethodEModel},
		{"alert", "VQAlertReport: Type=NLR Severity=Critical Dir=local\r\nQualityEst:MOSCQ=2.2\r\n", TypeVQAlert, 1, MethodReported},
		{"title alone", "VQSessionReport: CallTerm\r\n", TypeVQSession, 1, ""},
		{"no title", "LocalMetrics:\nQualityEst:MOSLQ=2.2\n", TypeVQSession, 1, MethodReported},
		{"no section", "VQSessionReport: CallTerm\nQualityEst:MOSLQ=2.2", TypeVQSession, 1, MethodReported},
		{"any case", "vqsessionreport: callterm\nqualityest:moslq=2.2", TypeVQSession, 1, MethodReported},
		{"NUL padding", "VQSessionReport: CallTerm\nQualityEst:MOSLQ=2.2\x00\x00\x00", TypeVQSession, 1, MethodReported},
		{"session without loss or MOS", "VQSessionReport: CallTerm\nLocalMetrics:\nDelay:RTD=10", TypeVQSession, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).VQReport([]byte(c.in))
			if err != nil || len(got) != c.reports || got[0].Type != c.typ || got[0].MOSMethod != c.method || got[0].Source != SourceVQ {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
	for in, reason := range map[string]string{
		"": ReasonEmpty, " \r\n\x00": ReasonEmpty, "hello": ReasonNoReport, "a: b\nc: d": ReasonNoReport, "v=0\r\no=- 1 1 IN IP4 x\r\n": ReasonNoReport,
	} {
		got, err := new(Decoder).VQReport([]byte(in))
		var e *Error
		if !errors.As(err, &e) || e.Reason != reason || len(got) != 0 {
			t.Errorf("%q: %v %+v", in, err, got)
		}
	}
}

// TestVQReportTruncated cuts the report at every byte: what is left must not
// name figures that the whole does not.
func TestVQReportTruncated(t *testing.T) {
	whole, err := new(Decoder).VQReport([]byte(vqBoth))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{MetricRERL: true} // 127, unavailable, is 12 when cut
	for _, r := range whole {
		for _, m := range r.Extra {
			names[m.Name] = true
		}
	}
	for n := range len(vqBoth) {
		got, err := new(Decoder).VQReport([]byte(vqBoth[:n]))
		if err == nil != (n >= len("VQSessionReport")) {
			t.Errorf("cut at %d: %v", n, err)
		}
		for _, r := range got {
			for _, m := range r.Extra {
				if !names[m.Name] {
					t.Errorf("cut at %d: %v", n, m)
				}
			}
		}
	}
}

func TestPublishedVQReports(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(captures.Public(t, "vq-rtcpxr"), "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		// A file may be the whole PUBLISH.
		if i := strings.Index(string(b), "VQSessionReport"); i > 0 {
			b = b[i:]
		}
		got, err := new(Decoder).VQReport(b)
		if err != nil || len(got) == 0 {
			t.Fatalf("%s: %v", f, err)
		}
		r := got[0]
		if len(r.CallID) == 0 || !r.LocalAddr.IsValid() || !r.RemoteAddr.IsValid() || r.SSRC == 0 || r.Start == 0 || r.Stop <= r.Start {
			t.Errorf("%s: %+v", f, r)
		}
		if filepath.Base(f) != "scala-sipstack-example-body.txt" {
			continue
		}
		esd, _ := r.Metric(MetricEndSystemMs)
		bld, _ := r.Metric(MetricBurstDensity)
		if string(r.CallID) != "329662837@192.168.1.21" || r.LocalAddr.String() != "192.168.1.21:11784" || r.RemoteAddr.String() != "114.23.7.184:27210" ||
			r.Reporter != 0x1a2a9c52 || r.SSRC != 0xce2256d2 || r.MOS != 3.8 || r.RFactor != 92 || r.MOSMethod != MethodReported ||
			r.Stop-r.Start != 45e6 || string(r.Codec) != "G722" || esd != 177 || bld != 0.006999999999999999 && bld != 0.007 || r.FractionLost != 0 {
			t.Errorf("%+v", r)
		}
	}
}
