// Command load runs load scenarios against bin/heplake, and with --peer against
// another HEP server in turn. See bench/README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/heplake/heplake/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// settle is how long a peer may take to store what it holds, unless told.
const settle = 15 * time.Second

func run(ctx context.Context) error {
	var o load.Options
	var peer load.Peer
	flag.StringVar(&o.Heplake, "heplake", "bin/heplake", "the binary to measure")
	flag.StringVar(&o.Generator, "generator", "bin/hepgen", "the generator's binary")
	flag.DurationVar(&o.Duration, "duration", 0, "of paced scenarios, instead of their own")
	flag.DurationVar(&o.Outage, "outage", 0, "how long ClickHouse is away in scenario outage, instead of a minute")
	names := flag.String("scenarios", "short", "names separated by commas, short, or all")
	results := flag.String("results", "bench/results", "folder for the results; empty writes none")
	repeat := flag.Int("repeat", 1, "how often each scenario runs")
	flag.StringVar(&peer.Command, "peer", "", "`command line` of another HEP server to run the scenarios against in turn")
	flag.StringVar(&peer.Name, "peer-name", "peer", "what results call it")
	flag.IntVar(&peer.Port, "peer-port", 9060, "port on which it takes HEP")
	flag.StringVar(&peer.Count, "peer-count", "", "shell `command` that prints how many messages it has stored")
	flag.DurationVar(&peer.Settle, "peer-settle", settle, "how long it has to store what it holds")
	flag.Func("peer-pid", "`id` of a further process that works for it; may be repeated", func(s string) error {
		pid, err := strconv.Atoi(s)
		peer.PIDs = append(peer.PIDs, pid)
		return err
	})
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", strings.Join(flag.Args(), " "))
	}
	scenarios, err := load.Choose(*names)
	if err != nil {
		return err
	}
	for _, s := range scenarios {
		for range *repeat {
			ours, err := report(*results, func() (*load.Result, error) { return load.Heplake(ctx, o, s) })
			if err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			if peer.Command == "" {
				continue
			}
			theirs, err := report(*results, func() (*load.Result, error) { return load.Other(ctx, o, s, peer) })
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.Name, peer.Name, err)
			}
			fmt.Println(load.Compare(ours, theirs))
		}
	}
	return nil
}

// report runs, prints and keeps a result.
func report(dir string, run func() (*load.Result, error)) (*load.Result, error) {
	r, err := run()
	if err != nil {
		return nil, err
	}
	fmt.Println(r.Line())
	if dir != "" {
		_, err = r.Save(dir)
	}
	return r, err
}
