package ladder

import (
	"strings"

	"github.com/heplake/heplake/internal/termtext"
)

func width(s string) int { return termtext.Width(s) }

func clean(s string) string { return termtext.Clean(s) }

// legStyles tell legs apart; they read on dark and on light terminals and are
// none of the colours that mean an outcome.
var legStyles = []termtext.Style{"38;5;39", "38;5;170", "38;5;208", "38;5;37", "38;5;99", "38;5;137"}

func legStyle(leg int) termtext.Style {
	if leg < 0 {
		return termtext.Dim
	}
	return legStyles[leg%len(legStyles)]
}

// glyphs are the drawing characters.
type glyphs struct {
	life, cross, top, bottom, bar    string
	line, dash, dots                 string // a message, a retransmission or copy, media
	right, left, rightOpen, leftOpen string
	loop, event, warn, gap, ellipsis string
	sdp, again, copied, sep          string
	ok, failed, cancelled, noAnswer  string
	inProgress, raw, chosen, sdpLine string
}

var unicodeGlyphs = glyphs{
	life: "│", cross: "┼", top: "┬", bottom: "┴", bar: "─",
	line: "─", dash: "╌", dots: "┈",
	right: "▶", left: "◀", rightOpen: "▷", leftOpen: "◁",
	loop: "↺", event: "◆", warn: "⚠", gap: "┊", ellipsis: "…",
	sdp: "▪SDP", again: "↻", copied: "≡", sep: " · ",
	ok: "✓", failed: "✗", cancelled: "⊘", noAnswer: "∅", inProgress: "●", raw: "┃", chosen: "▸", sdpLine: "▪ ",
}

var asciiGlyphs = glyphs{
	life: "|", cross: "+", top: "+", bottom: "+", bar: "-",
	line: "-", dash: "~", dots: ".",
	right: ">", left: "<", rightOpen: ">", leftOpen: "<",
	loop: "@", event: "*", warn: "!", gap: ":", ellipsis: "...",
	sdp: "+SDP", again: "again ", copied: "copy", sep: ", ",
	ok: "ok", failed: "X", cancelled: "/", noAnswer: "?", inProgress: "*", raw: "|", chosen: "#", sdpLine: "+ ",
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
	return termtext.ASCII(s)
}

// fit shortens s to at most n cells, the last of them an ellipsis.
func (p pen) fit(s string, n int) string { return termtext.Fit(s, n, p.g.ellipsis) }

// paint wraps s in a style.
func (p pen) paint(s string, st termtext.Style) string {
	if !p.color {
		return s
	}
	return termtext.Paint(s, st)
}

// cell is one place of a line. The second place of a wide character is empty
// and marked tail.
type cell struct {
	text string
	st   termtext.Style
	tail bool
}

// line is a row of the terminal that grows to the right. Text put later covers
// what lies there.
type line struct{ cells []cell }

func (l *line) put(x int, s string, st termtext.Style) {
	if x < 0 {
		return
	}
	g := []rune(s)
	for i := 0; i < len(g); {
		// A cluster is a rune and the zero-width ones that follow it.
		j := i + 1
		for j < len(g) && termtext.RuneWidth(g[j]) == 0 {
			j++
		}
		w := max(termtext.RuneWidth(g[i]), 1)
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

// reverse shows the whole line, n cells wide, in reverse video: the cursor stands
// there. That needs no colour and reads on any background.
func (l *line) reverse(n int) {
	for len(l.cells) < n {
		l.cells = append(l.cells, cell{text: " "})
	}
	for i := range l.cells {
		l.cells[i].st = termtext.Reverse
	}
}

// render returns the line without blanks at its end.
func (l *line) render(p pen) string {
	var b strings.Builder
	end := len(l.cells)
	for end > 0 && l.cells[end-1].text == " " && l.cells[end-1].st != termtext.Reverse {
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
	return b.String()
}
