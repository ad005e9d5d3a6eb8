package truth

import (
	"encoding/binary"
	"net/netip"

	"github.com/heplake/heplake/ingest/hep"
)

// report sends an RTCP receiver report of the caller or the callee (RFC 3550
// section 6.4.2), about what it received of the other.
func (d *talk) report(byCaller bool) {
	g := d.g
	last := d.legs[len(d.legs)-1]
	caller, callee := d.legs[0].nodes[0], last.nodes[len(last.nodes)-1]
	at := func(h *host, port int) *host {
		return &host{addr: netip.AddrPortFrom(h.addr.Addr(), uint16(port+1)), agent: -1}
	}
	from, to, l := at(caller, d.ports[0]), at(callee, d.ports[1]), d.legs[0]
	if !byCaller {
		from, to, l = to, from, last
	}
	fraction, jitter := g.rng.IntN(40), 8*g.rng.IntN(30)
	b := make([]byte, 32)
	b[0], b[1] = 0x81, 201 // version 2, one report block; RR
	binary.BigEndian.PutUint16(b[2:], 7)
	binary.BigEndian.PutUint32(b[4:], g.rng.Uint32()|1)
	binary.BigEndian.PutUint32(b[8:], g.rng.Uint32()&^1)
	b[12] = byte(fraction)
	binary.BigEndian.PutUint32(b[16:], 1000+g.rng.Uint32N(1000))
	binary.BigEndian.PutUint32(b[20:], uint32(jitter))
	g.report(nil, l, hep.TypeRTCP, b, from, to, d.at, 0, "")
	d.c.loss[byCaller] = append(d.c.loss[byCaller], 100*float64(fraction)/256)
	d.c.jitter = append(d.c.jitter, float64(jitter)/8)
}
