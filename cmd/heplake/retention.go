package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
	"github.com/heplake/heplake/schema"
)

func newRetention(g *global) *cobra.Command {
	var set []string
	var try, output string
	var days int
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Show what is kept, for how long, and how full the disk will be",
		Long: `Show what each table and each rule holds and for how long, and forecast the disk
by day from the last seven. With --set or --try the retention is another one for
the sake of argument: what would be deleted now is listed and the forecast
follows it. Nothing is changed: the settings retention.* do that, at the next
start of heplake serve.

A day goes as a whole when its newest row has been kept long enough. Rules and
holds let single rows of it stay longer.`,
		Example: `  heplake retention
  heplake retention --set sip=30,events=14     # a dry run
  heplake retention --try new.yaml             # retention.* of other settings
  heplake retention --days 60 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 1 || days > 3650 {
				return fmt.Errorf("--days takes 1 to 3650, not %d", days)
			}
			if output != "table" && output != "json" {
				return fmt.Errorf("-o takes table or json, not %q", output)
			}
			ctx := cmd.Context()
			return withDatabase(ctx, g, openRunning, func(c config.Config, db *database, conn driver.Conn) error {
				tried, err := triedSettings(c, try, set)
				if err != nil {
					return err
				}
				r, err := readRetention(ctx, conn, db, c, tried, days)
				if err != nil {
					return err
				}
				if output == "json" {
					e := json.NewEncoder(cmd.OutOrStdout())
					e.SetIndent("", "  ")
					return e.Encode(r)
				}
				return r.write(cmd.OutOrStdout())
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&set, "set", nil, "retention to try, such as sip=30,media=14 (days, 0 for ever)")
	f.StringVar(&try, "try", "", "settings file whose retention to try")
	f.IntVar(&days, "days", 14, "days to forecast")
	f.StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// triedSettings are the settings as a dry run has them; nil when none was asked
// for.
func triedSettings(c config.Config, file string, set []string) (*config.Config, error) {
	if file == "" && len(set) == 0 {
		return nil, nil
	}
	if file != "" {
		other, _, err := config.Load(file, nil)
		if err != nil {
			return nil, err
		}
		c.Retention = other.Retention
	}
	change, err := parseChange(set)
	if err != nil {
		return nil, err
	}
	for table, days := range change {
		switch table {
		case schema.SIP.Name:
			c.Retention.SIP = days
		case schema.Media.Name:
			c.Retention.Media = days
		case schema.Events.Name:
			c.Retention.Events = days
		}
	}
	return &c, nil
}

// policy is the retention of the settings.
func policy(c config.Retention) retention.Policy {
	p := retention.Policy{Days: map[string]int{schema.SIP.Name: c.SIP, schema.Media.Name: c.Media, schema.Events.Name: c.Events}}
	for _, r := range c.Rules {
		p.Rules = append(p.Rules, retention.Rule{
			Name: r.Name, Tables: r.Tables, Tenants: r.Tenants, Methods: r.Methods, Outcomes: r.Outcomes, MOSBelow: r.MOSBelow, Days: *r.Days,
		})
	}
	return p
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
	if s.archive != nil {
		g.Archiver = s.archive
	}
	g.Register(s.registry)
	s.onStop(func(context.Context) error { return conn.Close() })
	s.background(ctx, g.Run)
	return nil
}

// startKeeper starts what deletes rows that have been kept long enough, once the
// tables are there: see retention.Keeper.
func (s *server) startKeeper(ctx context.Context) error {
	conn, err := connect(s.db.owner, true)
	if err != nil {
		return err
	}
	nodes, disconnect, err := connectNodes(s.c, s.db)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	k := &retention.Keeper{DB: conn, Nodes: nodes, Schema: schemaOptions(s.c, s.db), Policy: policy(s.c.Retention), Log: s.log}
	if s.archive != nil {
		k.Archiver = s.archive
	}
	k.Register(s.registry)
	s.onStop(func(context.Context) error { return conn.Close() })
	s.background(ctx, func(ctx context.Context) {
		defer disconnect()
		for !s.ready.schema.Load() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		k.Run(ctx)
	})
	return nil
}

// checkResidency refuses to take records of a tenant that stays in a place, where
// the tables there are lie elsewhere. What the migration makes lies there, too.
func (s *server) checkResidency(ctx context.Context) error {
	if !s.c.Resides() {
		return nil
	}
	conn, err := connect(s.db.owner, false)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return retention.CheckResidency(ctx, conn, schemaOptions(s.c, s.db), s.c.TablePolicy())
}
