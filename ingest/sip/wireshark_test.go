package sip

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// TestRawCaptures compares every SIP message of the raw captures with
// Wireshark's decode of the same frame, in both directions: a value that
// Wireshark does not have must not be in the Message.
func TestRawCaptures(t *testing.T) {
	names := append(captures.Names(t, "*.sip"), captures.Names(t, "*.sip-rtcp")...)
	total := 0
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			total += compareCapture(t, captures.Path(name+".pcap"), captures.Path(name+".truth.jsonl"))
		})
	}
	if total != 1299 { // frames with SIP in these files
		t.Errorf("compared %d messages instead of 1299", total)
	}
}

// TestPublishedCaptures does the same with captures that others published.
func TestPublishedCaptures(t *testing.T) {
	for _, name := range []string{"sngrep-tests-aaa.sip", "sngrep-tests-ipip.sip"} {
		t.Run(name, func(t *testing.T) {
			compareCapture(t, captures.Public(t, name+".pcap"), captures.Public(t, name+".truth.jsonl"))
		})
	}
}

// TestHEPCaptures compares the SIP inside the HEPv3 datagrams of all senders.
func TestHEPCaptures(t *testing.T) {
	total := 0
	for _, name := range captures.Names(t, "*-hep3*") {
		t.Run(name, func(t *testing.T) {
			truths := truthByFrame(t, captures.Path(name+".truth.jsonl"))
			for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
				truth := truths[p.Frame]
				if p.Transport != "udp" || truth.First("sip.CSeq") == "" {
					continue
				}
				compare(t, p.Frame, hepPayload(p.Payload), truth)
				total++
			}
		})
	}
	if total != 1347 { // frames with SIP in these files
		t.Errorf("compared %d messages instead of 1347", total)
	}
}

func truthByFrame(t *testing.T, path string) map[int]captures.Truth {
	t.Helper()
	out := make(map[int]captures.Truth)
	for _, truth := range captures.ReadTruth(t, path) {
		out[truth.Frame()] = truth
	}
	return out
}

// compareCapture compares the messages of a capture of SIP itself.
func compareCapture(t *testing.T, pcap, truth string) (compared int) {
	truths := truthByFrame(t, truth)
	streams := make(map[netip.AddrPort][]byte)
	for _, p := range captures.Read(t, pcap) {
		want, ok := truths[p.Frame]
		ok = ok && want.First("sip.CSeq") != ""
		if p.Transport == "udp" {
			payload := p.Payload
			if want.First("hep3.version") != "" { // the HEP of the same call, seen on the same wire
				payload = hepPayload(payload)
			}
			if LooksLikeSIP(payload) != ok {
				t.Errorf("frame %d: Wireshark sees SIP: %v", p.Frame, ok)
			} else if ok {
				compare(t, p.Frame, payload, want)
				compared++
			}
			continue
		}
		b := append(streams[p.Src], p.Payload...)
		for len(b) > 0 {
			n, whole := MessageLength(b)
			if !whole {
				break
			}
			compare(t, p.Frame, b[:n], want)
			compared++
			b = b[n:]
		}
		streams[p.Src] = b
	}
	for src, rest := range streams {
		if len(bytes.TrimSpace(rest)) > 0 {
			t.Errorf("%d bytes of %s are no whole message", len(rest), src)
		}
	}
	return compared
}

