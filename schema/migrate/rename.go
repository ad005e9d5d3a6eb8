package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/heplake/heplake/schema"
)

// renames plans that stored columns get new names where their old ones become
// those of computed columns. One statement does it all, and adds the columns that
// the computed ones need: readers and feeds find every name at every moment, and
// a migration that is broken off leaves either state and none between.
//
// It notes in have what the statement makes.
func (p *planner) renames(t *schema.Table, have *table, e expressions) {
	var commands, names []string
	for _, c := range t.Columns {
		i := slices.IndexFunc(have.columns, func(was column) bool { return was.name == c.Was && was.alias == "" })
		if _, there := have.column(c.Name); c.Was == "" || i < 0 || there {
			continue
		}
		if c.BlockBytes > 0 { // not to be seen in the system tables: before the name changes
			p.alter(t, "column "+c.Was+": how much of it is compressed together", "MODIFY COLUMN `%s` MODIFY SETTING %s", c.Was, c.BlockSettings())
		}
		if index := (schema.Column{Name: c.Was}).IndexName(); have.indexes[index].typ != "" {
			commands = append(commands, "DROP INDEX "+index)
			delete(have.indexes, index) // it is over the old name
		}
		commands = append(commands, fmt.Sprintf("RENAME COLUMN `%s` TO `%s`", c.Was, c.Name))
		names = append(names, c.Was+" is now "+c.Name)
		have.columns[i].name = c.Name
	}
	if commands == nil {
		return
	}
	after := "FIRST"
	for _, c := range t.Columns {
		if _, there := have.column(c.Name); !there {
			commands = append(commands, "ADD COLUMN "+c.Definition()+" "+after)
			have.columns = append(have.columns, made(c, e))
		}
		after = "AFTER `" + c.Name + "`"
	}
	p.alter(t, "columns: "+strings.Join(names, ", ")+", and the old names are computed of them", "%s SETTINGS %s, %s",
		strings.Join(commands, ", "), schema.QuerySettings, background)
	p.columnsChanged = true
}

// made is a declared column as ClickHouse has it once it is added.
func made(c schema.Column, e expressions) column {
	out := column{name: c.Name, typ: c.SQLType(), comment: c.Doc, alias: e.aliases[c.Name]}
	if c.Alias == "" {
		out.codec = "CODEC(" + c.CodecSQL() + ")"
	}
	return out
}
