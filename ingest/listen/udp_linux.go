//go:build linux && (amd64 || arm64)

package listen

import (
	"log/slog"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2) on 64-bit Linux.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func (s *udpSocket) configure(c syscall.RawConn, buffer int, share bool) error {
	var err error
	cerr := c.Control(func(fd uintptr) {
		fdi := int(fd)
		if share {
			if err = unix.SetsockoptInt(fdi, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return
			}
		}
		if buffer > 0 {
			// FORCE goes beyond net.core.rmem_max but needs CAP_NET_ADMIN.
			if unix.SetsockoptInt(fdi, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
				_ = unix.SetsockoptInt(fdi, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
			}
		}
		if n, gerr := unix.GetsockoptInt(fdi, unix.SOL_SOCKET, unix.SO_RCVBUF); gerr == nil {
			s.buffer = n / 2 // the kernel reports twice what it grants, for its own bookkeeping
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

// receive reads datagrams by recvmmsg, up to batchSize in one call, until the
// socket is closed. It allocates once, at its start.
func (s *udpSocket) receive() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		slog.Error("udp receive", "error", err)
		return
	}
	var (
		msgs    = make([]mmsghdr, batchSize)
		iovecs  = make([]unix.Iovec, batchSize)
		names   = make([]unix.RawSockaddrInet6, batchSize)
		data    = make([]byte, batchSize*MaxDatagram)
		packets = make([]Packet, batchSize)
	)
	for i := range msgs {
		iovecs[i].Base = &data[i*MaxDatagram]
		iovecs[i].SetLen(MaxDatagram)
		h := &msgs[i].hdr
		h.Iov = &iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&names[i]))
	}
	var n int
	var errno syscall.Errno
	var drainUntil time.Time // set when the end has been asked for
	read := func(fd uintptr) bool {
		r, _, e := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		if e == unix.EAGAIN && drainUntil.IsZero() || e == unix.EINTR {
			return false
		}
		n, errno = int(r), e
		return true
	}
	for {
		for i := range msgs {
			msgs[i].hdr.Namelen = uint32(unsafe.Sizeof(names[i]))
		}
		if err := raw.Read(read); err != nil {
			if !s.closed.Load() || !drainUntil.IsZero() || s.conn.SetReadDeadline(time.Time{}) != nil {
				return
			}
			// Woken by Close: what lies in the socket's buffer was received too.
			drainUntil = time.Now().Add(s.drain)
			continue
		}
		if errno != 0 {
			if s.closed.Load() {
				return
			}
			// An ICMP error of some peer or the like: not ours to stop for.
			slog.Debug("recvmmsg", "error", errno)
			continue
		}
		for i := range n {
			packets[i] = Packet{Data: data[i*MaxDatagram:][:msgs[i].len], From: sender(&names[i])}
		}
		s.deliver(packets[:n])
		if !drainUntil.IsZero() {
			if time.Now().After(drainUntil) {
				return
			}
			continue
		}
		if n < batchSize/2 && s.buffer >= gatherBuffer {
			// Little was waiting: let more gather, so that a wake-up serves many.
			time.Sleep(gather)
		}
	}
}

// gather is how long a worker sleeps after it found few datagrams. At 5,000 a
// second that makes a dozen of a wake-up instead of two; beside the age of a
// batch it is nothing.
const gather = 5 * time.Millisecond

// gatherBuffer is the receive buffer that makes it safe: it holds what comes in
// that time at 150,000 a second, with the kernel's bookkeeping.
const gatherBuffer = 1 << 20

// readDrops asks the kernel what it dropped (SO_MEMINFO, Linux 4.12).
func (s *udpSocket) readDrops() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	var info [9]uint32 // SK_MEMINFO_…, linux/sock_diag.h
	const drops = 8
	size := uint32(unsafe.Sizeof(info))
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err == nil && errno == 0 && size >= uint32(unsafe.Sizeof(info)) {
		s.noteDrops(info[drops])
	}
}

// shut makes the kernel drop, and count, what arrives from now on. Where it
// refuses, datagrams go on arriving until the socket is closed.
func (s *udpSocket) shut() {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return
	}
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}} // passes 0 bytes of every datagram
	program := unix.SockFprog{Len: uint16(len(nothing)), Filter: &nothing[0]}
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program) == nil {
			s.drain = shutDrainTime
		}
	})
}

// sender reads the address that recvmmsg wrote. Port and address are in network order.
func sender(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := func(p *uint16) uint16 {
		b := (*[2]byte)(unsafe.Pointer(p))
		return uint16(b[0])<<8 | uint16(b[1])
	}
	if sa.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port(&v4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port(&sa.Port))
}
