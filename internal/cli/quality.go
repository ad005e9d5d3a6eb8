package cli

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// QualityText writes a call's media quality: the call as a whole, then each
// stream with its reports as a small graph over time.
func QualityText(w io.Writer, q *query.Quality, d Display) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", d.paint("Call-ID", termtext.Dim), d.text(q.CallID))
	flow(&b, overall(q, d), "", d)
	for i := range q.Streams {
		b.WriteByte('\n')
		stream(&b, &q.Streams[i], d)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// flow writes values one after the other, on a new line where the terminal
// ends.
func flow(b *strings.Builder, values []string, indent string, d Display) {
	at := 0
	for i, v := range values {
		n := termtext.Width(escapes.ReplaceAllString(v, ""))
		switch {
		case i == 0:
			b.WriteString(indent)
			at = len(indent)
		case d.Width > 0 && at+len(indent)+3+n > d.Width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteString(d.paint(d.sep(), termtext.Dim))
			at += termtext.Width(d.sep())
		}
		b.WriteString(v)
		at += n
	}
	b.WriteByte('\n')
}

// escapes are the colours, which take no cell.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// overall is the line about the whole call.
func overall(q *query.Quality, d Display) []string {
	var out []string
	if q.MOS != nil {
		s := "MOS " + fixed(*q.MOS, 2)
		if q.MOSMin != nil && *q.MOSMin < *q.MOS {
			s += " (lowest " + fixed(*q.MOSMin, 2) + ")"
		}
		out = append(out, d.paint(s, mosStyle(*q.MOS)))
	}
	if q.RFactor != nil {
		out = append(out, "R "+fixed(*q.RFactor, 0))
	}
	lost := fmt.Sprintf("lost %d", q.PacketsLost)
	if q.LossPercent != nil {
		lost += " (" + fixed(*q.LossPercent, 2) + " %)"
	}
	out = append(out, lost)
	if q.JitterAvg != nil {
		s := "jitter " + fixed(*q.JitterAvg, 1) + " ms"
		if q.JitterMax != nil {
			s += " (highest " + fixed(*q.JitterMax, 1) + ")"
		}
		out = append(out, s)
	}
	if q.RTT != nil {
		out = append(out, "RTT "+fixed(*q.RTT, 0)+" ms")
	}
	return append(out, plural(q.Reports, "report"))
}

// series is one measure of a stream over time.
type series struct {
	name, unit string
	places     int
	values     []float64 // NaN where a report does not say
	low, high  float64   // the graph's range, at least
	worstLow   bool
	style      func(float64) termtext.Style
}

func stream(b *strings.Builder, s *query.Stream, d Display) {
	head := d.text(s.Src) + d.arrow() + d.text(s.Dst)
	if strings.TrimSpace(s.Src+s.Dst) == "" {
		head = "stream"
	}
	b.WriteString(d.paint(head, termtext.Bold))
	about := []string{fmt.Sprintf("SSRC %08x", s.SSRC)}
	for _, v := range []string{s.Codec, s.Source} {
		if v != "" {
			about = append(about, d.text(v))
		}
	}
	about = append(about, plural(len(s.Reports), "report"))
	if n := len(s.Reports); n > 0 {
		from, to := s.Reports[0].Time.In(d.zone()), s.Reports[n-1].Time.In(d.zone())
		dash := " – "
		if d.ASCII {
			dash = " - "
		}
		span := from.Format("2006-01-02 15:04:05")
		if n > 1 {
			span += dash + to.Format("15:04:05 MST")
		} else {
			span += from.Format(" MST")
		}
		about = append(about, span)
	}
	b.WriteByte('\n')
	for i := range about {
		about[i] = d.paint(about[i], termtext.Dim)
	}
	flow(b, about, "  ", d)
	for _, v := range seriesOf(s) {
		v.write(b, d)
	}
}

func seriesOf(s *query.Stream) []series {
	loss := series{name: "loss", unit: " %", places: 1, high: 5, style: limits(1, 3)}
	jitter := series{name: "jitter", unit: " ms", places: 1, high: 30, style: limits(20, 40)}
	rtt := series{name: "RTT", unit: " ms", high: 150, style: limits(150, 300)}
	mos := series{name: "MOS", places: 2, low: 1, high: 4.5, worstLow: true, style: mosStyle}
	known := func(v float64) float64 {
		if v == 0 {
			return math.NaN()
		}
		return v
	}
	for _, r := range s.Reports {
		received := func(v float64) float64 {
			if !r.Reception {
				return math.NaN()
			}
			return v
		}
		loss.values = append(loss.values, received(r.FractionLost*100))
		jitter.values = append(jitter.values, received(r.JitterMs))
		rtt.values = append(rtt.values, known(r.RTTMs))
		mos.values = append(mos.values, known(r.MOS))
	}
	return []series{loss, jitter, rtt, mos}
}

// limits colours a measure of which less is better.
func limits(warn, bad float64) func(float64) termtext.Style {
	return func(v float64) termtext.Style {
		switch {
		case v >= bad:
			return termtext.RedBold
		case v >= warn:
			return termtext.Yellow
		}
		return termtext.Green
	}
}

// write writes a measure's graph, its mean and its worst value. A measure that
// no report gives is left out.
func (s *series) write(b *strings.Builder, d Display) {
	sum, n, worst := 0.0, 0, 0.0
	for _, v := range s.values {
		if math.IsNaN(v) {
			continue
		}
		if n == 0 || s.worse(v, worst) {
			worst = v
		}
		sum, n = sum+v, n+1
	}
	if n == 0 {
		return
	}
	mean := sum / float64(n)
	words := fixed(mean, s.places) + s.unit
	room := 60
	if d.Width > 0 {
		room = min(room, max(d.Width-40, 8))
	}
	graph := s.graph(room, d.ASCII)
	fmt.Fprintf(b, "  %-7s ", s.name)
	for _, g := range graph {
		if math.IsNaN(g.value) {
			b.WriteByte(' ')
			continue
		}
		b.WriteString(d.paint(g.mark, s.style(g.value)))
	}
	b.WriteString("  " + d.paint(words, s.style(mean)))
	if n > 1 {
		word := "highest "
		if s.worstLow {
			word = "lowest "
		}
		b.WriteString("  " + word + d.paint(fixed(worst, s.places)+s.unit, s.style(worst)))
	}
	b.WriteByte('\n')
}

func (s *series) worse(a, than float64) bool {
	if s.worstLow {
		return a < than
	}
	return a > than
}

// bar is one place of a graph.
type bar struct {
	mark  string
	value float64
}

var (
	blocks      = []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}
	asciiBlocks = []string{"_", ".", "-", "=", "+", "*", "%", "#"}
)

// graph draws the values in at most room places. Where several share a place
// the worst of them is drawn: a short dropout must not vanish in a long call.
func (s *series) graph(room int, ascii bool) []bar {
	marks := blocks
	if ascii {
		marks = asciiBlocks
	}
	n := min(len(s.values), room)
	low, high := s.low, s.high
	for _, v := range s.values {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	out := make([]bar, n)
	for i := range out {
		value := math.NaN()
		for _, v := range s.values[i*len(s.values)/n : (i+1)*len(s.values)/n] {
			if !math.IsNaN(v) && (math.IsNaN(value) || s.worse(v, value)) {
				value = v
			}
		}
		out[i].value = value
		if !math.IsNaN(value) {
			level := int((value - low) / (high - low) * float64(len(marks)))
			out[i].mark = marks[min(max(level, 0), len(marks)-1)]
		}
	}
	return out
}

func fixed(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
