package media

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// want is the part of a report that a case cares for.
type want struct {
	typ      string
	source   Source
	ssrc     uint32
	reporter uint32
	lost     int64
	fraction float32
	jitter   uint32
}

func summary(reports []Report) []want {
	var out []want
	for _, r := range reports {
		out = append(out, want{r.Type, r.Source, r.SSRC, r.Reporter, r.Lost, r.FractionLost, r.JitterRaw})
	}
	return out
}

func TestRTCPJSONForms(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []want
	}{
		{
			"several blocks, sender behind them",
			`{"report_blocks":[{"source_ssrc":1,"fraction_lost":128,"packets_lost":7,"ia_jitter":5},{"source_ssrc":2,"fraction_lost":64}],` +
				`"report_count":2,"type":200,"ssrc":9,"sender_information":{"packets":4}}`,
			[]want{{TypeSR, SourceRTCP, 1, 9, 7, 0.5, 5}, {TypeSR, SourceRTCP, 2, 9, 0, 0.25, 0}},
		},
		{
			"receiver report beside a sender_information of zeros, as heplify sends it",
			`{"sender_information":{"ntp_timestamp_sec":0,"ntp_timestamp_usec":0,"rtp_timestamp":0,"packets":0,"octets":0},"ssrc":9,"type":201,"report_blocks":[{"source_ssrc":3,"packets_lost":1}]}`,
			[]want{{TypeRR, SourceRTCP, 3, 9, 1, 0, 0}},
		},
		{
			"numbers as strings, as Asterisk sends them",
			`{"ssrc":"9","type":"200","report_blocks":[{"source_ssrc":"0x0000000A","fraction_lost":" 64 ","packets_lost":"+5","ia_jitter":"007"}]}`,
			[]want{{TypeSR, SourceRTCP, 10, 9, 5, 0.25, 7}},
		},
		{
			"negative loss: signed, 24 bits unsigned, 32 bits unsigned",
			`{"ssrc":9,"type":201,"report_blocks":[{"packets_lost":-3},{"packets_lost":16777213},{"packets_lost":4294967293}]}`,
			[]want{{TypeRR, SourceRTCP, 0, 9, -3, 0, 0}, {TypeRR, SourceRTCP, 0, 9, -3, 0, 0}, {TypeRR, SourceRTCP, 0, 9, -3, 0, 0}},
		},
		{
			"largest positive loss",
			`{"ssrc":9,"type":201,"report_blocks":[{"packets_lost":8388607}]}`,
			[]want{{TypeRR, SourceRTCP, 0, 9, 8388607, 0, 0}},
		},
		{
			"most negative loss",
			`{"ssrc":9,"type":201,"report_blocks":[{"packets_lost":8388608}]}`,
			[]want{{TypeRR, SourceRTCP, 0, 9, -8388608, 0, 0}},
		},
		{
			"SSRC printed as signed",
			`{"ssrc":-1,"type":201,"report_blocks":[{"source_ssrc":-2}]}`,
			[]want{{TypeRR, SourceRTCP, 0xfffffffe, 0xffffffff, 0, 0, 0}},
		},
		{
			"one block that is no array",
			`{"ssrc":9,"type":201,"report_blocks":{"source_ssrc":3,"ia_jitter":8}}`,
			[]want{{TypeRR, SourceRTCP, 3, 9, 0, 0, 8}},
		},
		{
			"no type: sender information tells SR",
			`{"ssrc":9,"sender_information":{"packets":1},"report_blocks":[{"source_ssrc":3}]}`,
			[]want{{TypeSR, SourceRTCP, 3, 9, 0, 0, 0}},
		},
		{
			"SR without blocks",
			`{"sender_information":{"packets":1,"octets":2},"ssrc":9,"type":200,"report_count":0,"report_blocks":[]}`,
			[]want{{TypeSR, SourceRTCP, 9, 9, 0, 0, 0}},
		},
		{
			"RR without blocks, null as Go prints no slice",
			`{"ssrc":9,"type":201,"report_count":0,"report_blocks":null}`,
			[]want{{TypeRR, SourceRTCP, 9, 9, 0, 0, 0}},
		},
		{
			"description and goodbye only, as rtpengine sends it",
			`{ "sdes_report_count":1,"sdes_information": [ {"sdes_chunk_ssrc":7,"type":1,"text":"a@b"}] }`,
			[]want{{TypeSDES, SourceRTCP, 7, 7, 0, 0, 0}},
		},
		{
			"description by type, as heplify sends it",
			`{"ssrc":0,"type":202,"report_blocks":null,"report_blocks_xr":{"type":0},"sdes_ssrc":7}`,
			[]want{{TypeSDES, SourceRTCP, 7, 7, 0, 0, 0}},
		},
		{"goodbye", `{"type":203,"ssrc":7}`, []want{{TypeBYE, SourceRTCP, 7, 7, 0, 0, 0}}},
		{"application", `{"type":204,"ssrc":7}`, []want{{TypeApp, SourceRTCP, 7, 7, 0, 0, 0}}},
		{"feedback", `{"type":206,"ssrc":7}`, []want{{TypeFeedback, SourceRTCP, 7, 7, 0, 0, 0}}},
		{"nothing known is one report still", `{"foo":[{"ssrc":1}],"bar":{"type":200}}`, []want{{typ: TypeUnspecified, source: SourceRTCP}}},
		{"empty object", " {} \r\n", []want{{typ: TypeUnspecified, source: SourceRTCP}}},
		{"NUL padding", "{\"type\":203,\"ssrc\":7}\x00\x00", []want{{TypeBYE, SourceRTCP, 7, 7, 0, 0, 0}}},
		{
			"escaped keys", `{"ss\u0072c":9,"t\u0079pe":201,"report_\u0062locks":[{"packets\u005flost":4}]}`,
			[]want{{TypeRR, SourceRTCP, 0, 9, 4, 0, 0}},
		},
		{
			"values of the wrong kind are unknown",
			`{"ssrc":[9],"type":201,"report_blocks":[{"packets_lost":true,"ia_jitter":{"a":[1,{}]}},17,null,{"packets_lost":2}]}`,
			[]want{{typ: TypeRR, source: SourceRTCP}, {typ: TypeRR, source: SourceRTCP, lost: 2}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTCPJSON([]byte(c.in), 8000)
			if err != nil {
				t.Fatal(err)
			}
			if s := summary(got); !reflect.DeepEqual(s, c.want) {
				t.Errorf("got  %+v\nwant %+v", s, c.want)
			}
		})
	}
}

