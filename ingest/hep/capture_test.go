package hep

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
)

// message is one HEP message of a capture and the frame that completed it.
type message struct {
	frame int
	bytes []byte
}

// messages returns the HEP messages of a capture file in the order of their
// last frame. TCP connections are split with FrameLength, as a listener does.
func messages(t testing.TB, path string) []message {
	t.Helper()
	var out []message
	streams := map[netip.AddrPort][]byte{}
	for _, p := range captures.Read(t, path) {
		if p.Transport == "udp" {
			out = append(out, message{p.Frame, p.Payload})
			continue
		}
		b := append(streams[p.Src], p.Payload...)
		for len(b) > 0 {
			n, err := FrameLength(b)
			if err != nil {
				t.Fatalf("%s frame %d: stream out of step: %v", path, p.Frame, err)
			}
			if n == 0 || n > len(b) {
				break
			}
			out = append(out, message{p.Frame, b[:n]})
			b = b[n:]
		}
		streams[p.Src] = b
	}
	for src, rest := range streams {
		if len(rest) > 0 {
			t.Errorf("%s: %d bytes of %s are no whole message", path, len(rest), src)
		}
	}
	return out
}

// hepCaptures lists the captures of HEP.
func hepCaptures(t testing.TB) []string { return captures.Names(t, "*-hep*") }

// notShown counts the messages that Wireshark does not show, because they
// shared a TCP segment with another.
var notShown = map[string]int{
	"kamailio-hep3-tcp-a":                          1,
	"rtpengine-kamailio-hep3-tcp-call-with-rtcp-a": 1,
}

// TestCapturesAgainstWireshark decodes every message that real senders sent and
// compares each field with Wireshark's decode, in both directions: a field that
// Wireshark has not must not be in the packet.
func TestCapturesAgainstWireshark(t *testing.T) {
	for _, name := range hepCaptures(t) {
		t.Run(name, func(t *testing.T) {
			compareWithWireshark(t, captures.Path(name+".pcap"), captures.Path(name+".truth.jsonl"), notShown[name])
		})
	}
}

// TestPublishedCapture does the same with a capture that others published.
func TestPublishedCapture(t *testing.T) {
	compareWithWireshark(t, captures.Public(t, "hep-wireshark-hep.pcap"),
		captures.Public(t, "hep-wireshark-hep.truth.jsonl"), 0)
}

func compareWithWireshark(t *testing.T, pcap, truthFile string, hidden int) {
	t.Helper()
	truths := map[int]captures.Truth{}
	for _, truth := range captures.ReadTruth(t, truthFile) {
		truths[truth.Frame()] = truth
	}
	var d Decoder
	var p Packet
	compared := 0
	for _, m := range messages(t, pcap) {
		if err := d.Decode(&p, m.bytes); err != nil {
			t.Errorf("frame %d: %v", m.frame, err)
			continue
		}
		want, ok := truths[m.frame]
		if !ok {
			hidden--
			continue
		}
		got, wantFields := wiresharkFields(&p, len(m.bytes), want), hepFields(want)
		if !maps.Equal(got, wantFields) {
			if hidden > 0 && got["hep3.hep_packet_size"] != wantFields["hep3.hep_packet_size"] {
				hidden-- // the other message of a shared segment
				continue
			}
			t.Errorf("frame %d differs:\n%s", m.frame, diff(got, wantFields))
		}
		checkStartLine(t, m.frame, &p, want)
		compared++
	}
	if compared != len(truths) {
		t.Errorf("compared %d messages, Wireshark has %d", compared, len(truths))
	}
	if hidden != 0 {
		t.Errorf("%d more messages than expected are not in Wireshark's decode", -hidden)
	}
}

// hepFields is what Wireshark decoded of the HEP layer.
func hepFields(truth captures.Truth) map[string]string {
	out := map[string]string{}
	for field := range truth {
		if strings.HasPrefix(field, "hep") {
			out[field] = truth.First(field)
		}
	}
	return out
}

