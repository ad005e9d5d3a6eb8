package calls

import (
	"cmp"
	"net/netip"
	"slices"
)

// This file is the heuristics: a B2BUA seen from outside. Leg b came of leg a when
// the host that received a's INVITE sent b's soon after, for the same number, or
// with the same media address. Where several legs a fit, none is taken: a missing
// link is found by eye, a wrong one spoils two calls.

// skew is how far apart the clocks of two capture agents are thought to be at most
// where legs are matched, in µs.
const skew = 50_000

// profile is what the heuristics look at of an INVITE leg.
type profile struct {
	leg int // its number in a grouping
	// began is when its INVITE was first seen, by agent; sender who sent it.
	began  int64
	agent  uint32
	sender netip.AddrPort
	// received is which addresses got the INVITE, and when first.
	received []arrival
	called   []party
	callers  []party
	media    []netip.AddrPort
	// final is the response that ended its opening; nil while there is none.
	final *Event
}

type arrival struct {
	at   netip.AddrPort
	time int64
}

// profileOf is the leg's, found out once as its opening is; nil for one whose opening
// INVITE was not seen.
func profileOf(l *Leg) *profile {
	if !slices.ContainsFunc(l.Events, func(e Event) bool { return e.Method == Invite && e.Status == 0 && e.ToTag == 0 }) {
		return nil
	}
	o := openingOf(l)
	if len(o.tries) == 0 {
		return nil
	}
	if o.profile == nil {
		o.profile = newProfile(l, o)
	}
	return o.profile
}

func newProfile(l *Leg, o *opening) *profile {
	p := &profile{sender: unmapped(cmp.Or(l.Addresses[o.tries[0].client], l.Opening.Src))}
	invites := requestsOf(o.transactions)
	if len(o.foreign) > 0 {
		invites = append(invites, requestsOf(o.foreign)...)
		slices.SortFunc(invites, compareEvents)
	}
	for _, e := range invites {
		if e.Src == o.tries[0].client && p.began == 0 {
			p.began, p.agent = e.Time, e.Agent
		}
		to := unmapped(l.Addresses[e.Dst])
		if to.IsValid() && !slices.ContainsFunc(p.received, func(a arrival) bool { return a.at == to }) {
			p.received = append(p.received, arrival{to, e.Time})
		}
	}
	if p.began == 0 {
		p.began, p.agent = invites[0].Time, invites[0].Agent
	}
	if to := unmapped(l.Opening.Dst); to.IsValid() && len(p.received) == 0 {
		p.received = append(p.received, arrival{to, p.began})
	}
	p.called = parties(l.Opening.RuriUser, l.Opening.ToUser)
	p.callers = parties(l.Opening.FromUser, l.Opening.PAIUser)
	for _, a := range l.MediaAddresses {
		if at, err := netip.ParseAddrPort(a); err == nil && at.Port() != 0 && !at.Addr().IsUnspecified() {
			p.media = append(p.media, unmapped(at))
		}
	}
	p.final = o.fate().final
	return p
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// byEvidence lists the links that the heuristics find, in order of time.
func (g *grouping) byEvidence() []pair {
	profiles := make([]*profile, 0, len(g.legs))
	for i := range g.legs {
		if p := profileOf(g.legs[i]); p != nil {
			own := *p // legs may be shared with another grouping
			own.leg = i
			profiles = append(profiles, &own)
		}
	}
	slices.SortFunc(profiles, func(a, b *profile) int { return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.leg, b.leg)) })
	hasParent, hasChild := g.related(profiles)
	upstream := upstreamIndex{newest: make(map[uint64]int32, 2*len(profiles)), entries: make([]upstreamEntry, 0, 2*len(profiles))}
	var out []pair
	var keys []nearKey
	entered := 0
	for _, b := range profiles {
		for ; entered < len(profiles) && profiles[entered].began <= b.began+skew; entered++ {
			p := profiles[entered]
			keys = p.upstreamKeys(keys[:0], g.options.MinDigits)
			for i := range keys {
				upstream.enter(keys[i].hash(g.legs[p.leg].Tenant), p)
			}
		}
		if hasParent[b.leg] {
			continue
		}
		if best, ok := g.bestParent(b, &upstream, hasChild); ok {
			hasChild[best.a] = true
			out = append(out, best)
		}
	}
	return out
}

// upstreamIndex finds legs that others may have come of by what they have in
// common, the newest first.
type upstreamIndex struct {
	// newest is by hash of a key: who takes a leg from it looks at the leg.
	newest  map[uint64]int32 // number of an entry, from 1
	entries []upstreamEntry
}

type upstreamEntry struct {
	profile *profile
	before  int32 // the next older entry of the key, 0 for none
}

func (x *upstreamIndex) enter(k uint64, p *profile) {
	x.entries = append(x.entries, upstreamEntry{p, x.newest[k]})
	x.newest[k] = int32(len(x.entries))
}

