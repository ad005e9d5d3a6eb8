package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
	"github.com/heplake/heplake/schema"
)

func newRetention(g *global) *cobra.Command {
	var set []string
	var days int
	var output string
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Show what is kept, for how long, and how full the disk will be",
		Long: `Show what each table holds and how long it keeps it, and forecast the disk by
day from the last seven. With --set the retention is another one for the sake of
argument: what ClickHouse would drop now is listed and the forecast follows it.
Nothing is changed: the settings retention.* do that, at the next start.

Only whole parts are dropped, each when its newest row has expired.`,
		Example: `  heplake retention
  heplake retention --set sip=30,events=14     # a dry run
  heplake retention --days 60 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			c, log, err := g.settings()
			if err != nil {
				return err
			}
			change, err := parseChange(set)
			if err != nil {
				return err
			}
			if days < 1 || days > 3650 {
				return fmt.Errorf("--days takes 1 to 3650, not %d", days)
			}
			if output != "table" && output != "json" {
				return fmt.Errorf("-o takes table or json, not %q", output)
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
			conn, err := connect(db.owner, true)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			held, err := retention.Read(ctx, conn, schemaOptions(c, db))
			if err != nil {
				return err
			}
			r := newRetentionReport(held, change, days)
			if output == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(r)
			}
			return r.write(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&set, "set", nil, "retention to try, such as sip=30,media=14 (days, 0 for ever)")
	f.IntVar(&days, "days", 14, "days to forecast")
	f.StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// parseChange reads TABLE=DAYS.
func parseChange(set []string) (map[string]int, error) {
	change := map[string]int{}
	for _, s := range set {
		name, value, _ := strings.Cut(s, "=")
		n, err := strconv.Atoi(value)
		known := slices.ContainsFunc(schema.Tables(), func(t *schema.Table) bool { return t.Name == name })
		if err != nil || n < 0 || n > 36500 || !known {
			return nil, fmt.Errorf("--set takes TABLE=DAYS with a table of sip, media, events and 0 to 36500 days, not %q", s)
		}
		change[name] = n
	}
	return change, nil
}

// openRunning is the database of settings; the engine of a heplake that runs on
// the same data folder, when one does.
func openRunning(ctx context.Context, c config.Config, log *slog.Logger) (*database, error) {
	if err := singleNode(c); err != nil {
		return nil, err
	}
	if c.ClickHouse.URL == "" {
		var at struct {
			HTTP     string `json:"clickhouse_http"`
			User     string `json:"clickhouse_user"`
			Password string `json:"clickhouse_password"`
		}
		b, err := os.ReadFile(filepath.Join(c.Data.Dir, "addresses.json"))
		if err == nil && json.Unmarshal(b, &at) == nil && at.HTTP != "" {
			u := url.URL{Scheme: "http", User: url.UserPassword(at.User, at.Password), Host: at.HTTP, Path: "/" + schema.Database}
			d := &database{owner: u.String(), writer: u.String(), reader: u.String(), exporter: u.String()}
			if conn, err := connect(d.owner, true); err == nil {
				defer func() { _ = conn.Close() }()
				if conn.Ping(ctx) == nil {
					return d, nil
				}
			}
		}
	}
	return openDatabase(ctx, c, log)
}

// retentionReport is what the command prints.
type retentionReport struct {
	Time     time.Time           `json:"time"`
	Tables   []retentionTable    `json:"tables"`
	Drops    []retentionDrop     `json:"drops,omitempty"`
	Disks    []retentionDisk     `json:"disks"`
	Forecast []retentionForecast `json:"forecast"`
	// FullOn is the first forecast day on which the tables outgrow the disk.
	FullOn string `json:"full_on,omitempty"`
}

type retentionTable struct {
	Table    string  `json:"table"`
	Days     int     `json:"days"`
	TryDays  *int    `json:"try_days,omitempty"`
	Oldest   string  `json:"oldest,omitempty"`
	Rows     uint64  `json:"rows"`
	Bytes    uint64  `json:"bytes"`
	PerRow   float64 `json:"bytes_per_row"`
	PerDay   float64 `json:"bytes_per_day"`
	RowsADay float64 `json:"rows_per_day"`
}

type retentionDrop struct {
	Table string `json:"table"`
	Day   string `json:"day"`
	Rows  uint64 `json:"rows"`
	Bytes uint64 `json:"bytes"`
}

type retentionDisk struct {
	Disk  string `json:"disk"`
	Free  uint64 `json:"free"`
	Total uint64 `json:"total"`
}

type retentionForecast struct {
	Day   string  `json:"day"`
	Bytes float64 `json:"bytes"`
	// Try is the forecast with the retention that --set names.
	Try *float64 `json:"try_bytes,omitempty"`
}

func newRetentionReport(h *retention.Holdings, change map[string]int, days int) *retentionReport {
	r := &retentionReport{Time: h.Now, Disks: []retentionDisk{}}
	var now, free uint64
	for i := range h.Tables {
		t := &h.Tables[i]
		row := retentionTable{Table: t.Name, Days: t.Days, Rows: t.Rows(), Bytes: t.Bytes()}
		if d := t.Oldest(); !d.IsZero() {
			row.Oldest = d.Format(time.DateOnly)
		}
		if row.Rows > 0 {
			row.PerRow = float64(row.Bytes) / float64(row.Rows)
		}
		row.PerDay, row.RowsADay = t.Daily(h.Now)
		if d, ok := change[t.Name]; ok {
			row.TryDays = &d
			r.drops(h.Expired(t.Name, d))
		}
		now += row.Bytes
		r.Tables = append(r.Tables, row)
	}
	for i, d := range h.Disks {
		r.Disks = append(r.Disks, retentionDisk{d.Name, d.Free, d.Total})
		if i == 0 || d.Free < free {
			free = d.Free
		}
	}
	present, tried := h.Forecast(days, nil), h.Forecast(days, change)
	for i, d := range present {
		f := retentionForecast{Day: d.Day.Format(time.DateOnly), Bytes: d.Bytes}
		if len(change) > 0 {
			f.Try = &tried[i].Bytes
		}
		if r.FullOn == "" && tried[i].Bytes > float64(now)+float64(free) {
			r.FullOn = f.Day
		}
		r.Forecast = append(r.Forecast, f)
	}
	return r
}

// drops adds parts by table and day.
func (r *retentionReport) drops(parts []retention.Part) {
	byDay := map[string]*retentionDrop{}
	for _, p := range parts {
		day := p.Day.Format(time.DateOnly)
		if byDay[day] == nil {
			byDay[day] = &retentionDrop{Table: p.Table, Day: day}
		}
		byDay[day].Rows += p.Rows
		byDay[day].Bytes += p.Bytes
	}
	for _, day := range slices.Sorted(maps.Keys(byDay)) {
		r.Drops = append(r.Drops, *byDay[day])
	}
}

func (r *retentionReport) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "TABLE\tKEPT\tOLDEST\tROWS\tON DISK\tPER ROW\tA DAY\t")
	for _, t := range r.Tables {
		kept := keptFor(t.Days)
		if t.TryDays != nil {
			kept += " → " + keptFor(*t.TryDays)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.1f B\t%s\t\n", t.Table, kept, t.Oldest, humanize.Comma(int64(t.Rows)), humanize.IBytes(t.Bytes), t.PerRow, humanize.IBytes(uint64(t.PerDay)))
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "DISK\tFREE\tTOTAL\t\t\t\t\t")
	for _, d := range r.Disks {
		fmt.Fprintf(w, "%s\t%s\t%s\t\t\t\t\t\n", d.Disk, humanize.IBytes(d.Free), humanize.IBytes(d.Total))
	}
	tried := len(r.Forecast) > 0 && r.Forecast[0].Try != nil
	if tried {
		fmt.Fprintln(w, "\t\t\t\t\t\t\t")
		fmt.Fprintln(w, "WOULD GO NOW\tDAY\tROWS\tON DISK\t\t\t\t")
		for _, d := range r.Drops {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\t\t\t\n", d.Table, d.Day, humanize.Comma(int64(d.Rows)), humanize.IBytes(d.Bytes))
		}
		if len(r.Drops) == 0 {
			fmt.Fprintln(w, "nothing\t\t\t\t\t\t\t")
		}
	}
	fmt.Fprintln(w, "\t\t\t\t\t\t\t")
	fmt.Fprintln(w, "FORECAST\tAS IS\t"+map[bool]string{true: "WITH --set"}[tried]+"\t\t\t\t\t")
	for _, f := range r.Forecast {
		try := ""
		if f.Try != nil {
			try = humanize.IBytes(uint64(*f.Try))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t\t\t\t\t\n", f.Day, humanize.IBytes(uint64(f.Bytes)), try)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.FullOn != "" {
		fmt.Fprintf(out, "\nthe disk is full on %s\n", r.FullOn)
	}
	return nil
}

func keptFor(days int) string {
	if days == 0 {
		return "for ever"
	}
	return strconv.Itoa(days) + " d"
}

// startGuard watches over the disk: see retention.Guard.
func (s *server) startGuard(ctx context.Context) error {
	if s.c.Retention.MinFree == 0 {
		return nil
	}
	if s.c.ClickHouse.Cluster != "" {
		s.log.Info("retention.min_free is not looked after in a cluster: watch the nodes' disks")
		return nil
	}
	conn, err := connect(s.db.owner, true)
	if err != nil {
		return err
	}
	g := &retention.Guard{DB: conn, Schema: schemaOptions(s.c, s.db), MinFree: uint64(s.c.Retention.MinFree), Log: s.log}
	g.Register(s.registry)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx)
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-done
		return conn.Close()
	})
	return nil
}