// wiresharkFields says p in the words of Wireshark's dissector. truth tells
// only where the dissector is known to be wrong.
func wiresharkFields(p *Packet, size int, truth captures.Truth) map[string]string {
	prefix := p.Variant.String() + "."
	out := map[string]string{}
	set := func(field, value string) { out[prefix+field] = value }
	set("ip_family", map[uint8]string{FamilyIPv4: "IPv4", FamilyIPv6: "IPv6"}[p.Family])
	set("transport_layer_protocol", map[uint8]string{
		ProtocolUDP: "UDP", ProtocolTCP: "TCP",
		ProtocolTLS: "IPv4", // the dissector has no name for it
	}[p.Protocol])
	set("source_port", strconv.Itoa(int(p.SrcPort)))
	set("destination_port", strconv.Itoa(int(p.DstPort)))
	if p.Present(ChunkSeconds) {
		set("timestamp_unix", strconv.FormatInt(p.Time/1e6, 10))
		set("timestamp_microsec", strconv.FormatInt(p.Time%1e6, 10))
	}
	if p.Present(ChunkCaptureID) {
		set("capture_node_id", strconv.Itoa(int(p.CaptureIDRaw)))
	}
	if p.Variant != HEP3 {
		set("version", strconv.Itoa(int(p.Variant)))
		set("hep_packet_size", truth.First(prefix+"hep_packet_size"))
		set("source_ip_address", p.Src.String())
		set("destination_ip_address", p.Dst.String())
		if p.Family == FamilyIPv6 {
			// The dissector knows no IPv6 here; TestCapturesAgainstRawSIP does.
			for _, field := range []string{
				"ip_family", "source_ip_address", "destination_ip_address",
				"timestamp_unix", "timestamp_microsec", "capture_node_id",
			} {
				if v := truth.First(prefix + field); v != "" {
					set(field, v)
				}
			}
		}
		return out
	}
	set("version", "HEP3")
	set("hep_packet_size", strconv.Itoa(size))
	set("application_protocol", map[uint16]string{
		TypeSIP: "SIP", TypeRTCP: "JSON/RTCP", TypeVQRTCPXR: "MOS", TypeLog: "LOG",
	}[p.Type])
	if p.Src.Is4() {
		set("source_ipv4_address", p.Src.String())
		set("destination_ipv4_address", p.Dst.String())
	} else {
		set("source_ipv6_address", p.Src.String())
		set("destination_ipv6_address", p.Dst.String())
	}
	for _, c := range []struct {
		chunk uint16
		field string
		value string
	}{
		{ChunkAuthKey, "auth_key", string(p.AuthKey)},
		{ChunkNodeName, "node_name", string(p.NodeName)},
		{ChunkCorrelationID, "correlation_id", string(p.CorrelationID)},
		{ChunkVLAN, "vlan_id", strconv.Itoa(int(p.VLAN))},
		{ChunkMOS, "mos", strconv.Itoa(int(p.MOS))},
	} {
		if p.Present(c.chunk) {
			set(c.field, c.value)
		}
	}
	if p.Type != TypeSIP || truth.First("hep3.payload") != "" {
		// Wireshark shows text: up to the first NUL, in UTF-8.
		text, _, _ := bytes.Cut(p.Payload, []byte{0})
		set("payload", strings.ToValidUTF8(string(text), "\ufffd"))
	}
	return out
}

// checkStartLine compares the beginning of a SIP payload with Wireshark's.
func checkStartLine(t *testing.T, frame int, p *Packet, truth captures.Truth) {
	t.Helper()
	line := truth.First("sip.Request-Line")
	if line == "" {
		line = truth.First("sip.Status-Line")
	}
	if line == "" {
		return
	}
	// Cut at the line's end, and at what JSON cannot hold.
	got, _, _ := bytes.Cut(p.Payload, []byte("\r\n"))
	if !strings.HasPrefix(string(got), strings.TrimRight(line, "\x00\ufffd")) {
		t.Errorf("frame %d: payload begins %q, want %q", frame, got, line)
	}
}

