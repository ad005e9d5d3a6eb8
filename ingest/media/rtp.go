package media

import "encoding/binary"

// RTP is the header of an RTP packet (RFC 3550 5.1).
type RTP struct {
	PayloadType uint8
	Marker      bool
	Sequence    uint16
	Timestamp   uint32
	SSRC        uint32
	// Payload is what follows header, CSRC list and extension, without
	// padding. It aliases the input.
	Payload []byte
}

const rtpHeaderLen = 12

// RTPHeader reads the header of an RTP packet. ok is false for anything that
// is not version 2, is cut within header, extension or padding, or is RTCP on the
// same port (second byte 192 to 223, RFC 5761 4).
func RTPHeader(b []byte) (h RTP, ok bool) {
	if len(b) < rtpHeaderLen || b[0]>>6 != 2 || b[1] >= 192 && b[1] <= 223 {
		return RTP{}, false
	}
	at := rtpHeaderLen + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 { // header extension, RFC 3550 5.3.1
		if len(b) < at+4 {
			return RTP{}, false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 { // padding, its length in the last byte
		pad := int(b[end-1])
		if pad == 0 {
			return RTP{}, false
		}
		end -= pad
	}
	if at > end {
		return RTP{}, false
	}
	return RTP{
		PayloadType: b[1] & 0x7f,
		Marker:      b[1]&0x80 != 0,
		Sequence:    binary.BigEndian.Uint16(b[2:]),
		Timestamp:   binary.BigEndian.Uint32(b[4:]),
		SSRC:        binary.BigEndian.Uint32(b[8:]),
		Payload:     b[at:end],
	}, true
}
