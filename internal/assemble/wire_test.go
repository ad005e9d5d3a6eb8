package assemble

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/schema"
)

// TestFieldsAreTheColumns checks that rows are written with every column that the
// tables declare, and no other.
func TestFieldsAreTheColumns(t *testing.T) {
	for _, c := range []struct {
		table *schema.Table
		names []string
	}{{&schema.CallRows, names(callFields)}, {&schema.RegistrationRows, names(registrationFields)}} {
		var want []string
		for _, column := range c.table.Columns {
			want = append(want, column.Name)
		}
		if got := append(c.names, "version", "deleted"); !slices.Equal(got, want) {
			t.Errorf("%s: written are\n%s\ndeclared\n%s", c.table.Name, strings.Join(got, " "), strings.Join(want, " "))
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	at := time.Date(2026, 11, 21, 1, 2, 3, 4000, time.UTC)
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	long := strings.Repeat("x", 300)
	var w writer
	w.uint8(7)
	w.uint16(65535)
	w.uint32(1 << 31)
	w.time(at)
	w.float32(0.5)
	w.strings([]string{"a", "", long})
	w.addr(v4)
	w.addr(v6)
	w.addr(netip.Addr{})
	r := newReader(bytes.NewReader(w.b))
	if !r.more() || r.uint8() != 7 || r.uint16() != 65535 || r.uint32() != 1<<31 || time.UnixMicro(r.int64()).UTC() != at || r.float32() != 0.5 {
		t.Error("numbers")
	}
	if got := r.strings(); !slices.Equal(got, []string{"a", "", long}) {
		t.Errorf("strings: %q", got)
	}
	if a, b, c := r.addr(), r.addr(), r.addr(); a != v4 || b != v6 || c.IsValid() {
		t.Errorf("addresses: %v %v %v", a, b, c)
	}
	if r.more() || r.err != nil {
		t.Errorf("more than was written, or %v", r.err)
	}
	// Cut anywhere it is an error, never a wrong row.
	for n := range len(w.b) {
		r := newReader(bytes.NewReader(w.b[:n]))
		r.fixed(1 + 2 + 4 + 8 + 4)
		r.strings()
		for range 3 {
			r.addr()
		}
		if r.err == nil {
			t.Fatalf("%d bytes of %d: no error", n, len(w.b))
		}
	}
}

// TestEndpointsAcrossBuffers: an address that ends a buffer is not what the next
// buffer begins with.
func TestEndpointsAcrossBuffers(t *testing.T) {
	ip, port := netip.MustParseAddr("2001:db8::1").As16(), uint16(5060)
	size := newReader(nil).b.Size()
	for before := size - 40; before < size; before++ {
		var w writer
		w.b = append(w.b, make([]byte, before)...)
		w.b = append(w.b, ip[:]...)
		w.uint16(port)
		w.b = append(w.b, bytes.Repeat([]byte{0xff}, 2*size)...)
		r := newReader(bytes.NewReader(w.b))
		for range before {
			r.uint8()
		}
		if gotIP, gotPort := r.endpoint(); gotIP != ip || gotPort != port || r.err != nil {
			t.Fatalf("%d bytes before: %x %d, %v", before, gotIP, gotPort, r.err)
		}
	}
}

func TestGenerationsForgetTheOldest(t *testing.T) {
	g := newGenerations[int, int](10)
	for i := range 100 {
		g.put(i, i)
		if v, ok := g.get(0); i < 30 && (!ok || v != 0) {
			t.Fatalf("what is looked up was forgotten at %d", i)
		}
	}
	if len(g.young)+len(g.old) > 20 {
		t.Errorf("%d are kept, want 20 at most", len(g.young)+len(g.old))
	}
	if _, ok := g.get(50); ok {
		t.Error("the oldest is still there")
	}
}
