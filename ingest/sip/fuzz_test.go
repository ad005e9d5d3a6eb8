package sip

import (
	"bytes"
	"reflect"
	"testing"
	"unsafe"

	"github.com/heplake/heplake/internal/captures"
)

// seeds adds messages of every kind: the torture messages, the messages of the
// benchmarks, and a call as it was captured.
func seeds(f *testing.F) {
	for _, set := range []map[string]string{rfc4475, rfc5118} {
		for _, text := range set {
			f.Add([]byte(wire(text)))
		}
	}
	for _, b := range tortureCapture(f) {
		f.Add(b)
	}
	for _, bm := range benchMessages {
		f.Add([]byte(wire(bm.text)))
		f.Add([]byte(bm.text))
	}
	f.Add([]byte(wire(multipart("BYE", "b", "", []string{"Content-Type: application/isup\n\n" + rel16}))))
	for i, p := range captures.Read(f, captures.Path("kamailio-hep3-udp-sip-reinvite-prack-refer-subscribe-407-a.sip.pcap")) {
		if i%8 == 0 {
			f.Add(p.Payload)
		}
	}
}

// FuzzScan scans anything. Every slice of the result lies inside the input,
// what is counted fits what is there, and the input stays as it was.
func FuzzScan(f *testing.F) {
	seeds(f)
	s := NewScanner(Options{Headers: []string{"X-CID", "Subject", "Call-Info"}})
	f.Fuzz(func(t *testing.T, in []byte) {
		b := append(make([]byte, 0, len(in)), in...) // no room behind the end
		var m Message
		ok := s.Scan(&m, b)
		if ok != LooksLikeSIP(b) {
			t.Fatalf("Scan %v, LooksLikeSIP %v", ok, !ok)
		}
		if !bytes.Equal(b, in) {
			t.Fatal("input was changed")
		}
		inside(t, b, reflect.ValueOf(&m).Elem(), "Message")
		if !ok {
			if m.Errs != 0 || m.CallID != nil || m.Body != nil {
				t.Fatalf("not empty: %+v", m)
			}
			return
		}
		switch {
		case m.Errs >= errorsEnd,
			m.Response && (m.Method != nil || m.RequestURI != nil),
			!m.Response && (m.Method == nil || m.Status != 0),
			m.Errs.Has(Truncated) && m.Body != nil,
			m.ContentLength >= 0 && len(m.Body) > m.ContentLength,
			m.Errs.Has(MissingCallID) != (len(m.CallID) == 0),
			m.MaxForwards < -1, m.Expires < -1, m.ContactExpires < -1, m.ContentLength < -1,
			m.ViaCount == 1 && !reflect.DeepEqual(m.Via, m.ViaLast),
			len(m.SDP.Streams()) > m.SDP.MediaLines,
			m.SDP.VideoLines > m.SDP.MediaLines:
			t.Fatalf("contradiction: %+v", m)
		}
		m.SDP.AppendSummary(nil)
		// A scan depends on nothing but its input.
		again := Message{CallID: []byte("left"), Custom: make([]Header, 5)}
		s.Scan(&again, b)
		if len(m.Custom) == 0 {
			m.Custom, again.Custom = nil, nil
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("second scan differs:\n%+v\n%+v", m, again)
		}
	})
}

// FuzzMessageLength frames anything: never more than is there, never less than
// the line ends before the message, the same whatever follows.
func FuzzMessageLength(f *testing.F) {
	seeds(f)
	s := NewScanner(Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := MessageLength(b)
		if n < 0 || n > len(b) || ok != (n > 0) {
			t.Fatalf("%d %v of %d", n, ok, len(b))
		}
		if !ok {
			return
		}
		if again, ok := MessageLength(b[:n]); !ok || again != n {
			t.Fatalf("alone it has %d bytes, not %d", again, n)
		}
		var m Message
		if s.Scan(&m, b[:n]) && m.Errs&(Truncated|ShortBody|TrailingBytes) != 0 {
			t.Fatalf("framed, yet %s", m.Errs)
		}
	})
}

// inside fails unless every byte slice in v lies within b; the names of static
// payload types are constants.
func inside(t *testing.T, b []byte, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			inside(t, b, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Array:
		for i := range v.Len() {
			inside(t, b, v.Index(i), path)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				inside(t, b, v.Index(i), path)
			}
			return
		}
		if v.Len() == 0 {
			return
		}
		for _, name := range staticNames {
			if len(name) > 0 && v.Pointer() == uintptr(unsafe.Pointer(&name[0])) {
				return
			}
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
		if p := v.Pointer(); p < start || p+uintptr(v.Len()) > start+uintptr(len(b)) {
			t.Fatalf("%s lies outside the input", path)
		}
	}
}