// compare scans one message and compares each field that Wireshark shows.
func compare(t *testing.T, frame int, b []byte, truth captures.Truth) {
	t.Helper()
	var m Message
	if !NewScanner(Options{}).Scan(&m, b) {
		t.Errorf("frame %d is taken for no SIP", frame)
		return
	}
	check := func(field, got string) {
		t.Helper()
		if want := truth.First(field); got != want {
			t.Errorf("frame %d: %s is %q, Wireshark has %q", frame, field, got, want)
		}
	}
	check("sip.Method", string(m.Method))
	check("sip.r-uri", string(m.RequestURI))
	if m.Response {
		check("sip.Status-Code", strconv.Itoa(int(m.Status)))
		check("sip.Status-Line", strings.TrimRight(fmt.Sprintf("SIP/2.0 %d %s", m.Status, m.Reason), " "))
	}
	check("sip.Call-ID", string(m.CallID))
	if m.Errs.Has(BadCSeq) {
		// scalarlg of RFC 4475: Wireshark gives the text, the number is beyond a uint32.
		if m.CSeq != 0 {
			t.Errorf("frame %d: CSeq is %d", frame, m.CSeq)
		}
	} else {
		check("sip.CSeq", fmt.Sprintf("%d %s", m.CSeq, m.CSeqMethod))
	}
	check("sip.from.user", string(m.From.User))
	check("sip.from.host", string(m.From.Host))
	check("sip.from.tag", string(m.FromTag))
	check("sip.to.user", string(m.To.User))
	check("sip.to.host", string(m.To.Host))
	check("sip.to.tag", string(m.ToTag))
	check("sip.User-Agent", string(m.UserAgent))
	check("sip.Server", string(m.Server))
	check("sip.Contact", string(m.ContactValue))
	compareVia(t, frame, &m, truth)
	check("sip.Content-Type", string(m.ContentType))
	check("sip.Content-Length", number(int64(m.ContentLength)))
	check("sip.Expires", number(m.Expires))
	check("sip.Reason", string(m.ReasonHeader))
	// Event is the package alone; Wireshark shows the parameters with it.
	event, _, _ := strings.Cut(truth.First("sip.Event"), ";")
	if string(m.Event) != event {
		t.Errorf("frame %d: event is %q, Wireshark has %q", frame, m.Event, event)
	}
	compareSDP(t, frame, &m.SDP, truth)
}

// compareVia compares the branches of the topmost and the bottom-most Via. The
// list of Wireshark has no entry for a Via without a branch.
func compareVia(t *testing.T, frame int, m *Message, truth captures.Truth) {
	t.Helper()
	vias := strings.Split(strings.Join(truth["sip.Via"], ","), ",")
	branches := truth["sip.Via.branch"]
	var first, last string
	if strings.Contains(vias[0], "branch=") {
		first = branches[0]
	}
	if strings.Contains(vias[len(vias)-1], "branch=") {
		last = branches[len(branches)-1]
	}
	if string(m.Via.Branch) != first || string(m.ViaLast.Branch) != last {
		t.Errorf("frame %d: branches are %q and %q, Wireshark has %q and %q", frame, m.Via.Branch, m.ViaLast.Branch, first, last)
	}
	// Wireshark does not see a Via with white space before its colon, of which
	// longreq of RFC 4475 has some; none of its Vias but one has a branch.
	if first != "" && m.ViaCount != len(branches) {
		t.Errorf("frame %d: %d Vias, Wireshark has %d", frame, m.ViaCount, len(branches))
	}
}

func number(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// compareSDP compares the first media line, its number of formats, and the
// connection.
func compareSDP(t *testing.T, frame int, s *SDP, truth captures.Truth) {
	t.Helper()
	media := truth["sdp.media"]
	if s.MediaLines != len(media) {
		t.Errorf("frame %d: %d media lines, Wireshark has %q", frame, s.MediaLines, media)
		return
	}
	if len(media) == 0 {
		return
	}
	words := strings.Fields(media[0])
	if got, want := fmt.Sprintf("%s %d %s", s.Media, s.Port, s.Proto), strings.Join(words[:3], " "); got != want {
		t.Errorf("frame %d: media line is %q, Wireshark has %q", frame, got, want)
	}
	if got, want := len(s.Codecs()), min(len(words)-3, MaxCodecs); got != want {
		t.Errorf("frame %d: %d codecs of %q", frame, got, media[0])
	}
	connection := strings.Fields(truth.First("sdp.connection_info"))
	if len(connection) != 3 || connection[2] != string(s.Addr) {
		t.Errorf("frame %d: media address is %q, Wireshark has %q", frame, s.Addr, connection)
	}
}
