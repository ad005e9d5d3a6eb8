package listen

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// closeOnceUnderWay closes the listener while the sink is busy, and lets the
// sink go on after that.
func closeOnceUnderWay(t *testing.T, l io.Closer, c *collector) {
	t.Helper()
	done := make(chan error)
	go func() { done <- l.Close() }()
	time.Sleep(20 * time.Millisecond)
	close(c.gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestCloseReadsOutConnections: what senders had sent before the end was asked
// for is delivered, though the sink was busy, and though nobody had accepted
// some of the connections. The senders are told by a FIN.
func TestCloseReadsOutConnections(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), 1)
	secure, err := NewTLS(TLSConfig{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]StreamConfig{"tcp": {}, "tls": {TLS: secure}, "without idle time-out": {IdleTimeout: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			c := collector{gate: make(chan struct{})}
			s := startStream(t, cfg, &c)
			msgs := real(t)
			const conns = 5
			var told sync.WaitGroup
			for range conns {
				conn := dial(t, s.Addr())
				if cfg.TLS != nil {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				for _, m := range msgs {
					if _, err := conn.Write(m); err != nil {
						t.Fatal(err)
					}
				}
				told.Go(func() {
					if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("the sender sees %v, want the end", err)
					}
					_ = conn.Close()
				})
			}
			closeOnceUnderWay(t, s, &c)
			told.Wait()
			if len(c.got) != conns*len(msgs) {
				t.Errorf("%d of %d messages delivered", len(c.got), conns*len(msgs))
			}
			for _, p := range c.got {
				if p.Fault != "" {
					t.Fatalf("fault %q", p.Fault)
				}
			}
			if n := s.Stats().UnreadBytes; n != 0 {
				t.Errorf("%d bytes unread", n)
			}
		})
	}
}

// TestASenderThatHeedsTheEndLosesNothing sends as fast as it goes until it is
// told to stop: every message that it wrote is delivered.
func TestASenderThatHeedsTheEndLosesNothing(t *testing.T) {
	var c collector
	s := startStream(t, StreamConfig{}, &c)
	msg := real(t)[0]
	const conns = 3
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range conns {
		conn := dial(t, s.Addr())
		var told atomic.Bool
		senders.Go(func() {
			_, _ = conn.Read(make([]byte, 1))
			told.Store(true)
		})
		senders.Go(func() {
			defer func() { _ = conn.Close() }()
			for !told.Load() {
				if _, err := conn.Write(msg); err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
			}
		})
	}
	c.wait(t, 1000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	senders.Wait()
	if int64(len(c.got)) != sent.Load() {
		t.Errorf("%d of %d messages delivered", len(c.got), sent.Load())
	}
	if n := s.Stats().UnreadBytes; n != 0 {
		t.Errorf("%d bytes unread", n)
	}
}

// slow is a sink that a fast sender is always ahead of.
type slow struct{ packets, bytes atomic.Int64 }

func (s *slow) Packets(_ time.Time, packets []Packet) {
	time.Sleep(20 * time.Millisecond)
	for _, p := range packets {
		s.packets.Add(1)
		s.bytes.Add(int64(len(p.Data)))
	}
}

// TestASenderThatGoesOnIsCutOff: the stop does not wait for it for ever, and
// what it had delivered that was not read is counted.
func TestASenderThatGoesOnIsCutOff(t *testing.T) {
	var sink slow
	s := startStream(t, StreamConfig{}, &sink)
	conn := dial(t, s.Addr())
	msg := bytes.Repeat(real(t)[0], 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := conn.Write(msg); err != nil {
				return
			}
		}
	}()
	for sink.packets.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats(); n.UnreadBytes == 0 || n.Open != 0 {
		t.Errorf("%+v: want some bytes unread and no connection open", n)
	}
	<-ended // by the cut
	before := sink.packets.Load()
	time.Sleep(50 * time.Millisecond)
	if sink.packets.Load() != before {
		t.Error("the sink was called after Close")
	}
}

// TestCloseReadsOutWebSockets, and answers a POST that is under way.
func TestCloseReadsOutWebSockets(t *testing.T) {
	c := collector{gate: make(chan struct{})}
	h := startHTTP(t, StreamConfig{}, 1<<20, &c)
	conn, _, err := websocket.Dial(t.Context(), "ws://"+h.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	msgs := real(t)
	for _, m := range msgs {
		if err := conn.Write(t.Context(), websocket.MessageBinary, m); err != nil {
			t.Fatal(err)
		}
	}
	status := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+h.Addr().String()+"/", "application/octet-stream", bytes.NewReader(msgs[0]))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	time.Sleep(50 * time.Millisecond) // the POST waits in the sink
	closeOnceUnderWay(t, h, &c)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the POST under way was answered %d", got)
	}
	if len(c.got) != len(msgs)+1 {
		t.Errorf("%d of %d messages delivered", len(c.got), len(msgs)+1)
	}
}

// TestCloseWithoutStart: a listener whose program failed to start is closed too.
func TestCloseWithoutStart(t *testing.T) {
	s, err := ListenStream(t.Context(), StreamConfig{Addr: "127.0.0.1:0", MaxConns: 1}, []Sink{&collector{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		_ = c.Close()
		t.Error("still listening")
	}
}

// TestUDPCloseUnderFullLoad: what a sender at full speed sends while the
// sockets close is delivered or counted, but for what meets no socket any more.
func TestUDPCloseUnderFullLoad(t *testing.T) {
	var sink slow
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 1 << 20}, []Sink{&sink, &sink})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	var sent atomic.Int64
	var senders sync.WaitGroup
	const conns = 4
	for range conns {
		conn, err := net.Dial("udp", u.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() {
			defer func() { _ = conn.Close() }()
			for {
				if _, err := conn.Write(make([]byte, 200)); err != nil {
					return // refused: nobody is there any more
				}
				sent.Add(1)
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	senders.Wait()
	var drops int64
	for _, s := range u.Stats() {
		drops += int64(s.KernelDrops)
	}
	// Of each sender the datagrams that were refused: it hears of the first at once.
	const met = conns * 2
	missing := sent.Load() - sink.packets.Load() - drops
	if missing < 0 || missing > met {
		t.Errorf("sent %d, delivered %d, dropped %d: %d are neither", sent.Load(), sink.packets.Load(), drops, missing)
	}
	if drops == 0 {
		t.Error("nothing was dropped: this was no full load")
	}
	t.Logf("sent %d, delivered %d, dropped %d, refused %d", sent.Load(), sink.packets.Load(), drops, missing)
}
