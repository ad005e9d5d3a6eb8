// Package pcap reads what was sent over UDP, TCP and SCTP out of captured
// frames: those of a capture file ([Read]), or one at a time as a network
// interface or a tunnel gives them ([Walker]).
package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
)

// IP protocol numbers of Payload.Protocol (IANA).
const (
	ProtocolTCP  = 6
	ProtocolUDP  = 17
	ProtocolSCTP = 132
)

// Payload is what one UDP datagram or SCTP chunk carried, or a piece of a TCP
// stream in order.
type Payload struct {
	// Time is when the capturing host saw it; of a piece of a stream, when its
	// last byte came.
	Time time.Time
	// Protocol is the IP protocol number: ProtocolUDP, ProtocolTCP or ProtocolSCTP.
	Protocol uint8
	// Src and Dst are the innermost addresses: those in a tunnel, where there is one.
	Src, Dst netip.AddrPort
	// VLAN is the innermost 802.1Q VLAN id, 0 where there was no tag.
	VLAN uint16
	// TOS is the IPv4 type of service or the IPv6 traffic class.
	TOS uint8
	// Data is the payload. It is the reader's again when the function that was
	// given it returns. It is empty only where End is set.
	Data []byte
	// Gap tells that bytes of the TCP stream before Data were never captured.
	Gap bool
	// End tells that nothing more of this direction of a TCP connection follows.
	End bool
}

// Read calls f for every payload of a pcap or pcapng file, which may be
// gzipped. Tunnels (IP in IP, GRE, VXLAN, VLAN) are looked into, IP fragments
// put together, TCP segments put in order. It ends at the first error of f. A
// file that ends within a packet, or becomes unreadable, is an error after f
// has had all that was whole.
func Read(r io.Reader, f func(Payload) error) error {
	_, err := ReadStats(r, f)
	return err
}

// ReadStats is Read, with the figures of what was read.
func ReadStats(r io.Reader, f func(Payload) error) (Stats, error) {
	w := NewWalker(f)
	err := w.file(r)
	return w.Stats(), err
}

// file takes every frame of a capture file.
func (w *Walker) file(r io.Reader) error {
	src, link, err := open(r)
	if err != nil {
		return err
	}
	for {
		data, info, err := src.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return errors.Join(w.Flush(), fmt.Errorf("read capture: %w", err))
		}
		l := link
		if ng, ok := src.(*pcapgo.NgReader); ok {
			if i, err := ng.Interface(info.InterfaceIndex); err == nil {
				l = i.LinkType
			}
		}
		if err := w.Frame(data, l, info); err != nil {
			return err
		}
	}
}

// magics begin the capture files that are known: pcap of both byte orders, in
// microseconds and nanoseconds, and pcapng.
var magics = [][]byte{
	{0xa1, 0xb2, 0xc3, 0xd4}, {0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d}, {0x4d, 0x3c, 0xb2, 0xa1}, pcapngMagic,
}

var pcapngMagic, gzipMagic = []byte{0x0a, 0x0d, 0x0d, 0x0a}, []byte{0x1f, 0x8b}

// Is tells whether a file that begins with head, of at least 4 bytes, is a
// capture file, or gzipped and so taken for one.
func Is(head []byte) bool {
	for _, m := range append(magics, gzipMagic) {
		if bytes.HasPrefix(head, m) {
			return true
		}
	}
	return false
}

// open finds out what kind of file it is.
func open(r io.Reader) (gopacket.PacketDataSource, layers.LinkType, error) {
	br := bufio.NewReaderSize(r, 1<<20)
	head, _ := br.Peek(4)
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, 0, fmt.Errorf("read capture: %w", err)
		}
		return open(z)
	case bytes.Equal(head, pcapngMagic):
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
