package tui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/heplake/heplake/internal/captures"
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
	first := func() string {
		return strings.Fields(strings.Split(tm.screen(), "\n")[3])[0]
	}
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

func TestLadder(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Limit: 100, Paused: true}, 180, 45)
	tm.until("4 calls")
	tm.keys("/")
	tm.text(`call_id = "1-16207@127.0.0.1"`)
	tm.keys("esc", "home")
	tm.goTo("1-16207@127.0.0.1")
	tm.keys("enter")
	tm.until("✓ ANSWERED", "1 of 28", "A ● 1-16207", "B ● !!:hmx", "INVITE sip:bob", "Content-Type: application/sdp", "m=audio")
	// The message follows the cursor.
	tm.keys("down")
	tm.until("2 of 28", "SIP/2.0 100 trying")
	tm.keys("end")
	tm.until("28 of 28", "SIP/2.0 200 OK")
	tm.keys("home", "r")
	tm.until("1 of 28", "Packet", "audio port 21400 RTP/AVP", "PCMU/8000", "direction", "seen by")
	tm.keys("r")
	// Legs, copies and the time column.
	tm.keys("2")
	tm.until("7", "hidden", "B ○")
	tm.keys("1")
	tm.until("the last leg stays")
	tm.keys("0", "c")
	tm.until("copies by other agents are left out", "hidden")
	tm.keys("c", "t")
	tm.until("time of day", "1 of 28")
	// The pane and the summary.
	tm.keys("v")
	tm.without("Content-Type")
	tm.keys("i")
	tm.until("start ", "same correlation id")
	tm.keys("i", "v")
	// Words.
	tm.keys("/")
	tm.text("bye sip:")
	tm.keys("enter")
	tm.until("BYE sip:", "21 of 28")
	tm.keys("n")
	tm.until("22 of 28")
	tm.keys("N")
	tm.until("21 of 28")
	// The whole message, and on to the next.
	tm.keys("enter")
	tm.until("CSeq: 2 BYE", "other messages")
	tm.keys("right")
	tm.until("22 of 28")
	tm.keys("esc", "esc")
	tm.until("4 calls")
}

func TestCompareMessages(t *testing.T) {
	s := newServer(t, scenes(t)...)
	for _, width := range []int{80, 160} {
		tm := start(t, s, Options{Limit: 100, Paused: true}, width, 40)
		tm.until("4 calls")
		tm.goTo("1-15155@127.0.0.1")
		tm.keys("enter")
		tm.until("1 of 9")
		tm.keys("space")
		tm.until("marked", "▸")
		tm.keys("down", "down", "space") // the INVITE as the proxy passed it on
		screen := tm.until("lines differ", "Record-Route", "Max-Forwards: 69", "Max-Forwards: 70")
		if width == 80 {
			for _, want := range []string{"- Max-Forwards: 70", "+ Max-Forwards: 69", "  CSeq: 1 INVITE", "+ Record-Route"} {
				if !strings.Contains(screen, want) {
					t.Errorf("no %q in\n%s", want, screen)
				}
			}
		} else {
			for _, l := range strings.Split(screen, "\n") {
				if strings.Contains(l, "Max-Forwards: 70") && !strings.Contains(l, "Max-Forwards: 69") {
					t.Errorf("not beside each other: %s", l)
				}
			}
		}
		tm.keys("d")
		tm.until("lines differ")
		tm.without("CSeq: 1 INVITE")
		tm.keys("esc")
		tm.until("3 of 9")
		tm.without("▸") // nothing is marked any more
	}
}

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