func TestRTCPJSONExtended(t *testing.T) {
	const block = `{"ssrc":9,"type":201,"report_blocks":[{"source_ssrc":3}],`
	short := `"report_blocks_xr":{"type":7,"id":3,"fraction_lost":16,"fraction_discard":8,"burst_density":4,"gap_density":2,"burst_duration":120,"gap_duration":4000,"round_trip_delay":88,"end_system_delay":60}`
	full := `"voip_metrics":{"ssrc":3,"loss_rate":16,"discard_rate":8,"burst_density":4,"gap_density":2,"burst_duration":120,"gap_duration":4000,"round_trip_delay":88,"end_system_delay":60,"signal_level":-21,"noise_level":200,"rerl":127,"gmin":16,"r_factor":85,"ext_r_factor":127,"mos_cq":12.7,"mos_lq":4.1,"jb_nominal":40}`
	common := map[string]float64{
		MetricDiscardRate: 8.0 / 256, MetricBurstDensity: 4.0 / 256, MetricGapDensity: 2.0 / 256,
		MetricBurstMs: 120, MetricGapMs: 4000, MetricEndSystemMs: 60,
	}
	for _, c := range []struct {
		name, in string
		reported bool
	}{
		{"short form", block + short + "}", false},
		{"short form before the blocks", "{" + short + "," + block[1:] + `"x":1}`, false},
		{"short form in an array", block + strings.Replace(short, ":{", ":[{", 1) + "]}", false},
		{"full form", block + full + "}", true},
		{"both forms of one block", block + short + "," + full + "}", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := new(Decoder).RTCPJSON([]byte(c.in), 8000)
			if err != nil || len(got) != 2 {
				t.Fatalf("%v, %+v", err, got)
			}
			if got[0].Source != SourceRTCP || len(got[0].Extra) != 0 {
				t.Errorf("block: %+v", got[0])
			}
			r := got[1]
			if r.Source != SourceRTCPXR || r.Type != TypeXR || r.SSRC != 3 || r.Reporter != 9 ||
				r.FractionLost != 16.0/256 || r.RTTMs != 88 {
				t.Errorf("%+v", r)
			}
			for name, v := range common {
				if got, ok := r.Metric(name); !ok || got != v {
					t.Errorf("%s: %v %v, want %v", name, got, ok, v)
				}
			}
			if !c.reported {
				if r.MOSMethod != MethodEModel || r.MOS < 1 || r.MOS > 4 {
					t.Errorf("MOS %v by %q", r.MOS, r.MOSMethod)
				}
				return
			}
			if r.MOS != 4.1 || r.RFactor != 85 || r.MOSMethod != MethodReported {
				t.Errorf("MOS %v, R %v by %q", r.MOS, r.RFactor, r.MOSMethod)
			}
			if v, _ := r.Metric(MetricNoiseLevel); v != -56 {
				t.Errorf("noise level %v", v)
			}
			for _, name := range []string{MetricRERL, MetricExtRFactor, MetricMOSCQ} {
				if v, ok := r.Metric(name); ok {
					t.Errorf("%s is unavailable but %v", name, v)
				}
			}
		})
	}

	// heplify fills report_blocks_xr with zeros where there was no XR.
	zeros := block + `"report_blocks_xr":{"type":0,"id":0,"fraction_lost":0,"round_trip_delay":0}}`
	if got, err := new(Decoder).RTCPJSON([]byte(zeros), 8000); err != nil || len(got) != 1 {
		t.Errorf("zeros: %v, %d reports", err, len(got))
	}
}

