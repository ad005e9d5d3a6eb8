package hep

import "encoding/binary"

// Retime writes another time, in microseconds since the Unix epoch, into an
// encoded message of version 2 or 3, in place, and leaves everything else as
// it is. It returns false, having changed nothing, when the message has no
// room for a time: version 1, protobuf, no time chunks, or not HEP at all.
func Retime(b []byte, us int64) bool {
	sec, usec := uint32(us/1_000_000), uint32(us%1_000_000)
	if len(b) >= headerLen && magicPrefix(b) {
		return retimeChunks(b, sec, usec)
	}
	if len(b) < 3 || b[0] != 2 {
		return false
	}
	at := legacyHeaderLen + 2*4
	if knownFamily(b[2]) == FamilyIPv6 {
		at = legacyHeaderLen + 2*16
	}
	if len(b) < at+8 {
		return false
	}
	binary.LittleEndian.PutUint32(b[at:], sec)
	binary.LittleEndian.PutUint32(b[at+4:], usec)
	return true
}

// retimeChunks changes the two time chunks, if both are there.
func retimeChunks(b []byte, sec, usec uint32) bool {
	var secAt, usecAt []byte
	for at := headerLen; at+chunkHeaderLen <= len(b); {
		n := int(be16(b[at+4:]))
		if n < chunkHeaderLen || at+n > len(b) {
			break
		}
		if be16(b[at:]) == VendorGeneric && n == chunkHeaderLen+4 {
			switch be16(b[at+2:]) {
			case ChunkSeconds:
				secAt = b[at+chunkHeaderLen:]
			case ChunkMicroseconds:
				usecAt = b[at+chunkHeaderLen:]
			}
		}
		at += n
	}
	if secAt == nil || usecAt == nil {
		return false
	}
	binary.BigEndian.PutUint32(secAt, sec)
	binary.BigEndian.PutUint32(usecAt, usec)
	return true
}
