package media

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