func TestRTCPJSONText(t *testing.T) {
	for in, want := range map[string]string{
		`{"sdes_information":[{"type":1,"text":"sip:\u00e9\n\"x\"\/\ud83d\ude00\ud83d"}]}`:                                    "sip:é\n\"x\"/😀\ufffd",
		`{"ssrc":2,"sdes_information":[{"sdes_chunk_ssrc":1,"type":1,"text":"a"},{"sdes_chunk_ssrc":2,"type":1,"text":"b"}]}`: "b",
		`{"ssrc":2,"sdes_information":[{"sdes_chunk_ssrc":2,"type":1,"text":"b"},{"sdes_chunk_ssrc":1,"type":1,"text":"a"}]}`: "b",
		`{"sdes_information":[{"type":2,"text":"Alice"},{"type":1,"text":"a"}]}`:                                              "a",
		"{\"sdes_information\":[{\"type\":1,\"text\":\"raw\x01\tbytes\xff\"}]}":                                               "raw\x01\tbytes\xff",
		`{"sdes_information":{"type":1,"text":"no array"}}`:                                                                   "no array",
	} {
		got, err := new(Decoder).RTCPJSON([]byte(in), 0)
		if err != nil || len(got) != 1 || string(got[0].CNAME) != want {
			t.Errorf("%s: %v, %+v, want %q", in, err, summary(got), want)
		}
	}
}

func TestJitterClock(t *testing.T) {
	in := []byte(`{"ssrc":9,"type":201,"report_blocks":[{"ia_jitter":960}]}`)
	for clock, ms := range map[int]float32{8000: 120, 48000: 20, 90000: 960 / 90.0, 0: 120, -1: 120} {
		r, err := new(Decoder).RTCPJSON(in, clock)
		if err != nil || r[0].JitterMs != ms || r[0].JitterRaw != 960 {
			t.Errorf("clock %d: %v ms, want %v", clock, r[0].JitterMs, ms)
		}
		// The E-model is for speech.
		if video := clock == 90000; video != (r[0].MOS == 0) {
			t.Errorf("clock %d: MOS %v", clock, r[0].MOS)
		}
	}
	broken := []byte(`{"ssrc":9,"type":201,"report_blocks":[{"ia_jitter":4294967295}]}`)
	r, err := new(Decoder).RTCPJSON(broken, 8000)
	if err != nil || r[0].JitterMs != 0 || r[0].JitterRaw != 1<<32-1 {
		t.Errorf("broken counter: %v, %+v", err, r)
	}
}

