package calls

import (
	"slices"
	"time"
)

// Keys name the legs that may be of one call with a leg.
type Keys struct {
	// IDs are ids: a leg that has one of them as its Call-ID, correlation id or
	// link id value is of the same call.
	IDs []string
	// Near are what legs have in common that the heuristics may link, if the
	// times of their first messages are in [From, To]. Both sides of a link have
	// the key in common.
	Near     []string
	From, To time.Time
}

// CandidateKeys are the keys of a leg, sorted. GroupLegs gives for a leg what it
// would give for all legs there are when it is given, besides the leg, those
// that share a key with it, and those that share one with these, until there is
// no other.
func CandidateKeys(l *Leg, o LinkOptions) Keys {
	o = o.withDefaults()
	k := Keys{IDs: idsOf(l)}
	if !o.Heuristics {
		return k
	}
	if p := newProfile(0, l); p != nil {
		k.Near = append(p.upstreamKeys(o.MinDigits), p.downstreamKeys(o.MinDigits)...)
		slices.Sort(k.Near)
		k.Near = slices.Compact(k.Near)
		margin := o.Window + skew*time.Microsecond
		k.From, k.To = timeAt(p.began).Add(-margin), timeAt(p.began).Add(margin)
	}
	return k
}

// upstreamKeys are what a leg has in common with legs that came of it.
func (p *profile) upstreamKeys(minDigits int) []string {
	var out []string
	for to := range p.received {
		out = append(out, p.numberKeys(to.Addr().String(), minDigits)...)
	}
	out = append(out, p.mediaKeys()...)
	slices.Sort(out)
	return slices.Compact(out)
}

// downstreamKeys are what a leg has in common with the leg that it came of.
func (p *profile) downstreamKeys(minDigits int) []string {
	var out []string
	if p.sender.IsValid() {
		out = p.numberKeys(p.sender.Addr().String(), minDigits)
	}
	return append(out, p.mediaKeys()...)
}

func (p *profile) numberKeys(host string, minDigits int) []string {
	var out []string
	for _, c := range p.called {
		out = append(out, "called "+c.key(minDigits)+" at "+host)
	}
	return out
}

func (p *profile) mediaKeys() []string {
	var out []string
	for _, m := range p.media {
		out = append(out, "media "+m)
	}
	return out
}
