package tui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/cli"
)

func TestListAndFilter(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Since: "1h", Limit: 100, Paused: true}, 120, 30)
	tm.until("4 calls", "since 1h", "paused", "✗ 486 Busy Here", "1-16207@127.0.0.1 +1", "START▼")
	tm.keys("/")
	tm.text("outcome = fai")
	tm.until("filter: outcome = fai", "^", `column 11: got "fai"`)
	tm.until("failed")
	tm.keys("tab", "enter")
	tm.until("filter: outcome = failed", "1 call ", "1-15155@127.0.0.1")
	tm.without("1-16207")
	// A mistake keeps what is shown, and says where it is.
	tm.keys("/")
	tm.text(" and colour = 3")
	tm.keys("enter")
	screen := tm.until("^ column 22", "expected a field of a call")
	lines := strings.Split(screen, "\n")
	if caret, word := strings.Index(lines[2], "^"), strings.Index(lines[1], "colour"); caret != word {
		t.Errorf("the caret is at %d, the mistake at %d:\n%s", caret, word, screen)
	}
	tm.until("1-15155@127.0.0.1")
	tm.keys("/", "ctrl+u", "esc")
	tm.without("colour")
}

// Keys pressed before the answer are meant for it: Enter opens what the new
// filter finds, not what the old one had.
func TestTypeAhead(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Limit: 100, Paused: true}, 120, 30)
	tm.until("4 calls", "1-16207@127.0.0.1")
	release := make(chan struct{})
	slow := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("filter") != "" {
			<-release
		}
		return false
	}
	s.before.Store(&slow)
	tm.keys("/")
	tm.text("outcome = failed")
	tm.keys("enter", "enter")
	tm.until("4 calls")
	close(release)
	tm.until("✗ FAILED", "1 of 9")
}

func TestSort(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Limit: 100, Paused: true}, 160, 30)
	tm.until("START▼", "4 calls")
	first := func() string { return strings.Split(tm.screen(), "\n")[3] } // with the day, where that is not today
	newest := first()
	tm.keys("z")
	tm.until("START▲")
	if first() == newest {
		t.Error("the order is not reversed")
	}
	for i, name := range cli.SortColumns()[1:] {
		tm.keys(">")
		tm.until("sorted by " + strings.ToLower(name))
		if i == 0 {
			tm.until("METHOD▲")
		}
	}
	tm.keys(">")
	tm.until("sorted by start", "START▼")
	tm.keys("<")
	tm.until("sorted by source")
}

// New calls appear by themselves; the cursor stays on its call; paused, they
// appear on demand.
func TestLive(t *testing.T) {
	all := scenes(t)
	s := newServer(t, all[:2]...)
	tm := start(t, s, Options{Limit: 100}, 100, 24)
	tm.until("2 calls", "live")
	tm.keys("down")
	id := tm.selected()
	s.mu.Lock()
	s.flows = all
	s.mu.Unlock()
	tm.until("4 calls")
	if got := tm.selected(); got != id {
		t.Errorf("the cursor went from %s to %s", id, got)
	}
	tm.keys("p")
	tm.until("paused", "F5 asks again")
	asked := s.asked()
	time.Sleep(100 * time.Millisecond)
	if n := s.asked(); n > asked+1 {
		t.Errorf("asked %d times while paused", n-asked)
	}
	s.mu.Lock()
	s.flows = all[:1]
	s.mu.Unlock()
	tm.keys("f5")
	tm.until("1 call ")
}

// More calls than asked for are told, and fetched on demand. What a filter may
// go on with is told while it is typed.
func TestMoreAndCompletions(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Limit: 2, Paused: true}, 120, 24)
	tm.until("the newest 2 calls, + for more")
	tm.keys("+")
	tm.until("4 calls ·")
	tm.keys("+")
	tm.until("these are all calls that match")
	tm.keys("/")
	tm.text("ring")
	tm.until("ring_ms:", "filter: ring")
	tm.keys("tab")
	tm.text(" ")
	tm.until("also", ">=")
}
