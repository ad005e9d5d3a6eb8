package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// limitListener accepts connections up to a limit and closes those beyond it at
// once. With patience it looks after the reads of the others too: it ends idle
// ones, and at the stop it reads out what the kernel holds.
type limitListener struct {
	net.Listener
	max int
	tls *tls.Config
	// patient says that reads have the deadlines of limitedConn, and idle how long
	// one may last; without it who reads sets deadlines itself, as HTTP's server does.
	patient bool
	idle    time.Duration

	mu                sync.Mutex
	stopped           bool
	conns             map[*limitedConn]struct{}
	empty             *sync.Cond
	accepted, refused uint64
	unread            uint64
}

// StreamStats are a listener's figures.
type StreamStats struct {
	// Open connections now; Accepted and Refused since the start.
	Open              int
	Accepted, Refused uint64
	// UnreadBytes lay in the buffers of connections when these were closed: what
	// senders had sent that nobody read.
	UnreadBytes uint64
}

func listenTCP(ctx context.Context, cfg StreamConfig) (*limitListener, error) {
	if cfg.SCTP {
		ln, err := listenSCTP(cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("listen for HEP on sctp %s: %w", cfg.Addr, err)
		}
		return newLimitListener(ln, cfg), nil
	}
	name := keptName(keptStream, cfg.Name, "-", cfg.Addr)
	ln, ok := take(cfg.Kept, name, net.FileListener)
	if !ok {
		var err error
		if ln, err = new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr); err != nil {
			return nil, fmt.Errorf("listen for HEP on tcp %s: %w", cfg.Addr, err)
		}
	}
	cfg.Kept.keepListener(name, ln)
	return newLimitListener(ln, cfg), nil
}

func newLimitListener(ln net.Listener, cfg StreamConfig) *limitListener {
	l := &limitListener{Listener: ln, max: cfg.MaxConns, tls: cfg.TLS, conns: map[*limitedConn]struct{}{}}
	l.empty = sync.NewCond(&l.mu)
	return l
}

// Accept returns the next connection within the limit. Its only error is that
// the listener was closed.
func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, net.ErrClosed
		}
		if err != nil {
			// Out of file descriptors, mostly: wait for some to come back.
			slog.Warn("accept HEP connection", "error", err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		c := &limitedConn{Conn: conn, l: l}
		if !l.admit(c) {
			_ = conn.Close()
			continue
		}
		if l.tls != nil {
			return tls.Server(c, l.tls), nil
		}
		return c, nil
	}
}

func (l *limitListener) admit(c *limitedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || len(l.conns) >= l.max {
		l.refused++
		return false
	}
	l.accepted++
	l.conns[c] = struct{}{}
	return true
}

// acceptTime is how long connections that the kernel has made already are still
// taken at the stop.
const acceptTime = 20 * time.Millisecond

// stopAccepting makes Accept end once it has taken what waits for it.
func (l *limitListener) stopAccepting() {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Now().Add(acceptTime)) == nil {
		return
	}
	_ = l.Listener.Close()
}

// streamDrainTime bounds a drain: time to read what the buffers of both ends of
// a fast connection hold, and not so much that a sender which goes on holds up
// the stop.
const streamDrainTime = 5 * time.Second

// drain tells every sender by a FIN that nobody will read any more, and lets
// what is under way arrive: until the sender has ended the connection too,
// nothing has come for drainQuiet, or streamDrainTime is over.
func (l *limitListener) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	until := time.Now().Add(streamDrainTime)
	for c := range l.conns {
		c.drain(until)
	}
}

// wait waits until every connection has been closed by who reads it.
func (l *limitListener) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.conns) > 0 {
		l.empty.Wait()
	}
}

func (l *limitListener) stats() StreamStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return StreamStats{Open: len(l.conns), Accepted: l.accepted, Refused: l.refused, UnreadBytes: l.unread}
}

// limitedConn is a connection of a limitListener. One goroutine reads it.
type limitedConn struct {
	net.Conn
	l    *limitListener
	once sync.Once
	// ended says that the sender has: nothing is left to read.
	ended bool

	mu    sync.Mutex
	until time.Time // the end of the drain; zero before it
}

// drainQuiet is how long nothing must have come for a drain to end: longer than
// a sender's answer to a FIN takes.
const drainQuiet = 500 * time.Millisecond

// Read reads within the listener's deadlines.
func (c *limitedConn) Read(p []byte) (int, error) {
	if !c.l.patient {
		return c.Conn.Read(p)
	}
	for {
		draining, err := c.arm()
		if err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if n == 0 && !draining && errors.Is(err, os.ErrDeadlineExceeded) && c.draining() {
			continue // woken by drain
		}
		c.ended = errors.Is(err, io.EOF)
		return n, err
	}
}

// arm sets the deadline of the next read, and tells whether it is one of the drain.
func (c *limitedConn) arm() (draining bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case !c.until.IsZero():
		quiet := now.Add(drainQuiet)
		if quiet.After(c.until) {
			quiet = c.until
		}
		return true, c.SetReadDeadline(quiet)
	case c.l.idle > 0:
		return false, c.SetReadDeadline(now.Add(c.l.idle))
	}
	return false, nil
}

func (c *limitedConn) draining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.until.IsZero()
}

// drain begins the end of the connection and wakes who reads it.
func (c *limitedConn) drain(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = until
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // an error means that the connection has ended, which its reader finds out
	}
	_ = c.SetReadDeadline(time.Now())
}

// Close closes the connection and counts what lies in it unread.
func (c *limitedConn) Close() error {
	c.once.Do(func() {
		n := 0
		if c.l.patient && !c.ended {
			n = unread(c.Conn)
		}
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		c.l.unread += uint64(n)
	})
	err := c.Conn.Close()
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	delete(c.l.conns, c)
	if len(c.l.conns) == 0 {
		c.l.empty.Broadcast()
	}
	return err
}
