//go:build linux && (amd64 || arm64)

package listen

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endpoint is a socket that Go's poller does not watch. The poller wakes a
// thread for every datagram that arrives on a socket, whether or not anybody
// waits for it, which at low rates costs more than all the rest. This one has an
// epoll of its own, armed only while a reader waits; the poller watches that.
type endpoint struct {
	mu   sync.RWMutex // held for reading by who uses fd beside the reader
	fd   int          // -1 once closed
	gate *os.File     // the epoll
	arm  syscall.RawConn
}

// take takes the socket over from the connection.
func (e *endpoint) take(conn *net.UDPConn) error {
	e.fd = -1
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { e.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	_ = conn.Close() // which takes it from the poller; the duplicate keeps it open
	if cerr != nil {
		return cerr
	}
	if err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		_ = e.close()
		return fmt.Errorf("epoll: %w", err)
	}
	if err = unix.SetNonblock(epoll, true); err == nil { // else os.NewFile would not poll it
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, e.fd, &unix.EpollEvent{Events: unix.EPOLLONESHOT})
	}
	e.gate = os.NewFile(uintptr(epoll), "udp epoll")
	if err == nil {
		e.arm, err = e.gate.SyscallConn()
	}
	if err != nil {
		_ = e.close()
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wait returns when there is a datagram, or an error after wake.
func (e *endpoint) wait() error {
	var events [1]unix.EpollEvent
	armed := false
	var failed error
	err := e.arm.Read(func(epoll uintptr) bool {
		if !armed {
			// EPOLLONESHOT: one event disarms it.
			failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, e.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT})
			armed = true
		}
		if failed != nil {
			return true
		}
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		if err != nil && err != unix.EINTR {
			failed = err
		}
		return n > 0 || failed != nil
	})
	if err != nil {
		return err
	}
	return failed
}

// wake ends the wait of a reader, and every later one.
func (e *endpoint) wake() { _ = e.gate.SetReadDeadline(time.Now()) }

// use calls f with the socket unless it is closed.
func (e *endpoint) use(f func(fd int)) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.fd < 0 {
		return false
	}
	f(e.fd)
	return true
}

// close closes the socket. Nobody reads it any more.
func (e *endpoint) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gate != nil {
		_ = e.gate.Close()
	}
	if e.fd < 0 {
		return nil
	}
	err := unix.Close(e.fd)
	e.fd = -1
	return err
}
