package agent

import (
	"bytes"
	"compress/flate"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// deflate compresses a message as permessage-deflate does: without the end of
// its last block. w is nil for a message that leans on none before it.
func deflate(t testing.TB, w *flate.Writer, into *bytes.Buffer, text []byte) []byte {
	t.Helper()
	if w == nil {
		into = &bytes.Buffer{}
		w, _ = flate.NewWriter(into, flate.BestCompression)
	}
	into.Reset()
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(bytes.TrimSuffix(into.Bytes(), []byte("\x00\x00\xff\xff")))
}

// TestInflateRFC reads the examples of RFC 7692 section 7.2.3.
func TestInflateRFC(t *testing.T) {
	var z inflater
	for _, c := range []struct {
		name, message, window string
	}{
		{"7.2.3.1: one block", "\xf2\x48\xcd\xc9\xc9\x07\x00", ""},
		{"7.2.3.2: leaning on the message before it", "\xf2\x00\x11\x00\x00", "Hello"},
		{"7.2.3.3: no compression", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", ""},
		{"7.2.3.4: BFINAL set", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", ""},
		{"7.2.3.5: two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", ""},
	} {
		if text, err := z.inflate([]byte(c.window), []byte(c.message), whole, 5); err != nil || string(text) != "Hello" {
			t.Errorf("%s: %q, %v", c.name, text, err)
		}
	}
	if text, err := z.inflate(nil, []byte("\xf2\x00\x11\x00\x00"), whole, 5); err == nil {
		t.Errorf("what leans on a message that is not known became %q", text)
	}
	if text, err := z.inflate(nil, []byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), whole, 4); !errors.Is(err, errInflated) || string(text) != "Hell" {
		t.Errorf("longer than the limit: %q, %v", text, err)
	}
	last := bytes.Repeat([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00"), maxLast+1)
	if _, err := z.inflate(nil, append(last, 0), whole, maxMessage); err == nil {
		t.Error("any number of last blocks is read")
	}
	var text []byte
	for range maxLast / 2 {
		text = append(text, "Hello"...)
	}
	if got, err := z.inflate(nil, append(last[:7*maxLast/2:7*maxLast/2], 0), whole, maxMessage); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d last blocks: %q, %v", maxLast/2, got, err)
	}
}

// TestCompressedWebSocket takes the messages out of compressed connections,
// however the stream was cut: those of a browser, and those of a library with
// and without leaning on messages before.
func TestCompressedWebSocket(t *testing.T) {
	messages := browserCall(t)
	streams := map[string][2][]byte{}
	for name, mode := range map[string]websocket.CompressionMode{"takeover": websocket.CompressionContextTakeover, "no takeover": websocket.CompressionNoContextTakeover} {
		client, server := recorded(t, mode, messages...)
		streams[name] = [2][]byte{client, server}
	}
	var browser [2][]byte
	for side, name := range []string{"client", "server"} {
		b, err := os.ReadFile(filepath.Join("testdata", "chromium-deflate."+name))
		if err != nil {
			t.Fatal(err)
		}
		browser[side] = b
	}
	streams["browser"] = browser
	size := 0
	for _, m := range messages {
		size += len(m)
	}
	for name, sides := range streams {
		t.Run(name, func(t *testing.T) {
			if n := len(sides[0]) + len(sides[1]); n >= size {
				t.Fatalf("%d bytes of %d: not compressed", n, size)
			}
			for first, stream := range sides {
				for _, piece := range []int{1, 7, 100, 1460, 1 << 20} {
					g := &gathered{}
					x := NewExtractor(g.options(Options{}))
					feed(t, x, tcp(nil), stream, piece)
					checkSide(t, g, messages, first)
					if err := x.Flush(); err != nil || x.streams.held != 0 || x.streams.windows != 0 {
						t.Errorf("%d and %d bytes held at the end, %v", x.streams.held, x.streams.windows, err)
					}
				}
			}
		})
	}
	// Behind the upgrade: the first message leans on none.
	_, frames, _ := bytes.Cut(browser[0], []byte("\r\n\r\n"))
	g := &gathered{}
	x := NewExtractor(g.options(Options{}))
	feed(t, x, tcp(nil), frames, 1<<20)
	checkSide(t, g, messages, 0)
}

// TestCompressedCut: what was missed makes messages unreadable that lean on it,
// and no others; each is counted.
func TestCompressedCut(t *testing.T) {
	invite, ok := messages(t)
	var buf bytes.Buffer
	w, _ := flate.NewWriter(&buf, flate.BestCompression)
	first, second, third := deflate(t, w, &buf, invite), deflate(t, w, &buf, ok), deflate(t, w, &buf, invite)
	alone := deflate(t, nil, nil, ok)
	frame := func(b []byte) []byte { return wsMessage(0xc1, 0x01020304, b) }
	texts := func(g *gathered) (all [][]byte) {
		for _, p := range g.packets {
			all = append(all, p.Payload)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		pieces [][]byte
		want   [][]byte
		counts Counts
	}{
		{"all", [][]byte{frame(first), frame(second), frame(third)}, [][]byte{invite, ok, invite}, Counts{SIP: 3}},
		{"one is broken", [][]byte{frame(first), frame([]byte("xxxx")), frame(third), frame(alone)}, [][]byte{invite, ok}, Counts{SIP: 2, Undeflated: 2}},
		{"a gap", [][]byte{frame(first), nil, frame(third), frame(alone)}, [][]byte{invite, ok}, Counts{SIP: 2, Undeflated: 1}},
		{"fragments", [][]byte{wsMessage(0x41, 7, first[:20]), wsMessage(0x00, 8, first[20:30]), wsMessage(0x80, 9, first[30:]), frame(second)}, [][]byte{invite, ok}, Counts{SIP: 2}},
		{"some are not compressed", [][]byte{frame(first), wsMessage(0x81, 4, ok), frame(second)}, [][]byte{invite, ok, ok}, Counts{SIP: 3}},
		{"inflates for ever", [][]byte{frame(deflate(t, nil, nil, make([]byte, maxMessage+1))), frame(alone)}, [][]byte{ok}, Counts{SIP: 1, Undeflated: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &gathered{}
			x := NewExtractor(g.options(Options{}))
			feed(t, x, tcp(nil), []byte(upgradeHead), 1<<20)
			gap := false
			for _, data := range c.pieces {
				if data == nil {
					gap = true
					continue
				}
				p := tcp(data)
				p.Gap, gap = gap, false
				if err := x.Payload(p); err != nil {
					t.Fatal(err)
				}
			}
			if got := texts(g); !slices.EqualFunc(got, c.want, bytes.Equal) || x.Counts() != c.counts {
				t.Errorf("%d messages, %+v, want %d, %+v", len(got), x.Counts(), len(c.want), c.counts)
			}
			if err := x.Flush(); err != nil || x.streams.held != 0 || x.streams.windows != 0 {
				t.Errorf("%d and %d bytes held at the end, %v", x.streams.held, x.streams.windows, err)
			}
		})
	}
	// What the capture's end cut short is given as far as it goes.
	g := &gathered{}
	x := NewExtractor(g.options(Options{}))
	whole := frame(first)
	feed(t, x, tcp(nil), append([]byte(upgradeHead), whole[:len(whole)/2]...), 1<<20)
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(g.packets) != 1 || len(g.packets[0].Payload) < 50 || !bytes.HasPrefix(invite, g.packets[0].Payload) {
		t.Errorf("a message that is cut short becomes %q", texts(g))
	}
}

// TestWindows: a window is what was said last, and all of them have a bound.
func TestWindows(t *testing.T) {
	var st streams
	s := &streamState{}
	var said []byte
	for i := range 40 {
		text := []byte(strings.Repeat(string(rune('a'+i%26)), 1+977*i))
		said = append(said, text...)
		st.remember(s, text)
		if want := said[max(0, len(said)-maxWindow):]; !bytes.Equal(s.window, want) || st.windows != len(want) {
			t.Fatalf("text %d: a window of %d bytes, %d counted, want %d", i, len(s.window), st.windows, len(want))
		}
	}
	st.windows = maxWindows
	other := &streamState{}
	if st.remember(other, []byte("x")); other.window != nil || st.windows != maxWindows {
		t.Errorf("no room, and yet %d bytes are kept", len(other.window))
	}
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), []byte("Hello"))
	f.Add([]byte("\xf2\x00\x11\x00\x00"), []byte("Hello"))
	var z inflater
	f.Fuzz(func(t *testing.T, message, window []byte) {
		const limit = 1 << 12
		text, err := z.inflate(window[:min(len(window), maxWindow)], message, whole, limit)
		if len(text) > limit {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		// What was said is what is read.
		again, err := z.inflate(nil, deflate(t, nil, nil, window), whole, len(window))
		if err != nil || !bytes.Equal(again, window) {
			t.Fatalf("%q became %q, %v", window, again, err)
		}
	})
}
