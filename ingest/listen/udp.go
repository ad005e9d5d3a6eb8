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
	// Kept has the sockets of the process before, if any, and keeps these for the next.
	Kept *Kept
}

// UDP receives datagrams on one socket for each sink, all bound to one
// address; the kernel spreads the traffic over them, see steer.go.
type UDP struct {
	addr    netip.AddrPort
	sockets []*udpSocket
	kept    *Kept
	wg      sync.WaitGroup
}

type udpSocket struct {
	endpoint
	sink   Sink
	buffer int           // granted by the kernel, bytes
	drops  atomic.Uint64 // datagrams the kernel dropped, as last read
	before uint64        // those of drops that an earlier process counted
	closed atomic.Bool
	drain  time.Duration // how long to go on reading once closed
	// kept says that the socket outlives the process: what is in it at the end is the
	// next one's. cookie is the kernel's name for it.
	kept   bool
	cookie string
	// left says that it is one too many: it is read to its end.
	left bool
}

// ListenUDP opens the sockets, or takes those that were kept. Nothing is received
// before Start.
func ListenUDP(ctx context.Context, cfg UDPConfig, sinks []Sink) (*UDP, error) {
	u := &UDP{kept: cfg.Kept}
	addr := cfg.Addr
	for i, sink := range sinks {
		s := &udpSocket{sink: sink, drain: drainTime}
		if err := u.open(ctx, s, cfg, udpName(cfg.Addr, i), addr, len(sinks) > 1 || cfg.Kept != nil); err != nil {
			_ = u.Close()
			return nil, fmt.Errorf("listen for HEP on udp %s: %w", cfg.Addr, err)
		}
		addr = u.addr.String()
		u.sockets = append(u.sockets, s)
	}
	if len(sinks) > 1 {
		u.steer()
	}
	// There were more workers, or another address: what waits is read to the end.
	for i, conn := range cfg.Kept.takeUDP() {
		s := &udpSocket{sink: sinks[i%len(sinks)], drain: drainTime}
		if err := s.take(conn); err != nil {
			_ = u.Close()
			return nil, fmt.Errorf("take a socket for HEP that was kept: %w", err)
		}
		s.countFrom(cfg.Kept)
		s.shut()
		s.closed.Store(true)
		s.wake()
		s.left = true
		u.sockets = append(u.sockets, s)
	}
	return u, nil
}

// open has s be the socket that was kept under the name, or a new one on the address,
// which is kept from now on.
func (u *UDP) open(ctx context.Context, s *udpSocket, cfg UDPConfig, name, addr string, share bool) error {
	conn, ok := take(cfg.Kept, name, fileUDP)
	if !ok {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return s.configure(c, cfg.Buffer, share) }}
		c, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return err
		}
		conn = c.(*net.UDPConn)
	} else if raw, err := conn.SyscallConn(); err != nil {
		return err
	} else if err := s.configure(raw, cfg.Buffer, share); err != nil {
		return err
	}
	// Port 0: the others join the port that the first was given.
	u.addr = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := s.take(conn); err != nil {
		return err
	}
	if cfg.Kept != nil {
		s.use(func(fd int) { s.kept = cfg.Kept.keep(name, fd) })
	}
	s.countFrom(cfg.Kept)
	return nil
}

// countFrom leaves out the drops that an earlier process counted.
func (s *udpSocket) countFrom(k *Kept) {
	if k == nil {
		return
	}
	s.cookie = s.readCookie()
	s.before = uint64(k.dropsCounted(s.cookie))
	s.drops.Store(s.before)
}

// Addr is the address listened on.
func (u *UDP) Addr() netip.AddrPort { return u.addr }

// Start begins to receive.
func (u *UDP) Start() {
	for _, s := range u.sockets {
		u.wg.Go(func() {
			s.receive()
			if s.left {
				s.leave()
				s.readDrops()
				_ = s.close()
			}
		})
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
// until the sockets are gone and senders are refused. In sockets that are kept what
// arrives then waits for the next process.
func (u *UDP) Close() error {
	for _, s := range u.sockets {
		if !s.kept {
			s.shut()
		}
	}
	for _, s := range u.sockets {
		s.closed.Store(true)
		s.wake()
	}
	u.wg.Wait()
	errs := make([]error, 0, len(u.sockets))
	for _, s := range u.sockets {
		if !s.kept {
			s.leave()
		}
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
		out[i] = SocketStats{BufferGranted: s.buffer, KernelDrops: s.drops.Load() - s.before}
	}
	return out
}

// Fill is how full the fullest socket's receive buffer is, from 0 to 1, with the
// kernel's bookkeeping; 0 where the kernel does not tell.
func (u *UDP) Fill() float64 {
	fill := 0.0
	for _, s := range u.sockets {
		fill = max(fill, s.fill())
	}
	return fill
}

// Counted says that the drops of Stats were counted: who has the sockets next leaves
// them out.
func (u *UDP) Counted() error {
	if u.kept == nil {
		return nil
	}
	counted := make(map[string]uint32, len(u.sockets))
	for _, s := range u.sockets {
		counted[s.cookie] = uint32(s.drops.Load())
	}
	return u.kept.count(counted)
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
