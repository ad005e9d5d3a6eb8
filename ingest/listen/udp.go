package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// UDPConfig says where and how to receive datagrams.
type UDPConfig struct {
	// Addr is host:port; an empty host is every address, IPv6 and IPv4.
	Addr string
	// Buffer is the receive buffer asked of the kernel for each socket, in bytes.
	Buffer int
}

// UDP receives datagrams on one socket for each sink, all bound to one
// address; the kernel spreads the traffic over them, see steer.go.
type UDP struct {
	addr    netip.AddrPort
	sockets []*udpSocket
	wg      sync.WaitGroup
}

type udpSocket struct {
	endpoint
	sink   Sink
	buffer int           // granted by the kernel, bytes
	drops  atomic.Uint64 // datagrams the kernel dropped, as last read
	closed atomic.Bool
	drain  time.Duration // how long to go on reading once closed
}

// ListenUDP opens the sockets. Nothing is received before Start.
func ListenUDP(ctx context.Context, cfg UDPConfig, sinks []Sink) (*UDP, error) {
	u := &UDP{}
	addr := cfg.Addr
	for _, sink := range sinks {
		s := &udpSocket{sink: sink, drain: drainTime}
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return s.configure(c, cfg.Buffer, len(sinks) > 1) }}
		conn, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			_ = u.Close()
			return nil, fmt.Errorf("listen for HEP on udp %s: %w", cfg.Addr, err)
		}
		// Port 0: the others join the port that the first was given.
		u.addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
		addr = u.addr.String()
		if err := s.take(conn.(*net.UDPConn)); err != nil {
			_ = u.Close()
			return nil, fmt.Errorf("listen for HEP on udp %s: %w", cfg.Addr, err)
		}
		u.sockets = append(u.sockets, s)
	}
	if len(sinks) > 1 {
		u.steer()
	}
	return u, nil
}

// Addr is the address listened on.
func (u *UDP) Addr() netip.AddrPort { return u.addr }

// Start begins to receive.
func (u *UDP) Start() {
	for _, s := range u.sockets {
		u.wg.Go(s.receive)
	}
}

// drainTime bounds how long Close goes on reading what the kernel holds: under
// full load more may come as fast as it is read.
const drainTime = time.Second

// shutDrainTime is the same for a socket into which nothing comes any more: it
// reads until the buffer is empty, unless the sink all but stands still.
const shutDrainTime = 20 * time.Second

// Close stops receiving and reads what the sockets' buffers hold; when it
// returns no sink is called any more. From its beginning the kernel drops what
// arrives, and counts it: every datagram is either delivered or in KernelDrops,
// until the sockets are gone and senders are refused.
func (u *UDP) Close() error {
	for _, s := range u.sockets {
		s.shut()
	}
	for _, s := range u.sockets {
		s.closed.Store(true)
		s.wake()
	}
	u.wg.Wait()
	errs := make([]error, 0, len(u.sockets))
	for _, s := range u.sockets {
		s.leave()
	}
	for _, s := range u.sockets {
		s.readDrops()
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// SocketStats are one socket's figures.
type SocketStats struct {
	// BufferGranted is the receive buffer's bytes.
	BufferGranted int
	// KernelDrops counts datagrams that the kernel dropped: for want of buffer, for
	// a checksum that was wrong, or because Close had begun.
	KernelDrops uint64
}

// Stats returns the figures of every socket.
func (u *UDP) Stats() []SocketStats {
	out := make([]SocketStats, len(u.sockets))
	for i, s := range u.sockets {
		s.readDrops()
		out[i] = SocketStats{BufferGranted: s.buffer, KernelDrops: s.drops.Load()}
	}
	return out
}

// noteDrops takes the kernel's count since the socket was opened. It counts in
// 32 bits; a count that is behind the last one is older, not wrapped.
func (s *udpSocket) noteDrops(count uint32) {
	for {
		seen := s.drops.Load()
		more := int32(count - uint32(seen))
		if more <= 0 || s.drops.CompareAndSwap(seen, seen+uint64(more)) {
			return
		}
	}
}

// batchSize is how many datagrams one system call may bring.
const batchSize = 64

// deliver hands a read to the sink, stamped with the time of receipt.
func (s *udpSocket) deliver(packets []Packet) { s.sink.Packets(time.Now(), packets) }
