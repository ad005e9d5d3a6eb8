package top

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// envRun makes the test's binary the program itself, for a real terminal.
const envRun = "HEPLAKE_TEST_TOP"

func TestMain(m *testing.M) {
	if url := os.Getenv(envRun); url != "" {
		err := Run(context.Background(), os.Stdin, os.Stdout, Options{URL: url, Interval: 50 * time.Millisecond, Screen: Screen{Color: true}})
		fmt.Println("ended:", err)
		time.Sleep(time.Minute) // the screen stays for the test to see
		return
	}
	os.Exit(m.Run())
}

func key(p *program, k string) {
	msg := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
	switch k {
	case "space":
		msg = tea.KeyPressMsg{Text: " ", Code: tea.KeySpace}
	case "down":
		msg = tea.KeyPressMsg{Code: tea.KeyDown}
	}
	p.Update(msg)
}

// live is a program that has looked twice, on a screen of the size.
func live(t *testing.T, width, height int) *program {
	t.Helper()
	p := newProgram(t.Context(), Options{URL: server(t), Interval: time.Hour})
	p.Update(tea.WindowSizeMsg{Width: width, Height: height})
	for range 2 {
		p.Update(p.look())
	}
	return p
}

func TestKeys(t *testing.T) {
	p := live(t, 80, 40)
	at := func(text string) int { return strings.Index(p.text(), text) }
	if at("edge-0007") < at("edge-0001") {
		t.Error("sorted by rate, the silent agent should come last")
	}
	key(p, "s")
	if at("edge-0007") > at("edge-0001") || !strings.Contains(p.text(), "sort by name") {
		t.Errorf("sorted by last seen, the silent agent should come first:\n%s", p.text())
	}
	key(p, "down")
	if strings.Contains(p.text(), "edge-0007") {
		t.Error("scrolled away, and still there")
	}
	for range 50 {
		key(p, "down")
	}
	if n := len(p.frame.Agents); p.skip != n-1 {
		t.Errorf("scrolled to agent %d of %d", p.skip, n)
	}
	key(p, "space")
	if !strings.Contains(p.text(), "paused") {
		t.Error("space does not pause")
	}
	before := p.text()
	p.Update(p.look())
	if p.text() != before {
		t.Error("paused, and changed")
	}
	if _, cmd := p.Update(tea.KeyPressMsg{Text: "q", Code: 'q'}); cmd == nil || cmd() != tea.Quit() {
		t.Error("q does not quit")
	}
}

// TestScreenIsFilled: as many lines as the screen has, however low it is, the
// status the last.
func TestScreenIsFilled(t *testing.T) {
	for _, height := range []int{2, 5, 10, 24, 60} {
		p := live(t, 80, height)
		lines := strings.Split(p.text(), "\n")
		if len(lines) != height || !strings.HasPrefix(lines[height-1], "q quit") {
			t.Errorf("%d lines on a screen of %d, the last %q", len(lines), height, lines[len(lines)-1])
		}
	}
}

// TestNoAnswer: what was seen last stays, with the reason below.
func TestNoAnswer(t *testing.T) {
	p := live(t, 80, 30)
	p.url = "http://127.0.0.1:1/metrics"
	p.Update(p.look())
	if text := p.text(); !strings.Contains(text, "no answer for 0.0s") || !strings.Contains(text, "edge-0001") {
		t.Errorf("after the server has gone:\n%s", text)
	}
	fresh := newProgram(t.Context(), Options{URL: "127.0.0.1:1"})
	fresh.Update(fresh.look())
	if text := fresh.text(); !strings.Contains(text, "no answer") {
		t.Errorf("without a server from the start: %q", text)
	}
}

// TestInATerminal runs the program in tmux, makes the window narrower, and quits.
func TestInATerminal(t *testing.T) {
	tmux, err := exec.LookPath("tmux")
	if err != nil || testing.Short() {
		t.Skip("needs tmux, and a few seconds")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	socket := fmt.Sprintf("heplake-top-%d", os.Getpid())
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tmux, append([]string{"-L", socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	shows := func(what string, ok func(screen string) bool) {
		t.Helper()
		var screen string
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if screen = run("capture-pane", "-p"); ok(screen) {
				return
			}
		}
		t.Fatalf("%s: not on the screen:\n%s", what, screen)
	}
	run("new-session", "-d", "-x", "130", "-y", "45", "-e", envRun+"="+server(t), self)
	defer func() { _ = exec.Command(tmux, "-L", socket, "kill-server").Run() }()
	shows("the whole page", func(s string) bool {
		return strings.Contains(s, "heplake top") && strings.Contains(s, "BATCHES/S") && strings.Contains(s, "edge-0007") && strings.Contains(s, "q quit")
	})
	run("resize-window", "-x", "60", "-y", "45")
	shows("the narrow page", func(s string) bool {
		return strings.Contains(s, "QUERYABLE P50") && !strings.Contains(s, "BATCHES/S") && strings.Contains(s, "q quit")
	})
	run("send-keys", "p")
	shows("the pause", func(s string) bool { return strings.Contains(s, "paused") })
	run("send-keys", "q")
	shows("the end, the screen restored", func(s string) bool { return strings.Contains(s, "ended: <nil>") && !strings.Contains(s, "QUERYABLE") })
}
