package gen

// grouper puts packets that wait to be sent into an order in which many of one
// length follow each other: the kernel takes such a group as one, as long as only
// the last is shorter (UDP_SEGMENT, udp(7)). What is of one dialog keeps its order.
type grouper struct {
	packets []grouped
	// last is, by dialog, the packet of it that was added last.
	last []lastAdded
	turn uint32 // counts rounds, to tell this one's entries in last from those before
	// classes are the lengths there are in this round; class finds them by length.
	classes []class
	class   [maxGrouped + 1]int16 // number in classes, plus 1; 0 for none

	order  []int32 // packets as they are to be sent
	groups []group
}

// grouped is a packet to be grouped.
type grouped struct {
	length int32
	next   int32 // the next packet of its dialog, or none
	queued int32 // the next in its class's queue, or none
	later  bool  // it waits for one of its dialog
}

type lastAdded struct {
	turn   uint32
	packet int32
}

// class is what is of one length and may be sent: a queue.
type class struct {
	length      int32
	first, last int32
	ready       int32
}

// group is so many packets of order; size is the length of all but the last,
// which may be shorter.
type group struct {
	packets int
	size    int
}

const (
	// maxGrouped is the longest packet that is grouped: with IPv6 and UDP headers it
	// must fit the path's MTU, which is taken to be Ethernet's.
	maxGrouped = 1500 - 40 - 8
	// maxGroup is the kernel's UDP_MAX_SEGMENTS, maxGroupBytes what fits a datagram.
	maxGroup      = 64
	maxGroupBytes = 65_000
)

const nobody = -1

// add adds a packet of a dialog behind those added before.
func (g *grouper) add(length int, dialog int) {
	i := int32(len(g.packets))
	g.packets = append(g.packets, grouped{length: int32(length), next: nobody, queued: nobody})
	for dialog >= len(g.last) {
		g.last = append(g.last, lastAdded{})
	}
	if l := &g.last[dialog]; l.turn == g.turn+1 {
		g.packets[l.packet].next = i
		g.packets[i].later = true
		l.packet = i
	} else {
		*l = lastAdded{g.turn + 1, i}
	}
}

// arrange fills order and groups.
func (g *grouper) arrange() {
	g.order, g.groups = g.order[:0], g.groups[:0]
	for i := range g.packets {
		if !g.packets[i].later {
			g.queue(int32(i))
		}
	}
	for len(g.order) < len(g.packets) {
		c := g.fullest()
		size, bytes, from := g.classes[c].length, int32(0), len(g.order)
		for g.classes[c].ready > 0 && len(g.order)-from < maxGroup && bytes+size <= maxGroupBytes {
			bytes += size
			g.take(c)
		}
		if n := len(g.order) - from; n < maxGroup && size <= maxGrouped {
			if end := g.shorter(size, maxGroupBytes-bytes); end != nobody {
				g.take(end)
			}
		}
		g.groups = append(g.groups, group{len(g.order) - from, int(size)})
	}
}

// reset forgets the packets.
func (g *grouper) reset() {
	for _, c := range g.classes {
		if c.length <= maxGrouped {
			g.class[c.length] = 0
		}
	}
	g.packets, g.classes = g.packets[:0], g.classes[:0]
	g.turn++
}

// queue makes a packet one that may be sent.
func (g *grouper) queue(i int32) {
	p := &g.packets[i]
	n := int16(0)
	if p.length <= maxGrouped {
		n = g.class[p.length]
	}
	if n == 0 {
		g.classes = append(g.classes, class{length: p.length, first: nobody})
		n = int16(len(g.classes))
		if p.length <= maxGrouped {
			g.class[p.length] = n
		}
	}
	c := &g.classes[n-1]
	if c.ready == 0 {
		c.first = i
	} else {
		g.packets[c.last].queued = i
	}
	c.last = i
	c.ready++
}

// take sends the first of a class, which lets the next of its dialog go.
func (g *grouper) take(n int) {
	c := &g.classes[n]
	i := c.first
	c.first = g.packets[i].queued
	c.ready--
	g.order = append(g.order, i)
	if next := g.packets[i].next; next != nobody {
		g.queue(next)
	}
}

// fullest is the class with the most packets, of several the longest ones.
func (g *grouper) fullest() int {
	best := 0
	for i := range g.classes {
		c, b := &g.classes[i], &g.classes[best]
		if c.ready > b.ready || c.ready == b.ready && c.length > b.length {
			best = i
		}
	}
	return best
}

// shorter is the class with the fewest packets among those that fit behind
// longer ones, or nobody.
func (g *grouper) shorter(than, room int32) int {
	best := nobody
	for i := range g.classes {
		if c := &g.classes[i]; c.ready > 0 && c.length < than && c.length <= room && (best == nobody || c.ready < g.classes[best].ready) {
			best = i
		}
	}
	return best
}
