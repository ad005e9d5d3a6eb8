package gen

import (
	"fmt"
	"math/rand/v2"

	"github.com/heplake/heplake/ingest/hep"
)

// Config says what traffic to make.
type Config struct {
	// Seed chooses the traffic.
	Seed uint64
	// Packets is how many there are in all, exactly. Every dialog begun is
	// finished within them.
	Packets int
	// Rate is the packets a second that the delays within a dialog refer to: a
	// call that rings for two seconds has two times Rate other packets go by.
	Rate float64
	// Mix is what the traffic consists of; DefaultMix where it is the zero Mix.
	Mix Mix
	// Agents is the number of capture agents, each with a proxy of its own; 1
	// when it is 0.
	Agents int
}

// Limits of Config.
const (
	maxAgents = 10_000
	maxRate   = 10_000_000
)

// Generator makes the packets one after the other. It is not safe for
// concurrent use.
type Generator struct {
	cfg   Config
	rng   *rand.Rand
	world world
	plans planner

	dialogs []dialog
	free    []int32
	wheel   wheel
	ready   []int32 // due now
	current int32   // whose packet Append makes
	made    int
	owed    int // packets that the open dialogs have yet to send
	nextID  uint64
	counts  Counts
	packet  hep.Packet
	payload []byte
}

// dialog is one call, registration or the like that is going on. What its
// messages say follows from id.
type dialog struct {
	id     uint64
	plan   *plan
	step   int32
	next   int32 // in the wheel
	agent  int32
	caller int32
	callee int32
	trunk  int32
}

// New makes a generator.
func New(cfg Config) (*Generator, error) {
	if cfg.Mix == (Mix{}) {
		cfg.Mix = DefaultMix
	}
	if cfg.Agents == 0 {
		cfg.Agents = 1
	}
	switch {
	case cfg.Packets < 0:
		return nil, fmt.Errorf("generator: %d packets", cfg.Packets)
	case cfg.Agents < 1 || cfg.Agents > maxAgents:
		return nil, fmt.Errorf("generator: agents takes 1 to %d, not %d", maxAgents, cfg.Agents)
	case cfg.Rate <= 0 || cfg.Rate > maxRate:
		return nil, fmt.Errorf("generator: rate takes more than 0 to %d packets a second, not %g", maxRate, cfg.Rate)
	}
	g := &Generator{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x9e3779b97f4a7c15)), counts: newCounts()}
	if err := g.plans.init(cfg.Mix); err != nil {
		return nil, err
	}
	g.world.init(cfg.Agents)
	g.wheel.init(cfg.Rate)
	return g, nil
}

// Next goes to the next packet and returns the number of the capture agent that
// reports it, from 0; false when every packet has been made.
func (g *Generator) Next() (agent int, ok bool) {
	if g.current, ok = g.due(); !ok {
		return 0, false
	}
	return int(g.dialogs[g.current].agent), true
}

// Append appends the packet that Next went to, as seen at us microseconds since
// the Unix epoch. It is called once after each Next that returned true.
func (g *Generator) Append(dst []byte, us int64) []byte {
	i := g.current
	d := &g.dialogs[i]
	dst = g.render(dst, d, &d.plan.steps[d.step], us)
	g.made++
	g.owed--
	d.step++
	if int(d.step) == len(d.plan.steps) {
		g.counts.end(d.plan)
		g.free = append(g.free, i)
		return dst
	}
	// Between one and two times the step's delay.
	delay := d.plan.steps[d.step].delay
	g.wheel.add(g.dialogs, i, g.made, delay*(1+g.rng.Float64()))
	return dst
}

// Dialog is a number that the packet that Next went to has in common with the
// others of its dialog: a small one, which another dialog has after its end.
func (g *Generator) Dialog() int { return int(g.current) }

// due is the dialog whose packet comes next: one that is due, else a new one,
// else, when a new one would not end in time, the one that is due first.
func (g *Generator) due() (int32, bool) {
	for len(g.ready) == 0 {
		g.ready = g.wheel.take(g.dialogs, g.ready, g.made)
		if len(g.ready) > 0 {
			break
		}
		room := g.cfg.Packets - g.made - g.owed
		if p := g.plans.pick(g.rng, room); p != nil {
			return g.begin(p), true
		}
		if g.owed == 0 {
			return 0, false
		}
		g.wheel.skip(g.made)
	}
	i := g.ready[len(g.ready)-1]
	g.ready = g.ready[:len(g.ready)-1]
	return i, true
}

func (g *Generator) begin(p *plan) int32 {
	var i int32
	if n := len(g.free); n > 0 {
		i, g.free = g.free[n-1], g.free[:n-1]
	} else {
		i = int32(len(g.dialogs))
		g.dialogs = append(g.dialogs, dialog{})
	}
	g.nextID++
	g.dialogs[i] = dialog{
		id: scramble(g.cfg.Seed + g.nextID*0x9e3779b97f4a7c15), plan: p,
		agent: int32(g.rng.IntN(g.cfg.Agents)), caller: g.world.anyUser(g.rng), callee: g.world.anyUser(g.rng), trunk: int32(g.rng.IntN(len(g.world.trunks))),
	}
	g.owed += len(p.steps)
	return i
}

// Counts returns what was made so far. Dialogs count when they have ended.
func (g *Generator) Counts() Counts { return g.counts.clone() }

// scramble spreads n over 64 bits (SplitMix64's finaliser).
func scramble(n uint64) uint64 {
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
