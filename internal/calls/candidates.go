package calls

import (
	"net/netip"
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
	// the key in common. They are hashes, of the tenant too: two legs may have one in
	// common by chance.
	Near     []uint64
	From, To time.Time
}

// CandidateKeys are the keys of a leg, sorted. GroupLegs gives for a leg what it
// would give for all legs there are when it is given, besides the leg, those that
// share a key with it, those that share one with these, and so on. Of common ids
// every step matters; of Near two do, unless so many calls of the same numbers
// begin within the window that each depends on the one before.
func CandidateKeys(l *Leg, o LinkOptions) Keys {
	o = o.withDefaults()
	k := Keys{IDs: idsOf(l)}
	if !o.Heuristics {
		return k
	}
	if p := profileOf(l); p != nil {
		var room [8]nearKey
		keys := p.downstreamKeys(p.upstreamKeys(room[:0], o.MinDigits), o.MinDigits)
		k.Near = make([]uint64, 0, len(keys))
		for i := range keys {
			k.Near = append(k.Near, keys[i].hash(l.Tenant))
		}
		slices.Sort(k.Near)
		k.Near = slices.Compact(k.Near)
		margin := o.Window + skew*time.Microsecond
		k.From, k.To = timeAt(p.began).Add(-margin), timeAt(p.began).Add(margin)
	}
	return k
}

// nearKey is what legs of one call have in common: a number called over a host,
// or a media address.
type nearKey struct {
	number string
	host   netip.Addr
	media  netip.AddrPort
}

// hash is a hash of the key within a tenant (FNV-1a).
func (k nearKey) hash(tenant string) uint64 {
	h := uint64(14695981039346656037)
	add := func(c byte) { h = (h ^ uint64(c)) * 1099511628211 }
	for i := range len(tenant) {
		add(tenant[i])
	}
	add(0)
	for i := range len(k.number) {
		add(k.number[i])
	}
	add(0)
	if k.host.IsValid() {
		for _, c := range k.host.As16() {
			add(c)
		}
		return h
	}
	for _, c := range k.media.Addr().As16() {
		add(c)
	}
	add(byte(k.media.Port() >> 8))
	add(byte(k.media.Port()))
	return h
}

// upstreamKeys adds what a leg has in common with legs that came of it.
func (p *profile) upstreamKeys(to []nearKey, minDigits int) []nearKey {
	for _, r := range p.received {
		to = p.addNumberKeys(to, r.at.Addr(), minDigits)
	}
	return p.addMediaKeys(to)
}

// downstreamKeys adds what a leg has in common with the leg that it came of.
func (p *profile) downstreamKeys(to []nearKey, minDigits int) []nearKey {
	if p.sender.IsValid() {
		to = p.addNumberKeys(to, p.sender.Addr(), minDigits)
	}
	return p.addMediaKeys(to)
}

func (p *profile) addNumberKeys(to []nearKey, host netip.Addr, minDigits int) []nearKey {
	for _, c := range p.called {
		if k := (nearKey{number: c.key(minDigits), host: host}); !slices.Contains(to, k) {
			to = append(to, k)
		}
	}
	return to
}

func (p *profile) addMediaKeys(to []nearKey) []nearKey {
	for _, m := range p.media {
		to = append(to, nearKey{media: m})
	}
	return to
}
