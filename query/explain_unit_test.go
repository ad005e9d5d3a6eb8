package query

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// said is one message of a flow made for a test.
type said struct {
	ms       int
	src, dst string
	// first is "INVITE sip:bob@x" or "486 Busy Here"; cseq "1 INVITE".
	first, cseq string
	// vias are the branches, topmost first; each names 10.0.0.9 as its host, unless
	// written as host:port/branch.
	vias string
	// headers are further lines, sdp is the summary and body the body.
	headers, sdp, body string
	toTag              string
	callID, transport  string
	node               string
}

// talk puts a flow together as Store.Flow does, out of messages as they are on
// the wire.
func talk(t *testing.T, names []Alias, list ...said) *Flow {
	t.Helper()
	b := newFlowBuilder(&component{}, "c1", newAliases(names))
	for _, s := range list {
		if s.callID == "" {
			s.callID = "c1"
		}
		var raw strings.Builder
		m := message{branch: ""}
		m.Kind, m.Time, m.CallID, m.SDP, m.Node = KindSIP, time.UnixMicro(1_795_000_000_000_000).Add(time.Duration(s.ms)*time.Millisecond), s.callID, s.sdp, s.node
		m.Transport = s.transport
		if m.Transport == "" {
			m.Transport = "udp"
		}
		word, rest, _ := strings.Cut(s.first, " ")
		if status, err := strconv.Atoi(word); err == nil {
			m.Status, m.Reason = uint16(status), rest
			fmt.Fprintf(&raw, "SIP/2.0 %s\r\n", s.first)
		} else {
			m.Method = word
			fmt.Fprintf(&raw, "%s SIP/2.0\r\n", s.first)
		}
		for i, v := range strings.Fields(s.vias) {
			host, branch, ok := strings.Cut(v, "/")
			if !ok {
				host, branch = "10.0.0.9:5060", v
			}
			if i == 0 {
				m.branch = branch
			}
			fmt.Fprintf(&raw, "Via: SIP/2.0/%s %s;branch=%s\r\n", strings.ToUpper(m.Transport), host, branch)
		}
		number, method, _ := strings.Cut(s.cseq, " ")
		n, _ := strconv.Atoi(number)
		m.CSeq, m.CSeqMethod = uint32(n), method
		m.FromTag, m.ToTag = "a", s.toTag
		to := "<sip:bob@x>"
		if s.toTag != "" {
			to += ";tag=" + s.toTag
		}
		fmt.Fprintf(&raw, "From: <sip:alice@x>;tag=a\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n%s\r\n%s", to, s.callID, s.cseq, s.headers, s.body)
		m.Raw = raw.String()
		for at, text := range map[*address]string{&m.src: s.src, &m.dst: s.dst} {
			ap := netip.MustParseAddrPort(text)
			*at = address{ap.Addr(), ap.Port()}
		}
		m.Label = sipLabel(&m.Item)
		b.add(m)
		if !slices.ContainsFunc(b.component.links, func(l link) bool { return l.callID == s.callID }) {
			b.component.links = append(b.component.links, link{callID: s.callID, correlationID: "c1"})
		}
	}
	f := b.flow()
	f.Call = Call{Method: list[0].cseq[strings.IndexByte(list[0].cseq, ' ')+1:], Outcome: Answered}
	f.Analyse()
	for i, finding := range f.Findings {
		if len(finding.Items) == 0 || finding.Text == "" || !strings.HasSuffix(finding.Text, ".") || finding.Severity.rank() < 0 {
			t.Errorf("finding %d is %+v", i, finding)
		}
	}
	return f
}

const (
	alice = "10.0.0.1:5060"
	proxy = "10.0.0.2:5060"
	bob   = "10.0.0.3:5060"
	far   = "10.0.0.4:5060"
)

