package schema_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

// TestCookbookRuns runs every query of docs/sql.md.
func TestCookbookRuns(t *testing.T) {
	page, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	address := chtest.Database(t)
	db, name := chtest.Dial(t, address), chtest.Name(t, address)
	o := schema.Options{Database: name}
	for _, table := range slices.Concat(schema.Tables(), schema.Derived()) {
		if err := db.Exec(t.Context(), table.CreateSQL(o)); err != nil {
			t.Fatal(err)
		}
	}
	for _, view := range schema.Views() {
		if err := db.Exec(t.Context(), view.CreateSQL(o)); err != nil {
			t.Fatal(err)
		}
	}
	_, code, _ := strings.Cut(string(page), "```sql")
	code, _, _ = strings.Cut(code, "```")
	n := 0
	for query := range strings.SplitSeq(code, ";") {
		if strings.TrimSpace(query) == "" {
			continue
		}
		n++
		if err := db.Exec(t.Context(), strings.ReplaceAll(query, "heplake.", "`"+name+"`.")); err != nil {
			t.Errorf("%v\n%s", err, query)
		}
	}
	if n < 7 {
		t.Errorf("only %d queries found on the page", n)
	}
}
