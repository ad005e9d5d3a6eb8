package pcap_test

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// Frames made of the bytes of real captures, in every wrapping there is.

var (
	src4, dst4 = netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5062")
	src6, dst6 = netip.MustParseAddrPort("[2001:db8::1]:5060"), netip.MustParseAddrPort("[2001:db8::2]:5062")
	macA, macB = net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	clock      = time.Unix(1_700_000_000, 123_456_000).UTC()
)

// realSIP is the SIP of a capture, with a body that fills several fragments.
func realSIP(t testing.TB) []byte {
	t.Helper()
	var largest []byte
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap")) {
		if len(p.Payload) > len(largest) {
			largest = p.Payload
		}
	}
	return largest
}

func serialize(t testing.TB, parts ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, parts...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buf.Bytes())
}

func ip4(proto layers.IPProtocol) *layers.IPv4 {
	return &layers.IPv4{Version: 4, IHL: 5, TTL: 64, TOS: 0xb8, Protocol: proto, SrcIP: src4.Addr().AsSlice(), DstIP: dst4.Addr().AsSlice()}
}

func ip6(proto layers.IPProtocol) *layers.IPv6 {
	return &layers.IPv6{Version: 6, HopLimit: 64, TrafficClass: 0xb8, NextHeader: proto, SrcIP: src6.Addr().AsSlice(), DstIP: dst6.Addr().AsSlice()}
}

// udp4 and udp6 are IP packets that carry the payload.
func udp4(t testing.TB, payload []byte) []byte {
	ip := ip4(layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: layers.UDPPort(src4.Port()), DstPort: layers.UDPPort(dst4.Port())}
	_ = udp.SetNetworkLayerForChecksum(ip)
	return serialize(t, ip, udp, gopacket.Payload(payload))
}

func udp6(t testing.TB, payload []byte) []byte {
	ip := ip6(layers.IPProtocolUDP)
	udp := &layers.UDP{SrcPort: layers.UDPPort(src6.Port()), DstPort: layers.UDPPort(dst6.Port())}
	_ = udp.SetNetworkLayerForChecksum(ip)
	return serialize(t, ip, udp, gopacket.Payload(payload))
}

func ether(t testing.TB, typ layers.EthernetType, packet []byte) []byte {
	return serialize(t, &layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: typ}, gopacket.Payload(packet))
}

func tagged(t testing.TB, ids ...uint16) func(packet []byte) []byte {
	return func(packet []byte) []byte {
		parts := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: macA, DstMAC: macB, EthernetType: layers.EthernetTypeDot1Q}}
		for i, id := range ids {
			next := layers.EthernetTypeIPv4
			if i < len(ids)-1 {
				next = layers.EthernetTypeDot1Q
			}
			parts = append(parts, &layers.Dot1Q{VLANIdentifier: id, Type: next})
		}
		return serialize(t, append(parts, gopacket.Payload(packet))...)
	}
}

// outer4 puts a packet into another IPv4 packet, as mirrors do.
func outer4(t testing.TB, proto layers.IPProtocol, inner ...gopacket.SerializableLayer) []byte {
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: proto, SrcIP: net.IP{203, 0, 113, 1}, DstIP: net.IP{203, 0, 113, 2}}
	return serialize(t, append([]gopacket.SerializableLayer{ip}, inner...)...)
}

type frame struct {
	data []byte
	at   time.Time
}

func framesOf(datas ...[]byte) (out []frame) {
	for i, d := range datas {
		out = append(out, frame{d, clock.Add(time.Duration(i) * time.Millisecond)})
	}
	return out
}

// write makes a pcap file.
func write(t testing.TB, link layers.LinkType, frames []frame) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := pcapgo.NewWriterNanos(&buf)
	if err := w.WriteFileHeader(1<<18, link); err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: f.at, CaptureLength: len(f.data), Length: len(f.data)}, f.data); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func writeNG(t testing.TB, link layers.LinkType, frames []frame) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := pcapgo.NewNgWriter(&buf, link)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: f.at, CaptureLength: len(f.data), Length: len(f.data)}, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// read returns what is in a capture, copied.
func read(file []byte) (out []pcap.Payload, err error) {
	err = pcap.Read(bytes.NewReader(file), func(p pcap.Payload) error {
		p.Data = bytes.Clone(p.Data)
		out = append(out, p)
		return nil
	})
	return out, err
}

// data leaves the ends of connections out.
func data(payloads []pcap.Payload) (out []pcap.Payload) {
	for _, p := range payloads {
		if len(p.Data) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
