package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// distributedEngine is the engine of the tables that stand for all shards.
const distributedEngine = "Distributed"

// nodes are the nodes whose tables are compared with the declaration: the one
// that answers, or all of a cluster, asked through it.
type nodes struct {
	// names are the nodes' addresses, in the order of clusterAllReplicas; one empty
	// name for the node that answers.
	names []string
	// cluster is the cluster's name, "" for the node that answers.
	cluster string
	// place is the expression for a row's node: its place in names, from 1.
	place string
	// settings end every query.
	settings string
}

func oneNode() nodes { return nodes{names: []string{""}, place: "toUInt32(1)"} }

func allNodes(cluster string, names []string) nodes {
	// A replica that is away keeps nobody from starting while there is nothing to do.
	return nodes{names: names, cluster: cluster, place: "toUInt32(_shard_num)", settings: "\nSETTINGS skip_unavailable_shards = 1"}
}

// system is a system table of all the nodes.
func (n nodes) system(table string) string {
	if n.cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + schema.Quote(n.cluster) + ", system." + table + ")"
}

// state scans a row that begins with its place, and returns the state of that
// node; nil when it is none of those that answered before.
func (n nodes) state(states []*state, scan scanFunc, dest ...any) (*state, error) {
	var place uint32
	if err := scan(append([]any{&place}, dest...)...); err != nil {
		return nil, err
	}
	if place == 0 || int(place) > len(states) {
		return nil, nil
	}
	return states[place-1], nil
}

// readNodes finds the nodes, reads what each has, and refuses what is not laid
// out as the settings say.
func (p *planner) readNodes() (err error) {
	if p.opt.Clustered() {
		if err := p.findNodes(); err != nil {
			return err
		}
	}
	if p.states, err = readStates(p.ctx, p.db, p.database, p.nodes); err != nil {
		return err
	}
	if p.opt.Cluster.OnCluster && p.opt.Clustered() {
		if err := p.leaveOut(); err != nil {
			return err
		}
	}
	return p.checkLayout()
}

// findNodes asks for the cluster's nodes; the node that answers must know it.
func (p *planner) findNodes() error {
	var names []string
	err := each(p.ctx, p.db, "SELECT concat(host_name, ':', toString(port)) FROM system.clusters WHERE cluster = "+schema.Quote(p.opt.Cluster.Name)+" ORDER BY shard_num, replica_num",
		func(scan scanFunc) error {
			var name string
			err := scan(&name)
			names = append(names, name)
			return err
		})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("migrate: ClickHouse knows no cluster %s: clickhouse.cluster takes the name of one in remote_servers (see system.clusters)", p.opt.Cluster.Name)
	}
	if p.opt.Cluster.OnCluster {
		p.nodes = allNodes(p.opt.Cluster.Name, names)
	}
	return nil
}

