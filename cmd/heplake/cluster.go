package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/assemble"
	"github.com/heplake/heplake/internal/config"
	"github.com/heplake/heplake/internal/retention"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// checkCluster checks the settings about a cluster against each other.
func checkCluster(c config.Config) error {
	switch {
	case c.ClickHouse.Cluster != "" && c.ClickHouse.URL == "":
		return errors.New("clickhouse.cluster needs clickhouse.url: the embedded engine is a single node")
	case c.ClickHouse.Cluster == "" && len(c.ClickHouse.Nodes) > 0:
		return errors.New("clickhouse.nodes needs clickhouse.cluster: the cluster's name")
	case c.ClickHouse.Cluster != "" && c.Archive.On():
		return errors.New("archive.dir, archive.url: the archive is of a single node's tables, and clickhouse.cluster is set; use ClickHouse's BACKUP")
	}
	return retention.CheckCluster(policy(c.Retention), schema.Options{Cluster: clusterOf(c)})
}

// clusterOf says how the tables are spread.
func clusterOf(c config.Config) schema.Cluster {
	return schema.Cluster{Name: c.ClickHouse.Cluster, Replicated: c.ClickHouse.Replicated, OnCluster: len(c.ClickHouse.Nodes) == 0}
}

// connectNodes opens connections to every node of clickhouse.nodes, which a
// cluster's tables are altered through; none where one address is enough. The
// function closes them.
func connectNodes(c config.Config, d *database) (conns []driver.Conn, stop func(), err error) {
	stop = func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
	if len(c.ClickHouse.Nodes) == 0 {
		return nil, stop, nil
	}
	addresses, err := migrationNodes(c, d)
	if err != nil {
		return nil, stop, err
	}
	for _, address := range addresses {
		conn, err := connect(address, false)
		if err != nil {
			stop()
			return nil, func() {}, err
		}
		conns = append(conns, conn)
	}
	return conns, stop, nil
}

// migrationNodes are the addresses of the nodes that are migrated one by one: the
// one of clickhouse.url alone where ClickHouse carries statements to all.
func migrationNodes(c config.Config, d *database) ([]string, error) {
	if len(c.ClickHouse.Nodes) == 0 {
		return []string{d.owner}, nil
	}
	out := make([]string, len(c.ClickHouse.Nodes))
	for i, host := range c.ClickHouse.Nodes {
		u, err := url.Parse(d.owner)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.url: %w", err)
		}
		u.Host = host
		out[i] = u.String()
	}
	return out, nil
}

// migration is what leads from the tables as they are to this version's, on each
// of the nodes that are migrated one by one.
type migration struct {
	// nodes are the nodes' addresses without their password, when there are several.
	nodes []string
	conns []driver.Conn
	plans []migrate.Steps
}

// planMigration compares; close the migration when done.
func planMigration(ctx context.Context, c config.Config, d *database) (m *migration, err error) {
	addresses, err := migrationNodes(c, d)
	if err != nil {
		return nil, err
	}
	m = &migration{nodes: make([]string, len(addresses))}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	for i, address := range addresses {
		if len(c.ClickHouse.Nodes) > 0 {
			m.nodes[i] = c.ClickHouse.Nodes[i]
		}
		conn, err := connect(address, false)
		if err != nil {
			return m, err
		}
		m.conns = append(m.conns, conn)
		o, err := desiredSchema(ctx, conn, c, d)
		if err != nil {
			return m, onNode(m.nodes[i], err)
		}
		plan, err := migrate.Plan(ctx, conn, o)
		if err != nil {
			return m, onNode(m.nodes[i], err)
		}
		m.plans = append(m.plans, plan)
	}
	return m, nil
}

// onNode says where an error happened, if there are several nodes.
func onNode(node string, err error) error {
	if node == "" {
		return err
	}
	return fmt.Errorf("node %s: %w", node, err)
}

// statements is how many there are to run.
func (m *migration) statements() (n int) {
	for _, p := range m.plans {
		n += len(p.Statements)
	}
	return n
}

// each calls do for each statement, with the node's name where there are several.
func (m *migration) each(do func(node string, s migrate.Statement)) {
	for i, p := range m.plans {
		for _, st := range p.Statements {
			do(m.nodes[i], st)
		}
	}
}

// apply runs the statements.
func (m *migration) apply(ctx context.Context) error {
	return migrate.ApplyAll(ctx, m.dbs(), m.plans)
}

// recountSince is how far back rollups are computed anew after rows were moved:
// it covers the time from the change of shards to the moves.
const recountSince = 48 * time.Hour

// rebalance moves computed rows to their shards, or says what it would move.
func (m *migration) rebalance(ctx context.Context, c config.Config, d *database, planOnly bool, out io.Writer) error {
	if c.ClickHouse.Cluster == "" {
		return errors.New("--rebalance is for a cluster: clickhouse.cluster is not set")
	}
	if n := m.statements(); n > 0 {
		return fmt.Errorf("the schema is not up to date (%d statements): run heplake migrate first", n)
	}
	moves, err := migrate.PlanMoves(ctx, m.conns[0], schemaOptions(c, d))
	if err != nil {
		return err
	}
	for _, move := range moves {
		if planOnly {
			fmt.Fprintf(out, "-- %s\n%s;\n\n-- %s\n%s;\n\n", move.Insert.Reason, move.Insert.SQL, move.Delete.Reason, move.Delete.SQL)
			continue
		}
		if err := migrate.ApplyMoves(ctx, m.dbs(), []migrate.Move{move}); err != nil {
			return err
		}
		fmt.Fprintln(out, move.Insert.Reason)
	}
	switch {
	case planOnly && len(moves) == 0:
		fmt.Fprintln(out, "-- nothing to do: every row is on its shard")
	case !planOnly:
		if err := assemble.New(assemble.Config{Conn: m.conns[0], Database: d.name()}).Recount(ctx, recountSince); err != nil {
			return err
		}
		fmt.Fprintln(out, "every row is on its shard, and the rollups of the last two days are computed anew")
	}
	return nil
}

// dbs are the connections as package migrate takes them.
func (m *migration) dbs() []migrate.DB {
	dbs := make([]migrate.DB, len(m.conns))
	for i, conn := range m.conns {
		dbs[i] = conn
	}
	return dbs
}

func (m *migration) close() {
	for _, conn := range m.conns {
		_ = conn.Close()
	}
}
