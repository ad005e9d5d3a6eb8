package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/archive"
)

// restoreOptions are the flags of heplake restore.
type restoreOptions struct {
	day, from, to, table, into string
	keep                       int
	giveBack                   bool
}

func newRestore(g *global) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore --day DAY | --from DAY --to DAY",
		Short: "Read days back out of the archive",
		Long: `Read days back out of the archive into their tables, where search, flow, SQL and
dashboards find them as before. Rows that are there are not added again, so that
the same command can be given any number of times, after a crash as well. Files
are checked first: a damaged one is refused and nothing changes.

A restored day is left alone by retention for --keep days, then it is deleted
again; the archive still has it. --give-back lets it go earlier. With --into the
rows go to a table beside, which retention does not know: drop it when done.`,
		Example: `  heplake restore --day 2026-05-04
  heplake restore --from 2026-05-01 --to 2026-05-31 --keep 7
  heplake restore --day 2026-05-04 --table sip --into sip_case_42
  heplake restore --day 2026-05-04 --give-back`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			days, err := o.days()
			if err != nil {
				return err
			}
			tables, err := archived(o.table)
			if err != nil {
				return err
			}
			switch {
			case o.into != "" && o.table == "":
				return errors.New("--into needs --table: the rows of which table")
			case o.into != "" && o.giveBack:
				return errors.New("--give-back is for days in their own tables: drop the other one")
			case o.keep < 0 || o.keep > 36500:
				return fmt.Errorf("--keep takes 0 to 36500 days, not %d", o.keep)
			}
			return withArchive(cmd.Context(), g, func(a *archive.Archive) error {
				if o.giveBack {
					return giveBack(cmd.Context(), cmd.OutOrStdout(), a, tables, days)
				}
				return restoreDays(cmd.Context(), cmd.OutOrStdout(), a, tables, days, o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.day, "day", "", "the day, such as 2026-05-04")
	f.StringVar(&o.from, "from", "", "the first of several days")
	f.StringVar(&o.to, "to", "", "the last of them")
	f.StringVar(&o.table, "table", "", "one table (default: all that are archived)")
	f.StringVar(&o.into, "into", "", "another table to put the rows of --table into; it is made when it is not there")
	f.IntVar(&o.keep, "keep", 30, "days for which retention leaves them alone, 0 for ever")
	f.BoolVar(&o.giveBack, "give-back", false, "let retention delete them again")
	completeFlags(cmd, map[string]cobra.CompletionFunc{"table": words(archive.Tables()...), "keep": words("7", "30", "90")})
	return cmd
}

// days are those that the flags name.
func (o restoreOptions) days() ([]string, error) {
	if (o.day == "") == (o.from == "" && o.to == "") || o.day == "" && (o.from == "" || o.to == "") {
		return nil, errors.New("say which days: --day DAY, or --from DAY --to DAY")
	}
	if o.day != "" {
		o.from, o.to = o.day, o.day
	}
	from, err := archive.ParseDay(o.from)
	if err != nil {
		return nil, err
	}
	to, err := archive.ParseDay(o.to)
	if err != nil {
		return nil, err
	}
	if to.Before(from) {
		return nil, fmt.Errorf("--to %s is before --from %s", o.to, o.from)
	}
	var out []string
	for ; !from.After(to); from = from.AddDate(0, 0, 1) {
		out = append(out, from.Format(time.DateOnly))
	}
	return out, nil
}

func restoreDays(ctx context.Context, out io.Writer, a *archive.Archive, tables, days []string, o restoreOptions) error {
	known := false
	for _, day := range days {
		// Tables of calls come last: they are found when their messages are there.
		for _, t := range tables {
			r, err := a.Restore(ctx, archive.RestoreRequest{Table: t, Day: day, Into: o.into, Stay: time.Duration(o.keep) * 24 * time.Hour})
			if err != nil {
				return err
			}
			if r.Archived == 0 {
				continue
			}
			known = true
			fmt.Fprintf(out, "%s of %s: %s rows restored, %s were there\n", day, r.Into, humanize.Comma(int64(r.Rows)), humanize.Comma(int64(r.Archived-r.Rows)))
		}
	}
	if !known {
		return fmt.Errorf("%w: the archive has none of these days; heplake archive list says which it has", errNotFound)
	}
	return nil
}

func giveBack(ctx context.Context, out io.Writer, a *archive.Archive, tables, days []string) error {
	found := false
	for _, day := range days {
		for _, t := range tables {
			gone, err := a.GiveBack(ctx, t, day)
			if err != nil {
				return err
			}
			if gone {
				found = true
				fmt.Fprintf(out, "%s of %s is retention's again\n", day, t)
			}
		}
	}
	if !found {
		return fmt.Errorf("%w: none of these days is restored", errNotFound)
	}
	return nil
}
