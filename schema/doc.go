package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Markdown documents every table and view: docs/tables.md is what it returns.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Tables\n\nDatabase `heplake`. Times are UTC with microseconds; an IPv4 address is mapped (`::ffff:10.0.0.1`), `::` is an address that the sender did not give.\n")
	for _, t := range slices.Concat(Tables(), Derived()) {
		fmt.Fprintf(&b, "\n## %s\n\n%s %s Partitions: `%s`; order: `%s`.\n\n| column | type | |\n|---|---|---|\n", t.Name, t.Doc, t.keptDoc(), t.PartitionBy, t.OrderBy)
		for _, c := range t.Columns {
			doc := c.Doc
			if c.Alias != "" {
				doc += " Computed when it is read: `SELECT *` leaves it out, and nothing is inserted into it."
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.SQLType(), doc)
		}
	}
	for _, v := range Views() {
		fmt.Fprintf(&b, "\n## %s\n\n%s A view.\n\n| column | type | |\n|---|---|---|\n", v.Name, v.Doc)
		for _, c := range v.Columns {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.SQLType(), c.Doc)
		}
	}
	return b.String()
}
