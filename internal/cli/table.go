package cli

import (
	"io"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// idTitle heads the column that a search is made for.
const idTitle = "CALL-ID"

// Table writes calls, newest first, as wide as the terminal. What is needed to
// go on, the Call-ID, is never shortened: one that does not fit beside the rest
// stands on a line of its own. The least telling columns give way to a narrow
// terminal. A "+1" after a Call-ID counts the call's further legs.
func Table(w io.Writer, calls []query.Call, d Display) error {
	calls = append([]query.Call(nil), calls...)
	sort.SliceStable(calls, func(i, j int) bool { return calls[i].Start.After(calls[j].Start) })
	cols := tableColumns(calls, d)
	needed := leastWidth(newSheet(calls, d, cols, 0).cols)
	ids := make([]string, len(calls))
	beside := 0 // the width of the widest id that has room beside the rest
	for i := range calls {
		ids[i] = d.text(callID(&calls[i])) + legsMore(&calls[i])
		if n := termtext.Width(ids[i]); d.Width == 0 || needed+2+n <= d.Width {
			beside = max(beside, n, len(idTitle))
		}
	}
	room := d.Width
	if beside > 0 && d.Width > 0 {
		room -= 2 + beside
	}
	s := newSheet(calls, d, cols, room)
	var b strings.Builder
	withID(&b, s.head(), d.paint(idTitle, termtext.Dim), beside == 0)
	for i := range calls {
		withID(&b, s.row(&calls[i]), ids[i], termtext.Width(ids[i]) > beside)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// withID writes a row, its Call-ID at the end or below.
func withID(b *strings.Builder, row, id string, below bool) {
	if below {
		b.WriteString(strings.TrimRight(row, " ") + "\n  " + id + "\n")
		return
	}
	b.WriteString(row + "  " + id + "\n")
}

// legsMore counts the legs beyond the first: " +1".
func legsMore(c *query.Call) string {
	if n := len(c.CallIDs); n > 1 {
		return " +" + strconv.Itoa(n-1)
	}
	return ""
}

func callID(c *query.Call) string {
	if len(c.CallIDs) > 0 {
		return c.CallIDs[0]
	}
	return c.CorrelationID
}

// tableColumns are the columns for these calls: those that would be empty or
// the same for all are left out.
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
	zone := ""
	if len(calls) > 0 {
		zone = " " + calls[0].Start.In(d.zone()).Format("MST")
	}
	start := startColumn("START"+zone, time.DateTime)
	if !day && len(calls) > 1 && d.Width > 0 && d.Width < 120 {
		// One day: its date stands in the title.
		start = startColumn(today[5:]+zone, time.TimeOnly)
	}
	cols := []*tableColumn{start}
	if methods {
		cols = append(cols, methodColumn())
	}
	cols = append(cols, fromColumn(), toColumn(), resultColumn(), durationColumn(), pddColumn())
	if mos {
		cols = append(cols, mosColumn())
	}
	cols = append(cols, messagesColumn())
	if resent {
		cols = append(cols, resentColumn())
	}
	return append(cols, hopsColumn(), sourceColumn())
}
