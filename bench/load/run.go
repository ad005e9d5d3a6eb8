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
	// Duration goes over the paced scenarios' own when it is not 0, and Outage over
	// how long ClickHouse is away.
	Duration, Outage time.Duration
}

// drainTimeout bounds the wait for what was received to be stored.
const drainTimeout = 3 * time.Minute

// Heplake runs the scenario against a heplake of its own.
func Heplake(ctx context.Context, o Options, s Scenario) (*Result, error) {
	start := func(ctx context.Context, binary string) (*heplake, error) { return startHeplake(ctx, binary, s.Kept) }
	if s.Outage > 0 {
		start = startApart
	}
	h, err := start(ctx, o.Heplake)
	if err != nil {
		return nil, err
	}
	return run(ctx, o, s, h)
}

// Other runs the scenario against a peer.
func Other(ctx context.Context, o Options, s Scenario, p Peer) (*Result, error) {
	if s.disturbed() {
		return nil, fmt.Errorf("%s: what happens in it is made for heplake", s.Name)
	}
	srv, err := startPeer(ctx, p)
	if err != nil {
		return nil, err
	}
	return run(ctx, o, s, srv)
}

func run(ctx context.Context, o Options, s Scenario, srv server) (r *Result, err error) {
	defer func() { err = errors.Join(err, srv.stop()) }()
	s = s.within(o)
	r = &Result{Date: time.Now(), Commit: Commit(), Machine: ThisMachine(), Server: srv.name(), Scenario: s}
	before := map[int]time.Duration{}
	for _, p := range srv.processes() {
		if before[p.pid], err = cpuTime(p.pid); err != nil {
			return nil, fmt.Errorf("CPU time of %s: %w", p.name, err)
		}
	}
	drops := kernelDrops(portOf(srv.address("udp")))

	began := time.Now()
	disturbed := make(chan error, 1)
	go func() { disturbed <- disturb(ctx, s, srv, r) }()
	err = generate(ctx, o, s, srv.address(s.Proto), r)
	if err := errors.Join(err, <-disturbed); err != nil {
		return nil, err
	}
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := srv.drained(drain); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(began).Seconds()

	sent := r.Sent.Counts.Packets
	for _, p := range srv.processes() {
		after, err := cpuTime(p.pid)
		if err != nil {
			return nil, fmt.Errorf("%s has ended: %w", p.name, err)
		}
		// One that is new has done all its work for this run, such as a database's
		// process for a connection.
		r.Processes = append(r.Processes, Process{Name: p.name, CPUMicros: float64((after - before[p.pid]).Microseconds()) / float64(max(1, sent)), PeakMemory: peakMemory(p.pid)})
	}
	if !s.Restart { // the sockets are others
		r.KernelDrops = kernelDrops(portOf(srv.address("udp"))) - drops
	}
	if err := srv.outcome(ctx, r); err != nil {
		return nil, err
	}
	if r.Stored != nil {
		lost, rate := int64(sent)-int64(*r.Stored), float64(*r.Stored)/r.Seconds
		r.Lost, r.StoredPerSecond = &lost, &rate
		if s.Restart {
			nobody := lost
			for _, n := range r.Dropped {
				nobody -= int64(n)
			}
			r.MetNobody = &nobody
		}
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
