package main

import (
	"cmp"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/internal/top"
)

// envMetrics is the environment variable behind --metrics.
const envMetrics = "HEPLAKE_METRICS"

const defaultMetrics = "http://127.0.0.1:9090"

func newTop() *cobra.Command {
	var o top.Options
	var once bool
	var zoneName string
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch a running heplake: rates, losses, what waits, latencies, agents",
		Long: `Watch a running heplake by its metrics: what comes, is stored and is lost and
why, what waits, how long until it can be found, and who sends.

In the terminal: q quits, space pauses, s sorts the agents by another column,
up and down scroll them. Into a pipe, and with --once, it writes one page.`,
		Example: `  heplake top
  heplake top --metrics 10.0.0.5:9090 --interval 5s
  heplake top --once | grep kernel_buffer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Interval < 100*time.Millisecond {
				return errors.New("--interval takes 100ms or more")
			}
			zone, err := cli.Zone(zoneName)
			if err != nil {
				return err
			}
			d := cli.NewDisplay(os.Stdout, os.Stderr, os.Getenv, zone)
			o.Screen = top.Screen{Width: d.Width, Color: d.Color, ASCII: d.ASCII, Zone: zone}
			out := cmd.OutOrStdout()
			live := !once && out == io.Writer(os.Stdout) && term.IsTerminal(int(os.Stdout.Fd())) && term.IsTerminal(int(os.Stdin.Fd()))
			if !live {
				return top.Once(cmd.Context(), out, o)
			}
			return top.Run(cmd.Context(), os.Stdin, os.Stdout, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.URL, "metrics", cmp.Or(os.Getenv(envMetrics), defaultMetrics), "URL of the metrics (environment: "+envMetrics+")")
	f.DurationVar(&o.Interval, "interval", time.Second, "time between two looks, over which rates are taken")
	f.BoolVar(&once, "once", false, "write one page, after one interval, and end")
	f.StringVar(&zoneName, "tz", "", "time zone of the clock (default: the system's)")
	return cmd
}
