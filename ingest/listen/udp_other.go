//go:build !linux || !(amd64 || arm64)

package listen

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// endpoint is the socket.
type endpoint struct{ conn *net.UDPConn }

func (e *endpoint) take(conn *net.UDPConn) error {
	e.conn = conn
	return nil
}

// wake ends the wait of a reader.
func (e *endpoint) wake() { _ = e.conn.SetReadDeadline(time.Now()) }

func (e *endpoint) close() error { return e.conn.Close() }

// configure asks for the receive buffer after the socket is open; see receive.
func (s *udpSocket) configure(_ syscall.RawConn, buffer int, share bool) error {
	if share {
		return errors.New("several sockets on one port need Linux: set hep.workers to 1")
	}
	s.buffer = buffer
	return nil
}

// receive reads datagrams one at a time until the socket is closed.
func (s *udpSocket) receive() {
	if s.buffer > 0 {
		_ = s.conn.SetReadBuffer(s.buffer)
	}
	data := make([]byte, MaxDatagram)
	packets := make([]Packet, 1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(data)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.closed.Load() {
				return
			}
			slog.Debug("udp read", "error", err)
			continue
		}
		packets[0] = Packet{Data: data[:n], From: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
		s.deliver(packets)
	}
}

// fill is not known here.
func (s *udpSocket) fill() float64 { return 0 }

// readCookie returns none: drops are not counted here.
func (s *udpSocket) readCookie() string { return "" }

// use does nothing: sockets are not kept here.
func (e *endpoint) use(func(fd int)) bool { return false }

// readDrops does nothing: this system does not say what it dropped.
func (s *udpSocket) readDrops() {}

// steer does nothing: there is one socket.
func (u *UDP) steer() {}

// shut does nothing: datagrams go on arriving until the socket is closed.
func (s *udpSocket) shut() {}

// leave does nothing: senders are refused once the socket is closed.
func (s *udpSocket) leave() {}
