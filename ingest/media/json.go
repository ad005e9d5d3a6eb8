package media

import (
	"strconv"
)

// maxDepth bounds the nesting of JSON that we follow. Real reports nest three deep.
const maxDepth = 64

// scanner walks JSON (RFC 8259) in place. It validates as it goes, keeps the
// first fault and then yields nothing more. It is more lenient than the RFC in
// one point: strings may hold raw control characters, since agents copy SDES
// text into JSON as they find it.
type scanner struct {
	b      []byte
	i      int
	depth  int
	fresh  bool // just behind an opening brace or bracket
	reason string
	at     int
	key    []byte // of the member that next member call found
	buf    []byte // backs key where it had escapes
}

// fail keeps the first fault.
func (s *scanner) fail(reason string) {
	if s.reason == "" {
		s.reason, s.at = reason, s.i
	}
}

// bad fails with truncated at the end of input and syntax elsewhere.
func (s *scanner) bad() {
	if s.i >= len(s.b) {
		s.fail(ReasonTruncated)
	} else {
		s.fail(ReasonSyntax)
	}
}

func (s *scanner) err() error {
	if s.reason == "" {
		return nil
	}
	return &Error{s.reason, s.at}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) blanks() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return
		}
	}
}

// enter steps into an object or array that starts here.
func (s *scanner) enter(open byte) bool {
	if s.reason != "" {
		return false
	}
	if s.peek() != open {
		s.bad()
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail(ReasonDepth)
		return false
	}
	s.i++
	s.fresh = true
	return true
}

// next steps to the next element, or over the closing byte.
func (s *scanner) next(closing byte) bool {
	if s.reason != "" {
		return false
	}
	s.blanks()
	switch c := s.peek(); {
	case c == closing:
		s.i++
		s.depth--
		s.fresh = false
		return false
	case s.fresh:
		s.fresh = false
	case c == ',':
		s.i++
		s.blanks()
	default:
		s.bad()
		return false
	}
	if s.i >= len(s.b) {
		s.fail(ReasonTruncated)
		return false
	}
	return true
}

// element steps to the next value of an array.
func (s *scanner) element() bool { return s.next(']') }

// member steps to the value of an object's next member and sets s.key.
func (s *scanner) member() bool {
	if !s.next('}') {
		return false
	}
	raw, escaped := s.str()
	if s.reason != "" {
		return false
	}
	if escaped {
		s.buf = unescape(s.buf[:0], raw)
		raw = s.buf
	}
	s.key = raw
	s.blanks()
	if s.peek() != ':' {
		s.bad()
		return false
	}
	s.i++
	s.blanks()
	return true
}

// end checks that nothing but blanks and NUL padding follows.
func (s *scanner) end() {
	if s.reason != "" {
		return
	}
	for s.blanks(); s.i < len(s.b); s.blanks() {
		if s.b[s.i] != 0 {
			s.fail(ReasonTrailing)
			return
		}
		s.i++
	}
}

// str consumes a string and returns what is between the quotes, and whether
// that holds escapes.
func (s *scanner) str() (raw []byte, escaped bool) {
	if s.peek() != '"' {
		s.bad()
		return nil, false
	}
	s.i++
	start := s.i
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			raw = s.b[start:s.i]
			s.i++
			return raw, escaped
		case '\\':
			escaped = true
			if !s.escape() {
				return nil, false
			}
		default:
			s.i++
		}
	}
	s.fail(ReasonTruncated)
	return nil, false
}

// escape consumes one escape sequence.
func (s *scanner) escape() bool {
	s.i++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return true
	case 'u':
		s.i++
		for range 4 {
			if _, ok := hexDigit(s.peek()); !ok {
				s.bad()
				return false
			}
			s.i++
		}
		return true
	}
	s.bad()
	return false
}

// skip consumes any value.
func (s *scanner) skip() {
	if s.reason != "" {
		return
	}
	switch c := s.peek(); {
	case c == '"':
		s.str()
	case c == '{':
		if s.enter('{') {
			for s.member() {
				s.skip()
			}
		}
	case c == '[':
		if s.enter('[') {
			for s.element() {
				s.skip()
			}
		}
	case c == 't':
		s.word("true")
	case c == 'f':
		s.word("false")
	case c == 'n':
		s.word("null")
	default:
		s.number()
	}
}