// TestFindings checks what no capture of testdata has.
func TestFindings(t *testing.T) {
	invite := func(ms int, src, dst, vias string) said {
		return said{ms: ms, src: src, dst: dst, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: vias}
	}
	response := func(ms int, src, dst, status, cseq, vias string) said {
		return said{ms: ms, src: src, dst: dst, first: status, cseq: cseq, vias: vias, toTag: "b"}
	}
	within := func(ms int, src, dst, method, cseq, vias string) said {
		return said{ms: ms, src: src, dst: dst, first: method + " sip:bob@x", cseq: cseq, vias: vias, toTag: "b"}
	}
	with := func(s said, headers, sdp string) said {
		s.headers, s.sdp = headers, sdp
		return s
	}
	var timerB, storm []said
	for i, ms := range []int{0, 500, 1500, 3500, 7500, 15500, 31500} {
		timerB = append(timerB, invite(ms, alice, proxy, "b1"))
		storm = append(storm, with(response(1000+ms, bob, alice, "200 OK", "1 INVITE", "b1"), "", ""))
		_ = i
	}
	ring := response(100, bob, alice, "180 Ringing", "1 INVITE", "b1")
	answered := []said{invite(0, alice, bob, "b1"), response(1000, bob, alice, "200 OK", "1 INVITE", "b1"), within(1001, alice, bob, "ACK", "1 ACK", "b2")}
	up := func(more ...said) []said { return append(slices.Clone(answered), more...) }
	const offer, other = "audio 192.168.1.5:4000 PCMU,PCMA,telephone-event sendrecv", "audio 10.0.0.3:4000 opus,telephone-event sendrecv"
	for _, c := range []struct {
		name     string
		says     []said
		code     string
		severity Severity
		text     string
		items    []int
		first    bool
	}{
		{"timer B", timerB, "timer_b", SeverityError, "10.0.0.1:5060 sent the INVITE to 10.0.0.2:5060 7 times in 31.5 s", []int{0, 1, 2, 3, 4, 5, 6}, true},
		{"swallowed behind the proxy", []said{
			invite(0, alice, proxy, "b1"), response(1, proxy, alice, "100 Trying", "1 INVITE", "b1"),
			invite(2, proxy, bob, "b2 b1"), response(20, bob, proxy, "100 Trying", "1 INVITE", "b2 b1"), invite(21, bob, far, "b3 b2 b1"), invite(521, bob, far, "b3 b2 b1"),
		}, "no_response", SeverityError, "10.0.0.3:5060 sent the INVITE to 10.0.0.4:5060 twice in 500 ms", []int{0, 4, 5}, true},
		{"a proxy that keeps it", []said{invite(0, alice, proxy, "b1"), response(1, proxy, alice, "100 Trying", "1 INVITE", "b1")}, "no_final", SeverityError, "10.0.0.2:5060 took the INVITE of 10.0.0.1:5060 (100 Trying)", []int{0, 1}, true},
		{"ringing for ever", []said{invite(0, alice, bob, "b1"), ring}, "no_answer", SeverityWarning, "10.0.0.3:5060 rang (180 Ringing)", []int{0, 1}, true},
		{"the proxy's no-answer timer", []said{
			invite(0, alice, proxy, "b1"), invite(2, proxy, bob, "b2 b1"), response(50, bob, proxy, "180 Ringing", "1 INVITE", "b2 b1"), response(51, proxy, alice, "180 Ringing", "1 INVITE", "b1"),
			response(30000, proxy, alice, "408 Request Timeout", "1 INVITE", "b1"),
		}, "no_answer", SeverityWarning, "10.0.0.2:5060 gave up and answered 408 Request Timeout after 30.0 s", []int{1, 2, 4}, true},
		{"a status changed on its way", []said{
			invite(0, alice, proxy, "b1"), invite(2, proxy, bob, "b2 b1"), response(9, bob, proxy, "503 Overloaded", "1 INVITE", "b2 b1"), response(10, proxy, alice, "500 Failed", "1 INVITE", "b1"),
		}, "service_unavailable", SeverityError, "10.0.0.3:5060 answered the INVITE of 10.0.0.2:5060 with 503 Overloaded after 7.0 ms: it is overloaded, in maintenance, or has no way on; 10.0.0.2:5060 made it 500 Failed.", []int{1, 2, 3}, true},
		{"cancelled by the caller", []said{
			invite(0, alice, bob, "b1"), ring,
			with(said{ms: 4100, src: alice, dst: bob, first: "CANCEL sip:bob@x", cseq: "1 CANCEL", vias: "b1"}, "Reason: Q.850;cause=16\r\n", ""),
			response(4101, bob, alice, "200 OK", "1 CANCEL", "b1"), response(4102, bob, alice, "487 Request Terminated", "1 INVITE", "b1"),
		}, "cancelled", SeverityWarning, "The caller, 10.0.0.1:5060, cancelled after 4.1 s, of which it rang for 4.0 s; the reason given: Q.850 16 (normal call clearing).", []int{0, 1, 2, 4}, true},
		{"cancelled by a proxy", []said{
			invite(0, alice, proxy, "b1"), invite(2, proxy, bob, "b2 b1"), response(50, bob, proxy, "180 Ringing", "1 INVITE", "b2 b1"),
			{ms: 20002, src: proxy, dst: bob, first: "CANCEL sip:bob@x", cseq: "1 CANCEL", vias: "b2"}, response(20010, bob, proxy, "487 Terminated", "1 INVITE", "b2 b1"), response(20011, proxy, alice, "487 Terminated", "1 INVITE", "b1"),
		}, "cancelled", SeverityWarning, "10.0.0.2:5060, on the way, cancelled after 20.0 s", nil, true},
		{"the proxy cancels what rings too long", []said{
			invite(0, alice, proxy, "b1"), invite(2, proxy, bob, "b2 b1"), response(50, bob, proxy, "180 Ringing", "1 INVITE", "b2 b1"), response(51, proxy, alice, "180 Ringing", "1 INVITE", "b1"),
			{ms: 30002, src: proxy, dst: bob, first: "CANCEL sip:bob@x", cseq: "1 CANCEL", vias: "b2"}, response(30004, bob, proxy, "487 Terminated", "1 INVITE", "b2 b1"), response(30010, proxy, alice, "408 Request Timeout", "1 INVITE", "b1"),
		}, "no_answer", SeverityWarning, "No answer: 10.0.0.3:5060 rang for 30.0 s and did not answer; 10.0.0.2:5060 cancelled after 30.0 s; 10.0.0.2:5060 made it 408 Request Timeout.", []int{1, 2, 4, 5, 6}, true},
		{"redirected", []said{invite(0, alice, bob, "b1"), with(response(5, bob, alice, "302 Moved", "1 INVITE", "b1"), "Contact: <sip:carol@y>;q=0.5\r\n", "")}, "redirected", SeverityInfo, "at sip:carol@y", []int{0, 1}, true},
		{"a warning", []said{invite(0, alice, bob, "b1"), with(response(5, bob, alice, "488 No", "1 INVITE", "b1"), "Warning: 305 x \"Incompatible media format\"\r\n", "")}, "codec_refused", SeverityError, "its warning: 305 Incompatible media format", []int{0, 1}, true},
		{"loop by Max-Forwards", []said{
			with(invite(0, alice, proxy, "b1"), "Max-Forwards: 70\r\n", ""), with(invite(1, proxy, bob, "b2 b1"), "Max-Forwards: 69\r\n", ""), with(invite(2, bob, proxy, "b3 b2 b1"), "Max-Forwards: 68\r\n", ""),
			with(invite(3, proxy, bob, "b4 b3 b2 b1"), "Max-Forwards: 67\r\n", ""), with(invite(4, bob, proxy, "b5 b4 b3 b2 b1"), "Max-Forwards: 66\r\n", ""),
			response(5, proxy, bob, "483 Too Many Hops", "1 INVITE", "b5 b4 b3 b2 b1"),
		}, "loop", SeverityError, "went from 10.0.0.2:5060 to 10.0.0.3:5060 twice, Max-Forwards falling to 67", []int{1, 3}, false},
		{"loop by status", []said{invite(0, alice, bob, "b1"), response(5, bob, alice, "482 Loop Detected", "1 INVITE", "b1")}, "loop", SeverityError, "482 Loop Detected", []int{0, 1}, true},
		{"stale nonces", []said{
			with(said{ms: 0, src: alice, dst: proxy, first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "b1"}, "Authorization: Digest username=\"alice\", realm=\"x\"\r\n", ""),
			with(response(1, proxy, alice, "401 Unauthorized", "1 REGISTER", "b1"), "WWW-Authenticate: Digest realm=\"x\", nonce=\"1\", stale=true\r\n", ""),
			with(said{ms: 2, src: alice, dst: proxy, first: "REGISTER sip:x", cseq: "2 REGISTER", vias: "b2"}, "Authorization: Digest username=\"alice\", realm=\"x\"\r\n", ""),
			with(response(3, proxy, alice, "401 Unauthorized", "2 REGISTER", "b2"), "WWW-Authenticate: Digest realm=\"x\", nonce=\"2\", stale=true\r\n", ""),
		}, "auth_loop", SeverityError, "twice with credentials for \"alice\" in realm \"x\" refused; each time as stale", []int{0, 1, 2, 3}, false},
		{"challenged and never tried", []said{{ms: 0, src: alice, dst: proxy, first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "b1"}, response(1, proxy, alice, "401 Unauthorized", "1 REGISTER", "b1")}, "auth_missing", SeverityError, "it wants credentials", []int{0, 1}, true},
		{"rejected with credentials", []said{
			with(said{ms: 0, src: alice, dst: proxy, first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "b1"}, "Authorization: Digest username=\"alice\"\r\n", ""), response(1, proxy, alice, "403 Forbidden", "1 REGISTER", "b1"),
		}, "auth_rejected", SeverityError, "which it may have refused", []int{0, 1}, true},
		{"missing ACK", append([]said{invite(0, alice, bob, "b1")}, storm...), "missing_ack", SeverityError, "10.0.0.3:5060 sent 200 OK to 10.0.0.1:5060 7 times in 31.5 s, and no ACK was captured: timer H ran out", []int{0, 1, 2, 3, 4, 5, 6, 7}, false},
		{"NAT in SDP and Contact", []said{
			with(said{ms: 0, src: "203.0.113.7:1024", dst: "198.51.100.1:5060", first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "192.168.1.5:5060/b1"}, "Contact: <sip:alice@192.168.1.5:5060>\r\n", offer),
			response(5, "198.51.100.1:5060", "203.0.113.7:1024", "200 OK", "1 INVITE", "b1"),
		}, "nat_sdp", SeverityError, "wants media at the private address 192.168.1.5:4000, while it sends from 203.0.113.7", []int{0}, false},
		{"no codec in common", []said{with(invite(0, alice, bob, "b1"), "", offer), with(response(5, bob, alice, "200 OK", "1 INVITE", "b1"), "", other), within(6, alice, bob, "ACK", "1 ACK", "b2")},
			"codec_mismatch", SeverityError, "No codec in common: 10.0.0.1:5060 offered PCMU, PCMA, 10.0.0.3:5060 answered opus.", []int{0, 1}, false},
		{"media refused", []said{with(invite(0, alice, bob, "b1"), "", offer), with(response(5, bob, alice, "200 OK", "1 INVITE", "b1"), "", "audio 10.0.0.3:0 PCMU sendrecv")}, "media_refused", SeverityError, "its port is 0", []int{0, 1}, false},
		{"one way", []said{with(invite(0, alice, bob, "b1"), "", offer), with(response(5, bob, alice, "200 OK", "1 INVITE", "b1"), "", "audio 10.0.0.3:4000 PCMU recvonly")}, "one_way_media", SeverityWarning, "10.0.0.3:5060 says recvonly", []int{1}, false},
		{"re-INVITE refused", up(within(2000, alice, bob, "INVITE", "2 INVITE", "b3"), response(2001, bob, alice, "488 No", "2 INVITE", "b3")), "reinvite_failed", SeverityWarning, "The re-INVITE of 10.0.0.1:5060 was refused by 10.0.0.3:5060 with 488 No", []int{3, 4}, false},
		{"glare", up(within(2000, alice, bob, "INVITE", "2 INVITE", "b3"), response(2001, bob, alice, "491 Request Pending", "2 INVITE", "b3")), "glare", SeverityInfo, "Both sides changed the call at once", []int{3, 4}, false},
		{"transfer failed", up(with(within(2000, alice, bob, "REFER", "2 REFER", "b3"), "Refer-To: <sip:carol@x>\r\n", ""), response(2001, bob, alice, "202 Accepted", "2 REFER", "b3"),
			said{ms: 2500, src: bob, dst: alice, first: "NOTIFY sip:alice@x", cseq: "1 NOTIFY", vias: "b4", toTag: "b", body: "SIP/2.0 486 Busy Here\r\n"}), "transfer_failed", SeverityWarning, "to sip:carol@x was accepted and failed: the new party answered 486", []int{3, 4, 5}, false},
		{"session timer", up(with(within(90000, bob, alice, "BYE", "1 BYE", "b3"), "Reason: SIP;cause=408;text=\"Session timer expired\"\r\n", ""), response(90001, alice, bob, "200 OK", "1 BYE", "b3")), "session_expired", SeverityWarning, "The session timer ran out: 10.0.0.3:5060 ended the call", []int{3}, false},
		{"BYE into the void", up(within(2000, alice, bob, "BYE", "2 BYE", "b3"), within(2500, alice, bob, "BYE", "2 BYE", "b3")), "bye_unanswered", SeverityWarning, "sent the BYE to 10.0.0.3:5060 twice", []int{3, 4}, false},
		{"slow setup", []said{
			invite(0, alice, proxy, "b1"), invite(100, proxy, bob, "b2 b1"), response(8000, bob, proxy, "180 Ringing", "1 INVITE", "b2 b1"), response(8001, proxy, alice, "180 Ringing", "1 INVITE", "b1"),
		}, "high_pdd", SeverityWarning, "It took 8.0 s until it rang; most of it passed at 10.0.0.3:5060.", []int{0, 1, 2, 3}, false},
		{"a cause that is a fault", up(with(within(2000, alice, bob, "BYE", "2 BYE", "b3"), "Reason: Q.850;cause=38\r\n", ""), response(2001, bob, alice, "200 OK", "2 BYE", "b3")), "release_reason", SeverityWarning, "Q.850 38 (network out of order)", []int{3}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := talk(t, nil, c.says...)
			i := slices.IndexFunc(f.Findings, func(f Finding) bool { return f.Code == c.code })
			if i < 0 {
				t.Fatalf("not found among %+v", f.Findings)
			}
			got := f.Findings[i]
			if got.Severity != c.severity || !strings.Contains(got.Text, c.text) || (c.items != nil && !slices.Equal(got.Items, c.items)) || (c.first && i != 0) {
				t.Errorf("finding %d of %+v", i, f.Findings)
			}
		})
	}
	t.Run("being set up", func(t *testing.T) {
		f := talk(t, nil, invite(0, alice, bob, "b1"), ring)
		f.Call.Outcome, f.Truncated = InProgress, "messages: only the first 2 are shown"
		f.Analyse()
		if len(f.Findings) != 2 || f.Findings[0].Code != "in_progress" || !strings.Contains(f.Findings[0].Text, "10.0.0.3:5060 rings (180 Ringing)") || f.Findings[1].Code != "truncated" {
			t.Errorf("findings %+v", f.Findings)
		}
	})
	t.Run("nothing wrong", func(t *testing.T) {
		f := talk(t, nil, up(within(2000, alice, bob, "BYE", "2 BYE", "b3"), response(2001, bob, alice, "200 OK", "2 BYE", "b3"))...)
		if len(f.Findings) != 1 || f.Findings[0].Code != "answered" || !strings.Contains(f.Findings[0].Text, "the caller, 10.0.0.1:5060, hung up 1.0 s later") {
			t.Errorf("findings %+v", f.Findings)
		}
	})
}

