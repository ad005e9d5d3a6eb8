package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/archive"
	"github.com/heplake/heplake/internal/config"
)

var errNoArchive = errors.New("neither archive.dir nor archive.url is set: they name the folder, or the bucket, of the archive")

// openArchive opens the archive of the settings over the tables of a database.
func openArchive(c config.Config, db *database) (*archive.Archive, error) {
	if !c.Archive.On() {
		return nil, errNoArchive
	}
	return archive.Open(archive.Options{
		URL: db.owner, Database: db.name(), FileBytes: uint64(c.Archive.File), Dir: c.Archive.Dir,
		Residents: c.NoExport(), Bucket: c.Archive.URL, Key: c.Archive.Key, Secret: c.Archive.Secret, Local: filepath.Join(c.Data.Dir, "archive"),
	})
}

// withArchive calls a function with the archive of the settings and the database
// that is running, or is started for it.
func withArchive(ctx context.Context, g *global, do func(a *archive.Archive) error) (err error) {
	c, log, err := g.settings()
	if err != nil {
		return err
	}
	if !c.Archive.On() {
		return errNoArchive
	}
	db, err := openRunning(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, db.stop(stopping))
	}()
	a, err := openArchive(c, db)
	if err != nil {
		return err
	}
	defer a.Close()
	return do(a)
}

// archived are the tables that a --table names: all when it names none.
func archived(table string) ([]string, error) {
	all := archive.Tables()
	switch {
	case table == "":
		return all, nil
	case slices.Contains(all, table):
		return []string{table}, nil
	}
	return nil, fmt.Errorf("--table takes %s, not %q", strings.Join(all, ", "), table)
}

