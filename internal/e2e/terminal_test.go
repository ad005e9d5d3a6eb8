package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/captures"
)

// hepNow is a HEP version 3 packet with its time set to now.
func hepNow(t testing.TB, packet []byte) []byte {
	t.Helper()
	b := bytes.Clone(packet)
	now := time.Now()
	for at := 6; at+6 <= len(b); {
		n := int(binary.BigEndian.Uint16(b[at+4:]))
		if n < 6 || at+n > len(b) {
			t.Fatal("not HEP version 3")
		}
		switch binary.BigEndian.Uint16(b[at+2:]) {
		case 9:
			binary.BigEndian.PutUint32(b[at+6:], uint32(now.Unix()))
		case 10:
			binary.BigEndian.PutUint32(b[at+6:], uint32(now.Nanosecond()/1000))
		}
		at += n
	}
	return b
}

// feed sends the packets of a capture that hold a text, as if they happened
// now, each when the step before has been seen.
func (l *lake) feed(capture, text string) (send func(from, to int), n int) {
	l.t.Helper()
	var packets [][]byte
	for _, p := range captures.Read(l.t, captures.Path(capture)) {
		if bytes.Contains(p.Payload, []byte(text)) {
			packets = append(packets, p.Payload)
		}
	}
	conn := l.dial("udp")
	return func(from, to int) {
		for _, p := range packets[from:to] {
			if _, err := conn.Write(hepNow(l.t, p)); err != nil {
				l.t.Fatal(err)
			}
		}
	}, len(packets)
}

// tmux is a terminal with a program in it.
type tmux struct {
	t      testing.TB
	socket string
}

