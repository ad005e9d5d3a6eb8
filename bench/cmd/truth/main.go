// Command truth makes traffic of which everything is known, writes or sends it,
// and compares what a heplake made of it with what happened.
//
//	truth -o /tmp/corpus                                      packets and truth as files
//	truth -to 127.0.0.1:9060 -db http://u:p@127.0.0.1:8123/heplake   send, wait, compare
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/heplake/heplake/bench/truth"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg := truth.Config{}
	flag.Uint64Var(&cfg.Seed, "seed", 1, "chooses the traffic")
	flag.IntVar(&cfg.Calls, "calls", 500, "calls")
	flag.IntVar(&cfg.Registrations, "registrations", 100, "phones that register")
	flag.DurationVar(&cfg.Gap, "gap", 200*time.Millisecond, "mean time from one call to the next")
	flag.DurationVar(&cfg.Skew, "skew", 5*time.Millisecond, "how far the agents' clocks are off at most")
	flag.Float64Var(&cfg.Lossy, "lossy", 0, "share of calls of which one report is lost")
	flag.Float64Var(&cfg.Duplicates, "duplicates", 0, "share of packets that are sent twice")
	flag.Float64Var(&cfg.Late, "late", 0, "share of packets that arrive up to a minute late")
	start := flag.String("start", "", "`time` of the first call, as 2006-01-02T15:04:05Z; default so that the last one ended five minutes ago")
	only := flag.String("only", "", "scenarios to play, by the beginnings of their `names`, joined by commas")
	list := flag.Bool("list", false, "print the scenarios")
	out := flag.String("o", "", "write `PREFIX`.hep and PREFIX.json")
	to := flag.String("to", "", "send to a collector, `host:port`")
	proto := flag.String("proto", "tcp", "tcp or udp")
	rate := flag.Float64("rate", 5000, "packets a second, 0 for as fast as they go")
	db := flag.String("db", "", "compare with the calls in a database, `http://user:password@host:port/database`")
	wait := flag.Duration("wait", 30*time.Second, "how long to wait until they are equal")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if *list {
		fmt.Println(strings.Join(truth.Scenarios(), "\n"))
		return nil
	}
	if *only != "" {
		cfg.Only = strings.Split(*only, ",")
	}
	if *start == "" {
		span := time.Duration(cfg.Calls+cfg.Registrations)*cfg.Gap*3/2 + 5*time.Minute
		cfg.Start = time.Now().Add(-span).Truncate(time.Second)
	} else {
		t, err := time.Parse(time.RFC3339, *start)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		cfg.Start = t
	}
	c, err := truth.New(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("%d packets of %d calls and %d registrations\n", len(c.Packets), len(c.Calls), len(c.Registrations))
	if *out != "" {
		if err := errors.Join(write(*out+".hep", c.WriteHEP), write(*out+".json", c.WriteTruth)); err != nil {
			return err
		}
	}
	if *to != "" {
		if err := c.Send(*proto, *to, *rate); err != nil {
			return err
		}
	}
	if *db == "" {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return compare(ctx, c, *db, *wait)
}

func write(name string, to func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(to(f), f.Close())
}

// compare waits until what is stored is the truth.
func compare(ctx context.Context, c *truth.Corpus, db string, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		differences, err := differences(ctx, c, db)
		switch {
		case err != nil:
			return err
		case len(differences) == 0:
			fmt.Println("calls and registrations are as they were")
			return nil
		case time.Now().After(deadline) || ctx.Err() != nil:
			fmt.Println(strings.Join(differences, "\n"))
			return fmt.Errorf("%d differences", len(differences))
		}
		time.Sleep(time.Second)
	}
}

func differences(ctx context.Context, c *truth.Corpus, db string) ([]string, error) {
	calls, err := c.StoredCalls(ctx, db)
	if err != nil {
		return nil, err
	}
	registrations, err := c.StoredRegistrations(ctx, db)
	if err != nil {
		return nil, err
	}
	return append(c.CompareCalls(calls), c.CompareRegistrations(registrations)...), nil
}