// TestSkewedAgents: one agent's clock is three seconds ahead; the messages are in
// order all the same, and the flow says so.
func TestSkewedAgents(t *testing.T) {
	at := func(s said, node string) said {
		if s.node = node; node == "ahead" {
			s.ms += 3000
		}
		return s
	}
	invite := func(ms int, src, dst, vias string) said {
		return said{ms: ms, src: src, dst: dst, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: vias}
	}
	response := func(ms int, src, dst, status, vias string) said {
		return said{ms: ms, src: src, dst: dst, first: status, cseq: "1 INVITE", vias: vias, toTag: "b"}
	}
	f := talk(t, nil,
		at(invite(0, alice, proxy, "b1"), "true"), at(invite(2, proxy, bob, "b2 b1"), "ahead"),
		at(response(100, bob, proxy, "180 Ringing", "b2 b1"), "ahead"), at(response(102, proxy, alice, "180 Ringing", "b1"), "true"),
		at(response(900, bob, proxy, "486 Busy", "b2 b1"), "ahead"), at(response(902, proxy, alice, "486 Busy", "b1"), "true"),
		at(said{ms: 904, src: alice, dst: proxy, first: "ACK sip:bob@x", cseq: "1 ACK", vias: "b1", toTag: "b"}, "true"),
	)
	var order []string
	for _, it := range f.Items {
		order = append(order, fmt.Sprint(it.Src, it.Dst, it.Label))
	}
	want := []string{"0 1INVITE", "1 2INVITE", "2 1180 Ringing", "1 0180 Ringing", "2 1486 Busy", "1 0486 Busy", "0 1ACK"}
	if !slices.Equal(order, want) {
		t.Errorf("order %q", order)
	}
	if len(f.Clocks) != 1 || f.Clocks[0].Node != "ahead" || f.Clocks[0].AheadUs < 2_990_000 || f.Clocks[0].AheadUs > 3_010_000 {
		t.Errorf("clocks %+v", f.Clocks)
	}
	if i := slices.IndexFunc(f.Findings, func(f Finding) bool { return f.Code == "clock_skew" }); i < 0 || !strings.Contains(f.Findings[i].Text, "agent ahead is 3s ahead") {
		t.Errorf("findings %+v", f.Findings)
	}
	if us := f.Items[3].RelayUs; us == nil || *us < 0 || *us > 10_000 {
		t.Errorf("the 180 was held for %v µs", us)
	}
	// Agents that agree are left alone.
	f = talk(t, nil, invite(0, alice, proxy, "b1"), invite(2, proxy, bob, "b2 b1"))
	if len(f.Clocks) != 0 {
		t.Errorf("clocks %+v", f.Clocks)
	}
}

