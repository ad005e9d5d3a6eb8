package calls

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// LinkOptions say what makes legs one call. Fields that are 0 have the value of
// DefaultLinkOptions.
type LinkOptions struct {
	// Heuristics links legs without a common id by who sent what when.
	Heuristics bool
	// Window is how long after it received one leg's INVITE a B2BUA may send that
	// of the next leg, for the heuristics.
	Window time.Duration
	// MinDigits is how many last digits of two numbers must be the same.
	MinDigits int
	// MaxLegs bounds the legs of a call. An id that more legs share names no call.
	MaxLegs int
}

// DefaultLinkOptions are those of a heplake without settings.
func DefaultLinkOptions() LinkOptions {
	return LinkOptions{Heuristics: true, Window: 3 * time.Second, MinDigits: 5, MaxLegs: 64}
}

func (o LinkOptions) withDefaults() LinkOptions {
	d := DefaultLinkOptions()
	o.Window, o.MinDigits, o.MaxLegs = cmp.Or(o.Window, d.Window), cmp.Or(o.MinDigits, d.MinDigits), cmp.Or(o.MaxLegs, d.MaxLegs)
	return o
}

// Link is why two legs are of one call.
type Link struct {
	// A and B are the legs' Call-IDs; A began first.
	A, B string
	// Reason is "correlation_id", the name of the header that has the common
	// value, or for the heuristics "numbers", "media" or "numbers+media".
	Reason string
	// Value is the common value.
	Value string
	// Confidence is how sure the link is: 1 for a common id, less for the
	// heuristics.
	Confidence float64
}

// ByCorrelationID is the Reason of legs with a common correlation id.
const ByCorrelationID = "correlation_id"

// Group is the legs of one call and the links between them.
type Group struct {
	// Legs are in order of their first messages.
	Legs []Leg
	// Links are enough to get from each leg to each other; surest first, then in
	// order of A and B.
	Links []Link

	// shared are ids that legs of other groups have as well.
	shared []string
}

// GroupLegs sorts legs into calls: legs are of one call that share a Call-ID, a
// correlation id or a link id, directly or through other legs, and with the
// heuristics also those that a B2BUA evidently made of one another. Legs of
// different tenants have nothing in common. There is at most one leg for each
// tenant and Call-ID in legs.
//
// What is one call depends on the set of legs alone. The events of the legs
// returned must not be changed before Assemble has seen them. Whoever groups some of all
// legs gives each of them together with those that CandidateKeys names.
func GroupLegs(legs []Leg, o LinkOptions) []Group {
	o = o.withDefaults()
	g := grouping{legs: make([]*Leg, len(legs)), options: o}
	own := slices.Clone(legs) // the caller's are left alone
	for i := range own {
		g.legs[i] = &own[i]
	}
	slices.SortFunc(g.legs, func(a, b *Leg) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), a.First.Compare(b.First), cmp.Compare(a.CallID, b.CallID))
	})
	g.parent, g.size = make([]int, len(legs)), make([]int, len(legs))
	for i := range g.parent {
		g.parent[i], g.size[i] = i, 1
	}
	for _, l := range g.byID() {
		g.join(l)
	}
	for i := range g.legs {
		openingOf(g.legs[i])
	}
	if o.Heuristics {
		for _, l := range g.byEvidence() {
			g.join(l)
		}
	}
	return g.groups()
}

// grouping is one GroupLegs being computed.
type grouping struct {
	options LinkOptions
	legs    []*Leg // by tenant and time
	// parent and size are the union-find forest over legs, joined the links used.
	parent, size []int
	joined       []pair
	carriers     map[id][]int
	ids          []id // the keys of carriers, in order
}

// pair is a link between two of the legs, a before b.
type pair struct {
	a, b          int
	reason, value string
	confidence    float64
}

func (g *grouping) find(i int) int {
	for g.parent[i] != i {
		g.parent[i] = g.parent[g.parent[i]]
		i = g.parent[i]
	}
	return i
}

// join makes two legs one call, unless they are already or it had too many legs.
func (g *grouping) join(p pair) {
	a, b := g.find(p.a), g.find(p.b)
	if a == b || g.size[a]+g.size[b] > g.options.MaxLegs {
		return
	}
	if g.size[a] < g.size[b] {
		a, b = b, a
	}
	g.parent[b] = a
	g.size[a] += g.size[b]
	g.joined = append(g.joined, p)
}

