package ladder

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// cells measures text in terminal cells. The locale is left out on purpose: the
// same flow must give the same picture everywhere.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

func width(s string) int { return cells.StringWidth(s) }

// clean makes text from the wire safe for a terminal and a single line: white
// space becomes one blank, and what would move the cursor, start an escape
// sequence or turn the writing direction becomes U+FFFD.
func clean(s string) string {
	safe := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && i+1 < len(s) && s[i+1] == ' ' {
			safe = false
			break
		}
	}
	if safe {
		return strings.TrimSpace(s)
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
		b.WriteRune(printable(r))
	}
	return b.String()
}

// printable is the rune itself, or U+FFFD for a control character, a
// direction-changing or other invisible format character, or no character.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
		return unicode.ReplacementChar
	}
	return r
}

// style is the SGR parameters of a piece of text, "" for the terminal's own.
type style string

const (
	plain   style = ""
	bold    style = "1"
	dim     style = "2"
	red     style = "31"
	redBold style = "1;31"
	green   style = "32"
	grnBold style = "1;32"
	yellow  style = "33"
	ylwBold style = "1;33"
	cyan    style = "36"
)

// legStyles tell legs apart; they read on dark and on light terminals and are
// none of the colours that mean an outcome.
var legStyles = []style{"38;5;39", "38;5;170", "38;5;208", "38;5;37", "38;5;99", "38;5;137"}

func legStyle(leg int) style {
	if leg < 0 {
		return dim
	}
	return legStyles[leg%len(legStyles)]
}

// glyphs are the drawing characters.
type glyphs struct {
	life, cross, top, bottom, bar    string
	line, dash, dots                 string // a message, a retransmission or copy, media
	right, left, rightOpen, leftOpen string
	loop, event, warn, gap, ellipsis string
	sdp, again, copied, sep, arrow   string
	ok, failed, cancelled, noAnswer  string
	inProgress, raw                  string
}

var unicodeGlyphs = glyphs{
	life: "│", cross: "┼", top: "┬", bottom: "┴", bar: "─",
	line: "─", dash: "╌", dots: "┈",
	right: "▶", left: "◀", rightOpen: "▷", leftOpen: "◁",
	loop: "↺", event: "◆", warn: "⚠", gap: "┊", ellipsis: "…",
	sdp: "▪SDP", again: "↻", copied: "≡", sep: " · ", arrow: "→",
	ok: "✓", failed: "✗", cancelled: "⊘", noAnswer: "∅", inProgress: "●", raw: "┃",
}

var asciiGlyphs = glyphs{
	life: "|", cross: "+", top: "+", bottom: "+", bar: "-",
	line: "-", dash: "~", dots: ".",
	right: ">", left: "<", rightOpen: ">", leftOpen: "<",
	loop: "@", event: "*", warn: "!", gap: ":", ellipsis: "...",
	sdp: "+SDP", again: "again ", copied: "copy", sep: ", ", arrow: "->",
	ok: "ok", failed: "X", cancelled: "/", noAnswer: "?", inProgress: "*", raw: "|",
}

// pen turns text and style into bytes: it knows whether there is colour and
// which characters the terminal can show.
type pen struct {
	color, ascii bool
	g            *glyphs
}

func newPen(color, ascii bool) pen {
	p := pen{color: color, ascii: ascii, g: &unicodeGlyphs}
	if ascii {
		p.g = &asciiGlyphs
	}
	return p
}

// text is s as the terminal can show it.
func (p pen) text(s string) string {
	if !p.ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '→':
			return '>'
		case r == '·':
			return ','
		case r == 'µ':
			return 'u'
		case r > '~':
			return '?'
		}
		return r
	}, s)
}

// fit shortens s to at most n cells, the last of them an ellipsis.
func (p pen) fit(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if width(s) <= n {
		return s
	}
	if n <= len(p.g.ellipsis) && p.ascii {
		return cells.Truncate(s, n, "")
	}
	return cells.Truncate(s, n, p.g.ellipsis)
}

// paint wraps s in a style.
func (p pen) paint(s string, st style) string {
	if !p.color || st == plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

// cell is one place of a line. The second place of a wide character is empty
// and marked tail.
type cell struct {
	text string
	st   style
	tail bool
}

// line is a row of the terminal that grows to the right. Text put later covers
// what lies there.
type line struct{ cells []cell }

func (l *line) put(x int, s string, st style) {
	if x < 0 {
		return
	}
	g := []rune(s)
	for i := 0; i < len(g); {
		// A cluster is a rune and the zero-width ones that follow it.
		j := i + 1
		for j < len(g) && cells.RuneWidth(g[j]) == 0 {
			j++
		}
		w := max(cells.RuneWidth(g[i]), 1)
		for len(l.cells) < x+w {
			l.cells = append(l.cells, cell{text: " "})
		}
		l.cover(x)
		l.cells[x] = cell{text: string(g[i:j]), st: st}
		for k := 1; k < w; k++ {
			l.cover(x + k)
			l.cells[x+k] = cell{tail: true}
		}
		x, i = x+w, j
	}
}

// cover blanks the other half of a wide character that is about to lose one.
func (l *line) cover(x int) {
	if l.cells[x].tail && x > 0 {
		l.cells[x-1] = cell{text: " "}
	}
	if x+1 < len(l.cells) && l.cells[x+1].tail {
		l.cells[x+1] = cell{text: " "}
	}
}

// render writes the line without blanks at its end.
func (l *line) render(b *strings.Builder, p pen) {
	end := len(l.cells)
	for end > 0 && l.cells[end-1].text == " " {
		end--
	}
	for i := 0; i < end; {
		j, run := i, ""
		for ; j < end && (l.cells[j].st == l.cells[i].st || l.cells[j].tail); j++ {
			run += l.cells[j].text
		}
		b.WriteString(p.paint(run, l.cells[i].st))
		i = j
	}
	b.WriteByte('\n')
}
