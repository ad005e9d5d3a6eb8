package agent

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// gathered is what an extractor gave, decoded from the HEP made of it.
type gathered struct {
	packets []hep.Packet
}

func (g *gathered) options(o Options) Options {
	o.Packet = func(p *hep.Packet) error {
		var d hep.Decoder
		var out hep.Packet
		if err := d.Decode(&out, hep.Append(nil, p)); err != nil {
			return err
		}
		g.packets = append(g.packets, out)
		return nil
	}
	return o
}

// extract takes a capture file through an extractor.
func extract(t testing.TB, path string, o Options) (*gathered, Counts) {
	t.Helper()
	g := &gathered{}
	x := NewExtractor(g.options(o))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := pcap.Read(f, x.Payload); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	return g, x.Counts()
}

// Every SIP message that Wireshark sees on the wire, with its addresses and time.
func TestSIPIsWhatWiresharkSees(t *testing.T) {
	compared := 0
	for _, name := range captures.Names(t, "*.sip") {
		g, counts := extract(t, captures.Path(name+".pcap"), Options{Node: "n", CaptureID: 7, Key: "k"})
		var want int
		times := map[string]bool{}
		for _, tr := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
			want += len(tr["sip.Method"]) + len(tr["sip.Status-Code"])
			seconds, fraction, _ := strings.Cut(tr.First("frame.time_epoch"), ".")
			times[seconds+fraction[:6]] = true
		}
		if len(g.packets) != want || counts.SIP != uint64(want) {
			t.Errorf("%s: %d messages, want %d", name, len(g.packets), want)
			continue
		}
		for _, p := range g.packets {
			if p.Type != hep.TypeSIP || string(p.NodeName) != "n" || p.CaptureID != 7 || string(p.AuthKey) != "k" || !p.Src.IsValid() || p.DstPort == 0 {
				t.Fatalf("%s: %+v", name, p)
			}
			if !times[strconv.FormatInt(p.Time, 10)] {
				t.Errorf("%s: a message of %d, when Wireshark saw none", name, p.Time)
			}
			if n, whole := sip.MessageLength(p.Payload); !whole || n != len(p.Payload) {
				t.Errorf("%s: a message of %d bytes in %d", name, n, len(p.Payload))
			}
		}
		compared += want
	}
	if compared < 1000 {
		t.Errorf("only %d messages compared", compared)
	}
}

func TestRTCPNamesItsCall(t *testing.T) {
	for _, name := range captures.Names(t, "*.sip-rtcp") {
		g, counts := extract(t, captures.Path(name+".pcap"), Options{Correlate: true, RTCPAsJSON: true})
		if counts.RTCP == 0 {
			t.Fatalf("%s: no RTCP", name)
		}
		calls := map[string]bool{}
		scanner, message := sip.NewScanner(sip.Options{}), sip.Message{}
		linked := 0
		for _, p := range g.packets {
			switch p.Type {
			case hep.TypeSIP:
				if scanner.Scan(&message, p.Payload) && message.SDP.Has {
					calls[string(message.CallID)] = true
				}
				if len(p.CorrelationID) > 0 {
					t.Errorf("%s: a correlation id %q on SIP, which names its call itself", name, p.CorrelationID)
				}
			case hep.TypeRTCP:
				if len(p.CorrelationID) > 0 {
					linked++
					if !calls[string(p.CorrelationID)] {
						t.Errorf("%s: RTCP of the unknown call %q", name, p.CorrelationID)
					}
				}
			}
		}
		if linked != int(counts.RTCP) {
			t.Errorf("%s: %d of %d RTCP packets name their call", name, linked, counts.RTCP)
		}
	}
}

var (
	alice = netip.MustParseAddrPort("192.0.2.1:5060")
	bob   = netip.MustParseAddrPort("192.0.2.2:5060")
	began = time.Unix(1_700_000_000, 0)
)

func udp(data []byte) pcap.Payload {
	return pcap.Payload{Time: began, Protocol: pcap.ProtocolUDP, Src: alice, Dst: bob, Data: data}
}

func tcp(data []byte) pcap.Payload {
	return pcap.Payload{Time: began, Protocol: pcap.ProtocolTCP, Src: alice, Dst: bob, Data: data}
}

// messages are two real messages, the first with a body.
func messages(t testing.TB) (invite, ok []byte) {
	t.Helper()
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap")) {
		if invite == nil && bytes.HasPrefix(p.Payload, []byte("INVITE")) {
			invite = p.Payload
		}
		if ok == nil && bytes.HasPrefix(p.Payload, []byte("SIP/2.0 200")) {
			ok = p.Payload
		}
	}
	return invite, ok
}

