package assemble

import "time"

// generations is a map that forgets: when the younger half is full, the older one
// goes. What is looked up stays.
type generations[K comparable, V any] struct {
	young, old map[K]V
	size       int
}

// newGenerations makes one that holds at least size and at most twice size.
func newGenerations[K comparable, V any](size int) generations[K, V] {
	return generations[K, V]{young: map[K]V{}, old: map[K]V{}, size: size}
}

func (g *generations[K, V]) get(k K) (V, bool) {
	if v, ok := g.young[k]; ok {
		return v, true
	}
	v, ok := g.old[k]
	if ok {
		g.put(k, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	if len(g.young) >= g.size {
		g.old, g.young = g.young, make(map[K]V, g.size/4)
	}
	g.young[k] = v
}

// nearIndex finds legs by what the heuristics compare, among those seen of late.
// Both legs of a call begin within seconds: they are seen at about the same time.
type nearIndex struct {
	legs generations[uint64, []nearLeg] // by calls.Keys.Near
}

type nearLeg struct {
	legID
	began time.Time
}

// nearLegs bounds the legs remembered for a key.
const nearLegs = 256

func newNearIndex() nearIndex { return nearIndex{newGenerations[uint64, []nearLeg](100_000)} }

func (n *nearIndex) add(id legID, began time.Time, keys []uint64) {
	for _, k := range keys {
		list, _ := n.legs.get(k)
		known := false
		for i := range list {
			if list[i].legID == id {
				list[i].began, known = began, true
			}
		}
		if known {
			continue
		}
		if len(list) >= nearLegs {
			list = append(list[:0:0], list[1:]...)
		}
		n.legs.put(k, append(list, nearLeg{id, began}))
	}
}

// find lists the legs that have one of the keys and began within the times.
func (n *nearIndex) find(tenant string, keys []uint64, from, to time.Time) []legID {
	var out []legID
	for _, k := range keys {
		list, _ := n.legs.get(k)
		for _, l := range list {
			if l.tenant == tenant && !l.began.Before(from) && !l.began.After(to) {
				out = append(out, l.legID)
			}
		}
	}
	return out
}
