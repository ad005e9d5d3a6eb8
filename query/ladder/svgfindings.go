package ladder

import (
	"strconv"

	"github.com/heplake/heplake/query"
)

var severityClass = map[query.Severity]string{query.SeverityError: "bad", query.SeverityWarning: "warn", query.SeverityInfo: "dim"}

// numbered tells which finding each item shows: of several the first, which
// matters most. Those that only explain have no number, nor has what one digit
// cannot number. The text ladder does the same.
func (s *picture) numbered() map[int]int {
	out := map[int]int{}
	for i, f := range s.m.flow.Findings {
		if i >= 9 || f.Severity == query.SeverityInfo {
			continue
		}
		for _, item := range f.Items {
			if _, taken := out[item]; !taken {
				out[item] = i
			}
		}
	}
	return out
}

// findings tells what is remarkable about the call, each whole, with the number
// that stands at its messages.
func (s *picture) findings() {
	s.found = s.numbered()
	shown := map[int]bool{}
	for _, i := range s.found {
		shown[i] = true
	}
	const left = margin + 80
	room := (s.width - margin - left) * 10 / labelCell
	told := 0
	for i, f := range s.m.flow.Findings {
		if i == 0 && f.Severity == query.SeverityInfo {
			continue // the reason above has said it
		}
		if told++; told > maxFindings {
			break
		}
		class := severityClass[f.Severity]
		if class == "" {
			class = "dim"
		}
		if told == 1 {
			s.text(margin, s.y+20, "d", "found")
		}
		if shown[i] {
			s.mark(margin+68, s.y+15, i)
		}
		for _, words := range wrap(clean(f.Text), room) {
			s.y += 20
			s.text(left, s.y, "f-"+class, s.p.fit(words, room))
		}
	}
}

// mark is the number of a finding on the colour of its severity.
func (s *picture) mark(x, y, finding int) {
	s.printf(`<circle class="f-%s" cx="%d" cy="%d" r="7"/>`, severityClass[s.m.flow.Findings[finding].Severity], x, y)
	s.printf(`<text class="s b on mid" x="%d" y="%d">%s</text>`+"\n", x, y+4, strconv.Itoa(finding+1))
}
