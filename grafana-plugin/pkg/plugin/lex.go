package plugin

import "strings"

// tokenKind says what a piece of SQL is.
type tokenKind uint8

const (
	tokenSpace  tokenKind = iota // white space and comments
	tokenWord                    // a keyword, a name, a number
	tokenQuoted                  // a string, a quoted name, a heredoc
	tokenMacro                   // $__name
	tokenOpen                    // ( [ {
	tokenClose                   // ) ] }
	tokenComma
	tokenSemicolon
	tokenOther
)

// token is a piece of SQL; all of a text's tokens joined are the text.
type token struct {
	kind tokenKind
	text string
	at   int // offset in bytes
}

// lex splits SQL as ClickHouse's own lexer does, as far as it matters for
// finding macros and statements. It takes any text: what is not closed reaches
// to the end.
func lex(sql string) []token {
	var tokens []token
	for at := 0; at < len(sql); {
		kind, n := next(sql[at:])
		tokens = append(tokens, token{kind, sql[at : at+n], at})
		at += n
	}
	return tokens
}

// next is the kind and length of the first token of a text that is not empty.
func next(s string) (tokenKind, int) {
	switch c := s[0]; {
	case isSpace(c):
		return tokenSpace, spanOf(s, isSpace)
	case strings.HasPrefix(s, "--"), strings.HasPrefix(s, "# "), strings.HasPrefix(s, "#!"):
		return tokenSpace, through(s, 0, "\n")
	case strings.HasPrefix(s, "/*"):
		return tokenSpace, blockComment(s)
	case c == '\'' || c == '"' || c == '`':
		return tokenQuoted, quoted(s)
	case strings.HasPrefix(s, macroPrefix) && len(s) > len(macroPrefix) && isLetter(s[len(macroPrefix)]):
		return tokenMacro, len(macroPrefix) + spanOf(s[len(macroPrefix):], isWord)
	case c == '$':
		return heredoc(s)
	case isWord(c):
		return tokenWord, spanOf(s, isWord)
	}
	switch s[0] {
	case '(', '[', '{':
		return tokenOpen, 1
	case ')', ']', '}':
		return tokenClose, 1
	case ',':
		return tokenComma, 1
	case ';':
		return tokenSemicolon, 1
	}
	return tokenOther, 1
}

// macroPrefix is what macros begin with.
const macroPrefix = "$__"

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || c >= '0' && c <= '9' || c >= 0x80 }

func spanOf(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) && is(s[n]) {
		n++
	}
	return n
}

// through is the length up to and with the mark behind from, all of s without it.
func through(s string, from int, mark string) int {
	if i := strings.Index(s[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s)
}

// blockComment is the length of a comment; ClickHouse's comments nest.
func blockComment(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth, i = depth+1, i+2
		case strings.HasPrefix(s[i:], "*/"):
			depth, i = depth-1, i+2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(s)
}

// quoted is the length of a string or quoted name: the quote is escaped by a
// backslash or by doubling.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			if i+1 < len(s) && s[i+1] == s[0] {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}

// heredoc is a string between two tags, $tag$…$tag$; anything else that begins
// with a dollar is one character.
func heredoc(s string) (tokenKind, int) {
	n := 1 + spanOf(s[1:], isWord)
	if n >= len(s) || s[n] != '$' {
		return tokenOther, 1
	}
	tag := s[:n+1]
	if !strings.Contains(s[len(tag):], tag) {
		return tokenOther, 1
	}
	return tokenQuoted, through(s, len(tag), tag)
}