func TestWhatIsLookedAt(t *testing.T) {
	invite, _ := messages(t)
	rtcp := rtcpOf(t)[0]
	hep3 := hep.Append(nil, &hep.Packet{Type: hep.TypeSIP, Payload: invite})
	broken := hep3[:40]
	for _, c := range []struct {
		name    string
		o       Options
		own     []netip.AddrPort
		payload []byte
		want    Counts
	}{
		{"SIP", Options{}, nil, invite, Counts{SIP: 1}},
		{"SIP on a port asked for", Options{Ports: []uint16{5060}}, nil, invite, Counts{SIP: 1}},
		{"SIP on another", Options{Ports: []uint16{5080}}, nil, invite, Counts{Filtered: 1}},
		{"RTCP on any port", Options{Ports: []uint16{5080}}, nil, rtcp, Counts{RTCP: 1}},
		{"filtered out", Options{Filter: func(*pcap.Payload) bool { return false }}, nil, invite, Counts{Filtered: 1}},
		{"to the collector", Options{}, []netip.AddrPort{bob}, invite, Counts{Own: 1}},
		{"from the collector", Options{}, []netip.AddrPort{alice}, invite, Counts{Own: 1}},
		{"HEP", Options{}, nil, hep3, Counts{HEP: 1}},
		{"broken HEP", Options{}, nil, broken, Counts{HEP: 1}},
		{"DNS", Options{}, nil, []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03sip\x00"), Counts{Ignored: 1}},
		{"keep-alive", Options{}, nil, []byte("\r\n\r\n"), Counts{Ignored: 1}},
		{"one byte", Options{RTP: true}, nil, []byte{1}, Counts{Ignored: 1}},
	} {
		g := &gathered{}
		x := NewExtractor(g.options(c.o))
		if c.own != nil {
			x.SetOwn(c.own)
		}
		if err := x.Payload(udp(c.payload)); err != nil {
			t.Fatal(err)
		}
		if got := x.Counts(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if n := int(c.want.SIP + c.want.RTCP); len(g.packets) != n {
			t.Errorf("%s: %d packets, want %d", c.name, len(g.packets), n)
		}
	}
}

func TestRTPIsHeadersOfStreams(t *testing.T) {
	packet := func(seq uint16, ssrc byte, flags byte, tail ...byte) []byte {
		return append([]byte{0x80 | flags, 8, byte(seq >> 8), byte(seq), 0, 0, 0, 160, 0, 0, 0, ssrc}, tail...)
	}
	voice := bytes.Repeat([]byte{0xd5}, 160)
	g := &gathered{}
	x := NewExtractor(g.options(Options{RTP: true}))
	give := func(b []byte) {
		if err := x.Payload(udp(b)); err != nil {
			t.Fatal(err)
		}
	}
	give(packet(10, 1, 0, voice...))
	give(packet(500, 2, 0, voice...)) // looks like it, once
	if len(g.packets) != 0 {
		t.Fatal("a single datagram is taken for RTP")
	}
	give(packet(11, 1, 0, voice...))
	padded := packet(12, 1, 0x20, append(slices.Clone(voice), 0, 0, 0, 4)...)
	give(padded)
	extended := packet(14, 1, 0x10, append([]byte{0xbe, 0xde, 0, 1, 1, 2, 3, 4}, voice...)...) // 13 is lost
	give(extended)
	give(packet(777, 2, 0, voice...))
	if n := x.Counts().RTP; len(g.packets) != 4 || n != 4 {
		t.Fatalf("%d packets, counted %d", len(g.packets), n)
	}
	for i, seq := range []uint16{10, 11, 12, 14} {
		p := g.packets[i]
		h, ok := media.RTPHeader(p.Payload)
		if !ok || h.Sequence != seq || h.SSRC != 1 || len(h.Payload) != 0 || bytes.Contains(p.Payload, voice[:4]) || p.Type != hep.TypeRTP {
			t.Errorf("packet %d: %x", i, p.Payload)
		}
	}
	if !bytes.Contains(g.packets[3].Payload, []byte{0xbe, 0xde}) {
		t.Error("the header's extension is gone")
	}
}

func TestErrorsEndTheExtraction(t *testing.T) {
	stop := errors.New("stop")
	invite, _ := messages(t)
	x := NewExtractor(Options{Packet: func(*hep.Packet) error { return stop }})
	if err := x.Payload(udp(invite)); !errors.Is(err, stop) {
		t.Errorf("datagram: %v", err)
	}
	if err := x.Payload(tcp(invite)); !errors.Is(err, stop) {
		t.Errorf("stream: %v", err)
	}
}
