package listen

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
)

// inner gives the IP packets in the frames of a capture, without the outer
// header where they are in a tunnel already, and their payloads.
func inner(t *testing.T, path string) (packets, payloads [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			return packets, payloads
		}
		pkt := gopacket.NewPacket(data, r.LinkType(), gopacket.Default)
		var last *layers.IPv4
		for _, l := range pkt.Layers() {
			if ip, ok := l.(*layers.IPv4); ok {
				last = ip
			}
		}
		if last == nil || pkt.TransportLayer() == nil {
			continue
		}
		packets = append(packets, slices.Concat(last.Contents, last.Payload))
		payloads = append(payloads, pkt.TransportLayer().LayerPayload())
	}
}

func decoded(t *testing.T, p Packet) *hep.Packet {
	t.Helper()
	var d hep.Decoder
	out := &hep.Packet{}
	if err := d.Decode(out, p.Data); err != nil {
		t.Fatal(err)
	}
	return out
}

// permitted skips the test where raw sockets are not.
func permitted(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("raw sockets are not permitted here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mirror(t *testing.T, packets ...[]byte) {
	t.Helper()
	conn, err := net.Dial("ip4:4", "127.0.0.1")
	permitted(t, err)
	defer func() { _ = conn.Close() }()
	for _, p := range packets {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIPIPMirror(t *testing.T) {
	sink := &collector{}
	l, err := ListenIPIP(t.Context(), "127.0.0.1", sink)
	permitted(t, err)
	l.Start()
	packets, payloads := inner(t, captures.Path("rtpengine-kamailio-hep3-udp-call-with-rtcp-a.sip-rtcp.pcap"))
	// SIP and RTCP, and other things that are no message.
	mirror(t, packets...)
	mirror(t, []byte{0x45}, []byte("no IP at all, but long enough to be some"))
	var want [][]byte
	for _, p := range payloads {
		if isSIPorRTCP(p) {
			want = append(want, p)
		}
	}
	if len(want) < 30 {
		t.Fatalf("only %d messages in the capture", len(want))
	}
	sink.wait(t, len(want))
	for deadline := time.Now().Add(10 * time.Second); l.Stats().Frames < uint64(len(packets)+2) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	got := sink.wait(t, len(want))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	host, _ := os.Hostname()
	for i, g := range got {
		p := decoded(t, g)
		if !bytes.Equal(p.Payload, want[i]) || p.Src != netip.MustParseAddr("10.99.0.1") || p.SrcPort == 0 || string(p.NodeName) != host {
			t.Fatalf("packet %d: %+v", i, p)
		}
		if g.From != netip.MustParseAddrPort("127.0.0.1:0") || g.Fault != "" {
			t.Errorf("from %v, fault %q", g.From, g.Fault)
		}
	}
	s := l.Stats()
	if s.Frames != uint64(len(packets)+2) || s.SIP+s.RTCP != uint64(len(want)) || s.Other != 2 || s.HEP+s.Ignored != uint64(len(packets)-len(want)) {
		t.Errorf("%s does not add up to %d packets and 2 broken ones", s, len(packets))
	}
}

func isSIPorRTCP(b []byte) bool {
	return len(b) > 8 && (bytes.Contains(b, []byte("SIP/2.0\r\n")) || bytes.HasPrefix(b, []byte("SIP/2.0 ")) || b[0]>>6 == 2) && !bytes.HasPrefix(b, []byte("HEP3"))
}

// The mirror of an SBC as published: SIP over TCP, begun in the middle of a
// connection, half of it IP in IP on the wire.
func TestIPIPMirrorOfAnSBC(t *testing.T) {
	path := captures.Public(t, "sngrep-tests-ipip.sip.pcap")
	sink := &collector{}
	l, err := ListenIPIP(t.Context(), "127.0.0.1", sink)
	permitted(t, err)
	l.Start()
	packets, payloads := inner(t, path)
	mirror(t, packets...)
	got := sink.wait(t, len(payloads))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var methods []string
	for i, g := range got {
		p := decoded(t, g)
		if !bytes.Equal(p.Payload, payloads[i]) {
			t.Errorf("packet %d differs", i)
		}
		methods = append(methods, string(bytes.Fields(p.Payload)[0]))
	}
	if s := strings.Join(methods, " "); s != "INVITE SIP/2.0 SIP/2.0 BYE" {
		t.Errorf("%s", s)
	}
}

// A message larger than HEP can hold, put together from a stream, is a fault
// that is counted, not silence.
func TestTooLargeForHEPIsAFault(t *testing.T) {
	sink := &collector{}
	l, err := ListenIPIP(t.Context(), "127.0.0.1", sink)
	permitted(t, err)
	l.Start()
	message := []byte("MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70000))
	const seq = 1000
	for at := 0; at < len(message); at += 30000 {
		end := min(at+30000, len(message))
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
		tcp := &layers.TCP{SrcPort: 5060, DstPort: 5060, Seq: seq + uint32(at), ACK: true}
		_ = tcp.SetNetworkLayerForChecksum(ip)
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp, gopacket.Payload(message[at:end])); err != nil {
			t.Fatal(err)
		}
		mirror(t, buf.Bytes())
	}
	got := sink.wait(t, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got[0].Fault != "too_large" || len(got[0].Data) != 0 {
		t.Errorf("%+v", got[0])
	}
}

func TestIPIPAddresses(t *testing.T) {
	if _, err := ListenIPIP(t.Context(), "eth0", nil); err == nil || !strings.Contains(err.Error(), `"eth0" is no IP address`) {
		t.Errorf("error %v", err)
	}
	_, err := ListenIPIP(t.Context(), "192.0.2.77", nil)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("raw sockets are not permitted here")
	}
	if err == nil || !strings.Contains(err.Error(), "listen for IP-in-IP on 192.0.2.77") {
		t.Errorf("error %v", err)
	}
}

func TestSnifferFeedsTheSink(t *testing.T) {
	sink := &collector{}
	l, err := ListenInterface("lo", sink)
	permitted(t, err)
	l.Start()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// Other tests use loopback too: this one knows its own by the Call-ID.
	message := fmt.Appendf(nil, "OPTIONS sip:lo SIP/2.0\r\nCall-ID: sniffed-%d-%s\r\n\r\n", os.Getpid(), conn.LocalAddr())
	if _, err := conn.WriteTo(message, conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	ours := func() (n int) {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		for _, g := range sink.got {
			if bytes.Contains(g.Data, message) {
				n++
				if g.From.Addr() != netip.MustParseAddr("127.0.0.1") {
					t.Errorf("from %v", g.From)
				}
				if p := decoded(t, g); p.SrcPort != conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() || p.Time == 0 {
					t.Errorf("%+v", p)
				}
			}
		}
		return n
	}
	for deadline := time.Now().Add(10 * time.Second); ours() == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := ours(); n != 1 {
		t.Errorf("captured %d times", n)
	}
}

func TestSnifferNamesWhatItLacks(t *testing.T) {
	if _, err := ListenInterface("no-such0", nil); err == nil || !strings.Contains(err.Error(), "no-such0") {
		t.Errorf("error %v", err)
	}
}