func TestTransactionsAndDialogs(t *testing.T) {
	f := talk(t, nil,
		said{ms: 0, src: alice, dst: proxy, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "b1"},
		said{ms: 5, src: proxy, dst: bob, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "b2 b1"},
		said{ms: 25, src: bob, dst: proxy, first: "200 OK", cseq: "1 INVITE", vias: "b2 b1", toTag: "b"},
		said{ms: 27, src: proxy, dst: alice, first: "200 OK", cseq: "1 INVITE", vias: "b1", toTag: "b"},
		said{ms: 30, src: alice, dst: bob, first: "ACK sip:bob@x", cseq: "1 ACK", vias: "b3", toTag: "b"},
		said{ms: 100, src: bob, dst: alice, first: "BYE sip:alice@x", cseq: "1 BYE", vias: "b4", toTag: "b"},
	)
	if len(f.Transactions) != 3 || f.Transactions[1].Parent != 0 || f.Transactions[0].Ack != 4 || f.Transactions[0].Final != 3 || f.Transactions[2].Final != -1 {
		t.Errorf("transactions %+v", f.Transactions)
	}
	if len(f.Dialogs) != 1 || f.Dialogs[0].State != DialogTerminated || f.Dialogs[0].First != 2 || f.Dialogs[0].Last != 5 || f.Items[0].Dialog != -1 || f.Items[5].Dialog != 0 {
		t.Errorf("dialogs %+v", f.Dialogs)
	}
	for i, want := range []int64{-1, 5000, -1, 2000, -1, -1} {
		if us := f.Items[i].RelayUs; (us == nil) != (want < 0) || us != nil && *us != want {
			t.Errorf("item %d was held for %v, want %d", i, us, want)
		}
	}
	if us := f.Items[3].ResponseUs; us == nil || *us != 27000 {
		t.Errorf("response after %v", us)
	}
}

