//go:build linux && (amd64 || arm64)

package gen

import (
	"encoding/binary"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagrams gathers packets and sends them by sendmmsg(2), those of one length
// by one message of it where the kernel cuts it into datagrams (UDP_SEGMENT, Linux
// 4.18): they go through its layers together, which is most of what sending costs.
type datagrams struct {
	conn  *net.UDPConn
	raw   syscall.RawConn
	buf   []byte // packets one after the other; its memory never moves
	ends  []int  // where each ends
	alone bool   // each packet by a message of its own

	grouper grouper
	msgs    []mmsghdr // as groups
	iovecs  []unix.Iovec
	control []segmentSize // as groups
	count   int           // messages that wait
	at      int           // of them sent so far
	errno   syscall.Errno
	write   func(fd uintptr) bool
}

// mmsghdr is struct mmsghdr of sendmmsg(2) on 64-bit Linux.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// segmentSize is the control message UDP_SEGMENT, with its padding.
type segmentSize struct {
	hdr  unix.Cmsghdr
	size [8]byte // a uint16 in the machine's order
}

const (
	// datagramBatch bounds the packets that are gathered.
	datagramBatch = 1024
	// datagramBytes is the room for them all, datagramRoom that kept for one more.
	datagramBytes = 1 << 20
	datagramRoom  = 8 << 10
)

// newDatagrams sends by the socket. alone is for each packet by itself.
func newDatagrams(c *net.UDPConn, alone bool) (*datagrams, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := c.SetWriteBuffer(sendBuffer); err != nil {
		return nil, err
	}
	d := &datagrams{
		conn: c, raw: raw, alone: alone, buf: make([]byte, 0, datagramBytes),
		msgs: make([]mmsghdr, datagramBatch), iovecs: make([]unix.Iovec, datagramBatch), control: make([]segmentSize, datagramBatch),
	}
	for i := range d.control {
		h := &d.control[i].hdr
		h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		h.SetLen(unix.CmsgLen(2))
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

func (d *datagrams) add(buf []byte, dialog int) {
	if !d.alone {
		d.grouper.add(len(buf)-len(d.buf), dialog)
	}
	d.buf = buf
	d.ends = append(d.ends, len(buf))
}

func (d *datagrams) flush() error {
	d.arrange()
	for d.at < d.count {
		if err := d.raw.Write(d.write); err != nil {
			return err
		}
		switch {
		case d.errno == 0:
		case d.errno == unix.ECONNREFUSED:
			// Told of one sent before; the others are still to be sent.
		case !d.alone:
			// Not on this kernel or this way: what has not gone goes plainly.
			d.alone = true
			d.split()
		default:
			return d.errno
		}
	}
	d.buf, d.ends = d.buf[:0], d.ends[:0]
	d.grouper.reset()
	return nil
}

// arrange fills the messages with all that waits.
func (d *datagrams) arrange() {
	d.at, d.count = 0, 0
	if d.alone {
		for i := range d.ends {
			d.place(i, i)
			d.message(i, 1, 0)
		}
		return
	}
	d.grouper.arrange()
	for i, packet := range d.grouper.order {
		d.place(i, int(packet))
	}
	first := 0
	for _, g := range d.grouper.groups {
		d.message(first, g.packets, g.size)
		first += g.packets
	}
}

// split makes a message of each packet whose group was not sent, in the order
// of the groups.
func (d *datagrams) split() {
	sent := 0
	for _, g := range d.grouper.groups[:d.at] {
		sent += g.packets
	}
	d.at, d.count = 0, 0
	for i := sent; i < len(d.ends); i++ {
		d.message(i, 1, 0)
	}
}

// place lets the i-th piece be the packet of this number.
func (d *datagrams) place(i, packet int) {
	start := 0
	if packet > 0 {
		start = d.ends[packet-1]
	}
	d.iovecs[i].Base = unsafe.SliceData(d.buf[start:])
	d.iovecs[i].SetLen(d.ends[packet] - start)
}

// message adds a message of so many pieces from first on, all but the last of
// them of this size.
func (d *datagrams) message(first, pieces, size int) {
	h := &d.msgs[d.count].hdr
	h.Iov = &d.iovecs[first]
	h.SetIovlen(pieces)
	h.Control = nil
	h.SetControllen(0)
	if pieces > 1 {
		c := &d.control[d.count]
		binary.NativeEndian.PutUint16(c.size[:], uint16(size))
		h.Control = (*byte)(unsafe.Pointer(c))
		h.SetControllen(unix.CmsgSpace(2))
	}
	d.count++
}

// writeSome sends what the socket takes; false waits for it to take more.
func (d *datagrams) writeSome(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&d.msgs[d.at])), uintptr(d.count-d.at), 0, 0, 0)
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
