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

// placeFindings remembers the finding that each item shows. Of several it is
// the first, which matters most. One that explains, and more than a digit can
// number, has no mark.
func (t *text) placeFindings() {
	t.foundAt = map[int]int{}
	for i, f := range t.m.flow.Findings {
		if i >= 9 || f.Severity == query.SeverityInfo {
			continue
		}
		for _, item := range f.Items {
			if _, taken := t.foundAt[item]; !taken {
				t.foundAt[item] = i
			}
		}
	}
}

// findings tells what is remarkable about the call, each whole; those that name
// messages have a number, which stands at these too. Where the first one only
// explains how the call ended, the reason above has said so. troubles leaves out
// all that only explain.
func (t *text) findings(troubles bool) {
	marked := map[int]bool{}
	for _, i := range t.foundAt {
		marked[i] = true
	}
	name, told := "found", 0
	for i, f := range t.m.flow.Findings {
		if f.Severity == query.SeverityInfo && (troubles || i == 0) {
			continue
		}
		if told++; told > maxFindings {
			break
		}
		number := ""
		if marked[i] {
			number = t.p.number(i)
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
func (p pen) number(i int) string {
	if p.ascii {
		return strconv.Itoa(i + 1)
	}
	return string(rune('①' + i))
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
		l.put(x, t.p.number(i), severityStyle[t.m.flow.Findings[i].Severity])
	}
}
