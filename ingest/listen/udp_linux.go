//go:build linux && (amd64 || arm64)

package listen

import (
	"log/slog"
	"net/netip"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
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
	var (
		msgs    = make([]mmsghdr, batchSize)
		iovecs  = make([]unix.Iovec, batchSize)
		names   = make([]unix.RawSockaddrInet6, batchSize)
		data    = make([]byte, batchSize*stride)
		packets = make([]Packet, batchSize)
	)
	for i := range msgs {
		iovecs[i].Base = &data[i*stride]
		iovecs[i].SetLen(MaxDatagram)
		h := &msgs[i].hdr
		h.Iov = &iovecs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&names[i]))
	}
	var drainUntil time.Time // set when the end has been asked for
	var pause time.Duration  // the last one
	woken := 0               // datagrams since
	for {
		for i := range msgs {
			msgs[i].hdr.Namelen = uint32(unsafe.Sizeof(names[i]))
		}
		if drainUntil.IsZero() && s.closed.Load() {
			// What lies in the socket's buffer was received too.
			drainUntil = time.Now().Add(s.drain)
		}
		// It does not block: without telling the scheduler, which would give this
		// processor to another thread meanwhile and take it back after.
		r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&msgs[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN && drainUntil.IsZero():
			if err := s.wait(); err != nil && !s.closed.Load() {
				slog.Error("udp receive", "error", err)
				return
			}
			continue
		case errno != 0 && s.closed.Load():
			return
		case errno != 0:
			// An ICMP error of some peer or the like: not ours to stop for.
			slog.Debug("recvmmsg", "error", errno)
			continue
		}
		n := int(r)
		for i := range n {
			packets[i] = Packet{Data: data[i*stride:][:msgs[i].len], From: sender(&names[i])}
		}
		s.deliver(packets[:n])
		if !drainUntil.IsZero() {
			if time.Now().After(drainUntil) {
				return
			}
			continue
		}
		if woken += n; n < batchSize {
			// Nothing waits any more: let some gather, so that a wake-up serves many.
			pause = s.nextPause(pause, woken)
			woken = 0
			sleepToNext(pause)
		}
	}
}

// stride is the distance between the places of two datagrams: a little more
// than the largest, so that their beginnings, which is all of most, do not
// compete for the same few lines of the processor's caches.
const stride = MaxDatagram + 1 + 13*64

// A wake-up costs as much as several datagrams. A worker that has read all there
// were sleeps until about gathered of them wait, for a tenth of a batch's usual age
// at most: what it then works on is in the processor's caches after the first few.
const (
	gathered   = 384
	leastPause = time.Millisecond
	mostPause  = 100 * time.Millisecond
	// pauseBuffer is the receive buffer, in bytes, for a pause of leastPause: it
	// holds what comes in that time at 400,000 a second, with the kernel's
	// bookkeeping.
	pauseBuffer = 1 << 19
)

// nextPause is how long to sleep after a pause that brought so many datagrams.
// Without a buffer to hold what comes meanwhile it is 0.
func (s *udpSocket) nextPause(pause time.Duration, brought int) time.Duration {
	most := min(mostPause, leastPause*time.Duration(s.buffer/pauseBuffer))
	if most == 0 {
		return 0
	}
	pause = max(pause, leastPause) * gathered / time.Duration(max(brought, 1))
	return min(max(pause, leastPause), most)
}

// started is what pauses are counted from.
var started = time.Now()

// sleepToNext sleeps until the next multiple of d: workers that sleep for as
// long wake together, and the process as a whole less often.
func sleepToNext(d time.Duration) {
	if d > 0 {
		d = d.Truncate(leastPause)
		time.Sleep(d - time.Since(started)%d)
	}
}

// readDrops asks the kernel what it dropped.
func (s *udpSocket) readDrops() {
	const drops = 8
	if info, ok := s.memory(); ok {
		s.noteDrops(info[drops])
	}
}

// fill asks the kernel how much of the receive buffer is in use.
func (s *udpSocket) fill() float64 {
	const used, most = 0, 1
	info, ok := s.memory()
	if !ok {
		return 0
	}
	return float64(info[used]) / float64(max(info[most], 1))
}

// memory is what the kernel knows of the socket's buffers (SO_MEMINFO, Linux 4.12):
// SK_MEMINFO_… of linux/sock_diag.h.
func (s *udpSocket) memory() (info [9]uint32, ok bool) {
	size := uint32(unsafe.Sizeof(info))
	var errno syscall.Errno
	ok = s.use(func(fd int) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	return info, ok && errno == 0 && size >= uint32(unsafe.Sizeof(info))
}

// readCookie asks the kernel for its name of the socket, which no other has had since
// it booted.
func (s *udpSocket) readCookie() (cookie string) {
	s.use(func(fd int) {
		if n, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil {
			cookie = strconv.FormatUint(n, 10)
		}
	})
	return cookie
}

// shut makes the kernel drop, and count, what arrives from now on. Where it
// refuses, datagrams go on arriving until the socket is closed.
func (s *udpSocket) shut() {
	nothing := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}} // passes 0 bytes of every datagram
	program := unix.SockFprog{Len: uint16(len(nothing)), Filter: &nothing[0]}
	s.use(func(fd int) {
		if unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program) == nil {
			s.drain = shutDrainTime
		}
	})
}

// leave has senders refused from now on, while the kernel's count can still be read:
// a socket that is connected takes nothing from anybody else. Where the kernel
// refuses, what comes between the last look and the end is neither delivered nor
// counted.
func (s *udpSocket) leave() {
	const discard = 9 // RFC 863; nobody has to be there
	s.use(func(fd int) {
		var nobody unix.Sockaddr = &unix.SockaddrInet4{Port: discard, Addr: [4]byte{127, 0, 0, 1}}
		if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_INET6 {
			nobody = &unix.SockaddrInet6{Port: discard, Addr: [16]byte{15: 1}}
		}
		_ = unix.Connect(fd, nobody)
	})
}

// steer attaches the steering to the group of sockets. Where the kernel refuses,
// it goes by the sender.
func (u *UDP) steer() {
	program, err := bpf.Assemble(steering(len(u.sockets)))
	if err != nil {
		slog.Error("udp steering", "error", err) // a mistake in this program
		return
	}
	filter := make([]unix.SockFilter, len(program))
	for i, op := range program {
		filter[i] = unix.SockFilter{Code: op.Op, Jt: op.Jt, Jf: op.Jf, K: op.K}
	}
	u.sockets[0].use(func(fd int) {
		prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &prog); err != nil {
			slog.Warn("udp sockets are chosen by the sender's address alone", "error", err)
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
