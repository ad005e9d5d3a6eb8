package hep

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// Append appends p to dst as a HEP version 3 message (rev 37) and returns the
// extended buffer. It allocates only to make dst larger.
//
// A chunk is written when its field is not zero or p.Has names it. A packet
// made by hand needs no Has; where it sets no Family, that of Src or Dst is
// written. The payload is always written, plain, then the chunks of Extra as
// they are. Decoding the result gives p again, but for what is not content:
// the variant, the quirks, and that a payload came compressed. Two limits come
// from the format: a Time outside of 0 to 2106 is brought to the nearest end,
// and a CaptureID that is a multiple of 65,536 decodes as a shifted one.
//
// Append returns dst unchanged when the message would be larger than the
// 65,535 bytes that its length field can say.
func Append(dst []byte, p *Packet) []byte {
	start := len(dst)
	// Enough for all usual chunks in one growth; append sees to the rest.
	b := slices.Grow(dst, 192+len(p.Payload)+len(p.CorrelationID)+len(p.AuthKey)+len(p.NodeName))
	b = append(b, 'H', 'E', 'P', '3', 0, 0)

	has := p.Has
	family := p.Family
	if family == 0 {
		family = familyOf(p.Src, p.Dst)
	}
	if family != 0 || has&(1<<ChunkFamily) != 0 {
		b = append8(b, ChunkFamily, family)
	}
	if p.Protocol != 0 || has&(1<<ChunkProtocol) != 0 {
		b = append8(b, ChunkProtocol, p.Protocol)
	}
	b = appendAddr(b, ChunkSrcIPv4, ChunkSrcIPv6, p.Src)
	b = appendAddr(b, ChunkDstIPv4, ChunkDstIPv6, p.Dst)
	if p.SrcPort != 0 || has&(1<<ChunkSrcPort) != 0 {
		b = append16(b, ChunkSrcPort, p.SrcPort)
	}
	if p.DstPort != 0 || has&(1<<ChunkDstPort) != 0 {
		b = append16(b, ChunkDstPort, p.DstPort)
	}
	b = appendTime(b, p.Time, has)
	switch {
	case p.Type > math.MaxUint8: // wider than rev 37 has it, but some send it
		b = append16(b, ChunkType, p.Type)
	case p.Type != 0 || has&(1<<ChunkType) != 0:
		b = append8(b, ChunkType, uint8(p.Type))
	}
	if id := p.wireCaptureID(); id != 0 || has&(1<<ChunkCaptureID) != 0 {
		b = append32(b, ChunkCaptureID, id)
	}
	if has&^common != 0 || p.anyRare() {
		b = p.appendRare(b)
	}
	if len(p.NodeName) > 0 || has&(1<<ChunkNodeName) != 0 {
		b = appendOctets(b, ChunkNodeName, p.NodeName)
	}
	if len(p.AuthKey) > 0 || has&(1<<ChunkAuthKey) != 0 {
		b = appendOctets(b, ChunkAuthKey, p.AuthKey)
	}
	if len(p.CorrelationID) > 0 || has&(1<<ChunkCorrelationID) != 0 {
		b = appendOctets(b, ChunkCorrelationID, p.CorrelationID)
	}
	b = appendOctets(b, ChunkPayload, p.Payload)
	for _, c := range p.Extra {
		b = append(b, byte(c.Vendor>>8), byte(c.Vendor))
		b = appendLength(b, c.Type, len(c.Data))
		b = append(b, c.Data...)
	}

	// A chunk too large for its length field makes the message too large as
	// well, so one check covers all.
	n := len(b) - start
	if n > maxMessage {
		return dst
	}
	binary.BigEndian.PutUint16(b[start+4:], uint16(n))
	return b
}

// common are the chunks that Append writes itself, or never.
const common ChunkSet = 1<<ChunkFamily | 1<<ChunkProtocol |
	1<<ChunkSrcIPv4 | 1<<ChunkDstIPv4 | 1<<ChunkSrcIPv6 | 1<<ChunkDstIPv6 |
	1<<ChunkSrcPort | 1<<ChunkDstPort | 1<<ChunkSeconds | 1<<ChunkMicroseconds |
	1<<ChunkType | 1<<ChunkCaptureID | 1<<ChunkNodeName | 1<<ChunkAuthKey |
	1<<ChunkCorrelationID | 1<<ChunkPayload | 1<<ChunkCompressed

// anyRare tells whether appendRare has something to write for a packet whose
// Has does not say so.
func (p *Packet) anyRare() bool {
	return p.KeepAlive|p.VLAN|p.EtherType|p.MOS|p.RFactor|p.TagType|p.EventType != 0 ||
		p.TCPFlags|p.TOS != 0 || p.Jitter != 0 ||
		p.SrcMAC != [6]byte{} || p.DstMAC != [6]byte{} ||
		len(p.Geo)|len(p.TransactionType)|len(p.PayloadKeys)|len(p.TagValues)|len(p.GroupID) != 0
}

