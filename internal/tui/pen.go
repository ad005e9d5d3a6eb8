package tui

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/heplake/heplake/internal/termtext"
)

// pen writes text in the characters that the terminal has.
type pen struct{ ascii bool }

// text is s, safe and in characters that the terminal can show.
func (p pen) text(s string) string {
	s = termtext.Clean(s)
	if p.ascii {
		s = termtext.ASCII(s)
	}
	return s
}

// line is s safe for one line, its blanks kept as they are.
func (p pen) line(s string) string {
	s = strings.Map(termtext.Printable, strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\t", "    "))
	if p.ascii {
		s = termtext.ASCII(s)
	}
	return s
}

func (p pen) fit(s string, n int) string {
	if p.ascii {
		return termtext.Fit(s, n, "...")
	}
	return termtext.Fit(s, n, "…")
}

// pick is the first, or where the terminal has ASCII alone the second.
func (p pen) pick(s, ascii string) string {
	if p.ascii {
		return ascii
	}
	return s
}

// rule is a line across, with a title in it.
func (p pen) rule(title string, w int) string {
	bar := p.pick("─", "-")
	if title == "" {
		return termtext.Paint(strings.Repeat(bar, max(w, 0)), termtext.Dim)
	}
	title = p.fit(p.text(title), max(w-6, 1))
	rest := max(w-4-termtext.Width(title), 0)
	return termtext.Paint(bar+bar+" ", termtext.Dim) + termtext.Paint(title, termtext.Bold) + termtext.Paint(" "+strings.Repeat(bar, max(rest, 0)), termtext.Dim)
}

// pad fills a line, colours and all, to n cells, or cuts it there.
func pad(s string, n int) string {
	w := ansi.StringWidth(s)
	if w > n {
		return ansi.Truncate(s, n, "")
	}
	return s + strings.Repeat(" ", n-w)
}

// wrap breaks a line, colours and all, so that it fits into n cells.
func wrap(s string, n int) []string {
	if n < 1 || ansi.StringWidth(s) <= n {
		return []string{s}
	}
	return strings.Split(ansi.Hardwrap(s, n, true), "\n")
}

// scroll moves a window of h lines so that the lines from first to last of n are
// seen, moving as little as needed.
func scroll(top, first, last, h, n int) int {
	if last >= top+h {
		top = last - h + 1
	}
	if first < top {
		top = first
	}
	return max(min(top, n-h), 0)
}
