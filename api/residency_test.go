package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
)

// TestNoExportOfWhatStays refuses every kind of export of a tenant whose records
// stay where they are, and no other's.
func TestNoExportOfWhatStays(t *testing.T) {
	l, data := openRows(t, Rows{}, "kamailio-hep3-two-legs-topoh-xcid-a")
	const id = "1-16207@127.0.0.1"
	store, err := query.Open(t.Context(), query.Options{URL: data.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	window := "from=" + data.From.Format("2006-01-02T15:04:05Z") + "&to=" + data.To.Format("2006-01-02T15:04:05Z")
	paths := []string{
		"/api/v3/export/call/" + id + "/pcap",
		"/api/v3/export/call/" + id + "/text?anonymise=true",
		"/api/v1/export?format=json&" + window,
		"/api/v1/rows/sip?format=csv&" + window,
		"/api/v1/rows/calls?format=jsonl&columns=start&" + window,
	}
	rows := Rows{Database: data.Name}
	rows.ClickHouse = exporter(t, data.Name)
	staying := serve(t, Config{Store: store, Rows: &rows, NoExport: []string{"other", "default"}})
	free := serve(t, Config{Store: store, Rows: &rows, NoExport: []string{"other"}})
	for _, path := range paths {
		p := wantProblem(t, get(t, staying, path), http.StatusForbidden, "residency")
		if !strings.Contains(p.Detail, "tenant default") {
			t.Errorf("%s: %s", path, p.Detail)
		}
		for _, url := range []string{free, l.url} {
			if r := get(t, url, path); r.status != http.StatusOK {
				t.Errorf("%s of a tenant that may be exported: status %d: %.200s", path, r.status, r.body)
			}
		}
	}
	// To look at a call is no export.
	if r := get(t, staying, "/api/v3/call/transaction/"+id); r.status != http.StatusOK {
		t.Errorf("a call: status %d", r.status)
	}
}
