package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/termtext"
	"github.com/heplake/heplake/query"
)

// diffScreen compares two messages, the earlier one at the left or first.
type diffScreen struct {
	pager
	f           *flowScreen
	left, right *query.Item
	pairs       []pair
	differ      int
	same        bool // also lines that are the same in both are shown
}

func newDiff(f *flowScreen, a, b *query.Item) *diffScreen {
	if b.Index < a.Index {
		a, b = b, a
	}
	left, right := *a, *b // the flow may change beneath
	d := &diffScreen{f: f, left: &left, right: &right, same: true}
	d.pairs = compare(rawLines(&left), rawLines(&right))
	for _, p := range d.pairs {
		if p.kind != lineSame {
			d.differ++
		}
	}
	return d
}

func (d *diffScreen) key(a *app, k tea.KeyPressMsg) tea.Cmd {
	switch {
	case d.pager.key(k):
	case key.Matches(k, keys.back), key.Matches(k, keys.open), key.Matches(k, keys.mark):
		a.pop()
	case k.String() == "d", k.String() == "r":
		d.same = !d.same
	}
	return nil
}

// sideBySide is the width from which the two stand beside each other.
const sideBySide = 100

func (d *diffScreen) view(w, h int) []string {
	p := d.f.a.pen
	zone := zoneOf(d.f.a.o.Display)
	var head, lines []string
	if w < sideBySide {
		head = []string{
			termtext.Paint(p.fit("- "+p.text(d.left.Label+"  "+about(d.f.flow, d.left, zone)), w), termtext.Red),
			termtext.Paint(p.fit("+ "+p.text(d.right.Label+"  "+about(d.f.flow, d.right, zone)), w), termtext.Green),
			p.rule("", w),
		}
		lines = d.unified(p, w)
	} else {
		half := (w - 3) / 2
		mid := termtext.Paint(" "+p.pick("│", "|")+" ", termtext.Dim)
		side := func(it *query.Item) [2]string {
			return [2]string{pad(termtext.Paint(p.fit(p.text(it.Label), half), termtext.Bold), half), pad(termtext.Paint(p.fit(p.text(about(d.f.flow, it, zone)), half), termtext.Dim), half)}
		}
		l, r := side(d.left), side(d.right)
		head = []string{l[0] + mid + r[0], l[1] + mid + r[1], p.rule("", w)}
		lines = d.beside(p, half, mid)
	}
	return append(head, d.cut(lines, h-len(head))...)
}

// unified writes one message's lines below the other's: "-" those of the first
// alone, "+" those of the second.
func (d *diffScreen) unified(p pen, w int) []string {
	var out []string
	add := func(mark string, st termtext.Style, l textLine, changed [2]int) {
		for i, part := range wrap(l.mark(p, st, changed), w-2) {
			if i > 0 {
				mark = " "
			}
			out = append(out, termtext.Paint(mark, st)+" "+part)
		}
	}
	for _, q := range d.pairs {
		if q.kind == lineSame {
			if d.same {
				add(" ", termtext.Plain, q.left, [2]int{})
			}
			continue
		}
		if q.kind != lineAdded {
			add("-", termtext.Red, q.left, q.leftChanged)
		}
		if q.kind != lineRemoved {
			add("+", termtext.Green, q.right, q.rightChanged)
		}
	}
	return out
}

// beside writes the two messages side by side.
func (d *diffScreen) beside(p pen, half int, mid string) []string {
	var out []string
	for _, q := range d.pairs {
		if q.kind == lineSame && !d.same {
			continue
		}
		var left, right []string
		switch q.kind {
		case lineSame:
			left, right = wrap(q.left.paint(p), half), wrap(q.right.paint(p), half)
		case lineChanged:
			left, right = wrap(q.left.mark(p, termtext.Red, q.leftChanged), half), wrap(q.right.mark(p, termtext.Green, q.rightChanged), half)
		case lineRemoved:
			left = wrap(q.left.mark(p, termtext.Red, q.leftChanged), half)
		case lineAdded:
			right = wrap(q.right.mark(p, termtext.Green, q.rightChanged), half)
		}
		for i := range max(len(left), len(right)) {
			l, r := "", ""
			if i < len(left) {
				l = left[i]
			}
			if i < len(right) {
				r = right[i]
			}
			out = append(out, pad(l, half)+mid+pad(r, half))
		}
	}
	return out
}

func (d *diffScreen) title() (string, string) {
	left := "compare: " + itoa(d.differ) + " lines differ"
	switch d.differ {
	case 0:
		left = "compare: the same, byte for byte"
		if bodyOf(d.left) != bodyOf(d.right) {
			left = "compare: they differ in the ends of lines alone"
		}
	case 1:
		left = "compare: 1 line differs"
	}
	return left, d.where()
}

func (d *diffScreen) hints() []key.Binding {
	return []key.Binding{keys.help, keys.up, keys.down, bind(nil, "d", "differences alone"), keys.back}
}

func (d *diffScreen) help() []keyGroup {
	return []keyGroup{{"Compare", []key.Binding{bind(nil, "d", "differences alone, or all lines"), keys.back}}, moving}
}
