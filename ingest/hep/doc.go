// Package hep decodes and encodes the Homer Encapsulation Protocol (HEP, also
// EEP): the envelope in which SIP servers, media proxies and sniffers send
// copies of their signalling to a collector.
//
// A [Decoder] turns one message into a [Packet]. It reads all that is found
// in the field:
//
//   - HEP version 1 and 2: a packed C struct, SIP only, UDP only;
//   - HEP version 3, "HEP3" and "EEP3": chunks in any order, every chunk of
//     the specification's revision 37;
//   - the protobuf form that heplify-server accepts.
//
// Real senders break the specification in known ways: capture ids shifted by
// 16 bits, host address family constants, little-endian times, garbage in the
// header length. The decoder understands what was meant, and marks it in
// [Packet.Quirks]. It does not judge what was said: a packet from the year
// 1900 is a good packet here.
//
// Every input gives either a packet or an [*Error] with a stable reason.
// Nothing that a sender writes makes the decoder panic, or read or allocate
// beyond its limits.
//
// [Append] writes version 3. [FrameLength] and [Resync] split a byte stream,
// as HEP over TCP and TLS is, into messages.
//
// The package does no I/O and imports nothing else of this module. Where a
// comment says "rev 37", it means "HEP3/EEP network protocol specification",
// revision 37, of the sipcapture project.
package hep
