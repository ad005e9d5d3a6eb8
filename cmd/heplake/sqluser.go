package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/sqluser"
	"github.com/heplake/heplake/schema"
)

// sqlAccess has the embedded engine know the SQL users.
func sqlAccess(cfg *embedded.Config) {
	users := sqluser.File{Path: sqluser.FilePath(cfg.Dir)}
	cfg.AccessFile = users.Path
	cfg.Access = func() (embedded.Access, error) { return users.Access(schema.Options{}) }
}

// syncUsers gives SQL users of a ClickHouse of one's own the tables and views that
// a migration made.
func syncUsers(ctx context.Context, c config.Config, d *database) error {
	if d.engine != nil {
		return nil // it reads them at every start
	}
	conn, err := connect(d.owner, true)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return (&sqluser.Server{DB: conn, Schema: schemaOptions(c, d)}).Sync(ctx)
}

func newSQL(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Keep the users who may ask in SQL",
		Example: `  heplake sql user add alice
  heplake sql user list
  heplake sql user rotate alice
  heplake sql user remove alice`,
	}
	user := &cobra.Command{
		Use:   "user",
		Short: "Keep the users who may ask in SQL",
		Long: `Keep the users who may ask in SQL: they read and nothing else, within limits
that they cannot raise. One bound to tenants sees no other's rows through any
table or view.

With clickhouse.url they are made in that ClickHouse, by CREATE USER. The
embedded engine knows them from a file and is restarted by "heplake serve" when
they change, which takes some seconds: what arrives meanwhile waits in the
spool.`,
		Example: cmd.Example,
	}
	user.AddCommand(newUserAdd(g), newUserList(g), newUserRotate(g), newUserRemove(g))
	cmd.AddCommand(user)
	return cmd
}

// userStore is where the users are kept.
func (g *global) userStore() (store sqluser.Store, c config.Config, done func(), err error) {
	c, log, err := g.settings()
	if err != nil {
		return nil, c, nil, err
	}
	if c.ClickHouse.URL == "" {
		return &sqluser.File{Path: sqluser.FilePath(filepath.Join(c.Data.Dir, "clickhouse"))}, c, func() {}, nil
	}
	db, err := openDatabase(context.Background(), c, log)
	if err != nil {
		return nil, c, nil, err
	}
	conn, err := connect(db.owner, true)
	if err != nil {
		return nil, c, nil, err
	}
	return &sqluser.Server{DB: conn, Schema: schemaOptions(c, db)}, c, func() { _ = conn.Close() }, nil
}

func newUserAdd(g *global) *cobra.Command {
	u := sqluser.User{Limits: sqluser.DefaultLimits()}
	memory := humanize.IBytes(u.Limits.MaxMemory)
	var expires string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add an SQL user and print the password, once",
		Example: `  heplake sql user add alice --tenant acme --expires 90d
  heplake sql user add bi --max-memory 4GiB --max-time 10m --host 10.0.0.0/8`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			u.Name, u.Created = args[0], time.Now().UTC().Truncate(time.Second)
			var err error
			if u.Limits.MaxMemory, err = humanize.ParseBytes(memory); err != nil {
				return fmt.Errorf("--max-memory takes a size such as 2GiB, not %q", memory)
			}
			if u.Expires, err = expiry(expires, u.Created); err != nil {
				return err
			}
			store, c, done, err := g.userStore()
			if err != nil {
				return err
			}
			defer done()
			password := sqluser.NewPassword()
			if err := store.Add(cmd.Context(), u, sqluser.Hash(password)); err != nil {
				return err
			}
			return tellPassword(cmd, c, u.Name, password)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&u.Tenants, "tenant", nil, "tenant whose rows are seen, may be repeated (default all)")
	f.StringSliceVar(&u.Hosts, "host", nil, "address or network to log in from, may be repeated (default any)")
	f.StringVar(&memory, "max-memory", memory, "memory of a query, and of all of the user's together")
	f.DurationVar(&u.Limits.MaxTime, "max-time", u.Limits.MaxTime, "time of a query")
	f.Uint64Var(&u.Limits.MaxRowsToRead, "max-rows-to-read", u.Limits.MaxRowsToRead, "rows that a query may read")
	f.Uint64Var(&u.Limits.MaxResultRows, "max-result-rows", u.Limits.MaxResultRows, "rows that it may return")
	f.Uint64Var(&u.Limits.MaxQueries, "max-queries", u.Limits.MaxQueries, "queries at a time")
	f.Uint64Var(&u.Limits.MaxThreads, "max-threads", u.Limits.MaxThreads, "threads of a query")
	f.Uint64Var(&u.Limits.QueriesPerHour, "queries-per-hour", 0, "queries in an hour, 0 for any number")
	f.StringVar(&expires, "expires", "", "when rows are seen no more: days (90d), a duration (12h) or a date (2027-01-31)")
	return cmd
}

