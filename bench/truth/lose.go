package truth

import (
	"slices"
	"strings"
)

// lose takes one report of the call's messages away, of those whose loss leaves
// enough to tell how the call went. first is the call's first packet.
func (g *generator) lose(d *talk, first int) {
	c := d.c
	if c.Retransmissions > 0 || c.Messages <= 4 {
		return
	}
	var candidates []int
	for i := first; i < len(g.packets); i++ {
		p := &g.packets[i]
		twice := func(o Packet) bool { return o.name == p.name && o.call == p.call }
		switch {
		case p.call != c: // a report of media
		case slices.IndexFunc(g.packets[first:], twice) != i-first || slices.ContainsFunc(g.packets[i+1:], twice): // another agent has it as well, or the same one twice
		case !d.spares(p):
			candidates = append(candidates, i)
		}
	}
	if len(candidates) == 0 {
		return
	}
	i := one(g, candidates)
	c.Lost = g.packets[i].name
	c.Messages--
	g.packets = slices.Delete(g.packets, i, i+1)
}

// spares reports the packets without which the truth could not be told.
func (d *talk) spares(p *Packet) bool {
	c := d.c
	single := len(d.legs) == 1 && c.Hops == 1
	final := single && !strings.HasPrefix(p.name, "1") && p.name[0] >= '3' && p.name[0] <= '6' && !strings.HasPrefix(p.name, "487")
	bye := single && strings.HasPrefix(p.name, "200/BYE")
	// What links the legs must be there, and so must what opened and answered a fork.
	opening := strings.HasPrefix(p.name, "INVITE ") && (c.Link == "heuristics" || c.Hops == 1)
	fork := strings.Contains(c.Scenario, "fork") || strings.Contains(c.Scenario, "second target")
	return final || bye || opening || fork
}
