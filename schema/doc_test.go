package schema

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/tables.md")

func TestTablesPageIsTrue(t *testing.T) {
	const path = "../docs/tables.md"
	if *update {
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Markdown() {
		t.Error("docs/tables.md differs from the declaration: go test ./schema -run TablesPage -update")
	}
}
