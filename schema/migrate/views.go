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
	// declared is the view as declared; nil has ClickHouse find its columns.
	declared *schema.View
}

// declaredViews lists the declared views, each after those that it reads.
func declaredViews(o schema.Options) []view {
	var out []view
	for _, v := range schema.Views() {
		out = append(out, view{o.LocalName(v.Name), v.Doc, v.Query(o), v})
	}
	return out
}

// planViews plans the views that are missing or read otherwise, and all of them
// when columns changed: a view keeps the types that it had when it was made.
func (p *planner) planViews() error { return p.eachNode(p.nodeViews) }

func (p *planner) nodeViews() error {
	for _, v := range p.views {
		have := p.actual.tables[v.name]
		switch {
		case have == nil:
			p.createView(v, "new")
			continue
		case have.engine != "View":
			p.conflicts = append(p.conflicts, &ConflictError{Node: p.actual.node, Database: p.database, Table: v.name, What: "engine", Actual: have.engine, Desired: "View"})
			continue
		case p.columnsChanged:
			p.createView(v, "columns that it reads may have changed")
			continue
		}
		want, err := normalise(p.ctx, p.db, []string{v.query})
		if err != nil {
			return err
		}
		switch {
		case want[0] != have.asSelect:
			p.createView(v, "its query changed")
		case have.comment != v.doc || v.commentsDiffer(have):
			p.createView(v, "comment")
		}
	}
	return nil
}

// commentsDiffer tells whether a column lacks what is declared to be said of it.
func (v view) commentsDiffer(have *table) bool {
	return v.declared != nil && slices.ContainsFunc(v.declared.Columns, func(c schema.Column) bool {
		was, ok := have.column(c.Name)
		return !ok || was.comment != c.Doc
	})
}

func (p *planner) createView(v view, reason string) {
	p.made[v.name] = true
	reason = "view " + v.name + ", " + reason + ": " + v.doc
	if v.declared != nil {
		p.steps.add(reason, "%s", v.declared.CreateSQL(p.opt))
		return
	}
	p.steps.add(reason, "CREATE OR REPLACE VIEW %s AS\n%s\nCOMMENT %s", p.opt.Target(v.name), v.query, schema.Quote(v.doc))
}
