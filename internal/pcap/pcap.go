// Package pcap reads what was sent over UDP, TCP and SCTP out of capture files.
package pcap

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/gopacket/gopacket/reassembly"
)

// Payload is what one UDP datagram or SCTP chunk carried, or a piece of a TCP
// stream in order.
type Payload struct {
	// Time is when the capturing host saw it; of a piece of a stream, when its
	// last byte came.
	Time time.Time
	// Protocol is the IP protocol number: 17, 6 or 132.
	Protocol uint8
	Src, Dst netip.AddrPort
	// Data is the payload; never empty.
	Data []byte
}

// Read calls f for every payload of a pcap or pcapng file, which may be
// gzipped. Tunnels (IP in IP, GRE, VLAN) are looked into, IPv4 fragments put
// together, TCP segments put in order. It ends at the first error of f.
func Read(r io.Reader, f func(Payload) error) error {
	src, link, err := open(r)
	if err != nil {
		return err
	}
	rd := &reader{f: f, defrag: ip4defrag.NewIPv4Defragmenter()}
	rd.assembler = reassembly.NewAssembler(reassembly.NewStreamPool(rd))
	for {
		data, info, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read capture: %w", err)
		}
		l := link
		if ng, ok := src.(*pcapgo.NgReader); ok {
			if i, err := ng.Interface(info.InterfaceIndex); err == nil {
				l = i.LinkType
			}
		}
		if rd.packet(gopacket.NewPacket(data, l, gopacket.NoCopy), info); rd.err != nil {
			return rd.err
		}
	}
	rd.assembler.FlushAll()
	return rd.err
}

// open finds out what kind of file it is.
func open(r io.Reader) (gopacket.PacketDataSource, layers.LinkType, error) {
	br := bufio.NewReaderSize(r, 1<<20)
	head, _ := br.Peek(4)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, 0, fmt.Errorf("read capture: %w", err)
		}
		return open(z)
	case bytes.Equal(head, []byte{0x0a, 0x0d, 0x0d, 0x0a}):
		ng, err := pcapgo.NewNgReader(br, pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return nil, 0, fmt.Errorf("read pcapng: %w", err)
		}
		return ng, ng.LinkType(), nil
	}
	p, err := pcapgo.NewReader(br)
	if err != nil {
		return nil, 0, fmt.Errorf("neither pcap nor pcapng: %w", err)
	}
	return p, p.LinkType(), nil
}

type reader struct {
	f         func(Payload) error
	err       error
	defrag    *ip4defrag.IPv4Defragmenter
	assembler *reassembly.Assembler
}

func (r *reader) emit(p Payload) {
	if r.err == nil && len(p.Data) > 0 {
		r.err = r.f(p)
	}
}

func (r *reader) packet(pkt gopacket.Packet, info gopacket.CaptureInfo) {
	// The innermost IP header counts: an outer one is a mirror's tunnel.
	var network gopacket.NetworkLayer
	for _, layer := range pkt.Layers() {
		switch l := layer.(type) {
		case *layers.IPv4:
			network = l
			if l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 {
				whole, err := r.defrag.DefragIPv4WithTimestamp(l, info.Timestamp)
				if err != nil || whole == nil {
					return
				}
				buf := gopacket.NewSerializeBuffer()
				if gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true}, whole, gopacket.Payload(whole.Payload)) == nil {
					r.packet(gopacket.NewPacket(buf.Bytes(), layers.LayerTypeIPv4, gopacket.NoCopy), info)
				}
				return
			}
		case *layers.IPv6:
			network = l
		case *layers.UDP:
			if network == nil {
				continue
			}
			src, dst := addrs(network)
			r.emit(Payload{info.Timestamp, 17, netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort)), l.Payload})
			return
		case *layers.TCP:
			if network == nil {
				continue
			}
			r.assembler.AssembleWithContext(network.NetworkFlow(), l, captureContext(info))
			return
		case *layers.SCTP:
			if network == nil {
				continue
			}
			src, dst := addrs(network)
			for _, layer := range pkt.Layers() {
				if d, ok := layer.(*layers.SCTPData); ok {
					r.emit(Payload{info.Timestamp, 132, netip.AddrPortFrom(src, uint16(l.SrcPort)), netip.AddrPortFrom(dst, uint16(l.DstPort)), d.Payload})
				}
			}
			return
		}
	}
}

func addrs(n gopacket.NetworkLayer) (src, dst netip.Addr) {
	s, d := n.NetworkFlow().Endpoints()
	src, _ = netip.AddrFromSlice(s.Raw())
	dst, _ = netip.AddrFromSlice(d.Raw())
	return src, dst
}

type captureContext gopacket.CaptureInfo

func (c captureContext) GetCaptureInfo() gopacket.CaptureInfo { return gopacket.CaptureInfo(c) }

// New makes a stream; it implements reassembly.StreamFactory.
func (r *reader) New(network, transport gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	s := &stream{r: r}
	for i, e := range []struct{ net, port gopacket.Endpoint }{{network.Src(), transport.Src()}, {network.Dst(), transport.Dst()}} {
		addr, _ := netip.AddrFromSlice(e.net.Raw())
		port := e.port.Raw()
		s.ends[i] = netip.AddrPortFrom(addr, uint16(port[0])<<8|uint16(port[1]))
	}
	return s
}

// stream is one TCP connection.
type stream struct {
	r    *reader
	ends [2]netip.AddrPort // client, server
}

// Accept takes every segment: a capture may begin in the middle of a connection.
func (s *stream) Accept(_ *layers.TCP, _ gopacket.CaptureInfo, _ reassembly.TCPFlowDirection, _ reassembly.Sequence, start *bool, _ reassembly.AssemblerContext) bool {
	*start = true
	return true
}

// ReassembledSG takes bytes in order.
func (s *stream) ReassembledSG(sg reassembly.ScatterGather, ac reassembly.AssemblerContext) {
	dir, _, _, _ := sg.Info()
	n, _ := sg.Lengths()
	p := Payload{Time: ac.GetCaptureInfo().Timestamp, Protocol: 6, Src: s.ends[0], Dst: s.ends[1], Data: sg.Fetch(n)}
	if dir == reassembly.TCPDirServerToClient {
		p.Src, p.Dst = p.Dst, p.Src
	}
	s.r.emit(p)
}

// ReassemblyComplete lets the connection go.
func (s *stream) ReassemblyComplete(reassembly.AssemblerContext) bool { return true }
