package export

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// message is the text of a message that this side sends, with SIPp's keywords
// where the capture's own values do not fit.
func (s *script) message(i int) string {
	step := &s.d.steps[i]
	var lines []string
	if step.isRequest() {
		lines = s.requestHead(step)
	} else {
		lines = s.responseHead(step)
	}
	body := s.body(step)
	length := "0"
	if body != "" {
		length = "[len]"
	}
	for j := range step.msg.headers {
		h := &step.msg.headers[j]
		switch name := h.canonical(); name {
		case "via", "from", "to", "call-id", "cseq", "content-length", "route", "record-route", "path", "service-route", "":
		case "authorization", "proxy-authorization":
			if !s.challenged || !step.isRequest() {
				lines = append(lines, s.plain(h))
			} else if last := lines[len(lines)-1]; !strings.HasPrefix(last, "[authentication") {
				lines = append(lines, "[authentication]")
			}
		case "contact":
			lines = append(lines, literal(h.name)+": "+s.contact(h.unfolded()))
		case "rack":
			lines = append(lines, s.rack(h))
		case "content-type", "content-encoding":
			if body != "" {
				lines = append(lines, s.plain(h))
			}
		default:
			lines = append(lines, s.plain(h))
		}
	}
	lines = append(lines, "Content-Length: "+length, "", "")
	return strings.Join(lines, "\n") + body
}

// plain is a header as it was captured, with the addresses of the two sides made
// those of the run.
func (s *script) plain(h *sipHeader) string {
	if h.unfolded() == s.d.steps[0].item.CallID {
		return literal(h.name) + ": [call_id]"
	}
	return literal(h.name) + ": " + s.addresses(h.unfolded())
}

// requestHead is the start line of a request and the headers that make its
// transaction and dialog.
func (s *script) requestHead(step *step) []string {
	_, rest, _ := strings.Cut(step.msg.start, " ")
	uri := rest
	if i := strings.LastIndexByte(rest, ' '); i >= 0 {
		uri = rest[:i]
	}
	inDialog := step.toTag != "" && !s.sharesTransaction(step)
	target := s.addresses(uri)
	if inDialog && s.target {
		target = "[$target]"
	}
	via := "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-[pid]-[call_number]-" + fmt.Sprint(step.txn)
	if _, ok := param(splitList(step.msg.get("via"))[0], "rport"); ok {
		via += ";rport"
	}
	lines := []string{literal(step.method) + " " + target + " SIP/2.0", via}
	if inDialog {
		lines = append(lines, "[routes]")
	}
	return append(lines,
		"From: "+s.address(step.msg.get("from")), "To: "+s.address(step.msg.get("to")), "Call-ID: [call_id]", "CSeq: "+literal(step.cseq))
}

// sharesTransaction reports whether the request goes where its INVITE went: the
// ACK to a failure and CANCEL (RFC 3261 sections 9.1 and 17.1.1.3).
func (s *script) sharesTransaction(step *step) bool {
	if step.method != "ACK" && step.method != "CANCEL" {
		return false
	}
	for i := range s.d.steps {
		if o := &s.d.steps[i]; o.isRequest() && o.method == "INVITE" && o.txn == step.txn && o.by == step.by {
			return o.toTag == ""
		}
	}
	return false
}

// responseHead is the status line and the headers that a response takes over
// from its request.
func (s *script) responseHead(step *step) []string {
	via, from, to, cseq, route := "[last_Via:]", "[last_From:]", "[last_To:]", "[last_CSeq:]", "[last_Record-Route:]"
	if step.request != s.last {
		n := step.request
		via, from, to, cseq, route = fmt.Sprintf("[$via_%d]", n), fmt.Sprintf("From:[$from_%d]", n), fmt.Sprintf("To:[$to_%d]", n), fmt.Sprintf("CSeq:[$cseq_%d]", n), ""
	}
	if step.toTag != "" && s.d.steps[step.request].toTag == "" {
		to += ";tag=" + s.tag(step.toTag)
	}
	lines := []string{"SIP/2.0 " + literal(strings.TrimPrefix(step.msg.start, "SIP/2.0 ")), via}
	if route != "" && s.setsRoute(step) {
		lines = append(lines, route)
	}
	return append(lines, from, to, "Call-ID: [call_id]", cseq)
}

// tag is a captured tag as this side writes it: its own, or the one that the
// peer has chosen. One that it cannot know is the captured one.
func (s *script) tag(captured string) string {
	t, ok := s.d.tags[captured]
	switch {
	case ok && t.by == s.by:
		return fmt.Sprintf("[pid]SIPpTag[call_number]-%d", t.n)
	case ok && s.learned[captured]:
		return fmt.Sprintf("[$tag_%d]", t.n)
	}
	return literal(captured)
}

// address is From or To.
func (s *script) address(value string) string {
	a := parseNameAddr(value)
	var params strings.Builder
	for _, p := range splitParams(a.params)[1:] {
		if name, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "tag") {
			params.WriteString(";tag=" + s.tag(strings.TrimSpace(v)))
		} else {
			params.WriteString(";" + literal(p))
		}
	}
	if a.open == "" { // what follows would be the URI's
		a.open, a.close = "<", ">"
	}
	return literal(a.display) + a.open + s.addresses(a.uri) + a.close + params.String()
}

