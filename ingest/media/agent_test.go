package media

import (
	"errors"
	"testing"
)

// agentFull has the members of captagent's periodic report, with figures.
const agentFull = `{"CORRELATION_ID":"corr","RTP_SIP_CALL_ID":"call@host","DELTA":19.983,"JITTER":0.162653,"REPORT_TS":1443793820.5,` +
	`"TL_BYTE":285280,"SKEW":0.701172,"TOTAL_PK":1783,"EXPECTED_PK":1800,"PACKET_LOSS":17,"SEQ":4711,"MAX_JITTER":0.57589,` +
	`"MAX_DELTA":140.515137,"MAX_SKEW":-1.395996,"MEAN_JITTER":0.196664,"MIN_MOS":4.324768,"MEAN_MOS":4.394112,"MOS":4.394147,` +
	`"RFACTOR":92.442569,"MIN_RFACTOR":89.429284,"MEAN_RFACTOR":92.440869,"SRC_IP":"192.168.1.1","SRC_PORT":21122,` +
	`"DST_IP":"2001:db8::2","DST_PORT":"52268","SRC_MAC":"00-30-48-7E-5D-C6","OUT_ORDER":3,"SSRC":"0x1A2B3C4D","SSRC_CHG":1,` +
	`"CODEC_PT":8,"CLOCK":8000,"CODEC_NAME":"pcma","DIR":1,"REPORT_NAME":"x","PARTY":1,"TYPE":"HANGUP"}`

func TestRTPAgent(t *testing.T) {
	got, err := new(Decoder).RTPAgent([]byte(agentFull))
	if err != nil || len(got) != 1 {
		t.Fatal(err, got)
	}
	r := got[0]
	if r.Source != SourceRTPAgent || r.Type != TypeFinal || r.Party != PartyCallee || string(r.CallID) != "call@host" ||
		r.SSRC != 0x1a2b3c4d || r.Packets != 1783 || r.Octets != 285280 || r.Lost != 17 || r.FractionLost != float32(17.0/1800) ||
		r.JitterMs != 0.162653 || r.MOS != 4.394147 || r.RFactor != 92.442569 || r.MOSMethod != MethodReported ||
		r.HighestSeq != 4711 || string(r.Codec) != "pcma" || r.Stop != 1443793820500000 || !r.Reception ||
		r.LocalAddr.String() != "192.168.1.1:21122" || r.RemoteAddr.String() != "[2001:db8::2]:52268" {
		t.Errorf("%+v", r)
	}
	for name, v := range map[string]float64{
		MetricDeltaMs: 19.983, MetricMaxDeltaMs: 140.515137, MetricSkewMs: 0.701172, MetricMaxSkewMs: -1.395996,
		MetricMaxJitterMs: 0.57589, MetricMeanJitterMs: 0.196664, MetricMinMOS: float64(float32(4.324768)), MetricMeanMOS: float64(float32(4.394112)),
		MetricMinRFactor: float64(float32(89.429284)), MetricMeanRFactor: float64(float32(92.440869)), MetricOutOfOrder: 3,
		MetricSSRCChanges: 1, MetricClockHz: 8000, MetricDirection: 1, MetricExpected: 1800,
	} {
		if got, ok := r.Metric(name); !ok || got != v {
			t.Errorf("%s: %v %v, want %v", name, got, ok, v)
		}
	}
}

