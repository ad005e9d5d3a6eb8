package hep

import (
	"bytes"
	"testing"
)

// seed gives a fuzz target one message of each form.
func seed(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte("HEP3\x00\x06"))
	f.Add(build(Chunk{Type: ChunkCompressed}, generic(ChunkSrcIPv4, 1, 2, 3), generic(ChunkPayload)))
}

// FuzzDecode: any input gives a packet or an error that is sound, and does not
// change the input.
func FuzzDecode(f *testing.F) {
	seed(f)
	var d Decoder
	var p Packet
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		checkSound(t, b, &p, d.Decode(&p, b))
		if !bytes.Equal(b, before) {
			t.Fatal("input changed")
		}
	})
}

// FuzzFrameLength: a stream reader neither stands still nor loses its place,
// however the stream is cut.
func FuzzFrameLength(f *testing.F) {
	seed(f)
	f.Add([]byte("HEP3\x00\x00HEHEP3\x00\x0c\x00\x00\x00\x0f\x00\x06EEP"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := FrameLength(b)
		if err != nil {
			skip := Resync(b)
			if skip < 1 || skip > len(b) {
				t.Fatalf("skips %d of %d", skip, len(b))
			}
			if _, err := FrameLength(b[skip:]); err != nil {
				t.Fatalf("refused again after Resync: %v", err)
			}
			return
		}
		if n != 0 && n < headerLen || n > maxMessage {
			t.Fatalf("length %d", n)
		}
		if n == 0 && len(b) >= headerLen {
			t.Fatalf("wants more than %d bytes for a length", len(b))
		}
		// What was found stays so when more comes.
		if more, err := FrameLength(append(bytes.Clone(b), "HEP3"...)); n != 0 && (more != n || err != nil) {
			t.Fatalf("length %d, then %d, %v", n, more, err)
		}
	})
}

// FuzzAppendDecode: whatever decodes, decodes to the same when written again.
func FuzzAppendDecode(f *testing.F) {
	seed(f)
	var d, d2 Decoder
	var p, q Packet
	f.Fuzz(func(t *testing.T, b []byte) {
		if d.Decode(&p, b) != nil {
			return
		}
		once := Append(nil, &p)
		if len(once) == 0 {
			if len(b) < maxMessage && !p.Present(ChunkCompressed) && p.Variant >= HEP3 && p.Variant <= EEP3 {
				t.Fatal("no encoding")
			}
			return
		}
		if err := d2.Decode(&q, once); err != nil {
			t.Fatalf("%v in %x", err, once)
		}
		if diff := difference(&p, &q); diff != "" {
			t.Fatalf("first, second:\n%s", diff)
		}
		if twice := Append(nil, &q); !bytes.Equal(once, twice) {
			t.Fatalf("encodings differ:\n%x\n%x", once, twice)
		}
	})
}
