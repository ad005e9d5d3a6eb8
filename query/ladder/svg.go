package ladder

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/heplake/heplake/query"
)

// Theme is the colours of a picture.
type Theme int

// The themes. ThemeAuto follows the reader's preference for light or dark.
const (
	ThemeAuto Theme = iota
	ThemeLight
	ThemeDark
)

// SVGOptions say how SVG draws. The zero value follows the reader's theme and
// gives times in UTC.
type SVGOptions struct {
	Theme Theme
	Time  TimeMode
	Zone  *time.Location // nil is UTC
	// Link makes every row a link to what it returns for the item's index; nil
	// makes none.
	Link func(index int) string
}

// SVG writes the flow as one self-contained picture: styles inside, no script,
// nothing fetched. A row's tooltip gives its exact time and what does not stand
// on the arrow. The error is the writer's.
func SVG(w io.Writer, f *query.Flow, o SVGOptions) error {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := &picture{m: build(f), o: o, p: newPen(false, false)}
	s.place()
	s.heading()
	s.columns()
	s.body()
	s.marks()
	height := s.y + margin
	var doc strings.Builder
	method, parties := title(&f.Call)
	name := escapeXML(strings.TrimSpace(method + " " + parties + ": " + Why(f)))
	fmt.Fprintf(&doc, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", s.width, height, s.width, height, name)
	fmt.Fprintf(&doc, "<title>%s</title>\n<style>\n%s</style>\n", name, css(o.Theme))
	fmt.Fprintf(&doc, `<rect class="paper" x=".5" y=".5" width="%d" height="%d" rx="10"/>`+"\n", s.width-1, height-1)
	doc.WriteString(s.back.String())
	doc.WriteString(s.b.String())
	doc.WriteString("</svg>\n")
	_, err := io.WriteString(w, doc.String())
	return err
}

// Measures, in pixels. Text is measured in cells times a width that no common
// font exceeds by much; labels have room on both sides for those that do.
const (
	margin     = 24
	rowHeight  = 34
	sdpHeight  = 14 // more where the SDP stands below the arrow
	gapHeight  = 34
	cardHeight = 46
	labelCell  = 74 // tenths of a pixel
	monoCell   = 73
	smallCell  = 62
	timeEnd    = margin + 88
	lowPitch   = 170
	sdpPitch   = 240 // what the SDP line may widen a column to
	highPitch  = 340
)

// picture is one drawing in the making.
type picture struct {
	m       *model
	o       SVGOptions
	p       pen
	x       []int // lifelines
	cards   []int // widths of the participants' cards
	width   int
	y       int // where the next thing goes
	bodyTop int
	found   map[int]int     // items that show a finding
	back    strings.Builder // lifelines, behind everything
	b       strings.Builder
}

func (s *picture) printf(format string, args ...any) { fmt.Fprintf(&s.b, format, args...) }

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder does not fail
	return b.String()
}

// text writes one line of text. The class is ours, the words may be anyone's.
func (s *picture) text(x, y int, class, words string) {
	s.printf(`<text x="%d" y="%d" class="%s">%s</text>`+"\n", x, y, class, escapeXML(words))
}

func pixels(text string, tenths int) int { return (width(text)*tenths + 9) / 10 }

func (s *picture) several() bool { return len(s.m.flow.Legs) > 1 }

// place finds the lifelines: each pair of neighbours gets what its cards and
// labels want, within limits.
func (s *picture) place() {
	cols := s.m.columns
	for _, c := range cols {
		name := s.p.fit(shortName(c.name), 26)
		s.cards = append(s.cards, max(pixels(name, labelCell), pixels(c.address, monoCell), 90)+24)
	}
	want := make([]int, len(cols)-1)
	for i := range want {
		want[i] = max(lowPitch, (s.cards[i]+s.cards[i+1])/2+20)
	}
	for i := range s.m.rows {
		r := &s.m.rows[i]
		lo, hi := min(r.src, r.dst), max(r.src, r.dst)
		if lo == hi || r.class == classEvent {
			continue
		}
		label := s.p.labelWidth(r)*labelCell/10 + 60
		if r.item.Status == 100 { // no one reads why a proxy is trying
			label = min(label, lowPitch)
		}
		if showsSDP(r) {
			label = max(label, min(pixels(clean(r.item.SDP), smallCell)+40, sdpPitch*(hi-lo)))
		}
		for c := lo; c < hi; c++ {
			want[c] = max(want[c], min(label/(hi-lo), highPitch))
		}
	}
	want = share(want, len(want)*highPitch)
	x := max(timeEnd+16, margin+s.cards[0]/2)
	if s.several() {
		x += 26
	}
	s.x = append(s.x, x)
	for _, w := range want {
		x += w
		s.x = append(s.x, x)
	}
	s.width = max(x+max(s.cards[len(cols)-1]/2, 40)+margin, 620)
	s.y = margin
}

var outcomeClass = map[query.Outcome]string{
	query.Answered: "good", query.Failed: "bad", query.Cancelled: "warn", query.Unanswered: "bad", query.InProgress: "media",
}