// appendRare writes the chunks that few senders use.
func (p *Packet) appendRare(b []byte) []byte {
	for _, c := range [...]struct {
		id    uint16
		value uint16
	}{
		{ChunkKeepAlive, p.KeepAlive},
		{ChunkVLAN, p.VLAN},
		{ChunkEtherType, p.EtherType},
		{ChunkMOS, p.MOS},
		{ChunkRFactor, p.RFactor},
		{ChunkTagType, p.TagType},
		{ChunkEventType, p.EventType},
	} {
		if c.value != 0 || p.Present(c.id) {
			b = append16(b, c.id, c.value)
		}
	}
	if p.TCPFlags != 0 || p.Present(ChunkTCPFlags) {
		b = append8(b, ChunkTCPFlags, p.TCPFlags)
	}
	if p.TOS != 0 || p.Present(ChunkTOS) {
		b = append8(b, ChunkTOS, p.TOS)
	}
	if p.Jitter != 0 || p.Present(ChunkJitter) {
		b = append32(b, ChunkJitter, p.Jitter)
	}
	if p.SrcMAC != [6]byte{} || p.Present(ChunkSrcMAC) {
		b = appendMAC(b, ChunkSrcMAC, p.SrcMAC)
	}
	if p.DstMAC != [6]byte{} || p.Present(ChunkDstMAC) {
		b = appendMAC(b, ChunkDstMAC, p.DstMAC)
	}
	for _, c := range [...]struct {
		id   uint16
		data []byte
	}{
		{ChunkGeo, p.Geo},
		{ChunkTransactionType, p.TransactionType},
		{ChunkPayloadKeys, p.PayloadKeys},
		{ChunkTagValues, p.TagValues},
		{ChunkGroupID, p.GroupID},
	} {
		if len(c.data) > 0 || p.Present(c.id) {
			b = appendOctets(b, c.id, c.data)
		}
	}
	return b
}

// wireCaptureID is the id as it was sent where CaptureID still comes from it.
func (p *Packet) wireCaptureID() uint32 {
	if raw := p.CaptureIDRaw; raw == p.CaptureID<<16 && raw>>16 == p.CaptureID {
		return raw
	}
	return p.CaptureID
}

// familyOf is the family of the first valid address, or 0.
func familyOf(addrs ...netip.Addr) uint8 {
	for _, a := range addrs {
		switch {
		case a.Is4():
			return FamilyIPv4
		case a.Is6():
			return FamilyIPv6
		}
	}
	return 0
}

// appendTime writes t as seconds and microseconds. A time that came with one of
// the two chunks alone, or with a million microseconds and more, is written so
// that it reads the same.
func appendTime(b []byte, t int64, has ChunkSet) []byte {
	t = max(t, 0)
	sec := min(t/1e6, math.MaxUint32)
	if has&(1<<ChunkSeconds|1<<ChunkMicroseconds) == 1<<ChunkMicroseconds && t <= math.MaxUint32 {
		sec = 0
	}
	usec := min(t-sec*1e6, math.MaxUint32)
	if sec != 0 || has&(1<<ChunkSeconds) != 0 {
		b = append32(b, ChunkSeconds, uint32(sec))
	}
	if usec != 0 || has&(1<<ChunkMicroseconds) != 0 {
		b = append32(b, ChunkMicroseconds, uint32(usec))
	}
	return b
}

// appendAddr writes a valid address under the chunk type of its family.
func appendAddr(b []byte, v4, v6 uint16, a netip.Addr) []byte {
	switch {
	case a.Is4():
		ip := a.As4()
		return appendOctets(b, v4, ip[:])
	case a.Is6():
		ip := a.As16()
		return appendOctets(b, v6, ip[:])
	}
	return b
}

// appendLength writes the rest of a chunk header after the vendor id, for n
// bytes of data.
func appendLength(b []byte, id uint16, n int) []byte {
	n += chunkHeaderLen
	return append(b, byte(id>>8), byte(id), byte(n>>8), byte(n))
}

func append8(b []byte, id uint16, v uint8) []byte {
	return append(b, 0, 0, 0, byte(id), 0, chunkHeaderLen+1, v)
}

func append16(b []byte, id, v uint16) []byte {
	return append(b, 0, 0, 0, byte(id), 0, chunkHeaderLen+2, byte(v>>8), byte(v))
}

func append32(b []byte, id uint16, v uint32) []byte {
	return append(b, 0, 0, 0, byte(id), 0, chunkHeaderLen+4, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// appendMAC writes the u64 of rev 37, the address in its low 48 bits.
func appendMAC(b []byte, id uint16, mac [6]byte) []byte {
	b = append(b, 0, 0, 0, byte(id), 0, chunkHeaderLen+8, 0, 0)
	return append(b, mac[:]...)
}

func appendOctets(b []byte, id uint16, data []byte) []byte {
	b = append(b, 0, 0)
	b = appendLength(b, id, len(data))
	return append(b, data...)
}