// word consumes a literal.
func (s *scanner) word(w string) {
	for k := range len(w) {
		if s.peek() != w[k] {
			s.bad()
			return
		}
		s.i++
	}
}

// num is a number as JSON or a string of JSON gives it.
type num struct {
	f  float64
	i  int64 // f cut to an integer, exact up to 18 digits
	ok bool  // there was a number
}

// number consumes a JSON number.
func (s *scanner) number() num {
	start := s.i
	n := numberLen(s.b[s.i:])
	if n == 0 {
		if s.peek() == '-' {
			s.i++
		}
		s.bad()
		return num{}
	}
	s.i += n
	return parseNumber(s.b[start:s.i])
}

// num consumes any value; it is ok if that is a number or a string that holds
// one, in decimal or as 0x hexadecimal.
func (s *scanner) num() num {
	if s.reason != "" {
		return num{}
	}
	switch c := s.peek(); {
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == '"':
		raw, _ := s.str()
		return numberText(raw)
	}
	s.skip()
	return num{}
}

// text consumes any value; for a string it returns the unescaped text, in the
// input where it can and in the decoder's arena where it must.
func (s *scanner) text(d *Decoder) []byte {
	if s.reason != "" || s.peek() != '"' {
		s.skip()
		return nil
	}
	raw, escaped := s.str()
	if !escaped {
		return raw
	}
	from := len(d.text)
	d.text = unescape(d.text, raw)
	return d.text[from:len(d.text):len(d.text)]
}

// numberLen is the length of the JSON number at the start of b, 0 if none.
func numberLen(b []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

var pow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// parseNumber reads a number that has passed numberLen. Up to 15 digits
// without exponent it is exact and without allocation.
func parseNumber(b []byte) num {
	neg := b[0] == '-'
	i := 0
	if neg {
		i++
	}
	var mant int64
	digits, frac, dot := 0, 0, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' {
			dot = true
			continue
		}
		if c < '0' || c > '9' || digits == 18 {
			return slowNumber(b)
		}
		mant = mant*10 + int64(c-'0')
		digits++
		if dot {
			frac++
		}
	}
	if neg {
		mant = -mant
	}
	if !dot {
		return num{float64(mant), mant, true}
	}
	if digits > 15 {
		return slowNumber(b)
	}
	f := float64(mant) / pow10[frac]
	return num{f, int64(f), true}
}

// slowNumber reads what parseNumber does not.
func slowNumber(b []byte) num {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return num{}
	}
	n := num{f: f, ok: true}
	switch {
	case f >= 1<<63:
		n.i = 1<<63 - 1
	case f <= -1<<63:
		n.i = -1 << 63
	default:
		n.i = int64(f)
	}
	return n
}

// numberText reads a whole text as a number: decimal or 0x hexadecimal, blanks around it.
func numberText(b []byte) num {
	b = trim(b)
	if len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x' {
		if v, ok := parseHex(b[2:]); ok {
			return num{float64(v), int64(v), true}
		}
		return num{}
	}
	if len(b) > 1 && b[0] == '+' {
		b = b[1:]
	}
	// A leading zero is no JSON number but is one in text.
	for len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' {
		b = b[1:]
	}
	if n := numberLen(b); n == 0 || n != len(b) {
		return num{}
	}
	return parseNumber(b)
}

// u32 is the number's low 32 bits: a negative SSRC is one printed as signed.
func (n num) u32() uint32 { return uint32(n.i) }

// u64 is the number, 0 if negative.
func (n num) u64() uint64 { return uint64(max(n.i, 0)) }

// u16 is the number if it fits, else 0.
func (n num) u16() uint16 {
	if n.i < 0 || n.i > 65535 {
		return 0
	}
	return uint16(n.i)
}

// u8 is the number bounded to 0..255, as for counters that a sender let run over.
func (n num) u8() uint8 { return uint8(min(max(n.i, 0), 255)) }

// i8 is the number bounded to -128..127; 128..255 is one printed unsigned.
func (n num) i8() int8 {
	if n.i > 127 && n.i < 256 {
		return int8(n.i - 256)
	}
	return int8(min(max(n.i, -128), 127))
}
