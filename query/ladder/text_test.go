package ladder_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"github.com/heplake/heplake/query"
	"github.com/heplake/heplake/query/ladder"
)

// made is a flow with so many participants in a chain, each passing the INVITE
// on, and the answer coming all the way back.
func made(participants int) *query.Flow {
	start := time.Date(2026, 3, 1, 23, 59, 59, 999_500_000, time.UTC)
	f := &query.Flow{Legs: []query.Leg{{CallID: "a@b", LinkedBy: "asked"}}}
	for i := range participants {
		ip := netip.AddrFrom4([4]byte{192, 168, 100, byte(i + 1)})
		f.Participants = append(f.Participants, query.Participant{Address: ip.String() + ":5060", IP: ip, Port: 5060, Name: fmt.Sprintf("Proxy %d (4.1.0 (x86_64/linux))", i)})
	}
	add := func(it query.Item) {
		it.Index, it.Kind, it.Time = len(f.Items), query.KindSIP, start.Add(time.Duration(len(f.Items))*7*time.Millisecond)
		it.CallID, it.CSeq, it.CSeqMethod, it.Transport, it.Node = "a@b", 1, "INVITE", "udp", "n1"
		f.Items = append(f.Items, it)
	}
	for i := 1; i < participants; i++ {
		add(query.Item{Src: i - 1, Dst: i, Method: "INVITE", Label: "INVITE +4930123456", SDP: "audio 10.0.0.1:4000 PCMA sendrecv"})
	}
	for i := participants - 1; i > 0; i-- {
		add(query.Item{Src: i, Dst: i - 1, Status: 503, Reason: "Service Unavailable", Label: "503 Service Unavailable"})
	}
	f.Legs[0].Messages = len(f.Items)
	f.Call = query.Call{Method: "INVITE", Start: start, Outcome: query.Failed, FinalStatus: 503, FinalReason: "Service Unavailable", Messages: uint64(len(f.Items)), FromUser: "alice", ToUser: "bob", RURIUser: "+4930123456"}
	return f
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func cellsOf(s string) int {
	return (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(escape.ReplaceAllString(s, ""))
}

// No line is wider than the terminal, whatever the call and the width.
func TestTextFitsWidth(t *testing.T) {
	flows := map[string]*query.Flow{}
	for _, s := range scenes {
		flows[s.name] = s.load(t)
	}
	for _, n := range []int{1, 2, 5, 9, 25, 130} {
		flows[fmt.Sprintf("%d participants", n)] = made(n)
	}
	for name, f := range flows {
		for _, w := range []int{40, 41, 57, 80, 99, 120, 160, 200, 300} {
			for _, o := range []ladder.TextOptions{{Width: w}, {Width: w, ASCII: true}, {Width: w, Color: true, Time: ladder.TimeAbsolute}} {
				for i, l := range strings.Split(string(draw(t, f, o)), "\n") {
					if n := cellsOf(l); n > w {
						t.Fatalf("%s at %d (%+v): line %d is %d cells wide: %q", name, w, o, i, n, l)
					}
				}
			}
		}
	}
}

// However narrow, every row's arrow and the beginning of its label are there.
func TestTextShowsEveryMessage(t *testing.T) {
	for _, n := range []int{2, 3, 5, 9, 25, 130} {
		for _, w := range []int{80, 120, 200} {
			out := string(draw(t, made(n), ladder.TextOptions{Width: w}))
			for _, want := range []struct {
				text string
				n    int
			}{{"INV", n - 1}, {"503", n - 1}} {
				ladderPart := out[strings.LastIndex(out[:strings.Index(out, "23:59:59.999 ")], "\n"):]
				if got := strings.Count(ladderPart, want.text); got < want.n {
					t.Errorf("%d participants at %d: %d labels begin %s, want %d\n%s", n, w, got, want.text, want.n, out)
				}
			}
		}
	}
}

// What came off the wire cannot drive the terminal.
func TestTextIsSafe(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\a\r\nINVITE\u202e\u2066 \x9b31m \u200b\tx"
	f := made(3)
	f.Call.FromUser, f.Call.FinalReason, f.Call.ToDomain, f.Call.Codecs = evil, evil, evil, []string{evil}
	f.Call.Nodes, f.Call.ReleasedBy, f.Truncated = []string{evil}, evil, evil
	f.Legs = []query.Leg{{CallID: evil, LinkedBy: evil, LinkValue: evil}, {CallID: evil, LinkedBy: evil, LinkValue: evil}}
	for i := range f.Participants {
		f.Participants[i].Name, f.Participants[i].Address = evil, evil
	}
	for i := range f.Items {
		it := &f.Items[i]
		it.Label, it.SDP, it.ParseError, it.Node, it.Transport, it.Raw, it.CSeqMethod = evil, evil, evil, evil, evil, evil, evil
		it.Copy = i%2 == 0
	}
	for _, kind := range []query.ItemKind{query.KindSIP, query.KindMedia, query.KindEvent} {
		f.Items[1].Kind = kind
		for _, w := range []int{60, 200} {
			for _, r := range string(draw(t, f, ladder.TextOptions{Width: w, Raw: true})) {
				if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
					t.Fatalf("%U reached the terminal", r)
				}
			}
		}
	}
}

// ASCII means ASCII, also for what the callers are called.
func TestTextASCII(t *testing.T) {
	f := made(3)
	f.Call.FromUser = "Зоя"
	f.Items[0].Label = "INVITE 電話"
	f.Items[1].Kind, f.Items[1].Label = query.KindEvent, "naïve"
	for i, b := range draw(t, f, ladder.TextOptions{Width: 120, ASCII: true, Raw: true}) {
		if b > '~' {
			t.Fatalf("byte %#x at %d", b, i)
		}
	}
}

// Wide characters take two cells and do not push the lifelines.
func TestTextWideCharacters(t *testing.T) {
	f := made(3)
	f.Items[0].Label = "INVITE 電話番号案内係のひと電話番号案内係のひと"
	f.Items[0].SDP, f.Items[1].SDP = "", ""
	rows := map[string]int{}
	for _, l := range strings.Split(string(draw(t, f, ladder.TextOptions{Width: 70})), "\n") {
		if i := strings.LastIndex(l, "│"); i >= 0 {
			rows[l[:i]] = cellsOf(l[:i])
		}
	}
	last := -1
	for l, at := range rows {
		if last >= 0 && at != last {
			t.Fatalf("last lifeline at %d and at %d: %q", last, at, l)
		}
		last = at
	}
	if len(rows) != 4 {
		t.Fatalf("%d rows, want 4", len(rows))
	}
}

// Without Color there is no escape sequence; with it, failures are red.
func TestTextColor(t *testing.T) {
	f := made(3)
	if out := draw(t, f, ladder.TextOptions{}); bytes.ContainsRune(out, '\x1b') {
		t.Error("escape sequence without Color")
	}
	if out := draw(t, f, ladder.TextOptions{Color: true}); !bytes.Contains(out, []byte("\x1b[1;31m503 Service Unavailable")) {
		t.Errorf("the failure is not red:\n%s", out)
	}
}

// Marks: a retransmission counts, a copy and a parse error are flagged, a
// message to oneself loops, a log line stands as a note, a silence breaks the
// lifelines, and a cut flow says so.
func TestTextMarks(t *testing.T) {
	f := made(3)
	start := f.Items[0].Time
	add := func(it query.Item) {
		it.Index, it.Time, it.CSeq, it.CSeqMethod = len(f.Items), start.Add(time.Duration(len(f.Items))*time.Second), 1, "INVITE"
		f.Items = append(f.Items, it)
	}
	add(query.Item{Kind: query.KindSIP, Dst: 1, Method: "INVITE", Label: "INVITE x", Retransmission: true})
	add(query.Item{Kind: query.KindSIP, Dst: 1, Method: "INVITE", Label: "INVITE x", Retransmission: true})
	add(query.Item{Kind: query.KindSIP, Dst: 1, Method: "INVITE", Label: "INVITE y", Copy: true, Node: "n2"})
	add(query.Item{Kind: query.KindSIP, Src: 2, Dst: 2, Method: "OPTIONS", Label: "OPTIONS self"})
	add(query.Item{Kind: query.KindSIP, Src: 1, Dst: 2, Label: "GARBAGE", ParseError: "no Via header"})
	add(query.Item{Kind: query.KindEvent, Src: 1, Dst: 1, Leg: -1, Label: "route[RELAY]: no\nbranch left"})
	add(query.Item{Kind: query.KindMedia, Src: 0, Dst: 2, Label: "RTCP loss 2 % jitter 12 ms"})
	f.Truncated = "limit of 11 items"
	out := string(draw(t, f, ladder.TextOptions{Width: 100}))
	for _, want := range []string{
		"INVITE x ↻1", "INVITE x ↻2", "INVITE y ≡", "↺ OPTIONS self", "GARBAGE ⚠", "⚠ no Via header",
		"◆ route[RELAY]: no branch left", "┈ RTCP loss 2 % jitter 12 ms ┈", "┊", "⚠ not the whole call: limit of 11 items",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestWhy(t *testing.T) {
	ring := 2300.0
	up := 75.0
	responses := func(f *query.Flow, items ...query.Item) *query.Flow {
		f.Items = append(f.Items[:2:2], items...)
		return f
	}
	outcome := func(o query.Outcome) *query.Flow {
		f := made(3)
		f.Call.Outcome = o
		return f
	}
	failed := outcome(query.Failed)
	failed.Call.RingMs, failed.Call.Q850 = &ring, 17
	cancelled := responses(outcome(query.Cancelled), query.Item{Kind: query.KindSIP, Method: "CANCEL", CSeqMethod: "CANCEL"})
	ringing := responses(outcome(query.Unanswered), query.Item{Kind: query.KindSIP, Src: 2, Status: 180, CSeqMethod: "INVITE", Label: "180 Ringing"})
	silent := responses(outcome(query.Unanswered), query.Item{Kind: query.KindSIP, Method: "INVITE", CSeqMethod: "INVITE", Dst: 1, Retransmission: true})
	released := responses(outcome(query.Answered), query.Item{Kind: query.KindSIP, Src: 2, Method: "BYE", CSeqMethod: "BYE"})
	released.Call.ReleasedBy, released.Call.DurationS = "callee", &up
	registered := outcome(query.Answered)
	registered.Call.Method, registered.Call.FinalStatus, registered.Call.FinalReason = "REGISTER", 200, "OK"
	up2 := outcome(query.InProgress)
	up2.Call.DurationS = &up
	for want, f := range map[string]*query.Flow{
		"503 Service Unavailable from 192.168.100.3:5060 after 2.30 s of ringing, Q.850 cause 17 (user busy)": failed,
		"CANCEL from 192.168.100.1:5060":                                              cancelled,
		"no final response; last was 180 Ringing from 192.168.100.3:5060":             ringing,
		"no response to INVITE sent to 192.168.100.2:5060 2 times":                    silent,
		"released by callee: BYE from 192.168.100.3:5060 after 1m15s, never answered": released,
		"200 OK":                    registered,
		"up for 1m15s, no BYE seen": up2,
	} {
		if got := ladder.Why(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0.00 ms": 0, "0.98 ms": 980 * time.Microsecond, "10.0 ms": 9_996 * time.Microsecond, "99.9 ms": 99_900 * time.Microsecond,
		"106 ms": 106 * time.Millisecond, "1.00 s": 999_600 * time.Microsecond, "32.0 s": 32 * time.Second, "1m00s": 59_970 * time.Millisecond,
		"1h02m": 62 * time.Minute, "4d04h": 100 * time.Hour, "-0.50 ms": -500 * time.Microsecond,
	} {
		if got := ladder.Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// An empty flow and one with indexes out of range draw something and do not
// panic: what the API sends may be of another version.
func TestTextOddFlows(t *testing.T) {
	draw(t, &query.Flow{}, ladder.TextOptions{})
	f := made(2)
	f.Items[0].Src, f.Items[0].Dst, f.Items[0].Leg = -1, 99, 7
	f.Legs = append(f.Legs, query.Leg{}, query.Leg{})
	draw(t, f, ladder.TextOptions{Raw: true})
	f.Participants = nil
	draw(t, f, ladder.TextOptions{})
}

// What the summary says stands there whole, however narrow the terminal is.
func TestTextSummaryIsWhole(t *testing.T) {
	for _, s := range scenes {
		f := s.load(t)
		for _, w := range []int{40, 60, 80} {
			out := strings.Join(strings.Fields(strings.Join(ladder.Draw(f, ladder.TextOptions{Width: w}).Summary(), " ")), " ")
			for _, part := range strings.Split(ladder.Why(f), ", ") {
				if !strings.Contains(out, part) {
					t.Errorf("%s at %d: no %q in %s", s.name, w, part, out)
				}
			}
			for _, l := range f.Legs {
				if len(l.CallID) < w-12 && !strings.Contains(out, l.CallID) {
					t.Errorf("%s at %d: Call-ID %s is cut in %s", s.name, w, l.CallID, out)
				}
			}
		}
	}
}

// A session description stands below the first row that has it where there is no
// room beside the ladder, and nowhere else twice.
func TestTextSDP(t *testing.T) {
	f := made(3)
	const sdp = "audio 10.0.0.1:4000 PCMA sendrecv"
	for w, below := range map[int]bool{60: true, 80: true, 200: false} {
		out := string(draw(t, f, ladder.TextOptions{Width: w}))
		if got := strings.Contains(out, "▪ "+sdp); got != below || below && strings.Count(out, sdp) != 1 || !below && strings.Count(out, sdp) != 2 {
			t.Errorf("at %d: below the row %v, want %v\n%s", w, got, below, out)
		}
	}
	// Hold and its end are new, what the proxy passes on is not.
	out := string(draw(t, scenes[8].load(t), ladder.TextOptions{Width: 80}))
	for direction, want := range map[string]int{"sendrecv": 4, "sendonly": 1, "recvonly": 1} {
		if got := strings.Count(out, direction); got != want {
			t.Errorf("%s %d times, want %d in\n%s", direction, got, want, out)
		}
	}
}

// A drawing's pieces put together are the text; the cursor's row is as wide as
// the terminal and reversed; a chosen row is marked.
func TestDrawing(t *testing.T) {
	f := scenes[4].load(t)
	o := ladder.TextOptions{Width: 120, Color: true}
	d := ladder.Draw(f, o)
	lines := append(append(d.Summary(), ""), d.Header()...)
	for i := range d.Len() {
		lines = append(lines, d.Row(i, ladder.Mark{})...)
	}
	if got, want := strings.Join(append(lines, d.Footer()...), "\n")+"\n", string(draw(t, f, o)); got != want {
		t.Errorf("the pieces differ from the whole:\n%s\n%s", got, want)
	}
	row := d.Row(3, ladder.Mark{Cursor: true, Chosen: true})[0]
	if !strings.HasPrefix(row, "\x1b[7m") || strings.Count(row, "\x1b") != 2 || cellsOf(row) != 120 {
		t.Errorf("cursor: %d cells in %q", cellsOf(row), row)
	}
	if plain := d.Row(3, ladder.Mark{Chosen: true})[0]; !strings.Contains(plain, "▸") {
		t.Errorf("not marked: %q", plain)
	}
}

// With even lanes a row stands where it stood before more messages came, as
// long as nobody new takes part.
func TestEvenLanesStay(t *testing.T) {
	whole := scenes[4].load(t)
	part := *whole
	part.Items = whole.Items[:13]
	part.Legs = whole.Legs[:1]
	for _, w := range []int{60, 100, 160} {
		o := ladder.TextOptions{Width: w, Even: true}
		a, b := ladder.Draw(&part, o), ladder.Draw(whole, o)
		if !a.SameLanes(b) {
			t.Errorf("at %d the lanes have moved:\n%s\n%s", w, strings.Join(a.Header(), "\n"), strings.Join(b.Header(), "\n"))
		}
		part.Items = whole.Items[:2]
		if ladder.Draw(&part, o).SameLanes(b) {
			t.Errorf("at %d two participants have the lanes of four", w)
		}
		part.Items = whole.Items[:13]
	}
}

// What was found stands below the reason, whole, and its number at the messages
// that show it; what only explains has none. The reason alone leaves that out.
func TestTextFindings(t *testing.T) {
	f := made(3)
	f.Findings = []query.Finding{
		{Severity: query.SeverityError, Text: "192.168.100.3:5060 answered the INVITE with 503 Service Unavailable: it is overloaded, or what it needs is down.", Items: []int{1, 2}},
		{Severity: query.SeverityWarning, Text: "A second thing.", Items: []int{2, 3}},
		{Severity: query.SeverityInfo, Text: "It explains.", Items: []int{0}},
	}
	for _, o := range []ladder.TextOptions{{Width: 60}, {Width: 120}, {Width: 60, ASCII: true}} {
		one, two := "①", "②"
		if o.ASCII {
			one, two = "1", "2"
		}
		d := ladder.Draw(f, o)
		words := func(lines []string) string { return strings.Join(strings.Fields(strings.Join(lines, " ")), " ") }
		whole := words(d.Summary())
		for _, want := range []string{"found " + one + " " + f.Findings[0].Text, two + " A second thing.", "It explains."} {
			if !strings.Contains(whole, want) {
				t.Errorf("%+v: no %q in %s", o, want, whole)
			}
		}
		if reason := words(d.Reason()); !strings.HasPrefix(reason, "why 503") || !strings.Contains(reason, "A second thing.") || strings.Contains(reason, "explains") {
			t.Errorf("%+v: %s", o, reason)
		}
		for i, want := range []string{" ", one, one, two} {
			row := []rune(d.Row(i, ladder.Mark{Clock: true})[0])
			if got := string(row[13]); got != want {
				t.Errorf("%+v: row %d has the mark %q, want %q: %s", o, i, got, want, string(row))
			}
		}
	}
	// How an answered call ended is no trouble, and told once.
	f.Findings[0].Severity = query.SeverityInfo
	if s := strings.Join(ladder.Draw(f, ladder.TextOptions{}).Summary(), " "); strings.Contains(s, "overloaded") {
		t.Errorf("told twice: %s", s)
	}
}

// An agent whose clock is ahead does not make an answer arrive before it was
// sent; the time of day stays its own.
func TestTextClocks(t *testing.T) {
	f := made(3)
	for i := range f.Items {
		if i%2 == 1 {
			f.Items[i].Node = "fast"
			f.Items[i].Time = f.Items[i].Time.Add(500 * time.Millisecond)
		}
	}
	off := string(draw(t, f, ladder.TextOptions{}))
	f.Clocks = []query.Clock{{Node: "fast", AheadUs: 500_000}}
	on := string(draw(t, f, ladder.TextOptions{}))
	if !strings.Contains(off, "-493 ms") || strings.Count(on, "+7.00 ms") != 3 {
		t.Errorf("without:\n%s\nwith:\n%s", off, on)
	}
	if s := string(draw(t, f, ladder.TextOptions{Time: ladder.TimeAbsolute})); !strings.Contains(s, "00:00:00.506") {
		t.Errorf("the time of day is not the agent's:\n%s", s)
	}
	if s := string(draw(t, f, ladder.TextOptions{Time: ladder.TimeOffset})); !strings.Contains(s, "+21.0 ms") || strings.Contains(s, "+5") {
		t.Errorf("offsets are not corrected:\n%s", s)
	}
}
