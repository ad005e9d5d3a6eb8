package hep

import (
	"net/netip"
	"strings"
)

// Variant is the encoding a packet arrived in.
type Variant uint8

// The encodings that [Decoder.Decode] reads. The zero Variant is that of a
// packet nothing was decoded into.
const (
	HEP1     Variant = iota + 1 // version 1: no time, no capture id
	HEP2                        // version 2: version 1 with a time header
	HEP3                        // version 3, chunks
	EEP3                        // version 3 under its other magic
	Protobuf                    // heplify-server's protobuf message
)

// String returns "hep1", "hep2", "hep3", "eep3", "protobuf" or "unknown".
func (v Variant) String() string {
	switch v {
	case HEP1:
		return "hep1"
	case HEP2:
		return "hep2"
	case HEP3:
		return "hep3"
	case EEP3:
		return "eep3"
	case Protobuf:
		return "protobuf"
	}
	return "unknown"
}

// Address families as chunk 0x01 carries them (rev 37): the values of AF_INET
// and AF_INET6 on Linux.
const (
	FamilyIPv4 uint8 = 2
	FamilyIPv6 uint8 = 10
)

// Packet is one decoded HEP message.
//
// Byte slices are not copies. They alias the decoded message, or the decoder's
// scratch where the payload was compressed; they are valid until the message's
// bytes change or that decoder decodes again.
//
// The zero value of a field means that the sender did not send it, or sent
// zero; [Packet.Present] tells the two apart.
type Packet struct {
	// Variant is the encoding the packet arrived in. Append ignores it.
	Variant Variant
	// Family is FamilyIPv4 or FamilyIPv6: that of the addresses, or what the
	// sender said where it sent none. Host constants for IPv6 (28, 30 and
	// others) are changed to FamilyIPv6; any other value stands as sent.
	Family uint8
	// Protocol is the IP protocol that carried the payload, as sent: 6, 17,
	// 132, or 22 for TLS and WebSocket from Kamailio. See [TransportName].
	Protocol uint8
	// Src and Dst are who sent the payload to whom. They are the zero Addr
	// where the sender sent none, as FreeSWITCH does for IPv6.
	Src, Dst netip.Addr
	// SrcPort and DstPort belong to Src and Dst.
	SrcPort, DstPort uint16
	// Time is when the payload was seen, in microseconds since the Unix
	// epoch, as the sender said. It is 0 where the variant has none (HEP1).
	Time int64
	// Type is the protocol type of the payload, chunk 0x0b. See [TypeName].
	// HEP1 and HEP2 imply TypeSIP.
	Type uint16
	// CaptureID identifies the sending agent. An id that sngrep or hepipe
	// shifted into the high 16 bits is shifted back: a value whose low 16 bits
	// are all zero is taken for one. A real id that is a multiple of 65,536 is
	// misread by that; CaptureIDRaw has it.
	CaptureID uint32
	// CaptureIDRaw is the capture id as sent.
	CaptureIDRaw uint32
	// KeepAlive is the agent's keep-alive interval in seconds.
	KeepAlive uint16
	// AuthKey is the agent's password, without trailing NULs.
	AuthKey []byte
	// Payload is the captured message, decompressed where it came compressed.
	Payload []byte
	// CorrelationID is what the sender names the call, without trailing NULs.
	CorrelationID []byte
	// NodeName is the agent's name, without trailing NULs.
	NodeName []byte
	// VLAN, SrcMAC, DstMAC, EtherType, TCPFlags and TOS are those of the
	// captured frame.
	VLAN           uint16
	SrcMAC, DstMAC [6]byte
	EtherType      uint16
	TCPFlags       uint8
	TOS            uint8
	// MOS is the mean opinion score times 100: 450 is 4.50.
	MOS uint16
	// RFactor is the R-factor of ITU-T G.107, as sent.
	RFactor uint16
	// Geo is the agent's location, as text of the sender's own form.
	Geo []byte
	// Jitter is as sent; rev 37 gives no unit.
	Jitter uint32
	// TransactionType, PayloadKeys and TagValues are free text.
	TransactionType, PayloadKeys, TagValues []byte
	// TagType and EventType are as sent. EventType 1 is recording, 2 is
	// recording for lawful interception.
	TagType, EventType uint16
	// GroupID is the agent's group, without trailing NULs.
	GroupID []byte

	// Has holds the generic chunks whose value the packet carries; for other
	// variants than version 3, their equivalents. A payload that came
	// compressed sets both ChunkPayload and ChunkCompressed.
	Has ChunkSet
	// Quirks are the departures from the specification that were understood.
	Quirks Quirk
	// Extra holds every chunk that found no field above: vendor chunks, chunk
	// types that rev 37 does not define, chunks of a size that does not fit
	// their type, and the second and later chunks of one type (the first
	// counts). They are in the order sent, after any address or compressed
	// payload that was not needed because the packet has a better one. The
	// slice is reused when the packet is decoded into again.
	Extra []Chunk
}

// extraKept bounds how many chunks Reset keeps room for, so that one hostile
// packet of 10,000 empty chunks does not hold memory for ever.
const extraKept = 64

// Reset makes p the zero Packet but keeps the room of Extra.
func (p *Packet) Reset() {
	extra := p.Extra[:0]
	if cap(extra) > extraKept {
		extra = nil
	}
	*p = Packet{Extra: extra}
}

// Present tells whether the sender sent the generic chunk (a Chunk constant),
// or its equivalent in another variant than version 3.
func (p *Packet) Present(chunk uint16) bool { return p.Has.Contains(chunk) }

// Quirk is a set of departures from the specification that the decoder saw and
// understood.
type Quirk uint16

// What can be odd about a packet that decoded.
const (
	// QuirkTrailingBytes: bytes followed the message, or less than a chunk
	// header followed its last chunk. They were ignored.
	QuirkTrailingBytes Quirk = 1 << iota
	// QuirkLengthTooLarge: the total length was larger than the input, but
	// the input ended behind a whole chunk and had a payload.
	QuirkLengthTooLarge
	// QuirkChunkKept: a generic chunk did not fit its type, came twice or has a
	// reserved type (0x00, 0x19 to 0x1f), and is in Extra.
	QuirkChunkKept
	// QuirkCaptureIDShifted: the capture id came shifted by 16 bits.
	QuirkCaptureIDShifted
	// QuirkHeaderLength: the header length byte of version 1 or 2 was wrong.
	QuirkHeaderLength
	// QuirkTimeBigEndian: the version 2 time header was big-endian.
	QuirkTimeBigEndian
	// QuirkTimeHeader: the time header was not the 12 bytes of version 2 or
	// the none of version 1.
	QuirkTimeHeader
	// QuirkPadding: NULs that pad a text or a version 1 or 2 payload were
	// removed.
	QuirkPadding
	// QuirkAddress: an address did not fit the address family or, in the
	// protobuf variant, was no address.
	QuirkAddress
)

var quirkNames = [...]string{
	"trailing-bytes", "length-too-large", "chunk-kept", "capture-id-shifted", "header-length",
	"time-big-endian", "time-header", "padding", "address",
}

// String lists the quirks' names, separated by commas; "" for none.
func (q Quirk) String() string {
	var names []string
	for i, name := range quirkNames {
		if q&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
