package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// limitListener accepts connections up to a limit, closes those beyond it at
// once, and ends the open ones when it is closed.
type limitListener struct {
	net.Listener
	max int
	tls *tls.Config

	mu                sync.Mutex
	closed            bool
	conns             map[*limitedConn]struct{}
	empty             *sync.Cond
	accepted, refused uint64
}

// StreamStats are a listener's figures.
type StreamStats struct {
	// Open connections now; Accepted and Refused since the start.
	Open              int
	Accepted, Refused uint64
}

func listenTCP(ctx context.Context, cfg StreamConfig) (*limitListener, error) {
	if cfg.SCTP {
		ln, err := listenSCTP(cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("listen for HEP on sctp %s: %w", cfg.Addr, err)
		}
		return newLimitListener(ln, cfg), nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HEP on tcp %s: %w", cfg.Addr, err)
	}
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
		if errors.Is(err, net.ErrClosed) {
			return nil, err
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
	if l.closed || len(l.conns) >= l.max {
		l.refused++
		return false
	}
	l.accepted++
	l.conns[c] = struct{}{}
	return true
}

// Close stops accepting and closes the open connections.
func (l *limitListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.conns {
		_ = c.Conn.Close() // its reader closes it once more, and is then done
	}
	return err
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
	return StreamStats{Open: len(l.conns), Accepted: l.accepted, Refused: l.refused}
}

type limitedConn struct {
	net.Conn
	l    *limitListener
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.l.mu.Lock()
		delete(c.l.conns, c)
		if len(c.l.conns) == 0 {
			c.l.empty.Broadcast()
		}
		c.l.mu.Unlock()
	})
	return err
}
