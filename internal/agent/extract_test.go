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

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/media"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// gathered is what an extractor gave, decoded from the HEP made of it.
type gathered struct {
	packets []hep.Packet
	hep     [][]byte
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

func TestMessagesOfAStream(t *testing.T) {
	invite, ok := messages(t)
	both := slices.Concat(invite, ok)
	hep3 := hep.Append(nil, &hep.Packet{Type: hep.TypeSIP, Payload: ok})
	for _, c := range []struct {
		name   string
		pieces [][]byte
		want   [][]byte
	}{
		{"one a piece", [][]byte{invite, ok}, [][]byte{invite, ok}},
		{"both in one piece", [][]byte{both}, [][]byte{invite, ok}},
		{"keep-alives between", [][]byte{[]byte("\r\n\r\n"), invite, []byte("\r\n"), []byte("\r\n\r\n"), ok}, [][]byte{invite, ok}},
		{"cut within the start line", [][]byte{both[:3], both[3:20], both[20:]}, [][]byte{invite, ok}},
		{"cut in the second start line", [][]byte{both[:len(invite)+2], both[len(invite)+2:]}, [][]byte{invite, ok}},
		{"begun in the middle", [][]byte{invite[100:], ok}, [][]byte{ok}},
		{"HEP, whose SIP is not captured again", [][]byte{hep3[:30], hep3[30:], hep3}, nil},
		{"HTTP, whose SIP was never on the wire", [][]byte{[]byte("POST / HTTP/1.1\r\n\r\n"), invite, ok}, nil},
		{"a database's", [][]byte{make([]byte, 40<<10), invite, ok}, nil},
		{"TLS", [][]byte{{0x16, 3, 1, 0, 5}, invite}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &gathered{}
			x := NewExtractor(g.options(Options{}))
			for _, piece := range c.pieces {
				if err := x.Payload(tcp(piece)); err != nil {
					t.Fatal(err)
				}
			}
			end := tcp(nil)
			end.End = true
			if err := x.Payload(end); err != nil {
				t.Fatal(err)
			}
			var got [][]byte
			for _, p := range g.packets {
				got = append(got, p.Payload)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("%d messages %q, want %d", len(got), got, len(c.want))
			}
			if n := x.streams.held; n != 0 {
				t.Errorf("%d bytes counted as held at the end", n)
			}
		})
	}
}

func TestStreamCutAnywhere(t *testing.T) {
	invite, ok := messages(t)
	both := slices.Concat(invite, ok)
	for at := 1; at < len(both); at++ {
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		if err := errors.Join(x.Payload(tcp(both[:at])), x.Payload(tcp(both[at:]))); err != nil {
			t.Fatal(err)
		}
		if len(g.packets) != 2 || !bytes.Equal(g.packets[0].Payload, invite) || !bytes.Equal(g.packets[1].Payload, ok) {
			t.Fatalf("cut at %d: %d messages", at, len(g.packets))
		}
	}
}

// What a capture cut is given as it is: at a gap, at the connection's end, and
// at the capture's.
func TestCutMessageIsSeen(t *testing.T) {
	invite, ok := messages(t)
	half := invite[:len(invite)-50]
	for name, after := range map[string]func(*Extractor) error{
		"gap":   func(x *Extractor) error { p := tcp(ok); p.Gap = true; return x.Payload(p) },
		"end":   func(x *Extractor) error { p := tcp(nil); p.End = true; return x.Payload(p) },
		"flush": (*Extractor).Flush,
	} {
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		if err := errors.Join(x.Payload(tcp(half)), after(x)); err != nil {
			t.Fatal(err)
		}
		if len(g.packets) == 0 || !bytes.Equal(g.packets[0].Payload, half) {
			t.Errorf("%s: the cut message is not given out", name)
		}
		if name == "gap" && (len(g.packets) != 2 || !bytes.Equal(g.packets[1].Payload, ok)) {
			t.Errorf("gap: %d messages", len(g.packets))
		}
	}
}

