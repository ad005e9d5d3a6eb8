package tui

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"github.com/heplake/heplake/internal/cli"
	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder/testflow"
)

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
	openLadder(a, []query.Call{f.Call})
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
