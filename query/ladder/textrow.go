package ladder

import (
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// segment is a piece of a label in one style.
type segment struct {
	text string
	st   termtext.Style
}

var classStyle = map[class]termtext.Style{
	classRequest: termtext.Plain, classProvisional: termtext.Dim, classSuccess: termtext.Green, classNotice: termtext.Yellow,
	classFailure: termtext.RedBold, classMedia: termtext.Cyan, classEvent: termtext.Yellow,
}

// tail is what a label keeps when its text is shortened.
func (p pen) tail(r *row) []segment {
	var out []segment
	if r.cseq != "" {
		out = append(out, segment{" " + p.text(r.cseq), termtext.Dim})
	}
	if r.item.SDP != "" && r.item.Kind == query.KindSIP && !r.item.Copy {
		out = append(out, segment{" " + p.g.sdp, termtext.Cyan})
	}
	if r.resent > 0 {
		out = append(out, segment{" " + p.g.again + itoa(r.resent), termtext.YellowBold})
	}
	if r.item.Copy {
		out = append(out, segment{" " + p.g.copied, termtext.Dim})
	}
	if r.item.ParseError != "" {
		out = append(out, segment{" " + p.g.warn, termtext.RedBold})
	}
	return out
}

func segmentsWidth(segs []segment) int {
	n := 0
	for _, s := range segs {
		n += width(s.text)
	}
	return n
}

func (p pen) labelWidth(r *row) int { return width(p.text(r.text)) + segmentsWidth(p.tail(r)) }

// label is the text of a row in at most room cells: the text gives way first,
// then the marks from the first on.
func (p pen) label(r *row, room int) []segment {
	tail := p.tail(r)
	text := p.text(r.text)
	least := min(width(text), 6)
	for len(tail) > 0 && least+segmentsWidth(tail) > room {
		tail = tail[1:]
	}
	text = p.fit(text, room-segmentsWidth(tail))
	st := classStyle[r.class]
	if r.item.Copy {
		st = termtext.Dim
		for i := range tail {
			tail[i].st = termtext.Dim
		}
	}
	segs := []segment{{text, st}}
	if r.method != "" && strings.HasPrefix(text, r.method) && !r.item.Copy {
		segs = []segment{{r.method, termtext.Bold}, {text[len(r.method):], st}}
	}
	return append(segs, tail...)
}

func (t *text) row(i int, mark Mark) {
	r := &t.m.rows[i]
	if r.gap > 0 && !mark.Clock {
		t.gap(r.gap)
	}
	var l line
	t.time(&l, i, mark.Clock)
	t.mark(&l, r, mark)
	if t.l.legAt >= 0 {
		l.put(t.l.legAt, legName(r.item.Leg), legStyle(r.item.Leg))
	}
	switch {
	case t.l.list:
		t.listed(&l, r)
	default:
		t.lifelines(&l, t.p.g.life)
		switch {
		case r.class == classEvent:
			t.event(&l, r)
		case r.src == r.dst:
			t.loop(&l, r)
		default:
			t.arrow(&l, r)
		}
		t.note(&l, r)
	}
	if mark.Cursor {
		l.reverse(t.l.width)
	}
	t.emit(&l)
	if r.item.ParseError != "" {
		t.remark(t.p.g.warn+" ", t.p.text(clean(r.item.ParseError)), termtext.RedBold)
	}
	if t.sdpBelow && t.newSDP[i] && !t.o.Raw {
		t.remark(t.p.g.sdpLine, t.p.text(clean(r.item.SDP)), termtext.Cyan)
	}
	if t.o.Raw {
		t.raw(r.item)
	}
}

// newSDP tells of each row whether its session description is the first one for
// that media address, or differs from the one before: what a proxy passes on is
// nothing new, a hold and its end are.
func (m *model) newSDP() []bool {
	out, last := make([]bool, len(m.rows)), map[string]string{}
	for i, r := range m.rows {
		if r.item.SDP == "" || r.item.Kind != query.KindSIP {
			continue
		}
		words := strings.Fields(r.item.SDP)
		media := strings.Join(words[:min(2, len(words))], " ") // "audio 10.0.0.1:4000"
		out[i] = last[media] != r.item.SDP
		last[media] = r.item.SDP
	}
	return out
}

// lineStyle is the colour of an arrow: the leg's when there are several, else
// what the message means.
func (t *text) lineStyle(r *row) termtext.Style {
	switch {
	case r.item.Copy:
		return termtext.Dim
	case r.class == classMedia:
		return termtext.Cyan
	case t.l.legAt >= 0:
		return legStyle(r.item.Leg)
	case r.class == classFailure:
		return termtext.Red
	case r.class == classRequest:
		return termtext.Plain
	}
	return classStyle[r.class]
}

func (t *text) lifelines(l *line, glyph string) {
	for _, x := range t.l.x {
		l.put(x, glyph, termtext.Dim)
	}
}

// time writes the time column; a delta that a reader should not overlook
// stands out.
func (t *text) time(l *line, i int, clockTime bool) {
	r := &t.m.rows[i]
	at := r.item.Time
	clock := at.In(t.o.Zone).Format("15:04:05.000")
	switch {
	case clockTime || t.o.Time == TimeAbsolute:
		l.put(0, clock, termtext.Plain)
		return
	case t.o.Time == TimeOffset:
		s := t.p.text(signed(t.at(i).Sub(t.at(0))))
		l.put(timeWidth-width(s), s, termtext.Dim)
		return
	case i == 0 || r.gap > 0:
		l.put(0, clock, termtext.Plain)
		return
	}
	d := t.at(i).Sub(t.at(i - 1))
	st := termtext.Dim
	switch {
	case d >= 500*time.Millisecond: // T1, the first retransmission (RFC 3261 section 17.1.1.1)
		st = termtext.Yellow
	case d >= 100*time.Millisecond:
		st = termtext.Plain
	}
	s := t.p.text(signed(d))
	l.put(timeWidth-width(s), s, st)
}

// at is a row's time by the clock that the flow goes by: an agent whose clock is
// off would make messages seem to arrive before they were sent. The time of day
// stays the agent's own, as it is in its logs.
func (t *text) at(i int) time.Time {
	it := t.m.rows[i].item
	for _, c := range t.m.flow.Clocks {
		if c.Node == it.Node && c.CaptureID == it.CaptureID {
			return it.Time.Add(-time.Duration(c.AheadUs) * time.Microsecond)
		}
	}
	return it.Time
}

// gap draws a break in the lifelines for a long silence.
func (t *text) gap(d time.Duration) {
	var l line
	if !t.l.list {
		t.lifelines(&l, t.p.g.gap)
	}
	s := t.p.text(signed(d))
	l.put(timeWidth-width(s), s, termtext.Yellow)
	t.emit(&l)
}

// arrow draws the message from its sender's lifeline to its receiver's.
func (t *text) arrow(l *line, r *row) {
	from, to := t.l.x[r.src], t.l.x[r.dst]
	lo, hi := min(from, to), max(from, to)
	g, st := t.p.g, t.lineStyle(r)
	stroke, right, left := g.line, g.right, g.left
	switch {
	case r.class == classMedia:
		stroke, right, left = g.dots, g.rightOpen, g.leftOpen
	case r.item.Copy || r.item.Retransmission:
		stroke = g.dash
	}
	for x := lo + 1; x < hi; x++ {
		l.put(x, stroke, st)
	}
	for _, x := range t.l.x {
		if x > lo && x < hi {
			l.put(x, g.cross, termtext.Dim)
		}
	}
	if to > from {
		l.put(hi-1, right, st)
	} else {
		l.put(lo+1, left, st)
	}
	if t.l.labels > 0 {
		t.segments(l, t.l.labels, t.p.label(r, t.l.width-t.l.labels))
		return
	}
	// A blank on either side of the label, then at least one cell of line or
	// the arrow's head.
	room := hi - lo - 5
	segs := t.p.label(r, room)
	w := segmentsWidth(segs)
	x := lo + 3 + (room-w)/2
	l.put(x-1, " ", termtext.Plain)
	t.segments(l, x, segs)
	l.put(x+w, " ", termtext.Plain)
}

func (t *text) segments(l *line, x int, segs []segment) {
	for _, s := range segs {
		l.put(x, s.text, s.st)
		x += width(s.text)
	}
}

// loop draws a message that a participant sent to itself, on the side of the
// lifeline where there is more room.
func (t *text) loop(l *line, r *row) {
	x, end := t.l.x[r.src], t.l.width
	if t.l.notes > 0 {
		end = t.l.notes - 1
	}
	if t.l.labels > 0 {
		l.put(x+1, t.p.g.loop, t.lineStyle(r))
		t.segments(l, t.l.labels, t.p.label(r, t.l.width-t.l.labels))
		return
	}
	if left, right := x-t.l.x[0], end-x; right >= left || right > t.p.labelWidth(r)+4 {
		segs := t.p.label(r, right-4)
		l.put(x+1, t.p.g.loop+" ", t.lineStyle(r))
		t.segments(l, x+3, segs)
		l.put(x+3+segmentsWidth(segs), " ", termtext.Plain)
		return
	}
	segs := t.p.label(r, x-t.l.x[0]-4)
	at := x - 3 - segmentsWidth(segs)
	l.put(at, " ", termtext.Plain)
	t.segments(l, at+1, segs)
	l.put(x-2, " "+t.p.g.loop, t.lineStyle(r))
}

// event draws a log line at the participant that wrote it.
func (t *text) event(l *line, r *row) {
	x := t.l.x[r.src] + 2
	text := t.p.g.event + " " + t.p.text(r.text)
	if t.l.labels > 0 {
		x = t.l.labels
	} else if t.l.width-x < width(text) && r.src > 0 {
		x = max(t.l.x[0]+2, t.l.width-width(text))
	}
	text = t.p.fit(text, t.l.width-x)
	l.put(x, text, classStyle[classEvent])
	if t.l.labels == 0 && x+width(text) < t.l.width {
		l.put(x+width(text), " ", termtext.Plain)
	}
}

// listed is a row without lifelines: "3 → 17  INVITE bob".
func (t *text) listed(l *line, r *row) {
	digits := len(itoa(len(t.m.columns)))
	x := t.l.labels - 2*digits - 4
	src, dst := itoa(r.src+1), itoa(r.dst+1)
	l.put(x+digits-len(src), src, termtext.Plain)
	arrow := t.p.g.right
	if r.src == r.dst {
		arrow = t.p.g.loop
	}
	l.put(x+digits+1, arrow, t.lineStyle(r))
	l.put(x+digits+3, dst, termtext.Plain)
	t.segments(l, t.l.labels, t.p.label(r, t.l.width-t.l.labels))
}

// note says beside the ladder what there is no room for on an arrow.
func (t *text) note(l *line, r *row) {
	if t.l.notes == 0 || r.class == classEvent {
		return
	}
	var parts []string
	if r.item.Copy || t.m.anyCopy && t.m.manyAgents && r.item.Kind == query.KindSIP {
		parts = append(parts, "by "+clean(agentName(r.item)))
	}
	if t.m.manyWires && r.item.Kind == query.KindSIP {
		parts = append(parts, clean(r.item.Transport))
	}
	if r.item.SDP != "" && !t.sdpBelow {
		parts = append(parts, clean(r.item.SDP))
	}
	if r.hop != "" {
		parts = append(parts, r.hop)
	}
	if len(parts) > 0 {
		l.put(t.l.notes, t.p.fit(t.p.text(strings.Join(parts, " · ")), t.l.width-t.l.notes), termtext.Dim)
	}
}

// remark writes what is said of a row below it, across the lifelines, in as many
// lines as it takes.
func (t *text) remark(mark, s string, st termtext.Style) {
	x := timeWidth + 2
	if !t.l.list {
		x = t.l.x[0] + 2
	}
	for i, part := range wrap(s, t.l.width-x-width(mark)) {
		var l line
		if !t.l.list {
			t.lifelines(&l, t.p.g.life)
		}
		if i > 0 {
			mark = strings.Repeat(" ", width(mark))
		}
		part = t.p.fit(mark+part, t.l.width-x)
		l.put(x, part, st)
		t.emit(&l)
	}
}

// raw writes a message as it was on the wire, each line behind a bar. What is
// not printable is replaced, so that a message cannot drive the terminal.
func (t *text) raw(it *query.Item) {
	body := it.Raw
	if len(it.RawBytes) > 0 {
		body = strings.ToValidUTF8(string(it.RawBytes), "\ufffd")
	}
	body = strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n\x00")
	for _, s := range strings.Split(body, "\n") {
		s = strings.Map(func(r rune) rune {
			if r == '\t' {
				return ' '
			}
			return termtext.Printable(r)
		}, s)
		t.lines = append(t.lines, strings.TrimRight(t.p.paint("    "+t.p.g.raw, legStyle(it.Leg))+" "+t.p.text(s), " "))
	}
}

// agentName is what the capture agent calls itself: its name, else its id.
func agentName(it *query.Item) string {
	if it.Node != "" {
		return it.Node
	}
	return strconv.FormatUint(uint64(it.CaptureID), 10)
}
