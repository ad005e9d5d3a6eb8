package tui

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
)

// The API going away is told, and what is shown stays; when it is back, so is
// everything else.
func TestAPIGone(t *testing.T) {
	s := newServer(t, scenes(t)...)
	down := func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "the database is not there", http.StatusServiceUnavailable)
		return true
	}
	s.before.Store(&down)
	tm := start(t, s, Options{Limit: 100}, 100, 24)
	tm.until("the database is not there", "no answer")
	s.before.Store(nil)
	tm.until("4 calls")
	tm.without("the database is not there")
	s.before.Store(&down)
	tm.until("the database is not there", "4 calls", "1-16207")
	tm.keys("enter")
	tm.until("no answer; F5 asks again")
	s.before.Store(nil)
	tm.keys("f5")
	tm.until(" of ")
}

// While the API thinks, keys work; leaving a question cancels it there.
func TestNeverBlocks(t *testing.T) {
	s := newServer(t, scenes(t)...)
	release, came, gone := make(chan struct{}), make(chan struct{}, 8), make(chan struct{}, 8)
	slow := func(_ http.ResponseWriter, r *http.Request) bool {
		came <- struct{}{}
		select {
		case <-r.Context().Done():
			gone <- struct{}{}
			return true
		case <-release:
			return false
		}
	}
	s.before.Store(&slow)
	tm := start(t, s, Options{Limit: 100}, 100, 24)
	tm.until("asking")
	<-came
	tm.keys("f1")
	tm.until("Moving", "stop asking")
	tm.keys("end")
	tm.until("Filter", "Everywhere")
	tm.keys("esc", "esc")
	tm.until("stopped asking")
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Fatal("the question goes on at the API")
	}
	s.before.Store(nil)
	close(release)
	tm.keys("f5")
	tm.until("4 calls")
	// A ladder that is left before it comes does not come later.
	release2 := make(chan struct{})
	slow2 := func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "flow") {
			<-release2
		}
		return false
	}
	s.before.Store(&slow2)
	tm.keys("enter")
	tm.until("asking …")
	tm.keys("esc")
	close(release2)
	tm.until("4 calls", "START")
}

func TestSave(t *testing.T) {
	s := newServer(t, scenes(t)...)
	dir := t.TempDir()
	tm := start(t, s, Options{Limit: 100, Paused: true}, 140, 24)
	tm.until("4 calls")
	id := tm.selected()
	for name, want := range map[string]string{"a.pcap": "pcap of " + id, "a.txt": "text of " + id, "A.PcapNG": "pcapng of " + id, "a.tar": "sipp of " + id} {
		path := filepath.Join(dir, name)
		tm.keys("f2")
		tm.until("save to")
		tm.keys("ctrl+u")
		tm.text(path)
		tm.keys("enter")
		tm.until("saved")
		b, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s: %v, no %q in %.200s", name, err, want, b)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	for name, want := range map[string]string{"a.pcap": "is there already", "a.doc": "the name says the format", "b.html": "has no export to html", "no/such/dir.txt": "no such file"} {
		tm.keys("f2", "ctrl+u")
		tm.text(filepath.Join(dir, name))
		tm.keys("enter")
		tm.until(want)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "a.pcap")); string(b) != "pcap of "+id {
		t.Error("a file that was there has been written to")
	}
}

func TestQuit(t *testing.T) {
	s := newServer(t, scenes(t)...)
	for _, how := range []string{"q", "ctrl+c", "context"} {
		client, err := cli.NewClient(s.URL, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		in, keyboard := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, in, io.Discard, Options{Client: client}, tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm"}))
		}()
		switch how {
		case "q":
			_, _ = keyboard.Write([]byte("q"))
		case "ctrl+c":
			_, _ = keyboard.Write([]byte{3})
		case "context":
			cancel()
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", how, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not end it", how)
		}
		_ = keyboard.Close()
		cancel()
	}
	client, _ := cli.NewClient(s.URL, time.Second)
	if err := Run(t.Context(), nil, io.Discard, Options{Client: client, Since: "soon"}); err == nil {
		t.Error("a time that is none is taken")
	}
}

// docs/terminal.md has every key that the help tells.
func TestKeysAreDocumented(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(captures.Root(), "docs", "terminal.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ := strings.Cut(string(b), "## heplake tui")
	words := map[string]bool{}
	for _, w := range strings.FieldsFunc(doc, func(r rune) bool { return strings.ContainsRune(" `|,;:.()\n", r) }) {
		words[w] = true
	}
	a, err := newApp(t.Context(), Options{Client: mustClient(t, "http://127.0.0.1:1")})
	if err != nil {
		t.Fatal(err)
	}
	f := newFlowScreen(a, &query.Call{})
	for _, s := range []screen{a.list, f, &messageScreen{f: f}, newDiff(f, &query.Item{}, &query.Item{})} {
		for _, g := range s.help() {
			for _, b := range g.keys {
				for _, name := range strings.Fields(b.Help().Key) {
					if !words[name] && name != "↑" && name != "↓" && name != "1-9" {
						t.Errorf("docs/terminal.md lacks %s: %s", name, b.Help().Desc)
					}
				}
			}
		}
	}
}
