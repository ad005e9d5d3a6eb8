package load

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/heplake/heplake/bench/gen"
)

// Result is what one scenario measured. A figure that could not be had is null.
type Result struct {
	Date     time.Time `json:"date"`
	Commit   string    `json:"commit"`
	Machine  Machine   `json:"machine"`
	Server   string    `json:"server"`
	Scenario Scenario  `json:"scenario"`

	// Sent is what the generator says it sent, GeneratorCPUMicros its own cost.
	Sent               gen.Sent `json:"sent"`
	GeneratorCPUMicros float64  `json:"generator_cpu_us_per_message"`
	// Seconds is from the first packet until nothing waited any more.
	Seconds float64 `json:"seconds"`
	// Stored is the number of packets stored, as the database has them where it
	// can be asked; StoredPerSecond is over Seconds, Lost is sent less stored.
	Stored          *uint64  `json:"stored"`
	StoredPerSecond *float64 `json:"stored_per_second"`
	Lost            *int64   `json:"lost"`
	// Twice is how many rows are there more than once: for a paced run, where each
	// packet has a time of its own.
	Twice *uint64 `json:"stored_twice"`
	// AwaySeconds is how long the server or its ClickHouse was away; DrainSeconds is
	// from its return until no batch waited for longer than usual, with the traffic
	// going on.
	AwaySeconds  *float64 `json:"away_s,omitempty"`
	DrainSeconds *float64 `json:"drained_after_s,omitempty"`
	// MetNobody is what of Lost heplake did not count, in a run that restarts it:
	// datagrams for which there was no socket.
	MetNobody *int64 `json:"met_nobody,omitempty"`
	// Dropped is the loss as the server counts it, by stage.reason.
	Dropped map[string]uint64 `json:"dropped_by_reason"`
	// KernelDrops is what the kernel dropped on the server's UDP sockets.
	KernelDrops uint64 `json:"kernel_drops"`
	// Calls is nil or what differs between the calls sent and those stored.
	Calls map[string]string `json:"calls_that_differ"`
	// Processes are the server's, the first one named as the server itself.
	Processes []Process `json:"processes"`
	// QueryableP50 and P99 are from receipt to ClickHouse's answer, in seconds:
	// of each batch's oldest packet, as the server's histogram has it.
	QueryableP50 *float64 `json:"receive_to_queryable_p50_s"`
	QueryableP99 *float64 `json:"receive_to_queryable_p99_s"`
}

// Process is one process's cost.
type Process struct {
	Name string `json:"name"`
	// CPUMicros is the CPU time per packet sent, in µs, from the first packet until
	// nothing waited any more.
	CPUMicros float64 `json:"cpu_us_per_message"`
	// PeakMemory is the largest resident size since its start, in bytes.
	PeakMemory int64 `json:"peak_memory_bytes"`
}

// Save writes the result into dir and returns the file's name.
func (r *Result) Save(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s-%s-%s.json", r.Date.UTC().Format("20060102T150405"), r.Commit, r.Scenario.Name)
	if r.Server != serverHeplake {
		name = fmt.Sprintf("%s-%s-%s-%s.json", r.Date.UTC().Format("20060102T150405"), r.Commit, r.Server, r.Scenario.Name)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}

// Line is the result in one line, for people.
func (r *Result) Line() string {
	s := fmt.Sprintf("%-10s %-12s sent %8d in %5.1f s", r.Server, r.Scenario.Name, r.Sent.Counts.Packets, r.Sent.Seconds)
	if r.Lost != nil {
		s += fmt.Sprintf("  lost %d", *r.Lost)
	}
	if r.KernelDrops > 0 && r.Dropped == nil {
		s += fmt.Sprintf(" (kernel %d)", r.KernelDrops)
	}
	for reason, n := range r.Dropped {
		s += fmt.Sprintf(" (%s %d)", reason, n)
	}
	for _, p := range r.Processes {
		s += fmt.Sprintf("  %s %.2f µs/msg %d MiB", p.Name, p.CPUMicros, p.PeakMemory>>20)
	}
	if r.Twice != nil && *r.Twice > 0 {
		s += fmt.Sprintf("  TWICE %d", *r.Twice)
	}
	if r.AwaySeconds != nil {
		s += fmt.Sprintf("  away %.1f s, drained after %.1f s", *r.AwaySeconds, *r.DrainSeconds)
	}
	if r.MetNobody != nil {
		s += fmt.Sprintf(", met nobody %d", *r.MetNobody)
	}
	if r.QueryableP99 != nil {
		s += fmt.Sprintf("  queryable p50 %.2f p99 %.2f s", *r.QueryableP50, *r.QueryableP99)
	}
	if len(r.Calls) > 0 {
		s += fmt.Sprintf("  calls differ: %v", r.Calls)
	}
	return s + fmt.Sprintf("  [generator %.2f µs/msg, late %.0f ms]", r.GeneratorCPUMicros, r.Sent.LateMs)
}

// Compare puts a peer's result beside ours, as ratios of theirs to ours.
func Compare(ours, theirs *Result) string {
	total := func(r *Result) (us float64) {
		for _, p := range r.Processes {
			us += p.CPUMicros
		}
		return us
	}
	s := fmt.Sprintf("%-12s CPU per message, all processes: %s %.2f µs, %s %.2f µs, ratio %.1f", ours.Scenario.Name, ours.Server, total(ours), theirs.Server, total(theirs), total(theirs)/total(ours))
	s += fmt.Sprintf("; the server's own: %.2f, %.2f, ratio %.1f", ours.Processes[0].CPUMicros, theirs.Processes[0].CPUMicros, theirs.Processes[0].CPUMicros/ours.Processes[0].CPUMicros)
	loss := func(r *Result) string {
		if r.Lost == nil {
			return fmt.Sprintf("unknown (kernel %d)", r.KernelDrops)
		}
		return fmt.Sprintf("%d (%.2f %%)", *r.Lost, 100*float64(*r.Lost)/float64(max(1, r.Sent.Counts.Packets)))
	}
	return s + fmt.Sprintf("; lost: %s, %s", loss(ours), loss(theirs))
}
