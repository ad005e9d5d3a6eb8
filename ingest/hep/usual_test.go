package hep

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// sameChunks fails unless b is decoded the same with and without the code for
// usual chunks.
func sameChunks(t *testing.T, b []byte) {
	t.Helper()
	var usual, forgiving Decoder
	forgiving.forgivingOnly = true
	var got, want Packet
	gotErr, wantErr := usual.Decode(&got, b), forgiving.Decode(&want, b)
	if diff := difference(&got, &want); diff != "" || got.Quirks != want.Quirks || got.Has != want.Has {
		t.Fatalf("%q: quirks %v and %v, chunks %x and %x\n%s", b, got.Quirks, want.Quirks, got.Has, want.Has, diff)
	}
	var g, w *Error
	if errors.As(gotErr, &g) != errors.As(wantErr, &w) || g != nil && *g != *w {
		t.Fatalf("%q: %v, by the forgiving code alone %v", b, gotErr, wantErr)
	}
}

// TestUsualChunks: the code for usual chunks never changes a result. It decodes
// one message of each capture, cut at every byte, and with bytes changed, left
// out and put in, as the forgiving code does; and it is what decodes them.
func TestUsualChunks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	taken := 0
	for _, b := range samples(t) {
		sameChunks(t, b)
		var p Packet
		var addr addresses
		if len(b) > headerLen && p.usualChunks(b, &addr) > headerLen+protocolSize {
			taken++
		}
		for n := range min(len(b), 200) { // chunk headers are in front
			sameChunks(t, b[:n:n])
			for range 4 {
				c := byte(rnd.Uint32())
				if rnd.IntN(2) == 0 {
					c &= 15 // types and lengths
				}
				changed := bytes.Clone(b)
				changed[n] = c
				sameChunks(t, changed)
				sameChunks(t, append(changed[:n], b[n+1:]...))
				sameChunks(t, append(append(bytes.Clone(b[:n]), c), b[n:]...))
			}
		}
		// Each chunk twice, and moved to the front.
		if len(b) < headerLen || b[1] != 'E' {
			continue
		}
		for at := headerLen; at+chunkHeaderLen <= len(b); {
			n := int(be16(b[at+4:]))
			if n < chunkHeaderLen || n > len(b)-at {
				break
			}
			again := append(append(bytes.Clone(b[:headerLen]), b[at:at+n]...), b[headerLen:]...)
			sameChunks(t, again)
			sameChunks(t, append(bytes.Clone(again[:at+n]), b[min(at+n, len(b)):]...))
			at += n
		}
	}
	if taken < 25 {
		t.Errorf("only %d messages are of the usual form", taken)
	}
}

// FuzzUsualChunks is TestUsualChunks for anything.
func FuzzUsualChunks(f *testing.F) {
	seed(f)
	f.Fuzz(sameChunks)
}
