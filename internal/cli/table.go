package cli

import (
	"io"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// tableColumn is a column of the table of calls.
type tableColumn struct {
	title string
	right bool // numbers stand at the right
	// easy is how narrow the column becomes before others are left out for it,
	// least how narrow when none is left to leave out; 0 keeps its width.
	easy, least int
	// weight is how readily the column is left out where there is no room; 0 is
	// never.
	weight int
	cell   func(d Display, c *query.Call) (string, termtext.Style)
	cells  []string
	styles []termtext.Style
	width  int
}

// Table writes calls, newest first, as wide as the terminal. What is needed to
// go on, the Call-ID, is never shortened: one that does not fit beside the rest
// stands on a line of its own. The least telling columns give way to a narrow
// terminal. A "+1" after a Call-ID counts the call's further legs.
func Table(w io.Writer, calls []query.Call, d Display) error {
	calls = append([]query.Call(nil), calls...)
	sort.SliceStable(calls, func(i, j int) bool { return calls[i].Start.After(calls[j].Start) })
	cols := tableColumns(calls, d)
	for _, col := range cols {
		col.width = len(col.title)
		for i := range calls {
			s, st := col.cell(d, &calls[i])
			col.cells, col.styles = append(col.cells, s), append(col.styles, st)
			col.width = max(col.width, termtext.Width(s))
		}
	}
	const title = "CALL-ID"
	ids := make([]string, len(calls))
	beside := 0 // the width of the widest id that has room beside the rest
	for i := range calls {
		ids[i] = d.text(callID(&calls[i]))
		if n := len(calls[i].CallIDs); n > 1 {
			ids[i] += " +" + strconv.Itoa(n-1)
		}
		if n := termtext.Width(ids[i]); d.Width == 0 || leastWidth(cols)+2+n <= d.Width {
			beside = max(beside, n, len(title))
		}
	}
	if d.Width > 0 {
		room := d.Width
		if beside > 0 {
			room -= 2 + beside
		}
		cols = squeeze(cols, room)
	}
	var b strings.Builder
	head := func(c *tableColumn) (string, termtext.Style) { return c.title, termtext.Dim }
	tableLine(&b, d, cols, head, d.paint(title, termtext.Dim), beside == 0)
	for i := range calls {
		cell := func(c *tableColumn) (string, termtext.Style) { return c.cells[i], c.styles[i] }
		tableLine(&b, d, cols, cell, ids[i], termtext.Width(ids[i]) > beside)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tableLine writes a row, its Call-ID at the end or below.
func tableLine(b *strings.Builder, d Display, cols []*tableColumn, cell func(*tableColumn) (string, termtext.Style), id string, below bool) {
	var row strings.Builder
	for i, c := range cols {
		s, st := cell(c)
		s = d.fit(s, c.width)
		pad := strings.Repeat(" ", c.width-termtext.Width(s))
		if i > 0 {
			row.WriteString("  ")
		}
		if c.right {
			row.WriteString(pad + d.paint(s, st))
		} else {
			row.WriteString(d.paint(s, st) + pad)
		}
	}
	if below {
		b.WriteString(strings.TrimRight(row.String(), " ") + "\n  " + id + "\n")
		return
	}
	b.WriteString(row.String() + "  " + id + "\n")
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

func callID(c *query.Call) string {
	if len(c.CallIDs) > 0 {
		return c.CallIDs[0]
	}
	return c.CorrelationID
}

func tableColumns(calls []query.Call, d Display) []*tableColumn {
	day, today, methods, mos, resent := false, "", false, false, false
	for i := range calls {
		c := &calls[i]
		date := c.Start.In(d.zone()).Format(time.DateOnly)
		day = day || i > 0 && date != today
		today = date
		methods = methods || c.Method != "INVITE"
		mos = mos || c.MOSAvg != nil
		resent = resent || c.Retransmissions > 0
	}
	plain := func(f func(c *query.Call) string) func(Display, *query.Call) (string, termtext.Style) {
		return func(d Display, c *query.Call) (string, termtext.Style) { return d.text(f(c)), termtext.Plain }
	}
	layout, zone := "2006-01-02 15:04:05", ""
	if len(calls) > 0 {
		zone = " " + calls[0].Start.In(d.zone()).Format("MST")
	}
	cols := []*tableColumn{{title: "START" + zone, cell: plain(func(c *query.Call) string { return c.Start.In(d.zone()).Format(layout) })}}
	if !day && len(calls) > 1 && d.Width > 0 && d.Width < 120 {
		// One day: its date stands in the title.
		layout = "15:04:05"
		cols[0].title = today[5:] + zone
	}
	if methods {
		cols = append(cols, &tableColumn{title: "METHOD", cell: plain(func(c *query.Call) string { return c.Method })})
	}
	cols = append(cols,
		&tableColumn{title: "FROM", easy: 14, least: 8, cell: plain(func(c *query.Call) string { return who(c.FromUser, c.FromDomain) })},
		&tableColumn{title: "TO", easy: 14, least: 8, cell: plain(func(c *query.Call) string { return who(dialled(c), c.ToDomain) })},
		&tableColumn{title: "RESULT", easy: 22, least: 12, cell: result},
		&tableColumn{title: "DURATION", right: true, weight: 1, cell: plain(func(c *query.Call) string { return durationOf(c.DurationS, time.Second) })},
		&tableColumn{title: "PDD", right: true, weight: 3, cell: plain(func(c *query.Call) string { return durationOf(c.PDDMs, time.Millisecond) })},
	)
	if mos {
		cols = append(cols, &tableColumn{title: "MOS", right: true, weight: 2, cell: mosCell})
	}
	cols = append(cols, &tableColumn{title: "MSGS", right: true, weight: 5, cell: plain(func(c *query.Call) string { return strconv.FormatUint(c.Messages, 10) })})
	if resent {
		cols = append(cols, &tableColumn{title: "RETR", right: true, weight: 4, cell: func(_ Display, c *query.Call) (string, termtext.Style) {
			if c.Retransmissions == 0 {
				return "", termtext.Plain
			}
			return strconv.FormatUint(c.Retransmissions, 10), termtext.Yellow
		}})
	}
	cols = append(cols,
		&tableColumn{title: "HOPS", right: true, weight: 6, cell: plain(func(c *query.Call) string { return strconv.FormatUint(c.Hops, 10) })},
		&tableColumn{title: "SOURCE", weight: 7, cell: plain(func(c *query.Call) string {
			if !c.SrcIP.IsValid() {
				return ""
			}
			return c.SrcIP.Unmap().String()
		})},
	)
	return cols
}

// dialled is the number the caller asked for: that of the request URI where it
// differs from To, which may have been set long before.
func dialled(c *query.Call) string {
	if c.RURIUser != "" && c.Method == "INVITE" {
		return c.RURIUser
	}
	return c.ToUser
}

// who is the user part, or the domain of a URI that has none.
func who(user, domain string) string {
	if user == "" {
		return domain
	}
	return user
}

func durationOf(v *float64, unit time.Duration) string {
	if v == nil {
		return ""
	}
	return ladder.Duration(time.Duration(*v * float64(unit)))
}

// result is how a call ended, in the colour of the ladder.
func result(d Display, c *query.Call) (string, termtext.Style) {
	status := ""
	if c.FinalStatus != 0 {
		status = strings.TrimSpace(strconv.Itoa(int(c.FinalStatus)) + " " + d.text(c.FinalReason))
	}
	pick := func(mark, ascii, words string, st termtext.Style) (string, termtext.Style) {
		if d.ASCII {
			mark = ascii
		}
		return mark + " " + words, st
	}
	switch c.Outcome {
	case query.Answered:
		return pick("✓", "ok", or(status, "answered"), termtext.Green)
	case query.Cancelled:
		return pick("⊘", "/", or(status, "cancelled"), termtext.Yellow)
	case query.Unanswered:
		return pick("∅", "?", "no final response", termtext.Red)
	case query.InProgress:
		return pick("●", "*", "in progress", termtext.Cyan)
	case query.Failed:
		return pick("✗", "X", or(status, "failed"), termtext.RedBold)
	}
	return d.text(string(c.Outcome)), termtext.Plain
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func mosCell(_ Display, c *query.Call) (string, termtext.Style) {
	if c.MOSAvg == nil {
		return "", termtext.Plain
	}
	return strconv.FormatFloat(*c.MOSAvg, 'f', 2, 64), mosStyle(*c.MOSAvg)
}

// mosStyle is the colour of a mean opinion score: below 3.1 nearly all users
// are dissatisfied, below 3.6 many (ITU-T G.107, table B.1).
func mosStyle(mos float64) termtext.Style {
	switch {
	case mos <= 0:
		return termtext.Dim
	case mos < 3.1:
		return termtext.RedBold
	case mos < 3.6:
		return termtext.Yellow
	}
	return termtext.Green
}