func TestHeldBytesAreBounded(t *testing.T) {
	g := &gathered{}
	x := NewExtractor(g.options(Options{}))
	invite, ok := messages(t)
	endless := bytes.Replace(invite, []byte("Content-Length:"), []byte("Content-Length: 99999999\r\nX:"), 1)
	if err := x.Payload(tcp(endless)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := x.Payload(tcp(make([]byte, 64<<10))); err != nil {
			t.Fatal(err)
		}
		if x.streams.held > maxMessage {
			t.Fatalf("%d bytes held", x.streams.held)
		}
	}
	// Others do not suffer.
	p := tcp(ok)
	p.Src = bob
	if err := x.Payload(p); err != nil || len(g.packets) != 1 {
		t.Errorf("%d packets, %v", len(g.packets), err)
	}
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

func TestFilters(t *testing.T) {
	p := udp([]byte("x"))
	p.Dst, p.VLAN = netip.MustParseAddrPort("198.51.100.7:5080"), 42
	for expr, want := range map[string]bool{
		"port 5060":                 true,
		"src port 5060":             true,
		"dst port 5060":             false,
		"udp port 5080":             true,
		"tcp port 5080":             false,
		"portrange 5070-5090":       true,
		"dst portrange 1-5079":      false,
		"host 192.0.2.1":            true,
		"dst host 192.0.2.1":        false,
		"net 198.51.100.0/24":       true,
		"src net 198.51.100.0/24":   false,
		"vlan 42 and ip":            true,
		"vlan":                      true,
		"vlan 7":                    false,
		"ip6 or sctp":               false,
		"not host 10.0.0.1":         true,
		"!(port 5060 || port 5080)": false,
		"port 1 or port 5060 and not host 10.9.9.9": true,
		"(port 1 or port 5060) and dst port 1":      false,
		"not port 5060 or udp":                      true,
		"host 2001:db8::1":                          false,
	} {
		f, err := ParseFilter(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
		} else if got := f(&p); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
	for expr, want := range map[string]string{
		"":                   "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"port":               "expected a port at the end",
		"port sip":           `expected a port, not "sip"`,
		"port 70000":         `expected a port, not "70000"`,
		"portrange 9-1":      `expected ports such as 5060-5080, not "9-1"`,
		"host example.org":   `expected an IP address, not "example.org"`,
		"net 10.0.0.0":       `expected a network such as 10.0.0.0/8, not "10.0.0.0"`,
		"(port 1":            "expected ) at the end",
		"port 1 port 2":      `expected and, or, or the end, not "port"`,
		"port 1 and":         "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"greater 100":        `expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan, not "greater"`,
		"not not":            "expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan at the end",
		"src tcp":            `expected host, net, port, portrange, tcp, udp, sctp, ip, ip6 or vlan, not "tcp"`,
		"ip proto 17":        `expected and, or, or the end, not "proto"`,
		"port 5060 ) or udp": `expected and, or, or the end, not ")"`,
	} {
		if _, err := ParseFilter(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", expr, err, want)
		}
	}
}

// Whatever a stream brings, in whatever pieces, what is held stays bounded and
// counted, and every message that is given out is one.
func FuzzStream(f *testing.F) {
	invite, ok := messages(f)
	f.Add(slices.Concat(invite, ok), uint16(100), false)
	f.Add(slices.Concat([]byte("\r\n\r\n"), ok, hep.Append(nil, &hep.Packet{Payload: ok})), uint16(7), true)
	f.Add([]byte("POST / HTTP/1.1\r\n\r\n"), uint16(3), false)
	f.Fuzz(func(t *testing.T, data []byte, piece uint16, gap bool) {
		x := NewExtractor(Options{Correlate: true, RTP: true, RTCPAsJSON: true, Packet: func(p *hep.Packet) error {
			if p.Type == hep.TypeSIP && !sip.LooksLikeSIP(p.Payload) || len(p.Payload) == 0 {
				t.Errorf("%+v", p)
			}
			return nil
		}})
		if err := x.Payload(udp(data)); err != nil {
			t.Fatal(err)
		}
		for len(data) > 0 {
			n := min(int(piece)+1, len(data))
			p := tcp(data[:n])
			p.Gap = gap
			if err := x.Payload(p); err != nil {
				t.Fatal(err)
			}
			data = data[n:]
			held := 0
			for _, s := range x.streams.open {
				held += len(s.held)
			}
			if held != x.streams.held {
				t.Fatalf("%d bytes held, counted %d", held, x.streams.held)
			}
		}
		if err := x.Flush(); err != nil || x.streams.held != 0 {
			t.Errorf("%d bytes held at the end, %v", x.streams.held, err)
		}
	})
}

// A datagram on its way from the frame to HEP costs no memory, of whatever kind.
func TestDatagramsAllocateNothing(t *testing.T) {
	invite, _ := messages(t)
	for name, payload := range map[string][]byte{"SIP": invite, "RTCP": rtcpOf(t)[0], "something else": make([]byte, 200)} {
		var buf []byte
		x := NewExtractor(Options{Node: "n", RTCPAsJSON: true, Packet: func(p *hep.Packet) error {
			buf = hep.Append(buf[:0], p)
			return nil
		}})
		w := pcap.NewWalker(x.Payload)
		frame := frameOf(t, true, false, false, payload)
		info := gopacket.CaptureInfo{Timestamp: began, CaptureLength: len(frame), Length: len(frame)}
		give := func() {
			if err := w.Frame(frame, layers.LinkTypeEthernet, info); err != nil {
				t.Fatal(err)
			}
		}
		give() // buffers grow once
		allowed := 0.0
		if name == "RTCP" {
			allowed = 3 // the quoted name of who reports
		}
		if n := testing.AllocsPerRun(100, give); n > allowed {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	invite, _ := messages(b)
	rtp := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...)
	for name, payload := range map[string][]byte{"sip": invite, "rtcp": rtcpOf(b)[0], "rtp-ignored": rtp} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			x := NewExtractor(Options{Node: "n", Packet: func(p *hep.Packet) error {
				buf = hep.Append(buf[:0], p)
				return nil
			}})
			w := pcap.NewWalker(x.Payload)
			frame := frameOf(b, true, false, false, payload)
			info := gopacket.CaptureInfo{Timestamp: began, CaptureLength: len(frame), Length: len(frame)}
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				if err := w.Frame(frame, layers.LinkTypeEthernet, info); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
