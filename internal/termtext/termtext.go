// Package termtext measures, cleans, shortens and colours text for a terminal.
package termtext

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// cells measures text in terminal cells. The locale is left out on purpose: the
// same text must give the same picture everywhere.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// Width is how many cells s takes.
func Width(s string) int { return cells.StringWidth(s) }

// RuneWidth is how many cells r takes: 0 for a combining mark, 2 for a wide
// character, else 1.
func RuneWidth(r rune) int { return cells.RuneWidth(r) }

// Fit shortens s to at most n cells. A shortened text ends in the ellipsis, if
// there is room for one.
func Fit(s string, n int, ellipsis string) string {
	if n <= 0 {
		return ""
	}
	if Width(s) <= n {
		return s
	}
	if Width(ellipsis) >= n && n < 3 {
		ellipsis = ""
	}
	return cells.Truncate(s, n, ellipsis)
}

// Clean makes text from the wire safe for a terminal and a single line: white
// space becomes one blank, and what would move the cursor, start an escape
// sequence or turn the writing direction becomes U+FFFD.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	blank := false
	for _, r := range strings.TrimSpace(s) {
		if unicode.IsSpace(r) {
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		}
		blank = false
		b.WriteRune(Printable(r))
	}
	return b.String()
}

// isClean spares the common case, plain ASCII, the work.
func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		edge := i == 0 || i == len(s)-1
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && (edge || s[i+1] == ' ') {
			return false
		}
	}
	return true
}

// Printable is the rune itself, or U+FFFD for a control character and for a
// direction-changing or other invisible format character.
func Printable(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
		return unicode.ReplacementChar
	}
	return r
}

// ASCII is s for a terminal that shows nothing else: a look-alike for the marks
// we use ourselves, "?" for the rest.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '→':
			return '>'
		case r == '·':
			return ','
		case r == 'µ':
			return 'u'
		case r == '–':
			return '-'
		case r > '~':
			return '?'
		}
		return r
	}, s)
}

// Style is the SGR parameters of a piece of text (ECMA-48 section 8.3.117); ""
// is the terminal's own.
type Style string

// The styles that mean something.
const (
	Plain      Style = ""
	Bold       Style = "1"
	Dim        Style = "2"
	Red        Style = "31"
	RedBold    Style = "1;31"
	Green      Style = "32"
	GreenBold  Style = "1;32"
	Yellow     Style = "33"
	YellowBold Style = "1;33"
	Cyan       Style = "36"
	CyanBold   Style = "1;36"
	Reverse    Style = "7"
)

// Paint wraps s in a style. The empty text and the plain style stay as they are.
func Paint(s string, st Style) string {
	if st == Plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}
