package hep

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"
)

// compress makes the three forms a compressed payload comes in, with the
// standard library: the decoder uses another.
func compress(t testing.TB, form, s string) []byte {
	t.Helper()
	var (
		out bytes.Buffer
		w   io.WriteCloser
		err error
	)
	switch form {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "zlib, no compression":
		w, err = zlib.NewWriterLevel(&out, zlib.NoCompression)
	case "deflate":
		w, err = flate.NewWriter(&out, flate.DefaultCompression)
	default:
		t.Fatalf("no form %q", form)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var forms = []string{"gzip", "zlib", "zlib, no compression", "deflate"}

func compressed(data []byte) []byte {
	return build(generic(ChunkCaptureID, 0, 0, 0, 9), Chunk{Type: ChunkCompressed, Data: data})
}

func TestCompressedPayload(t *testing.T) {
	var d Decoder
	var p Packet
	for range 3 { // readers and buffer are used again
		for _, form := range forms {
			for _, s := range []string{options, "", strings.Repeat(options, 1000)} {
				if err := d.Decode(&p, compressed(compress(t, form, s))); err != nil {
					t.Errorf("%s, %d bytes: %v", form, len(s), err)
					continue
				}
				if string(p.Payload) != s {
					t.Errorf("%s: got %.60q, want %.60q", form, p.Payload, s)
				}
				if !p.Present(ChunkPayload) || !p.Present(ChunkCompressed) || len(p.Extra) != 0 {
					t.Errorf("%s: chunks %#x, extra %v", form, p.Has, p.Extra)
				}
			}
		}
	}
}

// TestCompressedErrors: every cut and every changed header byte of a compressed
// payload, and limits.
func TestCompressedErrors(t *testing.T) {
	var d Decoder
	var p Packet
	for _, form := range forms {
		data := compress(t, form, options)
		for n := range data {
			err := d.Decode(&p, compressed(data[:n]))
			// Deflate says where it ends but has no checksum: the last bytes
			// of the others are missed, its own are not.
			if err == nil {
				t.Errorf("%s cut at %d of %d decodes to %q", form, n, len(data), p.Payload)
			} else if e := err.(*Error); e.Reason != ReasonInflate || p.CaptureID != 9 || p.Payload != nil {
				t.Errorf("%s cut at %d: %v", form, n, err)
			}
		}
		if form != "deflate" { // which has no checksum
			for i := range data {
				bad := bytes.Clone(data)
				bad[i] ^= 0x55
				if err := d.Decode(&p, compressed(bad)); err == nil && string(p.Payload) != options {
					t.Errorf("%s with byte %d changed decodes to %q", form, i, p.Payload)
				}
			}
		}
		// A broken one does not spoil the next.
		if err := d.Decode(&p, compressed(data)); err != nil || string(p.Payload) != options {
			t.Errorf("%s after errors: %v", form, err)
		}
	}
	for _, s := range []string{"", "x", "INVITE sip:a SIP/2.0\r\n\r\n", "\x1f\x8b", "\x78\x9c"} {
		if _, e := decodeError(t, compressed([]byte(s))); e.Reason != ReasonInflate {
			t.Errorf("%q: %v", s, &e)
		}
	}
}

func TestInflateLimit(t *testing.T) {
	for _, tc := range []struct {
		max, size int
		reason    string
	}{
		{100, 100, ""},
		{100, 101, ReasonInflateLimit},
		{20 << 10, 20 << 10, ""},
		{20 << 10, 20<<10 + 1, ReasonInflateLimit},
		{0, DefaultMaxPayload, ""},
		{0, DefaultMaxPayload + 1, ReasonInflateLimit},
		{0, 40 << 20, ReasonInflateLimit}, // a bomb: 40 MiB in 40 kB
	} {
		for _, form := range []string{"gzip", "zlib", "deflate"} {
			d := Decoder{MaxPayload: tc.max}
			var p Packet
			err := d.Decode(&p, compressed(compress(t, form, strings.Repeat("a", tc.size))))
			reason := ""
			if err != nil {
				reason = err.(*Error).Reason
			}
			if reason != tc.reason {
				t.Errorf("%s, limit %d, size %d: %q, want %q", form, tc.max, tc.size, reason, tc.reason)
			}
			if err == nil && len(p.Payload) != tc.size {
				t.Errorf("%s, limit %d: %d bytes, want %d", form, tc.max, len(p.Payload), tc.size)
			}
			if limit := max(tc.max, DefaultMaxPayload) + 1; cap(d.inflate.buf) > limit {
				t.Errorf("%s, limit %d: buffer of %d", form, tc.max, cap(d.inflate.buf))
			}
		}
	}
}
