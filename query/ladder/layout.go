package ladder

import "sort"

// The narrowest distance between lifelines at which arrows still carry labels,
// and the widest that helps the eye.
const (
	minPitch = 18
	maxPitch = 40
	minNotes = 24 // cells a notes column needs to say something
)

// layout is where things stand on the terminal, in cells from the left.
type layout struct {
	width   int
	legAt   int // -1 without a leg column
	x       []int
	labels  int // where labels stand when lanes are too narrow for them, else 0
	notes   int // where the notes column begins, 0 without one
	numbers bool
	list    bool // too many participants even for lanes: "3 → 17"
	slots   [][2]int
	heads   [][]string // the lines over each lifeline
}

// timeWidth is the width of HH:MM:SS.mmm.
const timeWidth = 12

// arrange lays a model out for a terminal so many cells wide: labels on the
// arrows where the columns allow it, else narrow numbered lanes with the
// labels beside them, else a plain list.
func (m *model) arrange(p pen, width int, even bool) *layout {
	l := &layout{width: width, legAt: -1}
	start := timeWidth + 2
	if legs := len(m.flow.Legs); legs > 1 || even {
		l.legAt = timeWidth + 1
		start += len(legName(max(legs-1, 0))) + 1
	}
	n := len(m.columns)
	if room := width - 1 - start; n == 1 || room >= minPitch*(n-1) {
		m.spread(p, l, start, room, even)
		return l
	}
	l.numbers = true
	digits := len(itoa(n))
	for _, pitch := range []int{5, 4, 3, 2} {
		if pitch <= digits {
			break
		}
		if end := start + pitch*(n-1) + 2; end+28 <= width {
			for i := range m.columns {
				l.x = append(l.x, start+i*pitch)
			}
			l.labels = end
			m.head(p, l)
			return l
		}
	}
	l.list = true
	l.labels = start + 2*digits + 4
	return l
}

// spread gives every pair of neighbours the distance its labels and addresses
// want, and takes from the widest when there is not enough room. Even lanes
// ask for all the room there is, and not for what is on them.
func (m *model) spread(p pen, l *layout, start, room int, even bool) {
	n := len(m.columns)
	want := make([]int, max(n-1, 0))
	for i := range want {
		want[i] = max(minPitch, (m.columnWidth(i)+m.columnWidth(i+1))/2+3)
	}
	for i := range want {
		if even {
			want[i] = max(want[i], min(room/(n-1), maxPitch))
		}
	}
	for _, r := range m.rows {
		if even {
			break
		}
		lo, hi := min(r.src, r.dst), max(r.src, r.dst)
		if hi == lo || r.class == classEvent {
			continue
		}
		label := p.labelWidth(&r)
		if r.item.Status == 100 { // no one reads why a proxy is trying
			label = min(label, 14)
		}
		each := (label + 9 + hi - lo - 1) / (hi - lo)
		for i := lo; i < hi; i++ {
			want[i] = max(want[i], min(each, maxPitch))
		}
	}
	want = share(want, room)
	x := start
	l.x = append(l.x, x)
	for _, w := range want {
		x += w
		l.x = append(l.x, x)
	}
	// The last header may reach past its lifeline as far as it needs.
	over := m.columnWidth(n-1)/2 + 1
	if notes := x + max(over, 2) + 2; l.width-notes >= minNotes {
		l.notes = notes
	}
	m.head(p, l)
}

// share cuts the widest wishes to one common width so that the sum fits. When
// everything fits and wishes differ little, all get the same: an even grid is
// easier to read.
func share(want []int, room int) []int {
	if len(want) == 0 {
		return want
	}
	sorted := append([]int(nil), want...)
	sort.Ints(sorted)
	if widest := sorted[len(sorted)-1]; widest*len(want) <= room {
		for i := range want {
			want[i] = widest
		}
		return want
	}
	limit := sorted[len(sorted)-1]
	left := room
	for i, w := range sorted {
		if even := left / (len(sorted) - i); w > even {
			limit = even
			break
		}
		left -= w
	}
	for i := range want {
		want[i] = min(want[i], limit)
	}
	return want
}

// columnWidth is the width a column's header would like: its address on one
// line, and its name as long as it is not much wider.
func (m *model) columnWidth(i int) int {
	c := m.columns[i]
	return max(width(c.address), min(width(shortName(c.name)), 24))
}

// head fills the header lines of every column, and turns to numbers with a
// legend when one of them has no room for its address.
func (m *model) head(p pen, l *layout) {
	n := len(m.columns)
	l.slots = make([][2]int, n)
	for i := range l.slots {
		lo, hi := 0, l.width-1
		if i > 0 {
			lo = (l.x[i-1]+l.x[i])/2 + 1
			if i == n-1 { // it stands at the edge: what its neighbour leaves is its own
				lo = min(lo, l.x[i-1]+m.columnWidth(i-1)/2+2)
			}
		}
		if i < n-1 {
			hi = (l.x[i]+l.x[i+1])/2 - 1
		} else if l.notes > 0 {
			hi = l.notes - 2
		}
		l.slots[i] = [2]int{lo, hi}
	}
	l.heads = make([][]string, n)
	for i, c := range m.columns {
		if l.numbers {
			l.heads[i] = []string{itoa(i + 1)}
			continue
		}
		room := l.slots[i][1] - l.slots[i][0] + 1
		lines, ok := headLines(p, c, room)
		if !ok {
			l.numbers = true
			m.head(p, l)
			return
		}
		l.heads[i] = lines
	}
	// Addresses stand on one height: short headers are filled from above.
	most := 0
	for _, h := range l.heads {
		most = max(most, len(h))
	}
	for i, h := range l.heads {
		l.heads[i] = append(make([]string, most-len(h)), h...)
	}
}

// headLines is a column's header in so many cells: the name, then the address
// on one, two or (IPv6) a few lines. The name is always there, if only empty.
func headLines(p pen, c column, room int) ([]string, bool) {
	name := shortName(c.name)
	if width(c.name) <= room && width(c.name) <= 24 {
		name = c.name
	}
	lines := []string{p.fit(p.text(name), room)}
	if len(c.address) <= room {
		return append(lines, c.address), true
	}
	host := c.host
	for len(lines) < 4 && len(host) > 0 {
		if len(host) <= room {
			lines, host = append(lines, host), ""
			break
		}
		cut := 0
		for i := 1; i < len(host) && i <= room; i++ {
			if host[i-1] == ':' || host[i-1] == '.' {
				cut = i
			}
		}
		if cut < 4 {
			return nil, false
		}
		lines, host = append(lines, host[:cut]), host[cut:]
	}
	if host != "" || len(c.port) > room {
		return nil, false
	}
	return append(lines, c.port), true
}

// shortName is the product of a User-Agent or Server value without its
// comments: "kamailio (5.6.3 (x86_64/linux))" is "kamailio".
func shortName(s string) string {
	for i, r := range s {
		if r == '(' && i > 0 {
			return clean(s[:i])
		}
	}
	return s
}
