package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/internal/tui"
)

func newTUI() *cobra.Command {
	r := &reader{}
	var o tui.Options
	cmd := &cobra.Command{
		Use:   "tui [FILTER...]",
		Short: "Search, ladders and messages by keyboard, on the whole terminal",
		Long: `Search calls and look at their ladders and messages on the whole terminal, by
keyboard. F1 tells the keys; where sngrep has a key for the same, it is that.
The list is live: new calls appear by themselves.`,
		Example: `  heplake tui
  heplake tui 'from_user like "4930%" and status >= 500' --since 24h
  heplake tui --api http://voip.example.net:9080 --tz UTC`,
		ValidArgsFunction: completeFilter,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd())) {
				return errors.New("tui needs a terminal; search and flow write to files and pipes")
			}
			if o.Client, o.Display, err = r.open(cmd); err != nil {
				return err
			}
			o.Address = strings.TrimPrefix(strings.TrimPrefix(r.api, "http://"), "https://")
			o.Filter = cli.JoinFilter(args)
			return tui.Run(cmd.Context(), os.Stdin, os.Stdout, o)
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Since, "since", "1h", "begin: 90s, 1h, 7d ago, today, yesterday, or a time")
	f.StringVar(&o.Until, "until", "", "end, likewise (default: now, and new calls appear)")
	f.IntVar(&o.Limit, "limit", 500, "how many calls at most")
	f.BoolVar(&o.Paused, "paused", false, "ask for new calls on demand alone")
	readCompletions(cmd)
	return cmd
}
