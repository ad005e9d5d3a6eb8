// Command latency measures how long the API's answers take over 30 days of
// messages. See bench/README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/heplake/heplake/bench/latency"
	"github.com/heplake/heplake/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	binary := flag.String("heplake", "bin/heplake", "the binary to measure")
	data := flag.String("data", "data/latency", "data `folder`: made when it is not there, else taken as it is")
	messages := flag.Uint64("messages", 30_000_000, "how many messages there are to be at least")
	rounds := flag.Int("rounds", 20, "how often each question is asked")
	only := flag.String("only", "", "ask only the questions whose names have one of these `texts`, separated by commas")
	results := flag.String("results", "bench/results", "folder for the result; empty writes none")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", strings.Join(flag.Args(), " "))
	}
	if *rounds < 1 || *messages < 1 {
		return fmt.Errorf("rounds and messages must be 1 at least")
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	if err := os.Setenv("HEPLAKE_TRUNKS", latency.Trunks); err != nil {
		return err
	}
	s, err := load.Serve(ctx, *binary, *data)
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := latency.Fill(ctx, s, *messages, slog.Default()); err != nil {
		return fmt.Errorf("fill %s: %w", *data, err)
	}
	var words []string
	if *only != "" {
		words = strings.Split(*only, ",")
	}
	r, err := latency.Measure(ctx, s, *rounds, words)
	if err != nil {
		return err
	}
	fmt.Print(r.Table())
	if *results != "" {
		_, err = r.Save(*results)
	}
	return err
}
