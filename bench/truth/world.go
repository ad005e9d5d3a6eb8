package truth

import (
	"fmt"
	"net/netip"
	"time"
)

// host is something that sends and receives SIP.
type host struct {
	addr netip.AddrPort
	ua   string
	// agent is the number of the capture agent on it, -1 for none.
	agent int
}

// world is the hosts there are. Users have hosts of their own.
type world struct {
	edges, cores, gateways, b2buas []*host
	agents                         []agent
	users                          int
}

// agent is a capture agent.
type agent struct {
	name string
	id   uint32
	// skew is how far its clock is ahead, in µs.
	skew int64
}

func newWorld(g *generator) *world {
	// Users of other seeds are others: several corpora may share a database.
	w := &world{users: int(g.cfg.Seed * 7919 % 900_000)}
	watched := func(ip string, ua string) *host {
		n := len(w.agents)
		a := agent{name: fmt.Sprintf("agent-%d", n), id: uint32(2001 + n)}
		if s := g.cfg.Skew.Microseconds(); s > 0 {
			a.skew = g.rng.Int64N(2*s+1) - s
		}
		w.agents = append(w.agents, a)
		return &host{addr: netip.AddrPortFrom(netip.MustParseAddr(ip), 5060), ua: ua, agent: n}
	}
	for i := range 3 {
		w.edges = append(w.edges, watched(fmt.Sprintf("10.1.0.%d", i+1), "edge proxy"))
	}
	for i := range 2 {
		w.cores = append(w.cores, watched(fmt.Sprintf("10.2.0.%d", i+1), "core proxy"))
		w.b2buas = append(w.b2buas, watched(fmt.Sprintf("10.3.0.%d", i+1), "B2BUA"))
	}
	for i := range 4 {
		w.gateways = append(w.gateways, &host{addr: netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i+1)), 5060), ua: "gateway", agent: -1})
	}
	return w
}

// phone is a user's host, of its own.
func (g *generator) phone() *host {
	g.world.users++
	n := g.world.users
	ip := netip.AddrFrom4([4]byte{172, byte(16 + n>>16&15), byte(n >> 8), byte(n)})
	return &host{addr: netip.AddrPortFrom(ip, uint16(5060+g.rng.IntN(20))), ua: fmt.Sprintf("phone/%d", 1+g.rng.IntN(3)), agent: -1}
}

func one[T any](g *generator, list []T) T { return list[g.rng.IntN(len(list))] }

// hopTime is how long a message takes from one host to the next.
func (g *generator) hopTime() int64 { return g.between(400*time.Microsecond, 2*time.Millisecond) }
