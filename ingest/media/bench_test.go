package media

import "testing"

// heplifySR is what heplify sends for one sender report, the common case.
const heplifySR = `{"sender_information":{"ntp_timestamp_sec":4004217823,"ntp_timestamp_usec":9350143,"rtp_timestamp":88654,"packets":250,"octets":40000},` +
	`"ssrc":3907878308,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":1778536259,"fraction_lost":3,"packets_lost":2,"highest_seq_no":8424,"ia_jitter":18,"lsr":0,"dlsr":0}],` +
	`"report_blocks_xr":{"type":7,"id":1,"fraction_lost":9,"fraction_discard":0,"burst_density":0,"gap_density":0,"burst_duration":0,"gap_duration":0,"round_trip_delay":50,"end_system_delay":0},"sdes_ssrc":0,` +
	`"sdes_information":[{"sdes_chunk_ssrc":3907878308,"type":1,"text":"sip:b\u006fb@host"}]}`

func TestNoAllocation(t *testing.T) {
	var d Decoder
	json, binary := []byte(heplifySR), join(srOne, rrTwo, sdes, voip, bye)
	var s StreamStats
	feedback := join(srOne, packet(205, 15, 9, 3, 5<<16|21, 0x100, 0x2004<<16|0xa021, 0xd2ff0404))
	rtp := rtpBytes(8, 1, 2, 3, 160)
	extra := make([]Metric, 0, 16)
	codec := []byte("opus/48000/2")
	seq := uint16(0)
	for name, f := range map[string]func(){
		"RTCPJSON": func() {
			if r, err := d.RTCPJSON(json, 8000); err != nil || len(r) != 2 {
				t.Fatal(err)
			}
		},
		"RTCP": func() {
			if r, err := d.RTCP(binary, 8000); err != nil || len(r) != 4 {
				t.Fatal(err)
			}
		},
		"feedback": func() {
			if r, err := d.RTCP(feedback, 8000); err != nil || len(r) != 2 {
				t.Fatal(err)
			}
		},
		"StreamStats": func() {
			h, ok := RTPHeader(rtp)
			seq++
			h.Sequence = seq
			if !ok || !s.Add(&h, int64(seq)*20_000) {
				t.Fatal("not taken")
			}
			extra = s.Report(TypePeriodic, codec, extra[:0]).Extra
		},
		"EModel": func() { EModel(codec, 0.01, 1, 50) },
		"DTMF":   func() { DTMF([]byte{5, 0x8a, 1, 0x40}) },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkRTCPJSON(b *testing.B) {
	for name, in := range map[string]string{
		"heplify":   heplifySR,
		"rtpengine": `{ "sender_information":{"ntp_timestamp_sec":4004217391,"ntp_timestamp_usec":4048384633,"octets":40000,"rtp_timestamp":46385, "packets":250},"ssrc":1980232503,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":2433655789,"highest_seq_no":28786,"fraction_lost":0,"ia_jitter":6,"packets_lost":0,"lsr":0,"dlsr":0}],"sdes_report_count":1,"sdes_information": [ {"sdes_chunk_ssrc":1980232503,"type":1,"text":"sip:bob@10.99.0.1:5060;transport=udp"}] }`,
	} {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			in := []byte(in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.RTCPJSON(in, 8000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRTCP(b *testing.B) {
	var d Decoder
	in := join(srOne, sdes)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.RTCP(in, 8000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVQReport(b *testing.B) {
	var d Decoder
	in := []byte(vqBoth)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.VQReport(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRTPAgent(b *testing.B) {
	var d Decoder
	in := []byte(agentFull)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.RTPAgent(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRTPStream(b *testing.B) {
	var s StreamStats
	in := rtpBytes(8, 1, 2, 3, 160)
	b.ReportAllocs()
	var n uint32
	for b.Loop() {
		h, _ := RTPHeader(in)
		n++
		h.Sequence, h.Timestamp = uint16(n), n*160
		s.Add(&h, int64(n)*20_000)
	}
}

func BenchmarkEModel(b *testing.B) {
	codec := []byte("PCMA")
	b.ReportAllocs()
	for b.Loop() {
		EModel(codec, 0.01, 1, 35)
	}
}
