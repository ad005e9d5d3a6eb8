package tui

import (
	"slices"
	"strings"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// The room that a message is worth.
const (
	// sideWidth is the terminal's width from which the message stands beside the
	// ladder, leastSide and mostSide the pane's then.
	sideWidth, leastSide, mostSide = 132, 52, 90
	// belowHeight is the height from which it stands below, leastBelow the
	// pane's then.
	belowHeight, leastBelow = 16, 5
)

func (f *flowScreen) view(w, h int) []string {
	if f.flow == nil {
		text := "asking …"
		if f.err != nil {
			text = "no answer; F5 asks again"
		}
		return []string{"", termtext.Paint("  "+f.a.pen.text(text), termtext.Dim)}
	}
	switch {
	case f.pane == paneOff || f.current() == nil:
		return f.ladder(w, h)
	case w >= sideWidth:
		side := max(min(w*2/5, mostSide), leastSide)
		left, right := exactly(f.ladder(w-side-1, h), h), exactly(f.paneLines(side-1, h), h)
		for i := range left {
			left[i] = pad(left[i], w-side-1) + termtext.Paint(f.a.pen.pick("│", "|"), termtext.Dim) + " " + right[i]
		}
		return left
	case h < belowHeight:
		return f.ladder(w, h)
	}
	below := max(h/3, leastBelow)
	return append(exactly(f.ladder(w, h-below-1), h-below-1), append([]string{f.a.pen.rule(f.paneTitle(), w)}, f.paneLines(w, below)...)...)
}

// ladder draws the summary, the header and the rows around the cursor.
func (f *flowScreen) ladder(w, h int) []string {
	if f.drawing == nil || f.drawnAt != w {
		f.drawing = ladder.Draw(f.shown, ladder.TextOptions{
			Width: w, Color: true, ASCII: f.a.pen.ascii, Time: f.time, Zone: f.a.o.Display.Zone,
		})
		f.drawnAt = w
	}
	d := f.drawing
	lines := f.summary(d, w, h)
	lines = append(lines, d.Header()...)
	room := max(h-len(lines), 1)
	f.page = room
	if d.Len() == 0 {
		return append(lines, termtext.Paint("  nothing is shown: 0 shows all legs", termtext.Dim))
	}
	// The rows are of different heights: move the top until the cursor's is in.
	f.top = max(min(f.top, f.cursor), f.cursor-room, 0)
	for f.top < f.cursor && f.height(d, f.top, f.cursor, room) > room {
		f.top++
	}
	// Do not leave room unused at the end.
	for f.top > 0 && d.Len()-f.top < room && f.height(d, f.top-1, d.Len()-1, room)+len(d.Footer()) <= room {
		f.top--
	}
	end := len(lines) + room
	for i := f.top; i < d.Len() && len(lines) < end; i++ {
		lines = append(lines, d.Row(i, ladder.Mark{Cursor: i == f.cursor, Chosen: f.anyMarked && f.shown.Items[i].Raw == f.marked.raw && f.idOf(i) == f.marked})...)
	}
	if len(lines) < end {
		lines = append(lines, d.Footer()...)
	}
	return lines
}

// height is how many lines the rows from i to j take; more than enough is not
// counted further.
func (f *flowScreen) height(d *ladder.Drawing, i, j, enough int) int {
	n := 0
	for ; i <= j && n <= enough; i++ {
		n += len(d.Row(i, ladder.Mark{}))
	}
	return n
}

// summary is the call's: whole, or why it ended as it did and the legs. It leaves most of the screen to the ladder.
func (f *flowScreen) summary(d *ladder.Drawing, w, h int) []string {
	if f.several != nil {
		return f.callLines(w, h)
	}
	if f.whole {
		return append(d.Summary(), "")
	}
	lines := d.Reason() // who called whom stands in the title
	if most := max(h/4, 2); len(lines) > most {
		lines = append(lines[:most-1:most-1], termtext.Paint("          "+f.a.pen.pick("…", "...")+" i tells it whole, w goes to its messages", termtext.Dim))
	}
	if legs := f.legs(w); legs != "" {
		lines = append(lines, legs)
	}
	return lines
}

// callLines tells of several calls who called whom and what came of it, a line
// each, as many as leave most of the screen to the ladder; i tells all.
func (f *flowScreen) callLines(w, h int) []string {
	most := max(h/4, 2)
	if f.whole {
		most = len(f.several)
	}
	var lines []string
	for i := range f.several {
		if i == most-1 && len(f.several) > most {
			lines = append(lines, termtext.Paint("  "+f.a.pen.pick("…", "...")+" i tells all "+itoa(len(f.several)), termtext.Dim))
			break
		}
		c := &f.several[i]
		marks := ""
		for leg, l := range f.flow.Legs {
			if slices.Contains(c.CallIDs, l.CallID) {
				marks += ladder.LegMark(leg)
			}
		}
		lines = append(lines, "  "+marks+" "+f.a.pen.fit(f.a.pen.text(cli.Describe(c)+" · "+cli.CallID(c)), max(w-4-termtext.Width(marks), 1)))
	}
	if legs := f.legs(w); legs != "" && len(f.flow.Legs) <= 9 {
		lines = append(lines, legs)
	}
	return lines
}

// legs is a line with the legs and their keys.
func (f *flowScreen) legs(w int) string {
	if len(f.flow.Legs) < 2 {
		return ""
	}
	var parts []string
	each := max((w-2)/len(f.flow.Legs)-10, 8)
	for i, l := range f.flow.Legs {
		state, st := f.a.pen.pick("●", "*"), termtext.Plain
		if f.hidden[l.CallID] {
			state, st = f.a.pen.pick("○", "-"), termtext.Dim
		}
		parts = append(parts, ladder.LegMark(i)+" "+termtext.Paint(state+" "+f.a.pen.fit(f.a.pen.text(l.CallID), each), st))
	}
	return "  " + termtext.Paint("legs    ", termtext.Dim) + strings.Join(parts, "   ")
}

// paneTitle is what the message is, in a few words.
func (f *flowScreen) paneTitle() string {
	it := f.current()
	if it == nil {
		return ""
	}
	return it.Label + " · " + hop(f.flow, it)
}

// hop is from where to where an item went.
func hop(f *query.Flow, it *query.Item) string {
	end := func(wire string, participant int) string {
		if wire != "" {
			return wire
		}
		if participant >= 0 && participant < len(f.Participants) {
			return f.Participants[participant].Address
		}
		return "?"
	}
	src, dst := "", ""
	if it.SrcAddr.IsValid() {
		src = it.SrcAddr.String()
	}
	if it.DstAddr.IsValid() {
		dst = it.DstAddr.String()
	}
	return end(src, it.Src) + " → " + end(dst, it.Dst)
}

// paneLines is the message under the cursor, from where it is scrolled to.
func (f *flowScreen) paneLines(w, h int) []string {
	lines := f.message.lines(f.a, f.flow, f.current(), w)
	f.paneTop = max(min(f.paneTop, len(lines)-h), 0)
	lines = lines[f.paneTop:]
	if len(lines) > h {
		lines = append(lines[:h-1:h-1], termtext.Paint(f.a.pen.pick("… ", "... ")+itoa(len(lines)-h+1)+" more lines: +, or Enter for the whole", termtext.Dim))
	}
	return lines
}
