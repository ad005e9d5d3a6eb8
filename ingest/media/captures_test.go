package media

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// payloads returns the payloads of a type from every capture's truth, as
// Wireshark read them.
func payloads(t testing.TB, protocol string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	files, err := filepath.Glob(captures.Path("*.truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, truth := range captures.ReadTruth(t, f) {
			if truth.First("hep3.application_protocol") == protocol {
				out[filepath.Base(f)] = append(out[filepath.Base(f)], truth["hep3.payload"]...)
			}
		}
	}
	return out
}

func number(m map[string]any, key string) float64 {
	f, _ := m[key].(float64)
	return f
}

func object(m map[string]any, key string) map[string]any {
	o, _ := m[key].(map[string]any)
	return o
}

func TestRTCPJSONOfEveryCapture(t *testing.T) {
	counts := map[string]int{}
	var d Decoder
	for file, texts := range payloads(t, "JSON/RTCP") {
		for _, text := range texts {
			counts[file]++
			var want map[string]any
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatalf("%s: %v in %s", file, err, text)
			}
			got, err := d.RTCPJSON([]byte(text), 8000)
			if err != nil {
				t.Errorf("%s: %v in %s", file, err, text)
				continue
			}
			checkRTCP(t, want, got)
		}
	}
	// Quirks 10 to 13 of the captures' README come from these five senders.
	for file, n := range map[string]int{
		"captagent-hep3-udp-live-sip-rtcp-a.truth.jsonl":           8,
		"heplify-hep3-udp-sip-rtcp-a.truth.jsonl":                  8,
		"heplify-hep3-tcp-authkey-nodename-a.truth.jsonl":          4,
		"hepjs-hep3-udp-sip-rtcp-qos-log-a.truth.jsonl":            5,
		"rtpengine-hep3-over-ipv6-rtcp-a.truth.jsonl":              3,
		"rtpengine-kamailio-hep3-udp-call-with-rtcp-a.truth.jsonl": 5,
		"rtpengine-kamailio-hep3-tcp-call-with-rtcp-a.truth.jsonl": 3,
	} {
		if counts[file] != n {
			t.Errorf("%s: %d RTCP payloads, want %d", file, counts[file], n)
		}
	}
}

// checkRTCP compares reports with the payload as encoding/json read it.
func checkRTCP(t *testing.T, want map[string]any, got []Report) {
	t.Helper()
	blocks, _ := want["report_blocks"].([]any)
	if len(got) != max(len(blocks), 1) {
		t.Errorf("%d reports for %d blocks: %v", len(got), len(blocks), want)
		return
	}
	sender := object(want, "sender_information")
	sdes, _ := want["sdes_information"].([]any)
	for i, r := range got {
		if r.Source != SourceRTCP {
			t.Errorf("source %v", r.Source)
		}
		if len(sdes) > 0 {
			if name := sdes[0].(map[string]any)["text"]; string(r.CNAME) != name {
				t.Errorf("CNAME %q, want %q", r.CNAME, name)
			}
		}
		if len(blocks) == 0 {
			chunk := sdes[0].(map[string]any)
			if r.Type != TypeSDES || float64(r.SSRC) != number(chunk, "sdes_chunk_ssrc") || r.Reception || r.MOS != 0 {
				t.Errorf("description alone: %+v", r)
			}
			continue
		}
		b := blocks[i].(map[string]any)
		for _, c := range []struct {
			name      string
			got, want float64
		}{
			{"type", map[string]float64{TypeSR: 200, TypeRR: 201}[r.Type], number(want, "type")},
			{"reporter", float64(r.Reporter), number(want, "ssrc")},
			{"ssrc", float64(r.SSRC), number(b, "source_ssrc")},
			{"fraction", float64(r.FractionLost) * 256, number(b, "fraction_lost")},
			{"lost", float64(r.Lost), number(b, "packets_lost")},
			{"highest", float64(r.HighestSeq), number(b, "highest_seq_no")},
			{"jitter", float64(r.JitterRaw), number(b, "ia_jitter")},
			{"jitter ms", float64(r.JitterMs) * 8, number(b, "ia_jitter")},
			{"lsr", float64(r.LSR), number(b, "lsr")},
			{"dlsr", float64(r.DLSR), number(b, "dlsr")},
			{"packets", float64(r.Packets), number(sender, "packets")},
			{"octets", float64(r.Octets), number(sender, "octets")},
			{"ntp seconds", float64(r.NTP >> 32), number(sender, "ntp_timestamp_sec")},
			{"ntp fraction", float64(uint32(r.NTP)), number(sender, "ntp_timestamp_usec")},
			{"rtp time", float64(r.RTPTime), number(sender, "rtp_timestamp")},
		} {
			if c.got != c.want {
				t.Errorf("%s: %v, want %v in %v", c.name, c.got, c.want, want)
			}
		}
		if !r.Reception || r.MOSMethod != MethodEModel || r.MOS < 1 || r.MOS > 4.5 || r.RTTMs != 0 {
			t.Errorf("quality: %+v", r)
		}
	}
}

