package hep

import (
	"encoding/binary"
	"net/netip"
)

const (
	legacyHeaderLen = 8 // up to the addresses
	timeHeaderLen   = 12
	// timeHeaderPacked is the time header of a sender whose struct has no
	// padding at its end.
	timeHeaderPacked = 10
	// legacyPadding is how many NULs OpenSIPS appends to a payload.
	legacyPadding = 8
)

// decodeLegacy decodes versions 1 and 2:
//
//	0  version, 1 or 2
//	1  header length: not trusted, sngrep sends garbage
//	2  address family: the sender's host constant
//	3  IP protocol
//	4  source port, destination port (u16, big-endian)
//	8  source address, destination address (4 or 16 bytes each)
//
// then, in version 2 only, the time header: u32 seconds, u32 microseconds,
// u16 capture id, and 2 bytes that pad the C struct and may be garbage. The
// rest is the payload, a SIP message.
func (d *Decoder) decodeLegacy(dst *Packet, b []byte) error {
	v := HEP1
	if b[0] == 2 {
		v = HEP2
	}
	dst.Variant = v
	if len(b) < legacyHeaderLen {
		return d.fail(ReasonShort, len(b), v)
	}
	var size int
	switch dst.Family = knownFamily(b[2]); dst.Family {
	case FamilyIPv4:
		size = 4
	case FamilyIPv6:
		size = 16
	default:
		// A host constant nobody has told us of: the header length decides.
		switch b[1] {
		case legacyHeaderLen + 2*4:
			size = 4
		case legacyHeaderLen + 2*16:
			size = 16
		default:
			return d.fail(ReasonBadFamily, 2, v)
		}
	}
	end := legacyHeaderLen + 2*size
	if len(b) < end {
		return d.fail(ReasonShort, len(b), v)
	}
	if int(b[1]) != end {
		dst.Quirks |= QuirkHeaderLength
	}
	dst.Protocol = b[3]
	dst.SrcPort, dst.DstPort = be16(b[4:]), be16(b[6:])
	if size == 4 {
		dst.settleFamily(true, false)
		dst.setSrc(netip.AddrFrom4([4]byte(b[8:12])))
		dst.setDst(netip.AddrFrom4([4]byte(b[12:16])))
	} else {
		dst.settleFamily(false, true)
		dst.setSrc(netip.AddrFrom16([16]byte(b[8:24])))
		dst.setDst(netip.AddrFrom16([16]byte(b[24:40])))
	}
	dst.Type = TypeSIP
	dst.Has |= 1<<ChunkProtocol | 1<<ChunkSrcPort | 1<<ChunkDstPort | 1<<ChunkType

	rest := b[end:]
	timeLen, ok := timeHeader(v, rest)
	if !ok {
		return d.fail(ReasonShort, len(b), v)
	}
	if (v == HEP1 && timeLen != 0) || (v == HEP2 && timeLen != timeHeaderLen) {
		dst.Quirks |= QuirkTimeHeader
	}
	if timeLen > 0 {
		dst.setLegacyTime(rest)
	}
	payload := rest[timeLen:]
	if n := len(payload) - legacyPadding; n >= 0 && binary.NativeEndian.Uint64(payload[n:]) == 0 {
		payload = payload[:n]
		dst.Quirks |= QuirkPadding
	}
	dst.Payload = payload[:len(payload):len(payload)]
	dst.Has |= 1 << ChunkPayload
	return nil
}

// timeHeader returns the length of the time header at the beginning of rest: 0,
// 10 or 12. Where a SIP start line begins decides, since senders differ in
// whether they send the padding, and the version byte has been seen wrong. With
// no start line to go by it is what the version says. ok is false when rest is
// too short for a version 2 message.
func timeHeader(v Variant, rest []byte) (n int, ok bool) {
	// PRACK is why 10 comes before 12: two bytes on, it reads ACK. No other
	// method ends in another, so the order matters for nothing else.
	switch {
	case v == HEP1 && beginsSIP(rest):
		return 0, true
	case len(rest) > timeHeaderPacked && beginsSIP(rest[timeHeaderPacked:]):
		return timeHeaderPacked, true
	case len(rest) > timeHeaderLen && beginsSIP(rest[timeHeaderLen:]):
		return timeHeaderLen, true
	case v == HEP1 || beginsSIP(rest):
		return 0, true
	case len(rest) >= timeHeaderLen:
		return timeHeaderLen, true
	}
	return 0, false
}

// beginsSIP tells whether b begins with a SIP status line or a request line of
// a method in the IANA registry. That is enough to place a payload: it need not
// find every SIP message.
func beginsSIP(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	var word string
	switch b[0] {
	case 'S':
		word = "SIP/2.0 "
		if b[1] == 'U' {
			word = "SUBSCRIBE "
		}
	case 'I':
		word = "INVITE "
		if b[2] == 'F' {
			word = "INFO "
		}
	case 'A':
		word = "ACK "
	case 'B':
		word = "BYE "
	case 'C':
		word = "CANCEL "
	case 'O':
		word = "OPTIONS "
	case 'R':
		word = "REGISTER "
		if b[2] == 'F' {
			word = "REFER "
		}
	case 'P':
		word = "PRACK "
		if b[1] == 'U' {
			word = "PUBLISH "
		}
	case 'N':
		word = "NOTIFY "
	case 'M':
		word = "MESSAGE "
	case 'U':
		word = "UPDATE "
	default:
		return false
	}
	return len(b) >= len(word) && string(b[:len(word)]) == word
}

// setLegacyTime reads the time header, which is in the byte order of the
// sender's host: little-endian from all that are known, big-endian from hosts
// of that order. The one that makes the better date is taken.
func (p *Packet) setLegacyTime(b []byte) {
	le, be := binary.LittleEndian, binary.BigEndian
	sec, usec, id := le.Uint32(b), le.Uint32(b[4:]), le.Uint16(b[8:])
	if s, u := be.Uint32(b), be.Uint32(b[4:]); plausible(s, u) > plausible(sec, usec) {
		sec, usec, id = s, u, be.Uint16(b[8:])
		p.Quirks |= QuirkTimeBigEndian
	}
	p.Time = int64(sec)*1e6 + int64(usec)
	p.CaptureID, p.CaptureIDRaw = uint32(id), uint32(id)
	p.Has |= 1<<ChunkSeconds | 1<<ChunkMicroseconds | 1<<ChunkCaptureID
}

// plausible grades a reading of a time header. Microseconds below a million are
// the stronger sign: of the wrong byte order hardly one in a thousand has them,
// while any order makes a plausible date now and then.
func plausible(sec, usec uint32) (grade int) {
	const (
		since = 946684800  // 2000-01-01, before HEP
		until = 2208988800 // 2040-01-01
	)
	if usec < 1e6 {
		grade += 2
	}
	if sec >= since && sec < until {
		grade++
	}
	return grade
}