// contact is a Contact that leads to this side.
func (s *script) contact(value string) string {
	a := parseNameAddr(splitList(value)[0])
	u, ok := parseURI(a.uri)
	if !ok {
		return s.addresses(value) // "*"
	}
	user := literal(u.user)
	if u.at != "" {
		user += "@"
	}
	params := ""
	for _, p := range splitParams(u.rest)[1:] {
		if name, _, _ := strings.Cut(p, "="); !strings.EqualFold(name, "transport") {
			params += ";" + literal(p)
		}
	}
	return literal(a.display) + "<" + u.scheme + user + "[local_ip]:[local_port];transport=[transport]" + params + ">" + literal(a.params)
}

// rack is RAck, whose first number is the peer's.
func (s *script) rack(h *sipHeader) string {
	rseq, rest, _ := strings.Cut(h.unfolded(), " ")
	if s.reliable[rseq] {
		return "RAck: [$rseq_" + shellWord(rseq) + "] " + literal(rest)
	}
	return s.plain(h)
}

// ipLiteral finds IP addresses with or without a port.
var ipLiteral = regexp.MustCompile(`(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?`)

// addresses writes a text with the addresses of either side as SIPp's keywords.
// Others stay: names, and addresses of third parties.
func (s *script) addresses(text string) string {
	var b strings.Builder
	from := 0
	for _, m := range ipLiteral.FindAllStringIndex(text, -1) {
		found := text[m[0]:m[1]]
		keyword := s.keyword(found)
		if keyword == "" || m[0] > 0 && isWord(text[m[0]-1]) || m[1] < len(text) && isWord(text[m[1]]) {
			continue
		}
		b.WriteString(literal(text[from:m[0]]) + keyword)
		from = m[1]
	}
	return b.String() + literal(text[from:])
}

func isWord(c byte) bool {
	return c == '.' || c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// keyword is what stands for an address of either side, "" for another one.
func (s *script) keyword(text string) string {
	a, ok := parseHostPort(text)
	if !ok {
		return ""
	}
	mine, theirs := s.d.own[s.by], s.d.own[s.by.other()]
	switch {
	case mine[a]:
		return "[local_ip]:[local_port]"
	case theirs[a]:
		return "[remote_ip]:[remote_port]"
	case hasHost(mine, a.Addr()):
		return "[local_ip]:[local_port]"
	case hasHost(theirs, a.Addr()):
		return "[remote_ip]:[remote_port]"
	}
	return ""
}

func hasHost(set map[netip.AddrPort]bool, host netip.Addr) bool {
	for a := range set {
		if a.Addr() == host {
			return true
		}
	}
	return false
}

// literal writes a text so that SIPp sends it as it is: an opening bracket begins
// a keyword, and \x is its way to write any byte.
func literal(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '[', c == '\\' && i+1 < len(text) && text[i+1] == 'x',
			c == '>' && strings.HasSuffix(text[:i], "]]"), // the end of CDATA
			c < ' ' && c != '\t' && c != '\n', c == 0x7f:
			fmt.Fprintf(&b, `\x%02X`, c)
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && n == 1 {
				fmt.Fprintf(&b, `\x%02X`, c)
				continue
			}
			b.WriteString(text[i : i+n])
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// body is the message's body, "" when it has none that SIPp can send.
func (s *script) body(step *step) string {
	body := step.msg.body
	if strings.TrimSpace(body) == "" {
		return ""
	}
	if strings.Contains(body, "\x00") || step.msg.get("content-encoding") != "" {
		return "" // SIPp's messages are text
	}
	body = strings.ReplaceAll(body, "\r\n", "\n")
	kind, _, _ := strings.Cut(step.msg.get("content-type"), ";")
	if strings.EqualFold(strings.TrimSpace(kind), "application/sdp") {
		return s.sdp(body)
	}
	return literal(strings.TrimRight(body, "\n")) + "\n"
}

// sdp is a session description with this side's address in it.
func (s *script) sdp(body string) string {
	var out []string
	ports := 0
	for _, line := range strings.Split(strings.TrimRight(body, "\n"), "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "o=") && len(fields) == 6:
			line = literal(strings.Join(fields[:3], " ")) + " IN IP[media_ip_type] [media_ip]"
		case strings.HasPrefix(line, "c=") && len(fields) == 3 && fields[2] != "0.0.0.0" && fields[2] != "::":
			line = "c=IN IP[media_ip_type] [media_ip]"
		case (strings.HasPrefix(line, "m=audio ") || strings.HasPrefix(line, "m=video ")) && len(fields) > 2 && fields[1] != "0":
			port := "[media_port]"
			if ports > 0 {
				port = fmt.Sprintf("[media_port+%d]", 2*ports)
			}
			ports++
			line = fields[0] + " " + port + " " + literal(strings.Join(fields[2:], " "))
		case strings.HasPrefix(line, "a=rtcp:"), strings.HasPrefix(line, "a=candidate:"):
			continue // they name ports and addresses of the capture
		default:
			line = literal(line)
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\n"
}
