package archive

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/schema"
	"github.com/heplake/heplake/schema/migrate"
)

// TestSQLOverTheFiles runs the view of docs/storage.md on an engine of its own:
// over files alone, by the function and by the view.
func TestSQLOverTheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clickhouse")
	engine := chtest.StartEngine(t, embedded.Config{Dir: dir})
	db := chtest.Dial(t, strings.TrimSuffix(engine.URL(embedded.Owner), "/"+embedded.Database))
	steps, err := migrate.Plan(t.Context(), db, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Apply(t.Context(), db, steps); err != nil {
		t.Fatal(err)
	}
	exec := func(sql string) {
		t.Helper()
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("INSERT INTO heplake.sip (time, tenant, correlation_id, method, src_ip) SELECT now64(6) - toIntervalDay(2), 'acme', toString(number), 'INVITE', toIPv6('10.0.0.1') FROM numbers(300)")
	a, err := Open(Options{URL: engine.URL(embedded.Owner), Dir: filepath.Join(t.TempDir(), "archive"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	days, err := a.Pending(t.Context(), "sip", tomorrow())
	if err != nil || len(days) != 1 {
		t.Fatalf("%v, %v", days, err)
	}
	if _, err := a.Put(t.Context(), "sip", days[0]); err != nil {
		t.Fatal(err)
	}
	exec("TRUNCATE TABLE heplake.sip")
	page, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "storage.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, view, ok := strings.Cut(string(page), "CREATE VIEW heplake.archived_sip")
	if !ok {
		t.Fatal("docs/storage.md has no view over the archive")
	}
	view, _, _ = strings.Cut(view, ";\n")
	if !strings.Contains(view, "'/archive/heplake/") {
		t.Fatal("the view is not over /archive")
	}
	exec("CREATE VIEW heplake.archived_sip" + strings.Replace(view, "'/archive/", "'"+a.dir+"/", 1))
	reader := chtest.Dial(t, engine.URL(embedded.Reader))
	for _, sql := range []string{
		"SELECT count() FROM file('" + a.dir + "/heplake/sip/" + days[0] + "/*/*.parquet') WHERE tenant = 'acme'",
		"SELECT count() FROM heplake.archived_sip WHERE method = 'INVITE' AND toString(src_ip) = '::ffff:10.0.0.1' AND toDate(time) = '" + days[0] + "'",
	} {
		var n uint64
		if err := db.QueryRow(t.Context(), sql).Scan(&n); err != nil || n != 300 {
			t.Errorf("%s: %d, %v", sql, n, err)
		}
		// Files are its owner's, the view everybody's.
		if err := reader.QueryRow(t.Context(), sql).Scan(&n); (err == nil) != strings.Contains(sql, "archived_sip") {
			t.Errorf("%s as a reader: %v", sql, err)
		}
	}
}
