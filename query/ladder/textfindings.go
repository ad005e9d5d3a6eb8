package ladder

import (
	"strconv"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// maxFindings is how many findings a text ladder tells.
const maxFindings = 12

var severityStyle = map[query.Severity]termtext.Style{
	query.SeverityError: termtext.RedBold, query.SeverityWarning: termtext.YellowBold, query.SeverityInfo: termtext.Plain,
}

// placeFindings gives a number to the findings that name what went wrong, and
// remembers which of them each item shows. Of several it is the first, which
// matters most. One that explains has no number, nor has what comes after nine.
func (t *text) placeFindings() {
	t.foundAt, t.numbers = map[int]int{}, map[int]int{}
	for i, f := range t.m.flow.Findings {
		if len(t.numbers) == 9 || f.Severity == query.SeverityInfo {
			continue
		}
		for _, item := range f.Items {
			if _, taken := t.foundAt[item]; taken {
				continue
			}
			t.foundAt[item] = i
			if t.numbers[i] == 0 {
				t.numbers[i] = len(t.numbers) + 1
			}
		}
	}
}

// findings tells what is remarkable about the call, each whole; those that name
// messages have a number, which stands at these too. Where the first one only
// explains how the call ended, the reason above has said so. troubles leaves out
// all that only explain.
func (t *text) findings(troubles bool) {
	name, told := "found", 0
	for i, f := range t.m.flow.Findings {
		if f.Severity == query.SeverityInfo && (troubles || i == 0) {
			continue
		}
		if told++; told > maxFindings {
			break
		}
		number := ""
		if n := t.numbers[i]; n > 0 {
			number = t.p.number(n)
		}
		st := severityStyle[f.Severity]
		for j, s := range wrap(t.p.text(clean(f.Text)), t.l.width-labelColumn-2) {
			var l line
			if j == 0 {
				l.put(2, name, termtext.Dim)
				l.put(labelColumn, number, st)
			}
			l.put(labelColumn+2, t.p.fit(s, t.l.width-labelColumn-2), st)
			t.emit(&l)
			name = ""
		}
	}
}

// number is the mark of a finding.
func (p pen) number(n int) string {
	if p.ascii {
		return strconv.Itoa(n)
	}
	return string(rune('①' + n - 1))
}

// mark puts the number of a finding, or that the viewer chose the row, beside
// the time.
func (t *text) mark(l *line, r *row, mark Mark) {
	x := timeWidth
	if t.l.legAt < 0 && !t.l.list {
		x++
	}
	if mark.Chosen {
		l.put(x, t.p.g.chosen, termtext.YellowBold)
		return
	}
	if i, ok := t.foundAt[r.item.Index]; ok {
		l.put(x, t.p.number(t.numbers[i]), severityStyle[t.m.flow.Findings[i].Severity])
	}
}
