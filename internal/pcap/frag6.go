package pcap

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/gopacket/gopacket/layers"
)

// defragmenter6 puts IPv6 fragments together (RFC 8200 section 4.5). The zero
// value is ready.
type defragmenter6 struct {
	open map[key6]*datagram6
}

type key6 struct {
	src, dst netip.Addr
	id       uint32
}

type datagram6 struct {
	seen   time.Time
	header []byte // the IPv6 header of the first fragment to arrive
	next   layers.IPProtocol
	parts  []part6 // by offset, without overlap
	end    int     // length of the whole, 0 until the last fragment has come
}

type part6 struct {
	at   int
	data []byte
}

// Bounds: datagrams that wait at a time, and fragments of each.
const (
	maxDatagrams6 = 1024
	maxParts6     = 128
	header6Len    = 40
)

// add keeps a fragment and returns the datagram as an IPv6 packet when it is
// whole, else nil. Fragments that overlap make the datagram invalid, as RFC
// 5722 demands.
func (d *defragmenter6) add(ip *layers.IPv6, f *layers.IPv6Fragment, now time.Time) []byte {
	src, _ := netip.AddrFromSlice(ip.SrcIP)
	dst, _ := netip.AddrFromSlice(ip.DstIP)
	key := key6{src, dst, f.Identification}
	g := d.open[key]
	if g == nil {
		if len(d.open) >= maxDatagrams6 {
			d.discard(now.Add(time.Hour))
		}
		if d.open == nil {
			d.open = map[key6]*datagram6{}
		}
		g = &datagram6{seen: now, header: slices.Clone(ip.Contents[:header6Len]), next: f.NextHeader}
		d.open[key] = g
	}
	if !g.insert(int(f.FragmentOffset)*8, f.Payload, f.MoreFragments) {
		delete(d.open, key)
		return nil
	}
	if f.FragmentOffset == 0 {
		g.next = f.NextHeader
	}
	whole := g.whole()
	if whole != nil {
		delete(d.open, key)
	}
	return whole
}

// insert keeps a part. It returns false when the parts cannot be those of one
// datagram. One that came before, byte for byte in the same place, is ignored:
// captures hold packets twice.
func (g *datagram6) insert(at int, data []byte, more bool) bool {
	end := at + len(data)
	if end > 1<<16-1 || g.end != 0 && end > g.end || !more && g.end != 0 && end != g.end {
		return false
	}
	i, twice := slices.BinarySearchFunc(g.parts, at, func(p part6, at int) int { return p.at - at })
	if twice {
		return len(g.parts[i].data) == len(data)
	}
	if len(g.parts) >= maxParts6 || i > 0 && g.parts[i-1].at+len(g.parts[i-1].data) > at || i < len(g.parts) && end > g.parts[i].at {
		return false
	}
	if !more {
		g.end = end
	}
	g.parts = slices.Insert(g.parts, i, part6{at, slices.Clone(data)})
	return true
}

func (g *datagram6) whole() []byte {
	at := 0
	for _, p := range g.parts {
		if p.at != at {
			return nil
		}
		at += len(p.data)
	}
	if g.end == 0 || at != g.end {
		return nil
	}
	out := append(make([]byte, 0, header6Len+at), g.header...)
	binary.BigEndian.PutUint16(out[4:], uint16(at)) // payload length
	out[6] = byte(g.next)
	for _, p := range g.parts {
		out = append(out, p.data...)
	}
	return out
}

// discard gives up the datagrams begun before t.
func (d *defragmenter6) discard(t time.Time) {
	for key, g := range d.open {
		if g.seen.Before(t) {
			delete(d.open, key)
		}
	}
}
