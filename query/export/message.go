package export

import (
	"strings"
)

// sipMessage is a SIP message in its parts. Put together again they are the
// message, byte for byte.
type sipMessage struct {
	// lead is what stands before the start line (RFC 3261 section 7.5).
	lead string
	// start is the start line, startEnd its line end.
	start, startEnd string
	headers         []sipHeader
	// blank is the empty line behind the headers, "" when the message ends in them.
	blank string
	body  string
}

// sipHeader is one header line, with the lines that continue it.
type sipHeader struct {
	name  string // as written
	sep   string // the colon and the white space around it
	value string // without white space at its ends; line folds stay
	end   string // white space and the line end
}

// parseSIP takes a message apart. Any input has parts; what is no header line has
// no name and is all value.
func parseSIP(raw string) *sipMessage {
	m := &sipMessage{}
	rest := strings.TrimLeft(raw, "\r\n")
	m.lead = raw[:len(raw)-len(rest)]
	m.start, m.startEnd, rest = cutLine(rest)
	for rest != "" {
		line, end, after := cutLine(rest)
		if line == "" {
			m.blank, m.body = end, after
			return m
		}
		for after != "" && (after[0] == ' ' || after[0] == '\t') { // a folded line
			more, moreEnd, next := cutLine(after)
			line, end, after = line+end+more, moreEnd, next
		}
		m.headers = append(m.headers, parseHeader(line, end))
		rest = after
	}
	return m
}

// cutLine cuts the first line off. Bare line feeds end lines, too.
func cutLine(s string) (line, end, rest string) {
	i := strings.IndexByte(s, '\n')
	switch {
	case i < 0:
		return s, "", ""
	case i > 0 && s[i-1] == '\r':
		return s[:i-1], s[i-1 : i+1], s[i+1:]
	}
	return s[:i], s[i : i+1], s[i+1:]
}

const blanks = " \t\r\n"

func parseHeader(line, end string) sipHeader {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return sipHeader{value: line, end: end}
	}
	h := sipHeader{name: strings.TrimRight(name, blanks)}
	v := strings.TrimLeft(value, blanks)
	h.sep = line[len(h.name) : len(line)-len(v)]
	h.value = strings.TrimRight(v, blanks)
	h.end = v[len(h.value):] + end
	return h
}

// String puts the message together.
func (m *sipMessage) String() string {
	var b strings.Builder
	b.WriteString(m.lead + m.start + m.startEnd)
	for _, h := range m.headers {
		b.WriteString(h.name + h.sep + h.value + h.end)
	}
	b.WriteString(m.blank + m.body)
	return b.String()
}

// compactNames are the short forms of header names (IANA, Session Initiation
// Protocol Parameters).
var compactNames = map[string]string{
	"a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding",
	"f": "from", "i": "call-id", "j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact", "n": "identity-info",
	"o": "event", "r": "refer-to", "s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires", "y": "identity",
}

// canonical is a header's full name in lower case.
func (h *sipHeader) canonical() string {
	name := strings.ToLower(h.name)
	if full, ok := compactNames[name]; ok {
		return full
	}
	return name
}

// unfolded is the value on one line.
func (h *sipHeader) unfolded() string { return unfold(h.value) }

func unfold(s string) string {
	if !strings.Contains(s, "\n") {
		return s
	}
	lines := strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' })
	for i := range lines {
		lines[i] = strings.Trim(lines[i], " \t")
	}
	return strings.Join(lines, " ")
}

// get is the value of the first header of the name, which is in lower case.
func (m *sipMessage) get(name string) string {
	for i := range m.headers {
		if m.headers[i].canonical() == name {
			return m.headers[i].unfolded()
		}
	}
	return ""
}

// isSIP reports whether the start line is one of SIP.
func (m *sipMessage) isSIP() bool {
	return strings.HasPrefix(m.start, "SIP/") || strings.Contains(m.start, " SIP/")
}

