package hep

// Generic chunk types (vendor 0) of HEP version 3, rev 37.
const (
	ChunkFamily          = 0x01 // IP protocol family, u8: 2 IPv4, 10 IPv6
	ChunkProtocol        = 0x02 // IP protocol number, u8
	ChunkSrcIPv4         = 0x03 // 4 bytes
	ChunkDstIPv4         = 0x04 // 4 bytes
	ChunkSrcIPv6         = 0x05 // 16 bytes
	ChunkDstIPv6         = 0x06 // 16 bytes
	ChunkSrcPort         = 0x07 // u16
	ChunkDstPort         = 0x08 // u16
	ChunkSeconds         = 0x09 // u32, since the Unix epoch
	ChunkMicroseconds    = 0x0a // u32, added to the seconds
	ChunkType            = 0x0b // protocol type of the payload, u8
	ChunkCaptureID       = 0x0c // u32
	ChunkKeepAlive       = 0x0d // u16, seconds
	ChunkAuthKey         = 0x0e // octets
	ChunkPayload         = 0x0f // octets
	ChunkCompressed      = 0x10 // octets: the payload as gzip, zlib or raw deflate
	ChunkCorrelationID   = 0x11 // octets
	ChunkVLAN            = 0x12 // u16
	ChunkNodeName        = 0x13 // octets
	ChunkSrcMAC          = 0x14 // u64
	ChunkDstMAC          = 0x15 // u64
	ChunkEtherType       = 0x16 // u16
	ChunkTCPFlags        = 0x17 // u8
	ChunkTOS             = 0x18 // u8
	ChunkMOS             = 0x20 // u16, MOS × 100
	ChunkRFactor         = 0x21 // u16
	ChunkGeo             = 0x22 // octets
	ChunkJitter          = 0x23 // u32
	ChunkTransactionType = 0x24 // octets
	ChunkPayloadKeys     = 0x25 // octets: keys of a JSON payload
	ChunkTagValues       = 0x26 // octets
	ChunkTagType         = 0x27 // u16
	ChunkEventType       = 0x28 // u16: 1 recording, 2 lawful interception
	ChunkGroupID         = 0x29 // octets

	maxChunk = ChunkGroupID
)

// Chunk vendor ids of rev 37.
const (
	VendorGeneric    = 0
	VendorFreeSWITCH = 1
	VendorKamailio   = 2
	VendorOpenSIPS   = 3
	VendorAsterisk   = 4
	VendorHomer      = 5
	VendorSipXecs    = 6
	VendorYeti       = 7
	VendorGenesys    = 8
)

// Chunk is a version 3 chunk that has no field of its own in [Packet].
type Chunk struct {
	Vendor, Type uint16
	// Data is the chunk without its 6-byte header. It aliases the decoded
	// message.
	Data []byte
}

// ChunkSet is a set of generic chunk types: bit n stands for chunk n.
type ChunkSet uint64

// Contains tells whether the set holds the generic chunk type id.
func (s ChunkSet) Contains(id uint16) bool { return id < 64 && s&(1<<id) != 0 }

// With returns the set with the generic chunk types ids added. Ids that
// revision 37 does not define are ignored.
func (s ChunkSet) With(ids ...uint16) ChunkSet {
	for _, id := range ids {
		if id <= maxChunk {
			s |= 1 << id
		}
	}
	return s
}
