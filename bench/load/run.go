package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/heplake/heplake/bench/gen"
)

// Options say what to run.
type Options struct {
	// Heplake and Generator are the paths of bin/heplake and of hepgen.
	Heplake, Generator string
	// Duration goes over the paced scenarios' own when it is not 0.
	Duration time.Duration
}

// drainTimeout bounds the wait for what was received to be stored.
const drainTimeout = 3 * time.Minute

// Heplake runs the scenario against a heplake of its own.
func Heplake(ctx context.Context, o Options, s Scenario) (*Result, error) {
	h, err := startHeplake(ctx, o.Heplake)
	if err != nil {
		return nil, err
	}
	return run(ctx, o, s, h)
}

// Other runs the scenario against a peer.
func Other(ctx context.Context, o Options, s Scenario, p Peer) (*Result, error) {
	srv, err := startPeer(ctx, p)
	if err != nil {
		return nil, err
	}
	return run(ctx, o, s, srv)
}

func run(ctx context.Context, o Options, s Scenario, srv server) (r *Result, err error) {
	defer func() { err = errors.Join(err, srv.stop()) }()
	if o.Duration > 0 && s.Rate > 0 {
		s.Duration = o.Duration
	}
	r = &Result{Date: time.Now(), Commit: commit(), Machine: thisMachine(), Server: srv.name(), Scenario: s}
	processes := srv.processes()
	before := make([]time.Duration, len(processes))
	for i, p := range processes {
		if before[i], err = cpuTime(p.pid); err != nil {
			return nil, fmt.Errorf("CPU time of %s: %w", p.name, err)
		}
	}
	drops := kernelDrops(portOf(srv.address("udp")))

	began := time.Now()
	if err := generate(ctx, o, s, srv.address(s.Proto), r); err != nil {
		return nil, err
	}
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := srv.drained(drain); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()

	sent := r.Sent.Counts.Packets
	for i, p := range processes {
		after, err := cpuTime(p.pid)
		if err != nil {
			return nil, fmt.Errorf("%s has ended: %w", p.name, err)
		}
		r.Processes = append(r.Processes, Process{Name: p.name, CPUMicros: float64((after - before[i]).Microseconds()) / float64(max(1, sent)), PeakMemory: peakMemory(p.pid)})
	}
	r.KernelDrops = kernelDrops(portOf(srv.address("udp"))) - drops
	if err := srv.outcome(ctx, r); err != nil {
		return nil, err
	}
	if r.Stored != nil {
		lost, rate := int64(sent)-int64(*r.Stored), float64(*r.Stored)/r.Seconds
		r.Lost, r.StoredPerSecond = &lost, &rate
	}
	return r, nil
}

// generate runs the generator to its end.
func generate(ctx context.Context, o Options, s Scenario, to string, r *Result) error {
	cmd := exec.CommandContext(ctx, o.Generator, s.generatorArgs(to)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	var report struct {
		gen.Sent
		CPUMicros float64 `json:"cpu_us_per_packet"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("generator: %w", err)
	}
	r.Sent, r.GeneratorCPUMicros = report.Sent, report.CPUMicros
	return nil
}
