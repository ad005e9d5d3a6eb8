package sip

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSearches compares the searches by eight bytes with loops over bytes: every
// byte value at every offset of texts of every length up to three words, among
// bytes that end nothing, and random texts.
func TestSearches(t *testing.T) {
	var texts [][]byte
	for n := range 25 {
		texts = append(texts, []byte(strings.Repeat("x", n)))
		for i := range n {
			for c := range 256 {
				b := bytes.Repeat([]byte{'~'}, n)
				b[i] = byte(c)
				texts = append(texts, b)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		b := make([]byte, rnd.IntN(30))
		for i := range b {
			b[i] = byte(rnd.Uint32()) // all values
			if rnd.IntN(2) == 0 {
				b[i] = "\x00\x1f !\"#+,-./09:;<=>?@A\\\x7f\x80\xa0\xff"[rnd.IntN(26)]
			}
		}
		texts = append(texts, b)
	}
	isStop := func(c byte) bool {
		return c < '#' || c == ',' || c >= ':' && c <= '@' || c >= 0x80
	}
	isPartEnd := func(c byte) bool { return c <= ' ' || c == '/' }
	isWordEnd := func(c byte) bool { return c <= ' ' }
	for _, b := range texts {
		for i := range len(b) + 1 {
			for _, search := range []struct {
				name string
				got  int
				stop func(byte) bool
			}{
				{"stopAt", stopAt(b, i), isStop},
				{"partEnd", partEnd(b, i), isPartEnd},
				{"wordEnd", wordEnd(b, i), isWordEnd},
				{"byteAt ;", byteAt(b, i, ';'), func(c byte) bool { return c == ';' }},
				{"byteAt 0", byteAt(b, i, 0), func(c byte) bool { return c == 0 }},
				{"byteAt ff", byteAt(b, i, 0xff), func(c byte) bool { return c == 0xff }},
			} {
				want := i
				for want < len(b) && !search.stop(b[want]) {
					want++
				}
				if search.got != want {
					t.Fatalf("%s(%q, %d) is %d, want %d", search.name, b, i, search.got, want)
				}
			}
			if got := closingQuote(b, i); got >= 0 {
				if end := quotedEnd(append([]byte{'"'}, b[i:]...)); got != i+end-2 {
					t.Fatalf("closingQuote(%q, %d) is %d, want %d", b, i, got, i+end-2)
				}
				if n := bytes.IndexFunc(b[i:got], func(r rune) bool { return r < ' ' }); n >= 0 {
					t.Fatalf("closingQuote(%q, %d) is %d, behind a control character", b, i, got)
				}
			}
		}
	}
	if n := closingQuote([]byte(`Alice \"A\" Aho" <sip:a>`), 0); n != 15 {
		t.Errorf("closing quote at %d, want 15", n)
	}
}
