package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/schema/migrate"
)

func newMigrate(g *global) *cobra.Command {
	var planOnly bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the schema to this version",
		Long: `Compare the tables that are there with those that this version wants, and run
the statements between the two. With --plan they are printed and nothing is
changed. Without clickhouse.url the embedded engine is started for it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			c, log, err := g.settings()
			if err != nil {
				return err
			}
			db, err := openDatabase(ctx, c, log)
			if err != nil {
				return err
			}
			defer func() {
				stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
				defer cancel()
				err = errors.Join(err, db.stop(stopping))
			}()
			conn, err := connect(db.owner, false)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			plan, err := migrate.Plan(ctx, conn, schemaOptions(c, db))
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if planOnly {
				if plan.Empty() {
					fmt.Fprintln(out, "-- nothing to do: the schema is as this version wants it")
				}
				if s := plan.String(); s != "" {
					fmt.Fprintln(out, s)
				}
				return nil
			}
			began := time.Now()
			if err := migrate.Apply(ctx, conn, plan); err != nil {
				return err
			}
			if err := syncUsers(ctx, c, db); err != nil {
				return err
			}
			for _, st := range plan.Statements {
				fmt.Fprintln(out, st.Reason)
			}
			fmt.Fprintf(out, "schema is up to date: %d statements in %s\n", len(plan.Statements), time.Since(began).Round(time.Millisecond))
			return nil
		},
	}
	cmd.Flags().BoolVar(&planOnly, "plan", false, "print the statements and change nothing")
	return cmd
}
