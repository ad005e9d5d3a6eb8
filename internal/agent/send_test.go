package agent

import (
	"context"
	"errors"
	"io"

	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// collector takes HEP over TCP, connection by connection.
type collector struct {
	ln net.Listener
	mu sync.Mutex
	b  []byte
	// one is the connection open now, ended counts those that senders have closed.
	one   net.Conn
	ended int
}

func newCollector(t *testing.T, addr string) *collector {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{ln: ln}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.one = conn
			c.mu.Unlock()
			go func() {
				buf := make([]byte, 64<<10)
				for {
					n, err := conn.Read(buf)
					c.mu.Lock()
					c.b = append(c.b, buf[:n]...)
					if errors.Is(err, io.EOF) {
						c.ended++
					}
					c.mu.Unlock()
					if err != nil {
						_ = conn.Close()
						return
					}
				}
			}()
		}
	}()
	return c
}

// payloads are those of the messages received.
func (c *collector) payloads(t *testing.T) (out []string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var d hep.Decoder
	var p hep.Packet
	for b := c.b; len(b) > 0; {
		n, err := hep.FrameLength(b)
		if err != nil || n > len(b) {
			break
		}
		if err := d.Decode(&p, b[:n]); err != nil {
			t.Fatal(err)
		}
		out = append(out, string(p.Payload))
		b = b[n:]
	}
	return out
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not in twenty seconds: %s", what)
}

