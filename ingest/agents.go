package ingest

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// maxAgents bounds the agents that a worker tells apart; further ones are
// counted together as "other". Names come from the wire, so that a hostile
// sender could make any number of them.
const maxAgents = 1024

// maxAgentName bounds the bytes of a name by which agents are told apart.
const maxAgentName = 64

// agentKey is who sends: the node name and capture id that it gives itself, and
// the address that its HEP packets come from. It is zero for all beyond maxAgents.
type agentKey struct {
	node string
	id   uint32
	addr netip.Addr
}

// agentStats is what one worker knows of a capture agent.
type agentStats struct {
	key         agentKey
	packets     uint64
	undecodable uint64
	first, last time.Time
	// skew is sender time minus receive time in µs: smoothed, least, greatest.
	skew, skewMin, skewMax float64
	timed                  bool
}

// agents is one worker's table of agents; the worker's lock guards it.
type agents struct {
	byKey map[agentKey]*agentStats
	// recent are those seen last, by slot: with few agents they spare the look-up.
	recent [recentAgents]*agentStats
}

// recentAgents is a power of two.
const recentAgents = 64

// agentSlot is an agent's place in recent: agents mostly differ in their ids.
func agentSlot(id uint32, addr netip.Addr) uint32 {
	return (id + uint32(addr.As16()[15])) & (recentAgents - 1)
}

// at returns the entry of the agent. It allocates for a new one only.
func (a *agents) at(node []byte, id uint32, addr netip.Addr) *agentStats {
	node, addr = node[:min(len(node), maxAgentName)], addr.Unmap()
	recent := &a.recent[agentSlot(id, addr)]
	if x := *recent; x != nil && x.key.id == id && x.key.addr == addr && x.key.node == string(node) {
		return x
	}
	x := a.byKey[agentKey{string(node), id, addr}]
	if x != nil {
		*recent = x
		return x
	}
	if a.byKey == nil {
		a.byKey = make(map[agentKey]*agentStats)
	}
	key := agentKey{}
	if len(a.byKey) < maxAgents {
		key = agentKey{string(node), id, addr}
	}
	if x = a.byKey[key]; x == nil {
		x = &agentStats{key: key}
		a.byKey[key] = x
	}
	if key.addr.IsValid() {
		*recent = x
	}
	return x
}

// skewWeight is the weight of one packet in the smoothed clock skew.
const skewWeight = 1.0 / 64

// seen counts a packet. us is the sender's time in µs since the epoch, 0 when it has none.
func (x *agentStats) seen(received time.Time, us int64) {
	if x.packets == 0 {
		x.first = received
	}
	x.packets++
	x.last = received
	if us == 0 {
		return
	}
	skew := float64(us - received.UnixMicro())
	if !x.timed {
		x.skew, x.skewMin, x.skewMax, x.timed = skew, skew, skew, true
		return
	}
	x.skew += (skew - x.skew) * skewWeight
	x.skewMin, x.skewMax = min(x.skewMin, skew), max(x.skewMax, skew)
}

// bad counts a packet that did not decode.
func (x *agentStats) bad(received time.Time) {
	x.seen(received, 0)
	x.undecodable++
}

// merge adds what another worker knows of the same agent.
func (x *agentStats) merge(y *agentStats) {
	if x.packets == 0 || !y.first.IsZero() && y.first.Before(x.first) {
		x.first = y.first
	}
	if y.last.After(x.last) {
		x.last = y.last
	}
	if y.timed {
		if !x.timed {
			x.skew, x.skewMin, x.skewMax, x.timed = y.skew, y.skewMin, y.skewMax, true
		} else {
			n, m := float64(x.packets), float64(y.packets)
			x.skew = (x.skew*n + y.skew*m) / (n + m)
			x.skewMin, x.skewMax = min(x.skewMin, y.skewMin), max(x.skewMax, y.skewMax)
		}
	}
	x.packets += y.packets
	x.undecodable += y.undecodable
}

