package ladder

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// TimeMode is what the time column shows.
type TimeMode int

// The time modes. In TimeDelta the first row and every row after a large gap
// show the time of day, all others the time since the row before.
const (
	TimeDelta    TimeMode = iota // since the row before
	TimeAbsolute                 // time of day on every row
	TimeOffset                   // since the first row
)

// TextOptions say how Text draws. The zero value draws 120 cells wide, in
// Unicode, without colour, times in UTC.
type TextOptions struct {
	Width int  // cells of the terminal; 0 is 120; less than 40 is taken as 40
	Color bool // ANSI colours: the caller knows the terminal and NO_COLOR
	ASCII bool // no character outside ASCII
	Raw   bool // every message below its row, as it was on the wire
	Time  TimeMode
	Zone  *time.Location // nil is UTC
	// Even makes the lanes as wide as the terminal allows, whatever stands on
	// their arrows, and always has a column for the leg: rows that are added
	// later stand on the same lifelines as long as no participant is.
	Even bool
}

// Text writes the flow as a ladder for a terminal. No line of it is wider than
// the terminal, except lines of raw messages. The error is the writer's.
func Text(w io.Writer, f *query.Flow, o TextOptions) error {
	d := Draw(f, o)
	var b strings.Builder
	write := func(lines []string) {
		for _, l := range lines {
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	write(d.Summary())
	b.WriteByte('\n')
	write(d.Header())
	for i := range d.Len() {
		write(d.Row(i, Mark{}))
	}
	write(d.Footer())
	_, err := io.WriteString(w, b.String())
	return err
}

// text is one drawing in the making.
type text struct {
	m *model
	o TextOptions
	p pen
	l *layout
	// foundAt is the finding that an item shows, both by index; numbers are those
	// of the findings.
	foundAt, numbers map[int]int
	// sdpBelow tells that there is no room beside the ladder for session
	// descriptions.
	sdpBelow bool
	newSDP   []bool // which rows have a session description that says something new
	lines    []string
}

func (t *text) emit(l *line) { t.lines = append(t.lines, l.render(t.p)) }

// drawn returns what draw emits.
func (t *text) drawn(draw func()) []string {
	t.lines = nil
	draw()
	return t.lines
}

var outcomeStyle = map[query.Outcome]termtext.Style{
	query.Answered: termtext.GreenBold, query.Failed: termtext.RedBold, query.Cancelled: termtext.YellowBold,
	query.Unanswered: termtext.RedBold, query.InProgress: termtext.CyanBold,
}

func (t *text) outcomeMark(o query.Outcome) string {
	switch o {
	case query.Answered:
		return t.p.g.ok
	case query.Cancelled:
		return t.p.g.cancelled
	case query.Unanswered:
		return t.p.g.noAnswer
	case query.InProgress:
		return t.p.g.inProgress
	}
	return t.p.g.failed
}

// labelColumn is where the values of the summary begin.
const labelColumn = 10

// summary writes what is known of the call as a whole.
func (t *text) summary() {
	c := &t.m.flow.Call
	var l line
	st := outcomeStyle[c.Outcome]
	word := strings.ToUpper(strings.ReplaceAll(string(c.Outcome), "_", " "))
	mark := t.outcomeMark(c.Outcome) + " " + word
	l.put(0, mark, st)
	x := max(labelColumn, width(mark)+2)
	method, parties := title(c)
	if method != "" {
		l.put(x, t.p.text(method), termtext.Bold)
		x += width(method) + 1
	}
	parties = t.p.text(parties)
	l.put(x, t.p.fit(parties, t.l.width-x), termtext.Bold)
	t.emit(&l)

	start := c.Start
	if start.IsZero() && len(t.m.rows) > 0 {
		start = t.m.rows[0].item.Time
	}
	for _, f := range t.m.facts(start.In(t.o.Zone).Format("2006-01-02 15:04:05.000 MST")) {
		value := termtext.Plain
		switch {
		case f.name == "why":
			value = st
		case f.name == "cut":
			value = termtext.YellowBold
		}
		t.fact(f, value)
		if f.name == "why" {
			t.findings(false)
		}
	}
	t.legs()
	if t.l.numbers || t.l.list {
		t.legend()
	}
}

// fact writes one line of the summary, broken between values, and between the
// words of a value, where it is too long: nothing of it is left out.
func (t *text) fact(f fact, st termtext.Style) {
	var l line
	l.put(2, f.name, termtext.Dim)
	x := labelColumn
	next := func() {
		t.emit(&l)
		l, x = line{}, labelColumn
	}
	for i, v := range f.values {
		v = t.p.text(v)
		switch {
		case i == 0:
		case x+width(t.p.g.sep)+width(v) > t.l.width && x > labelColumn:
			next()
		default:
			l.put(x, t.p.g.sep, termtext.Dim)
			x += width(t.p.g.sep)
		}
		for j, s := range wrap(v, t.l.width-x) {
			if j > 0 {
				next()
			}
			s = t.p.fit(s, t.l.width-x)
			l.put(x, s, st)
			x += width(s)
		}
	}
	t.emit(&l)
}

// wrap breaks s between words into lines of at most n cells, but for words that
// are longer.
func wrap(s string, n int) []string {
	var out []string
	for _, word := range strings.Fields(s) {
		if last := len(out) - 1; last >= 0 && width(out[last])+1+width(word) <= n {
			out[last] += " " + word
			continue
		}
		out = append(out, word)
	}
	return out
}

func (t *text) legs() {
	legs := t.m.flow.Legs
	widest := 0
	for i := range legs {
		widest = max(widest, width(t.p.text(clean(legs[i].CallID))))
	}
	for i := range legs {
		var l line
		name := "Call-ID"
		x := labelColumn
		if len(legs) > 1 {
			if name = ""; i == 0 {
				name = "legs"
			}
			l.put(x, legName(i), legStyle(i))
			x += len(legName(len(legs)-1)) + 1
		}
		l.put(2, name, termtext.Dim)
		id := t.p.text(clean(legs[i].CallID))
		tail := plural(legs[i].Messages, "message")
		if why := linked(&legs[i]); why != "" && len(legs) > 1 {
			tail += t.p.g.sep + t.p.text(why)
		}
		room := t.l.width - x
		l.put(x, t.p.fit(id, room), termtext.Plain)
		if len(legs) > 1 {
			if widest+2+min(width(tail), 30) > room { // a Call-ID is there to be copied: it stays whole
				t.emit(&l)
				l, x = line{}, x-widest
			}
			l.put(x+widest+2, t.p.fit(tail, t.l.width-x-widest-2), termtext.Dim)
		}
		t.emit(&l)
	}
}

// legend names the numbered participants.
func (t *text) legend() {
	digits, widest := len(itoa(len(t.m.columns))), 0
	for _, c := range t.m.columns {
		widest = max(widest, width(c.address))
	}
	for i, c := range t.m.columns {
		var l line
		if i == 0 {
			l.put(2, "who", termtext.Dim)
		}
		number := itoa(i + 1)
		l.put(labelColumn+digits-len(number), number, termtext.Bold)
		x := labelColumn + digits + 1
		address := t.p.fit(t.p.text(c.address), t.l.width-x)
		l.put(x, address, termtext.Plain)
		x += widest + 2
		l.put(x, t.p.fit(t.p.text(c.name), t.l.width-x), termtext.Dim)
		t.emit(&l)
	}
}

// header draws the names over the lifelines.
func (t *text) header() {
	if t.l.list {
		return
	}
	for i := range t.l.heads[0] {
		var l line
		for col, lines := range t.l.heads {
			st := termtext.Dim
			if i == 0 || t.l.numbers {
				st = termtext.Bold
			}
			t.centre(&l, col, lines[i], st)
		}
		t.emit(&l)
	}
	t.rule(t.p.g.top)
}

// rule draws the line that lifelines begin or end on.
func (t *text) rule(joint string) {
	var l line
	for col, lines := range t.l.heads {
		w := 1
		for _, s := range lines {
			w = max(w, width(s))
		}
		t.centre(&l, col, strings.Repeat(t.p.g.bar, w), termtext.Dim)
		l.put(t.l.x[col], joint, termtext.Dim)
	}
	t.emit(&l)
}

// centre puts s over a lifeline, moved as far as its slot demands.
func (t *text) centre(l *line, col int, s string, st termtext.Style) {
	slot := t.l.slots[col]
	x := t.l.x[col] - width(s)/2
	x = max(min(x, slot[1]+1-width(s)), slot[0])
	l.put(x, s, st)
}

// footer closes the lifelines and explains the marks that occur.
func (t *text) footer() {
	if !t.l.list {
		t.rule(t.p.g.bottom)
	}
	var marks []string
	if t.m.anySDP {
		marks = append(marks, t.p.g.sdp+" session description")
	}
	if t.m.anyResent {
		marks = append(marks, t.p.g.again+"n retransmission")
	}
	if t.m.anyCopy {
		marks = append(marks, t.p.g.copied+" same message, seen by another agent")
	}
	if len(marks) > 0 {
		var l line
		l.put(2, t.p.fit(strings.Join(marks, "   "), t.l.width-2), termtext.Dim)
		t.emit(&l)
	}
	if t.m.flow.Truncated != "" {
		var l line
		l.put(2, t.p.fit(t.p.g.warn+" not the whole call: "+t.p.text(clean(t.m.flow.Truncated)), t.l.width-2), termtext.YellowBold)
		t.emit(&l)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