// TestParticipantsAreMerged: by alias, and a host's client ports by where it is
// known.
func TestParticipantsAreMerged(t *testing.T) {
	names, err := ParseAliases([]string{"10.0.0.3=gateway", "10.0.0.0/24=office", "10.0.0.2:5060=sbc", "[2001:db8::1]:5061=six"})
	if err != nil {
		t.Fatal(err)
	}
	says := []said{
		{ms: 0, src: alice, dst: proxy, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "10.0.0.1:5060/b1"},
		// The proxy goes on by TCP, from a port of the connection.
		{ms: 1, src: "10.0.0.2:41234", dst: bob, first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "10.0.0.2:5060/b2 10.0.0.1:5060/b1", transport: "tcp"},
		{ms: 2, src: bob, dst: "10.0.0.2:41234", first: "180 Ringing", cseq: "1 INVITE", vias: "10.0.0.2:5060/b2 10.0.0.1:5060/b1", transport: "tcp", toTag: "b"},
		{ms: 3, src: proxy, dst: alice, first: "180 Ringing", cseq: "1 INVITE", vias: "10.0.0.1:5060/b1", toTag: "b"},
	}
	f := talk(t, nil, says...)
	if len(f.Participants) != 3 || f.Participants[1].Address != proxy || !slices.Equal(f.Participants[1].Addresses, []string{proxy, "10.0.0.2:41234"}) || f.Items[1].Src != 1 || f.Items[2].Dst != 1 {
		t.Errorf("participants %+v", f.Participants)
	}
	if f.Items[1].SrcAddr.String() != "10.0.0.2:41234" {
		t.Errorf("the address on the wire is %s", f.Items[1].SrcAddr)
	}
	f = talk(t, names, says...)
	var got []string
	for _, p := range f.Participants {
		got = append(got, p.Alias)
	}
	if !slices.Equal(got, []string{"office", "sbc", "gateway"}) {
		t.Errorf("aliases %q", got)
	}
	// Behind NAT the Via names another host; the only port known is the host's.
	f = talk(t, nil,
		said{ms: 0, src: "203.0.113.7:50123", dst: proxy, first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "192.168.1.5:5060/b1", transport: "tcp"},
		said{ms: 1, src: proxy, dst: "203.0.113.7:50123", first: "200 OK", cseq: "1 REGISTER", vias: "192.168.1.5:5060/b1", transport: "tcp", toTag: "b"})
	if len(f.Participants) != 2 || f.Participants[0].Address != "203.0.113.7:50123" {
		t.Errorf("behind NAT: %+v", f.Participants)
	}
	// A client on the proxy's own host is somebody else.
	f = talk(t, nil,
		said{ms: 0, src: "127.0.0.1:50123", dst: "127.0.0.1:5060", first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "host.invalid:5060/b1", transport: "ws"},
		said{ms: 1, src: "127.0.0.1:5060", dst: "127.0.0.1:50123", first: "200 OK", cseq: "1 REGISTER", vias: "host.invalid:5060/b1", transport: "ws", toTag: "b"})
	if len(f.Participants) != 2 {
		t.Errorf("on one host: %+v", f.Participants)
	}
	for _, bad := range []string{"", "x", "10.0.0.1", "10.0.0.1=", "host=x", "10.0.0.0/40=x"} {
		if a, err := ParseAlias(bad); err == nil {
			t.Errorf("%q is %+v", bad, a)
		}
	}
	for _, good := range []string{"10.0.0.1=a b", "10.0.0.1:5060=a", "[2001:db8::1]:5060=a", "2001:db8::1=a", "2001:db8::/32=a", "10.0.0.0/8=a"} {
		if a, err := ParseAlias(good); err != nil || a.String() != good {
			t.Errorf("%q is %q, %v", good, a, err)
		}
	}
	if _, err := ParseAliases([]string{"10.0.0.1=a", "10.0.0.1=b"}); err == nil {
		t.Error("an address has two names")
	}
}