// leaveOut takes the nodes that do not answer out of the plan, and notes them.
func (p *planner) leaveOut() error {
	answers := make([]bool, len(p.states))
	err := each(p.ctx, p.db, "SELECT "+p.nodes.place+" FROM "+p.nodes.system("one")+p.nodes.settings, func(scan scanFunc) error {
		var place uint32
		err := scan(&place)
		if place > 0 && int(place) <= len(answers) {
			answers[place-1] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	var there []*state
	for i, s := range p.states {
		if answers[i] {
			there = append(there, s)
			continue
		}
		p.steps.Away = append(p.steps.Away, "node "+s.node+" does not answer and is left out: run heplake migrate again when it does")
	}
	p.states = there
	return nil
}

// checkLayout refuses to take a single node's tables for a cluster's, and the
// other way round.
func (p *planner) checkLayout() error {
	all := schema.Options{Database: p.database, Cluster: schema.Cluster{Name: "any"}}
	for _, s := range p.states {
		for _, d := range all.Distributed() {
			have := s.tables[d.Name]
			if have == nil || (have.engine == distributedEngine) == p.opt.Clustered() {
				continue
			}
			cluster := p.opt.Cluster.Name
			if cluster == "" {
				cluster, _, _ = strings.Cut(strings.TrimPrefix(have.engineSQL, distributedEngine+"("), ",")
				cluster = strings.Trim(cluster, "'")
			}
			return &LayoutError{Node: s.node, Database: p.database, Table: d.Name, Engine: have.engine, Cluster: cluster}
		}
	}
	return nil
}

// eachNode calls plan for each node, whose state is p.actual meanwhile.
func (p *planner) eachNode(plan func() error) error {
	for _, p.actual = range p.states {
		if err := plan(); err != nil {
			return err
		}
	}
	return nil
}

// anywhere reports whether some node has the table.
func (p *planner) anywhere(name string) bool {
	return slices.ContainsFunc(p.states, func(s *state) bool { return s.tables[name] != nil })
}

// missing reports whether some node has not the table.
func (p *planner) missing(name string) bool {
	return slices.ContainsFunc(p.states, func(s *state) bool { return s.tables[name] == nil })
}

// recordTable is where records of migrations go: one place for all nodes that
// are migrated together.
func (p *planner) recordTable() string {
	if p.opt.OnCluster() != "" {
		return qualified(p.database, metaTable)
	}
	return qualified(p.database, p.opt.LocalName(metaTable))
}

// lastRecord reads the newest record. A node that was added has none yet.
func (p *planner) lastRecord() (record, error) {
	name := p.opt.LocalName(metaTable)
	if p.opt.OnCluster() != "" {
		name = metaTable
	}
	if !p.anywhere(name) {
		return record{}, nil
	}
	return readRecord(p.ctx, p.db, p.recordTable(), p.nodes.settings)
}

// planMeta plans the meta table.
func (p *planner) planMeta() {
	if local := p.opt.LocalName(metaTable); p.missing(local) {
		p.steps.add("table meta: who migrated the schema to what", "%s", metaSQL(p.opt))
	}
	if p.opt.Clustered() && p.missing(metaTable) {
		d := schema.Distributed{Name: metaTable, Doc: "Migrations of the schema.", Engine: p.opt.DistributedEngine(metaTable, "0")}
		p.steps.add("table meta, of all shards", "%s", d.CreateSQL(p.opt))
	}
}

// planDistributed plans the tables that stand for all shards. They hold nothing,
// so one that is not as it should be is made anew.
func (p *planner) planDistributed() error {
	for _, d := range p.opt.Distributed() {
		err := p.eachNode(func() error {
			reason, err := p.distributedDiffers(d)
			if err == nil && reason != "" {
				p.steps.add("table "+d.Name+", of all shards: "+reason, "%s", d.CreateSQL(p.opt))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// distributedDiffers says why the table must be made anew, "" when it need not.
func (p *planner) distributedDiffers(d schema.Distributed) (reason string, err error) {
	have := p.actual.tables[d.Name]
	if have == nil {
		return "new", nil
	}
	n, err := normalise(p.ctx, p.db, []string{"SELECT " + d.Engine, "SELECT " + have.engineSQL})
	if err != nil {
		return "", err
	}
	if n[0] != n[1] {
		return "was " + have.engineSQL, nil
	}
	var columns, were []string
	for _, c := range d.Columns {
		columns = append(columns, c.Name+" "+c.SQLType()+" "+c.Doc)
	}
	for _, c := range have.columns {
		were = append(were, c.name+" "+c.typ+" "+c.comment)
	}
	if local := p.opt.LocalName(d.Name); d.Columns == nil { // a view's
		if p.made[local] {
			return "the view is made anew", nil
		}
		for _, c := range p.actual.tables[local].columns {
			columns = append(columns, c.name+" "+c.typ+" "+c.comment)
		}
	}
	switch {
	case !slices.Equal(columns, were):
		return "its columns changed", nil
	case have.comment != d.Doc:
		return "comment", nil
	}
	return "", nil
}

// PlanAll is Plan for each of several nodes that are migrated apart, for
// ApplyAll.
func PlanAll(ctx context.Context, dbs []DB, o schema.Options) ([]Steps, error) {
	plans := make([]Steps, len(dbs))
	for i, db := range dbs {
		var err error
		if plans[i], err = Plan(ctx, db, o); err != nil {
			return nil, err
		}
	}
	return plans, nil
}
