package pcap

import (
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/reassembly"
)

// segment is what the assembler keeps beside a TCP segment.
type segment struct {
	info gopacket.CaptureInfo
	vlan uint16
	tos  uint8
}

// GetCaptureInfo implements reassembly.AssemblerContext.
func (s segment) GetCaptureInfo() gopacket.CaptureInfo { return s.info }

// factory makes streams for the assembler.
type factory struct{ w *Walker }

// New implements reassembly.StreamFactory.
func (f factory) New(network, transport gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	return &stream{w: f.w, ends: [2]netip.AddrPort{endpoint(network.Src(), transport.Src()), endpoint(network.Dst(), transport.Dst())}}
}

func endpoint(network, transport gopacket.Endpoint) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(network.Raw())
	port := transport.Raw()
	return netip.AddrPortFrom(addr, uint16(port[0])<<8|uint16(port[1]))
}

// stream is one TCP connection.
type stream struct {
	w    *Walker
	ends [2]netip.AddrPort // who was seen first, and the other
	// spoken tells which directions have given out anything.
	spoken [2]bool
	last   segment
}

// Accept takes every segment: a capture may begin in the middle of a connection.
func (s *stream) Accept(_ *layers.TCP, _ gopacket.CaptureInfo, _ reassembly.TCPFlowDirection, _ reassembly.Sequence, start *bool, _ reassembly.AssemblerContext) bool {
	*start = true
	return true
}

// ReassembledSG takes bytes in order.
func (s *stream) ReassembledSG(sg reassembly.ScatterGather, ac reassembly.AssemblerContext) {
	dir, _, _, skip := sg.Info()
	n, _ := sg.Lengths()
	if seg, ok := ac.(segment); ok {
		s.last = seg
	}
	// skip is -1 where it is not known how much is missing.
	s.emit(dir, Payload{Data: sg.Fetch(n), Gap: skip != 0 && s.spoken[index(dir)]})
}

// ReassemblyComplete tells that nothing follows. The connection is remembered
// until it is old, so that late segments do not make another; a SYN does.
func (s *stream) ReassemblyComplete(reassembly.AssemblerContext) bool {
	for _, dir := range []reassembly.TCPFlowDirection{reassembly.TCPDirClientToServer, reassembly.TCPDirServerToClient} {
		if s.spoken[index(dir)] {
			s.emit(dir, Payload{End: true})
		}
	}
	return false
}

func index(dir reassembly.TCPFlowDirection) int {
	if dir == reassembly.TCPDirServerToClient {
		return 1
	}
	return 0
}

func (s *stream) emit(dir reassembly.TCPFlowDirection, p Payload) {
	i := index(dir)
	s.spoken[i] = true
	p.Protocol, p.Time, p.VLAN, p.TOS = ProtocolTCP, s.last.info.Timestamp, s.last.vlan, s.last.tos
	p.Src, p.Dst = s.ends[i], s.ends[1-i]
	s.w.emit(p)
}