func TestAgentReportsOfEveryCapture(t *testing.T) {
	n := 0
	var d Decoder
	for _, texts := range payloads(t, "MOS") {
		for _, text := range texts {
			n++
			var want map[string]any
			if err := json.Unmarshal([]byte(text), &want); err != nil {
				t.Fatal(err)
			}
			got, err := d.QoS([]byte(text), 421, 0)
			if err != nil || len(got) != 1 {
				t.Fatalf("%v, %d reports in %s", err, len(got), text)
			}
			r := got[0]
			delta, ok := r.Metric(MetricDeltaMs)
			if string(r.CallID) != want["CORRELATION_ID"] || r.MOS != float32(number(want, "MOS")) ||
				r.MOSMethod != MethodReported || r.Type != TypePeriodic || r.Source != SourceRTPAgent ||
				r.JitterMs != float32(number(want, "JITTER")) || r.Lost != int64(number(want, "PACKET_LOSS")) ||
				!ok || delta != number(want, "DELTA") {
				t.Errorf("%s\ngave %+v", text, r)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d reports of type 35, want 5", n)
	}
}

// TestBinaryAndJSONAgree decodes the RTCP that rtpengine received, as it was on
// the wire, and rtpengine's JSON of it: two independent readings of one packet.
func TestBinaryAndJSONAgree(t *testing.T) {
	for _, name := range []string{
		"rtpengine-hep3-over-ipv6-rtcp-a",
		"rtpengine-kamailio-hep3-udp-call-with-rtcp-a",
		"rtpengine-kamailio-hep3-tcp-call-with-rtcp-a",
	} {
		t.Run(name, func(t *testing.T) {
			type key struct {
				reporter, stream uint32
				ntp              uint64
			}
			wire := map[key]Report{}
			goodbyes := map[string]bool{}
			raw := 0
			for _, p := range captures.Read(t, captures.Path(name+".sip-rtcp.pcap")) {
				if p.Transport != "udp" || p.Payload[0]>>6 != 2 {
					continue // SIP is text: its first byte is below 0x80
				}
				raw++
				reports, err := new(Decoder).RTCP(p.Payload, 8000)
				if err != nil {
					t.Errorf("frame %d: %v", p.Frame, err)
				}
				for _, r := range reports {
					if r.Bye {
						goodbyes[string(r.CNAME)] = true
					}
					wire[key{r.Reporter, r.SSRC, r.NTP}] = r
				}
			}
			if raw == 0 {
				t.Fatal("no RTCP on the wire")
			}
			for _, text := range payloads(t, "JSON/RTCP")[name+".truth.jsonl"] {
				reports, err := new(Decoder).RTCPJSON([]byte(text), 8000)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range reports {
					if r.Type == TypeSDES {
						// The JSON drops the BYE, and an RR without blocks.
						if !goodbyes[string(r.CNAME)] {
							t.Errorf("no BYE of %s on the wire", r.CNAME)
						}
						continue
					}
					w, ok := wire[key{r.Reporter, r.SSRC, r.NTP}]
					if !ok {
						t.Errorf("not on the wire: %+v", r)
						continue
					}
					w.Bye = false
					if !reflect.DeepEqual(w, r) {
						t.Errorf("wire %+v\njson %+v", w, r)
					}
				}
			}
		})
	}
}

// TestRTCPPacketsAgainstBytes reads the wire's sender reports at fixed offsets.
func TestRTCPPacketsAgainstBytes(t *testing.T) {
	n := 0
	for _, name := range captures.Names(t, "*.sip-rtcp") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			b := p.Payload
			if p.Transport != "udp" || b[0]>>6 != 2 || b[1] != 200 || b[0]&0x1f != 1 {
				continue
			}
			n++
			r, err := new(Decoder).RTCP(b, 0)
			if err != nil || len(r) != 1 {
				t.Fatalf("%s frame %d: %v, %d reports", name, p.Frame, err, len(r))
			}
			be := func(at, size int) (v uint64) {
				for _, c := range b[at : at+size] {
					v = v<<8 | uint64(c)
				}
				return v
			}
			got := []uint64{
				uint64(r[0].Reporter), r[0].NTP, uint64(r[0].RTPTime), r[0].Packets, r[0].Octets, uint64(r[0].SSRC),
				uint64(r[0].FractionLost * 256), uint64(r[0].Lost), uint64(r[0].HighestSeq), uint64(r[0].JitterRaw),
				uint64(r[0].LSR), uint64(r[0].DLSR),
			}
			want := []uint64{
				be(4, 4), be(8, 8), be(16, 4), be(20, 4), be(24, 4), be(28, 4),
				be(32, 1), be(33, 3), be(36, 4), be(40, 4), be(44, 4), be(48, 4),
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s frame %d: %v, want %v", name, p.Frame, got, want)
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d sender reports", n)
	}
}

func TestCapturesTruncatedAtEveryByte(t *testing.T) {
	var d Decoder
	for _, texts := range payloads(t, "JSON/RTCP") {
		text := texts[0]
		for n := range len(text) {
			r, err := d.RTCPJSON([]byte(text[:n]), 8000)
			if err == nil {
				t.Fatalf("no error at %d of %s", n, text)
			}
			for _, r := range r {
				if r.Reception && r.HighestSeq == 0 {
					t.Fatalf("half a block at %d of %s", n, text)
				}
			}
		}
	}
	for _, name := range captures.Names(t, "*.sip-rtcp") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			if p.Transport != "udp" || p.Payload[0]>>6 != 2 {
				continue
			}
			// A cut on a packet boundary of the compound leaves a shorter one.
			whole := map[int]bool{}
			for at := 0; at+4 <= len(p.Payload); {
				at += 4 * (int(p.Payload[at+2])<<8 + int(p.Payload[at+3]) + 1)
				whole[at] = true
			}
			for n := range len(p.Payload) {
				if _, err := d.RTCP(p.Payload[:n], 8000); (err == nil) != whole[n] {
					t.Fatalf("%s frame %d cut at %d: %v", name, p.Frame, n, err)
				}
			}
		}
	}
}

// round is v with the given decimals, for comparison with published figures.
func round(v float64, decimals int) string { return strconv.FormatFloat(v, 'f', decimals, 64) }