func sender(t *testing.T, cfg SenderConfig) *Sender {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := NewSender(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func logLineOf(i int) *hep.Packet {
	return &hep.Packet{Type: hep.TypeLog, Payload: []byte(strconv.Itoa(i))}
}

func TestSenderSendsAllInOrder(t *testing.T) {
	c := newCollector(t, "127.0.0.1:0")
	s := sender(t, SenderConfig{Target: Target{Addr: c.ln.Addr().String(), Proto: "tcp"}, QueueBytes: 200})
	const n = 500
	for i := range n {
		if err := s.Send(logLineOf(i)); err != nil { // waits for room
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all received", func() bool { return len(c.payloads(t)) == n })
	for i, p := range c.payloads(t) {
		if p != strconv.Itoa(i) {
			t.Fatalf("packet %d is %s", i, p)
		}
	}
	if st := s.Stats(); st.Sent != n || st.Dropped+st.Waiting+st.Unsendable != 0 || st.Connects != 1 {
		t.Errorf("%+v", st)
	}
}

func TestSenderConnectsAgain(t *testing.T) {
	c := newCollector(t, "127.0.0.1:0")
	s := sender(t, SenderConfig{Target: Target{Addr: c.ln.Addr().String(), Proto: "tcp"}, Live: true})
	if err := s.Send(logLineOf(1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first arrives", func() bool { return len(c.payloads(t)) == 1 })
	// The collector goes away and another takes its place.
	addr := c.ln.Addr().String()
	_ = c.ln.Close()
	c.mu.Lock()
	_ = c.one.Close()
	c.mu.Unlock()
	time.Sleep(50 * time.Millisecond) // the loss is noticed by the reader of the connection
	for i := 2; i < 12; i++ {
		if err := s.Send(logLineOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	again := newCollector(t, addr)
	eventually(t, "the rest arrives", func() bool { return len(again.payloads(t)) == 10 })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Sent != 11 || st.Dropped != 0 || st.Connects != 2 {
		t.Errorf("%+v", st)
	}
}

// A collector that stops says so first (FIN) and reads what is under way: nothing
// goes into the old connection after that, and what went before arrives.
func TestSenderHeedsFIN(t *testing.T) {
	c := newCollector(t, "127.0.0.1:0")
	s := sender(t, SenderConfig{Target: Target{Addr: c.ln.Addr().String(), Proto: "tcp"}, Live: true})
	const each = 50
	for i := range each {
		if err := s.Send(logLineOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are sent", func() bool { return s.Stats().Sent == each })
	c.mu.Lock()
	old := c.one
	c.mu.Unlock()
	if err := old.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// The sender closes its side: the collector's read ends by itself.
	eventually(t, "the sender has closed", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.ended == 1
	})
	for i := range each {
		if err := s.Send(logLineOf(each + i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all arrive", func() bool { return len(c.payloads(t)) == 2*each })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Sent != 2*each || st.Dropped != 0 || st.Connects != 2 {
		t.Errorf("%+v", st)
	}
	for i, p := range c.payloads(t) {
		if p != strconv.Itoa(i) {
			t.Fatalf("packet %d is %s", i, p)
		}
	}
}

// refused is an address where nothing listens.
func refused(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	return ln.Addr().String()
}

func TestLiveSenderDropsWhatDoesNotFit(t *testing.T) {
	s := sender(t, SenderConfig{Target: Target{Addr: refused(t), Proto: "tcp"}, Live: true, QueueBytes: 1000})
	const n = 1000
	for i := range n {
		if err := s.Send(logLineOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	st := s.Stats()
	if st.Sent+st.Dropped+st.Waiting != n || st.Dropped == 0 || st.Waiting == 0 {
		t.Errorf("%+v does not add up to %d", st, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("closing: %v", err)
	}
	if st := s.Stats(); st.Dropped != n || st.Waiting != 0 {
		t.Errorf("after the end: %+v", st)
	}
}

func TestSenderOfAFileFailsAtOnce(t *testing.T) {
	s := sender(t, SenderConfig{Target: Target{Addr: refused(t), Proto: "tcp"}})
	_ = s.Send(logLineOf(1))
	err := s.Close(t.Context())
	if err == nil || !strings.Contains(err.Error(), "connect to 127.0.0.1:") {
		t.Errorf("error %v", err)
	}
	if err := s.Send(logLineOf(2)); err == nil {
		t.Error("a sender that failed takes more")
	}
}

func TestSenderOverUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := sender(t, SenderConfig{Target: Target{Addr: conn.LocalAddr().String(), Proto: "udp"}})
	legacy := []byte("\x01\x10\x02\x11 not framed, but a datagram")
	if err := s.SendRaw(legacy); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, _, err := conn.ReadFrom(buf); err != nil || string(buf[:n]) != string(legacy) {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	// Nobody listens any more: lost, but no reason to stop.
	_ = conn.Close()
	for i := range 20 {
		if err := s.Send(logLineOf(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Sent+st.Dropped != 21 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

func TestUnsendableIsCounted(t *testing.T) {
	c := newCollector(t, "127.0.0.1:0")
	s := sender(t, SenderConfig{Target: Target{Addr: c.ln.Addr().String(), Proto: "tcp"}})
	whole := hep.Append(nil, logLineOf(1))
	for _, message := range [][]byte{[]byte("\x01\x10\x02\x11"), whole[:len(whole)-1], append(whole[:len(whole):len(whole)], 0)} {
		if err := s.SendRaw(message); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send(&hep.Packet{Payload: make([]byte, 70000)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Unsendable != 4 || st.Sent != 0 {
		t.Errorf("%+v", st)
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{Addr: "127.0.0.1:9060", Proto: "udp"}, ""},
		{Target{Addr: "[::1]:9060", Proto: "tls"}, ""},
		{Target{Addr: "127.0.0.1", Proto: "udp"}, "HOST:PORT"},
		{Target{Addr: "127.0.0.1:sip", Proto: "udp"}, `"sip" is no port`},
		{Target{Addr: "127.0.0.1:0", Proto: "udp"}, `"0" is no port`},
		{Target{Addr: "127.0.0.1:9060", Proto: "sctp"}, "proto takes udp, tcp or tls"},
	} {
		err := c.target.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.target, err)
		}
	}
	addrs, err := Target{Addr: "[::1]:9060"}.Addrs(t.Context())
	if err != nil || len(addrs) != 1 || addrs[0].String() != "[::1]:9060" {
		t.Errorf("%v, %v", addrs, err)
	}
}
