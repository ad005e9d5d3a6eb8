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
	{Name: "many-agents", Rate: 50_000, Duration: 20 * time.Second, Proto: "udp", Agents: 1000},
}

// Short are the names of the scenarios that `make bench` runs.
var Short = []string{"5k", "20k", "100k", "tcp-100k", "few-agents"}

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
