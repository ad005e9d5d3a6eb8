package query_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
)

// explained writes the findings of every call of a capture, oldest first.
func explained(t *testing.T, l *lake) string {
	t.Helper()
	var b strings.Builder
	r, err := l.Calls(t.Context(), query.CallsRequest{From: capturedFrom, To: capturedTo, Limit: 1000, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Calls {
		f := l.flow(t, query.FlowRequest{ID: c.CallIDs[0], Media: true, Events: true})
		fmt.Fprintf(&b, "%s %s %s %d\n", c.CallIDs[0], c.Method, c.Outcome, c.FinalStatus)
		for _, finding := range f.Findings {
			var shown []string
			for _, i := range finding.Items {
				shown = append(shown, f.Items[i].Label)
			}
			if len(shown) > 6 {
				shown = append(shown[:6], "…")
			}
			fmt.Fprintf(&b, "  %s %s: %s\n    [%s]\n", finding.Severity, finding.Code, finding.Text, strings.Join(shown, " | "))
		}
	}
	return b.String()
}

// TestFindingsOfCaptures holds the explanations of real calls against golden
// files, which were read one by one beside the captures' README. UPDATE=1 writes
// them anew.
func TestFindingsOfCaptures(t *testing.T) {
	for _, capture := range []string{failures, lossy, dialogs, twoLegs, registers, withMedia, b2b, "kamailio-hep3-sip-tcp-a", "kamailio-hep3-sip-tls-baresip-a", "kamailio-hep3-sip-websocket-jssip-a", "kamailio-hep3-udp-rfc4475-torture-a"} {
		t.Run(capture, func(t *testing.T) {
			got := explained(t, open(t, capture))
			path := filepath.Join("testdata", "findings", capture+".txt")
			if os.Getenv("UPDATE") != "" {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestAliasesInFlows opens a store with names for addresses.
func TestAliasesInFlows(t *testing.T) {
	l := open(t, failures)
	names, err := query.ParseAliases([]string{"127.0.0.1:5060=sbc", "127.0.0.1:5080=gateway", "127.0.0.1:5081=gateway"})
	if err != nil {
		t.Fatal(err)
	}
	s := l.store(t, l.URL, query.Options{Aliases: names})
	f, err := s.Flow(t.Context(), query.FlowRequest{ID: "1-15155@127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range f.Participants {
		got = append(got, p.Alias+" "+p.Address)
	}
	wantLines(t, got, []string{" 127.0.0.1:5070", "sbc 127.0.0.1:5060", "gateway 127.0.0.1:5080"})
	if text := f.Findings[0].Text; !strings.HasPrefix(text, "gateway (sipp-3.6.1 lab-uas) answered the INVITE of sbc with 486 Busy Here") {
		t.Errorf("finding %q", text)
	}
}
