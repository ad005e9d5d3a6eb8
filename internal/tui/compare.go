package tui

import (
	"strings"
	"unicode/utf8"

	"github.com/heplake/heplake/internal/termtext"
)

// lineKind is what became of a line from one message to the other.
type lineKind int

const (
	lineSame lineKind = iota
	lineChanged
	lineRemoved // in the first message alone
	lineAdded   // in the second alone
)

// pair is a line of the one message beside that of the other.
type pair struct {
	kind        lineKind
	left, right textLine
	// leftChanged and rightChanged are the bytes that differ, from and to.
	leftChanged, rightChanged [2]int
}

// maxCompared bounds the lines that are compared: the table of the longest
// common subsequence grows with its square.
const maxCompared = 2000

// compare sets two messages' lines side by side: what both have in order, and
// between that lines with the same name (a header's, an SDP type's) beside each
// other.
func compare(a, b []textLine) []pair {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	left, right := plainLines(a), plainLines(b)
	// common[i][j] is how many lines the ends from i and from j have in common.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if left[i] == right[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []pair
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && left[i] == right[j] {
			out = append(out, pair{kind: lineSame, left: a[i], right: b[j]})
			i, j = i+1, j+1
			continue
		}
		from, to := i, j
		for (i < len(a) || j < len(b)) && (i == len(a) || j == len(b) || left[i] != right[j]) {
			if j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1] {
				i++
			} else {
				j++
			}
		}
		out = append(out, match(a[from:i], b[to:j])...)
	}
	return out
}

// match pairs lines between two that are the same in both: those with the same
// name, in order.
func match(a, b []textLine) []pair {
	var out []pair
	taken := 0
	for i := range a {
		at := -1
		for j := taken; j < len(b); j++ {
			if lineName(a[i]) == lineName(b[j]) {
				at = j
				break
			}
		}
		if at < 0 {
			out = append(out, pair{kind: lineRemoved, left: a[i], leftChanged: whole(a[i])})
			continue
		}
		for ; taken < at; taken++ {
			out = append(out, pair{kind: lineAdded, right: b[taken], rightChanged: whole(b[taken])})
		}
		p := pair{kind: lineChanged, left: a[i], right: b[at]}
		p.leftChanged, p.rightChanged = changed(a[i].plain(), b[at].plain())
		out = append(out, p)
		taken = at + 1
	}
	for ; taken < len(b); taken++ {
		out = append(out, pair{kind: lineAdded, right: b[taken], rightChanged: whole(b[taken])})
	}
	return out
}

func plainLines(lines []textLine) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.plain()
	}
	return out
}

// lineName is what a line is about: a header's name, an SDP line's type with an
// attribute's name.
func lineName(l textLine) string {
	s := l.plain()
	name, _, ok := strings.Cut(s, ":")
	if !ok {
		name, _, ok = strings.Cut(s, "=")
	}
	if !ok || strings.Contains(name, " ") {
		return "start"
	}
	return strings.ToLower(name)
}

func whole(l textLine) [2]int { return [2]int{0, len(l.plain())} }

// changed is the part of either text between what both begin and end with.
func changed(a, b string) (left, right [2]int) {
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		from++
	}
	for from > 0 && (from < len(a) && !utf8.RuneStart(a[from]) || from < len(b) && !utf8.RuneStart(b[from])) {
		from--
	}
	i, j := len(a), len(b)
	for i > from && j > from && a[i-1] == b[j-1] {
		i, j = i-1, j-1
	}
	for i < len(a) && !utf8.RuneStart(a[i]) {
		i, j = i+1, j+1
	}
	return [2]int{from, i}, [2]int{from, j}
}

// mark writes a line in one colour, the bytes that differ in reverse video.
func (l textLine) mark(p pen, st termtext.Style, changed [2]int) string {
	s := l.plain()
	from, to := changed[0], changed[1]
	if from == 0 && to == len(s) {
		return termtext.Paint(p.line(s), st)
	}
	if from >= to {
		return termtext.Paint(p.line(s), st)
	}
	return termtext.Paint(p.line(s[:from]), st) + termtext.Paint(p.line(s[from:to]), st+";7") + termtext.Paint(p.line(s[to:]), st)
}