// TestResponsesElsewhere: a client without rport gets the response on the port that
// its Via names.
func TestResponsesElsewhere(t *testing.T) {
	f := talk(t, nil,
		said{ms: 0, src: "10.0.0.1:41000", dst: bob, first: "OPTIONS sip:x", cseq: "1 OPTIONS", vias: "10.0.0.1:5060/b1"},
		said{ms: 5, src: bob, dst: alice, first: "200 OK", cseq: "1 OPTIONS", vias: "10.0.0.1:5060/b1", toTag: "b"})
	if len(f.Transactions) != 1 || len(f.Findings) != 1 || f.Findings[0].Code != "answered" {
		t.Errorf("transactions %+v, findings %+v", f.Transactions, f.Findings)
	}
}

// TestEndsAreMended: a proxy that reports its own address as both ends of what it
// sends over WebSocket.
func TestEndsAreMended(t *testing.T) {
	f := talk(t, nil,
		said{ms: 0, src: "10.0.0.1:41000", dst: proxy, first: "REGISTER sip:x", cseq: "1 REGISTER", vias: "host.invalid:5060/b1", transport: "ws"},
		said{ms: 5, src: proxy, dst: proxy, first: "200 OK", cseq: "1 REGISTER", vias: "host.invalid:5060/b1", transport: "tcp", toTag: "b"})
	if f.Items[1].Dst != f.Items[0].Src || f.Items[1].DstAddr.String() != proxy || len(f.Participants) != 2 {
		t.Errorf("items %+v", f.Items)
	}
	if len(f.Findings) != 1 || f.Findings[0].Code != "answered" || len(f.Transactions) != 1 {
		t.Errorf("findings %+v", f.Findings)
	}
}