// splitList splits a header's value at its commas: those outside quotes and
// angle brackets.
func splitList(s string) []string {
	var out []string
	from, quoted, angled := 0, false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angled = true
		case c == '>':
			angled = false
		case c == ',' && !angled:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// nameAddr is an address as it stands in From, Contact and the like: a display
// name, a URI in brackets or bare, and parameters.
type nameAddr struct {
	display string // with its quotes and the white space behind it
	open    string // "<" or ""
	uri     string
	close   string // ">" or ""
	params  string // from the first semicolon on
}

func parseNameAddr(s string) nameAddr {
	var a nameAddr
	rest := s
	lead := rest[:len(rest)-len(strings.TrimLeft(rest, blanks))]
	rest = rest[len(lead):]
	if strings.HasPrefix(rest, `"`) {
		n := quotedLength(rest)
		a.display, rest = lead+rest[:n], rest[n:]
	} else {
		a.display = lead
	}
	if i := strings.IndexByte(rest, '<'); i >= 0 && !strings.Contains(rest[:i], ";") {
		a.display += rest[:i]
		a.open, rest = "<", rest[i+1:]
		if j := strings.IndexByte(rest, '>'); j >= 0 {
			a.uri, a.close, a.params = rest[:j], ">", rest[j+1:]
			return a
		}
		a.uri = rest
		return a
	}
	// Without brackets all parameters are the header's (RFC 3261 section 20.10).
	a.uri, a.params = rest, ""
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		a.uri, a.params = rest[:i], rest[i:]
	}
	return a
}

func (a nameAddr) String() string { return a.display + a.open + a.uri + a.close + a.params }

// quotedLength is the length of the quoted string that s begins with.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// param is the value of a parameter of a list that begins with a semicolon.
func param(params, name string) (value string, ok bool) {
	for _, p := range splitParams(params) {
		n, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.Trim(n, blanks), name) {
			return strings.Trim(v, blanks), true
		}
	}
	return "", false
}

// splitParams splits parameters at the semicolons outside quotes; the first part
// is what stands before the first one.
func splitParams(s string) []string {
	var out []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// sipURI is a URI in its parts. Put together again they are the URI.
type sipURI struct {
	scheme   string // with its colon
	user     string
	password string // with the colon before it
	at       string // "@" or ""
	host     string // an IPv6 address keeps its brackets
	port     string // with the colon before it
	rest     string // parameters and headers
}

// parseURI takes a sip, sips or tel URI apart; ok is false for other schemes.
// The user of a tel URI is its number.
func parseURI(s string) (u sipURI, ok bool) {
	i := strings.IndexByte(s, ':')
	if i < 0 {
		return u, false
	}
	u.scheme = s[:i+1]
	s = s[i+1:]
	switch strings.ToLower(strings.TrimLeft(u.scheme, blanks)) {
	case "tel:":
		if u.user, u.rest = s, ""; strings.ContainsAny(s, ";?") {
			j := strings.IndexAny(s, ";?")
			u.user, u.rest = s[:j], s[j:]
		}
		return u, true
	case "sip:", "sips:", "pres:", "im:":
	default:
		return sipURI{}, false
	}
	if j := strings.IndexByte(s, '@'); j >= 0 {
		u.user, u.at, s = s[:j], "@", s[j+1:]
		if k := strings.IndexByte(u.user, ':'); k >= 0 {
			u.user, u.password = u.user[:k], u.user[k:]
		}
	}
	end := len(s)
	if j := strings.IndexAny(s, ";?>"); j >= 0 {
		end = j
	}
	u.rest = s[end:]
	u.host, u.port = splitPort(s[:end])
	return u, true
}

// splitPort splits host:port; the port keeps its colon.
func splitPort(s string) (host, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && i > strings.LastIndexByte(s, ']') && strings.Count(s[strings.LastIndexByte(s, ']')+1:], ":") == 1 {
		return s[:i], s[i:]
	}
	return s, ""
}

func (u sipURI) String() string {
	return u.scheme + u.user + u.password + u.at + u.host + u.port + u.rest
}
