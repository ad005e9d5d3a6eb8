package hep

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// samples are one message of each variant and of each sender's form of it.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{
		"every chunk":  build(everyChunk()...),
		"vendor chunk": build(append(everyChunk(), Chunk{Vendor: VendorGenesys, Type: 0x80, Data: []byte("x")})...),
		"protobuf":     buildProtobuf("192.0.2.1", "2001:db8::2"),
		"zlib":         compressed(compress(t, "zlib", options)),
		"gzip":         compressed(compress(t, "gzip", options)),
		"deflate":      compressed(compress(t, "deflate", options)),
		"short time":   legacy{2, 16, 2, "", timeHeaderBytes(binary.LittleEndian, 1795228661, 1, 1, ""), options}.bytes(),
	}
	for _, name := range hepCaptures(t) {
		ms := messages(t, captures.Path(name+".pcap"))
		out[name] = ms[len(ms)-1].bytes
	}
	eep := build(everyChunk()...)
	eep[0] = 'E'
	out["eep3"] = eep
	return out
}

// TestTruncation cuts a message of each form at every byte. A cut message is an
// error, but for these by design: version 1 and 2 and protobuf cut behind the
// last header or field they need, as they have no length of their own, and
// version 3 cut between two chunks once the payload is there.
func TestTruncation(t *testing.T) {
	var d Decoder
	var p Packet
	for name, b := range samples(t) {
		whole := *decode(t, b)
		for n := range b {
			// A copy of exact size: reading beyond it panics.
			cut := append(make([]byte, 0, n), b[:n]...)
			err := d.Decode(&p, cut)
			checkSound(t, cut, &p, err)
			if err != nil {
				continue
			}
			switch p.Variant {
			case HEP1, HEP2:
				// The payload is all that is left, but for padding.
				if !bytes.HasSuffix(cut, p.Payload) && !bytes.HasSuffix(bytes.TrimSuffix(cut, make([]byte, 8)), p.Payload) {
					t.Errorf("%s cut at %d: payload %q", name, n, p.Payload)
				}
				if p.Src != whole.Src || p.Dst != whole.Dst || p.DstPort != whole.DstPort {
					t.Errorf("%s cut at %d: %v to %v:%d", name, n, p.Src, p.Dst, p.DstPort)
				}
			case HEP3, EEP3:
				if string(p.Payload) != string(whole.Payload) || p.Quirks&QuirkLengthTooLarge == 0 || cutInChunk(b, n) {
					t.Errorf("%s cut at %d decodes: quirks %v", name, n, p.Quirks)
				}
			case Protobuf:
				if string(p.Payload) != string(whole.Payload) {
					t.Errorf("%s cut at %d decodes with payload %q", name, n, p.Payload)
				}
			}
		}
	}
}

// cutInChunk tells whether byte n of a version 3 message is within a chunk.
func cutInChunk(b []byte, n int) bool {
	for at := headerLen; at < len(b); at += int(be16(b[at+4:])) {
		if at == n {
			return false
		}
	}
	return n != len(b)
}

// TestCorruption changes bytes of good messages at random. The outcome must be
// sound, whatever it is, and the next good message must not suffer.
func TestCorruption(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	all := samples(t)
	var d Decoder
	var p Packet
	for name, b := range all {
		whole := decode(t, b)
		for range 300 {
			bad := append(make([]byte, 0, len(b)), b...)
			for range 1 + rng.IntN(4) {
				bad[rng.IntN(len(bad))] = byte(rng.Uint32())
			}
			checkSound(t, bad, &p, d.Decode(&p, bad))
		}
		if err := d.Decode(&p, b); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := difference(&p, whole); diff != "" {
			t.Errorf("%s after bad ones:\n%s", name, diff)
		}
	}
	// Noise of every size a datagram has.
	for range 2000 {
		noise := make([]byte, rng.IntN(1<<rng.IntN(17)))
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		if len(noise) > 0 && rng.IntN(2) == 0 {
			noise[0] = []byte{1, 2, 8, 'H', 'E'}[rng.IntN(5)]
		}
		checkSound(t, noise, &p, d.Decode(&p, noise))
	}
}

// TestNoAllocations: decoding and encoding cost no memory, broken messages
// included.
func TestNoAllocations(t *testing.T) {
	var d Decoder
	var p Packet
	buf := make([]byte, 0, 65535)
	for name, b := range samples(t) {
		if decode(t, b).Present(ChunkCompressed) {
			continue // the decompressors may allocate tables
		}
		if n := testing.AllocsPerRun(100, func() {
			if err := d.Decode(&p, b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations to decode", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], &p) }); n != 0 {
			t.Errorf("%s: %v allocations to encode", name, n)
		}
		cut := b[:7]
		if n := testing.AllocsPerRun(100, func() {
			if err := d.Decode(&p, cut); err == nil {
				t.Fatal("cut message decodes")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations to refuse", name, n)
		}
	}
	garbage := []byte("HEX")
	if n := testing.AllocsPerRun(100, func() {
		if _, err := FrameLength(garbage); !errors.Is(err, errFrameMagic) {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations to refuse a frame", n)
	}
}