// runIn starts a command in a terminal of this size; what it says at its end
// stays on the screen, with its exit code.
func (l *lake) runIn(width, height int, args ...string) *tmux {
	l.t.Helper()
	path, err := exec.LookPath("tmux")
	if err != nil {
		l.t.Skip("tmux is not installed: the terminal is not tested (make test-deps installs it)")
	}
	dir, err := os.MkdirTemp("", "heplake-tmux-") // a socket's path has to be short
	if err != nil {
		l.t.Fatal(err)
	}
	tm := &tmux{l.t, filepath.Join(dir, "s")}
	quoted := shellQuote(executable)
	for _, a := range args {
		quoted += " " + shellQuote(a)
	}
	cmd := exec.Command(path, "-S", tm.socket, "-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), quoted+`; echo "exit code $?"; exec sleep 600`)
	cmd.Env, cmd.Dir = env("HEPLAKE_API=http://"+l.addr["api"], "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=", "TMUX="), l.t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("tmux: %v\n%s", err, out)
	}
	l.t.Cleanup(func() {
		_ = tm.command("kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	return tm
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (tm *tmux) command(args ...string) *exec.Cmd {
	return exec.Command("tmux", append([]string{"-S", tm.socket}, args...)...)
}

func (tm *tmux) must(args ...string) string {
	tm.t.Helper()
	out, err := tm.command(args...).CombinedOutput()
	if err != nil {
		tm.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys presses keys by tmux's names for them; text types as it is.
func (tm *tmux) keys(keys ...string) { tm.must(append([]string{"send-keys", "-t", "0"}, keys...)...) }
func (tm *tmux) text(s string)       { tm.must("send-keys", "-t", "0", "-l", s) }

// screen is what is seen, scrolled away lines included where there are any.
func (tm *tmux) screen() string { return tm.must("capture-pane", "-p", "-t", "0", "-S", "-500") }

// until waits until the screen has all of these.
func (tm *tmux) until(want ...string) string {
	tm.t.Helper()
	seen := ""
	eventually(tm.t, "the screen has "+strings.Join(want, ", "), func() (bool, string) {
		seen = tm.screen()
		for _, w := range want {
			if !strings.Contains(seen, w) {
				return false, "no " + w + " in\n" + seen
			}
		}
		return true, ""
	})
	return seen
}

func (tm *tmux) gone(unwanted string) {
	tm.t.Helper()
	eventually(tm.t, unwanted+" is gone from the screen", func() (bool, string) {
		s := tm.screen()
		return !strings.Contains(s, unwanted), s
	})
}

// TestTUI goes through the application in a real terminal, with real captures.
func TestTUI(t *testing.T) {
	l := serve(t, t.TempDir())
	// Two captures that have no parties in common at the same time: calls between
	// the same two could be legs of one.
	for _, name := range []string{"kamailio-hep3-udp-sip-failures-a", "kamailio-hep3-two-legs-topoh-xcid-a"} {
		l.must("replay", captures.Path(name+".pcap"), "--to", l.addr["hep_udp"], "--now")
	}
	eventually(t, "the calls are found", func() (bool, string) {
		s := l.cli("search", "call_id in (1-16207@127.0.0.1, 1-15168@127.0.0.1)", "-o", "csv")
		return strings.Count(s.out, "\r\n") == 3, s.out
	})
	tm := l.runIn(100, 30, "tui", "method = INVITE", "--since", "3h")
	tm.until("filter: method = INVITE", "START▼", "live", "1-16207@127.0.0.1")

	// Search: a completion, a mistake with its place, the right one.
	tm.keys("/")
	tm.text(" and outcome = fai")
	tm.keys("Tab")
	tm.until("filter: method = INVITE and outcome = failed")
	tm.text(" and colour = 1")
	tm.keys("Enter")
	tm.until("column 42", "F1 help")
	tm.keys("/", "C-u")
	tm.text("method = INVITE and final_status = 408")
	tm.keys("Enter")
	tm.until("1 call ", "✗ 408 Request Timeout", "1-15168@127.0.0.1")

	// The ladder, a retransmission, two messages compared.
	tm.keys("Enter")
	tm.until("✗ FAILED", "408 Request Timeout from", "Nobody responded", "↻1", "1 of ", "INVITE sip:dead")
	tm.keys("w") // the message that shows it
	tm.until("3 of ", "①│")
	tm.keys("Home")
	tm.until("1 of ")
	tm.keys("Space", "Down", "Down", "Down", "Down", "Space")
	tm.until("differ", "Max-Forwards: 70", "Max-Forwards: 69")
	tm.keys("Escape")
	tm.until("5 of ")
	tm.keys("Escape")
	tm.until("1 call ")

	// Two legs, one left out; the message decoded and alone.
	tm.keys("/", "C-u")
	tm.text("1-16207@127.0.0.1")
	tm.keys("Enter")
	tm.until("1 call ", "1-16207@127.0.0.1")
	tm.keys("Enter")
	tm.until("✓ ANSWERED", "1 of 28", "B ●")
	tm.keys("2")
	tm.until("1 of 7, 21 hidden", "B ○")
	tm.keys("0", "r", "Enter")
	tm.until("Packet", "127.0.0.1:5070 → 127.0.0.1:5060")
	tm.keys("End")
	tm.until("audio port 21400 RTP/AVP", "PCMU/8000")
	tm.keys("Escape")

	// Every size, and the whole terminal is used.
	for _, size := range [][2]int{{80, 24}, {200, 60}, {60, 20}, {100, 30}} {
		tm.must("resize-window", "-t", "0", "-x", strconv.Itoa(size[0]), "-y", strconv.Itoa(size[1]))
		eventually(t, "the screen is drawn anew", func() (bool, string) {
			s := strings.TrimRight(tm.must("capture-pane", "-p", "-t", "0"), "\n")
			lines := strings.Split(s, "\n")
			return len(lines) == size[1] && strings.Contains(lines[len(lines)-1], "F1 help") && strings.Contains(lines[0], "1 of 28"), s
		})
	}

	// Saved, and not written over.
	path := filepath.Join(t.TempDir(), "call.txt")
	for _, want := range []string{"saved " + path[:20], "is there already"} {
		tm.keys("F2")
		tm.until("save to")
		tm.keys("C-u")
		tm.text(path)
		tm.keys("Enter")
		tm.until(want)
	}
	if b, err := os.ReadFile(path); err != nil || bytes.Count(b, []byte("Call-ID: ")) != 28 {
		t.Errorf("%v: %d messages in\n%s", err, bytes.Count(b, []byte("Call-ID: ")), b)
	}

	path = filepath.Join(t.TempDir(), "call.pcap")
	tm.keys("F2")
	tm.until("save to")
	tm.keys("C-u")
	tm.text(path)
	tm.keys("Enter")
	tm.until("call.pcap, ")
	if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte("Call-ID: 1-16207@127.0.0.1")) {
		t.Errorf("%v: %d bytes that are not the call's", err, len(b))
	}

	// Two calls marked: one ladder, one file.
	tm.keys("Escape")
	tm.until("1 call ", "filter:")
	tm.keys("Space")
	tm.until("1 call marked")
	tm.keys("/", "C-u")
	tm.text("1-15168@127.0.0.1")
	tm.keys("Enter")
	tm.until("1 call, 1 marked", "✗ 408 Request Timeout")
	tm.keys("Space")
	tm.until("2 calls marked", "* ")
	tm.keys("Enter")
	tm.until("2 calls", "1 of 35", "408 Request Timeout · 1-15168@127.0.0.1", "200 OK · 1-16207@127.0.0.1", "①")
	path = filepath.Join(t.TempDir(), "both.pcap")
	tm.keys("F2")
	tm.until("save 2 calls to")
	tm.keys("C-u")
	tm.text(path)
	tm.keys("Enter")
	tm.until("both.pcap, ")
	if b, err := os.ReadFile(path); err != nil || !bytes.Contains(b, []byte("Call-ID: 1-16207@127.0.0.1")) || !bytes.Contains(b, []byte("Call-ID: 1-15168@127.0.0.1")) {
		t.Errorf("%v: %d bytes that are not of both calls", err, len(b))
	}
	tm.keys("Escape")
	tm.until("filter:")
	tm.keys("u", "/", "C-u")
	tm.text("1-16207@127.0.0.1")
	tm.keys("Enter")
	tm.until("1 call ", "1-16207@127.0.0.1")
	tm.keys("Enter")
	tm.until("1 of 28")

	// Help, and out; the terminal is as it was.
	tm.keys("F1")
	tm.until("Ladder", "whole summary")
	tm.keys("Escape") // each by itself: a terminal sends Alt-q as Escape and q
	tm.until("1 of 28")
	tm.keys("Escape")
	tm.until("1 call ", "filter:")
	tm.keys("q")
	tm.until("exit code 0")
	tm.gone("F1 help")
	l.stop()
}

// TestTUILive sees a call appear and go on.
func TestTUILive(t *testing.T) {
	l := serve(t, t.TempDir())
	tm := l.runIn(120, 40, "tui")
	tm.until("no call since 1h")
	send, n := l.feed("kamailio-hep3-udp-sip-calls-a.pcap", "1-14981@127.0.0.1")
	if n < 10 {
		t.Fatalf("the capture has %d packets of the call", n)
	}
	send(0, 4)
	tm.until("1 call ", "1-14981@127.0.0.1")
	tm.keys("Enter")
	tm.until("1 of 4", "live")
	send(4, n)
	tm.until("1 of "+strconv.Itoa(n), "✓ ANSWERED")
	tm.keys("C-c")
	tm.until("exit code 0")
	l.stop()
}

// TestFollowAndLive watches a call from its first message to its end, by itself
// and in a search.
func TestFollowAndLive(t *testing.T) {
	l := serve(t, t.TempDir())
	send, n := l.feed("kamailio-hep3-udp-sip-calls-a.pcap", "1-14981@127.0.0.1")
	watch := start(t, env("HEPLAKE_API=http://"+l.addr["api"]), executable, "search", "--live", "method = INVITE")
	never := l.runIn(100, 20, "flow", "nobody@127.0.0.1", "--follow")
	never.until(`no call with Call-ID "nobody@127.0.0.1" yet; waiting for it`)
	never.keys("C-c")
	never.until("exit code 3")
	waiting := l.runIn(100, 50, "flow", "1-14981@127.0.0.1", "--follow")
	waiting.until("yet; waiting for it")
	send(0, 3)
	waiting.until("INVITE bob", "100 trying")
	eventually(t, "the call is there", func() (bool, string) {
		s := l.cli("flow", "1-14981@127.0.0.1")
		return s.code == 0, s.err
	})
	tm := l.runIn(100, 50, "flow", "1-14981@127.0.0.1", "--follow")
	tm.until("INVITE bob", "100 trying")
	for at := 3; at < n; at++ {
		send(at, at+1)
		if at == n/2 {
			tm.until("180 Ringing", "200 OK")
		}
	}
	screen := tm.until("BYE", "exit code 0")
	rows := 0
	for _, line := range strings.Split(screen, "\n") {
		if strings.ContainsAny(line, "▶◀") {
			rows++
		}
	}
	if rows != n {
		t.Errorf("%d rows, the call has %d messages:\n%s", rows, n, screen)
	}
	if !strings.Contains(screen[strings.LastIndex(screen, "┴"):], "✓ ANSWERED") {
		t.Errorf("it does not end with how the call did:\n%s", screen)
	}
	eventually(t, "the search has seen the call come and end", func() (bool, string) {
		s := string(watch.said())
		return strings.Count(s, "1-14981@127.0.0.1") >= 2 && strings.Contains(s[strings.LastIndex(s, "\n")+1:], "✓ 200 OK"), s
	})
	watch.signal(syscall.SIGINT)
	watch.wait(patience)
	if strings.Contains(string(watch.said()), "heplake:") {
		t.Errorf("Ctrl-C is not quiet: %s", watch.said())
	}
	l.stop()
}
