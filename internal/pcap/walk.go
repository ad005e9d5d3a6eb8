package pcap

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/reassembly"
)

// Bounds of what is kept between frames.
const (
	// segmentAge is how long a TCP segment waits for the ones before it, which
	// the capture may have missed.
	segmentAge = 2 * time.Second
	// connectionAge is how long a silent TCP connection is remembered.
	connectionAge = 10 * time.Minute
	// fragmentAge is how long a datagram may take to arrive in fragments
	// (RFC 8200 section 4.5 has 60 seconds; senders of SIP take none).
	fragmentAge = 30 * time.Second
	// pages of 1,900 bytes that wait for segments, of one connection and of all.
	maxPages, maxPagesTotal = 256, 16384
)

// Stats are a Walker's figures.
type Stats struct {
	// Frames counts the frames it was given.
	Frames uint64
	// Other counts those without UDP, TCP or SCTP in them, or broken ones.
	Other uint64
	// Fragments counts frames that were fragments of an IP datagram.
	Fragments uint64
}

// Walker takes captured frames apart. Its memory is bounded: what waits for
// missing fragments and segments is given up after seconds of capture time. A
// Walker is not safe for concurrent use.
type Walker struct {
	f         func(Payload) error
	err       error
	stats     Stats
	defrag    *ip4defrag.IPv4Defragmenter
	defrag6   defragmenter6
	assembler *reassembly.Assembler
	swept     time.Time

	// The layers of the frame at hand. A tunnel's inner headers overwrite the
	// outer ones: the innermost count.
	eth     layers.Ethernet
	vlan    layers.Dot1Q
	sll     layers.LinuxSLL
	sll2    layers.LinuxSLL2
	loop    layers.Loopback
	ip4     layers.IPv4
	ip6     layers.IPv6
	ext6    layers.IPv6ExtensionSkipper
	frag6   layers.IPv6Fragment
	gre     layers.GRE
	erspan  layers.ERSPANII
	vxlan   layers.VXLAN
	udp     layers.UDP
	tcp     layers.TCP
	sctp    layers.SCTP
	decoded []gopacket.LayerType
	parsers map[gopacket.LayerType]*gopacket.DecodingLayerParser
}

// NewWalker returns a Walker that gives what it finds to f. The first error of
// f is that of every later call.
func NewWalker(f func(Payload) error) *Walker {
	w := &Walker{f: f, defrag: ip4defrag.NewIPv4Defragmenter(), parsers: map[gopacket.LayerType]*gopacket.DecodingLayerParser{}}
	w.assembler = reassembly.NewAssembler(reassembly.NewStreamPool(factory{w}))
	w.assembler.MaxBufferedPagesPerConnection, w.assembler.MaxBufferedPagesTotal = maxPages, maxPagesTotal
	return w
}

// Stats returns the figures so far.
func (w *Walker) Stats() Stats { return w.stats }

// Frame takes one frame. The data may be reused when it returns. A VLAN id that
// the kernel took out of the frame is the info's first ancillary value.
func (w *Walker) Frame(data []byte, link layers.LinkType, info gopacket.CaptureInfo) error {
	w.stats.Frames++
	m := meta{info: info}
	if len(info.AncillaryData) > 0 {
		if id, ok := info.AncillaryData[0].(int); ok {
			m.vlan = uint16(id)
		}
	}
	if !w.link(data, link, m) {
		w.stats.Other++
	}
	w.Sweep(info.Timestamp)
	return w.err
}

// Sweep gives up waiting for fragments and segments that are missing too long
// at the given time of the capture. Frame does so by itself; a live capture
// calls it when no frame comes.
func (w *Walker) Sweep(now time.Time) {
	if now.Sub(w.swept) < segmentAge/2 && !now.Before(w.swept) {
		return
	}
	w.swept = now
	w.assembler.FlushWithOptions(reassembly.FlushOptions{T: now.Add(-segmentAge), TC: now.Add(-connectionAge)})
	w.defrag.DiscardOlderThan(now.Add(-fragmentAge))
	w.defrag6.discard(now.Add(-fragmentAge))
}

// Flush gives out what TCP streams hold and ends them all.
func (w *Walker) Flush() error {
	w.assembler.FlushAll()
	return w.err
}

func (w *Walker) emit(p Payload) {
	if w.err == nil && (len(p.Data) > 0 || p.End) {
		w.err = w.f(p)
	}
}

// meta is what is known of a frame beside its bytes.
type meta struct {
	info gopacket.CaptureInfo
	vlan uint16
}

// link takes a frame of a link type apart. It tells whether there was anything
// in it that Payload can be.
func (w *Walker) link(data []byte, link layers.LinkType, m meta) bool {
	var first gopacket.LayerType
	switch link {
	case layers.LinkTypeEthernet:
		first = layers.LayerTypeEthernet
	case layers.LinkTypeLinuxSLL:
		first = layers.LayerTypeLinuxSLL
	case layers.LinkTypeLinuxSLL2:
		first = layers.LayerTypeLinuxSLL2
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		first = layers.LayerTypeLoopback
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return w.ip(data, m)
	default:
		return w.rare(data, link, m)
	}
	reached, ok := w.layers(first, data, m)
	// MPLS, PPPoE and other rare layers below IP.
	return ok || !reached && w.rare(data, link, m)
}

// rare takes a frame apart whose layers below IP have no parser here, by
// gopacket's slower way that knows them all.
func (w *Walker) rare(data []byte, link layers.LinkType, m meta) bool {
	for _, l := range gopacket.NewPacket(data, link, gopacket.DecodeOptions{Lazy: true, NoCopy: true}).Layers() {
		switch l.LayerType() {
		case layers.LayerTypeARP:
			return false
		case layers.LayerTypeIPv4, layers.LayerTypeIPv6:
			return w.ip(append(bytes.Clone(l.LayerContents()), l.LayerPayload()...), m)
		}
	}
	return false
}

