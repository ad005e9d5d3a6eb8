package load

import (
	"fmt"
	"strings"
	"time"
)

// Scenario is one load.
type Scenario struct {
	Name string `json:"name"`
	// Rate is the packets a second, 0 for as fast as they go; then Count says how
	// many.
	Rate     int           `json:"rate"`
	Duration time.Duration `json:"-"`
	Count    int           `json:"count,omitempty"`
	Proto    string        `json:"proto"`
	Agents   int           `json:"agents"`
	// Outage is how long ClickHouse, a process of its own then, is away.
	Outage time.Duration `json:"-"`
	// Restart asks heplake to stop in the middle of the run, and starts it again.
	Restart bool `json:"restart,omitempty"`
	// Kept has the service manager keep heplake's sockets meanwhile.
	Kept bool `json:"kept,omitempty"`
}

// lead is how long a run goes before its outage, and tail after it.
func (s Scenario) lead() time.Duration { return max(time.Second, s.Outage/12) }
func (s Scenario) tail() time.Duration { return max(2*time.Second, s.Outage/3) }

// disturbed tells whether something happens to the server during the run.
func (s Scenario) disturbed() bool { return s.Outage > 0 || s.Restart }

// within is the scenario with the durations of the options.
func (s Scenario) within(o Options) Scenario {
	if s.Outage > 0 && o.Outage > 0 {
		s.Outage = o.Outage
	}
	switch {
	case s.Outage > 0:
		s.Duration = s.lead() + s.Outage + s.tail()
	case o.Duration > 0 && s.Rate > 0:
		s.Duration = o.Duration
	}
	return s
}

// Scenarios are all there are, in the order in which they run.
var Scenarios = []Scenario{
	{Name: "5k", Rate: 5_000, Duration: 20 * time.Second, Proto: "udp", Agents: 8},
	{Name: "20k", Rate: 20_000, Duration: 20 * time.Second, Proto: "udp", Agents: 8},
	{Name: "100k", Rate: 100_000, Duration: 20 * time.Second, Proto: "udp", Agents: 16},
	{Name: "100k-5min", Rate: 100_000, Duration: 5 * time.Minute, Proto: "udp", Agents: 16},
	{Name: "150k", Rate: 150_000, Duration: time.Minute, Proto: "udp", Agents: 16},
	{Name: "flat-out", Count: 2_000_000, Proto: "udp", Agents: 16},
	{Name: "tcp-20k", Rate: 20_000, Duration: 20 * time.Second, Proto: "tcp", Agents: 8},
	{Name: "tcp-100k", Rate: 100_000, Duration: 20 * time.Second, Proto: "tcp", Agents: 16},
	{Name: "tcp-flat-out", Count: 2_000_000, Proto: "tcp", Agents: 16},
	{Name: "few-agents", Rate: 50_000, Duration: 20 * time.Second, Proto: "udp", Agents: 1},
	{Name: "outage", Rate: 20_000, Proto: "udp", Agents: 8, Outage: time.Minute},
	{Name: "restart", Rate: 20_000, Duration: 20 * time.Second, Proto: "udp", Agents: 8, Restart: true},
	{Name: "restart-kept", Rate: 20_000, Duration: 20 * time.Second, Proto: "udp", Agents: 8, Restart: true, Kept: true},
	{Name: "many-agents", Rate: 50_000, Duration: 20 * time.Second, Proto: "udp", Agents: 1000},
}

// Short are the names of the scenarios that `make bench` runs.
var Short = []string{"5k", "20k", "100k", "flat-out", "tcp-100k", "few-agents", "many-agents", "outage", "restart", "restart-kept"}

// Choose finds scenarios by name, separated by commas; "short" and "all" name several.
func Choose(names string) (chosen []Scenario, err error) {
	switch names {
	case "all":
		return Scenarios, nil
	case "short":
		names = strings.Join(Short, ",")
	}
	var known []string
	byName := map[string]Scenario{}
	for _, s := range Scenarios {
		byName[s.Name] = s
		known = append(known, s.Name)
	}
	for name := range strings.SplitSeq(names, ",") {
		s, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("no scenario %q: there are short, all, %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, s)
	}
	return chosen, nil
}

// generatorArgs are hepgen's for the scenario.
func (s Scenario) generatorArgs(to string) []string {
	args := []string{"--to", to, "--proto", s.Proto, "--rate", fmt.Sprint(s.Rate), "--agents", fmt.Sprint(s.Agents)}
	if s.Rate == 0 {
		return append(args, "--count", fmt.Sprint(s.Count))
	}
	return append(args, "--duration", s.Duration.String())
}
