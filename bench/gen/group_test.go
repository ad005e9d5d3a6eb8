package gen

import (
	"slices"
	"testing"
)

// TestGroups: what is arranged is all that was added, each dialog in its order,
// in groups that the kernel takes.
func TestGroups(t *testing.T) {
	type packet struct{ length, dialog int }
	many := make([]packet, 0, 3000)
	for i := range 3000 {
		many = append(many, packet{100 + i*i%17*80, i * 7 % 900})
	}
	for _, c := range []struct {
		name    string
		packets []packet
		groups  []group
	}{
		{"none", nil, nil},
		{"one", []packet{{500, 0}}, []group{{1, 500}}},
		{"equal", []packet{{500, 0}, {500, 1}, {500, 2}}, []group{{3, 500}}},
		{"one dialog", []packet{{500, 4}, {500, 4}, {400, 4}, {600, 4}}, []group{{3, 500}, {1, 600}}},
		{"a shorter one last", []packet{{400, 0}, {500, 1}, {500, 2}}, []group{{3, 500}}},
		{"two shorter ones", []packet{{300, 0}, {500, 1}, {500, 2}, {400, 3}}, []group{{3, 500}, {1, 400}}},
		{"a dialog whose second is longer", []packet{{400, 1}, {500, 1}}, []group{{1, 400}, {1, 500}}},
		{"too long for a group", []packet{{3000, 0}, {3000, 1}, {4000, 2}, {300, 3}}, []group{{1, 4000}, {1, 3000}, {1, 3000}, {1, 300}}},
		{"many", many, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g grouper
			for range 2 { // the second time with what the first left
				for _, p := range c.packets {
					g.add(p.length, p.dialog)
				}
				g.arrange()
				if c.groups != nil && !slices.Equal(g.groups, c.groups) {
					t.Errorf("groups %v, want %v", g.groups, c.groups)
				}
				last := map[int]int32{}
				at := 0
				for _, group := range g.groups {
					bytes := 0
					for i, n := range g.order[at : at+group.packets] {
						p := c.packets[n]
						if before, ok := last[p.dialog]; ok && before > n {
							t.Fatalf("packet %d of dialog %d goes after %d", n, p.dialog, before)
						}
						last[p.dialog] = n
						if p.length != group.size && (i < group.packets-1 || p.length > group.size) {
							t.Fatalf("packet of %d bytes is number %d of %+v", p.length, i, group)
						}
						bytes += p.length
					}
					if group.packets > maxGroup || group.packets > 1 && (bytes > maxGroupBytes || group.size > maxGrouped) {
						t.Fatalf("%+v of %d bytes", group, bytes)
					}
					at += group.packets
				}
				order := slices.Clone(g.order)
				slices.Sort(order)
				for i, n := range order {
					if int32(i) != n {
						t.Fatalf("packet %d of %d is missing or there twice", i, len(c.packets))
					}
				}
				if len(order) != len(c.packets) || at != len(order) {
					t.Fatalf("%d packets in order, %d in groups, want %d", len(order), at, len(c.packets))
				}
				g.reset()
			}
		})
	}
}
