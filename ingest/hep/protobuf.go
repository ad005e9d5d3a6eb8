package hep

import (
	"bytes"
	"math"
	"net/netip"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// protobufStart is the first byte of the protobuf variant: the tag of field 1,
// a varint. All its fields are required and every encoder writes them in the
// order of their numbers.
const protobufStart = 1<<3 | byte(protowire.VarintType)

// The fields of heplify-server's HEP message (proto2).
const (
	pbFamily        = 1
	pbProtocol      = 2
	pbSrcIP         = 3 // text
	pbDstIP         = 4 // text
	pbSrcPort       = 5
	pbDstPort       = 6
	pbSeconds       = 7
	pbMicroseconds  = 8
	pbType          = 9
	pbCaptureID     = 10
	pbAuthKey       = 11
	pbPayload       = 12
	pbCorrelationID = 13
	pbVLAN          = 14
)

// decodeProtobuf decodes the message that heplify-server and heplify exchange
// instead of chunks. Unknown fields are skipped; of a repeated one the last
// counts, as protobuf has it.
func (d *Decoder) decodeProtobuf(dst *Packet, b []byte) error {
	dst.Variant = Protobuf
	var sec, usec uint64
	for off := 0; off < len(b); {
		num, typ, n := protowire.ConsumeTag(b[off:])
		if n < 0 {
			return d.fail(ReasonBadProtobuf, off, Protobuf)
		}
		at := off
		off += n
		switch typ {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(b[off:])
			if n < 0 || !dst.setProtobufInt(num, v, &sec, &usec) {
				return d.fail(ReasonBadProtobuf, at, Protobuf)
			}
			off += n
		case protowire.BytesType:
			data, n := protowire.ConsumeBytes(b[off:])
			if n < 0 || !dst.setProtobufText(num, data) {
				return d.fail(ReasonBadProtobuf, at, Protobuf)
			}
			off += n
		default:
			n := protowire.ConsumeFieldValue(num, typ, b[off:])
			if n < 0 || num <= pbVLAN {
				return d.fail(ReasonBadProtobuf, at, Protobuf)
			}
			off += n
		}
	}
	dst.Time = int64(sec*1e6 + usec)
	any4 := dst.Src.Is4() || dst.Dst.Is4()
	any6 := dst.Src.Is6() || dst.Dst.Is6()
	dst.settleFamily(any4, any6)
	if dst.Has&(1<<ChunkPayload) == 0 {
		return d.fail(ReasonNoPayload, len(b), Protobuf)
	}
	return nil
}

// setProtobufInt sets a field from a varint. It returns false when the value is
// out of the field's range, or the field is no integer.
func (p *Packet) setProtobufInt(num protowire.Number, v uint64, sec, usec *uint64) bool {
	limit := uint64(math.MaxUint32)
	switch num {
	case pbFamily, pbProtocol:
		limit = math.MaxUint8
	case pbSrcPort, pbDstPort, pbType, pbVLAN:
		limit = math.MaxUint16
	case pbSeconds, pbMicroseconds, pbCaptureID:
	default:
		return num > pbVLAN
	}
	if v > limit {
		return false
	}
	var chunk uint
	switch num {
	case pbFamily:
		chunk, p.Family = ChunkFamily, protobufFamily(uint8(v))
	case pbProtocol:
		chunk, p.Protocol = ChunkProtocol, uint8(v)
	case pbSrcPort:
		chunk, p.SrcPort = ChunkSrcPort, uint16(v)
	case pbDstPort:
		chunk, p.DstPort = ChunkDstPort, uint16(v)
	case pbSeconds:
		chunk, *sec = ChunkSeconds, v
	case pbMicroseconds:
		chunk, *usec = ChunkMicroseconds, v
	case pbType:
		chunk, p.Type = ChunkType, uint16(v)
	case pbCaptureID:
		chunk = ChunkCaptureID
		p.setCaptureID(uint32(v))
	case pbVLAN:
		chunk, p.VLAN = ChunkVLAN, uint16(v)
	}
	p.Has |= 1 << chunk
	return true
}

// setProtobufText sets a field from bytes. It returns false when the field is
// no text.
func (p *Packet) setProtobufText(num protowire.Number, data []byte) bool {
	data = data[:len(data):len(data)]
	switch num {
	case pbSrcIP:
		p.Has &^= 1<<ChunkSrcIPv4 | 1<<ChunkSrcIPv6
		if p.Src = p.parseAddr(data); p.Src.IsValid() {
			p.setSrc(p.Src)
		}
	case pbDstIP:
		p.Has &^= 1<<ChunkDstIPv4 | 1<<ChunkDstIPv6
		if p.Dst = p.parseAddr(data); p.Dst.IsValid() {
			p.setDst(p.Dst)
		}
	case pbAuthKey:
		p.AuthKey = p.trimNUL(data)
		p.Has |= 1 << ChunkAuthKey
	case pbPayload:
		p.Payload = data
		p.Has |= 1 << ChunkPayload
	case pbCorrelationID:
		p.CorrelationID = p.trimNUL(data)
		p.Has |= 1 << ChunkCorrelationID
	default:
		return num > pbVLAN
	}
	return true
}

// protobufFamily reads field 1, which heplify-server names IPVersion and fills
// with an address family: either is taken.
func protobufFamily(v uint8) uint8 {
	switch v {
	case 4:
		return FamilyIPv4
	case 6:
		return FamilyIPv6
	}
	return knownFamily(v)
}

// parseAddr reads an address in text form. A zone is dropped: it means nothing
// away from the sender. Text that is no address gives the zero Addr.
func (p *Packet) parseAddr(text []byte) netip.Addr {
	if i := bytes.IndexByte(text, '%'); i >= 0 {
		text = text[:i]
	}
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
	if len(text) == 0 {
		return netip.Addr{}
	}
	if len(text) <= longest {
		// Safe: ParseAddr keeps its argument only in an error, which ends here.
		// A string made by conversion would escape into it, and be allocated.
		if a, err := netip.ParseAddr(unsafe.String(&text[0], len(text))); err == nil {
			return a
		}
	}
	p.Quirks |= QuirkAddress
	return netip.Addr{}
}
