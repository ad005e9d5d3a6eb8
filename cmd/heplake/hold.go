package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/user"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
)

func newHold(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hold",
		Short: "Keep calls or a tenant's rows whatever retention says: legal holds",
		Long: `A hold keeps the rows of a call, all its legs, media reports and logs, or
everything of a tenant: no retention, no rule and no full disk deletes them. A
hold that is over stays on record.`,
		Example: `  heplake hold list`,
	}
	cmd.AddCommand(newHoldAdd(g), newHoldList(g), newHoldRemove(g))
	return cmd
}

func newHoldAdd(g *global) *cobra.Command {
	var h retention.Hold
	var until string
	cmd := &cobra.Command{
		Use:   "add [CALL-ID] --reason TEXT",
		Short: "Place a hold",
		Example: `  heplake hold add 3c26700a9a4d@10.0.0.1 --reason "case 2026-117"
  heplake hold add --tenant acme --reason audit --until 2027-06-30`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				h.CallID = args[0]
			}
			if h.CallID == "" && h.Tenant == "" {
				return errors.New("a hold is on a Call-ID, on a tenant (--tenant), or on a tenant's Call-ID")
			}
			if h.Reason == "" {
				return errors.New("a hold says why: --reason")
			}
			var err error
			if h.Until, err = parseUntil(until); err != nil {
				return err
			}
			return withDatabase(cmd.Context(), g, openRunning, func(c config.Config, db *database, conn driver.Conn) error {
				return addHold(cmd.Context(), cmd.OutOrStdout(), c, db, conn, h)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&h.Tenant, "tenant", "", "tenant whose rows are held; with a Call-ID: only that tenant's")
	f.StringVar(&h.Reason, "reason", "", "why")
	f.StringVar(&h.Who, "who", currentUser(), "who places it")
	f.StringVar(&until, "until", "", "day, or time such as 2027-06-30T00:00:00Z, at which it ends by itself (default: when it is removed)")
	return cmd
}

// addHold places a hold and says what there is of it now.
func addHold(ctx context.Context, out io.Writer, c config.Config, db *database, conn driver.Conn, h retention.Hold) error {
	o := schemaOptions(c, db)
	nodes, stop, err := connectNodes(c, db)
	if err != nil {
		return err
	}
	defer stop()
	h, err = retention.AddHold(ctx, conn, o, h, nodes...)
	if err != nil {
		return err
	}
	rows, err := retention.HeldRows(ctx, conn, o, h)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "hold %s is in place\n", h.ID)
	var all uint64
	for _, r := range rows {
		all += r.Rows
		if r.Rows > 0 {
			fmt.Fprintf(out, "  %s: %s\n", r.Table, count(int(r.Rows), "row"))
		}
	}
	if all == 0 {
		fmt.Fprintln(out, "  there are no such rows now; it is for those that come, and for days that are restored")
	}
	return nil
}

func newHoldList(g *global) *cobra.Command {
	var all bool
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List holds, newest first",
		Example: `  heplake hold list
  heplake hold list --all -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("-o takes table or json, not %q", output)
			}
			return withDatabase(cmd.Context(), g, openRunning, func(c config.Config, db *database, conn driver.Conn) error {
				holds, err := retention.ReadHolds(cmd.Context(), conn, schemaOptions(c, db))
				if err != nil {
					return err
				}
				return writeHolds(cmd.OutOrStdout(), holds, all, output)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those that are over, too")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// holdEntry is a hold as it is listed.
type holdEntry struct {
	ID        string     `json:"id"`
	Placed    time.Time  `json:"placed"`
	Tenant    string     `json:"tenant,omitempty"`
	CallID    string     `json:"call_id,omitempty"`
	Reason    string     `json:"reason"`
	Who       string     `json:"who"`
	Until     *time.Time `json:"until,omitempty"`
	Removed   *time.Time `json:"removed,omitempty"`
	RemovedBy string     `json:"removed_by,omitempty"`
	Active    bool       `json:"active"`
}

func writeHolds(out io.Writer, holds []retention.Hold, all bool, output string) error {
	entries := []holdEntry{}
	for _, h := range holds {
		e := holdEntry{ID: h.ID, Placed: h.Placed, Tenant: h.Tenant, CallID: h.CallID, Reason: h.Reason, Who: h.Who, RemovedBy: h.RemovedBy, Active: h.Active(time.Now())}
		if !h.Until.IsZero() {
			e.Until = &h.Until
		}
		if !h.Removed.IsZero() {
			e.Removed = &h.Removed
		}
		if e.Active || all {
			entries = append(entries, e)
		}
	}
	if output == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(entries)
	}
	if len(entries) == 0 {
		return fmt.Errorf("%w: no hold is in place", errNotFound)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOLD\tPLACED\tBY\tTENANT\tCALL-ID\tUNTIL\tREASON")
	for _, e := range entries {
		var until string
		switch {
		case e.Removed != nil:
			until = "removed " + e.Removed.Format(time.DateOnly) + " by " + e.RemovedBy
		case e.Until != nil:
			until = e.Until.Format(time.RFC3339)
		default:
			until = "it is removed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Placed.Format(time.DateOnly), e.Who, e.Tenant, e.CallID, until, e.Reason)
	}
	return w.Flush()
}

func newHoldRemove(g *global) *cobra.Command {
	var who string
	cmd := &cobra.Command{
		Use:     "remove HOLD",
		Short:   "End a hold: what only it kept is deleted within minutes",
		Example: `  heplake hold remove 7f3a9c21`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDatabase(cmd.Context(), g, openRunning, func(c config.Config, db *database, conn driver.Conn) error {
				h, err := retention.RemoveHold(cmd.Context(), conn, schemaOptions(c, db), args[0], who)
				if errors.Is(err, retention.ErrNoHold) {
					return fmt.Errorf("%w: no hold %s is in place", errNotFound, args[0])
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "hold %s is over; it was placed %s\n", h.ID, humanize.Time(h.Placed))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&who, "who", currentUser(), "who removes it")
	return cmd
}

// parseUntil reads a day, which ends with it, or a time.
func parseUntil(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fmt.Errorf("--until takes a day such as 2027-06-30 or a time such as 2027-06-30T12:00:00Z, not %q", s)
	}
	return t, nil
}

// currentUser is who runs this, for the record.
func currentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
