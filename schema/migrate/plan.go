package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/internal/version"
	"github.com/heplake/heplake/schema"
)

// metaTable says who migrated the database to what, newest last.
const metaTable = "meta"

// background lets a statement return before ClickHouse has gone through the
// rows already stored; reads see the change at once.
const background = "mutations_sync = 0, alter_sync = 0"

// ttlAlone makes a statement of a TTL, for ClickHouse to print, ttlPrinted is what
// it then prints before it.
const ttlAlone, ttlPrinted = "ALTER TABLE t MODIFY TTL ", "ALTER TABLE t (MODIFY TTL "

// fixedSettings are the table settings that ClickHouse sets at CREATE alone.
var fixedSettings = []string{"index_granularity", "index_granularity_bytes"}

// Plan compares the database with the declared schema and returns what is to be
// run; it changes nothing. The error wraps ErrNewerSchema when a newer binary
// has migrated the database, and is a joined list of *ConflictError when the
// tables differ in ways that cannot be changed in place.
func Plan(ctx context.Context, db DB, o schema.Options) (Steps, error) {
	p := newPlanner(ctx, db, o)
	if err := p.plan(); err != nil {
		return Steps{}, err
	}
	return p.steps, nil
}

type planner struct {
	ctx      context.Context
	db       DB
	opt      schema.Options
	database string
	views    []view

	// states are the database on each of the nodes, actual on the one that is being
	// planned for.
	nodes     nodes
	states    []*state
	actual    *state
	steps     Steps
	conflicts []error
	// columnsChanged: views must be made anew, as a view keeps the columns and
	// types that it had when it was made.
	columnsChanged bool
	// made are the views that the plan makes anew.
	made map[string]bool
	// interrupted: a migration to this very schema began and is not known to have
	// gone through.
	interrupted bool
}

func newPlanner(ctx context.Context, db DB, o schema.Options) *planner {
	return &planner{ctx: ctx, db: db, opt: o, database: o.DatabaseName(), views: declaredViews(o), nodes: oneNode(), made: map[string]bool{}}
}

func (p *planner) plan() error {
	if err := p.readNodes(); err != nil {
		return err
	}
	last, err := p.lastRecord()
	if err != nil {
		return err
	}
	if last.version > schema.Version {
		return &NewerSchemaError{Database: p.database, Recorded: last.version, Known: schema.Version, Binary: last.binary}
	}
	// An interrupted migration may have changed columns and left the views.
	p.columnsChanged = !last.done
	p.interrupted = !last.done && last.version == schema.Version && last.hash == schema.Hash()
	if err := p.planTables(); err != nil {
		return err
	}
	fresh, err := p.planFeeds()
	if err != nil {
		return err
	}
	if err := p.planViews(); err != nil {
		return err
	}
	p.steps.own = len(p.steps.Statements)
	if err := p.planDistributed(); err != nil {
		return err
	}
	if err := p.planBackfill(p.planUsers(fresh)); err != nil {
		return err
	}
	if err := p.planDigests(); err != nil {
		return err
	}
	if len(p.conflicts) > 0 {
		return errors.Join(p.conflicts...)
	}
	p.frame(last)
	return nil
}