// An agent is silent when nothing came for silentIntervals of its mean interval
// and for minSilence at least. One of fewer than regularPackets packets has no
// rhythm to miss.
const (
	silentIntervals = 5
	minSilence      = time.Minute
	regularPackets  = 10
)

func (x *agentStats) silent(now time.Time) bool {
	if x.packets < regularPackets {
		return false
	}
	usual := x.last.Sub(x.first) / time.Duration(x.packets-1)
	return now.Sub(x.last) > max(silentIntervals*usual, minSilence)
}

// mergedAgents gathers the workers' tables, maxAgents and "other" at most.
func (p *Pipeline) mergedAgents() map[agentKey]*agentStats {
	sum := map[agentKey]*agentStats{}
	for _, w := range p.workers {
		w.mu.Lock()
		for key, y := range w.agents.byKey {
			if sum[key] == nil && len(sum) >= maxAgents {
				key = agentKey{}
			}
			if sum[key] == nil {
				sum[key] = &agentStats{}
			}
			sum[key].merge(y)
		}
		w.mu.Unlock()
	}
	return sum
}

var (
	agentLabels          = []string{"node", "capture_id", "address"}
	descAgentPackets     = prometheus.NewDesc("heplake_agent_packets_total", "Packets received from a capture agent.", agentLabels, nil)
	descAgentUndecodable = prometheus.NewDesc("heplake_agent_undecodable_total", "Packets of an address that did not decode.", agentLabels, nil)
	descAgentSeen        = prometheus.NewDesc("heplake_agent_last_seen_timestamp_seconds", "When an agent's last packet came.", agentLabels, nil)
	descAgentSilent      = prometheus.NewDesc("heplake_agent_silent", "1 when a regular agent has sent nothing for 5 of its intervals and a minute.", agentLabels, nil)
	descAgentSkew        = prometheus.NewDesc("heplake_agent_clock_skew_seconds", "Sender's time minus time of receipt: smoothed, least, greatest.", append(agentLabels[:3:3], "what"), nil)
)

// Agents collects the metrics of each capture agent.
func (p *Pipeline) Agents() prometheus.Collector { return agentMetrics{p} }

type agentMetrics struct{ p *Pipeline }

// Describe implements prometheus.Collector.
func (agentMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descAgentPackets, descAgentUndecodable, descAgentSeen, descAgentSilent, descAgentSkew} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m agentMetrics) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for key, x := range m.p.mergedAgents() {
		node, id, addr := label(key.node), strconv.FormatUint(uint64(key.id), 10), "other"
		if key.addr.IsValid() {
			addr = key.addr.String()
		}
		send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, t, v, append([]string{node, id, addr}, more...)...)
		}
		send(descAgentPackets, prometheus.CounterValue, float64(x.packets))
		send(descAgentUndecodable, prometheus.CounterValue, float64(x.undecodable))
		send(descAgentSeen, prometheus.GaugeValue, float64(x.last.UnixMicro())/1e6)
		silent := 0.0
		if x.silent(now) {
			silent = 1
		}
		send(descAgentSilent, prometheus.GaugeValue, silent)
		if x.timed {
			send(descAgentSkew, prometheus.GaugeValue, x.skew/1e6, "smoothed")
			send(descAgentSkew, prometheus.GaugeValue, x.skewMin/1e6, "min")
			send(descAgentSkew, prometheus.GaugeValue, x.skewMax/1e6, "max")
		}
	}
}

// label is a name from the wire as a label's value: a backslash is doubled and
// bytes that are no UTF-8 are written as \xNN. Different names give different
// labels: two series of one name would fail the whole scrape.
func label(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, `\`) {
		return s
	}
	var b []byte
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = fmt.Appendf(b, `\x%02x`, s[0])
		case r == '\\':
			b = append(b, `\\`...)
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return string(b)
}
