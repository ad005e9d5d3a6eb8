//go:build !linux || !(amd64 || arm64)

package gen

import (
	"errors"
	"net"
	"syscall"
)

// datagrams sends each packet by a call of its own.
type datagrams struct {
	conn *net.UDPConn
	buf  []byte
}

func newDatagrams(c *net.UDPConn, _ bool) (*datagrams, error) {
	return &datagrams{conn: c}, c.SetWriteBuffer(sendBuffer)
}

func (d *datagrams) room() ([]byte, error) {
	err := d.flush()
	return d.buf, err
}

func (d *datagrams) add(buf []byte, _ int) { d.buf = buf }

func (d *datagrams) flush() error {
	if len(d.buf) == 0 {
		return nil
	}
	_, err := d.conn.Write(d.buf)
	d.buf = d.buf[:0]
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil // told of one sent before
	}
	return err
}

func (d *datagrams) close() error { return d.conn.Close() }
