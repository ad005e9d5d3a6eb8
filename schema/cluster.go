package schema

import (
	"fmt"
	"strings"
)

// Cluster spreads the tables over the shards of a ClickHouse cluster. Then each
// table is two: one with the suffix LocalSuffix on every node, which has the
// node's rows, and a Distributed one under the table's own name, which readers
// read and ingest inserts into. Views are local likewise, with a Distributed
// table over them, so that each shard filters, sorts and adds up its own rows.
// Materialized views are local and feed local tables.
//
// The zero value is a single node.
type Cluster struct {
	// Name is the cluster's, as in remote_servers.
	Name string
	// Replicated makes the local tables those of the Replicated family. Their path
	// in Keeper has the shard's macro and the table's name, and not its UUID, so
	// that a replica that is added later finds its table.
	Replicated bool
	// OnCluster has DDL carried to all nodes by ClickHouse, which takes Keeper.
	// Without it a statement is for the node that it is sent to.
	OnCluster bool
}

// LocalSuffix ends the names of the tables and views that have a node's rows.
const LocalSuffix = "_local"

// Clustered reports whether the tables are spread over a cluster.
func (o Options) Clustered() bool { return o.Cluster.Name != "" }

// LocalName is the name of the table or view that has a node's rows: the name
// itself on a single node.
func (o Options) LocalName(name string) string {
	if o.Clustered() {
		return name + LocalSuffix
	}
	return name
}

// onNode are the options by which queries read and feed a node's own tables.
func (o Options) onNode() Options {
	o.local = o.Clustered()
	return o
}

// Target is an object as DDL names it: qualified, and with ON CLUSTER where the
// statement is for every node.
func (o Options) Target(name string) string {
	return "`" + o.DatabaseName() + "`.`" + name + "`" + o.OnCluster()
}

// OnCluster is the clause that has a statement carried to all nodes, after a
// space, or "".
func (o Options) OnCluster() string {
	if o.Clustered() && o.Cluster.OnCluster {
		return " ON CLUSTER " + identifier(o.Cluster.Name)
	}
	return ""
}

// EngineOf is the engine of the table that has a node's rows, with its
// parameters.
func (o Options) EngineOf(t *Table) string {
	return o.ReplicatedEngine(t.Name, t.EngineSQL())
}

// ReplicatedEngine is the engine of the local table of that name: the one given,
// or its Replicated sibling.
func (o Options) ReplicatedEngine(name, engine string) string {
	if !o.Clustered() || !o.Cluster.Replicated {
		return engine
	}
	family, parameters, _ := strings.Cut(engine, "(")
	parameters = strings.TrimSuffix(parameters, ")")
	if parameters != "" {
		parameters = ", " + parameters
	}
	path := "/clickhouse/tables/{shard}/" + o.DatabaseName() + "/" + o.LocalName(name)
	return "Replicated" + family + "(" + Quote(path) + ", '{replica}'" + parameters + ")"
}

// DistributedSettings must stand on every statement that inserts what a query
// gives into tables that a cluster may spread: rows go where their key says, and
// are there when the statement ends. Left to itself ClickHouse may have each
// shard insert what it read into its own table. On a single node they mean
// nothing.
const DistributedSettings = "distributed_foreground_insert = 1, parallel_distributed_insert_select = 0"

// replicatedSettings are what tableSettings has of deduplication, for tables of
// the Replicated family: a week of batches, and not the hour of some releases.
var replicatedSettings = []Setting{
	{"replicated_deduplication_window", "10000"},
	{"replicated_deduplication_window_seconds", "604800"},
}

// SettingsOf are the MergeTree settings of the table that has a node's rows, in
// order.
func (o Options) SettingsOf(t *Table) []Setting {
	settings := append(t.Settings(), storageSettings(o)...)
	if o.Clustered() && o.Cluster.Replicated {
		return append(settings, replicatedSettings...)
	}
	return settings
}

// ShardKey is the expression by which rows find their shard. Every table has
// one: what it declares, else the correlation id, else the Call-ID. Records
// without a correlation id (logs, packets that would not decode) are spread by
// their time. The key depends on the row alone, so that a batch that is sent
// again is cut into the same pieces.
func (t *Table) ShardKey() string {
	if t.ShardBy != "" {
		return t.ShardBy
	}
	if _, ok := t.Column("correlation_id"); ok {
		if _, ok := t.Column("time"); ok {
			return "if(correlation_id != '', cityHash64(correlation_id), cityHash64(time))"
		}
		return "cityHash64(correlation_id)"
	}
	if _, ok := t.Column("call_id"); ok {
		return "cityHash64(call_id)"
	}
	panic("schema: table " + t.Name + " says not by what it is sharded")
}

// DistributedEngine is the engine of the table that stands for all shards'.
func (o Options) DistributedEngine(name, key string) string {
	return fmt.Sprintf("Distributed(%s, %s, %s, %s)", Quote(o.Cluster.Name), Quote(o.DatabaseName()), Quote(o.LocalName(name)), key)
}

// Distributed is the table that stands, under a table's or view's own name, for
// those of all shards. It holds no rows itself.
type Distributed struct {
	Name, Doc string
	// Columns are the definitions of its columns in order; those that a view has on
	// the node when nil.
	Columns []Column
	// Engine is its engine with its parameters, as ClickHouse prints it.
	Engine string
}

// Distributed lists the tables that stand for all shards; none on a single node.
func (o Options) Distributed() []Distributed {
	if !o.Clustered() {
		return nil
	}
	var out []Distributed
	for _, t := range append(Tables(), Derived()...) {
		out = append(out, Distributed{Name: t.Name, Doc: t.Doc, Columns: t.Columns, Engine: o.DistributedEngine(t.Name, t.ShardKey())})
	}
	for _, v := range Views() {
		// Nobody inserts into a view: any key will do.
		out = append(out, Distributed{Name: v.Name, Doc: v.Doc, Engine: o.DistributedEngine(v.Name, "0")})
	}
	return out
}

// CreateSQL is the statement that creates the table or takes the place of the one
// there is, whose rows, being on the shards, stay.
func (d *Distributed) CreateSQL(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE OR REPLACE TABLE %s", o.Target(d.Name))
	if d.Columns == nil {
		fmt.Fprintf(&b, " AS `%s`.`%s`", o.DatabaseName(), o.LocalName(d.Name))
	} else {
		b.WriteString("\n(\n")
		for i, c := range d.Columns {
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteString("    " + c.Definition())
		}
		b.WriteString("\n)")
	}
	fmt.Fprintf(&b, "\nENGINE = %s\nSETTINGS %s\nCOMMENT %s", d.Engine, QuerySettings, Quote(d.Doc))
	return b.String()
}

func identifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}
