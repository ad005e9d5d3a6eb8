package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// CallSheet lays calls out in columns for a screen on which they are browsed and
// sorted. The last column, the Call-ID, takes what the others leave.
type CallSheet struct {
	color, plain *sheet
	width        int
}

// SortColumns names the columns that calls are sorted by, from left to right.
func SortColumns() []string {
	var names []string
	for _, c := range browseColumns(true, true) {
		names = append(names, c.title)
	}
	return names
}

// SortCalls sorts by a column of SortColumns; calls that are equal in it stand
// newest first.
func SortCalls(calls []query.Call, column string, descending bool) {
	for _, c := range browseColumns(true, true) {
		if c.title != column {
			continue
		}
		slices.SortStableFunc(calls, func(a, b query.Call) int {
			n := c.order(&a, &b)
			if descending {
				n = -n
			}
			if n == 0 {
				n = b.Start.Compare(a.Start)
			}
			return n
		})
	}
}

// browseColumns are the columns; a date stands before the time where there are
// several days.
func browseColumns(days, resent bool) []*tableColumn {
	layout := time.TimeOnly
	if days {
		layout = "01-02 15:04:05"
	}
	cols := []*tableColumn{
		startColumn("START", layout), methodColumn(), fromColumn(), toColumn(), resultColumn(),
		durationColumn(), pddColumn(), mosColumn(), messagesColumn(),
	}
	if resent {
		cols = append(cols, resentColumn())
	}
	return append(cols, hopsColumn(), sourceColumn())
}

// NewCallSheet fits the columns to these calls and the display's width.
func NewCallSheet(calls []query.Call, d Display) *CallSheet {
	days, resent := false, false
	for i := range calls {
		days = days || !sameDay(calls[0].Start.In(d.zone()), calls[i].Start.In(d.zone()))
		resent = resent || calls[i].Retransmissions > 0
	}
	if n := len(calls); n > 0 {
		days = days || !sameDay(calls[0].Start.In(d.zone()), time.Now().In(d.zone()))
	}
	room := 0
	if d.Width > 0 {
		// A Call-ID is told by its beginning; its whole is on the ladder.
		room = max(d.Width-2-min(max(d.Width/5, 10), 40), 1)
	}
	s := newSheet(calls, d, browseColumns(days, resent), room)
	for _, c := range s.cols {
		c.width = max(c.width, len(c.title)+1) // room for the mark of the order
	}
	if room > 0 {
		s.cols = squeeze(s.cols, room)
	}
	plain := d
	plain.Color = false
	return &CallSheet{color: s, plain: &sheet{plain, s.cols}, width: d.Width}
}

func sameDay(a, b time.Time) bool { return a.YearDay() == b.YearDay() && a.Year() == b.Year() }

// Head is the line of titles; that of the column sorted by has a mark.
func (s *CallSheet) Head(sorted string, descending bool) string {
	mark := "▲"
	switch {
	case s.color.d.ASCII && descending:
		mark = "v"
	case s.color.d.ASCII:
		mark = "^"
	case descending:
		mark = "▼"
	}
	line := s.color.line(func(c *tableColumn) (string, termtext.Style) {
		if c.title == sorted {
			return c.title + mark, termtext.Bold
		}
		return c.title, termtext.Dim
	})
	return line + "  " + s.color.d.paint(idTitle, termtext.Dim)
}

// Row is the line of a call. Where the cursor stands it is in reverse video, as
// wide as the display.
func (s *CallSheet) Row(c *query.Call, cursor bool) string {
	of := s.color
	if cursor {
		of = s.plain
	}
	id := of.d.text(callID(c))
	if more := legsMore(c); s.width > 0 {
		id = of.d.fit(id, max(s.width-of.width()-2-len(more), 1)) + more
	} else {
		id += more
	}
	line := of.row(c) + "  " + id
	if !cursor {
		return line
	}
	return termtext.Paint(line+strings.Repeat(" ", max(s.width-termtext.Width(line), 0)), termtext.Reverse)
}

// CallID is the Call-ID that a call is asked for by: that of its first leg.
func CallID(c *query.Call) string { return callID(c) }

// CallKey tells calls apart.
func CallKey(c *query.Call) string { return callKey(c) }

// CallOpen reports whether more is to be expected of a call.
func CallOpen(c *query.Call) bool { return open(c) }

// Describe is a call in a few words: who called whom, and what came of it.
func Describe(c *query.Call) string {
	d := Display{}
	words, _ := result(d, c)
	return d.text(who(c.FromUser, c.FromDomain)) + " → " + d.text(who(dialled(c), c.ToDomain)) + " " + words
}
