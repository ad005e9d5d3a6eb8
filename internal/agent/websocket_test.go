package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// wiretap keeps what goes over a connection.
type wiretap struct {
	net.Conn
	mu             sync.Mutex
	sent, received []byte
}

func (w *wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.sent = append(w.sent, b...)
	w.mu.Unlock()
	return w.Conn.Write(b)
}

func (w *wiretap) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	w.received = append(w.received, b[:n]...)
	w.mu.Unlock()
	return n, err
}

// recorded is the TCP stream of both directions of a WebSocket connection over
// which two programs sent each other the messages, the client the first.
func recorded(t testing.TB, mode websocket.CompressionMode, messages ...[]byte) (client, server []byte) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"sip"}, CompressionMode: mode, CompressionThreshold: 1})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		for i := range messages {
			if i%2 == 1 {
				err = c.Write(r.Context(), websocket.MessageText, messages[i])
			} else {
				_, _, err = c.Read(r.Context())
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
		_, _, _ = c.Read(r.Context()) // until the client closes
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tap := &wiretap{Conn: conn}
	c, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), &websocket.DialOptions{
		Subprotocols: []string{"sip"}, CompressionMode: mode, CompressionThreshold: 1,
		HTTPClient: &http.Client{Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return tap, nil },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if i%2 == 0 {
			err = c.Write(t.Context(), websocket.MessageText, messages[i])
		} else {
			_, _, err = c.Read(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return tap.sent, tap.received
}

// browserCall is a REGISTER and the call of a browser as its proxy saw them.
func browserCall(t testing.TB) (all [][]byte) {
	t.Helper()
	var d hep.Decoder
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-sip-websocket-jssip-a.pcap")) {
		var q hep.Packet
		if err := d.Decode(&q, p.Payload); err != nil {
			t.Fatal(err)
		}
		if q.Type == hep.TypeSIP {
			all = append(all, bytes.Clone(q.Payload))
		}
	}
	return all
}

// feed gives the extractor a stream in pieces.
func feed(t testing.TB, x *Extractor, p pcap.Payload, stream []byte, piece int) {
	t.Helper()
	for data := range slices.Chunk(stream, piece) {
		p.Data = data
		if err := x.Payload(p); err != nil {
			t.Fatal(err)
		}
	}
}

// checkSide compares what was found in one direction's stream with every second
// message, from the first.
func checkSide(t *testing.T, g *gathered, messages [][]byte, first int) {
	t.Helper()
	n := 0
	for i := first; i < len(messages); i += 2 {
		if n == len(g.packets) {
			t.Fatalf("%d messages, want more", n)
		}
		p := g.packets[n]
		if !bytes.Equal(p.Payload, messages[i]) || p.Type != hep.TypeSIP || p.Protocol != hep.ProtocolTLS {
			t.Fatalf("message %d: protocol %d, %q", n, p.Protocol, p.Payload)
		}
		n++
	}
	if n != len(g.packets) {
		t.Errorf("%d messages, want %d", len(g.packets), n)
	}
}

// TestSIPOverWebSocket takes the messages out of a recorded connection, however
// its stream was cut, and whether it was seen from its beginning or not.
func TestSIPOverWebSocket(t *testing.T) {
	messages := browserCall(t)
	client, server := recorded(t, websocket.CompressionDisabled, messages...)
	if len(messages) < 10 {
		t.Fatalf("only %d messages", len(messages))
	}
	for _, piece := range []int{1, 2, 7, 100, 1460, 1 << 20} {
		for first, stream := range [][]byte{client, server} {
			g := &gathered{}
			x := NewExtractor(g.options(Options{}))
			feed(t, x, tcp(nil), stream, piece)
			checkSide(t, g, messages, first)
			if err := x.Flush(); err != nil || x.streams.held != 0 {
				t.Errorf("%d bytes held at the end, %v", x.streams.held, err)
			}
		}
	}
	// Behind the upgrade, in segments that begin with a frame.
	for first, stream := range [][]byte{client, server} {
		_, frames, _ := bytes.Cut(stream, []byte("\r\n\r\n"))
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		feed(t, x, tcp(nil), frames, 1<<20)
		checkSide(t, g, messages, first)
	}
}

// wsMessage is a frame, masked with the key unless it is 0.
func wsMessage(first byte, key uint32, text []byte) (b []byte) {
	b = []byte{first}
	var mask byte
	if key != 0 {
		mask = 0x80
	}
	switch n := len(text); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if key == 0 {
		return append(b, text...)
	}
	k := binary.BigEndian.AppendUint32(nil, key)
	b = append(b, k...)
	for i, c := range text {
		b = append(b, c^k[i&3])
	}
	return b
}

const upgradeHead = "GET /sip HTTP/1.1\r\nHost: x\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\n\r\n"

func TestWebSocketFrames(t *testing.T) {
	invite, ok := messages(t)
	long := slices.Concat([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, byte(len(ok) >> 8), byte(len(ok))}, ok) // longer than it need be
	hep3 := hep.Append(nil, &hep.Packet{Type: hep.TypeSIP, Payload: ok})
	half := len(invite) / 2
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   [][]byte
		counts Counts
	}{
		{"text and binary, masked and not", [][]byte{wsMessage(0x81, 0x12345678, invite), wsMessage(0x82, 0, ok)}, [][]byte{invite, ok}, Counts{SIP: 2}},
		{"64-bit length", [][]byte{long, wsMessage(0x81, 1, invite)}, [][]byte{ok, invite}, Counts{SIP: 2}},
		{
			"fragments, a ping between them",
			[][]byte{wsMessage(0x01, 0xcafebabe, invite[:half]), wsMessage(0x89, 5, []byte("ping")), wsMessage(0x00, 6, invite[half:half+1]), wsMessage(0x80, 7, invite[half+1:]), wsMessage(0x81, 8, ok)},
			[][]byte{invite, ok}, Counts{SIP: 2},
		},
		{"keep-alives and empty messages", [][]byte{wsMessage(0x81, 1, []byte("\r\n\r\n")), wsMessage(0x81, 2, nil), wsMessage(0x8a, 3, nil), wsMessage(0x81, 4, ok)}, [][]byte{ok}, Counts{SIP: 1}},
		{"the end of a message that began before", [][]byte{wsMessage(0x80, 1, invite[half:]), wsMessage(0x81, 4, ok)}, [][]byte{ok}, Counts{SIP: 1}},
		{"something else", [][]byte{wsMessage(0x81, 1, []byte(`{"method":"login"}`)), wsMessage(0x81, 4, ok)}, [][]byte{ok}, Counts{SIP: 1, Ignored: 1}},
		{"HEP, whose SIP is not captured again", [][]byte{wsMessage(0x82, 9, hep3)}, nil, Counts{HEP: 1}},
		{"compressed, and broken", [][]byte{wsMessage(0xc1, 9, []byte("xxxxx")), wsMessage(0x81, 4, ok)}, [][]byte{ok}, Counts{SIP: 1, Undeflated: 1}},
		{"a compressed continuation", [][]byte{wsMessage(0x01, 9, invite[:half]), wsMessage(0xc0, 9, invite[half:])}, nil, Counts{Ignored: 1}},
		{"a compressed ping", [][]byte{wsMessage(0xc9, 9, nil)}, nil, Counts{Ignored: 1}},
		{"a new message within another", [][]byte{wsMessage(0x01, 9, invite[:half]), wsMessage(0x81, 9, ok)}, nil, Counts{Ignored: 1}},
		{"too long", [][]byte{wsMessage(0x82, 9, make([]byte, maxMessage+1))}, nil, Counts{Ignored: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &gathered{}
			x := NewExtractor(g.options(Options{}))
			stream := append([]byte(upgradeHead), slices.Concat(c.frames...)...)
			feed(t, x, tcp(nil), stream, 1<<21)
			var got [][]byte
			for _, p := range g.packets {
				got = append(got, p.Payload)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) || x.Counts() != c.counts {
				t.Errorf("%d messages, %+v, want %d, %+v", len(got), x.Counts(), len(c.want), c.counts)
			}
			if err := x.Flush(); err != nil || x.streams.held != 0 {
				t.Errorf("%d bytes held at the end, %v", x.streams.held, err)
			}
		})
	}
}

// TestWebSocketCut: what a gap or the capture's end cut short is given as it is,
// and behind a gap the next frame with SIP is found.
func TestWebSocketCut(t *testing.T) {
	invite, ok := messages(t)
	stream := append([]byte(upgradeHead), wsMessage(0x81, 0x01020304, invite)...)
	stream = stream[:len(stream)-50]
	for name, after := range map[string]func(*Extractor) error{
		"gap":   func(x *Extractor) error { p := tcp(wsMessage(0x81, 5, ok)); p.Gap = true; return x.Payload(p) },
		"flush": (*Extractor).Flush,
	} {
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		if err := errors.Join(x.Payload(tcp(stream)), after(x)); err != nil {
			t.Fatal(err)
		}
		if len(g.packets) == 0 || !bytes.Equal(g.packets[0].Payload, invite[:len(invite)-50]) {
			t.Errorf("%s: the cut message is not given out", name)
		}
		if name == "gap" && (len(g.packets) != 2 || !bytes.Equal(g.packets[1].Payload, ok)) {
			t.Errorf("gap: %d messages", len(g.packets))
		}
	}
}

// TestForeignWebSocket: a connection that never speaks SIP is left alone, and
// endless fragments hold nothing.
func TestForeignWebSocket(t *testing.T) {
	_, ok := messages(t)
	g := &gathered{}
	x := NewExtractor(g.options(Options{}))
	feed(t, x, tcp(nil), []byte(upgradeHead), 1<<20)
	for range 100 {
		feed(t, x, tcp(nil), wsMessage(0x82, 1, make([]byte, 1000)), 1<<20)
	}
	feed(t, x, tcp(nil), wsMessage(0x81, 1, ok), 1<<20)
	if len(g.packets) != 0 {
		t.Error("still looked at")
	}
	x = NewExtractor(g.options(Options{}))
	feed(t, x, tcp(nil), append([]byte(upgradeHead), wsMessage(0x01, 1, []byte("INVITE "))...), 1<<20)
	for range 2 * maxFragments {
		feed(t, x, tcp(nil), wsMessage(0x00, 1, nil), 1<<20)
	}
	if x.streams.held != 0 {
		t.Errorf("%d bytes held", x.streams.held)
	}
}