// related tells which legs common ids give a leg before or after them already.
func (g *grouping) related(profiles []*profile) (hasParent, hasChild []bool) {
	hasParent, hasChild = make([]bool, len(g.legs)), make([]bool, len(g.legs))
	byRoot := map[int][]*profile{}
	for _, p := range profiles {
		if root := g.find(p.leg); g.size[root] > 1 {
			byRoot[root] = append(byRoot[root], p)
		}
	}
	window := g.options.Window.Microseconds()
	for _, list := range byRoot {
		told := false
		for _, a := range list {
			for _, b := range list {
				if a != b && max(a.began-b.began, b.began-a.began) <= window && precedes(g.legs[a.leg], g.legs[b.leg]) && !precedes(g.legs[b.leg], g.legs[a.leg]) {
					hasChild[a.leg], hasParent[b.leg], told = true, true, true
				}
			}
		}
		for i := 1; i < len(list) && !told; i++ { // their times are all there is
			if a, b := list[i-1], list[i]; b.began-a.began <= window {
				hasChild[a.leg], hasParent[b.leg] = true, true
			}
		}
	}
	return hasParent, hasChild
}

// maxCandidates bounds the legs that are compared with one: a number that is
// called so often over one host within the window tells no calls apart.
const maxCandidates = 256

// bestParent is the link to the one leg that fits best; false when none fits, or
// two fit equally well.
func (g *grouping) bestParent(b *profile, upstream *upstreamIndex, hasChild []bool) (pair, bool) {
	var candidates []pair
	var seen []*profile
	oldest := b.began - g.options.Window.Microseconds() - skew
	for _, k := range b.downstreamKeys(nil, g.options.MinDigits) {
		for n := upstream.newest[k.hash(g.legs[b.leg].Tenant)]; n > 0; n = upstream.entries[n-1].before {
			a := upstream.entries[n-1].profile
			if a.began < oldest {
				break
			}
			if a == b || slices.Contains(seen, a) {
				continue
			}
			if seen = append(seen, a); len(seen) > maxCandidates {
				return pair{}, false
			}
			if p, ok := g.fit(a, b); ok {
				candidates = append(candidates, p)
			}
		}
	}
	// A leg that went on already is a candidate only for want of another.
	if slices.ContainsFunc(candidates, func(p pair) bool { return !hasChild[p.a] }) {
		candidates = slices.DeleteFunc(candidates, func(p pair) bool { return hasChild[p.a] })
	}
	if len(candidates) == 0 {
		return pair{}, false
	}
	slices.SortFunc(candidates, func(a, b pair) int { return cmp.Or(cmp.Compare(b.confidence, a.confidence), cmp.Compare(a.a, b.a)) })
	if len(candidates) > 1 && candidates[0].confidence == candidates[1].confidence {
		return pair{}, false
	}
	return candidates[0], true
}

// How sure the heuristics are, in hundredths, of what they see. A sum is below 100.
const (
	sureOfHost   = 30 // the sender had received the other leg's INVITE
	sureOfPort   = 5  // … on the port it sends from
	sureOfCalled = 30 // the number called is the same
	sureOfCaller = 15 // the caller's is
	doubtCaller  = 5  // the caller's is another one
	sureOfMedia  = 15 // the media address is the same

	// What makes a link: host and number called, or the media address with one of
	// these. A media address alone may be that of a host that has but one port.
	sureEnough    = sureOfHost + sureOfCalled - doubtCaller
	sureWithMedia = sureOfHost + sureOfMedia - doubtCaller
)

// fit tells whether leg b may have come of leg a, and how sure that is.
func (g *grouping) fit(a, b *profile) (pair, bool) {
	tolerance := int64(skew)
	if a.agent == b.agent {
		tolerance = 0
	}
	// One that had its final response before was over, or answered by another.
	if a.final != nil {
		slack := int64(skew)
		if a.final.Agent == b.agent {
			slack = 0
		}
		if a.final.Time+slack < b.began {
			return pair{}, false
		}
	}
	arrived, sure := a.began, 0
	if i := slices.IndexFunc(a.received, func(r arrival) bool { return r.at == b.sender }); i >= 0 {
		arrived, sure = a.received[i].time, sureOfHost+sureOfPort
	} else if i := slices.IndexFunc(a.received, func(r arrival) bool { return r.at.Addr() == b.sender.Addr() }); i >= 0 {
		arrived, sure = a.received[i].time, sureOfHost
	}
	after := b.began - arrived
	if a.sender == b.sender || after < -tolerance || after > g.options.Window.Microseconds()+tolerance {
		return pair{}, false
	}
	called, caller := same(a.called, b.called, g.options.MinDigits), same(a.callers, b.callers, g.options.MinDigits)
	media, common := commonOf(a.media, b.media)
	switch {
	case called:
		sure += sureOfCalled
	case !common:
		return pair{}, false
	}
	switch {
	case caller:
		sure += sureOfCaller
	case len(a.callers) > 0 && len(b.callers) > 0:
		sure -= doubtCaller
	}
	reason, value := "numbers", calledNumber(b)
	if common {
		sure += sureOfMedia
		if reason, value = "media", media; called {
			reason = "numbers+media"
		}
	}
	if need := map[bool]int{false: sureEnough, true: sureWithMedia}[common]; sure < need {
		return pair{}, false
	}
	return pair{a.leg, b.leg, reason, value, float64(sure) / 100}, true
}

func calledNumber(p *profile) string {
	if len(p.called) == 0 {
		return ""
	}
	return p.called[0].text
}

func commonOf(a, b []netip.AddrPort) (string, bool) {
	var out netip.AddrPort
	for _, v := range a {
		if slices.Contains(b, v) && (!out.IsValid() || v.Compare(out) < 0) {
			out = v
		}
	}
	if !out.IsValid() {
		return "", false
	}
	return out.String(), true
}
