package assemble

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"time"
)

// maxString bounds a string that is read: the server sends none longer.
const maxString = 64 << 20

// rowBinary is the format of what reader reads and writer builds.
const rowBinary = "RowBinary"

// reader reads ClickHouse's format RowBinary: values one after the other, numbers
// little-endian, strings and arrays after their length. The first error stays.
type reader struct {
	b   *bufio.Reader
	err error
	// buf holds a string until it is copied.
	buf []byte
}

func newReader(r io.Reader) *reader { return &reader{b: bufio.NewReaderSize(r, 256<<10)} }

// more reports whether there is another row.
func (r *reader) more() bool {
	if r.err != nil {
		return false
	}
	_, err := r.b.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return err == nil
}

// fixed returns the next n bytes, valid until the next read; n is small.
func (r *reader) fixed(n int) []byte {
	if r.err == nil {
		p, err := r.b.Peek(n)
		if err == nil {
			_, _ = r.b.Discard(n)
			return p
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		r.err = err
	}
	return zeros[:n]
}

var zeros [64]byte

func (r *reader) uint8() uint8     { return r.fixed(1)[0] }
func (r *reader) uint16() uint16   { return binary.LittleEndian.Uint16(r.fixed(2)) }
func (r *reader) uint32() uint32   { return binary.LittleEndian.Uint32(r.fixed(4)) }
func (r *reader) uint64() uint64   { return binary.LittleEndian.Uint64(r.fixed(8)) }
func (r *reader) int64() int64     { return int64(r.uint64()) }
func (r *reader) float32() float64 { return float64(math.Float32frombits(r.uint32())) }

// addr reads an IPv6 column's value: what is mapped IPv4 there is IPv4 here, and
// the unspecified address is none.
func (r *reader) addr() netip.Addr {
	return addrOf([16]byte(r.fixed(16)))
}

func addrOf(b [16]byte) netip.Addr {
	a := netip.AddrFrom16(b).Unmap()
	if a == netip.IPv6Unspecified() {
		return netip.Addr{}
	}
	return a
}

// endpoint reads an IPv6 column's value and a port after it. The bytes are copied
// before the port is read, which in one assignment of both they need not be.
func (r *reader) endpoint() (ip [16]byte, port uint16) {
	copy(ip[:], r.fixed(len(ip)))
	return ip, r.uint16()
}

func (r *reader) length() int {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.b)
	if err == nil && n > maxString {
		err = fmt.Errorf("a length of %d", n)
	}
	if err != nil {
		r.err = err
		return 0
	}
	return int(n)
}

// bytes reads a string, valid until the next call.
func (r *reader) bytes() []byte {
	n := r.length()
	if cap(r.buf) < n {
		r.buf = make([]byte, n, 2*n)
	}
	r.buf = r.buf[:n]
	if r.err == nil {
		_, r.err = io.ReadFull(r.b, r.buf)
	}
	return r.buf
}

func (r *reader) string() string {
	if b := r.bytes(); r.err == nil {
		return string(b)
	}
	return ""
}

func (r *reader) strings() []string {
	n := r.length()
	if n == 0 || r.err != nil {
		return nil
	}
	out := make([]string, 0, min(n, 1024))
	for range n {
		if r.err != nil {
			return nil
		}
		out = append(out, r.string())
	}
	return out
}

// writer builds rows in RowBinary.
type writer struct {
	b    []byte
	card []byte // the last card written
}

func (w *writer) uint8(v uint8)     { w.b = append(w.b, v) }
func (w *writer) uint16(v uint16)   { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *writer) uint32(v uint32)   { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *writer) uint64(v uint64)   { w.b = binary.LittleEndian.AppendUint64(w.b, v) }
func (w *writer) float32(v float64) { w.uint32(math.Float32bits(float32(v))) }
func (w *writer) length(n int)      { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) time(t time.Time)  { w.uint64(uint64(t.UnixMicro())) }

func (w *writer) bool(v bool) {
	if v {
		w.uint8(1)
	} else {
		w.uint8(0)
	}
}

func (w *writer) string(v string) {
	w.length(len(v))
	w.b = append(w.b, v...)
}

func (w *writer) strings(v []string) {
	w.length(len(v))
	for _, s := range v {
		w.string(s)
	}
}

// moment writes a time that is NULL when zero.
func (w *writer) moment(t time.Time) {
	w.bool(t.IsZero())
	if !t.IsZero() {
		w.time(t)
	}
}

// figure writes a number that is NULL when nil.
func (w *writer) figure(v *float64) {
	w.bool(v == nil)
	if v != nil {
		w.uint64(math.Float64bits(*v))
	}
}

func (w *writer) addr(a netip.Addr) {
	var b [16]byte
	if a.IsValid() {
		b = a.As16()
	}
	w.b = append(w.b, b[:]...)
}
