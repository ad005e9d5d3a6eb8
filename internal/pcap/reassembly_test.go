package pcap_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// fragments4 cuts an IPv4 packet into fragments of n bytes (a multiple of 8).
func fragments4(t testing.TB, packet []byte, id uint16, n int) (out [][]byte) {
	body := packet[20:]
	for at := 0; at < len(body); at += n {
		ip := ip4(layers.IPProtocolUDP)
		ip.Id, ip.FragOffset = id, uint16(at/8)
		end := min(at+n, len(body))
		if end < len(body) {
			ip.Flags = layers.IPv4MoreFragments
		}
		out = append(out, serialize(t, ip, gopacket.Payload(body[at:end])))
	}
	return out
}

func fragments6(t testing.TB, packet []byte, id uint32, n int) (out [][]byte) {
	body := packet[40:]
	for at := 0; at < len(body); at += n {
		end := min(at+n, len(body))
		f := &layers.IPv6Fragment{NextHeader: layers.IPProtocolUDP, FragmentOffset: uint16(at / 8), MoreFragments: end < len(body), Identification: id}
		out = append(out, serialize(t, ip6(layers.IPProtocolIPv6Fragment), f, gopacket.Payload(body[at:end])))
	}
	return out
}

func TestFragments(t *testing.T) {
	sip := realSIP(t)
	for _, version := range []struct {
		name  string
		parts [][]byte
	}{
		{"ipv4", fragments4(t, udp4(t, sip), 7, 200)},
		{"ipv6", fragments6(t, udp6(t, sip), 7, 200)},
	} {
		parts := version.parts
		if len(parts) < 3 {
			t.Fatalf("%d fragments: nothing to test", len(parts))
		}
		last := len(parts) - 1
		swapped := slices.Clone(parts)
		swapped[0], swapped[last] = swapped[last], swapped[0]
		reversed := slices.Clone(parts)
		slices.Reverse(reversed)
		for _, c := range []struct {
			name   string
			frames [][]byte
			whole  int
		}{
			{"in order", parts, 1},
			{"swapped", swapped, 1},
			{"reversed", reversed, 1},
			{"one missing", parts[1:], 0},
			{"last missing", parts[:last], 0},
			{"in a tunnel", [][]byte{outer4(t, layers.IPProtocolIPv4, gopacket.Payload(parts[0]))}, 0},
		} {
			t.Run(version.name+" "+c.name, func(t *testing.T) {
				got, err := read(write(t, layers.LinkTypeRaw, framesOf(c.frames...)))
				if err != nil || len(got) != c.whole {
					t.Fatalf("%d payloads, want %d; %v", len(got), c.whole, err)
				}
				if c.whole == 1 && !bytes.Equal(got[0].Data, sip) {
					t.Errorf("%d bytes, want %d", len(got[0].Data), len(sip))
				}
			})
		}
	}
}

func TestOverlappingIPv6FragmentsAreNoDatagram(t *testing.T) {
	parts := fragments6(t, udp6(t, realSIP(t)), 9, 200)
	bad := slices.Clone(parts[1])
	bad[40+2], bad[40+3] = 0, 8|1 // offset 8, within the first
	if got, err := read(write(t, layers.LinkTypeRaw, framesOf(append([][]byte{parts[0], bad}, parts[1:]...)...))); err != nil || len(got) != 0 {
		t.Errorf("%d payloads, %v", len(got), err)
	}
}

// segment is a TCP segment from the client, or from the server.
func segment(t testing.TB, fromServer bool, seq uint32, flags string, payload []byte) []byte {
	ip := ip4(layers.IPProtocolTCP)
	tcp := &layers.TCP{SrcPort: layers.TCPPort(src4.Port()), DstPort: layers.TCPPort(dst4.Port()), Seq: seq, Window: 65535, ACK: true}
	if fromServer {
		ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
		tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
	}
	for _, f := range flags {
		switch f {
		case 'S':
			tcp.SYN = true
		case 'F':
			tcp.FIN = true
		case 'R':
			tcp.RST = true
		}
	}
	_ = tcp.SetNetworkLayerForChecksum(ip)
	return serialize(t, ip, tcp, gopacket.Payload(payload))
}

func TestSegments(t *testing.T) {
	sip := realSIP(t)
	a, b, c := sip[:100], sip[100:300], sip[300:]
	const isn = 1000
	s := func(seq int, payload []byte) []byte { return segment(t, false, isn+1+uint32(seq), "", payload) }
	syn := segment(t, false, isn, "S", nil)
	for _, tc := range []struct {
		name   string
		frames [][]byte
		want   []byte
		gap    bool
	}{
		{"in order", [][]byte{syn, s(0, a), s(100, b), s(300, c)}, sip, false},
		{"out of order", [][]byte{syn, s(300, c), s(100, b), s(0, a)}, sip, false},
		{"retransmitted", [][]byte{syn, s(0, a), s(0, a), s(100, b), s(0, a), s(100, b), s(300, c), s(300, c)}, sip, false},
		{"retransmitted in other cuts", [][]byte{syn, s(0, a), s(0, sip[:300]), s(300, c)}, sip, false},
		{"from the middle", [][]byte{s(0, a), s(100, b), s(300, c)}, sip, false},
		{"one lost", [][]byte{syn, s(0, a), s(300, c)}, append(slices.Clone(a), c...), true},
		{"sequence numbers wrap", [][]byte{
			segment(t, false, 0xffffffff-50, "S", nil), segment(t, false, 0xffffffff-49, "", a), segment(t, false, 50, "", sip[100:]),
		}, sip, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			payloads, err := read(write(t, layers.LinkTypeRaw, framesOf(tc.frames...)))
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			gap := false
			for _, p := range payloads {
				if p.Src != src4 || p.Dst != dst4 || p.Protocol != pcap.ProtocolTCP {
					t.Errorf("%v→%v", p.Src, p.Dst)
				}
				got = append(got, p.Data...)
				gap = gap || p.Gap
			}
			if !bytes.Equal(got, tc.want) || gap != tc.gap {
				t.Errorf("%d bytes, gap %v; want %d, %v", len(got), gap, len(tc.want), tc.gap)
			}
			if end := payloads[len(payloads)-1]; !end.End || len(end.Data) != 0 {
				t.Errorf("the last is %+v, not the end", end)
			}
		})
	}
}

