package hep

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

func TestFrameLength(t *testing.T) {
	for _, tc := range []struct {
		in     string
		n      int
		reason string
	}{
		{"", 0, ""}, {"H", 0, ""}, {"HEP", 0, ""}, {"HEP3", 0, ""}, {"EEP3\x01", 0, ""},
		{"HEP3\x00\x06", 6, ""}, {"EEP3\x01\x02more", 258, ""}, {"HEP3\xff\xff", 65535, ""},
		{"HEP3\x00\x05", 0, ReasonBadLength}, {"EEP3\x00\x00rest", 0, ReasonBadLength},
		{"X", 0, ReasonBadMagic}, {"HEX", 0, ReasonBadMagic}, {"HEP2\x00\x10", 0, ReasonBadMagic},
		{"\x02\x10\x02\x11", 0, ReasonBadMagic}, {"EHP3\x00\x10", 0, ReasonBadMagic},
	} {
		n, err := FrameLength([]byte(tc.in))
		reason := ""
		if err != nil {
			reason = err.(*Error).Reason
		}
		if n != tc.n || reason != tc.reason {
			t.Errorf("%q: %d, %q; want %d, %q", tc.in, n, reason, tc.n, tc.reason)
		}
	}
}

func TestResync(t *testing.T) {
	whole := string(build(text(ChunkPayload, options)))
	for _, tc := range []struct {
		name, in string
		skip     int
	}{
		{"nothing", "", 0},
		{"one byte, no magic", "x", 1},
		{"one byte that could be magic is dropped all the same", "H", 1},
		{"garbage alone", "garbage, HE EP HEP", 15},
		{"magic at the end is kept", "xxHEP3", 2},
		{"part of a magic at the end is kept", "xxEE", 2},
		{"a message", "xx" + whole, 2},
		{"the refused start is dropped", "HEP3\x00\x00" + whole, 6},
		{"magic with an impossible length", "xxHEP3\x00\x02" + whole, 8},
		{"magic with an impossible first chunk", "xxHEP3\x01\x00\x00\x00\x00\x0f\x02\x00" + whole, 14},
		{"magic with a first chunk below its header", "xxHEP3\x01\x00\x00\x00\x00\x0f\x00\x05" + whole, 14},
		{"magic within magic", "xHEHEP3" + whole[4:], 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Resync([]byte(tc.in)); got != tc.skip {
				t.Errorf("skips %d, want %d", got, tc.skip)
			}
		})
	}
}

// split reads a stream as a listener does: in pieces, resynchronising after
// garbage. It returns the messages and how many bytes it dropped.
func split(stream []byte, piece func() int) (out [][]byte, dropped int) {
	var b []byte
	for len(stream) > 0 {
		n := min(piece(), len(stream))
		b, stream = append(b, stream[:n]...), stream[n:]
		for {
			n, err := FrameLength(b)
			if err != nil {
				skip := Resync(b)
				dropped, b = dropped+skip, b[skip:]
				continue
			}
			if n == 0 || n > len(b) {
				break
			}
			out, b = append(out, b[:n:n]), b[n:]
		}
	}
	return out, dropped
}

// TestStream cuts the messages of a real TCP capture at random places and puts
// garbage between some of them.
func TestStream(t *testing.T) {
	all := messages(t, captures.Path("kamailio-hep3-tcp-a.pcap"))
	if len(all) != 138 {
		t.Fatalf("%d messages in the capture, want 138", len(all))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var stream []byte
	garbage := 0
	for i, m := range all {
		if i%10 == 3 {
			junk := []byte("GET / HTTP/1.1\r\nHost: EEP\r\n\r\nHEP3\x00\x00")
			stream, garbage = append(stream, junk...), garbage+len(junk)
		}
		stream = append(stream, m.bytes...)
	}
	for _, piece := range []func() int{
		func() int { return 1 },
		func() int { return 1 + rng.IntN(2000) },
		func() int { return len(stream) },
	} {
		got, dropped := split(stream, piece)
		if dropped != garbage {
			t.Errorf("dropped %d bytes, want %d", dropped, garbage)
		}
		if len(got) != len(all) {
			t.Fatalf("%d messages, want %d", len(got), len(all))
		}
		for i := range got {
			if !bytes.Equal(got[i], all[i].bytes) {
				t.Fatalf("message %d differs", i)
			}
		}
	}
}
