// Package migrate brings a database to the schema that package schema declares.
//
// It keeps no list of steps. [Plan] reads what is there from ClickHouse's system
// tables, compares it with the declaration, and plans the statements between
// the two; [Apply] runs them. A database that is as declared needs none, so
// both can run at every start. When Apply fails half way, the next plan has the
// rest.
//
// Nothing that a user added is touched: tables, columns, indexes and settings
// that the declaration does not name stay. No statement removes rows, apart
// from the retention that the options ask for. A change that ClickHouse cannot
// make without copying a table (its keys), or that could lose values (most
// changes of type), is an error that says what differs.
package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DB is the part of a ClickHouse connection that migrate uses; driver.Conn of
// clickhouse-go satisfies it, on the native protocol and on HTTP. Every
// statement names its database, so the connection should name none: ClickHouse
// refuses a connection to a database that is yet to be created.
type DB interface {
	Exec(ctx context.Context, query string, args ...any) error
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Statement is one step of a plan.
type Statement struct {
	// SQL is complete: it can be run by hand as it stands.
	SQL string
	// Reason says in one line what it is for.
	Reason string
}

// Steps is a plan: what leads from a database as it is to the schema as declared.
type Steps struct {
	// Statements in the order in which they must run.
	Statements []Statement
	// Notes are differences that stay because ClickHouse cannot change them in
	// place and nothing breaks by them.
	Notes []string
	// Away says which nodes of a cluster did not answer: the plan is without them.
	Away []string

	// own is how many of the statements, the first, are about what a node has for
	// itself: the others may need that of all nodes.
	own int
}

// Empty says that the database is as declared.
func (s Steps) Empty() bool { return len(s.Statements) == 0 }

// String is the plan as an SQL script, each statement under its reason.
func (s Steps) String() string {
	var b strings.Builder
	for _, st := range s.Statements {
		fmt.Fprintf(&b, "-- %s\n%s;\n\n", st.Reason, st.SQL)
	}
	for _, n := range slices.Concat(s.Notes, s.Away) {
		fmt.Fprintf(&b, "-- note: %s\n", n)
	}
	return strings.TrimRight(b.String(), "\n")
}

// add adds a statement, unless it is there already for another node.
func (s *Steps) add(reason, format string, args ...any) {
	sql := fmt.Sprintf(format, args...)
	if !slices.ContainsFunc(s.Statements, func(st Statement) bool { return st.SQL == sql }) {
		s.Statements = append(s.Statements, Statement{SQL: sql, Reason: reason})
	}
}

// Apply runs the plan's statements in order and stops at the first that fails.
// What ran stays: plan again to get the rest.
func Apply(ctx context.Context, db DB, s Steps) error {
	return s.apply(ctx, db, 0, len(s.Statements))
}

// ApplyAll runs the plans of several nodes, each on its own: first what each node
// has for itself, and when that is everywhere what stands for all of them.
func ApplyAll(ctx context.Context, dbs []DB, plans []Steps) error {
	for i, s := range plans {
		if err := s.apply(ctx, dbs[i], 0, s.own); err != nil {
			return err
		}
	}
	for i, s := range plans {
		if err := s.apply(ctx, dbs[i], s.own, len(s.Statements)); err != nil {
			return err
		}
	}
	return nil
}

func (s Steps) apply(ctx context.Context, db DB, from, to int) error {
	for i := from; i < to; i++ {
		if err := db.Exec(ctx, s.Statements[i].SQL); err != nil {
			return fmt.Errorf("migrate: step %d of %d (%s): %w", i+1, len(s.Statements), s.Statements[i].Reason, err)
		}
	}
	return nil
}