func TestRTPAgentForms(t *testing.T) {
	for _, c := range []struct {
		name, in string
		check    func(r Report) bool
	}{
		{"correlation id where there is no Call-ID", `{"CORRELATION_ID":"c","MOS":4}`, func(r Report) bool { return string(r.CallID) == "c" && r.Type == TypeUnspecified }},
		{"MOS and R in hundredths, an SBC's", `{"MOS":420,"RFACTOR":9210}`, func(r Report) bool { return r.MOS == 4.2 && r.RFactor == 92.1 }},
		{"R as text", `{"MOS":"4.1","RFACTOR":"82.5"}`, func(r Report) bool { return r.MOS == 4.1 && r.RFactor == 82.5 }},
		{"mean figures only", `{"MEAN_MOS":3.9,"MEAN_RFACTOR":77,"MEAN_JITTER":5,"TYPE":"FINAL"}`, func(r Report) bool {
			return r.MOS == 3.9 && r.RFactor == 77 && r.JitterMs == 5 && r.Type == TypeFinal
		}},
		{"a call's totals", `{"TOTAL_PACKETS":90,"TOTAL_BYTES":14400,"TOTAL_PACKET_LOSS":10,"TOTAL_EXPECTED_PK":100}`, func(r Report) bool {
			return r.Packets == 90 && r.Octets == 14400 && r.Lost == 10 && r.FractionLost == 0.1 && r.MOSMethod == MethodEModel
		}},
		{"loss without an expectation", `{"TOTAL_PK":90,"PACKET_LOSS":10}`, func(r Report) bool { return r.FractionLost == 0.1 }},
		{"loss as a percentage", `{"PACKET_LOSS":2.5,"MOS":4}`, func(r Report) bool { return r.FractionLost == 0.025 && r.Lost == 0 }},
		{"RTCP summary", `{"CUM_PACKET_LOSS":5,"MEAN_PACKET_LOSS":1.5,"MOS":4,"TYPE":"SHORT","SOURCE":"RTCP"}`, func(r Report) bool {
			v, ok := r.Metric(MetricMeanLoss)
			return r.Lost == 5 && ok && v == 1.5 && r.Type == TypeShort
		}},
		{"codec by payload type", `{"CODEC_PT":18,"PACKET_LOSS":0,"TOTAL_PK":5}`, func(r Report) bool {
			return string(r.Codec) == "G729" && r.MOSMethod == MethodEModel && r.RFactor < 85
		}},
		{"SSRC as a number", `{"SSRC":305419896,"MOS":4}`, func(r Report) bool { return r.SSRC == 0x12345678 }},
		{"no address", `{"SRC_IP":"","DST_IP":"nowhere","SRC_PORT":70000,"MOS":4}`, func(r Report) bool { return !r.LocalAddr.IsValid() && !r.RemoteAddr.IsValid() }},
		{"clock only says nothing of reception", `{"CLOCK":8000}`, func(r Report) bool { return !r.Reception && r.MOS == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTPAgent([]byte(c.in))
			if err != nil || len(got) != 1 || !c.check(got[0]) {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
}

func TestAgentFaults(t *testing.T) {
	for in, reason := range map[string]string{
		"": ReasonEmpty, "[]": ReasonNotObject, `{"a":1}`: ReasonNoReport, `{"CORRELATION_ID":"x"}`: ReasonNoReport,
		`{"MOS":"good"}`: ReasonNoReport, `{"a":`: ReasonTruncated, `{"a" 1}`: ReasonSyntax,
	} {
		for name, decode := range map[string]func(*Decoder) ([]Report, error){
			"agent":      func(d *Decoder) ([]Report, error) { return d.RTPAgent([]byte(in)) },
			"horaclifix": func(d *Decoder) ([]Report, error) { return d.Horaclifix([]byte(in)) },
		} {
			got, err := decode(new(Decoder))
			var e *Error
			if !errors.As(err, &e) || e.Reason != reason || len(got) != 0 {
				t.Errorf("%s of %q: %v %+v", name, in, err, got)
			}
		}
	}
	var e *Error
	if got, err := new(Decoder).RTPAgent([]byte(agentFull[:60])); !errors.As(err, &e) || e.Reason != ReasonTruncated || len(got) != 0 {
		t.Errorf("cut before any figure: %v %+v", err, got)
	}
	if got, err := new(Decoder).RTPAgent([]byte(agentFull[:300])); !errors.As(err, &e) || e.Reason != ReasonTruncated || len(got) != 1 {
		t.Errorf("cut behind figures: %v %+v", err, got)
	}
}

// sbc is a record with the members that horaclifix writes.
const sbc = `{"NAME":"sbc-1","INC_REALM":"access","OUT_REALM":"core","INC_ID":"in@sbc","INC_RTP_BYTE":800000,"INC_RTP_PK":4990,` +
	`"INC_RTP_PK_LOSS":10,"INC_RTP_AVG_JITTER":8,"INC_RTP_MAX_JITTER":22,"INC_RTCP_BYTE":4000,"INC_RTCP_PK":50,"INC_RTCP_PK_LOSS":1,` +
	`"INC_RTCP_AVG_JITTER":6,"INC_RTCP_MAX_JITTER":15,"INC_RTCP_AVG_LAT":30,"INC_RTCP_MAX_LAT":45,"INC_MOS":420,"INC_RVAL":8500,` +
	`"CALLER_VLAN":7,"CALLER_SRC_IP":"10.0.0.1","CALLER_SRC_PORT":16000,"CALLER_DST_IP":"10.0.0.2","CALLER_DST_PORT":17000,` +
	`"OUT_ID":"out@sbc","OUT_RTP_BYTE":790000,"OUT_RTP_PK":5000,"OUT_RTP_PK_LOSS":0,"OUT_MOS":0,"OUT_RVAL":0,"OUT_RTP_AVG_JITTER":9,` +
	`"CALLEE_SRC_IP":"10.0.0.3","CALLEE_SRC_PORT":18000,"CALLEE_DST_IP":"10.0.0.4","CALLEE_DST_PORT":19000,"MEDIA_TYPE":8}`

func TestHoraclifix(t *testing.T) {
	got, err := new(Decoder).Horaclifix([]byte(sbc))
	if err != nil || len(got) != 2 {
		t.Fatal(err, got)
	}
	in, out := got[0], got[1]
	if in.Source != SourceHoraclifix || in.Party != PartyCaller || string(in.CallID) != "in@sbc" || in.Packets != 4990 ||
		in.Octets != 800000 || in.Lost != 10 || in.FractionLost != 0.002 || in.JitterMs != 8 || in.MOS != 4.2 || in.RFactor != 85 ||
		in.MOSMethod != MethodReported || in.LocalAddr.String() != "10.0.0.1:16000" || in.RemoteAddr.String() != "10.0.0.2:17000" {
		t.Errorf("in: %+v", in)
	}
	for name, v := range map[string]float64{
		MetricMaxJitterMs: 22, MetricRTCPPackets: 50, MetricRTCPOctets: 4000, MetricRTCPLost: 1, MetricRTCPJitterMs: 6,
		MetricRTCPMaxJitter: 15, MetricLatencyMs: 30, MetricMaxLatencyMs: 45, MetricVLAN: 7, MetricMediaType: 8,
	} {
		if got, ok := in.Metric(name); !ok || got != v {
			t.Errorf("%s: %v %v, want %v", name, got, ok, v)
		}
	}
	if out.Party != PartyCallee || string(out.CallID) != "out@sbc" || out.Packets != 5000 || out.JitterMs != 9 ||
		out.MOSMethod != MethodEModel || out.MOS < 4 || out.LocalAddr.String() != "10.0.0.3:18000" || out.RemoteAddr.String() != "10.0.0.4:19000" {
		t.Errorf("out: %+v", out)
	}
	one, err := new(Decoder).Horaclifix([]byte(`{"OUT_MOS":410}`))
	if err != nil || len(one) != 1 || one[0].Party != PartyCallee || one[0].MOS != 4.1 {
		t.Errorf("one side: %v %+v", err, one)
	}
}

func TestQoSTellsFormsApart(t *testing.T) {
	for _, c := range []struct {
		name, in string
		source   Source
		reports  int
	}{
		{"agent", agentFull, SourceRTPAgent, 1},
		{"SBC", sbc, SourceHoraclifix, 2},
		{"VQ", vqBoth, SourceVQ, 2},
		{"RTCP", `{"ssrc":1,"type":201,"report_blocks":[{"source_ssrc":2}]}`, SourceRTCP, 1},
		{"RTCP description", `{"sdes_information":[{"type":1,"text":"x"}]}`, SourceRTCP, 1},
		{"unknown JSON with a MOS in the HEP packet", `{"a":1}`, SourceHEP, 1},
		{"empty with a MOS in the HEP packet", ``, SourceHEP, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).QoS([]byte(c.in), 310, 8000)
			if err != nil || len(got) != c.reports || got[0].Source != c.source {
				t.Fatalf("%v %+v", err, got)
			}
			switch c.source {
			case SourceHEP:
				if got[0].MOS != 3.1 || got[0].MOSMethod != MethodReported || got[0].Type != TypeShort {
					t.Errorf("%+v", got[0])
				}
			case SourceRTCP: // an E-model MOS gives way to the sender's
				if got[0].Reception && got[0].MOS != 3.1 {
					t.Errorf("%+v", got[0])
				}
			default: // the report's own MOS stays
				if got[0].MOS == 3.1 {
					t.Errorf("%+v", got[0])
				}
			}
		})
	}
	var e *Error
	if got, err := new(Decoder).QoS([]byte(`{"a":1}`), 0, 0); !errors.As(err, &e) || e.Reason != ReasonNoReport || len(got) != 0 {
		t.Errorf("unknown JSON: %v %+v", err, got)
	}
}
