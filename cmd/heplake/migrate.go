package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/schema/migrate"
)

func newMigrate(g *global) *cobra.Command {
	var planOnly, rebalance bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema to this version",
		Long: `Compare the tables that are there with those that this version wants, and run
the statements between the two. With --plan they are printed and nothing is
changed. Without clickhouse.url the embedded engine is started for it. With
clickhouse.cluster all nodes of the cluster are compared and brought up.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDatabase(cmd.Context(), g, openDatabase, func(c config.Config, db *database, _ driver.Conn) error {
				return migrateDatabase(cmd.Context(), cmd.OutOrStdout(), c, db, planOnly, rebalance)
			})
		},
	}
	cmd.Flags().BoolVar(&rebalance, "rebalance", false, "after shards were added to a cluster: move calls and rollups to the shards where they are written to now")
	cmd.Flags().BoolVar(&planOnly, "plan", false, "print the statements and change nothing")
	return cmd
}

// migrateDatabase brings the schema to this version, or prints what that takes.
func migrateDatabase(ctx context.Context, out io.Writer, c config.Config, db *database, planOnly, rebalance bool) error {
	m, err := planMigration(ctx, c, db)
	if err != nil {
		return err
	}
	defer m.close()
	if rebalance {
		return m.rebalance(ctx, c, db, planOnly, out)
	}
	if planOnly {
		m.print(out)
		return nil
	}
	began := time.Now()
	if err := m.apply(ctx); err != nil {
		return err
	}
	if err := syncUsers(ctx, c, db); err != nil {
		return err
	}
	m.each(func(node string, s migrate.Statement) {
		if node != "" {
			node += ": "
		}
		fmt.Fprintln(out, node+s.Reason)
	})
	fmt.Fprintf(out, "schema is up to date: %d statements in %s\n", m.statements(), time.Since(began).Round(time.Millisecond))
	return nil
}

// print prints the statements of every node.
func (m *migration) print(out io.Writer) {
	if m.statements() == 0 {
		fmt.Fprintln(out, "-- nothing to do: the schema is as this version wants it")
	}
	for i, plan := range m.plans {
		if s := plan.String(); s != "" {
			if m.nodes[i] != "" {
				fmt.Fprintf(out, "-- on %s\n\n", m.nodes[i])
			}
			fmt.Fprintln(out, s)
		}
	}
}
