package archive

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
)

// TestSQLOverTheFiles runs the view of docs/storage.md and the function under it
// over files alone, as the owner and as a reader.
func TestSQLOverTheFiles(t *testing.T) {
	w := open(t, 0)
	var want uint64
	if err := w.lake.DB.QueryRow(t.Context(), "SELECT count() FROM sip").Scan(&want); err != nil {
		t.Fatal(err)
	}
	w.putAll(t)
	w.exec(t, "TRUNCATE TABLE sip")
	page, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "storage.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, view, ok := strings.Cut(string(page), "CREATE VIEW heplake.archived_sip")
	if !ok || !strings.Contains(view, "'/archive/heplake/") {
		t.Fatal("docs/storage.md has no view over /archive/heplake")
	}
	view, _, _ = strings.Cut(view, ";\n")
	folder := w.dir + "/" + w.lake.Name
	w.exec(t, "CREATE VIEW archived_sip"+strings.Replace(view, "'/archive/heplake/", "'"+folder+"/", 1))
	u, err := url.Parse(chtest.Server(t).URL(embedded.Reader))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + w.lake.Name
	reader := chtest.Dial(t, u.String())
	for _, sql := range []string{
		"SELECT count() FROM file('" + folder + "/sip/*/*/*.parquet') WHERE length(raw) > 0",
		"SELECT count() FROM archived_sip WHERE raw != '' AND src_ip != toIPv6('::') AND toYear(time) > 2000",
	} {
		var n uint64
		if err := w.lake.DB.QueryRow(t.Context(), sql).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d of %d, %v", sql, n, want, err)
		}
		// Files are their owner's, the view everybody's.
		if err := reader.QueryRow(t.Context(), sql).Scan(&n); (err == nil) != strings.Contains(sql, "archived_sip") {
			t.Errorf("%s as a reader: %v", sql, err)
		}
	}
}
