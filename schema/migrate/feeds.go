package migrate

import (
	"github.com/heplake/heplake/schema"
)

// planFeeds plans the materialized views that are missing or read otherwise. A
// query is changed in place, so that no block passes by unfed meanwhile.
func (p *planner) planFeeds() error {
	for _, f := range schema.Feeds() {
		have := p.actual.tables[f.Name]
		if have == nil {
			p.steps.add("feed "+f.Name+": "+f.Doc, "%s", f.CreateSQL(p.opt))
			continue
		}
		if have.engine != "MaterializedView" {
			p.conflicts = append(p.conflicts, &ConflictError{Database: p.database, Table: f.Name, What: "engine", Actual: have.engine, Desired: "MaterializedView"})
			continue
		}
		want, err := normalise(p.ctx, p.db, []string{f.Query(p.opt)})
		if err != nil {
			return err
		}
		if want[0] != have.asSelect {
			p.steps.add("feed "+f.Name+": its query changed", "ALTER TABLE %s MODIFY QUERY %s", p.name(f.Name), f.Query(p.opt))
		}
	}
	return nil
}
