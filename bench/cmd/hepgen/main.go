// Command hepgen sends HEP traffic to a collector, for load tests: realistic
// dialogs, the same for the same seed. At the end it prints, as JSON, exactly
// what it has sent.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/heplake/heplake/bench/gen"
)

// nominalRate stands for the rate of traffic that is sent as fast as it goes:
// delays within dialogs refer to it.
const nominalRate = 50_000

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hepgen:", err)
		os.Exit(1)
	}
}

// report is what hepgen prints.
type report struct {
	gen.Sent
	// Calls are the calls sent whole, by the outcome that they must be stored with.
	Calls map[string]int `json:"calls"`
	Seed  uint64         `json:"seed"`
	Mix   string         `json:"mix"`
	// CPUMicros is the sender's own CPU time for a packet, in µs.
	CPUMicros float64 `json:"cpu_us_per_packet"`
}

func run() error {
	to := flag.String("to", "127.0.0.1:9060", "collector, `host:port`")
	proto := flag.String("proto", "udp", "udp or tcp")
	rate := flag.Float64("rate", 1000, "packets a second, 0 for as fast as they go")
	duration := flag.Duration("duration", 10*time.Second, "how long to send at the rate")
	count := flag.Int("count", 0, "packets to send, instead of a duration")
	seed := flag.Uint64("seed", 1, "chooses the traffic")
	mixFlag := flag.String("mix", gen.DefaultMix.String(), "weights of the dialogs, percentage of calls over a B2BUA, RTCP reports of a call")
	agents := flag.Int("agents", 4, "capture agents")
	conns := flag.Int("conns", 0, "sockets, 0 for one for each eight agents and 64 at most")
	alone := flag.Bool("alone", false, "hand each datagram to the kernel by itself: slower")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}

	mix, err := gen.ParseMix(*mixFlag)
	if err != nil {
		return err
	}
	cfg := gen.Config{Seed: *seed, Packets: *count, Rate: *rate, Mix: mix, Agents: *agents}
	if cfg.Rate == 0 {
		cfg.Rate = nominalRate
		if *count == 0 {
			return fmt.Errorf("rate 0 needs count: how many packets to send")
		}
	}
	if *count == 0 {
		cfg.Packets = int(*rate * duration.Seconds())
	}
	if *conns == 0 {
		*conns = min((*agents+7)/8, 64)
	}
	g, err := gen.New(cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	before := cpuTime()
	sent, err := gen.Send(ctx, g, gen.SendConfig{To: *to, Proto: *proto, Conns: *conns, Rate: *rate, Alone: *alone})
	if err != nil {
		return err
	}
	r := report{Sent: sent, Calls: sent.Counts.Calls(), Seed: *seed, Mix: mix.String()}
	if sent.Counts.Packets > 0 {
		r.CPUMicros = float64((cpuTime() - before).Microseconds()) / float64(sent.Counts.Packets)
	}
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// cpuTime is the time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
