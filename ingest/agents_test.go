package ingest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAgentsAreBounded: 10,000 names give no more than maxAgents and "other",
// each a series of its own, and no packet is left uncounted.
func TestAgentsAreBounded(t *testing.T) {
	p := &Pipeline{workers: []*worker{{}, {}}}
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	const names = 10_000
	for i := range names {
		node := fmt.Appendf(nil, "node\xff\"%d", i)
		p.workers[i%2].agents.at(node, uint32(i), from).seen(now, now.UnixMicro())
	}
	sum := p.mergedAgents()
	if n := len(sum); n < maxAgents || n > maxAgents+1 {
		t.Errorf("%d agents, want %d and one for the others", n, maxAgents)
	}
	var packets uint64
	for _, x := range sum {
		packets += x.packets
	}
	if packets != names {
		t.Errorf("%d packets counted of %d", packets, names)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(p.Agents())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 5 {
		t.Errorf("%d metrics, want 5", len(families))
	}
	for _, f := range families {
		if n := len(f.GetMetric()); n > 3*(maxAgents+1) {
			t.Errorf("%s has %d series", f.GetName(), n)
		}
	}
}

// TestAgentClockAndSilence: skew has the sender's sign, and only who had a
// rhythm can fall silent.
func TestAgentClockAndSilence(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var regular, slow, rare agentStats
	for i := range 100 {
		at := start.Add(time.Duration(i) * time.Second)
		regular.seen(at, at.Add(2*time.Second).UnixMicro())
		slow.seen(start.Add(time.Duration(i)*time.Minute), 0)
	}
	rare.seen(start, 0)
	if regular.skew != 2e6 || regular.skewMin != 2e6 || regular.skewMax != 2e6 {
		t.Errorf("skew %v, %v to %v µs; want 2 s", regular.skew, regular.skewMin, regular.skewMax)
	}
	for _, c := range []struct {
		name  string
		agent *agentStats
		after time.Duration
		want  bool
	}{
		{"regular, 59 s", &regular, 59 * time.Second, false},
		{"regular, 61 s", &regular, 61 * time.Second, true},
		{"one a minute, 4 minutes", &slow, 4 * time.Minute, false},
		{"one a minute, 6 minutes", &slow, 6 * time.Minute, true},
		{"one packet ever", &rare, time.Hour, false},
	} {
		if got := c.agent.silent(c.agent.last.Add(c.after)); got != c.want {
			t.Errorf("%s: silent is %v", c.name, got)
		}
	}
}

// TestAgentLookupAllocatesNothing in the steady state, alone or in turn.
func TestAgentLookupAllocatesNothing(t *testing.T) {
	var a agents
	from, now := netip.MustParseAddr("2001:db8::1"), time.Now()
	one, two := []byte("a node with a rather long name, more than 32 bytes"), []byte("b")
	n := testing.AllocsPerRun(100, func() {
		a.at(one, 1, from).seen(now, now.UnixMicro())
		a.at(two, 2, from).seen(now, now.UnixMicro())
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