// heading writes the summary of the call.
func (s *picture) heading() {
	c := &s.m.flow.Call
	color := outcomeClass[c.Outcome]
	if color == "" {
		color = "dim"
	}
	word := strings.ToUpper(strings.ReplaceAll(clean(string(c.Outcome)), "_", " "))
	pill := pixels(word, 86) + 20
	s.printf(`<rect class="f-%s" x="%d" y="%d" width="%d" height="22" rx="11"/>`+"\n", color, margin, s.y, pill)
	s.text(margin+pill/2, s.y+15, "s b on mid", word)
	method, parties := title(c)
	room := (s.width - margin*2 - pill - 14) * 10 / 115
	s.text(margin+pill+14, s.y+18, "h", s.p.fit(strings.TrimSpace(method+" "+parties), room))
	s.y += 30
	start := c.Start
	if start.IsZero() && len(s.m.rows) > 0 {
		start = s.m.rows[0].item.Time
	}
	facts := s.m.facts(start.In(s.o.Zone).Format("2006-01-02 15:04:05.000 MST"))
	for _, f := range facts {
		class := "t"
		switch f.name {
		case "why":
			class = "b f-" + color
		case "cut":
			class = "b f-warn"
		}
		s.fact(f, class)
		if f.name == "why" {
			s.findings()
		}
	}
	for i := range s.m.flow.Legs {
		leg := &s.m.flow.Legs[i]
		words := clean(leg.CallID)
		if s.several() {
			if words += "  ·  " + plural(leg.Messages, "message"); linked(leg) != "" {
				words += "  ·  " + linked(leg)
			}
			s.chip(margin+68, s.y+15, i)
			s.y += 20
			s.text(margin+84, s.y, "m", s.p.fit(words, (s.width-margin*2-84)*10/monoCell))
			if i == 0 {
				s.text(margin, s.y, "d", "legs")
			}
			continue
		}
		s.fact(fact{"Call-ID", []string{words}}, "m")
	}
	s.y += 22
}

// fact writes one line of the summary, broken between values where it is too
// long.
func (s *picture) fact(f fact, class string) {
	const sep = " · "
	room := (s.width - margin*2 - 60) * 10 / labelCell
	s.text(margin, s.y+20, "d", f.name)
	var words string
	flush := func() {
		s.y += 20
		s.text(margin+60, s.y, class, s.p.fit(words, room))
	}
	for i, v := range f.values {
		switch {
		case i == 0:
			words = v
		case width(words+sep+v) > room:
			flush()
			words = v
		default:
			words += sep + v
		}
	}
	flush()
}

// chip is a leg's letter on its colour.
func (s *picture) chip(x, y, leg int) {
	s.printf(`<circle class="f-%s" cx="%d" cy="%d" r="8"/>`, legClass(leg), x, y)
	s.printf(`<text class="s b on mid" x="%d" y="%d">%s</text>`+"\n", x, y+4, legName(leg))
}

func legClass(leg int) string {
	if leg < 0 {
		return "dim"
	}
	return fmt.Sprintf("g%d", leg%len(light.legs))
}

// columns draws the participants' cards.
func (s *picture) columns() {
	for i, c := range s.m.columns {
		x, y := s.x[i], s.y
		s.printf(`<rect class="panel" x="%d" y="%d" width="%d" height="%d" rx="7"/>`+"\n", x-s.cards[i]/2, y, s.cards[i], cardHeight)
		name := s.p.fit(shortName(c.name), 26)
		if name == "" {
			s.text(x, y+cardHeight/2+4, "m b mid", c.address)
			continue
		}
		s.text(x, y+19, "b mid", name)
		s.text(x, y+36, "m d mid", c.address)
	}
	s.y += cardHeight
	s.bodyTop = s.y
}

// lifelines draws them from one height to another, behind the rows.
func (s *picture) lifelines(from, to int, class string) {
	for _, x := range s.x {
		fmt.Fprintf(&s.back, `<path class="life %s" d="M%d %dV%d"/>`+"\n", class, x, from, to)
	}
}

func (s *picture) body() {
	s.y += 6
	for i := range s.m.rows {
		r := &s.m.rows[i]
		if r.gap > 0 {
			s.lifelines(s.bodyTop, s.y+8, "")
			s.lifelines(s.y+8, s.y+gapHeight, "gap")
			s.text(timeEnd, s.y+gapHeight/2+8, "m f-warn end", signed(r.gap))
			s.y += gapHeight
			s.bodyTop = s.y
		}
		s.row(i)
	}
	s.y += 12
	s.lifelines(s.bodyTop, s.y, "")
	for _, x := range s.x {
		fmt.Fprintf(&s.back, `<path class="life" d="M%d %dH%d"/>`+"\n", x-14, s.y, x+14)
	}
	if s.m.flow.Truncated != "" {
		s.y += 24
		s.text(s.x[0], s.y, "b f-warn", "⚠ not the whole call: "+clean(s.m.flow.Truncated))
	}
}

// marks explains the marks that occur.
func (s *picture) marks() {
	var words []string
	if s.m.anyResent {
		words = append(words, "↻n retransmission")
	}
	if s.m.anyCopy {
		words = append(words, "copy: the same message, seen by another agent")
	}
	if len(words) > 0 {
		s.y += 24
		s.text(s.x[0], s.y, "s d", strings.Join(words, "    "))
	}
}