// planTables plans the tables that have rows, on every node.
func (p *planner) planTables() error {
	for _, t := range slices.Concat(schema.Tables(), schema.Derived()) {
		err := p.eachNode(func() error {
			have, ok := p.actual.tables[p.opt.LocalName(t.Name)]
			if !ok {
				p.steps.add("table "+t.Name+": "+t.Doc, "%s", t.CreateSQL(p.opt))
				p.columnsChanged = true
				return nil
			}
			return p.table(t, have)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// frame puts the database, the meta table and its records around the changes.
// That a migration began is recorded before them, so that an older binary keeps
// off while it is under way; that it is done, after them.
func (p *planner) frame(last record) {
	changes := p.steps.Statements
	p.steps.Statements = nil
	if slices.ContainsFunc(p.states, func(s *state) bool { return !s.exists }) {
		p.steps.add("the database", "CREATE DATABASE IF NOT EXISTS `%s`%s ENGINE = Atomic", p.database, p.opt.OnCluster())
	}
	p.planMeta()
	now := record{version: schema.Version, hash: schema.Hash(), binary: version.Version}
	same := last.version == now.version && last.hash == now.hash
	recorded := !same || !last.done || p.columnsChanged
	if recorded && (!same || last.done) {
		p.addRecord("the migration begins", now)
	}
	p.steps.own += len(p.steps.Statements)
	p.steps.Statements = append(p.steps.Statements, changes...)
	if recorded {
		now.done = true
		p.addRecord("the migration is done", now)
	}
}

func (p *planner) addRecord(reason string, r record) {
	p.steps.add(fmt.Sprintf("schema version %d: %s", r.version, reason),
		"INSERT INTO %s (schema_version, schema_hash, binary_version, done) SELECT %d, %s, %s, %v",
		p.recordTable(), r.version, schema.Quote(r.hash), schema.Quote(r.binary), r.done)
}

// metaSQL creates the meta table.
func metaSQL(o schema.Options) string {
	return "CREATE TABLE IF NOT EXISTS " + o.Target(o.LocalName(metaTable)) + `
(
    time DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'When this was recorded.',
    schema_version UInt32 COMMENT 'Version of the declared schema.',
    schema_hash String COMMENT 'Hash of the declared schema.',
    binary_version String COMMENT 'Version of the heplake that migrated.',
    done Bool COMMENT 'false when a migration begins, true when it is done.'
)
ENGINE = ` + o.ReplicatedEngine(metaTable, "MergeTree") + `
ORDER BY (schema_version, time)
COMMENT 'Migrations of the schema: each when it began and when it was done.'`
}

// table plans the changes of a table that is there.
func (p *planner) table(t *schema.Table, have *table) error {
	if engine, _, _ := strings.Cut(p.opt.EngineOf(t), "("); !strings.HasSuffix(have.engine, engine) {
		p.conflict(t, "engine", have.engine, engine)
		return nil
	}
	e, err := p.expressions(t, have)
	if err != nil {
		return err
	}
	p.tableSettings(t, have)
	p.renames(t, have, e)
	p.columns(t, have, e)
	p.indexes(t, have, e)
	switch {
	case e.ttl == have.ttl:
	case e.ttl == "":
		p.alter(t, p.kept(t)+" (was: "+have.ttl+")", "REMOVE TTL")
	default:
		p.alter(t, p.kept(t)+" (was: "+orNone(have.ttl)+")", "MODIFY TTL %s SETTINGS %s", e.ttl, background)
	}
	if have.comment != t.Doc {
		p.alter(t, "comment", "MODIFY COMMENT %s", schema.Quote(t.Doc))
	}
	return nil
}

// kept says how long the table's rows stay, and where.
func (p *planner) kept(t *schema.Table) string {
	s := "keep rows for ever"
	if days := p.opt.TTLDaysOf(t); days > 0 {
		s = fmt.Sprintf("keep rows for %d days", days)
		if p.opt.KeeperDeletes && schema.IsKept(t.Name) {
			s += ", or as rules and holds say; the keeper deletes them"
		}
	}
	if c := p.opt.Cold; c.Volume != "" && schema.IsKept(t.Name) {
		s += fmt.Sprintf(", on volume %s after %d", c.Volume, c.Days)
	}
	return s
}

// expressions are a declared table's, as ClickHouse prints them.
type expressions struct {
	ttl string
	// aliases are those of its computed columns, by name.
	aliases map[string]string
}

// expressions checks the keys and has ClickHouse print the others its way.
func (p *planner) expressions(t *schema.Table, have *table) (expressions, error) {
	e := expressions{aliases: map[string]string{}}
	statements := []string{
		"SELECT " + t.PartitionBy, "SELECT " + have.partitionKey,
		"SELECT " + t.OrderBy, "SELECT (" + have.sortingKey + ")",
	}
	ttl := t.TTLSQL(p.opt)
	if ttl != "" {
		statements = append(statements, ttlAlone+ttl)
	}
	for _, c := range t.Columns {
		if c.Alias != "" {
			statements = append(statements, "SELECT "+c.Alias)
		}
	}
	n, err := normalise(p.ctx, p.db, statements)
	if err != nil {
		return e, err
	}
	if n[0] != n[1] {
		p.conflict(t, "partition key", have.partitionKey, t.PartitionBy)
	}
	if n[2] != n[3] {
		p.conflict(t, "sorting key", "("+have.sortingKey+")", t.OrderBy)
	}
	n = n[4:]
	if ttl != "" {
		e.ttl, n = strings.TrimSuffix(strings.TrimPrefix(n[0], ttlPrinted), ")"), n[1:]
	}
	for _, c := range t.Columns {
		if c.Alias != "" {
			e.aliases[c.Name], n = strings.TrimPrefix(n[0], "SELECT "), n[1:]
		}
	}
	return e, nil
}

func (p *planner) tableSettings(t *schema.Table, have *table) {
	for _, s := range p.opt.SettingsOf(t) {
		was := have.settings[s.Name]
		switch {
		case was == s.Value:
		case slices.Contains(fixedSettings, s.Name):
			p.steps.Notes = append(p.steps.Notes, fmt.Sprintf("table %s keeps %s = %s, as it was created; a new table would have %s",
				t.Name, s.Name, orNone(was), s.Value))
		default:
			p.alter(t, fmt.Sprintf("setting %s (was: %s)", s.Name, orNone(was)), "MODIFY SETTING %s = %s", s.Name, s.Value)
		}
	}
}

func (p *planner) columns(t *schema.Table, have *table, e expressions) {
	after := "FIRST"
	for _, c := range t.Columns {
		was, ok := have.column(c.Name)
		if !ok {
			p.alter(t, "column "+c.Name+": "+c.Doc, "ADD COLUMN IF NOT EXISTS %s %s SETTINGS %s", c.Definition(), after, schema.QuerySettings)
			p.columnsChanged = true
		} else {
			p.column(t, c, was, e)
		}
		after = "AFTER `" + c.Name + "`"
	}
}

func (p *planner) column(t *schema.Table, c schema.Column, was column, e expressions) {
	if (c.Alias == "") != (was.alias == "") {
		p.conflict(t, "column "+c.Name, kind(was.alias), kind(c.Alias))
		return
	}
	if e.aliases[c.Name] != was.alias {
		p.alter(t, "column "+c.Name+": computed another way", "MODIFY COLUMN `%s` %s ALIAS %s", c.Name, c.SQLType(), c.Alias)
		p.columnsChanged = true
	}
	if typ := c.SQLType(); was.typ != typ {
		if was.key || !widens(was.typ, typ) {
			p.conflict(t, "type of column "+c.Name, was.typ, typ)
			return
		}
		p.alter(t, fmt.Sprintf("column %s: %s was %s; stored rows are rewritten in the background", c.Name, typ, was.typ),
			"MODIFY COLUMN `%s` %s SETTINGS %s, %s", c.Name, typ, schema.QuerySettings, background)
		p.columnsChanged = true
	}
	if codec := "CODEC(" + c.CodecSQL() + ")"; c.Alias == "" && was.codec != codec {
		p.alter(t, fmt.Sprintf("column %s: %s was %s; new parts have it", c.Name, codec, orNone(was.codec)),
			"MODIFY COLUMN `%s` %s SETTINGS %s", c.Name, codec, schema.QuerySettings)
	}
	if was.comment != c.Doc {
		p.alter(t, "column "+c.Name+": comment", "COMMENT COLUMN `%s` %s", c.Name, schema.Quote(c.Doc))
	}
}

// kind says what a column with that expression is.
func kind(alias string) string {
	if alias == "" {
		return "stored"
	}
	return "computed"
}

func (p *planner) indexes(t *schema.Table, have *table, e expressions) {
	for _, c := range t.Columns {
		want, name, over := c.IndexDefinition(), c.IndexName(), c.Name
		if c.Alias != "" {
			over = e.aliases[c.Name]
		}
		was, ok := have.indexes[name]
		switch {
		case want == "" && ok:
			p.alter(t, "column "+c.Name+": its index is no longer wanted", "DROP INDEX IF EXISTS %s SETTINGS %s", name, background)
		case want == "":
		case !ok:
			p.alter(t, "column "+c.Name+": index; stored rows are indexed in the background",
				"ADD %s, MATERIALIZE INDEX %s SETTINGS %s", want, name, background)
		case was.typ != c.Index || strings.Trim(was.expr, "`") != over || was.granularity != 1:
			p.alter(t, fmt.Sprintf("column %s: index was %s; stored rows are indexed anew in the background", c.Name, was.typ),
				"DROP INDEX %s, ADD %s, MATERIALIZE INDEX %s SETTINGS %s", name, want, name, background)
		}
	}
}

func (p *planner) alter(t *schema.Table, reason, format string, args ...any) {
	p.steps.add("table "+t.Name+", "+reason, "ALTER TABLE %s %s", p.opt.Target(p.opt.LocalName(t.Name)), fmt.Sprintf(format, args...))
}

func (p *planner) conflict(t *schema.Table, what, actual, desired string) {
	p.conflicts = append(p.conflicts, &ConflictError{Node: p.actual.node, Database: p.database, Table: t.Name, What: what, Actual: actual, Desired: desired})
}

func qualified(database, table string) string { return "`" + database + "`.`" + table + "`" }

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
