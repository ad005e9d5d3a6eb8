package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// checkReports are the laws that every decoder keeps, whatever its input.
func checkReports(t *testing.T, in []byte, reports []Report, err error) {
	t.Helper()
	var e *Error
	switch {
	case err == nil && len(reports) == 0:
		t.Fatalf("neither report nor error for %q", in)
	case err != nil && !errors.As(err, &e):
		t.Fatalf("error of type %T", err)
	case err != nil && (e.Offset < 0 || e.Offset > len(in)):
		t.Fatalf("offset %d of %d bytes", e.Offset, len(in))
	}
	for _, r := range reports {
		for name, v := range map[string]float32{
			"fraction": r.FractionLost, "jitter": r.JitterMs, "rtt": r.RTTMs, "mos": r.MOS, "r": r.RFactor,
		} {
			if math.IsNaN(float64(v)) || v < 0 || v > 70_000 {
				t.Fatalf("%s is %v for %q", name, v, in)
			}
		}
		if r.FractionLost > 1 || r.MOS != 0 && (r.MOS < 1 || r.MOS > 5) || r.RFactor > 120 {
			t.Fatalf("out of range: %+v", r)
		}
		if (r.MOS != 0) != (r.MOSMethod != "") || r.Type == "" || r.Source == SourceUnknown {
			t.Fatalf("MOS without method, or no type: %+v", r)
		}
	}
}

