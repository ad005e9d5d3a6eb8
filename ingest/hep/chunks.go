package hep

import (
	"math"
	"net/netip"
	"slices"
)

// addresses collects the address chunks of one message. Senders may send both
// families, in any order and before or after the family chunk, so the choice
// waits for the end.
type addresses struct {
	src4, dst4, src6, dst6 []byte
}

// decodeChunks decodes version 3: magic, u16 total length, then chunks of u16
// vendor, u16 type, u16 length (these 6 bytes included) and data (rev 37).
func (d *Decoder) decodeChunks(dst *Packet, b []byte) error {
	v := HEP3
	if b[0] == 'E' {
		v = EEP3
	}
	dst.Variant = v
	if len(b) < headerLen {
		return d.fail(ReasonShort, len(b), v)
	}
	total := int(be16(b[4:]))
	if total < headerLen {
		return d.fail(ReasonBadLength, 4, v)
	}
	overrun := ReasonChunkOverrun
	if total < len(b) {
		dst.Quirks |= QuirkTrailingBytes
		b = b[:total]
	} else if total > len(b) {
		// Go on: the sender may only have counted wrong.
		dst.Quirks |= QuirkLengthTooLarge
		overrun = ReasonTruncated
	}

	var (
		addr   addresses
		packed []byte
		off    = headerLen
		reason string
	)
	if !d.forgivingOnly {
		off = dst.usualChunks(b, &addr)
	}
	for len(b)-off >= chunkHeaderLen {
		key := be32(b[off:]) // vendor and type; vendor 0 leaves the type
		n := int(be16(b[off+4:]))
		if n < chunkHeaderLen {
			reason = ReasonChunkLength
			break
		}
		if n > len(b)-off {
			reason = overrun
			break
		}
		data := b[off+chunkHeaderLen : off+n : off+n]
		off += n
		if key <= maxChunk && dst.Has&(1<<key) == 0 {
			if dst.setChunk(key, data, &addr, &packed) {
				continue
			}
		}
		if key <= maxChunk {
			dst.Quirks |= QuirkChunkKept
		}
		dst.Extra = append(dst.Extra, Chunk{Vendor: uint16(key >> 16), Type: uint16(key), Data: data})
	}
	dst.settleAddresses(&addr)
	switch {
	case reason != "":
		return d.fail(reason, off, v)
	case off < len(b) && total > len(b):
		return d.fail(ReasonTruncated, off, v)
	case off < len(b):
		dst.Quirks |= QuirkTrailingBytes
	}
	return d.settlePayload(dst, packed, off, total > len(b))
}

// setChunk puts a generic chunk where it belongs. It returns false when the
// data does not fit the chunk's type, or when the chunk came before.
func (p *Packet) setChunk(id uint32, data []byte, addr *addresses, packed *[]byte) bool {
	switch id {
	case ChunkFamily:
		if len(data) != 1 {
			return p.setInt(id, data)
		}
		p.Family = knownFamily(data[0])
	case ChunkProtocol:
		if len(data) != 1 {
			return p.setInt(id, data)
		}
		p.Protocol = data[0]
	case ChunkSrcIPv4, ChunkSrcIPv6:
		return addr.set(&addr.src4, &addr.src6, data)
	case ChunkDstIPv4, ChunkDstIPv6:
		return addr.set(&addr.dst4, &addr.dst6, data)
	case ChunkSrcPort:
		if len(data) != 2 {
			return p.setInt(id, data)
		}
		p.SrcPort = be16(data)
	case ChunkDstPort:
		if len(data) != 2 {
			return p.setInt(id, data)
		}
		p.DstPort = be16(data)
	case ChunkSeconds:
		if len(data) != 4 {
			return p.setInt(id, data)
		}
		p.Time += int64(be32(data)) * 1e6
	case ChunkMicroseconds:
		if len(data) != 4 {
			return p.setInt(id, data)
		}
		p.Time += int64(be32(data))
	case ChunkType:
		if len(data) != 1 {
			return p.setInt(id, data)
		}
		p.Type = uint16(data[0])
	case ChunkCaptureID:
		if len(data) != 4 {
			return p.setInt(id, data)
		}
		p.setCaptureID(be32(data))
	case ChunkAuthKey:
		p.AuthKey = p.trimNUL(data)
	case ChunkPayload:
		p.Payload = data
	case ChunkCompressed:
		if p.Has&(1<<ChunkPayload) != 0 {
			return false
		}
		*packed = data
	case ChunkCorrelationID:
		p.CorrelationID = p.trimNUL(data)
	case ChunkNodeName:
		p.NodeName = p.trimNUL(data)
	case ChunkSrcMAC:
		if !setMAC(&p.SrcMAC, data) {
			return false
		}
	case ChunkDstMAC:
		if !setMAC(&p.DstMAC, data) {
			return false
		}
	case ChunkGeo:
		p.Geo = data
	case ChunkTransactionType:
		p.TransactionType = data
	case ChunkPayloadKeys:
		p.PayloadKeys = data
	case ChunkTagValues:
		p.TagValues = data
	case ChunkGroupID:
		p.GroupID = p.trimNUL(data)
	default:
		return p.setInt(id, data)
	}
	p.Has |= 1 << id
	return true
}