// ip takes an IP packet of either version apart.
func (w *Walker) ip(data []byte, m meta) bool {
	if len(data) == 0 {
		return false
	}
	first := layers.LayerTypeIPv4
	if data[0]>>4 == 6 {
		first = layers.LayerTypeIPv6
	}
	_, ok := w.layers(first, data, m)
	return ok
}

func (w *Walker) parser(first gopacket.LayerType) *gopacket.DecodingLayerParser {
	p := w.parsers[first]
	if p == nil {
		p = gopacket.NewDecodingLayerParser(first, &w.eth, &w.vlan, &w.sll, &w.sll2, &w.loop, &w.ip4, &w.ip6, &w.ext6, &w.frag6,
			&w.gre, &w.erspan, &w.vxlan, &w.udp, &w.tcp, &w.sctp)
		p.IgnoreUnsupported = true
		w.parsers[first] = p
	}
	return p
}

// layers takes data apart that begins with a layer of the given type. reached
// tells that there was an IP header, ok that there was a transport above it, or
// a fragment of one.
func (w *Walker) layers(first gopacket.LayerType, data []byte, m meta) (reached, ok bool) {
	// An error says that a layer is broken: those before it count.
	_ = w.parser(first).DecodeLayers(data, &w.decoded)
	var network, transport gopacket.LayerType
	for _, typ := range w.decoded {
		switch typ {
		case layers.LayerTypeDot1Q:
			m.vlan = w.vlan.VLANIdentifier
		case layers.LayerTypeIPv4, layers.LayerTypeIPv6:
			network, transport = typ, 0
		case layers.LayerTypeIPv6Fragment, layers.LayerTypeUDP, layers.LayerTypeTCP, layers.LayerTypeSCTP:
			transport = typ
		}
	}
	switch {
	case network == 0:
		return false, false
	case network == layers.LayerTypeIPv4 && (w.ip4.Flags&layers.IPv4MoreFragments != 0 || w.ip4.FragOffset != 0):
		w.fragment4(m)
		return true, true
	case transport == layers.LayerTypeIPv6Fragment:
		w.fragment6(m)
		return true, true
	case transport == 0:
		return true, false
	}
	p := Payload{Time: m.info.Timestamp, VLAN: m.vlan}
	var src, dst netip.Addr
	if network == layers.LayerTypeIPv4 {
		src, _ = netip.AddrFromSlice(w.ip4.SrcIP)
		dst, _ = netip.AddrFromSlice(w.ip4.DstIP)
		p.TOS = w.ip4.TOS
	} else {
		src, _ = netip.AddrFromSlice(w.ip6.SrcIP)
		dst, _ = netip.AddrFromSlice(w.ip6.DstIP)
		p.TOS = w.ip6.TrafficClass
	}
	switch transport {
	case layers.LayerTypeUDP:
		p.Protocol, p.Data = ProtocolUDP, w.udp.Payload
		p.Src, p.Dst = netip.AddrPortFrom(src, uint16(w.udp.SrcPort)), netip.AddrPortFrom(dst, uint16(w.udp.DstPort))
		w.emit(p)
	case layers.LayerTypeTCP:
		if len(w.tcp.Payload) == 0 && !w.tcp.SYN && !w.tcp.FIN && !w.tcp.RST {
			return true, true // a bare acknowledgement says nothing here
		}
		flow := w.ip4.NetworkFlow()
		if network == layers.LayerTypeIPv6 {
			flow = w.ip6.NetworkFlow()
		}
		w.assembler.AssembleWithContext(flow, &w.tcp, segment{m.info, m.vlan, p.TOS})
	case layers.LayerTypeSCTP:
		p.Protocol = ProtocolSCTP
		p.Src, p.Dst = netip.AddrPortFrom(src, uint16(w.sctp.SrcPort)), netip.AddrPortFrom(dst, uint16(w.sctp.DstPort))
		w.chunks(p, w.sctp.Payload)
	}
	return true, true
}

// chunks gives out the user data of an SCTP packet (RFC 9260 section 3.3.1).
func (w *Walker) chunks(p Payload, b []byte) {
	const header, dataHeader, typeData = 4, 16, 0
	for len(b) >= header {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < header || n > len(b) {
			return
		}
		if b[0] == typeData && n > dataHeader {
			p.Data = b[dataHeader:n]
			w.emit(p)
		}
		b = b[min((n+3)&^3, len(b)):] // chunks are padded to 4 bytes
	}
}

// fragment4 keeps an IPv4 fragment, and takes the datagram apart that it
// completes.
func (w *Walker) fragment4(m meta) {
	w.stats.Fragments++
	// The defragmenter keeps what it is given: it gets a copy.
	var l layers.IPv4
	if l.DecodeFromBytes(append(bytes.Clone(w.ip4.Contents), w.ip4.Payload...), gopacket.NilDecodeFeedback) != nil {
		return
	}
	whole, err := w.defrag.DefragIPv4WithTimestamp(&l, m.info.Timestamp)
	if err != nil || whole == nil {
		return
	}
	buf := gopacket.NewSerializeBuffer()
	if gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, whole, gopacket.Payload(whole.Payload)) == nil {
		w.ip(buf.Bytes(), m)
	}
}

// fragment6 keeps an IPv6 fragment, and takes the datagram apart that it
// completes.
func (w *Walker) fragment6(m meta) {
	w.stats.Fragments++
	if whole := w.defrag6.add(&w.ip6, &w.frag6, m.info.Timestamp); whole != nil {
		w.ip(whole, m)
	}
}
