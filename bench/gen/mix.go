package gen

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Mix is what traffic consists of. The first seven are weights of dialogs; a
// call has many more packets than an OPTIONS, so the shares of packets differ.
type Mix struct {
	Answered, Busy, Failed, Cancelled, NoAnswer, Register, Options int
	// B2BUA is the percentage of calls that go through a B2BUA.
	B2BUA int
	// RTCP is the number of RTCP reports of an answered call.
	RTCP int
}

// DefaultMix is that of a platform for business telephony: half of the calls
// answered, phones that register, peers that ping each other.
var DefaultMix = Mix{Answered: 50, Busy: 8, Failed: 8, Cancelled: 9, NoAnswer: 5, Register: 12, Options: 8, B2BUA: 30, RTCP: 4}

func (m *Mix) fields() []struct {
	name  string
	value *int
} {
	return []struct {
		name  string
		value *int
	}{
		{"answered", &m.Answered}, {"busy", &m.Busy}, {"failed", &m.Failed}, {"cancelled", &m.Cancelled}, {"noanswer", &m.NoAnswer},
		{"register", &m.Register}, {"options", &m.Options}, {"b2bua", &m.B2BUA}, {"rtcp", &m.RTCP},
	}
}

// String writes the mix as ParseMix reads it.
func (m Mix) String() string {
	var parts []string
	for _, f := range m.fields() {
		parts = append(parts, f.name+"="+strconv.Itoa(*f.value))
	}
	return strings.Join(parts, ",")
}

// ParseMix reads a mix such as "answered=80,options=20,rtcp=2". A dialog that
// it does not name does not occur; b2bua and rtcp keep their defaults.
func ParseMix(s string) (Mix, error) {
	m := Mix{B2BUA: DefaultMix.B2BUA, RTCP: DefaultMix.RTCP}
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(value)
		found := false
		for _, f := range m.fields() {
			if f.name == name {
				*f.value, found = n, true
			}
		}
		if !found || err != nil {
			return m, fmt.Errorf("mix: %q is no NAME=NUMBER with a name of %s", part, DefaultMix)
		}
	}
	return m, m.check()
}

func (m Mix) check() error {
	for _, f := range m.fields() {
		if *f.value < 0 || *f.value > 1000 {
			return fmt.Errorf("mix: %s takes 0 to 1000, not %d", f.name, *f.value)
		}
	}
	if m.B2BUA > 100 {
		return fmt.Errorf("mix: b2bua takes 0 to 100 percent, not %d", m.B2BUA)
	}
	if m.Answered+m.Busy+m.Failed+m.Cancelled+m.NoAnswer+m.Register+m.Options == 0 {
		return fmt.Errorf("mix: every weight is 0")
	}
	return nil
}

// planner picks what to begin next.
type planner struct {
	plans  []weighted
	total  int
	filler []*plan // shorter and shorter, to end at a packet exactly
}

type weighted struct {
	plan   *plan
	weight int
}

func (p *planner) init(m Mix) error {
	if err := m.check(); err != nil {
		return err
	}
	add := func(weight int, plan *plan) {
		if weight > 0 {
			p.plans = append(p.plans, weighted{plan, weight})
			p.total += weight
		}
	}
	for _, c := range []struct {
		outcome Outcome
		weight  int
	}{{Answered, m.Answered}, {Busy, m.Busy}, {Failed, m.Failed}, {Cancelled, m.Cancelled}, {NoAnswer, m.NoAnswer}} {
		for _, ends := range []struct {
			callee bool
			weight int
		}{{false, 3}, {true, 2}} {
			add(c.weight*ends.weight*(100-m.B2BUA), newCall(c.outcome, 1, m.RTCP, ends.callee))
			add(c.weight*ends.weight*m.B2BUA, newCall(c.outcome, 2, m.RTCP, ends.callee))
		}
	}
	add(m.Register*5*100, newRegistration())
	options := newOptions()
	add(m.Options*5*100, options)
	p.filler = []*plan{options, {outcome: none, steps: []step{{kind: rtcpCaller}}}}
	return nil
}

// pick chooses a plan of at most room packets: at random, or when that is too
// long, one that fills what is left. nil when there is no room.
func (p *planner) pick(rng *rand.Rand, room int) *plan {
	if room <= 0 {
		return nil
	}
	n := rng.IntN(p.total)
	for _, w := range p.plans {
		if n -= w.weight; n >= 0 {
			continue
		}
		if len(w.plan.steps) <= room {
			return w.plan
		}
		break
	}
	for _, f := range p.filler {
		if len(f.steps) <= room {
			return f
		}
	}
	return nil
}
