package cli

import (
	"strings"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// tableColumn is a column of the table of calls.
type tableColumn struct {
	title string
	right bool // numbers stand at the right
	// easy is how narrow the column becomes before others are left out for it,
	// least how narrow when none is left to leave out; 0 keeps its width.
	easy, least int
	// usual is its width where the calls are yet to come.
	usual int
	// weight is how readily the column is left out where there is no room; 0 is
	// never.
	weight int
	cell   func(d Display, c *query.Call) (string, termtext.Style)
	// order is how calls are sorted by it.
	order func(a, b *query.Call) int
	width int
}

// sheet is calls laid out in columns.
type sheet struct {
	d    Display
	cols []*tableColumn
}

// newSheet fits the columns to these calls and to a width in cells; 0 is as wide
// as they need.
func newSheet(calls []query.Call, d Display, cols []*tableColumn, width int) *sheet {
	for _, col := range cols {
		col.width = len(col.title)
		for i := range calls {
			s, _ := col.cell(d, &calls[i])
			col.width = max(col.width, termtext.Width(s))
		}
	}
	if width > 0 {
		cols = squeeze(cols, width)
	}
	return &sheet{d, cols}
}

// width is that of a whole line.
func (s *sheet) width() int { return lineWidth(s.cols, asIs) }

// head is the line of titles.
func (s *sheet) head() string {
	return s.line(func(c *tableColumn) (string, termtext.Style) { return c.title, termtext.Dim })
}

// row is the line of a call.
func (s *sheet) row(c *query.Call) string {
	return s.line(func(col *tableColumn) (string, termtext.Style) { return col.cell(s.d, c) })
}

func (s *sheet) line(cell func(*tableColumn) (string, termtext.Style)) string {
	var row strings.Builder
	for i, c := range s.cols {
		text, st := cell(c)
		text = s.d.fit(text, c.width)
		pad := strings.Repeat(" ", c.width-termtext.Width(text))
		if i > 0 {
			row.WriteString("  ")
		}
		if c.right {
			row.WriteString(pad + s.d.paint(text, st))
		} else {
			row.WriteString(s.d.paint(text, st) + pad)
		}
	}
	return row.String()
}

// lineWidth is the width of a row whose columns are no wider than a limit.
func lineWidth(cols []*tableColumn, limit func(*tableColumn) int) int {
	n := -2
	for _, c := range cols {
		n += limited(c, limit) + 2
	}
	return n
}

func limited(c *tableColumn, limit func(*tableColumn) int) int {
	if n := limit(c); n > 0 {
		return min(c.width, n)
	}
	return c.width
}

func easy(c *tableColumn) int  { return c.easy }
func least(c *tableColumn) int { return c.least }
func asIs(*tableColumn) int    { return 0 }

// leastWidth is what the columns that are never left out need.
func leastWidth(cols []*tableColumn) int {
	var kept []*tableColumn
	for _, c := range cols {
		if c.weight == 0 {
			kept = append(kept, c)
		}
	}
	return lineWidth(kept, least)
}

// squeeze leaves out columns, the readiest first, while the others would become
// hard to read, and then narrows the widest until the row fits.
func squeeze(cols []*tableColumn, room int) []*tableColumn {
	for lineWidth(cols, easy) > room {
		drop := -1
		for i, c := range cols {
			if c.weight > 0 && (drop < 0 || c.weight > cols[drop].weight) {
				drop = i
			}
		}
		if drop < 0 {
			break
		}
		cols = append(cols[:drop:drop], cols[drop+1:]...)
	}
	for _, limit := range []func(*tableColumn) int{easy, least} {
		for lineWidth(cols, asIs) > room {
			var widest *tableColumn
			for _, c := range cols {
				if c.width > limited(c, limit) && (widest == nil || c.width > widest.width) {
					widest = c
				}
			}
			if widest == nil {
				break
			}
			widest.width--
		}
	}
	return cols
}
