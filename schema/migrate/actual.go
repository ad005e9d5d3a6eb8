package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/heplake/heplake/schema"
)

// table is a table or view as ClickHouse has it.
type table struct {
	engine string
	// engineSQL is the engine with its parameters.
	engineSQL string
	comment   string
	// partitionKey and sortingKey have no outer parentheses.
	partitionKey, sortingKey string
	// ttl is "" when rows stay for ever.
	ttl      string
	settings map[string]string
	// asSelect is the query of a view.
	asSelect string
	columns  []column
	indexes  map[string]index
}

type column struct {
	name, typ, codec, comment string
	// alias is the expression of a computed column, "" of a stored one.
	alias string
	// key: a part of the sorting, primary or partition key.
	key bool
}

type index struct {
	typ, expr   string
	granularity uint64
}

func (t *table) column(name string) (column, bool) {
	for _, c := range t.columns {
		if c.name == name {
			return c, true
		}
	}
	return column{}, false
}

// state is a database as ClickHouse has it on one node.
type state struct {
	// node is the node's address in a cluster, "" of the node that answers.
	node   string
	exists bool
	tables map[string]*table
}

// readState reads the database's state from the system tables of the node that
// answers.
func readState(ctx context.Context, db DB, database string) (state, error) {
	states, err := readStates(ctx, db, database, oneNode())
	if err != nil {
		return state{}, err
	}
	return *states[0], nil
}

// readStates reads the database's state on each of the nodes.
func readStates(ctx context.Context, db DB, database string, n nodes) ([]*state, error) {
	states := make([]*state, len(n.names))
	for i, name := range n.names {
		states[i] = &state{node: name, tables: map[string]*table{}}
	}
	lit := schema.Quote(database)
	err := each(ctx, db, "SELECT "+n.place+" FROM "+n.system("databases")+" WHERE name = "+lit+n.settings, func(scan scanFunc) error {
		s, err := n.state(states, scan)
		if s != nil {
			s.exists = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, db, "SELECT "+n.place+", name, engine, engine_full, comment, partition_key, sorting_key, as_select FROM "+n.system("tables")+" WHERE database = "+lit+n.settings,
		func(scan scanFunc) error {
			var name, full string
			t := &table{indexes: map[string]index{}}
			s, err := n.state(states, scan, &name, &t.engine, &full, &t.comment, &t.partitionKey, &t.sortingKey, &t.asSelect)
			if err != nil || s == nil {
				return err
			}
			clauses := splitEngine(full)
			t.engineSQL, t.ttl, t.settings = clauses[""], clauses["TTL"], splitSettings(clauses["SETTINGS"])
			s.tables[name] = t
			return nil
		})
	if err != nil {
		return nil, err
	}
	err = each(ctx, db, "SELECT "+n.place+`, table, name, type, compression_codec, comment,
	if(default_kind = 'ALIAS', default_expression, ''), is_in_partition_key OR is_in_sorting_key OR is_in_primary_key
FROM `+n.system("columns")+` WHERE database = `+lit+` ORDER BY table, position`+n.settings,
		func(scan scanFunc) error {
			var in string
			var c column
			s, err := n.state(states, scan, &in, &c.name, &c.typ, &c.codec, &c.comment, &c.alias, &c.key)
			if err != nil || s == nil {
				return err
			}
			if t := s.tables[in]; t != nil {
				t.columns = append(t.columns, c)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	err = each(ctx, db, "SELECT "+n.place+", table, name, type_full, expr, granularity FROM "+n.system("data_skipping_indices")+" WHERE database = "+lit+n.settings,
		func(scan scanFunc) error {
			var in, name string
			var i index
			s, err := n.state(states, scan, &in, &name, &i.typ, &i.expr, &i.granularity)
			if err != nil || s == nil {
				return err
			}
			if t := s.tables[in]; t != nil {
				t.indexes[name] = i
			}
			return nil
		})
	return states, err
}

// record is the newest row of the meta table.
type record struct {
	version      uint32
	hash, binary string
	// done: the migration went through; else it began and no more is known.
	done bool
}

// readRecord returns the newest record in the named table; the zero record when
// there is none.
func readRecord(ctx context.Context, db DB, name, settings string) (record, error) {
	var r record
	err := each(ctx, db, fmt.Sprintf("SELECT schema_version, schema_hash, binary_version, done FROM %s ORDER BY schema_version DESC, time DESC, done DESC LIMIT 1%s", name, settings),
		func(scan scanFunc) error { return scan(&r.version, &r.hash, &r.binary, &r.done) })
	return r, err
}

// normalise has ClickHouse print SELECT expressions its own way, so that two
// ways of writing the same expression compare equal.
func normalise(ctx context.Context, db DB, selects []string) ([]string, error) {
	if len(selects) == 0 {
		return nil, nil
	}
	lits := make([]string, len(selects))
	for i, s := range selects {
		lits[i] = schema.Quote(s)
	}
	var out []string
	err := each(ctx, db, "SELECT arrayMap(q -> formatQuerySingleLine(q), ["+strings.Join(lits, ", ")+"])",
		func(scan scanFunc) error { return scan(&out) })
	if err == nil && len(out) != len(selects) {
		err = fmt.Errorf("migrate: %d expressions came back for %d", len(out), len(selects))
	}
	return out, err
}

type scanFunc func(dest ...any) error

// each calls fn for each row of the query's result.
func each(ctx context.Context, db DB, query string, fn func(scan scanFunc) error) error {
	rows, err := db.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("migrate: read the present schema: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return fmt.Errorf("migrate: read the present schema: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("migrate: read the present schema: %w", err)
	}
	return nil
}