// expiry is a time from now, or a day's beginning in UTC.
func expiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, err := strconv.Atoi(strings.TrimSuffix(s, "d")); err == nil && strings.HasSuffix(s, "d") && days > 0 {
		return now.AddDate(0, 0, days), nil
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || !t.After(now) {
		return time.Time{}, fmt.Errorf("--expires takes days (90d), a duration (12h) or a date to come (2027-01-31), not %q", s)
	}
	return t, nil
}

func newUserList(g *global) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the SQL users with their limits",
		Example: `  heplake sql user list -o json`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("-o takes table or json, not %q", output)
			}
			store, _, done, err := g.userStore()
			if err != nil {
				return err
			}
			defer done()
			users, err := store.List(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(append([]sqluser.User{}, users...))
			}
			if len(users) == 0 {
				return fmt.Errorf("%w: there are no SQL users", errNotFound)
			}
			return writeUsers(cmd.OutOrStdout(), users, time.Now())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func writeUsers(out io.Writer, users []sqluser.User, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tTENANTS\tFROM\tMEMORY\tTIME\tROWS READ\tROWS\tQUERIES\tEXPIRES")
	for _, u := range users {
		tenants, hosts, queries, expires := "all", "anywhere", fmt.Sprintf("%d at a time", u.Limits.MaxQueries), "never"
		if len(u.Tenants) > 0 {
			tenants = strings.Join(u.Tenants, ", ")
		}
		if len(u.Hosts) > 0 {
			hosts = strings.Join(u.Hosts, ", ")
		}
		if n := u.Limits.QueriesPerHour; n > 0 {
			queries += fmt.Sprintf(", %d an hour", n)
		}
		if !u.Expires.IsZero() {
			expires = u.Expires.UTC().Format("2006-01-02 15:04")
			if u.Expired(now) {
				expires += " (is over)"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, tenants, hosts, humanize.IBytes(u.Limits.MaxMemory), u.Limits.MaxTime,
			humanize.Comma(int64(u.Limits.MaxRowsToRead)), humanize.Comma(int64(u.Limits.MaxResultRows)), queries, expires)
	}
	return w.Flush()
}

func newUserRotate(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "rotate NAME",
		Short:   "Give an SQL user another password and print it, once",
		Example: `  heplake sql user rotate alice`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, c, done, err := g.userStore()
			if err != nil {
				return err
			}
			defer done()
			password := sqluser.NewPassword()
			if err := store.Rotate(cmd.Context(), args[0], sqluser.Hash(password)); err != nil {
				return notFound(err)
			}
			return tellPassword(cmd, c, args[0], password)
		},
	}
}

func newUserRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove an SQL user",
		Example: `  heplake sql user remove alice`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, _, done, err := g.userStore()
			if err != nil {
				return err
			}
			defer done()
			if err := store.Remove(cmd.Context(), args[0]); err != nil {
				return notFound(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", args[0])
			return nil
		},
	}
}

func notFound(err error) error {
	if errors.Is(err, sqluser.ErrUnknown) {
		return fmt.Errorf("%w: %w", errNotFound, err)
	}
	return err
}

// tellPassword prints how to log in. With the embedded engine it waits until that
// works, if "heplake serve" is there to restart it.
func tellPassword(cmd *cobra.Command, c config.Config, name, password string) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "user      %s\npassword  %s\n", name, password)
	if c.ClickHouse.URL != "" {
		u, err := url.Parse(c.ClickHouse.URL)
		if err != nil {
			return nil //nolint:nilerr // it was good enough to make the user
		}
		u.User = nil
		fmt.Fprintf(out, "at        %s\n", u)
		return nil
	}
	at := struct {
		HTTP string `json:"clickhouse_http"`
		TCP  string `json:"clickhouse_tcp"`
	}{}
	b, err := os.ReadFile(filepath.Join(c.Data.Dir, "addresses.json"))
	if err != nil || json.Unmarshal(b, &at) != nil || at.HTTP == "" {
		fmt.Fprintln(out, "good from the next start of heplake serve")
		return nil
	}
	u := url.URL{Scheme: "http", User: url.UserPassword(name, password), Host: at.HTTP}
	conn, err := connect(u.String(), false)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
	defer cancel()
	for conn.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, "good as soon as heplake serve has restarted the engine, which it has not done within a minute")
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
	fmt.Fprintf(out, "at        http://%s/%s, native protocol %s\n", at.HTTP, schema.Database, at.TCP)
	return nil
}
