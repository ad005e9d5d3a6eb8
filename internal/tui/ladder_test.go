package tui

import (
	"strings"
	"testing"
)

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
