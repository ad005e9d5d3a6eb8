package migrate

import (
	"slices"
	"time"

	"github.com/heplake/heplake/schema"
)

// planFeeds plans the materialized views that are missing or read otherwise. A
// query is changed in place, so that no block passes by unfed meanwhile.
func (p *planner) planFeeds() (fresh []*schema.Feed, err error) {
	err = p.eachNode(func() error {
		fresh, err = p.nodeFeeds(fresh)
		return err
	})
	if p.interrupted {
		fresh = schema.Feeds() // some days may have been missed
	}
	return fresh, err
}

// nodeFeeds adds to fresh the feeds that are new to the node.
func (p *planner) nodeFeeds(fresh []*schema.Feed) ([]*schema.Feed, error) {
	for _, f := range schema.Feeds() {
		have := p.actual.tables[f.Name]
		if have == nil {
			p.steps.add("feed "+f.Name+": "+f.Doc, "%s", f.CreateSQL(p.opt))
			if !slices.Contains(fresh, f) {
				fresh = append(fresh, f)
			}
			continue
		}
		if have.engine != "MaterializedView" {
			p.conflicts = append(p.conflicts, &ConflictError{Node: p.actual.node, Database: p.database, Table: f.Name, What: "engine", Actual: have.engine, Desired: "MaterializedView"})
			continue
		}
		want, err := normalise(p.ctx, p.db, []string{f.Query(p.opt)})
		if err != nil {
			return nil, err
		}
		if want[0] != have.asSelect {
			p.steps.add("feed "+f.Name+": its query changed", "ALTER TABLE %s MODIFY QUERY %s", p.opt.Target(f.Name), f.Query(p.opt))
		}
	}
	for _, name := range schema.RetiredFeeds {
		if have := p.actual.tables[name]; have != nil && have.engine == "MaterializedView" {
			p.steps.add("feed "+name+": no longer wanted", "DROP VIEW IF EXISTS %s SYNC", p.opt.Target(name))
		}
	}
	for _, name := range schema.RetiredTables {
		if p.actual.tables[name] != nil {
			p.steps.Notes = append(p.steps.Notes, "table "+name+" is not used any more: it empties itself as its rows expire, or may be dropped")
		}
	}
	return fresh, nil
}

// planDigests plans that the assembler makes the digests of what was stored before
// there were any, and what tables ids and users say of it. Making them again does no
// harm.
func (p *planner) planDigests() error {
	if p.anywhere(p.opt.LocalName(schema.LegDigests.Name)) && !p.interrupted {
		return nil
	}
	for _, source := range []string{schema.SIP.Name, schema.Media.Name} {
		if !p.anywhere(p.opt.LocalName(source)) {
			continue
		}
		rows, settings := uint64(0), "\nSETTINGS"
		if p.nodes.settings != "" {
			settings = p.nodes.settings + ","
		}
		parts := "FROM " + p.nodes.system("parts") + " WHERE active AND rows > 0 AND database = " + schema.Quote(p.database) + " AND table = " + schema.Quote(p.opt.LocalName(source))
		if err := each(p.ctx, p.db, "SELECT count() "+parts+p.nodes.settings, func(scan scanFunc) error { return scan(&rows) }); err != nil {
			return err
		}
		if rows > 0 {
			p.steps.add("the days of "+source+" whose digests the assembler is to make, in the background",
				"INSERT INTO %s (source, day, time, done) SELECT DISTINCT %s, toDate(partition), now64(6), 0 %s%s %s", qualified(p.database, schema.Backfill.Name), schema.Quote(source), parts,
				settings, schema.DistributedSettings)
		}
	}
	return nil
}

// planUsers adds to the feeds what fills table users, where there are digests already.
func (p *planner) planUsers(feeds []*schema.Feed) []*schema.Feed {
	if p.anywhere(p.opt.LocalName(schema.LegDigests.Name)) && !p.anywhere(p.opt.LocalName(schema.Users.Name)) {
		return append(feeds, &schema.UsersOfMessages)
	}
	return feeds
}

// planBackfill plans to feed what was stored before there were these feeds, the
// newest day first. What one feed gives to another's source comes by itself.
func (p *planner) planBackfill(feeds []*schema.Feed) error {
	now := time.Now()
	for _, t := range schema.Tables() {
		if !p.anywhere(p.opt.LocalName(t.Name)) || !slices.ContainsFunc(feeds, func(f *schema.Feed) bool { return f.From == t.Name }) {
			continue
		}
		var days []string
		err := each(p.ctx, p.db, "SELECT DISTINCT partition FROM "+p.nodes.system("parts")+" WHERE active AND rows > 0 AND database = "+schema.Quote(p.database)+
			" AND table = "+schema.Quote(p.opt.LocalName(t.Name))+" ORDER BY partition DESC"+p.nodes.settings, func(scan scanFunc) error {
			var day string
			err := scan(&day)
			days = append(days, day)
			return err
		})
		if err != nil {
			return err
		}
		for _, day := range days {
			for _, f := range feeds {
				if f.From == t.Name {
					p.steps.add("feed "+f.Name+": what "+t.Name+" has of "+day, "%s", f.BackfillSQL(p.opt, day, now))
				}
			}
		}
	}
	return nil
}
