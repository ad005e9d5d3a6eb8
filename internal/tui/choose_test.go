package tui

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder/testflow"
)

// Calls are marked by Space, shown in one ladder by Enter, and saved in one file
// by F2. A mark outlives another filter.
func TestChoose(t *testing.T) {
	all := scenes(t)
	for _, f := range all {
		f.Analyse()
	}
	s := newServer(t, all...)
	var asked string
	bulk := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/export" {
			return false
		}
		asked = r.URL.Query().Get("format") + " " + r.URL.Query().Get("filter") + " " + r.URL.Query().Get("limit")
		_, _ = w.Write([]byte("both calls"))
		return true
	}
	s.before.Store(&bulk)
	tm := start(t, s, Options{Limit: 100, Paused: true}, 140, 40)
	tm.until("4 calls")
	tm.goTo("1-15155@127.0.0.1")
	tm.keys("space")
	tm.until("4 calls, 1 marked", "* ")
	tm.keys("space")
	tm.until("no call is marked")
	tm.keys("space", "/")
	tm.text("outcome = answered")
	tm.keys("enter")
	tm.until("3 calls, 1 marked")
	tm.goTo("1-16207@127.0.0.1")
	tm.keys("space")
	tm.until("2 calls marked: Enter shows them in one ladder")

	tm.keys("enter")
	screen := tm.until("2 calls", "486 Busy Here", "1-16207@127.0.0.1", "1-15155@127.0.0.1", "1 of 37")
	if !strings.Contains(screen, "A alice") || !strings.Contains(screen, "BC alice") {
		t.Errorf("no line for each call:\n%s", screen)
	}
	tm.keys("w")
	tm.until("A: 127.0.0.1:5080 (sipp-3.6.1 lab-uas) answered the INVITE")
	tm.keys("2", "3") // the legs of the second call
	tm.until("of 9, 28 hidden")
	tm.keys("0", "]")
	tm.until("several calls are shown")

	path := filepath.Join(t.TempDir(), "both.html")
	tm.keys("f2", "ctrl+u")
	tm.text(path)
	tm.keys("enter")
	tm.until("html holds one call; for several take pcap, pcapng, text, json")
	path = filepath.Join(filepath.Dir(path), "both.pcapng")
	tm.keys("f2", "ctrl+u")
	tm.text(path)
	tm.keys("enter")
	tm.until("saved " + path)
	if want := `pcapng call_id in ("1-15155@127.0.0.1", "1-16207@127.0.0.1") 2`; asked != want {
		t.Errorf("asked for %s, want %s", asked, want)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "both calls" { //nolint:gosec // the test's own
		t.Errorf("the file holds %q, %v", b, err)
	}

	tm.keys("esc", "a")
	tm.until("3 calls marked")
	tm.keys("u")
	tm.until("no call is marked")
}

// A merged flow has every message of every call once, each where it belongs, and
// what refers to messages, legs and participants still does.
func TestMerge(t *testing.T) {
	flows := []*query.Flow{
		testflow.Load(t, "kamailio-hep3-udp-sip-failures-a", "1-15155@127.0.0.1"),
		testflow.Load(t, "kamailio-hep3-udp-sip-failures-a", "1-15165@127.0.0.1"),
		testflow.Load(t, "kamailio-hep3-udp-sip-failures-a", "1-15168@127.0.0.1"),
	}
	for _, f := range flows {
		f.Analyse()
	}
	// The second begins amid the first.
	shift := flows[0].Items[4].Time.Sub(flows[1].Items[0].Time)
	for i := range flows[1].Items {
		flows[1].Items[i].Time = flows[1].Items[i].Time.Add(shift)
	}
	m := merge(append(slices.Clone(flows), flows[0]))
	total, findings := 0, 0
	for _, f := range flows {
		total, findings = total+len(f.Items), findings+len(f.Findings)
	}
	if len(m.Items) != total || len(m.Legs) != 3 || len(m.Findings) != findings || len(m.Participants) != 4 {
		t.Fatalf("%d items, %d legs, %d findings, %d participants; want %d, 3, %d, 4", len(m.Items), len(m.Legs), len(m.Findings), len(m.Participants), total, findings)
	}
	for i, it := range m.Items {
		if it.Index != i || m.Legs[it.Leg].CallID != it.CallID {
			t.Errorf("item %d has index %d, and the leg of %s instead of %s", i, it.Index, m.Legs[it.Leg].CallID, it.CallID)
		}
		if got := m.Participants[it.Src].Address; got != it.SrcAddr.String() {
			t.Errorf("item %d is from %s, drawn from %s", i, it.SrcAddr, got)
		}
		if i > 0 && it.Time.Before(m.Items[i-1].Time) {
			t.Errorf("item %d is before the one before it", i)
		}
		if tx := m.Transactions[it.Transaction]; !slices.Contains(tx.Items, i) || tx.Leg != it.Leg {
			t.Errorf("item %d is not in its transaction %+v", i, tx)
		}
		if it.Dialog >= 0 && m.Dialogs[it.Dialog].Leg != it.Leg {
			t.Errorf("item %d is of another leg than its dialog", i)
		}
	}
	if f := m.Findings[0]; f.Code != "no_response" || !strings.HasPrefix(f.Text, "C: Nobody responded") {
		t.Errorf("the first finding is %+v, want the error", f)
	}
	for _, f := range m.Findings {
		leg := int(f.Text[0] - 'A')
		for _, i := range f.Items {
			if m.Items[i].Leg != leg {
				t.Errorf("%s: item %d is of leg %d", f.Text, i, m.Items[i].Leg)
			}
		}
	}
}
