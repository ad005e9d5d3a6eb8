package query

import (
	"net/netip"
	"strconv"
	"strings"
)

// sipHead is the head of a SIP message, as far as explaining a flow needs it
// beyond the columns. It is read out of what is stored; a broken message
// yields what can be read of it.
type sipHead struct {
	// line is the request or status line.
	line   string
	fields []sipField
	body   string
}

// sipField is one header field: its name in lower case and in its long form, and
// its value, unfolded.
type sipField struct{ name, value string }

// compactNames are the one-letter names that occur in what is looked at here.
var compactNames = map[string]string{
	"i": "call-id", "f": "from", "t": "to", "v": "via", "m": "contact", "c": "content-type", "l": "content-length",
	"r": "refer-to", "x": "session-expires", "o": "event", "s": "subject", "k": "supported", "b": "referred-by",
}

// readSIPHead reads a message.
func readSIPHead(raw []byte) sipHead {
	text := string(raw)
	var h sipHead
	if i := strings.Index(text, "\r\n\r\n"); i >= 0 {
		text, h.body = text[:i], text[i+4:]
	}
	h.line, text, _ = strings.Cut(text, "\n")
	h.line = strings.TrimSpace(h.line)
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line != "" && (line[0] == ' ' || line[0] == '\t') && len(h.fields) > 0 {
			h.fields[len(h.fields)-1].value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if long, ok := compactNames[name]; ok {
			name = long
		}
		h.fields = append(h.fields, sipField{name, strings.TrimSpace(value)})
	}
	return h
}

// get is the first value of a header; "" without it.
func (h *sipHead) get(name string) string {
	for _, f := range h.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// all lists the values of a header, those joined by commas apart.
func (h *sipHead) all(name string) []string {
	var out []string
	for _, f := range h.fields {
		if f.name != name {
			continue
		}
		for rest := f.value; rest != ""; {
			var one string
			one, rest = cutUnquoted(rest, ',')
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}

// number is a header's value as a number; -1 when it is none.
func (h *sipHead) number(name string) int {
	digits, _, _ := strings.Cut(h.get(name), ";")
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// cutUnquoted cuts at the first separator outside quotes and angle brackets.
func cutUnquoted(s string, separator byte) (before, after string) {
	quoted, angle := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == separator && !angle:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// parameter is a parameter of a header's value, without quotes: after a
// semicolon, or in a challenge after a comma; "" without it.
func parameter(value, name string, separator byte) string {
	_, rest := cutUnquoted(value, separator)
	if separator == ',' { // digest parameters begin behind the scheme
		_, rest, _ = strings.Cut(strings.TrimSpace(value), " ")
	}
	for rest != "" {
		var one string
		one, rest = cutUnquoted(rest, separator)
		key, v, _ := strings.Cut(one, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// sipVia is one value of Via.
type sipVia struct {
	host             string
	port             uint16
	branch, received string
	rport            uint16
}

// vias are the values of Via, topmost first.
func (h *sipHead) vias() []sipVia {
	var out []sipVia
	for _, value := range h.all("via") {
		var v sipVia
		protocol, rest, ok := strings.Cut(value, " ")
		if !ok {
			continue
		}
		sentBy, _ := cutUnquoted(strings.TrimSpace(rest), ';')
		v.host, v.port = splitSentBy(strings.TrimSpace(sentBy))
		if v.port == 0 {
			v.port = 5060
			if strings.HasSuffix(strings.ToUpper(protocol), "/TLS") {
				v.port = 5061
			}
		}
		v.branch = parameter(value, "branch", ';')
		v.received = parameter(value, "received", ';')
		rport := parameter(value, "rport", ';')
		n, _ := strconv.ParseUint(rport, 10, 16)
		v.rport = uint16(n)
		out = append(out, v)
	}
	return out
}

// splitSentBy parts host and port; an IPv6 host loses its brackets.
func splitSentBy(s string) (host string, port uint16) {
	end := strings.LastIndexByte(s, ']')
	if i := strings.LastIndexByte(s, ':'); i > end {
		n, _ := strconv.ParseUint(s[i+1:], 10, 16)
		s, port = s[:i], uint16(n)
	}
	return strings.Trim(s, "[]"), port
}

// tag is the tag of From or To.
func (h *sipHead) tag(name string) string {
	return parameter(h.get(name), "tag", ';')
}

// uri is the URI in the first value of a header, without brackets.
func (h *sipHead) uri(name string) string {
	value, _ := cutUnquoted(h.get(name), ',')
	if _, in, ok := strings.Cut(value, "<"); ok {
		value, _, _ = strings.Cut(in, ">")
		return value
	}
	value, _ = cutUnquoted(value, ';')
	return strings.TrimSpace(value)
}

// requestURI is the Request-URI; "" on a response.
func (h *sipHead) requestURI() string {
	_, rest, _ := strings.Cut(h.line, " ")
	if uri, version, ok := strings.Cut(strings.TrimSpace(rest), " "); ok && strings.HasPrefix(version, "SIP/") {
		return uri
	}
	return ""
}

// uriAddress is the host of a URI where it is an address, with its port or 0.
func uriAddress(uri string) (netip.AddrPort, bool) {
	_, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	host, port := splitSentBy(rest)
	addr, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(addr.Unmap(), port), err == nil
}
