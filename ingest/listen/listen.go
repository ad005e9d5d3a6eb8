// Package listen receives HEP packets: from UDP sockets, each with its own
// worker, and from TCP streams. It finds where packets begin and end and
// nothing more.
package listen

import (
	"net/netip"
	"time"
)

// Packet is one HEP packet as received.
type Packet struct {
	// Data is the packet's bytes, valid until Packets returns.
	Data []byte
	// From is the sender's address.
	From netip.AddrPort
	// Fault is why a stack of bytes from a stream is no packet ("bad_frame",
	// "truncated"); Data is then what was received. Empty on a packet.
	Fault string
}

// Sink takes packets. A listener calls it with what one read gave, in order of
// receipt, and reads no more until it returns: a slow sink is felt by the
// sender of a stream, and by the kernel's buffer on UDP.
type Sink interface {
	// Packets takes the packets of one read. The slice and the data in it are
	// the listener's again when Packets returns.
	Packets(received time.Time, packets []Packet)
}

// MaxDatagram is the largest UDP payload there is.
const MaxDatagram = 65535
