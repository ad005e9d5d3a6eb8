package cli

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRowFormat(t *testing.T) {
	for _, test := range []struct{ asked, file, table, want string }{
		{"parquet", "", "", "parquet"},
		{"pcap", "x.parquet", "", ""},
		{"", "x.Parquet", "", "parquet"},
		{"", "x.arrows", "", "arrow"},
		{"", "x.csv", "", "csv"},
		{"", "x.jsonl", "", ""},
		{"", "x.jsonl", "sip", "jsonl"},
		{"", "", "sip", ""},
		{"", "x.pcap", "", ""},
	} {
		if got := RowFormat(test.asked, test.file, test.table); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func TestRows(t *testing.T) {
	dir := t.TempDir()
	answer := func(rows, cut, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Heplake-Rows", rows)
			if cut != "" {
				w.Header().Set("X-Heplake-Truncated", cut)
			}
			_, _ = w.Write([]byte(body))
		}
	}
	api, client := serve(t, map[string]http.HandlerFunc{
		"/api/v1/rows/calls":         answer("2", "", "a\n1\n2\n"),
		"/api/v1/rows/sip":           answer("5", "limit: there are more", "PAR1"),
		"/api/v1/rows/registrations": answer("0", "", "a\n"),
		"/api/v1/rows/events": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"/api/v1/rows/nothing": reject(404, `{"type":"urn:heplake:problem:no-route","title":"No such route","status":404}`),
		"/api/v1/rows/media":   reject(400, `{"type":"urn:heplake:problem:request","title":"Bad request","status":400,"detail":"media has no column \"x\""}`),
	})
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, test := range []struct {
		name  string
		o     RowsOptions
		width int
		out   string // of the output
		file  string // of the file
		says  string
		asked string
		err   string
	}{
		{name: "to the output", o: RowsOptions{Format: "csv", Since: "1h", Now: now, Filter: "status = 486", Columns: []string{"start", "outcome"}, Limit: 7}, out: "a\n1\n2\n",
			asked: "columns=start%2Coutcome&filter=status+%3D+486&format=csv&from=2026-11-21T11%3A00%3A00Z&limit=7"},
		{name: "to a file", o: RowsOptions{Format: "parquet", Table: "sip", File: path("x.parquet")}, file: "PAR1", says: "not everything: limit: there are more; narrow the search or raise --limit\n5 rows of sip written to"},
		{name: "none", o: RowsOptions{Format: "csv", Table: "registrations"}, out: "a\n", err: "no row matches"},
		{name: "broken off", o: RowsOptions{Format: "csv", Table: "events", File: path("half.csv")}, err: "broke off"},
		{name: "refused", o: RowsOptions{Format: "csv", Table: "media", Columns: []string{"x"}}, err: `media has no column "x"`},
		{name: "no such route", o: RowsOptions{Format: "csv", Table: "nothing"}, err: "gives no rows"},
		{name: "binary on a terminal", o: RowsOptions{Format: "arrow"}, width: 80, err: "is nothing to look at"},
		{name: "a folder", o: RowsOptions{Format: "csv", File: dir + "/"}, err: "one file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, said bytes.Buffer
			test.o.Client = client
			err := Rows(t.Context(), Display{Out: &out, Err: &said, Width: test.width}, test.o)
			if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Fatalf("%v, want %q", err, test.err)
			}
			if test.name == "none" && !errors.Is(err, ErrNotFound) {
				t.Errorf("%v is not ErrNotFound", err)
			}
			if out.String() != test.out || !strings.Contains(said.String(), test.says) {
				t.Errorf("wrote %q and said %q", out.String(), said.String())
			}
			if test.asked != "" && !strings.Contains(api.requests[len(api.requests)-1].String(), test.asked) {
				t.Errorf("asked %v, want %q in it", api.requests[len(api.requests)-1], test.asked)
			}
			if test.o.File == "" || strings.HasSuffix(test.o.File, "/") {
				return
			}
			b, err := os.ReadFile(test.o.File)
			if test.file != "" && string(b) != test.file || test.file == "" && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file has %q, %v", b, err)
			}
		})
	}
	left, err := filepath.Glob(path(".heplake-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}
