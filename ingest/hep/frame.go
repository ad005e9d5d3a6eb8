package hep

import (
	"bytes"
	"encoding/binary"
)

const (
	headerLen      = 6 // magic and total length
	chunkHeaderLen = 6 // vendor, type and length
	// maxMessage is the largest total length that 16 bits hold.
	maxMessage = 1<<16 - 1
)

var (
	errFrameMagic  = &Error{Reason: ReasonBadMagic}
	errFrameLength = &Error{Reason: ReasonBadLength, Offset: 4, Variant: HEP3}
)

// FrameLength finds where a message ends in a byte stream, such as HEP over
// TCP. For b that begins with a version 3 message (HEP3 or EEP3) it returns the
// message's total length, which may be more than len(b). It returns 0 and nil
// when b is too short to tell, and an [*Error] when b cannot be the beginning
// of a message: then [Resync] says where to go on. Versions 1 and 2 have no
// length and do not travel over streams.
//
// The errors are shared values: do not change them.
func FrameLength(b []byte) (n int, err error) {
	if len(b) < headerLen {
		if magicPrefix(b) {
			return 0, nil
		}
		return 0, errFrameMagic
	}
	if !magicPrefix(b[:4]) {
		return 0, errFrameMagic
	}
	n = int(binary.BigEndian.Uint16(b[4:]))
	if n < headerLen {
		return 0, errFrameLength
	}
	return n, nil
}

// Resync returns how many bytes to drop from the beginning of a stream that
// FrameLength refused, at least 1 of a non-empty b. What is left begins with
// the next magic whose total length and first chunk, as far as they are in b,
// can be those of a message; or with the beginning of a magic at the end of b;
// or is empty.
func Resync(b []byte) (skip int) {
	if len(b) == 0 {
		return 0
	}
	for at := 1; ; at++ {
		i := bytes.IndexAny(b[at:], "HE")
		if i < 0 {
			return len(b)
		}
		at += i
		if plausibleStart(b[at:]) {
			return at
		}
	}
}

// plausibleStart tells whether b can be the beginning of a message of which
// nothing else is known. Magic alone is too weak after garbage: the payload of
// a message may be HEP itself.
func plausibleStart(b []byte) bool {
	n, err := FrameLength(b)
	if err != nil {
		return false
	}
	if len(b) < headerLen+chunkHeaderLen {
		return true
	}
	chunk := int(binary.BigEndian.Uint16(b[headerLen+4:]))
	return chunk >= chunkHeaderLen && chunk <= n-headerLen
}

// magicPrefix tells whether b, or its first 4 bytes, agree with a magic.
func magicPrefix(b []byte) bool {
	if len(b) > 4 {
		b = b[:4]
	}
	return string(b) == "HEP3"[:len(b)] || string(b) == "EEP3"[:len(b)]
}