func TestRTCPJSONFaults(t *testing.T) {
	deep := `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}"
	for _, c := range []struct {
		in     string
		reason string
		offset int
		left   int // reports before the fault
	}{
		{"", ReasonEmpty, 0, 0},
		{" \x00\x00", ReasonEmpty, 1, 0},
		{"[]", ReasonNotObject, 0, 0},
		{` "x"`, ReasonNotObject, 1, 0},
		{"17", ReasonNotObject, 0, 0},
		{"hello", ReasonSyntax, 0, 0},
		{"{", ReasonTruncated, 1, 0},
		{`{"a`, ReasonTruncated, 3, 0},
		{`{"a"`, ReasonTruncated, 4, 0},
		{`{"a":`, ReasonTruncated, 5, 0},
		{`{"a":1`, ReasonTruncated, 6, 0},
		{`{"a":-`, ReasonTruncated, 6, 0},
		{`{"a":1,`, ReasonTruncated, 7, 0},
		{`{"a":1,}`, ReasonSyntax, 7, 0},
		{`{"a":tru}`, ReasonSyntax, 8, 0},
		{`{"a":[1,]}`, ReasonSyntax, 8, 0},
		{`{"a":01}`, ReasonSyntax, 6, 0},
		{`{"a" 1}`, ReasonSyntax, 5, 0},
		{`{"a":"\x"}`, ReasonSyntax, 7, 0},
		{`{"a":"\u00g0"}`, ReasonSyntax, 10, 0},
		{`{'a':1}`, ReasonSyntax, 1, 0},
		{`{"a":1}{`, ReasonTrailing, 7, 0},
		{deep, ReasonDepth, 5 + 63, 0},
		{`{"type":201,"report_blocks":[{"source_ssrc":1},{"source_ssrc":2,"packets_lo`, ReasonTruncated, 75, 1},
		{`{"sender_information":{"packets":1},"ssrc":4,`, ReasonTruncated, 45, 1},
		{`{"report_blocks":[{"source_ssrc":1}]} x`, ReasonTrailing, 38, 1},
	} {
		got, err := new(Decoder).RTCPJSON([]byte(c.in), 8000)
		var e *Error
		if !errors.As(err, &e) || e.Reason != c.reason || e.Offset != c.offset || len(got) != c.left {
			t.Errorf("%s: %v and %d reports, want %s at byte %d and %d", c.in, err, len(got), c.reason, c.offset, c.left)
		}
	}
}

func TestReasonsAreListed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if seen[r] || r == "" || strings.ContainsAny(r, " _") {
			t.Errorf("reason %q", r)
		}
		seen[r] = true
	}
	if err := (&Error{ReasonSyntax, 7}); err.Error() != "media: syntax at byte 7" {
		t.Error(err)
	}
}

// TestReuse decodes a large payload, then a small one: nothing may be left over.
func TestReuse(t *testing.T) {
	small := []byte(`{"type":201,"ssrc":1,"report_blocks":[{"source_ssrc":2}]}`)
	fresh, err := new(Decoder).RTCPJSON(small, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	for _, before := range []string{
		`{"type":200,"ssrc":5,"sender_information":{"packets":9,"octets":9,"ntp_timestamp_sec":1},"sdes_ssrc":4,"sdes_information":[{"type":1,"text":"\u0041"}],"report_blocks":[{"lsr":1,"packets_lost":3,"dlsr":4},{"ia_jitter":5}],"report_blocks_xr":{"id":1,"fraction_lost":1},"voip_metrics":{"ssrc":8,"mos_lq":4}}`,
		`{"type":200,"ssrc":5,"report_blocks":[{"lsr":1`,
	} {
		_, _ = d.RTCPJSON([]byte(before), 8000)
		got, err := d.RTCPJSON(small, 8000)
		if err != nil || !reflect.DeepEqual(got, fresh) {
			t.Errorf("%v\ngot  %+v\nwant %+v", err, got, fresh)
		}
	}
}
