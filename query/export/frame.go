package export

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// The sizes of what carries a message, in bytes.
const (
	mtu = 1500 // of Ethernet; TCP segments fit into it
	// maxDatagram is what an IP packet has room for behind a UDP header: messages
	// over UDP are written whole, as a capture of fragments put together has them.
	maxDatagram  = 65535 - 40 - 8
	maxDataChunk = 65535 - 40 - 12 - 16 // likewise in an SCTP DATA chunk
)

// The Ethernet addresses of every frame. They are locally administered: nobody
// reports the true ones, and files without Ethernet are not read everywhere.
var (
	senderMAC   = []byte{2, 0, 0, 0, 0, 1}
	receiverMAC = []byte{2, 0, 0, 0, 0, 2}
)

// direction is one direction of a connection or association.
type direction struct {
	protocol string
	src, dst netip.AddrPort
}

func (d direction) reverse() direction { return direction{d.protocol, d.dst, d.src} }

// framer makes frames of packets. It numbers what TCP and SCTP number, so that
// each direction is one stream without gaps. There is no handshake in it: the
// capture had none.
type framer struct {
	buf gopacket.SerializeBuffer
	// next is the next TCP sequence number or SCTP TSN of a direction, streams the
	// next SCTP stream sequence number.
	next    map[direction]uint32
	streams map[direction]uint16
	id      uint16 // IPv4 identification
}

func newFramer() *framer {
	return &framer{buf: gopacket.NewSerializeBuffer(), next: map[direction]uint32{}, streams: map[direction]uint16{}}
}

// room is how much of a message a packet of the protocol can hold; 0 is no bound.
func room(protocol string) int {
	return map[string]int{"udp": maxDatagram, "sctp": maxDataChunk}[protocol]
}

// frames gives each frame of the packet to emit, which must not keep it.
func (f *framer) frames(p *packet, emit func([]byte) error) error {
	d := direction{p.protocol, p.src, p.dst}
	switch p.protocol {
	case "tcp":
		return f.tcp(d, p.data, emit)
	case "sctp":
		return f.sctp(d, p.data, emit)
	}
	udp := &layers.UDP{SrcPort: layers.UDPPort(d.src.Port()), DstPort: layers.UDPPort(d.dst.Port())}
	ip := f.ip(d, layers.IPProtocolUDP)
	_ = udp.SetNetworkLayerForChecksum(ip) // fails for other layers than IP
	return f.frame(emit, ip, udp, gopacket.Payload(p.data))
}

// tcp writes a message as segments, the last one pushed.
func (f *framer) tcp(d direction, data []byte, emit func([]byte) error) error {
	mss := mtu - 20 - 20
	if !d.src.Addr().Is4() {
		mss -= 20
	}
	for len(data) > 0 {
		n := min(mss, len(data))
		ip := f.ip(d, layers.IPProtocolTCP)
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(d.src.Port()), DstPort: layers.TCPPort(d.dst.Port()),
			Seq: f.number(d), Ack: f.number(d.reverse()), ACK: true, PSH: n == len(data), Window: 65535,
		}
		_ = tcp.SetNetworkLayerForChecksum(ip)
		if err := f.frame(emit, ip, tcp, gopacket.Payload(data[:n])); err != nil {
			return err
		}
		f.next[d] += uint32(n)
		data = data[n:]
	}
	return nil
}

// sctp writes a message as one unfragmented DATA chunk on stream 0 (RFC 9260
// section 3.3.1) with the payload protocol 0 that SIP has (RFC 4168).
func (f *framer) sctp(d direction, data []byte, emit func([]byte) error) error {
	const header, first, last = 16, 2, 1
	chunk := make([]byte, (header+len(data)+3)&^3)
	chunk[1] = first | last
	binary.BigEndian.PutUint16(chunk[2:], uint16(header+len(data)))
	binary.BigEndian.PutUint32(chunk[4:], f.number(d))
	binary.BigEndian.PutUint16(chunk[10:], f.streams[d])
	copy(chunk[header:], data)
	f.next[d]++
	f.streams[d]++
	ip := f.ip(d, layers.IPProtocolSCTP)
	// The checksum is computed over what the buffer held in its place: it must be new.
	f.buf = gopacket.NewSerializeBuffer()
	sctp := &layers.SCTP{SrcPort: layers.SCTPPort(d.src.Port()), DstPort: layers.SCTPPort(d.dst.Port()), VerificationTag: beginning(d)}
	return f.frame(emit, ip, sctp, gopacket.Payload(chunk))
}

// number is the next number of a direction.
func (f *framer) number(d direction) uint32 {
	if _, ok := f.next[d]; !ok {
		f.next[d] = beginning(d)
	}
	return f.next[d]
}

// beginning is where a direction begins to count: not at the same number for
// all, and the same in every export.
func beginning(d direction) uint32 {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, d.protocol, d.src, d.dst)
	return h.Sum32() | 1
}

// ipLayer is an IP header of either version.
type ipLayer interface {
	gopacket.SerializableLayer
	gopacket.NetworkLayer
}

// ip makes the IP header. An unknown address is the unspecified one. Addresses
// of different versions, which no packet has, are both written as IPv6.
func (f *framer) ip(d direction, protocol layers.IPProtocol) ipLayer {
	src, dst := d.src.Addr(), d.dst.Addr()
	switch {
	case !src.IsValid() && !dst.IsValid():
		src, dst = netip.IPv4Unspecified(), netip.IPv4Unspecified()
	case !src.IsValid():
		src = unspecified(dst)
	case !dst.IsValid():
		dst = unspecified(src)
	}
	if src.Is4() && dst.Is4() {
		f.id++
		ip := &layers.IPv4{Version: 4, TTL: 64, Id: f.id, Protocol: protocol, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
		if protocol == layers.IPProtocolTCP {
			ip.Flags = layers.IPv4DontFragment
		}
		return ip
	}
	s, t := src.As16(), dst.As16()
	return &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: protocol, SrcIP: s[:], DstIP: t[:]}
}

func unspecified(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// frame puts the layers together below an Ethernet header.
func (f *framer) frame(emit func([]byte) error, ip ipLayer, rest ...gopacket.SerializableLayer) error {
	eth := &layers.Ethernet{SrcMAC: senderMAC, DstMAC: receiverMAC, EthernetType: layers.EthernetTypeIPv4}
	if ip.LayerType() == layers.LayerTypeIPv6 {
		eth.EthernetType = layers.EthernetTypeIPv6
	}
	all := append([]gopacket.SerializableLayer{eth, ip}, rest...)
	if err := gopacket.SerializeLayers(f.buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		return fmt.Errorf("make frame: %w", err)
	}
	return emit(f.buf.Bytes())
}