// Whatever the size, the screen is exactly as large, on every screen.
func TestEverySize(t *testing.T) {
	s := newServer(t, scenes(t)...)
	tm := start(t, s, Options{Limit: 100, Paused: true}, 80, 24)
	tm.until("4 calls")
	check := func(what string) {
		t.Helper()
		for _, size := range [][2]int{{40, 8}, {41, 12}, {60, 20}, {80, 24}, {81, 16}, {132, 43}, {131, 30}, {200, 60}, {300, 100}, {20, 5}} {
			tm.p.Send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			lines := strings.Split(tm.screen(), "\n")
			if size[0] >= leastWidth && len(lines) != size[1] {
				t.Errorf("%s at %v: %d lines", what, size, len(lines))
			}
			for _, l := range lines {
				if n := ansi.StringWidth(l); n > size[0] {
					t.Errorf("%s at %v: %d cells: %q", what, size, n, l)
				}
			}
		}
		tm.p.Send(tea.WindowSizeMsg{Width: 80, Height: 24})
	}
	check("list")
	tm.keys("/")
	check("filter")
	tm.text("colour = 3")
	check("wrong filter")
	tm.keys("esc", "enter")
	tm.until(" of ")
	check("ladder")
	tm.keys("end")
	check("end of the ladder")
	tm.keys("i", "r")
	check("summary, decoded")
	tm.keys("space", "home", "space")
	check("compare")
	tm.keys("esc", "enter")
	check("message")
	tm.keys("f1")
	check("help")
	tm.keys("esc", "f2")
	check("prompt")
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

// What came off the wire cannot drive the terminal, on any screen.
func TestSafe(t *testing.T) {
	const evil = "\x1b]0;owned\a\x1b[2J\r\u202e\x9b31mx"
	f := testflow.Load(t, "kamailio-hep3-udp-sip-failures-a", "1-15155@127.0.0.1")
	f.Call.FromUser, f.Call.FinalReason = evil, evil
	for i := range f.Items {
		it := &f.Items[i]
		it.Label, it.Node, it.Transport, it.ParseError = evil, evil, evil, evil
		it.Raw, it.RawBytes = strings.Replace(it.Raw, "\r\n", "\r\nX: "+evil+"\r\n", 1), nil
	}
	s := newServer(t, f)
	a, err := newApp(t.Context(), Options{Client: mustClient(t, s.URL)})
	if err != nil {
		t.Fatal(err)
	}
	a.w, a.h = 120, 40
	a.list.show([]query.Call{f.Call}, false)
	check := func(what string) {
		t.Helper()
		v := a.View()
		for _, text := range []string{ansi.Strip(v.Content), v.WindowTitle} {
			for _, r := range text {
				if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e') {
					t.Fatalf("%s: %U reached the terminal", what, r)
				}
			}
		}
		if strings.Contains(v.Content, "\x1b]") || strings.Contains(v.Content, "\x1b[2J") {
			t.Fatalf("%s: an escape sequence reached the terminal", what)
		}
	}
	check("list")
	openLadder(a, &f.Call)
	screen := a.top().(*flowScreen)
	screen.take(f)
	check("ladder")
	screen.message.decoded = true
	check("decoded")
	a.press(press("space"))
	a.press(press("down"))
	a.press(press("space"))
	check("compare")
	a.press(press("esc"))
	a.press(press("enter"))
	check("message")
}

func mustClient(t testing.TB, url string) *cli.Client {
	t.Helper()
	c, err := cli.NewClient(url, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
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

// Whatever is pressed in whatever order, and whatever the API answers between,
// nothing panics and the screen keeps to its size.
func TestAnyKeys(t *testing.T) {
	flows := scenes(t)
	for _, f := range flows {
		f.Analyse()
	}
	flows = append(flows, &query.Flow{Call: query.Call{CorrelationID: "empty"}}, &query.Flow{
		Call:  query.Call{CorrelationID: "odd"},
		Items: []query.Item{{Src: 5, Dst: -1, Leg: 9, Kind: "new", Raw: "\xff"}, {Index: 7, Raw: "SIP/2.0"}},
	})
	client := mustClient(t, "http://127.0.0.1:1")
	names := []string{
		"up", "down", "left", "right", "pgup", "pgdown", "home", "end", "enter", "enter", "esc", "tab", "space", "space", "f1", "f2", "f5", "backspace", "ctrl+l", "ctrl+u",
		"/", "<", ">", "z", "p", "t", "s", "y", "r", "v", "n", "N", "1", "2", "9", "0", "c", "m", "e", "i", "w", "[", "]", "+", "-", "d", "j", "k", "g", "G", "a", "?",
	}
	rapid.Check(t, func(rt *rapid.T) {
		a, err := newApp(context.Background(), Options{Client: client, Limit: 3, Display: cli.Display{ASCII: rapid.Bool().Draw(rt, "ascii")}})
		if err != nil {
			rt.Fatal(err)
		}
		defer a.close()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				a.Update(tea.WindowSizeMsg{Width: rapid.IntRange(1, 220).Draw(rt, "width"), Height: rapid.IntRange(1, 70).Draw(rt, "height")})
			case 1:
				answer := &cli.CallsAnswer{Truncated: rapid.Bool().Draw(rt, "truncated")}
				for _, f := range flows[:rapid.IntRange(0, len(flows)).Draw(rt, "calls")] {
					answer.Calls = append(answer.Calls, f.Call)
				}
				a.Update(searched{asked: a.list.asked, answer: answer})
			case 2:
				a.Update(searched{asked: a.list.asked, err: io.ErrUnexpectedEOF})
			case 3:
				if f, ok := a.top().(*flowScreen); ok {
					a.Update(flowed{of: f, asked: f.asked, flow: rapid.SampledFrom(flows).Draw(rt, "flow")})
				}
			case 4:
				a.Update(ticked(time.Now()))
			default:
				a.Update(press(rapid.SampledFrom(names).Draw(rt, "key")))
			}
			lines := strings.Split(a.View().Content, "\n")
			if a.w >= leastWidth && a.h >= leastHeight && len(lines) != a.h {
				rt.Fatalf("%d lines on a screen of %d", len(lines), a.h)
			}
			for _, l := range lines {
				if n := ansi.StringWidth(l); n > a.w {
					rt.Fatalf("%d cells on a screen of %d: %q", n, a.w, l)
				}
			}
		}
	})
}
