package hep

import "encoding/binary"

// Sizes of the blocks of chunks that usualChunks reads, chunk headers included.
const (
	protocolSize  = 7 + 7
	addressesSize = 10 + 10
	flowSize      = 8 + 8 + 10 + 10 + 7 + 10
)

// usualChunks reads the chunks that every sender we know begins its messages
// with, without a loop: family and protocol, then ports, time, type and capture
// id, with the IPv4 addresses before or behind the latter. off is the offset of
// the first chunk it did not read. It does nothing that setChunk would not do;
// what is not as expected it leaves to it.
func (p *Packet) usualChunks(b []byte, addr *addresses) (off int) {
	off = headerLen
	if len(b) < headerLen+protocolSize+addressesSize+flowSize {
		return off
	}
	if header(b[6:]) != usual(ChunkFamily, 1) || header(b[13:]) != usual(ChunkProtocol, 1) {
		return off
	}
	p.Family, p.Protocol = knownFamily(b[12]), b[19]
	p.Has |= 1<<ChunkFamily | 1<<ChunkProtocol
	off += protocolSize

	if addr.usual(b[off:]) {
		off += addressesSize
	}

	c := b[off : off+flowSize : off+flowSize]
	if header(c) != usual(ChunkSrcPort, 2) || header(c[8:]) != usual(ChunkDstPort, 2) ||
		header(c[16:]) != usual(ChunkSeconds, 4) || header(c[26:]) != usual(ChunkMicroseconds, 4) ||
		header(c[36:]) != usual(ChunkType, 1) || header(c[43:]) != usual(ChunkCaptureID, 4) {
		return off
	}
	p.SrcPort, p.DstPort = be16(c[6:]), be16(c[14:])
	p.Time = int64(be32(c[22:]))*1e6 + int64(be32(c[32:]))
	p.Type = uint16(c[42])
	p.setCaptureID(be32(c[49:]))
	p.Has |= 1<<ChunkSrcPort | 1<<ChunkDstPort | 1<<ChunkSeconds | 1<<ChunkMicroseconds | 1<<ChunkType | 1<<ChunkCaptureID
	off += flowSize

	if addr.src4 == nil && len(b)-off >= addressesSize && addr.usual(b[off:]) {
		off += addressesSize
	}
	return off
}

// usual keeps the addresses when b begins with both of them. Whether they count
// is for settleAddresses to say.
func (a *addresses) usual(b []byte) bool {
	c := b[:addressesSize:addressesSize]
	if header(c) != usual(ChunkSrcIPv4, 4) || header(c[10:]) != usual(ChunkDstIPv4, 4) {
		return false
	}
	a.src4, a.dst4 = c[6:10:10], c[16:20:20]
	return true
}

// header is the header of the chunk that b begins with: vendor, type and length
// in 48 bits. The chunk has two bytes of data at least, or another follows.
func header(b []byte) uint64 { return binary.BigEndian.Uint64(b) >> 16 }

// usual is the header of a generic chunk with that many bytes of data.
func usual(chunk, size uint64) uint64 { return chunk<<16 | (chunkHeaderLen + size) }
