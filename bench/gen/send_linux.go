//go:build linux && (amd64 || arm64)

package gen

import (
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagrams gathers packets and sends up to datagramBatch of them by one
// sendmmsg(2).
type datagrams struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	buf    []byte // packets one after the other; its memory never moves
	ends   []int  // where each ends
	msgs   []mmsghdr
	iovecs []unix.Iovec
	at     int // sent so far
	errno  syscall.Errno
	write  func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr of sendmmsg(2) on 64-bit Linux.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

const (
	datagramBatch = 64
	// datagramRoom is the room kept for one more packet.
	datagramRoom = 8 << 10
)

func newDatagrams(c *net.UDPConn) (*datagrams, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := c.SetWriteBuffer(sendBuffer); err != nil {
		return nil, err
	}
	d := &datagrams{
		conn: c, raw: raw, buf: make([]byte, 0, datagramBatch*datagramRoom),
		msgs: make([]mmsghdr, datagramBatch), iovecs: make([]unix.Iovec, datagramBatch),
	}
	for i := range d.msgs {
		d.msgs[i].hdr.Iov = &d.iovecs[i]
		d.msgs[i].hdr.SetIovlen(1)
	}
	d.write = d.writeSome
	return d, nil
}

func (d *datagrams) room() ([]byte, error) {
	if len(d.ends) < datagramBatch && cap(d.buf)-len(d.buf) >= datagramRoom {
		return d.buf, nil
	}
	err := d.flush()
	return d.buf, err
}

func (d *datagrams) add(buf []byte) {
	d.buf = buf
	d.ends = append(d.ends, len(buf))
}

func (d *datagrams) flush() error {
	start := 0
	for i, end := range d.ends {
		d.iovecs[i].Base = &d.buf[start]
		d.iovecs[i].SetLen(end - start)
		start = end
	}
	for d.at = 0; d.at < len(d.ends); {
		if err := d.raw.Write(d.write); err != nil {
			return err
		}
		if d.errno == unix.ECONNREFUSED {
			continue // told of one sent before; the others are still to be sent
		}
		if d.errno != 0 {
			return d.errno
		}
	}
	d.buf, d.ends = d.buf[:0], d.ends[:0]
	return nil
}

// writeSome sends what the socket takes; false waits for it to take more.
func (d *datagrams) writeSome(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&d.msgs[d.at])), uintptr(len(d.ends)-d.at), 0, 0, 0)
	switch errno {
	case 0:
		d.at += int(n)
	case unix.EAGAIN, unix.EINTR:
		return false
	}
	d.errno = errno
	return true
}

func (d *datagrams) close() error { return d.conn.Close() }
