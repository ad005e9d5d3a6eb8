package sip

import "bytes"

// Character classes of RFC 3261 section 25.1.
const (
	isToken  = 1 << iota // token
	isLWS                // SP, HTAB and, as values may be folded, CR and LF
	isDigit              // 0-9
	isAlpha              // A-Z a-z
	isScheme             // characters of a URI scheme
	isURIEnd             // what ends the user or the host of a URI: @ : ; ? and white space
)

var (
	class [256]uint8
	lower [256]byte
)

func init() {
	for i := range 256 {
		c := byte(i)
		lower[i] = c
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			class[i] = isToken | isAlpha | isScheme
			lower[i] = c | 0x20
		case c >= '0' && c <= '9':
			class[i] = isToken | isDigit | isScheme
		case bytes.IndexByte([]byte("-.!%*_+`'~"), c) >= 0:
			class[i] = isToken
			if c == '-' || c == '.' || c == '+' {
				class[i] |= isScheme
			}
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			class[i] = isLWS | isURIEnd
		case c == '@' || c == ':' || c == ';' || c == '?':
			class[i] = isURIEnd
		}
	}
}

// foldEqual reports whether b equals s, which is in lower case, in any case of
// its letters.
func foldEqual(b []byte, s string) bool {
	return len(b) == len(s) && (string(b) == s || foldLetters(b, s))
}

// foldLetters is foldEqual of two texts of the same length.
//
//go:noinline
func foldLetters(b []byte, s string) bool {
	for i, c := range b {
		if lower[c] != s[i] {
			return false
		}
	}
	return true
}

func hasPrefixFold(b []byte, s string) bool {
	return len(b) >= len(s) && foldEqual(b[:len(s)], s)
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && class[b[0]]&isLWS != 0 {
		b = b[1:]
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && class[b[len(b)-1]]&isLWS != 0 {
		b = b[:len(b)-1]
	}
	return b
}

func trim(b []byte) []byte { return trimRight(trimLeft(b)) }

// skipSpace is the offset of the first character at b[i] or behind it that is no
// white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && class[b[i]]&isLWS != 0 {
		i++
	}
	return i
}

// cutWord splits b after its first word. sep is the number of white space
// characters between the word and rest, 0 at the end of b.
func cutWord(b []byte) (word, rest []byte, sep int) {
	i := wordEnd(b, 0)
	for i < len(b) && class[b[i]]&isLWS == 0 {
		i++
	}
	next := i
	for next < len(b) && class[b[next]]&isLWS != 0 {
		next++
	}
	return b[:i], b[next:], next - i
}

// parseUint reads the decimal number at the start of b. digits is the number
// of digits; ok is false when there are none or the number exceeds limit, in
// which case n is limit. The limit is below 10^18.
func parseUint(b []byte, limit uint64) (n uint64, digits int, ok bool) {
	for digits < len(b) {
		d := b[digits] - '0'
		if d > 9 {
			break
		}
		digits++
		if n = n*10 + uint64(d); n > limit {
			for digits < len(b) && b[digits]-'0' <= 9 {
				digits++
			}
			return limit, digits, false
		}
	}
	return n, digits, digits > 0
}

// quotedEnd is the offset behind the closing quote of the quoted string that
// begins at b[0], or -1 when it does not end (RFC 3261 section 25.1).
func quotedEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
