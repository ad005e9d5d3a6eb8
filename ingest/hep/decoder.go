package hep

import (
	"encoding/binary"
	"net/netip"
)

// DefaultMaxPayload is the limit of a decompressed payload in bytes where
// Decoder.MaxPayload is 0. It is many times the largest datagram, and small
// enough for one per connection.
const DefaultMaxPayload = 1 << 20

// Decoder decodes HEP messages of every variant. The zero value is ready. It
// keeps scratch memory between calls: it is not safe for concurrent use, and
// one for each worker is the intended way.
type Decoder struct {
	// MaxPayload limits a decompressed payload, in bytes; 0 means
	// DefaultMaxPayload.
	MaxPayload int

	inflate inflater
	err     Error
	// forgivingOnly leaves the usual chunks to the forgiving code as well, for
	// tests that compare the two.
	forgivingOnly bool
}

// Decode decodes the HEP message b into dst, which it resets first.
//
// The slices of dst alias b, or the decoder's scratch for a decompressed
// payload: they are valid until the bytes of b change or d decodes again.
//
// The error is nil or an [*Error] that d overwrites with its next one. On an
// error dst holds what was read before it, which may be nothing: good for
// telling who sent the broken message, not for more.
//
// Versions 1 and 2 and the protobuf variant have no length of their own: a
// version 1 or 2 message that was cut in its payload decodes.
func (d *Decoder) Decode(dst *Packet, b []byte) error {
	dst.Reset()
	if len(b) == 0 {
		return d.fail(ReasonEmpty, 0, 0)
	}
	switch b[0] {
	case 'H', 'E':
		if !magicPrefix(b) {
			return d.fail(ReasonBadMagic, 0, 0)
		}
		return d.decodeChunks(dst, b)
	case 1, 2:
		return d.decodeLegacy(dst, b)
	case protobufStart:
		return d.decodeProtobuf(dst, b)
	}
	return d.fail(ReasonBadMagic, 0, 0)
}

// fail fills the decoder's own error, so that a flood of broken messages costs
// no memory.
func (d *Decoder) fail(reason string, offset int, v Variant) error {
	d.err = Error{Reason: reason, Offset: offset, Variant: v}
	return &d.err
}

func (p *Packet) setCaptureID(id uint32) {
	p.CaptureIDRaw, p.CaptureID = id, id
	if id != 0 && id&0xffff == 0 {
		p.CaptureID = id >> 16
		p.Quirks |= QuirkCaptureIDShifted
	}
}

// knownFamily turns a host's address family constant into that of rev 37.
// Unknown values come back as they are.
func knownFamily(f uint8) uint8 {
	switch f {
	case 23, // Windows
		24, // NetBSD, OpenBSD
		26, // Solaris
		28, // FreeBSD
		30: // macOS
		return FamilyIPv6
	}
	return f
}

// settleFamily decides the packet's family from what the sender said and which
// kinds of address it sent. Addresses are the better witness.
func (p *Packet) settleFamily(any4, any6 bool) {
	said := p.Family
	switch {
	case any4 && (said != FamilyIPv6 || !any6):
		p.Family = FamilyIPv4
	case any6:
		p.Family = FamilyIPv6
	default:
		return
	}
	if said != p.Family && said != 0 {
		p.Quirks |= QuirkAddress
	}
	p.Has |= 1 << ChunkFamily
}

// setSrc sets the source address and the chunk that stands for it.
func (p *Packet) setSrc(a netip.Addr) {
	p.Src = a
	if a.Is4() {
		p.Has |= 1 << ChunkSrcIPv4
	} else {
		p.Has |= 1 << ChunkSrcIPv6
	}
}

// setDst sets the destination address and the chunk that stands for it.
func (p *Packet) setDst(a netip.Addr) {
	p.Dst = a
	if a.Is4() {
		p.Has |= 1 << ChunkDstIPv4
	} else {
		p.Has |= 1 << ChunkDstIPv6
	}
}

// trimNUL removes the NULs that C senders leave at the end of fixed-size text.
func (p *Packet) trimNUL(b []byte) []byte {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	if n < len(b) {
		p.Quirks |= QuirkPadding
	}
	return b[:n]
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
