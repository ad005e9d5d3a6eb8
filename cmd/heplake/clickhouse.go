package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/heplake/heplake/internal/embedded"
)

func newClickHouse(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "clickhouse",
		Short: "Run the embedded ClickHouse alone",
		Long: `Run the ClickHouse engine that "heplake serve" embeds, and nothing else, until
it is interrupted. Its data is that of "serve": one of the two at a time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, log, err := g.settings()
			if err != nil {
				return err
			}
			c.ClickHouse.URL = ""
			db, err := openDatabase(cmd.Context(), c, log)
			if err != nil {
				return err
			}
			if err := writeAddresses(c.Data.Dir, engineAddresses(db.engine)); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "HTTP    http://%s\nnative  %s\nusers   owner, writer, reader; passwords in %s/clickhouse/credentials.json\n",
				db.engine.HTTPAddr(), db.engine.TCPAddr(), c.Data.Dir)
			select {
			case <-cmd.Context().Done():
			case <-db.engine.Done():
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopTimeout)
			defer cancel()
			return db.stop(ctx)
		},
	}
}

// engineAddresses are the addresses.json entries of the embedded engine.
func engineAddresses(s *embedded.Server) map[string]string {
	return map[string]string{
		"clickhouse_http": s.HTTPAddr(), "clickhouse_tcp": s.TCPAddr(),
		"clickhouse_user": string(embedded.Owner), "clickhouse_password": s.Password(embedded.Owner),
	}
}
