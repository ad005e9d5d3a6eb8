package query

import (
	"fmt"
	"slices"
	"time"
)

// Clock is how far a capture agent's clock is off, as the messages of one flow
// tell.
type Clock struct {
	// Node and CaptureID name the agent.
	Node      string `json:"node"`
	CaptureID uint32 `json:"capture_id"`
	// AheadUs is by how much its clock is ahead of that of the agent that the flow
	// goes by, in µs; negative when behind.
	AheadUs int64 `json:"ahead_us"`
}

// bound is what is known of how far one agent's clock is ahead of another's.
type bound struct {
	low, high       time.Duration
	hasLow, hasHigh bool
	// copies are the differences of messages that both saw on the same hop.
	copies []time.Duration
}

// ahead is the best guess; ok is false when the clocks may well agree.
func (b *bound) ahead() (d time.Duration, ok bool) {
	if len(b.copies) > 0 {
		slices.Sort(b.copies)
		d = b.copies[len(b.copies)/2]
		return d, d.Abs() > relaySkew
	}
	switch {
	case b.hasLow && b.low > relaySkew && b.hasHigh && b.high >= b.low, b.hasHigh && b.high < -relaySkew && b.hasLow && b.low <= b.high:
		// As with NTP, the middle errs least when the way takes as long in both directions.
		return (b.low + b.high) / 2, true
	case b.hasLow && b.low > relaySkew && !b.hasHigh:
		return b.low, true
	case b.hasHigh && b.high < -relaySkew && !b.hasLow:
		return b.high, true
	}
	return 0, false
}

// setClocks finds out by how much agents' clocks disagree, from causes whose two
// messages different agents saw, and from messages that several saw. It sets
// message.at to the time by the clock of the agent that reported most, and reports
// whether it changed any.
func setClocks(messages []message, found []cause) bool {
	count := map[agent]int{}
	var agents []agent
	for i := range messages {
		if messages[i].Kind != KindSIP {
			continue
		}
		a := messages[i].agent()
		if count[a]++; count[a] == 1 {
			agents = append(agents, a)
		}
	}
	if len(agents) < 2 {
		return false
	}
	bounds := boundsOf(messages, found)
	slices.SortStableFunc(agents, func(a, b agent) int { return count[b] - count[a] })
	// From the first agent to those it has messages in common with, and on.
	ahead := map[agent]time.Duration{agents[0]: 0}
	changed := false
	for queue := agents[:1:1]; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		for _, to := range agents {
			if _, done := ahead[to]; done {
				continue
			}
			b := bounds[[2]agent{from, to}]
			if b == nil {
				continue
			}
			d, off := b.ahead()
			if ahead[to] = ahead[from]; off {
				ahead[to] += d
				changed = true
			}
			queue = append(queue, to)
		}
	}
	if changed {
		for i := range messages {
			messages[i].at = messages[i].Time.Add(-ahead[messages[i].agent()])
		}
	}
	return changed
}

// boundsOf gathers what is known of each pair of agents: how far the second's
// clock is ahead of the first's.
func boundsOf(messages []message, found []cause) map[[2]agent]*bound {
	bounds := map[[2]agent]*bound{}
	of := func(a, b agent) *bound {
		key := [2]agent{a, b}
		if bounds[key] == nil {
			bounds[key] = &bound{}
		}
		return bounds[key]
	}
	for _, c := range found {
		a, b := messages[c.first].agent(), messages[c.then].agent()
		if a == b || !c.certain {
			continue
		}
		// The second message came later: its clock is ahead by less than this.
		late := messages[c.then].Time.Sub(messages[c.first].Time)
		if up := of(a, b); !up.hasHigh || late < up.high {
			up.high, up.hasHigh = late, true
		}
		if down := of(b, a); !down.hasLow || -late > down.low {
			down.low, down.hasLow = -late, true
		}
	}
	first := map[identity]map[agent]time.Time{}
	for i := range messages {
		m := &messages[i]
		if m.Kind != KindSIP {
			continue
		}
		seen := first[m.identity()]
		if seen == nil {
			seen = map[agent]time.Time{}
			first[m.identity()] = seen
		}
		mine := m.agent()
		if _, again := seen[mine]; again {
			continue
		}
		for other, at := range seen {
			d := m.Time.Sub(at)
			of(other, mine).copies = append(of(other, mine).copies, d)
			of(mine, other).copies = append(of(mine, other).copies, -d)
		}
		seen[mine] = m.Time
	}
	return bounds
}

// clocksOf lists the agents whose clocks were found to be off.
func clocksOf(messages []message) []Clock {
	out := []Clock{}
	for i := range messages {
		m := &messages[i]
		d := m.Time.Sub(m.at)
		if d == 0 || slices.ContainsFunc(out, func(c Clock) bool { return c.Node == m.Node && c.CaptureID == m.CaptureID }) {
			continue
		}
		out = append(out, Clock{m.Node, m.CaptureID, d.Microseconds()})
	}
	return out
}

// String names the agent and its difference.
func (c Clock) String() string {
	name := c.Node
	if name == "" {
		name = fmt.Sprint(c.CaptureID)
	}
	d := time.Duration(c.AheadUs) * time.Microsecond
	if d < 0 {
		return fmt.Sprintf("agent %s is %s behind", name, (-d).Round(time.Millisecond))
	}
	return fmt.Sprintf("agent %s is %s ahead", name, d.Round(time.Millisecond))
}