func diff(got, want map[string]string) string {
	var lines []string
	for k, v := range got {
		if w, ok := want[k]; !ok || w != v {
			lines = append(lines, "got  "+k+" "+strconv.Quote(v))
		}
	}
	for k, v := range want {
		if g, ok := got[k]; !ok || g != v {
			lines = append(lines, "want "+k+" "+strconv.Quote(v))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestCapturesAgainstRawSIP compares the packets with the SIP that was on the
// wire in the same run: an independent truth, and the only one for the
// addresses, times and payloads of versions 1 and 2 over IPv6. Each HEP message
// must match one raw packet, byte for byte.
func TestCapturesAgainstRawSIP(t *testing.T) {
	for _, name := range []string{
		"kamailio-hep1-sip-ipv6-a", "kamailio-hep1-udp-a", "kamailio-hep2-sip-ipv6-a",
		"kamailio-hep2-udp-a", "kamailio-hep3-over-ipv4-sip-ipv6-a", "kamailio-hep3-over-ipv6-sip-ipv4-a",
		"kamailio-hep3-over-ipv6-sip-ipv6-a", "kamailio-hep3-tcp-a", "kamailio-hep3-udp-sip-calls-a",
		"kamailio-hep3-udp-sip-failures-a", "kamailio-hep3-udp-sip-loss-retransmissions-a",
		"kamailio-hep3-udp-sip-register-options-message-publish-a",
		"kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a",
	} {
		t.Run(name, func(t *testing.T) {
			type key struct {
				src, dst netip.AddrPort
				payload  string
			}
			raw := map[key][]time.Time{}
			total := 0
			for _, p := range captures.Read(t, captures.Path(name+".sip.pcap")) {
				k := key{p.Src, p.Dst, string(p.Payload)}
				raw[k] = append(raw[k], p.Time)
				total++
			}
			var d Decoder
			var p Packet
			for _, m := range messages(t, captures.Path(name+".pcap")) {
				if err := d.Decode(&p, m.bytes); err != nil {
					t.Errorf("frame %d: %v", m.frame, err)
					continue
				}
				k := key{netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort), string(p.Payload)}
				times := raw[k]
				if len(times) == 0 {
					t.Errorf("frame %d: %s to %s %.40q was not on the wire", m.frame, k.src, k.dst, p.Payload)
					continue
				}
				raw[k] = times[1:]
				total--
				if lag := time.UnixMicro(p.Time).Sub(times[0]); p.Variant != HEP1 && lag.Abs() > 100*time.Millisecond {
					t.Errorf("frame %d: time %d is %v off the wire's", m.frame, p.Time, lag)
				}
				if p.Variant == HEP2 && p.CaptureID != 2005 && p.CaptureID != 2009 {
					t.Errorf("frame %d: capture id %d", m.frame, p.CaptureID)
				}
			}
			if total != 0 {
				t.Errorf("%d packets of the wire were not reported", total)
			}
		})
	}
}

// TestCaptureQuirks checks that what is known to be odd about each sender is
// seen, and nothing else.
func TestCaptureQuirks(t *testing.T) {
	want := map[string]Quirk{
		"opensips-hep1-udp-a":                      QuirkPadding,
		"opensips-hep2-udp-a":                      QuirkPadding,
		"sngrep-hep2-udp-calls-a":                  QuirkHeaderLength,
		"sngrep-hep3-udp-b2bua-two-callids-xcid-a": QuirkCaptureIDShifted,
		"sngrep-hep3-udp-sip-ipv6-a":               QuirkCaptureIDShifted,
		"sngrep-hep3-udp-sip-tcp-a":                QuirkCaptureIDShifted,
	}
	ids := map[string]uint32{
		"sngrep-hep3-udp-b2bua-two-callids-xcid-a": 2002, "sngrep-hep3-udp-sip-ipv6-a": 12,
		"sngrep-hep3-udp-sip-tcp-a": 2002, "sngrep-hep2-udp-calls-a": 3,
		"opensips-hep2-udp-a": 300, "kamailio-hep2-sip-ipv6-a": 2009,
	}
	var d Decoder
	var p Packet
	for _, name := range hepCaptures(t) {
		var seen Quirk
		for _, m := range messages(t, captures.Path(name+".pcap")) {
			if err := d.Decode(&p, m.bytes); err != nil {
				t.Errorf("%s frame %d: %v", name, m.frame, err)
			}
			if id, ok := ids[name]; ok && p.CaptureID != id {
				t.Errorf("%s frame %d: capture id %d, want %d", name, m.frame, p.CaptureID, id)
			}
			if len(p.Extra) != 0 {
				t.Errorf("%s frame %d: unexpected chunks %v", name, m.frame, p.Extra)
			}
			seen |= p.Quirks
		}
		if seen != want[name] {
			t.Errorf("%s: quirks %q, want %q", name, seen, want[name])
		}
	}
}

// TestXlogWithoutPayload: OpenSIPS wraps an xlog line in versions 1 and 2 as a
// message of 8 NULs.
func TestXlogWithoutPayload(t *testing.T) {
	for _, name := range []string{"opensips-hep1-udp-a", "opensips-hep2-udp-a"} {
		var d Decoder
		var p Packet
		empty := 0
		for _, m := range messages(t, captures.Path(name+".pcap")) {
			if err := d.Decode(&p, m.bytes); err != nil {
				t.Fatal(err)
			}
			if len(p.Payload) == 0 {
				empty++
			} else if p.Payload[len(p.Payload)-1] == 0 {
				t.Errorf("%s frame %d: payload keeps its padding", name, m.frame)
			}
		}
		if empty != 1 {
			t.Errorf("%s: %d empty payloads, want 1", name, empty)
		}
	}
}