func newArchive(g *global) *cobra.Command {
	var table, day string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Put days into the archive: Parquet files from which every row can be restored",
		Long: `Write days of the tables as Parquet files below archive.dir or archive.url: all
that are over and not there yet, or the one of --day. What is there already is
compared, and what came late is added; a day may be archived as often as one
likes. Files are read back and compared with the table before they count.

With one of them set, heplake serve archives each day before retention deletes
rows of it. This command is for doing so earlier. Nothing is deleted by it.`,
		Example: `  heplake archive --dry-run
  heplake archive
  heplake archive --table sip --day 2026-11-20
  heplake archive list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tables, err := archived(table)
			if err != nil {
				return err
			}
			if day != "" {
				if _, err := archive.ParseDay(day); err != nil {
					return fmt.Errorf("--day: %w", err)
				}
			}
			return withArchive(cmd.Context(), g, func(a *archive.Archive) error {
				return archiveDays(cmd.Context(), cmd.OutOrStdout(), a, tables, day, dryRun)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&table, "table", "", "one table (default: "+strings.Join(archive.Tables(), ", ")+")")
	f.StringVar(&day, "day", "", "one day, such as 2026-11-20 (default: every day that is over)")
	f.BoolVar(&dryRun, "dry-run", false, "say which days would be written, and change nothing")
	completeFlags(cmd, map[string]cobra.CompletionFunc{"table": words(archive.Tables()...)})
	cmd.AddCommand(newArchiveList(g))
	return cmd
}

func archiveDays(ctx context.Context, out io.Writer, a *archive.Archive, tables []string, day string, dryRun bool) error {
	wrote := 0
	for _, t := range tables {
		days := []string{day}
		if day == "" {
			find := a.Over
			if dryRun {
				find = a.Pending
			}
			var err error
			if days, err = find(ctx, t, time.Now()); err != nil {
				return err
			}
		}
		for _, d := range days {
			if dryRun {
				fmt.Fprintf(out, "%s of %s would be archived\n", d, t)
				wrote++
				continue
			}
			r, err := a.Put(ctx, t, d)
			if err != nil {
				return err
			}
			if r.Files > 0 {
				fmt.Fprintf(out, "%s of %s: %s rows in %s, %s\n", d, t, humanize.Comma(int64(r.Rows)), count(r.Files, "file"), humanize.IBytes(uint64(r.Bytes)))
				wrote++
			}
		}
	}
	if wrote == 0 {
		fmt.Fprintln(out, "the archive has all of it")
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return humanize.Comma(int64(n)) + " " + what + "s"
}

// archiveEntry is a line of the list.
type archiveEntry struct {
	Table      string    `json:"table"`
	Day        string    `json:"day"`
	Generation int       `json:"generation"`
	Rows       uint64    `json:"rows"`
	Bytes      int64     `json:"bytes"`
	Files      int       `json:"files"`
	MinTime    time.Time `json:"min_time"`
	MaxTime    time.Time `json:"max_time"`
	Heplake    string    `json:"heplake"`
	Created    time.Time `json:"created"`
	// Restored tells whether the day was restored and stays for now, Until when
	// (empty: until it is given back).
	Restored bool   `json:"restored"`
	Until    string `json:"until,omitempty"`
	// Damage is what --verify found; empty when all is well.
	Damage string `json:"damage,omitempty"`
}

func newArchiveList(g *global) *cobra.Command {
	var table, output string
	var verify bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the days in the archive, and which of them are restored",
		Long: `List the days in the archive. With --verify every file is read and its SHA-256
compared with that of its manifest; the exit code is then 1 when one is damaged.`,
		Example: `  heplake archive list
  heplake archive list --table sip --verify`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := archived(table); err != nil {
				return err
			}
			if output != "table" && output != "json" {
				return fmt.Errorf("-o takes table or json, not %q", output)
			}
			return withArchive(cmd.Context(), g, func(a *archive.Archive) error {
				return listArchive(cmd.Context(), cmd.OutOrStdout(), a, table, output, verify)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&table, "table", "", "one table (default: all)")
	f.BoolVar(&verify, "verify", false, "read every file and compare its checksum")
	f.StringVarP(&output, "output", "o", "table", "table or json")
	completeFlags(cmd, map[string]cobra.CompletionFunc{"table": words(archive.Tables()...), "output": words("table", "json")})
	return cmd
}

func listArchive(ctx context.Context, out io.Writer, a *archive.Archive, table, output string, verify bool) error {
	found, err := a.List(ctx, table)
	if err != nil {
		return err
	}
	stays, err := a.Stays(ctx)
	if err != nil {
		return err
	}
	damaged := 0
	entries := []archiveEntry{}
	for _, m := range found {
		e := archiveEntry{Table: m.Table, Day: m.Day, Generation: m.Generation, Rows: m.Rows, Bytes: m.Bytes, Files: len(m.Files), MinTime: m.MinTime, MaxTime: m.MaxTime, Heplake: m.Heplake, Created: m.Created}
		for _, s := range stays {
			if e.Restored = e.Restored || s.Table == m.Table && s.Day == m.Day; e.Restored && s.Table == m.Table && s.Day == m.Day && !s.Until.IsZero() {
				e.Until = s.Until.Format(time.RFC3339)
			}
		}
		if verify {
			if err := m.Verify(ctx); errors.Is(err, archive.ErrDamaged) {
				damaged++
				e.Damage = err.Error()
			} else if err != nil {
				return err
			}
		}
		entries = append(entries, e)
	}
	if err := writeArchive(out, entries, output); err != nil {
		return err
	}
	switch {
	case damaged > 0:
		return fmt.Errorf("%s damaged", count(damaged, "generation"))
	case len(entries) == 0:
		return errNotFound
	}
	return nil
}

func writeArchive(out io.Writer, entries []archiveEntry, output string) error {
	if output == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(entries)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tDAY\tROWS\tFILES\tSIZE\tWRITTEN\tSTATE")
	for _, e := range entries {
		state := ""
		switch {
		case e.Damage != "":
			state = e.Damage
		case e.Restored && e.Until != "":
			state = "restored until " + e.Until
		case e.Restored:
			state = "restored"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", e.Table, e.Day, humanize.Comma(int64(e.Rows)), e.Files, humanize.IBytes(uint64(e.Bytes)), e.Created.Format(time.DateOnly), state)
	}
	return w.Flush()
}

// startArchive opens the archive that retention asks before it deletes, and keeps
// its metrics.
func (s *server) startArchive(ctx context.Context) error {
	if !s.c.Archive.On() {
		return nil
	}
	a, err := openArchive(s.c, s.db)
	if err != nil {
		return err
	}
	s.archive = a
	s.registry.MustRegister(a)
	s.onStop(func(context.Context) error { a.Close(); return nil })
	s.background(ctx, a.Run)
	return nil
}
