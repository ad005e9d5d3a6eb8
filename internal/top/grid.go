package top

import (
	"strings"

	"github.com/heplake/heplake/internal/termtext"
)

// gridColumn is a column of a table on the screen.
type gridColumn struct {
	title string
	left  bool // text stands at the left, numbers at the right
	// rank is how early the column goes when there is no room; 0 stays.
	rank int
	// least is how narrow a column of text may get; 0 keeps its width.
	least int
}

// cell is a value with its style.
type cell struct {
	text  string
	style termtext.Style
}

const gap = 2 // cells between two columns

// grid lays out rows under their titles in at most so many cells; 0 is no
// limit. Columns that do not fit go, those of the highest rank first; after
// that text is shortened.
func (v *view) grid(columns []gridColumn, rows [][]cell, limit int) []string {
	widths := make([]int, len(columns))
	shown := make([]bool, len(columns))
	for i, c := range columns {
		widths[i], shown[i] = len(c.title), true
		for _, row := range rows {
			widths[i] = max(widths[i], termtext.Width(row[i].text))
		}
	}
	need := func() int {
		n := -gap
		for i := range columns {
			if shown[i] {
				n += widths[i] + gap
			}
		}
		return n
	}
	for limit > 0 && need() > limit {
		worst := -1
		for i, c := range columns {
			if shown[i] && c.rank > 0 && (worst < 0 || c.rank > columns[worst].rank) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		shown[worst] = false
	}
	for i, c := range columns {
		if over := need() - limit; limit > 0 && over > 0 && c.least > 0 {
			widths[i] = max(c.least, widths[i]-over)
		}
	}
	line := func(cells []cell) string {
		var b strings.Builder
		first := true
		for i, c := range columns {
			if !shown[i] {
				continue
			}
			if !first {
				b.WriteString(strings.Repeat(" ", gap))
			}
			first = false
			text := v.fit(cells[i].text, widths[i])
			pad := strings.Repeat(" ", widths[i]-termtext.Width(text))
			if c.left {
				b.WriteString(v.paint(text, cells[i].style) + pad)
			} else {
				b.WriteString(pad + v.paint(text, cells[i].style))
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	head := make([]cell, len(columns))
	for i, c := range columns {
		head[i] = cell{c.title, termtext.Dim}
	}
	lines := []string{line(head)}
	for _, row := range rows {
		lines = append(lines, line(row))
	}
	return lines
}

func (v *view) fit(s string, n int) string {
	if v.ASCII {
		return termtext.Fit(s, n, "...")
	}
	return termtext.Fit(s, n, "…")
}

func (v *view) paint(s string, st termtext.Style) string {
	if !v.Color {
		return s
	}
	return termtext.Paint(s, st)
}

// bars are the heights of a sparkline.
var bars, asciiBars = []rune("▁▂▃▄▅▆▇█"), []rune("_.-=^#")

// sparkline draws the last values in at most n cells, as high as their share of
// the greatest.
func (v *view) sparkline(values []float64, n int) string {
	heights := bars
	if v.ASCII {
		heights = asciiBars
	}
	values = values[max(0, len(values)-max(0, n)):]
	top := 0.0
	for _, x := range values {
		top = max(top, x)
	}
	var b strings.Builder
	for _, x := range values {
		i := 0
		if top > 0 {
			i = min(len(heights)-1, int(x/top*float64(len(heights)-1)+0.5))
		}
		b.WriteRune(heights[max(0, i)])
	}
	return b.String()
}
