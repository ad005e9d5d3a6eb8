package migrate

import (
	"slices"

	"github.com/heplake/heplake/schema"
)

// view is a view as it should be. Its columns must not be of a type that needs
// schema.QuerySettings, LowCardinality(IPv6) that is: CREATE VIEW takes no
// settings but those of its SELECT, which every reader would then have to be
// allowed to change.
type view struct {
	name, doc string
	// query is the SELECT, tables qualified by their database.
	query string
}

// declaredViews lists the declared views, each after those that it reads.
func declaredViews(o schema.Options) []view {
	var out []view
	for _, v := range schema.Views() {
		out = append(out, view{name: v.Name, doc: v.Doc, query: v.Query(o)})
	}
	return out
}

// planViews plans the views that are missing, that read otherwise, or whose
// columns are no longer those of their query.
func (p *planner) planViews() error {
	for _, v := range p.views {
		have := p.actual.tables[v.name]
		switch {
		case have == nil:
			p.createView(v, "new")
			continue
		case have.engine != "View":
			p.conflicts = append(p.conflicts, &ConflictError{Database: p.database, Table: v.name, What: "engine", Actual: have.engine, Desired: "View"})
			continue
		case p.columnsChanged:
			p.createView(v, "the tables' columns changed")
			continue
		}
		want, err := normalise(p.ctx, p.db, []string{v.query})
		if err != nil {
			return err
		}
		if want[0] != have.asSelect {
			p.createView(v, "its query changed")
			continue
		}
		columns, err := describe(p.ctx, p.db, v.query)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(columns, have.columns, func(a, b column) bool { return a.name == b.name && a.typ == b.typ }) {
			p.createView(v, "the tables' columns changed")
		} else if have.comment != v.doc {
			p.createView(v, "comment")
		}
	}
	return nil
}

func (p *planner) createView(v view, reason string) {
	p.steps.add("view "+v.name+", "+reason+": "+v.doc, "CREATE OR REPLACE VIEW %s AS\n%s\nCOMMENT %s", p.name(v.name), v.query, schema.Quote(v.doc))
}
