package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/cli"
)

// envAPI is the environment variable behind --api.
const envAPI = "HEPLAKE_API"

const defaultAPI = "http://127.0.0.1:9080"

// reader holds the flags that every reading command has.
type reader struct {
	api     string
	zone    string
	timeout time.Duration
}

func (r *reader) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.api, "api", cmp.Or(os.Getenv(envAPI), defaultAPI), "URL of the API (environment: "+envAPI+")")
	f.StringVar(&r.zone, "tz", "", "time zone of what is read and shown, such as UTC or Europe/Berlin (default: the system's)")
	f.DurationVar(&r.timeout, "timeout", time.Minute, "how long to wait for the answer")
}

// open makes the client, and finds out what the output can show.
func (r *reader) open(cmd *cobra.Command) (*cli.Client, cli.Display, error) {
	zone, err := cli.Zone(r.zone)
	if err != nil {
		return nil, cli.Display{}, err
	}
	client, err := cli.NewClient(r.api, r.timeout)
	if err != nil {
		return nil, cli.Display{}, err
	}
	d := cli.NewDisplay(os.Stdout, os.Stderr, os.Getenv, zone)
	if out := cmd.OutOrStdout(); out != io.Writer(os.Stdout) {
		d.Out, d.Width, d.Color = out, 0, false
	}
	return client, d, nil
}

// found turns the client's "nothing found" into this program's.
func found(err error) error {
	if errors.Is(err, cli.ErrNotFound) {
		return fmt.Errorf("%w: %w", errNotFound, err)
	}
	return err
}

func newSearch() *cobra.Command {
	r := &reader{}
	var o cli.SearchOptions
	cmd := &cobra.Command{
		Use:   "search [FILTER...]",
		Short: "Find calls, newest first",
		Long: `Find calls, newest first. FILTER is field op value, joined by and, or, not and
parentheses; the ops are = != < > <= >= like ~ in, of which the shell wants <, >,
~ and parentheses in quotes: best the whole filter. Fields are those of the
messages (from_user, to_user, ruri_user, method, status, src_ip, user_agent,
call_id, raw, …) and of the call (outcome, duration_s, pdd_ms, mos_min, …).

--since and --until take a length of time (90s, 1h30m, 7d, now-1h, 2d ago), a
day (today, yesterday, 2026-11-20, 20.11.2026), a time of day (14:30, the last
one), both (2026-11-20 14:30), RFC 3339 or a Unix time. They are read, and times
are shown, in the zone of --tz.

With --live it goes on, the newest at the bottom: a call has a line when it
appears and when its state changes. -o json then writes a call on each line.

Exit code 0: found; 3: nothing found; 1: an error, told on one line.`,
		Example: `  heplake search method = INVITE and outcome = failed
  heplake search 'from_user like "4930%" and status >= 500 and src_ip in 10.0.0.0/8'
  heplake search 'method = INVITE and outcome = failed' --since 24h
  heplake search 'to_user = 12345' --since today -o csv > calls.csv
  heplake search 'status >= 500' --since 14:30 --until 15:00 --tz Europe/Berlin
  heplake search --live 'src_ip in 10.0.0.0/8'`,
		ValidArgsFunction: completeFilter,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var d cli.Display
			if o.Client, d, err = r.open(cmd); err != nil {
				return err
			}
			o.Filter = cli.JoinFilter(args)
			if o.Live && !cmd.Flags().Changed("since") {
				o.Since = "1m"
			}
			return found(cli.Search(cmd.Context(), d, o))
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Since, "since", "1h", "begin: 90s, 1h, 7d ago, today, yesterday, or a time")
	f.StringVar(&o.Until, "until", "", "end, likewise (default: now)")
	f.IntVar(&o.Limit, "limit", 50, "how many calls at most")
	f.BoolVar(&o.Live, "live", false, "go on: show calls as they appear and change, until Ctrl-C (with --since 1m if not said)")
	f.StringVarP(&o.Format, "output", "o", "table", "table, json or csv")
	readCompletions(cmd, "table", "json", "csv")
	return cmd
}

func newFlow() *cobra.Command {
	r := &reader{}
	var o cli.FlowOptions
	var width int
	cmd := &cobra.Command{
		Use:   "flow CALL-ID",
		Short: "Draw a call's ladder, all its legs",
		Long: `Draw the ladder of a call: every message of every leg in order, whichever leg's
Call-ID is given. A correlation id will do as well.

With --follow it goes on: messages appear as they come, until the call is over.
A call that is not there yet is waited for.
-o json then writes a message on each line, and the call on the last.

Exit code 0: found; 3: nothing found; 1: an error, told on one line.`,
		Example: `  heplake flow 3848276298220188511@atlanta.example.com
  heplake flow 1-16637@127.0.0.1 --raw | less -R
  heplake flow 1-16637@127.0.0.1 -o svg > call.svg
  heplake flow 1-16637@127.0.0.1 --follow`,
		Args:              oneCallID,
		ValidArgsFunction: r.completeCallID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var d cli.Display
			if o.Client, d, err = r.open(cmd); err != nil {
				return err
			}
			if width > 0 {
				d.Width = width
			}
			o.CallID = args[0]
			return found(cli.Flow(cmd.Context(), d, o))
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.Format, "output", "o", "text", "text, json or svg")
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on: show messages as they come, until the call is over or Ctrl-C")
	f.BoolVar(&o.Raw, "raw", false, "show each message whole below its row (text)")
	f.StringVar(&o.Time, "time", "delta", "delta, absolute or offset: what the time column shows")
	f.StringVar(&o.Theme, "theme", "auto", "auto, light or dark (svg)")
	f.IntVar(&width, "width", 0, "width in columns (default: the terminal's)")
	readCompletions(cmd, "text", "json", "svg")
	return cmd
}

func newQuality() *cobra.Command {
	r := &reader{}
	var o cli.QualityOptions
	cmd := &cobra.Command{
		Use:   "quality CALL-ID",
		Short: "Show a call's media quality",
		Long: `Show what was reported of a call's media, by stream: loss, jitter, round-trip
time and MOS, with their course as small graphs.`,
		Example: `  heplake quality c5b45d0d88c546cc
  heplake quality c5b45d0d88c546cc -o json | jq .mos`,
		Args:              oneCallID,
		ValidArgsFunction: r.completeCallID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var d cli.Display
			if o.Client, d, err = r.open(cmd); err != nil {
				return err
			}
			o.CallID = args[0]
			return found(cli.Quality(cmd.Context(), d, o))
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVarP(&o.Format, "output", "o", "text", "text or json")
	readCompletions(cmd, "text", "json")
	return cmd
}

func oneCallID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one Call-ID, not %d: heplake %s CALL-ID (heplake search finds them)", cmd.Name(), len(args), cmd.Name())
	}
	return nil
}