// FuzzAnalyse puts flows together of anything that may arrive: none brings the
// analysis down, and what it says refers to what is there.
func FuzzAnalyse(f *testing.F) {
	const invite = "INVITE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=b1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"
	f.Add(invite + "\x00" + strings.Replace(invite, "Via:", "Via: SIP/2.0/UDP 10.0.0.2;branch=b2\r\nVia:", 1) + "\x00SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=b1\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause=17\r\n\r\n")
	f.Add("BYE sip:x SIP/2.0\r\nCSeq: 2 BYE\r\nReason: SIP;text=\"session timer expired\"\r\n\r\n\x00REFER x SIP/2.0\r\nRefer-To: <sip:c@x\r\nCSeq: 1 REFER\r\n\r\n\x00NOTIFY x SIP/2.0\r\nCSeq: 1 NOTIFY\r\n\r\nSIP/2.0 200")
	f.Add("SIP/2.0 401 No\r\nWWW-Authenticate: Digest realm=\"x\r\nCSeq: 1 REGISTER\r\n\r\n\x00\x00SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n")
	f.Fuzz(func(t *testing.T, data string) {
		b := newFlowBuilder(&component{links: []link{{callID: "c1", correlationID: "c1"}}}, "c1", nil)
		ends := []address{{netip.MustParseAddr("10.0.0.1"), 5060}, {netip.MustParseAddr("203.0.113.2"), 5060}, {netip.MustParseAddr("10.0.0.3"), 40000}, {}}
		for i, raw := range strings.Split(data, "\x00") {
			if i > 40 {
				break
			}
			h := readSIPHead([]byte(raw))
			m := message{src: ends[(i+len(raw))%4], dst: ends[(i+len(raw)/3)%4]}
			m.Kind, m.CallID, m.Raw, m.Node, m.Transport = KindSIP, "c1", raw, strconv.Itoa(i%2), []string{"udp", "tcp"}[i%2]
			m.Time = time.UnixMicro(int64(1_795_000_000_000_000 + i*len(raw)*1000))
			if rest, ok := strings.CutPrefix(h.line, "SIP/2.0 "); ok {
				n, _ := strconv.ParseUint(rest[:min(3, len(rest))], 10, 16)
				m.Status = uint16(n)
			} else {
				m.Method, _, _ = strings.Cut(h.line, " ")
			}
			number, method, _ := strings.Cut(h.get("cseq"), " ")
			n, _ := strconv.ParseUint(number, 10, 32)
			m.CSeq, m.CSeqMethod = uint32(n), method
			m.FromTag, m.ToTag, m.SDP = h.tag("from"), h.tag("to"), h.get("subject")
			if vias := h.vias(); len(vias) > 0 {
				m.branch = vias[0].branch
			}
			b.add(m)
		}
		flow := b.flow()
		flow.Call.Method = "INVITE"
		flow.Analyse()
		for _, finding := range flow.Findings {
			if len(finding.Items) == 0 || finding.Client >= len(flow.Participants) || finding.Server >= len(flow.Participants) {
				t.Errorf("finding %+v", finding)
			}
			for _, i := range finding.Items {
				if i < 0 || i >= len(flow.Items) {
					t.Errorf("finding %+v of %d items", finding, len(flow.Items))
				}
			}
		}
		for i, it := range flow.Items {
			if it.Transaction >= len(flow.Transactions) || it.Dialog >= len(flow.Dialogs) {
				t.Errorf("item %d: transaction %d, dialog %d", i, it.Transaction, it.Dialog)
			}
		}
	})
}

