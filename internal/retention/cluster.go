package retention

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/schema"
)

// On a cluster a day is judged once, over all shards, through one node. What is to
// be done to it is then done on every shard: where ClickHouse carries statements
// to all nodes by one statement ON CLUSTER, of which of a shard's replicas one
// carries it out and the others follow; else by the same statement to each node.
// While a shard is away nothing can be judged, and nothing is deleted.

// ErrCluster wraps what does not work on a cluster.
var ErrCluster = errors.New("not on a cluster")

// onCluster refuses what the keeper cannot carry out on the tables of a cluster.
//
// A rule about calls needs their ids at hand where rows are deleted, and calls are
// on other shards than their messages. So they are written down on every node
// before, which only a connection to each node can do; a replica that came late to
// that would tell rows apart by what it has not got yet.
func (p Policy) onCluster(o schema.Options) error {
	if !o.Clustered() || !o.Cluster.OnCluster && !o.Cluster.Replicated {
		return nil
	}
	for _, r := range p.Rules {
		if r.ofCalls() {
			return fmt.Errorf("retention: rule %q asks for outcomes or scores of calls, which is %w of replicated tables or without clickhouse.nodes; rules by tenant and method work", r.Name, ErrCluster)
		}
	}
	return nil
}

// CheckCluster returns an error that wraps ErrCluster when the tables are spread
// over a cluster on which the policy cannot be carried out.
func CheckCluster(p Policy, o schema.Options) error { return p.onCluster(o) }

// clusterSettings are those of statements about the tables of all shards:
// subqueries are about all shards, too, what is inserted is there when the
// statement ends, and what was asked of a replica once is asked of it again.
var clusterSettings = clickhouse.Settings{
	"distributed_product_mode": "global", "distributed_foreground_insert": 1, "parallel_distributed_insert_select": 0, "load_balancing": "in_order",
}

// spread is the context for statements about the tables.
func spread(ctx context.Context, o schema.Options) context.Context {
	if !o.Clustered() {
		return ctx
	}
	return clickhouse.Context(ctx, clickhouse.WithSettings(clusterSettings))
}

// system is a system table: on a cluster that of every shard, of one replica each.
func system(o schema.Options, table string) string {
	if !o.Clustered() {
		return "system." + table
	}
	return "cluster(" + schema.Quote(o.Cluster.Name) + ", system." + table + ")"
}

// everywhere is a system table of every replica of every shard. Where the cluster's
// setting is needed with it, it comes last in the statement.
func everywhere(o schema.Options, table string) (from, settings string) {
	if !o.Clustered() {
		return "system." + table, ""
	}
	return "clusterAllReplicas(" + schema.Quote(o.Cluster.Name) + ", system." + table + ")", " SETTINGS skip_unavailable_shards = 1"
}

// nodes are connections to what statements about a node's own tables go to: each
// node of a cluster that is spoken to node by node, else the one connection.
func nodesOf(db driver.Conn, nodes []driver.Conn) []driver.Conn {
	if len(nodes) == 0 {
		return []driver.Conn{db}
	}
	return nodes
}

// KeeperDeletes tells whether the tables' TTL must delete nothing because of holds
// (schema.Options.KeeperDeletes). On a cluster of which a shard is away, or has no
// tables yet, the tables stay as they are in this: a hold that cannot be read must
// not be forgotten.
func KeeperDeletes(ctx context.Context, db driver.Conn, o schema.Options) (bool, error) {
	ok, err := exists(ctx, db, o, schema.Holds.Name)
	if err != nil || !ok && !o.Clustered() {
		return false, err
	}
	if ok {
		held, err := AnyHold(ctx, db, o)
		if err == nil || !o.Clustered() {
			return held, err
		}
	}
	var local []string
	for _, t := range schema.Kept() {
		if o.TTLDaysOf(t) > 0 {
			local = append(local, o.LocalName(t.Name))
		}
	}
	if len(local) == 0 {
		return false, nil
	}
	from, settings := everywhere(o, "tables")
	var stopped bool
	err = db.QueryRow(ctx, "SELECT count() > 0 FROM "+from+" WHERE database = "+schema.Quote(o.DatabaseName())+" AND name IN ("+quoted(local)+
		") AND NOT match(engine_full, 'toIntervalDay\\\\(\\\\d+\\\\)(,| SETTINGS|$)')"+settings).Scan(&stopped)
	if err != nil {
		return false, fmt.Errorf("retention: ask whether the tables' TTL deletes: %w", err)
	}
	return stopped, nil
}
