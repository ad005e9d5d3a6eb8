package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/export"
)

func newExport() *cobra.Command {
	r := &reader{}
	var o cli.ExportOptions
	var rows cli.RowsOptions
	cmd := &cobra.Command{
		Use:   "export CALL-ID | --search FILTER | --table TABLE",
		Short: "Write calls as pcap, pcapng, text, JSON, SIPp scenario, SVG or HTML; tables as Parquet, Arrow or CSV",
		Long: `Write a call, all its legs, for other programs and other people; or with --search
all calls that match.

  pcap, pcapng  packets for Wireshark and sngrep; pcapng names node and leg of each
                and holds log lines as comments
  text          the ladder, and below it every message
  json          a document for each call, messages decoded and raw
  sipp          a tar archive: a pair of SIPp scenarios of the leg's first hop, and
                run.sh that plays them against each other or a real system
  svg, html     the ladder as a picture; as a page in which rows lead to messages

Rows of whole tables, as many as there are, go to other programs as

  parquet       one file, compressed, for DuckDB, pandas, Spark, ClickHouse
  arrow         a stream of Arrow's IPC format
  csv, jsonl    with names of columns; a JSON object a line

of calls, or what --table names: registrations, sip, media, events, messages,
failed_calls, call_quality, kpi_hourly, kpi_daily, registrations_hourly.

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
  heplake export --search 'from_user like "4930%"' --since today --format text -w calls/
  heplake export --since 30d -w calls.parquet
  heplake export --table sip --search 'status >= 500' --columns time,call_id,raw --since 7d -w errors.parquet
  heplake export --table kpi_hourly --format csv --since 90d`,
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
			if rows.Format = cli.RowFormat(o.Format, o.File, rows.Table); rows.Format != "" || rows.Table != "" {
				return found(exportRows(cmd, d, o, rows))
			}
			return found(cli.Export(cmd.Context(), d, o))
		},
	}
	r.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.Format, "format", "", "pcap, pcapng, text, json, sipp, svg, html; parquet, arrow, csv, jsonl (default: by the file's name, else pcap)")
	f.StringVar(&rows.Table, "table", "", "rows of this table or view instead of calls one by one (default with parquet, arrow, csv: calls)")
	f.StringSliceVar(&rows.Columns, "columns", nil, "with rows, the columns to write (default: all)")
	f.StringVarP(&o.File, "write", "w", "", "file to write, or folder (default: standard output)")
	f.StringVar(&o.Filter, "search", "", "export all calls that match this filter")
	f.StringVar(&o.Since, "since", "1h", "with --search, begin: 90s, 1h, 7d ago, today, yesterday, or a time")
	f.StringVar(&o.Until, "until", "", "with --search, end, likewise (default: now)")
	f.IntVar(&o.Limit, "limit", 100, "with --search, how many calls at most (1000 in one file); with rows, how many of them (default: all)")
	f.BoolVar(&o.Anonymise, "anonymise", false, "pseudonyms instead of everything that is somebody's")
	f.StringVar(&o.Key, "key", "", "with --anonymise, the same key gives the same pseudonyms (default: a random one)")
	f.StringVar(&o.Leg, "leg", "", "sipp: the leg to play, by its letter or Call-ID (default: the first)")
	f.DurationVar(&o.MaxPause, "max-pause", export.DefaultMaxPause, "sipp: the longest pause between two messages")
	readCompletions(cmd)
	completeFlags(cmd, map[string]cobra.CompletionFunc{
		"format": words(append(export.FormatNames(false), cli.RowFormats()...)...),
		"table":  words(query.BulkTables()...),
		"leg":    words("A", "B", "C"),
		"search": func(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return completeFilter(cmd, nil, toComplete)
		},
		"max-pause": words("1s", "10s", "1m"),
	})
	_ = cmd.MarkFlagFilename("write") // it is there
	return cmd
}

// exportRows writes rows of a table with what the flags of calls say of them, too.
func exportRows(cmd *cobra.Command, d cli.Display, o cli.ExportOptions, rows cli.RowsOptions) error {
	switch {
	case o.CallID != "":
		return errors.New("a Call-ID and rows of a table exclude each other; --search 'call_id = …' finds its rows")
	case rows.Format == "":
		return fmt.Errorf("rows of a table are written as %v: say --format, or call the file so", cli.RowFormats())
	case o.Anonymise:
		return errors.New("--anonymise is for calls, not for rows of tables")
	}
	rows.Client, rows.Filter, rows.Since, rows.Until, rows.File = o.Client, o.Filter, o.Since, o.Until, o.File
	if cmd.Flags().Changed("limit") {
		rows.Limit = o.Limit
	}
	return cli.Rows(cmd.Context(), d, rows)
}
