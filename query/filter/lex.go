package filter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokString
	tokOp // = != < > <= >= ~ !~
	tokOpen
	tokClose
	tokComma
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	pos  int    // offset of its first byte
	end  int    // offset after its last byte
	text string // a string's value without quotes; else as written
}

// describe names the token in an error.
func (t token) describe() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokString:
		return "the string " + excerpt(t.text)
	default:
		return excerpt(t.text)
	}
}

// keyword reports whether the token is this bare word, in any case.
func (t token) keyword(word string) bool {
	return t.kind == tokWord && strings.EqualFold(t.text, word)
}

// lexer cuts an expression into tokens.
//
// What a bare word may hold depends on where it stands: `a=b` is a comparison,
// but in `call_id = YWJj==` the value is all of YWJj==. The parser says which by
// calling next or value.
type lexer struct {
	input string
	pos   int
}

// next returns the token at the position: a field, keyword, operator, ….
func (l *lexer) next() (token, *Error) { return l.token(false) }

// value returns the token at the position, which may be a value.
func (l *lexer) value() (token, *Error) { return l.token(true) }

func (l *lexer) token(value bool) (token, *Error) {
	l.skipSpace()
	start := l.pos
	if start == len(l.input) {
		return token{kind: tokEnd, pos: start, end: start}, nil
	}
	take := func(kind tokenKind, n int) (token, *Error) {
		l.pos = start + n
		return token{kind: kind, pos: start, end: l.pos, text: l.input[start:l.pos]}, nil
	}
	switch c := l.input[start]; c {
	case '(':
		return take(tokOpen, 1)
	case ')':
		return take(tokClose, 1)
	case ',':
		return take(tokComma, 1)
	case '"', '\'':
		return l.quoted(c)
	}
	if !value {
		if n := operatorLength(l.input[start:]); n > 0 {
			return take(tokOp, n)
		}
	}
	n := l.wordLength(value)
	if n == 0 {
		return token{}, &Error{Input: l.input, Pos: start, Got: excerpt(l.input[start : start+1]), Expected: "a field, a value or an operator"}
	}
	return take(tokWord, n)
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.input) {
		r, n := utf8.DecodeRuneInString(l.input[l.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		l.pos += n
	}
}

// operatorLength is the length of the operator that s begins with, 0 for none.
func operatorLength(s string) int {
	two := s[:min(2, len(s))]
	switch two {
	case "!=", "<=", ">=", "!~":
		return 2
	}
	switch s[0] {
	case '=', '<', '>', '~':
		return 1
	}
	return 0
}

// wordLength is the length of the bare word at the position.
func (l *lexer) wordLength(value bool) int {
	s := l.input[l.pos:]
	for i, r := range s {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune(`(),"'`, r):
			return i
		case !value && operatorLength(s[i:]) > 0:
			return i
		}
	}
	return len(s)
}

// quoted reads a quoted string.
func (l *lexer) quoted(quote byte) (token, *Error) {
	start := l.pos
	var b strings.Builder
	for i := start + 1; i < len(l.input); i++ {
		switch c := l.input[i]; {
		case c == quote:
			l.pos = i + 1
			return token{kind: tokString, pos: start, end: l.pos, text: b.String()}, nil
		case c == '\\' && i+1 < len(l.input):
			i++
			switch e := l.input[i]; e {
			case '\\', '"', '\'':
				b.WriteByte(e)
			case 'n':
				b.WriteByte('\n')
			case 'r':
				b.WriteByte('\r')
			case 't':
				b.WriteByte('\t')
			default:
				b.WriteByte('\\')
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return token{}, &Error{
		Input: l.input, Pos: start, Got: "a string without an end",
		Expected: "a closing " + string(rune(quote)),
	}
}
