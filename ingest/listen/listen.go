// Package listen receives HEP packets: from UDP sockets, each with its own
// worker, and from TCP streams. It finds where packets begin and end and
// nothing more.
package listen

import (
	"net/netip"
	"sync/atomic"
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

// Mark is a moment in the life of a Durable sink.
type Mark uint64

// Durable is a sink that knows when what it took is safe.
type Durable interface {
	Sink
	// Mark is taken before packets are handed over.
	Mark() Mark
	// Spooled waits until everything handed over so far is in the spool, on the
	// disk. Its error says that of what was handed over since the mark something
	// may not be: by this sender or by another one.
	Spooled(since Mark) error
}

// windowBytes bounds what a durable connection has delivered that is not in the
// spool yet. It also bounds what one connection can deliver in the age of a batch.
const windowBytes = 4 << 20

// window is a connection's sink that takes no more than windowBytes ahead of
// the spool.
type window struct {
	Durable
	mark  Mark
	bytes int
	// stopping ends the waiting: at a stop everything is written anyway, and what
	// is under way is read the sooner the better.
	stopping *atomic.Bool
}

// Packets implements Sink.
func (w *window) Packets(received time.Time, packets []Packet) {
	if w.bytes == 0 {
		w.mark = w.Mark()
	}
	w.Durable.Packets(received, packets)
	for i := range packets {
		w.bytes += len(packets[i].Data)
	}
	if w.bytes >= windowBytes && !w.stopping.Load() {
		// A stream's sender cannot be told of a loss, which is counted where it happened.
		_ = w.Spooled(w.mark)
		w.bytes = 0
	}
}
