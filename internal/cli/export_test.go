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

	"github.com/heplake/heplake/query"
)

// file answers with a file, as the API's export does.
func file(content, name, cut string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
		if cut != "" {
			w.Header().Set("X-Heplake-Truncated", cut)
		}
		_, _ = w.Write([]byte(content))
	}
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	api, client := serve(t, map[string]http.HandlerFunc{
		"/api/v3/export/call/a@b/pcap":   file("PCAP", "a@b.pcap", ""),
		"/api/v3/export/call/a@b/pcapng": file("PCAPNG", "a@b.pcapng", "messages: only the first 3 are shown"),
		"/api/v3/export/call/a@b/sipp":   file("TAR", "../../evil.sipp.tar", ""),
		"/api/v3/export/call/c%2Fd/sipp": reject(422, `{"type":"urn:heplake:problem:no-scenario","title":"No scenario","status":422,"detail":"no SIPp scenario can be made"}`),
		"/api/v1/export":                 file("ALL", "calls.json", "more calls match than the 2 exported"),
		"/api/v1/calls":                  reply(CallsAnswer{Calls: []query.Call{{CallIDs: []string{"a@b"}}, {CallIDs: []string{"c/d"}}, {CallIDs: []string{"a@b"}}}, Truncated: true}),
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		o       ExportOptions
		width   int    // of the terminal
		wrote   string // name and content, or the output alone
		remarks string
		asked   string // what the last request holds
		err     string
	}{
		{name: "one to the output", o: ExportOptions{CallID: "a@b"}, wrote: "PCAP", asked: "/api/v3/export/call/a@b/pcap"},
		{name: "by the file's name", o: ExportOptions{CallID: "a@b", File: path("x.PCAPNG")}, wrote: "x.PCAPNG: PCAPNG", remarks: "not the whole call: messages: only the first 3 are shown"},
		{name: "into a folder, whatever the server calls it", o: ExportOptions{CallID: "a@b", Format: "sipp", File: path("new") + "/", Leg: "B", MaxPause: time.Second}, wrote: "new/evil.sipp.tar: TAR", asked: "leg=B&max_pause=1s"},
		{name: "anonymised", o: ExportOptions{CallID: "a@b", Anonymise: true, Key: "k"}, wrote: "PCAP", asked: "anonymise=true&key=k"},
		{name: "in a zone", o: ExportOptions{CallID: "a@b", Zone: time.FixedZone("+02:00", 7200)}, wrote: "PCAP", asked: "tz=%2B02%3A00"},
		{name: "all in a file", o: ExportOptions{Search: true, Filter: "status = 486", Since: "1h", Limit: 2, Now: now, File: path("all.json")}, wrote: "all.json: ALL",
			asked: "filter=status+%3D+486&format=json&from=2026-11-21T11%3A00%3A00Z&limit=2", remarks: "not everything: more calls match than the 2 exported; narrow the search or raise --limit"},
		{name: "each in a file", o: ExportOptions{Search: true, Format: "sipp", File: path("each") + "/"}, wrote: "each/evil.sipp-2.tar: TAR",
			remarks: "export of \"c/d\": no SIPp scenario can be made; left out\n2 calls written to " + path("each") + "/\nmore calls match: narrow the search or raise --limit"},
		{name: "binary on a terminal", o: ExportOptions{CallID: "a@b"}, width: 80, err: "is nothing to look at"},
		{name: "unknown format", o: ExportOptions{CallID: "a@b", Format: "mp3"}, err: `--format "mp3": want pcap, pcapng, text, json, sipp, svg, html`},
		{name: "no call", o: ExportOptions{}, err: "which Call-ID?"},
		{name: "both", o: ExportOptions{CallID: "a", Search: true}, err: "exclude each other"},
		{name: "key alone", o: ExportOptions{CallID: "a", Key: "k"}, err: "--key goes with --anonymise"},
		{name: "many scenarios in a file", o: ExportOptions{Search: true, Format: "sipp"}, err: "--format sipp holds one call"},
		{name: "not there", o: ExportOptions{CallID: "nosuch"}, err: `no call with Call-ID "nosuch"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			tt.o.Client = client
			err := Export(t.Context(), Display{Out: &out, Err: &errs, Width: tt.width}, tt.o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || errors.Is(err, ErrNotFound) != (tt.name == "not there") {
					t.Errorf("error is %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if name, _, ok := strings.Cut(tt.wrote, ": "); ok {
				b, err := os.ReadFile(path(name))
				if err != nil {
					t.Fatal(err)
				}
				got = name + ": " + string(b)
			}
			if got != tt.wrote {
				t.Errorf("wrote %q, want %q", got, tt.wrote)
			}
			if tt.remarks != "" && strings.TrimSpace(errs.String()) != tt.remarks {
				t.Errorf("remarks are %q, want %q", errs.String(), tt.remarks)
			}
			if last := api.requests[len(api.requests)-1].String(); !strings.Contains(last, tt.asked) {
				t.Errorf("asked for %s, want %s", last, tt.asked)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".heplake-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
