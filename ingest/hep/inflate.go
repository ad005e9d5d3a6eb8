package hep

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// inflater decompresses payloads. Its readers and its buffer are made at first
// need and used again.
type inflater struct {
	in   bytes.Reader
	gzip *gzip.Reader
	zlib io.ReadCloser // a zlib.Resetter
	raw  io.ReadCloser // a flate.Resetter
	buf  []byte
}

// inflate decompresses gzip (RFC 1952), zlib (RFC 1950, what captagent sends)
// or raw deflate (RFC 1951) data, told apart by the first two bytes. The result
// is at most limit bytes long and valid until the next call. reason is "" or
// one of the Reason constants.
func (z *inflater) inflate(data []byte, limit int) (out []byte, reason string) {
	z.in.Reset(data)
	defer z.in.Reset(nil) // hold no caller's buffer
	r, err := z.reader(data)
	if err != nil {
		return nil, ReasonInflate
	}
	if z.buf == nil {
		z.buf = make([]byte, min(limit+1, 16<<10))
	}
	n := 0
	for {
		if n == len(z.buf) {
			if n > limit {
				return nil, ReasonInflateLimit
			}
			bigger := make([]byte, min(limit+1, 2*len(z.buf)))
			copy(bigger, z.buf)
			z.buf = bigger
		}
		m, err := r.Read(z.buf[n:])
		n += m
		switch {
		case n > limit:
			return nil, ReasonInflateLimit
		case err == io.EOF:
			return z.buf[:n:n], ""
		case err != nil:
			return nil, ReasonInflate
		}
	}
}

// reader chooses the format. A raw deflate stream cannot pass for the other
// two: 0x1f and a low nibble of 8 begin blocks that no encoder writes.
func (z *inflater) reader(data []byte) (io.Reader, error) {
	var err error
	switch {
	case len(data) >= 2 && data[0] == 0x1f && data[1] == 0x8b:
		if z.gzip == nil {
			z.gzip = new(gzip.Reader)
		}
		if err = z.gzip.Reset(&z.in); err != nil {
			return nil, err
		}
		z.gzip.Multistream(false)
		return z.gzip, nil
	case len(data) >= 2 && data[0]&0x8f == 8 && be16(data)%31 == 0:
		if z.zlib == nil {
			z.zlib, err = zlib.NewReader(&z.in)
		} else {
			err = z.zlib.(zlib.Resetter).Reset(&z.in, nil)
		}
		return z.zlib, err
	default:
		if z.raw == nil {
			z.raw = flate.NewReader(&z.in)
		} else {
			err = z.raw.(flate.Resetter).Reset(&z.in, nil)
		}
		return z.raw, err
	}
}
