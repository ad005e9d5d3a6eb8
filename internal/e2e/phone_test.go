package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// script is what one phone does in a call: a SIPp scenario, put together step by
// step. The caller is alice, who calls the user in her opening request.
type script struct {
	strings.Builder
	caller bool
}

// The two ends of a call.
func callerScript() *script { return &script{caller: true} }
func calledScript() *script { return &script{} }

// sdp is a session description whose only codec is the payload type.
func sdp(codec int) string {
	return sprintf("v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio 30000 RTP/AVP %d\n", codec)
}

// message ends a message that is sent; again lets SIPp send it until it is
// answered.
func (s *script) message(again bool, head, body string) *script {
	retransmit := ""
	if again {
		retransmit = ` retrans="500"`
	}
	if body != "" {
		head += "Content-Type: application/sdp\n"
	}
	_, _ = s.WriteString("<send" + retransmit + "><![CDATA[\n\n" + head + "Content-Length: [len]\n\n" + body + "]]></send>\n")
	return s
}

// opens sends the request that opens the call, to a user at a port.
func (s *script) opens(user string, port int) *script {
	return s.message(true, sprintf(`INVITE sip:%s@127.0.0.1:%d SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:alice@lab.test>;tag=[pid]c[call_number]
To: <sip:%s@lab.test>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:alice@[local_ip]:[local_port]>
`, user, port, user), sdp(0))
}

// sends sends a request within the dialog that was last opened or answered.
func (s *script) sends(method string, cseq int, body string) *script {
	parties := "From: <sip:alice@lab.test>;tag=[pid]c[call_number]\nTo:[$to]\n"
	if !s.caller {
		parties = "From:[$to];tag=[pid]s[call_number]\nTo:[$from]\n"
	}
	return s.message(method != "ACK", sprintf(`%s [$target] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
Route: [$path]
%sCall-ID: [call_id]
CSeq: %d %s
Contact: <sip:[local_ip]:[local_port]>
`, method, parties, cseq, method), body)
}

// acksFailure acknowledges the refusal that was just received, of the request
// before it (RFC 3261 section 17.1.1.3).
func (s *script) acksFailure(user string, cseq int) *script {
	return s.message(false, sprintf(`ACK sip:%s SIP/2.0
[last_Via:]
Max-Forwards: 70
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: %d ACK
`, user, cseq), "")
}

// invited waits for an INVITE and keeps what its answers need under a name.
func (s *script) invited(name string) *script {
	_, _ = s.WriteString(`<recv request="INVITE"><action>` + "\n")
	for _, header := range []string{"Record-Route", "From", "To", "CSeq"} {
		_, _ = s.WriteString(sprintf(`<ereg regexp=".*" search_in="hdr" header="%s:" check_it="false" assign_to="%s%s"/>`+"\n", header, name, variable(header)))
	}
	for hop := 1; hop <= 2; hop++ { // the proxy's and the other phone's
		_, _ = s.WriteString(sprintf(`<ereg regexp=".*" search_in="hdr" header="Via:" occurrence="%d" check_it="true" assign_to="%svia%d"/>`+"\n", hop, name, hop))
	}
	if name == "" {
		_, _ = s.WriteString(dialog)
	}
	_, _ = s.WriteString("</action></recv>\n")
	return s
}

// dialog keeps where requests within the dialog go. SIPp's own next_url and
// routes are those of the first answer for ever, also when another follows.
const dialog = `<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" check_it="true" assign_to="target"/>
<ereg regexp="&lt;sip:[^>]*>" search_in="hdr" header="Record-Route:" check_it="true" assign_to="path"/>
`

// variable is the part of a header's name in the variable that keeps it.
func variable(header string) string { return strings.ToLower(strings.ReplaceAll(header, "-", "")) }

// answers answers the INVITE that was kept under the name.
func (s *script) answers(name, status, body string) *script {
	tag := ";tag=[pid]s[call_number]"
	if s.caller || name != "" {
		tag = "" // there is one
	}
	route := ""
	if name == "" {
		route = "Record-Route:[$recordroute]\n"
	}
	v := func(header string) string { return "[$" + name + variable(header) + "]" }
	return s.message(status >= "2", "SIP/2.0 "+status+"\nVia:"+v("Via1")+"\nVia:"+v("Via2")+"\n"+route+"From:"+v("From")+"\nTo:"+v("To")+tag+
		"\nCall-ID: [call_id]\nCSeq:"+v("CSeq")+"\nContact: <sip:[local_ip]:[local_port]>\n", body)
}

// takes waits for a request and answers it 200.
func (s *script) takes(method string) *script {
	s.waits("request", method)
	return s.message(false, "SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n", "")
}

// waits waits for a request or a response.
func (s *script) waits(kind, what string) *script {
	_, _ = s.WriteString(sprintf(`<recv %s="%s"/>`+"\n", kind, what))
	return s
}

// may takes provisional responses where they come.
func (s *script) may(statuses ...int) *script {
	for _, status := range statuses {
		_, _ = s.WriteString(sprintf(`<recv response="%d" optional="true"/>`+"\n", status))
	}
	return s
}

// answered waits for a 200 to an INVITE: what follows is in its dialog.
func (s *script) answered() *script {
	_, _ = s.WriteString(`<recv response="200"><action><ereg regexp=".*" search_in="hdr" header="To:" check_it="true" assign_to="to"/>` + "\n" + dialog + "</action></recv>\n")
	return s
}

// pauses waits.
func (s *script) pauses(ms int) *script {
	_, _ = s.WriteString(sprintf(`<pause milliseconds="%d"/>`+"\n", ms))
	return s
}

// rings begins a called phone: it says that it rings.
func rings() *script { return calledScript().invited("").answers("", "180 Ringing", "") }

var assigned = regexp.MustCompile(`assign_to="(\w+)"`)

// phone is a sipp that plays a script.
type phone struct {
	*process
	log string // of the messages that it sent and received
}

// play starts a phone on a port. The called ones wait; a caller has to be given
// the proxy and its Call-ID.
func (s *script) play(t *testing.T, port int, more ...string) *phone {
	t.Helper()
	program := need(t, "sipp")
	dir := t.TempDir()
	p := &phone{log: filepath.Join(dir, "messages")}
	text := s.String()
	var unused []string // SIPp wants every variable to be used
	for _, m := range assigned.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "[$"+m[1]+"]") && !slices.Contains(unused, m[1]) {
			unused = append(unused, m[1])
		}
	}
	if len(unused) > 0 {
		text += `<Reference variables="` + strings.Join(unused, ",") + `"/>` + "\n"
	}
	file := filepath.Join(dir, "scenario.xml")
	if err := os.WriteFile(file, []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"phone\">\n"+text+"</scenario>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.process = start(t, os.Environ(), program, append([]string{
		"-sf", file, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "u1", "-m", "1", "-nostdin", "-timeout", "30", "-timeout_error",
		"-trace_msg", "-message_file", p.log, "-trace_err", "-error_file", filepath.Join(dir, "errors"), "-cp", strconv.Itoa(freePort(t)),
	}, more...)...)
	if !s.caller {
		eventually(t, "the called sipp listens", func() (bool, string) {
			if p.ended() {
				t.Fatalf("sipp ended: %v\n%s", p.err, p.said())
			}
			return udpBound(port), ""
		})
	}
	t.Cleanup(func() {
		if b, err := os.ReadFile(filepath.Join(dir, "errors")); err == nil && t.Failed() {
			t.Logf("sipp on port %d: %s", port, b)
		}
	})
	return p
}