// BenchmarkAnalyse explains the largest flow there is.
func BenchmarkAnalyse(b *testing.B) {
	f := &Flow{Participants: []Participant{{Address: alice}, {Address: proxy}, {Address: bob}}}
	for i := range MaxFlowMessages / 4 {
		raw := fmt.Sprintf("INFO sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=b%d\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: %d INFO\r\n\r\n", i, i)
		on := fmt.Sprintf("INFO sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=c%d\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=b%d\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCSeq: %d INFO\r\n\r\n", i, i, i)
		for _, m := range []struct {
			raw      string
			src, dst int
			status   uint16
		}{{raw, 0, 1, 0}, {on, 1, 2, 0}, {"SIP/2.0 200 OK" + on[strings.IndexByte(on, '\r'):], 2, 1, 200}, {"SIP/2.0 200 OK" + raw[strings.IndexByte(raw, '\r'):], 1, 0, 200}} {
			it := Item{Kind: KindSIP, RawBytes: []byte(m.raw), Src: m.src, Dst: m.dst, Status: m.status, CSeq: uint32(i), CSeqMethod: "INFO", Time: time.UnixMicro(int64(len(f.Items)))}
			if m.status == 0 {
				it.Method = "INFO"
			}
			f.Items = append(f.Items, it)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		f.Analyse()
	}
}

// Agents that give no times say nothing of how long things took.
func TestNoTimes(t *testing.T) {
	f := talk(t, nil,
		said{src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "z1"},
		said{src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "180 Ringing", cseq: "1 INVITE", vias: "z1", toTag: "b"},
		said{src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "486 Busy Here", cseq: "1 INVITE", vias: "z1", toTag: "b"},
	)
	if want := "10.0.0.2:5060 answered the INVITE of 10.0.0.1:5060 with 486 Busy Here: the called party is busy."; f.Findings[0].Text != want {
		t.Errorf("got  %s\nwant %s", f.Findings[0].Text, want)
	}
}

// A response whose status cannot be read is no request that nobody answered.
func TestUnreadableStatus(t *testing.T) {
	b := newFlowBuilder(&component{}, "c1", nil)
	m := message{}
	m.Kind, m.CallID, m.CSeqMethod, m.CSeq, m.ParseError = KindSIP, "c1", "INVITE", 1, "bad_status"
	m.Raw = "SIP/2.0 4294967301 better not break the receiver\r\nCSeq: 1 INVITE\r\n\r\n"
	m.src, m.dst = address{netip.MustParseAddr("10.0.0.1"), 5060}, address{netip.MustParseAddr("10.0.0.2"), 5060}
	b.add(m)
	b.component.links = append(b.component.links, link{callID: "c1", correlationID: "c1"})
	f := b.flow()
	f.Analyse()
	if len(f.Transactions) != 0 || len(f.Findings) != 1 || f.Findings[0].Code != "malformed" {
		t.Errorf("transactions %+v, findings %+v", f.Transactions, f.Findings)
	}
}

// Of a message that breaks the grammar nobody can tell whether it was lost or
// thrown away.
func TestBrokenAndUnanswered(t *testing.T) {
	f := talk(t, nil, said{src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "z1"})
	f.Items[0].ParseError, f.Call.Outcome = "duplicate_header", Unanswered
	f.Analyse()
	if got := f.Findings[0]; got.Code != "no_response" || !strings.Contains(got.Text, "It breaks the grammar (duplicate_header), for which 10.0.0.2:5060 may have thrown it away") {
		t.Errorf("%s: %s", got.Code, got.Text)
	}
}

// Who rang, and was not picked up, is registered and there.
func TestNotPickedUp(t *testing.T) {
	f := talk(t, nil,
		said{ms: 0, src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "z1"},
		said{ms: 90, src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "180 Ringing", cseq: "1 INVITE", vias: "z1", toTag: "b"},
		said{ms: 20_090, src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "480 Temporarily Unavailable", cseq: "1 INVITE", vias: "z1", toTag: "b"},
	)
	if got := f.Findings[0]; got.Code != "no_answer" || !strings.Contains(got.Text, "nobody picked up; it had rung for 20.0 s") {
		t.Errorf("%s: %s", got.Code, got.Text)
	}
}

// A change of the call that a proxy passed on was refused by who got it.
func TestRefusedReinviteNamesWhoRefused(t *testing.T) {
	f := talk(t, nil,
		said{ms: 0, src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "INVITE sip:bob@x", cseq: "1 INVITE", vias: "z1"},
		said{ms: 10, src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "200 OK", cseq: "1 INVITE", vias: "z1", toTag: "b"},
		said{ms: 20, src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "ACK sip:bob@x", cseq: "1 ACK", vias: "z1a", toTag: "b"},
		said{ms: 1000, src: "10.0.0.1:5060", dst: "10.0.0.2:5060", first: "INVITE sip:bob@x", cseq: "2 INVITE", vias: "z2", toTag: "b"},
		said{ms: 1001, src: "10.0.0.2:5060", dst: "10.0.0.3:5060", first: "INVITE sip:bob@x", cseq: "2 INVITE", vias: "z3 z2", toTag: "b"},
		said{ms: 1005, src: "10.0.0.3:5060", dst: "10.0.0.2:5060", first: "488 Not Acceptable Here", cseq: "2 INVITE", vias: "z3 z2", toTag: "b"},
		said{ms: 1006, src: "10.0.0.2:5060", dst: "10.0.0.1:5060", first: "488 Not Acceptable Here", cseq: "2 INVITE", vias: "z2", toTag: "b"},
	)
	for _, got := range f.Findings {
		if got.Code == "reinvite_failed" {
			if !strings.Contains(got.Text, "The re-INVITE of 10.0.0.1:5060 was refused by 10.0.0.3:5060 with 488") || len(got.Items) != 3 {
				t.Errorf("%s %v", got.Text, got.Items)
			}
			return
		}
	}
	t.Errorf("no such finding among %+v", f.Findings)
}