// id is an id within a tenant. Ids of different headers are of one kind: what is
// one leg's Call-ID is another one's X-CID.
type id struct{ tenant, value string }

// byID lists the links by common ids, in a fixed order.
func (g *grouping) byID() []pair {
	g.carriers = make(map[id][]int, len(g.legs))
	g.ids = make([]id, 0, len(g.legs))
	for i := range g.legs {
		for _, v := range idsOf(g.legs[i]) {
			k := id{g.legs[i].Tenant, v}
			if len(g.carriers[k]) == 0 {
				g.ids = append(g.ids, k)
			}
			g.carriers[k] = append(g.carriers[k], i)
		}
	}
	var out []pair
	for _, k := range g.ids {
		list := g.carriers[k]
		if len(list) < 2 || len(list) > g.options.MaxLegs {
			continue
		}
		// From the leg whose Call-ID it is to the others, else from the first.
		centre := list[0]
		for _, i := range list {
			if g.legs[i].CallID == k.value {
				centre = i
			}
		}
		for _, i := range list {
			if i != centre {
				reason := carriedAs(g.legs[i], k.value)
				if reason == "" { // its own Call-ID, which the centre names
					reason = carriedAs(g.legs[centre], k.value)
				}
				out = append(out, pair{min(centre, i), max(centre, i), reason, k.value, 1})
			}
		}
	}
	slices.SortFunc(out, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.b, b.b), cmp.Compare(a.a, b.a), cmp.Compare(rank(a.reason), rank(b.reason)), cmp.Compare(a.reason, b.reason), cmp.Compare(a.value, b.value))
	})
	return out
}

// rank puts headers before correlation ids, which came of a header or of the
// capture agent: the header says more.
func rank(reason string) int {
	if reason == ByCorrelationID {
		return 1
	}
	return 0
}

// idsOf lists the ids by which a leg may be linked to others, each once.
func idsOf(l *Leg) []string {
	out := make([]string, 0, 2+len(l.LinkIDs))
	add := func(v string) {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	add(l.CallID)
	for _, v := range l.CorrelationIDs {
		add(v)
	}
	for _, v := range l.LinkIDs {
		_, value, _ := strings.Cut(v, ":")
		add(value)
	}
	slices.Sort(out)
	return out
}

// carriedAs says how a leg carries an id: the name of the header, or
// ByCorrelationID; "" when it is only its Call-ID.
func carriedAs(l *Leg, value string) string {
	out := ""
	for _, v := range l.LinkIDs {
		if name, has, _ := strings.Cut(v, ":"); has == value && (out == "" || name < out) {
			out = name
		}
	}
	if out == "" && slices.Contains(l.CorrelationIDs, value) && (l.CallID != value) {
		return ByCorrelationID
	}
	return out
}

// groups puts the legs of each call together.
func (g *grouping) groups() []Group {
	index := make([]int, len(g.legs)) // of a root's group, from 1
	out := make([]Group, 0, len(g.legs))
	for i := range g.legs {
		root := g.find(i)
		if index[root] == 0 {
			out = append(out, Group{Legs: make([]Leg, 0, g.size[root])})
			index[root] = len(out)
		}
		n := index[root] - 1
		out[n].Legs = append(out[n].Legs, *g.legs[i])
	}
	for _, k := range g.ids { // those of too many legs, and of calls that were bounded
		list := g.carriers[k]
		if len(list) < 2 || !slices.ContainsFunc(list, func(i int) bool { return g.find(i) != g.find(list[0]) }) {
			continue
		}
		for _, i := range list {
			if to := &out[index[g.find(i)]-1]; !slices.Contains(to.shared, k.value) {
				to.shared = append(to.shared, k.value)
			}
		}
	}
	for _, p := range g.joined {
		n := index[g.find(p.a)] - 1
		out[n].Links = append(out[n].Links, Link{A: g.legs[p.a].CallID, B: g.legs[p.b].CallID, Reason: p.reason, Value: p.value, Confidence: p.confidence})
	}
	for i := range out {
		slices.SortFunc(out[i].Links, func(a, b Link) int {
			return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
		})
	}
	return out
}
