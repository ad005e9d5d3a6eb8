package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query/export"
)

func newExport() *cobra.Command {
	r := &reader{}
	var o cli.ExportOptions
	cmd := &cobra.Command{
		Use:   "export CALL-ID | --search FILTER",
		Short: "Write calls as pcap, pcapng, text, JSON, SIPp scenario, SVG or HTML",
		Long: `Write a call, all its legs, for other programs and other people; or with --search
all calls that match.

  pcap, pcapng  packets for Wireshark and sngrep; pcapng names node and leg of each
                and holds log lines as comments
  text          the ladder, and below it every message
  json          a document for each call, messages decoded and raw
  sipp          a tar archive: a pair of SIPp scenarios of the leg's first hop, and
                run.sh that plays them against each other or a real system
  svg, html     the ladder as a picture; as a page in which rows lead to messages

Without --format the name of the file decides, else it is pcap. A folder (-w DIR/)
gets a file for each call.

With --anonymise users, numbers, domains, addresses, names, ids and credentials
have pseudonyms, and texts are blanked; the call keeps its shape. The same --key
gives the same pseudonyms in every export.

Exit code 0: written; 3: nothing found; 1: an error, told on one line.`,
		Example: `  heplake export 1-16637@127.0.0.1 -w call.pcapng
  heplake export 1-16637@127.0.0.1 --format pcap | tshark -r -
  heplake export 1-16637@127.0.0.1 --format html --anonymise -w call.html
  heplake export 1-16637@127.0.0.1 --format sipp | tar x
  heplake export --search 'outcome = failed' --since 24h -w failed.pcapng
  heplake export --search 'from_user like "4930%"' --since today --format text -w calls/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("one Call-ID at a time; --search FILTER exports several calls")
			}
			return nil
		},
		ValidArgsFunction: r.completeCallID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var d cli.Display
			if o.Client, d, err = r.open(cmd); err != nil {
				return err
			}
			if len(args) == 1 {
				o.CallID = args[0]
			}
			if r.zone != "" { // files go to other places: they are in UTC unless said
				o.Zone = d.Zone
			}
			o.Search = cmd.Flags().Changed("search")
			return found(cli.Export(cmd.Context(), d, o))
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Format, "format", "", "pcap, pcapng, text, json, sipp, svg or html (default: by the file's name, else pcap)")
	f.StringVarP(&o.File, "write", "w", "", "file to write, or folder (default: standard output)")
	f.StringVar(&o.Filter, "search", "", "export all calls that match this filter")
	f.StringVar(&o.Since, "since", "1h", "with --search, begin: 90s, 1h, 7d ago, today, yesterday, or a time")
	f.StringVar(&o.Until, "until", "", "with --search, end, likewise (default: now)")
	f.IntVar(&o.Limit, "limit", 100, "with --search, how many calls at most (1000 in one file)")
	f.BoolVar(&o.Anonymise, "anonymise", false, "pseudonyms instead of everything that is somebody's")
	f.StringVar(&o.Key, "key", "", "with --anonymise, the same key gives the same pseudonyms (default: a random one)")
	f.StringVar(&o.Leg, "leg", "", "sipp: the leg to play, by its letter or Call-ID (default: the first)")
	f.DurationVar(&o.MaxPause, "max-pause", export.DefaultMaxPause, "sipp: the longest pause between two messages")
	readCompletions(cmd)
	completeFlags(cmd, map[string]cobra.CompletionFunc{
		"format": words(export.FormatNames(false)...),
		"leg":    words("A", "B", "C"),
		"search": func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return completeFilter(cmd, nil, toComplete)
		},
		"max-pause": words("1s", "10s", "1m"),
	})
	_ = cmd.MarkFlagFilename("write") // it is there
	return cmd
}
