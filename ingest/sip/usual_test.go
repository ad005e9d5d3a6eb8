package sip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// forms compares scans with and without the code for usual forms.
type forms struct {
	usual, forgiving *Scanner
	got              Message // one for all messages, which shows what a scan leaves behind
}

func newForms() *forms {
	options := Options{Headers: []string{"X-CID", "Subject", "User-Agent", "Allow", "Content-Length"}}
	f := forms{usual: NewScanner(options), forgiving: NewScanner(options)}
	f.forgiving.forgivingOnly = true
	return &f
}

// same fails unless b is read the same both ways.
func (f *forms) same(t *testing.T, b []byte) {
	t.Helper()
	var want Message
	if ok := f.usual.Scan(&f.got, b); ok != f.forgiving.Scan(&want, b) {
		t.Fatalf("Scan %v, by the forgiving code alone %v: %q", ok, !ok, b)
	}
	if len(f.got.Custom) == 0 {
		f.got.Custom = nil // reused, therefore perhaps empty and not nil
	}
	sdp := &f.got.SDP // so are its arrays
	clear(sdp.streams[sdp.nstreams:])
	clear(sdp.codecs[sdp.ncodecs:])
	clear(sdp.payloads[sdp.ncodecs:])
	sdp = &want.SDP // a media line may follow that takes the formats away again
	clear(sdp.codecs[sdp.ncodecs:])
	clear(sdp.payloads[sdp.ncodecs:])
	if reflect.DeepEqual(&f.got, &want) {
		return
	}
	g, w := reflect.ValueOf(f.got), reflect.ValueOf(want)
	for i := range g.NumField() {
		if g, w := fmt.Sprintf("%q", g.Field(i)), fmt.Sprintf("%q", w.Field(i)); g != w {
			t.Errorf("%s is %s, by the forgiving code alone %s", reflect.TypeFor[Message]().Field(i).Name, g, w)
		}
	}
	t.Fatalf("%q", b)
}

// capturedMessages are the SIP messages of all captures, HEP included.
func capturedMessages(t testing.TB) (all [][]byte) {
	for _, pattern := range []string{"*.sip", "*.sip-rtcp"} {
		for _, name := range captures.Names(t, pattern) {
			for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
				all = append(all, p.Payload)
			}
		}
	}
	for _, name := range captures.Names(t, "*-hep3*") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			if p.Transport == "udp" {
				all = append(all, hepPayload(p.Payload))
			}
		}
	}
	return all
}

// kinds are the first message of each method and status in a list of messages.
func kinds(all [][]byte) (first [][]byte) {
	s := NewScanner(Options{})
	seen := make(map[string]bool)
	for _, b := range all {
		var m Message
		if !s.Scan(&m, b) {
			continue
		}
		kind := fmt.Sprintf("%s %d %s %d %s", m.Method, m.Status, m.CSeqMethod, m.ViaCount, m.UserAgent)
		if !seen[kind] {
			seen[kind] = true
			first = append(first, b)
		}
	}
	return first
}

// TestUsualForms: the code for usual forms never changes a result. It reads
// what was captured, cut at every byte and with bytes changed, left out and put
// in, as the forgiving code reads it.
func TestUsualForms(t *testing.T) {
	all := capturedMessages(t)
	for _, set := range []map[string]string{rfc4475, rfc5118} {
		for _, text := range set {
			all = append(all, []byte(wire(text)))
		}
	}
	for _, bm := range benchMessages {
		all = append(all, []byte(wire(bm.text)), []byte(bm.text))
	}
	f := newForms()
	for _, b := range all {
		f.same(t, b)
	}
	few := kinds(all)
	if len(all) < 2600 || len(few) < 100 {
		t.Errorf("only %d messages of %d kinds", len(all), len(few))
	}
	const special = "\x00\t\r\n \"\"%,,/::;;<==>??@@[\\]{\x7f\x80\xff09Aaz"
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, b := range few {
		for n := range b {
			f.same(t, b[:n:n])
			c := special[rnd.IntN(len(special))]
			changed := bytes.Clone(b)
			changed[n] = c
			f.same(t, changed)
			f.same(t, append(changed[:n], b[n+1:]...))
			f.same(t, append(append(bytes.Clone(b[:n]), c), b[n:]...))
		}
	}
}

// TestUsualFormsAreTaken: every line of a usual message is read by the code for
// usual forms. Without this, the comparison above would compare nothing.
func TestUsualFormsAreTaken(t *testing.T) {
	for _, text := range []string{benchInvite, benchResponse} {
		b := []byte(wire(text))
		var m Message
		m.Reset()
		h := headers{m: &m}
		pos := m.usualStart(b)
		if pos == 0 {
			t.Errorf("start line of %.40q is not taken", b)
			continue
		}
		for !bytes.HasPrefix(b[pos:], []byte("\r\n")) {
			_, end := h.usual(b, pos)
			if end == 0 {
				t.Errorf("not taken: %.40q", b[pos:])
				break
			}
			pos = end + 2
		}
	}
}

// FuzzUsualForms is TestUsualForms for anything.
func FuzzUsualForms(f *testing.F) {
	seeds(f)
	compare := newForms()
	f.Fuzz(func(t *testing.T, b []byte) { compare.same(t, b) })
}
