package calls

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
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
	leg int
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

// newProfile is nil for a leg whose opening INVITE was not seen.
func newProfile(i int, l *Leg) *profile {
	if !slices.ContainsFunc(l.Events, func(e Event) bool { return e.Method == Invite && e.Status == 0 && e.ToTag == 0 }) {
		return nil
	}
	o := openingOf(l)
	if len(o.tries) == 0 {
		return nil
	}
	p := &profile{leg: i, sender: unmapped(cmp.Or(l.Addresses[o.tries[0].client], l.Opening.Src))}
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
	var profiles []*profile
	for i := range g.legs {
		if p := newProfile(i, &g.legs[i]); p != nil {
			profiles = append(profiles, p)
		}
	}
	slices.SortFunc(profiles, func(a, b *profile) int { return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.leg, b.leg)) })
	upstream := map[tenantKey][]*profile{}
	for _, p := range profiles {
		for _, k := range p.upstreamKeys(g.options.MinDigits) {
			k := tenantKey{g.legs[p.leg].Tenant, k}
			upstream[k] = append(upstream[k], p)
		}
	}
	hasParent, hasChild := g.related(profiles)
	var out []pair
	for _, b := range profiles {
		if hasParent[b.leg] {
			continue
		}
		best := g.bestParent(b, upstream, hasChild)
		if best == nil {
			continue
		}
		hasChild[best.a] = true
		out = append(out, *best)
	}
	return out
}

// related tells which legs common ids give a leg before or after them already.
func (g *grouping) related(profiles []*profile) (hasParent, hasChild map[int]bool) {
	hasParent, hasChild = map[int]bool{}, map[int]bool{}
	byRoot := map[int][]*profile{}
	for _, p := range profiles {
		root := g.find(p.leg)
		byRoot[root] = append(byRoot[root], p)
	}
	window := g.options.Window.Microseconds()
	for _, list := range byRoot {
		told := false
		for _, a := range list {
			for _, b := range list {
				if a != b && max(a.began-b.began, b.began-a.began) <= window && precedes(&g.legs[a.leg], &g.legs[b.leg]) && !precedes(&g.legs[b.leg], &g.legs[a.leg]) {
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

// bestParent is the link to the one leg that fits best; nil when none fits, or two
// fit equally well.
func (g *grouping) bestParent(b *profile, upstream map[tenantKey][]*profile, hasChild map[int]bool) *pair {
	var candidates []pair
	seen := map[int]bool{b.leg: true}
	for _, k := range b.downstreamKeys(g.options.MinDigits) {
		for _, a := range near(upstream[tenantKey{g.legs[b.leg].Tenant, k}], b.began, g.options.Window) {
			if seen[a.leg] {
				continue
			}
			seen[a.leg] = true
			if p, ok := g.fit(a, b); ok {
				candidates = append(candidates, p)
			}
		}
	}
	// A leg that went on already is a candidate only for want of another.
	free := slices.DeleteFunc(slices.Clone(candidates), func(p pair) bool { return hasChild[p.a] })
	if len(free) > 0 {
		candidates = free
	}
	if len(candidates) == 0 {
		return nil
	}
	slices.SortFunc(candidates, func(a, b pair) int { return cmp.Or(cmp.Compare(b.confidence, a.confidence), cmp.Compare(a.a, b.a)) })
	if len(candidates) > 1 && candidates[0].confidence == candidates[1].confidence {
		return nil
	}
	return &candidates[0]
}

// near lists the profiles, which are in order of time, that began in the window
// before a time.
func near(list []*profile, at int64, window time.Duration) []*profile {
	from, _ := slices.BinarySearchFunc(list, at-window.Microseconds()-skew, func(p *profile, t int64) int { return cmp.Compare(p.began, t) })
	to, _ := slices.BinarySearchFunc(list, at+skew+1, func(p *profile, t int64) int { return cmp.Compare(p.began, t) })
	return list[from:to]
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

// party is the user part of a URI, to be compared with others.
type party struct {
	// text is the digits of a number without leading zeros, else the name in lower
	// case.
	text   string
	number bool
}

// parties reads user parts and leaves out those that name nobody.
func parties(users ...string) []party {
	var out []party
	for _, u := range users {
		u, _, _ = strings.Cut(u, ";")
		u, _, _ = strings.Cut(u, ":")
		p := party{text: strings.ToLower(u)}
		switch p.text {
		case "", "anonymous", "unknown", "unavailable", "restricted", "private", "asterisk":
			continue
		}
		if strings.Trim(u, "0123456789+-.()*# ") == "" {
			digits := strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, u)
			// "00" and "0" go before numbers as "+" does.
			p = party{text: strings.TrimLeft(digits, "0"), number: true}
		}
		if p.text != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// same reports whether any two are the same: equal, or numbers of which one ends
// like the other.
func same(a, b []party, minDigits int) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
			if x.number && y.number && min(len(x.text), len(y.text)) >= minDigits && (strings.HasSuffix(x.text, y.text) || strings.HasSuffix(y.text, x.text)) {
				return true
			}
		}
	}
	return false
}

// key is what a party has in common with those that are the same.
func (p party) key(minDigits int) string {
	if p.number && len(p.text) >= minDigits {
		return p.text[len(p.text)-minDigits:]
	}
	return "=" + p.text
}
