package tui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder/testflow"
)

// scenes are calls of real captures, newest last.
func scenes(t testing.TB) []*query.Flow {
	t.Helper()
	return []*query.Flow{
		testflow.Load(t, "kamailio-hep3-udp-sip-failures-a", "1-15155@127.0.0.1"),
		testflow.Load(t, "rtpengine-kamailio-hep3-udp-call-with-rtcp-a", "c5b45d0d88c546cc"),
		testflow.Load(t, "opensips-hep3-udp-sip-xlog-a", "1-15777@127.0.0.1"),
		testflow.Load(t, "kamailio-hep3-two-legs-topoh-xcid-a", "1-16207@127.0.0.1", "!!:hmx*"),
	}
}

// server is an API with the calls of these flows.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	flows    []*query.Flow
	searches []string // the queries asked
	// before, if set, acts on each request first; true ends it.
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newServer(t testing.TB, flows ...*query.Flow) *server {
	t.Helper()
	s := &server{flows: flows}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := s.before.Load(); f != nil && (*f)(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := func(status int, doc string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, doc)
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/api/v1/flow/"); ok {
		for _, f := range s.flows {
			if f.Call.CallIDs[0] == id {
				_ = json.NewEncoder(w).Encode(f)
				return
			}
		}
		problem(404, `{"status":404,"title":"Not found"}`)
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/v3/export/call/"); ok && !strings.HasSuffix(rest, "/html") {
		id, format, _ := strings.Cut(rest, "/")
		_, _ = io.WriteString(w, format+" of "+id)
		return
	}
	if r.URL.Path != "/api/v1/calls" {
		problem(404, `{"status":404,"type":"urn:heplake:problem:no-route"}`)
		return
	}
	filter := r.URL.Query().Get("filter")
	s.searches = append(s.searches, filter)
	if column, err := cli.CheckFilter(filter); err != nil {
		problem(400, fmt.Sprintf(`{"status":400,"detail":%q,"column":%d}`, err.Error(), column))
		return
	}
	answer := cli.CallsAnswer{Calls: []query.Call{}}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	for _, f := range s.flows {
		if limit > 0 && len(answer.Calls) == limit {
			answer.Truncated = true
			break
		}
		if !strings.Contains(filter, "outcome") || strings.Contains(filter, string(f.Call.Outcome)) {
			answer.Calls = append(answer.Calls, f.Call)
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// asked counts the searches.
func (s *server) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.searches)
}

// terminal is the application in its own loop, as the library runs it. Its
// output is thrown away: what is looked at is the view.
type terminal struct {
	t testing.TB
	p *tea.Program
}

// look is a message that has the loop call a function.
type look func(a *app)

// watched is the application with a door for tests.
type watched struct{ *app }

func (w watched) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	if l, ok := m.(look); ok {
		l(w.app)
		return w, nil
	}
	_, cmd := w.app.Update(m)
	return w, cmd
}

func start(t testing.TB, s *server, o Options, w, h int) *terminal {
	t.Helper()
	client, err := cli.NewClient(s.URL, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	o.Client, o.Address = client, "lab:9080"
	if o.Refresh == 0 {
		o.Refresh = 20 * time.Millisecond
	}
	ctx := context.Background() // the test's own ends before the program
	a, err := newApp(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	p := tea.NewProgram(watched{a}, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(io.Discard), tea.WithWindowSize(w, h), tea.WithoutSignals())
	done := make(chan error, 1)
	go func() { _, err := p.Run(); done <- err }()
	t.Cleanup(func() {
		p.Quit()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the program does not end")
		}
		a.close()
	})
	return &terminal{t, p}
}

// screen is what is seen.
func (tm *terminal) screen() string {
	to := make(chan string, 1)
	tm.p.Send(look(func(a *app) { to <- ansi.Strip(a.View().Content) }))
	select {
	case s := <-to:
		return s
	case <-time.After(10 * time.Second):
		tm.t.Fatal("the loop does not answer")
		return ""
	}
}

// selected is the Call-ID under the list's cursor.
func (tm *terminal) selected() string {
	to := make(chan string, 1)
	tm.p.Send(look(func(a *app) { to <- cli.CallID(a.list.current()) }))
	return <-to
}

// goTo moves the list's cursor to a call.
func (tm *terminal) goTo(id string) {
	tm.t.Helper()
	tm.keys("home")
	for range 100 {
		if tm.selected() == id {
			return
		}
		tm.keys("down")
	}
	tm.t.Fatalf("%s is not in the list", id)
}

// keys presses keys: names as the library writes them, or text.
func (tm *terminal) keys(names ...string) {
	for _, n := range names {
		tm.p.Send(press(n))
	}
}

func (tm *terminal) text(s string) {
	for _, r := range s {
		tm.p.Send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

var named = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
	"home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "tab": tea.KeyTab, "space": tea.KeySpace,
	"f1": tea.KeyF1, "f2": tea.KeyF2, "f5": tea.KeyF5, "backspace": tea.KeyBackspace,
}

func press(name string) tea.KeyPressMsg {
	if code, ok := named[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if c, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

// until waits until the screen has all of these.
func (tm *terminal) until(want ...string) string {
	tm.t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for {
		s := tm.screen()
		missing := ""
		for _, w := range want {
			if !strings.Contains(s, w) {
				missing = w
			}
		}
		if missing == "" {
			return s
		}
		if time.Now().After(deadline) {
			tm.t.Fatalf("no %q on the screen:\n%s", missing, s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (tm *terminal) without(unwanted string) string {
	tm.t.Helper()
	s := tm.screen()
	if strings.Contains(s, unwanted) {
		tm.t.Fatalf("%q on the screen:\n%s", unwanted, s)
	}
	return s
}

func mustClient(t testing.TB, url string) *cli.Client {
	t.Helper()
	c, err := cli.NewClient(url, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