// setInt puts an integer chunk of any width from 1 to 8 bytes into its field,
// if the value fits. Senders disagree about widths; the value is what counts.
func (p *Packet) setInt(id uint32, data []byte) bool {
	if len(data) == 0 || len(data) > 8 {
		return false
	}
	var v uint64
	for _, c := range data {
		v = v<<8 | uint64(c)
	}
	limit := uint64(math.MaxUint16)
	switch id {
	case ChunkFamily, ChunkProtocol, ChunkTCPFlags, ChunkTOS:
		limit = math.MaxUint8
	case ChunkSeconds, ChunkMicroseconds, ChunkCaptureID, ChunkJitter:
		limit = math.MaxUint32
	}
	if v > limit {
		return false
	}
	switch id {
	case ChunkFamily:
		p.Family = knownFamily(uint8(v))
	case ChunkProtocol:
		p.Protocol = uint8(v)
	case ChunkSrcPort:
		p.SrcPort = uint16(v)
	case ChunkDstPort:
		p.DstPort = uint16(v)
	case ChunkSeconds:
		p.Time += int64(v) * 1e6
	case ChunkMicroseconds:
		p.Time += int64(v)
	case ChunkType:
		p.Type = uint16(v)
	case ChunkCaptureID:
		p.setCaptureID(uint32(v))
	case ChunkKeepAlive:
		p.KeepAlive = uint16(v)
	case ChunkVLAN:
		p.VLAN = uint16(v)
	case ChunkEtherType:
		p.EtherType = uint16(v)
	case ChunkTCPFlags:
		p.TCPFlags = uint8(v)
	case ChunkTOS:
		p.TOS = uint8(v)
	case ChunkMOS:
		p.MOS = uint16(v)
	case ChunkRFactor:
		p.RFactor = uint16(v)
	case ChunkJitter:
		p.Jitter = uint32(v)
	case ChunkTagType:
		p.TagType = uint16(v)
	case ChunkEventType:
		p.EventType = uint16(v)
	default:
		return false // 0x00 and 0x19 to 0x1f, which rev 37 reserves
	}
	p.Has |= 1 << id
	return true
}

// setMAC reads a MAC address of 6 bytes, or of the 8 that rev 37 gives it: a
// u64 whose high 16 bits are zero, or 6 bytes with 2 of padding.
func setMAC(dst *[6]byte, data []byte) bool {
	switch {
	case len(data) == 6:
		copy(dst[:], data)
	case len(data) == 8 && data[0]|data[1] == 0:
		copy(dst[:], data[2:])
	case len(data) == 8 && data[6]|data[7] == 0:
		copy(dst[:], data)
	default:
		return false
	}
	return true
}

// set keeps an address by its length, which tells its family better than the
// chunk's type. It returns false for another length, or when it has one.
func (*addresses) set(v4, v6 *[]byte, data []byte) bool {
	slot := v4
	switch len(data) {
	case 4:
	case 16:
		slot = v6
	default:
		return false
	}
	if *slot != nil {
		return false
	}
	*slot = data
	return true
}

// settleAddresses chooses the packet's addresses and family. Addresses it does
// not use go to the front of Extra.
func (p *Packet) settleAddresses(a *addresses) {
	any4 := a.src4 != nil || a.dst4 != nil
	any6 := a.src6 != nil || a.dst6 != nil
	p.settleFamily(any4, any6)
	if any4 && !any6 { // the common case, in a straight line
		if a.src4 != nil {
			p.setSrc(netip.AddrFrom4([4]byte(a.src4)))
		}
		if a.dst4 != nil {
			p.setDst(netip.AddrFrom4([4]byte(a.dst4)))
		}
		return
	}
	var unused []Chunk
	if use6 := a.src6 != nil && (p.Family == FamilyIPv6 || a.src4 == nil); use6 {
		p.setSrc(netip.AddrFrom16([16]byte(a.src6)))
		if a.src4 != nil {
			unused = append(unused, Chunk{Type: ChunkSrcIPv4, Data: a.src4})
		}
	} else if a.src4 != nil {
		p.setSrc(netip.AddrFrom4([4]byte(a.src4)))
		if a.src6 != nil {
			unused = append(unused, Chunk{Type: ChunkSrcIPv6, Data: a.src6})
		}
	}
	if use6 := a.dst6 != nil && (p.Family == FamilyIPv6 || a.dst4 == nil); use6 {
		p.setDst(netip.AddrFrom16([16]byte(a.dst6)))
		if a.dst4 != nil {
			unused = append(unused, Chunk{Type: ChunkDstIPv4, Data: a.dst4})
		}
	} else if a.dst4 != nil {
		p.setDst(netip.AddrFrom4([4]byte(a.dst4)))
		if a.dst6 != nil {
			unused = append(unused, Chunk{Type: ChunkDstIPv6, Data: a.dst6})
		}
	}
	if unused != nil {
		p.Extra = slices.Insert(p.Extra, 0, unused...)
		p.Quirks |= QuirkAddress
	}
}

// settlePayload decompresses the payload where only a compressed one came, and
// refuses a message that has none. end is where the chunks ended; cut tells
// that the message should have been longer.
func (d *Decoder) settlePayload(dst *Packet, packed []byte, end int, cut bool) error {
	plain := dst.Has&(1<<ChunkPayload) != 0
	switch {
	case plain && packed != nil:
		dst.Has &^= 1 << ChunkCompressed
		dst.Quirks |= QuirkChunkKept
		dst.Extra = slices.Insert(dst.Extra, 0, Chunk{Type: ChunkCompressed, Data: packed})
	case plain:
	case packed != nil:
		limit := d.MaxPayload
		if limit <= 0 {
			limit = DefaultMaxPayload
		}
		payload, reason := d.inflate.inflate(packed, limit)
		if reason != "" {
			return d.fail(reason, end, dst.Variant)
		}
		dst.Payload = payload
		dst.Has |= 1 << ChunkPayload
	case cut:
		return d.fail(ReasonTruncated, end, dst.Variant)
	default:
		return d.fail(ReasonNoPayload, end, dst.Variant)
	}
	return nil
}
