package truth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Config says what traffic to make.
type Config struct {
	Seed uint64 `json:"seed"`
	// Calls and Registrations are how many; pings come with them.
	Calls         int `json:"calls"`
	Registrations int `json:"registrations"`
	// Start is when the first one begins; the others follow after Gap each on
	// average. 0 is 200 ms.
	Start time.Time     `json:"start"`
	Gap   time.Duration `json:"gap"`
	// Skew is how far the clocks of the capture agents are off at most, either way.
	Skew time.Duration `json:"skew"`
	// Lossy is the share of calls of which the report of one message is lost, from
	// 0 to 1; Duplicates that of packets that their agent sends twice; Late that
	// of packets that arrive up to a minute late.
	Lossy      float64 `json:"lossy"`
	Duplicates float64 `json:"duplicates"`
	Late       float64 `json:"late"`
	// Only restricts the calls to scenarios of these names, or to those whose
	// names begin so; empty is all.
	Only []string `json:"only,omitempty"`
}

// Packet is a HEP version 3 packet.
type Packet struct {
	// Agent is the number of the capture agent that sends it, from 0.
	Agent int
	// Time is what it says, Arrival when it reaches the collector, in µs since the
	// epoch.
	Time, Arrival int64
	Data          []byte

	call *Call // whose message it is
	name string
}

// Corpus is traffic with its truth.
type Corpus struct {
	Config Config `json:"config"`
	// Packets are in order of arrival.
	Packets       []Packet       `json:"-"`
	Calls         []Call         `json:"calls"`
	Registrations []Registration `json:"registrations"`
	// Minutes are the KPIs, in order of time.
	Minutes []Minute `json:"minutes"`
}

// New makes a corpus.
func New(cfg Config) (*Corpus, error) {
	if cfg.Gap == 0 {
		cfg.Gap = 200 * time.Millisecond
	}
	if cfg.Calls < 0 || cfg.Registrations < 0 || cfg.Skew < 0 || cfg.Gap < 0 {
		return nil, fmt.Errorf("truth: calls %d, registrations %d, skew %s and gap %s must not be negative", cfg.Calls, cfg.Registrations, cfg.Skew, cfg.Gap)
	}
	for _, share := range []float64{cfg.Lossy, cfg.Duplicates, cfg.Late} {
		if share < 0 || share > 1 {
			return nil, fmt.Errorf("truth: a share of %g is not between 0 and 1", share)
		}
	}
	list := chosen(cfg.Only)
	if len(list) == 0 {
		return nil, fmt.Errorf("truth: no scenario is called %q; there are %v", cfg.Only, Scenarios())
	}
	g := &generator{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x7275746874727574))}
	g.world = newWorld(g)
	at := cfg.Start.UnixMicro()
	calls, registrations := cfg.Calls, cfg.Registrations
	for i := 0; calls+registrations > 0; i++ {
		if g.rng.IntN(calls+registrations) < calls {
			calls--
			g.makeCall(list[i%len(list)], at)
		} else {
			registrations--
			g.makeRegistration(at)
		}
		at += g.between(cfg.Gap/2, cfg.Gap*3/2)
	}
	c := &Corpus{Config: cfg, Packets: g.packets, Minutes: []Minute{}}
	for _, call := range g.calls {
		c.Calls = append(c.Calls, *call)
	}
	for _, r := range g.registrations {
		c.Registrations = append(c.Registrations, *r)
	}
	c.Minutes = minutes(c.Calls, c.Registrations)
	slices.SortStableFunc(c.Packets, func(a, b Packet) int { return int(a.Arrival - b.Arrival) })
	return c, nil
}

// generator makes one corpus.
type generator struct {
	cfg           Config
	rng           *rand.Rand
	world         *world
	packets       []Packet
	calls         []*Call
	registrations []*Registration
	ids           int
}

// between is a random time in µs.
func (g *generator) between(low, high time.Duration) int64 {
	l, h := low.Microseconds(), high.Microseconds()
	if h <= l {
		return l
	}
	return l + g.rng.Int64N(h-l)
}

func (g *generator) chance(share float64) bool { return g.rng.Float64() < share }

// id is a name that nothing else has.
func (g *generator) id() string {
	g.ids++
	return fmt.Sprintf("%d-%08x", g.ids, g.rng.Uint32())
}
