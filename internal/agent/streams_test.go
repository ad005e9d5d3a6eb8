package agent

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
)

func TestMessagesOfAStream(t *testing.T) {
	invite, ok := messages(t)
	both := slices.Concat(invite, ok)
	hep3 := hep.Append(nil, &hep.Packet{Type: hep.TypeSIP, Payload: ok})
	for _, c := range []struct {
		name   string
		pieces [][]byte
		want   [][]byte
	}{
		{"one a piece", [][]byte{invite, ok}, [][]byte{invite, ok}},
		{"both in one piece", [][]byte{both}, [][]byte{invite, ok}},
		{"keep-alives between", [][]byte{[]byte("\r\n\r\n"), invite, []byte("\r\n"), []byte("\r\n\r\n"), ok}, [][]byte{invite, ok}},
		{"cut within the start line", [][]byte{both[:3], both[3:20], both[20:]}, [][]byte{invite, ok}},
		{"cut in the second start line", [][]byte{both[:len(invite)+2], both[len(invite)+2:]}, [][]byte{invite, ok}},
		{"begun in the middle", [][]byte{invite[100:], ok}, [][]byte{ok}},
		{"HEP, whose SIP is not captured again", [][]byte{hep3[:30], hep3[30:], hep3}, nil},
		{"HTTP, whose SIP was never on the wire", [][]byte{[]byte("POST / HTTP/1.1\r\n\r\n"), invite, ok}, nil},
		{"a database's", [][]byte{make([]byte, 40<<10), invite, ok}, nil},
		{"TLS", [][]byte{{0x16, 3, 1, 0, 5}, invite}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &gathered{}
			x := NewExtractor(g.options(Options{}))
			for _, piece := range c.pieces {
				if err := x.Payload(tcp(piece)); err != nil {
					t.Fatal(err)
				}
			}
			end := tcp(nil)
			end.End = true
			if err := x.Payload(end); err != nil {
				t.Fatal(err)
			}
			var got [][]byte
			for _, p := range g.packets {
				got = append(got, p.Payload)
			}
			if !slices.EqualFunc(got, c.want, bytes.Equal) {
				t.Errorf("%d messages %q, want %d", len(got), got, len(c.want))
			}
			if n := x.streams.held; n != 0 {
				t.Errorf("%d bytes counted as held at the end", n)
			}
		})
	}
}

func TestStreamCutAnywhere(t *testing.T) {
	invite, ok := messages(t)
	both := slices.Concat(invite, ok)
	for at := 1; at < len(both); at++ {
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		if err := errors.Join(x.Payload(tcp(both[:at])), x.Payload(tcp(both[at:]))); err != nil {
			t.Fatal(err)
		}
		if len(g.packets) != 2 || !bytes.Equal(g.packets[0].Payload, invite) || !bytes.Equal(g.packets[1].Payload, ok) {
			t.Fatalf("cut at %d: %d messages", at, len(g.packets))
		}
	}
}

// What a capture cut is given as it is: at a gap, at the connection's end, and
// at the capture's.
func TestCutMessageIsSeen(t *testing.T) {
	invite, ok := messages(t)
	half := invite[:len(invite)-50]
	for name, after := range map[string]func(*Extractor) error{
		"gap":   func(x *Extractor) error { p := tcp(ok); p.Gap = true; return x.Payload(p) },
		"end":   func(x *Extractor) error { p := tcp(nil); p.End = true; return x.Payload(p) },
		"flush": (*Extractor).Flush,
	} {
		g := &gathered{}
		x := NewExtractor(g.options(Options{}))
		if err := errors.Join(x.Payload(tcp(half)), after(x)); err != nil {
			t.Fatal(err)
		}
		if len(g.packets) == 0 || !bytes.Equal(g.packets[0].Payload, half) {
			t.Errorf("%s: the cut message is not given out", name)
		}
		if name == "gap" && (len(g.packets) != 2 || !bytes.Equal(g.packets[1].Payload, ok)) {
			t.Errorf("gap: %d messages", len(g.packets))
		}
	}
}

func TestHeldBytesAreBounded(t *testing.T) {
	g := &gathered{}
	x := NewExtractor(g.options(Options{}))
	invite, ok := messages(t)
	endless := bytes.Replace(invite, []byte("Content-Length:"), []byte("Content-Length: 99999999\r\nX:"), 1)
	if err := x.Payload(tcp(endless)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if err := x.Payload(tcp(make([]byte, 64<<10))); err != nil {
			t.Fatal(err)
		}
		if x.streams.held > maxMessage {
			t.Fatalf("%d bytes held", x.streams.held)
		}
	}
	// Others do not suffer.
	p := tcp(ok)
	p.Src = bob
	if err := x.Payload(p); err != nil || len(g.packets) != 1 {
		t.Errorf("%d packets, %v", len(g.packets), err)
	}
}

// Whatever a stream brings, in whatever pieces, what is held stays bounded and
// counted, and every message that is given out is one.
func FuzzStream(f *testing.F) {
	invite, ok := messages(f)
	f.Add(slices.Concat(invite, ok), uint16(100), false)
	f.Add(slices.Concat([]byte("\r\n\r\n"), ok, hep.Append(nil, &hep.Packet{Payload: ok})), uint16(7), true)
	f.Add([]byte("POST / HTTP/1.1\r\n\r\n"), uint16(3), false)
	f.Add(slices.Concat([]byte(upgradeHead), wsMessage(0x01, 1, invite[:50]), wsMessage(0x89, 2, nil), wsMessage(0x80, 3, invite[50:])), uint16(40), false)
	f.Add(slices.Concat(wsMessage(0x82, 0, ok), wsMessage(0x81, 7, invite)), uint16(1000), true)
	f.Fuzz(func(t *testing.T, data []byte, piece uint16, gap bool) {
		x := NewExtractor(Options{Correlate: true, RTP: true, RTCPAsJSON: true, Packet: func(p *hep.Packet) error {
			if p.Type == hep.TypeSIP && !sip.LooksLikeSIP(p.Payload) || len(p.Payload) == 0 {
				t.Errorf("%+v", p)
			}
			return nil
		}})
		if err := x.Payload(udp(data)); err != nil {
			t.Fatal(err)
		}
		for len(data) > 0 {
			n := min(int(piece)+1, len(data))
			p := tcp(data[:n])
			p.Gap = gap
			if err := x.Payload(p); err != nil {
				t.Fatal(err)
			}
			data = data[n:]
			held := 0
			for _, s := range x.streams.open {
				held += len(s.held)
			}
			if held != x.streams.held {
				t.Fatalf("%d bytes held, counted %d", held, x.streams.held)
			}
		}
		if err := x.Flush(); err != nil || x.streams.held != 0 {
			t.Errorf("%d bytes held at the end, %v", x.streams.held, err)
		}
	})
}