func TestBothDirectionsAndTheEnd(t *testing.T) {
	frames := framesOf(
		segment(t, false, 1000, "S", nil), segment(t, true, 5000, "S", nil),
		segment(t, false, 1001, "", []byte("request")), segment(t, true, 5001, "", []byte("answer")),
		segment(t, false, 1008, "F", nil), segment(t, true, 5007, "F", nil), segment(t, false, 1009, "", nil),
		segment(t, true, 5007, "F", nil), // retransmitted
		// The same ports again: another connection.
		segment(t, false, 90000, "S", nil), segment(t, false, 90001, "", []byte("again")),
	)
	payloads, err := read(write(t, layers.LinkTypeRaw, frames))
	if err != nil {
		t.Fatal(err)
	}
	got := data(payloads)
	if len(got) != 3 || string(got[0].Data) != "request" || string(got[1].Data) != "answer" || string(got[2].Data) != "again" {
		t.Fatalf("%+v", got)
	}
	if got[1].Src != dst4 || got[1].Dst != src4 {
		t.Errorf("the answer is from %v to %v", got[1].Src, got[1].Dst)
	}
	if !got[1].Time.Equal(frames[3].at) {
		t.Errorf("the answer is of %v, want %v", got[1].Time, frames[3].at)
	}
}

// A segment that was lost holds its stream up for seconds of capture time, not
// to the end of the file.
func TestLostSegmentIsGivenUp(t *testing.T) {
	sip := realSIP(t)
	var got []byte
	w := pcap.NewWalker(func(p pcap.Payload) error {
		got = append(got, p.Data...)
		return nil
	})
	give := func(data []byte, at time.Time) {
		if err := w.Frame(data, layers.LinkTypeRaw, gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: len(data)}); err != nil {
			t.Fatal(err)
		}
	}
	give(segment(t, false, 1000, "S", nil), clock)
	give(segment(t, false, 1101, "", sip), clock)
	if len(got) != 0 {
		t.Fatal("given out before the segment before it")
	}
	w.Sweep(clock.Add(10 * time.Second))
	if !bytes.Equal(got, sip) {
		t.Errorf("%d bytes after ten seconds, want %d", len(got), len(sip))
	}
}

func TestStatsCountWhatIsNothing(t *testing.T) {
	w := pcap.NewWalker(func(pcap.Payload) error { return nil })
	frames := [][]byte{
		ether(t, layers.EthernetTypeIPv4, udp4(t, realSIP(t))),
		ether(t, layers.EthernetTypeARP, make([]byte, 28)),
		ether(t, layers.EthernetTypeIPv4, serialize(t, ip4(layers.IPProtocolICMPv4), gopacket.Payload(make([]byte, 16)))),
		{1, 2, 3},
		nil,
		ether(t, layers.EthernetTypeIPv4, fragments4(t, udp4(t, realSIP(t)), 1, 200)[0]),
	}
	for _, f := range frames {
		if err := w.Frame(f, layers.LinkTypeEthernet, gopacket.CaptureInfo{Timestamp: clock, CaptureLength: len(f), Length: len(f)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := w.Stats(), (pcap.Stats{Frames: 6, Other: 4, Fragments: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func FuzzWalker(f *testing.F) {
	sip := realSIP(f)
	f.Add(uint8(layers.LinkTypeEthernet), ether(f, layers.EthernetTypeIPv4, udp4(f, sip)))
	f.Add(uint8(layers.LinkTypeEthernet), tagged(f, 1, 2)(udp4(f, sip)))
	f.Add(uint8(layers.LinkTypeRaw), udp6(f, sip))
	f.Add(uint8(layers.LinkTypeRaw), fragments6(f, udp6(f, sip), 1, 200)[0])
	f.Add(uint8(layers.LinkTypeRaw), segment(f, false, 1, "", sip))
	f.Add(uint8(layers.LinkTypeRaw), outer4(f, layers.IPProtocolGRE, &layers.GRE{Protocol: layers.EthernetTypeIPv4}, gopacket.Payload(udp4(f, sip))))
	for _, p := range captures.Read(f, captures.Path("kamailio-hep3-sip-tcp-a.sip.pcap"))[:3] {
		f.Add(uint8(layers.LinkTypeRaw), segment(f, false, 1, "", p.Payload))
	}
	f.Fuzz(func(t *testing.T, link uint8, frame []byte) {
		w := pcap.NewWalker(func(p pcap.Payload) error {
			if !p.End && (len(p.Data) == 0 || !p.Src.IsValid() || !p.Dst.IsValid()) {
				t.Errorf("%+v", p)
			}
			return nil
		})
		for i := range 2 {
			at := clock.Add(time.Duration(i) * 3 * time.Second)
			if err := w.Frame(frame, layers.LinkType(link), gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	})
}