func FuzzRTCPJSON(f *testing.F) {
	for _, texts := range payloads(f, "JSON/RTCP") {
		for _, text := range texts {
			f.Add([]byte(text))
		}
	}
	for _, s := range []string{
		"", "{}", " [1]", `{"a":"\ud83d\ude00\ud83d","b":1e5,"c":-0.5E-3}`, `{"report_blocks":[{"packets_lost":16777215,"fraction_lost":"7"},null,{}]}`,
		`{"ssrc":1.5,"type":"200","report_blocks":{"source_ssrc":-1},"sdes_information":[{"type":1,"text":"\u0041"}]}`,
		`{"report_blocks_xr":{"id":3,"fraction_lost":300},"voip_metrics":{"mos_lq":4.1}}`, "{\"a\":1}\x00\x00",
		`{"ssrc":1,"ssrc":2,"report_blocks":[{"source_ssrc":1}],"report_blocks":[{"source_ssrc":2,"source_ssrc":3}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		var d Decoder
		reports, err := d.RTCPJSON(b, 8000)
		if !bytes.Equal(in, b) {
			t.Fatal("the input was changed")
		}
		checkReports(t, b, reports, err)
		agreeWithJSON(t, b, reports, err)
	})
}

// agreeWithJSON compares with encoding/json: what is valid, and the values.
func agreeWithJSON(t *testing.T, b []byte, reports []Report, err error) {
	t.Helper()
	var e *Error
	if errors.As(err, &e) && e.Reason == ReasonDepth {
		return // encoding/json follows deeper
	}
	var value any
	jsonErr := json.Unmarshal(b, &value)
	var outOfRange *json.UnmarshalTypeError
	if errors.As(jsonErr, &outOfRange) {
		return // 1e999: valid JSON, no float64
	}
	// We are the more lenient with raw control characters and NUL padding.
	if jsonErr != nil {
		if err == nil && bytes.IndexFunc(b, func(r rune) bool { return r < ' ' }) < 0 {
			t.Fatalf("encoding/json refuses %q (%v), we do not", b, jsonErr)
		}
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		if e == nil || e.Reason != ReasonNotObject {
			t.Fatalf("%q is no object: %v", b, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("encoding/json accepts %q, we do not: %v", b, err)
	}
	var blocks []map[string]any
	switch v := object["report_blocks"].(type) {
	case map[string]any:
		blocks = append(blocks, v)
	case []any:
		for _, x := range v {
			if m, ok := x.(map[string]any); ok {
				blocks = append(blocks, m)
			}
		}
	}
	if len(reports) < max(len(blocks), 1) {
		t.Fatalf("%d reports for %d blocks of %q", len(reports), len(blocks), b)
	}
	for i, block := range blocks {
		r := reports[i]
		same(t, b, "source_ssrc", block["source_ssrc"], r.SSRC)
		same(t, b, "highest_seq_no", block["highest_seq_no"], r.HighestSeq)
		same(t, b, "ia_jitter", block["ia_jitter"], r.JitterRaw)
		same(t, b, "lsr", block["lsr"], r.LSR)
		same(t, b, "dlsr", block["dlsr"], r.DLSR)
		same(t, b, "ssrc", object["ssrc"], r.Reporter)
		if v, ok := block["packets_lost"].(float64); ok && math.Abs(v) < 1<<23 && r.Lost != int64(v) {
			t.Fatalf("packets_lost %v is %d in %q", v, r.Lost, b)
		}
		if v, ok := block["fraction_lost"].(float64); ok && v >= 0 && v <= 256 && r.FractionLost != float32(v/256) {
			t.Fatalf("fraction_lost %v is %v in %q", v, r.FractionLost, b)
		}
	}
}

// same compares a value in the range of uint32 with what was read.
func same(t *testing.T, in []byte, key string, value any, got uint32) {
	t.Helper()
	switch v := value.(type) {
	case float64:
		if v > -1 && v < 1<<32 && got != uint32(v) {
			t.Fatalf("%s %v is %d in %q", key, v, got, in)
		}
	case string: // may hold a number
	default:
		if got != 0 {
			t.Fatalf("%s %v is %d in %q", key, value, got, in)
		}
	}
}

func FuzzRTCP(f *testing.F) {
	for _, name := range captures.Names(f, "*.sip-rtcp") {
		for _, p := range captures.Read(f, captures.Path(name+".pcap")) {
			if p.Transport == "udp" && p.Payload[0]>>6 == 2 {
				f.Add(p.Payload)
			}
		}
	}
	for _, b := range [][]byte{srEmpty, join(srOne, sdes, bye), join(rrTwo, voip), app, fb, join(rrEmpty, sdes), {0x80},
		packet(205, 1, 9, 3, 100<<16|0x8001), packet(206, 4, 9, 0, 3, 7<<24), packet(205, 3, 9, 0, 3, 1<<26|125000<<9),
		packet(206, 15, 9, 0, 0x52454d42, 1<<24|250000, 3), packet(205, 15, 9, 3, 5<<16|21, 0x100, 0x2004<<16|0xa021, 0xd2ff0404),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Decoder
		reports, err := d.RTCP(b, 8000)
		checkReports(t, b, reports, err)
		if err == nil && len(b)%4 != 0 {
			t.Fatalf("accepted %d bytes, no multiple of 4", len(b))
		}
		// Whatever was accepted is accepted twice over, and says no less.
		if err == nil {
			n := len(reports)
			if again, err := d.RTCP(join(b, b), 8000); err != nil || len(again) < n {
				t.Fatalf("twice: %v, %d reports after %d", err, len(again), n)
			}
		}
	})
}

func FuzzVQReport(f *testing.F) {
	f.Add([]byte(vqBoth))
	f.Add([]byte("VQSessionReport: CallTerm\nJitterBuffer: JBM=20JBX=240\nLocalAddr: IP=::1 PORT=1 SSRC=ff"))
	f.Add([]byte("QualityEst:MOSLQ=.1 MOSCQ=\"4.1\" RCQ=\"\n="))
	f.Fuzz(func(t *testing.T, b []byte) {
		reports, err := new(Decoder).VQReport(b)
		checkReports(t, b, reports, err)
	})
}

func FuzzRTPStat(f *testing.F) {
	f.Add([]byte("CS=123;PS=1433;ES=1525;OS=229280;SP=0/0;QS=-;PR=1522;ER=1525;OR=243520;PL=0,0;EN=PCMA,FAX;DE=PCMA;JI=23,2;DL=20,20,21;IP=192.0.2.1:7082,[::1]:2"))
	f.Add([]byte("PS=300,OS=48000,PR=365,OR=58400,PL=0,JI=0,LA=0,DU=7"))
	f.Add([]byte("MOS=3.8;Jitter=7;PacketLossPct=0;RTT=260682;RTPStat=RTP: 258452 bytes, 1509 packets"))
	f.Fuzz(func(t *testing.T, b []byte) {
		reports, err := new(Decoder).RTPStat(b)
		checkReports(t, b, reports, err)
	})
}

func FuzzQoS(f *testing.F) {
	f.Add([]byte(agentFull), uint16(420))
	f.Add([]byte(sbc), uint16(0))
	f.Add([]byte(vqBoth), uint16(100))
	f.Add([]byte(`{"INC_MOS":1e300,"OUT_RTP_PK":-5,"OUT_RTP_PK_LOSS":9}`), uint16(65535))
	f.Fuzz(func(t *testing.T, b []byte, mos uint16) {
		reports, err := new(Decoder).QoS(b, mos, 8000)
		checkReports(t, b, reports, err)
	})
}

// FuzzStream drives a stream with any sequence of headers: its counts must add up.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 5, 0, 3, 0xff, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s StreamStats
		taken := uint64(0)
		for i := 0; i+1 < len(b); i += 2 {
			h := RTP{Sequence: uint16(b[i])<<8 | uint16(b[i+1]), Timestamp: uint32(b[i]) << 24, SSRC: 1}
			if s.Add(&h, int64(i)*int64(b[i+1])) {
				taken++
			}
		}
		r := s.Report(TypeFinal, nil, nil)
		expected, _ := r.Metric(MetricExpected)
		duplicates, _ := r.Metric(MetricDuplicates)
		if r.Packets != taken || r.Lost < 0 || uint64(r.Lost) > uint64(expected) || duplicates > float64(taken) {
			t.Fatalf("%+v", r)
		}
		if taken > 0 {
			checkReports(t, b, []Report{r}, nil)
		}
	})
}
