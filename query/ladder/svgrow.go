package ladder

import (
	"fmt"
	"strings"
	"time"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// classColor is the colour class of what a row means, "" for plain ink.
var classColor = map[class]string{
	classRequest: "ink", classProvisional: "dim", classSuccess: "good", classNotice: "warn",
	classFailure: "bad", classMedia: "media", classEvent: "warn",
}

func (s *picture) row(i int) {
	r := &s.m.rows[i]
	height := rowHeight
	sdp := s.sdp(r)
	if sdp != "" {
		height += sdpHeight
	}
	if r.item.ParseError != "" {
		height += sdpHeight
	}
	line := s.y + 26 // the arrow's height
	if s.o.Link != nil {
		s.printf(`<a href="%s">`, escapeXML(s.o.Link(r.item.Index)))
		defer s.b.WriteString("</a>\n")
	}
	s.printf(`<g class="row"><title>%s</title><rect class="hit" x="6" y="%d" width="%d" height="%d" rx="4"/>`+"\n", escapeXML(s.tooltip(r)), s.y+4, s.width-12, height)
	s.time(i, line+4)
	if finding, ok := s.found[r.item.Index]; ok {
		s.mark(14, line, finding)
	}
	if s.several() {
		s.chip(timeEnd+18, line, r.item.Leg)
	}
	switch {
	case r.class == classEvent:
		s.event(r, line)
	case r.src == r.dst:
		s.loop(r, line)
	default:
		s.arrow(r, line, sdp)
	}
	if r.item.ParseError != "" {
		y := line + 15
		if sdp != "" {
			y += sdpHeight
		}
		s.text((s.x[r.src]+s.x[r.dst])/2, y, "s mid w f-bad", "⚠ "+s.p.fit(clean(r.item.ParseError), s.room(r, smallCell)))
	}
	s.b.WriteString("</g>\n")
	s.y += height
}

// room is how many cells fit between a row's lifelines.
func (s *picture) room(r *row, tenths int) int {
	span := s.x[r.src] - s.x[r.dst]
	if span < 0 {
		span = -span
	}
	if span == 0 {
		span = s.width - margin - s.x[r.src]
	}
	return (span - 32) * 10 / tenths
}

// sdp is the line below an arrow, "" without one.
func (s *picture) sdp(r *row) string {
	if !showsSDP(r) {
		return ""
	}
	return s.p.fit(clean(r.item.SDP), s.room(r, smallCell))
}

// showsSDP says that the SDP stands below the arrow; once is enough.
func showsSDP(r *row) bool {
	return r.item.Kind == query.KindSIP && r.item.SDP != "" && r.src != r.dst && !r.item.Copy && !r.item.Retransmission
}

func (s *picture) time(i, y int) {
	r := &s.m.rows[i]
	at := r.item.Time
	clock := at.In(s.o.Zone).Format("15:04:05.000")
	switch {
	case s.o.Time == TimeOffset:
		s.text(timeEnd, y, "m d end", signed(at.Sub(s.m.rows[0].item.Time)))
	case s.o.Time == TimeAbsolute || i == 0 || r.gap > 0:
		s.text(timeEnd, y, "m end", clock)
	default:
		d := at.Sub(s.m.rows[i-1].item.Time)
		class := "m d end"
		switch {
		case d >= 500*time.Millisecond:
			class = "m f-warn end"
		case d >= 100*time.Millisecond:
			class = "m end"
		}
		s.text(timeEnd, y, class, signed(d))
	}
}

// tooltip is the whole truth of a row.
func (s *picture) tooltip(r *row) string {
	it := r.item
	lines := []string{clean(it.Label), it.Time.In(s.o.Zone).Format("2006-01-02 15:04:05.000000 MST")}
	hop := s.m.addressOf(it.Src) + " → " + s.m.addressOf(it.Dst)
	if it.Transport != "" {
		hop += " " + clean(it.Transport)
	}
	lines = append(lines, hop)
	if it.CSeqMethod != "" {
		lines = append(lines, fmt.Sprintf("CSeq %d %s", it.CSeq, clean(it.CSeqMethod)))
	}
	if it.CallID != "" {
		lines = append(lines, "Call-ID "+clean(it.CallID))
	}
	if it.SDP != "" {
		lines = append(lines, clean(it.SDP))
	}
	if it.Node != "" {
		lines = append(lines, "seen by "+clean(it.Node))
	}
	if it.ParseError != "" {
		lines = append(lines, clean(it.ParseError))
	}
	return strings.Join(lines, "\n")
}

// lineColor is the arrow's: the leg's when there are several, else what the
// message means.
func (s *picture) lineColor(r *row) string {
	switch {
	case r.item.Copy:
		return "dim"
	case r.class == classMedia:
		return "media"
	case s.several():
		return legClass(r.item.Leg)
	}
	return classColor[r.class]
}

// label writes a row's text around a point.
func (s *picture) label(x, y int, anchor string, r *row, room int) {
	color := classColor[r.class]
	if r.item.Copy {
		color = "dim"
	}
	if r.item.Copy { // its mark is a few words here
		room -= len("copy by ") + min(width(clean(r.item.Node)), 16)
	}
	segs := s.p.label(r, room)
	s.printf(`<text x="%d" y="%d" class="w%s f-%s">`, x, y, anchor, color)
	for i, seg := range segs {
		words := escapeXML(seg.text)
		switch {
		case i == 0 && r.method != "" && seg.text == r.method, r.class == classFailure && i == 0:
			s.printf(`<tspan class="b f-%s">%s</tspan>`, color, words)
		case seg.text == " "+s.p.g.sdp:
			s.b.WriteString(`<tspan class="s b f-media" dx="5">SDP</tspan>`)
		case seg.text == " "+s.p.g.copied:
			s.printf(`<tspan class="s d" dx="5">copy by %s</tspan>`, escapeXML(s.p.fit(clean(r.item.Node), 16)))
		case seg.st == termtext.YellowBold:
			s.printf(`<tspan class="b f-warn">%s</tspan>`, words)
		case seg.st == termtext.Dim:
			s.printf(`<tspan class="d">%s</tspan>`, words)
		default:
			s.b.WriteString(words)
		}
	}
	s.b.WriteString("</text>\n")
}

func (s *picture) arrow(r *row, y int, sdp string) {
	from, to := s.x[r.src], s.x[r.dst]
	dir := 1
	if to < from {
		dir = -1
	}
	color, dash := s.lineColor(r), ""
	switch {
	case r.class == classMedia:
		dash = " wire"
	case r.item.Copy:
		dash = " copy"
	case r.item.Retransmission:
		dash = " again"
	}
	// First the label, whose halo hides lifelines: the arrow is never hidden.
	s.label((from+to)/2, y-7, " mid", r, s.room(r, labelCell))
	s.printf(`<path class="l s-%s%s" d="M%d %dH%d"/>`, color, dash, from, y, to-8*dir)
	s.printf(`<path class="f-%s" d="M%d %dl%d -4.5v9z"/>`+"\n", color, to-dir, y, -10*dir)
	if sdp != "" {
		s.text((from+to)/2, y+14, "s d mid w", sdp)
	}
}

// loop draws a message that a participant sent to itself.
func (s *picture) loop(r *row, y int) {
	x, color := s.x[r.src], s.lineColor(r)
	if right := s.width - margin - x; right >= 180 || r.src == 0 {
		s.printf(`<path class="l s-%s" d="M%d %dh16a5 5 0 0 1 0 10h-8"/><path class="f-%s" d="M%d %dl9 -4v8z"/>`+"\n", color, x, y-8, color, x+1, y+2)
		s.label(x+28, y+1, "", r, (right-28)*10/labelCell)
		return
	}
	s.printf(`<path class="l s-%s" d="M%d %dh-16a5 5 0 0 0 0 10h8"/><path class="f-%s" d="M%d %dl-9 -4v8z"/>`+"\n", color, x, y-8, color, x-1, y+2)
	s.label(x-28, y+1, " end", r, (x-28-s.x[0])*10/labelCell)
}

// event draws a log line as a note at the participant that wrote it.
func (s *picture) event(r *row, y int) {
	x := s.x[r.src] + 12
	room := s.width - margin - x
	want := pixels(r.text, labelCell) + 20
	if want > room {
		x = max(s.x[0]+12, s.width-margin-want)
		room = s.width - margin - x
	}
	w := min(want, room)
	s.printf(`<rect class="panel" x="%d" y="%d" width="%d" height="22" rx="4"/><path class="f-warn" d="M%d %dh3v22h-3z"/>`+"\n", x, y-17, w, x, y-17)
	s.text(x+10, y-2, "t", s.p.fit(r.text, (w-14)*10/labelCell))
}
