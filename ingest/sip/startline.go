package sip

import "bytes"

// maxMethod bounds the method's length. The longest known one has 9 letters;
// RFC 4475 section 3.1.1.2 tries 43.
const maxMethod = 64

// startLine is a split start line.
type startLine struct {
	response bool
	method   []byte
	uri      []byte
	version  []byte
	status   []byte // digits of the code and whatever sticks to them
	reason   []byte
	next     int    // offset of the first header
	errs     Errors // what is wrong with the separators
}

// LooksLikeSIP reports whether b begins with something like a SIP start line,
// line ends before it aside (RFC 3261 section 7.5). It looks at the first line
// only and is what [Scanner.Scan] goes by.
//
// A status line is told by "SIP/". A request line is told by a SIP version at
// its end; one without a version, or cut by the end of the buffer, by a token
// followed by a sip, sips or tel URI. Other protocols of the same form (HTTP,
// RTSP, SSDP) are told by their version and are no SIP.
func LooksLikeSIP(b []byte) bool {
	_, ok := splitStartLine(b)
	return ok
}

func splitStartLine(b []byte) (l startLine, ok bool) {
	start := 0
	for start < len(b) && (b[start] == '\r' || b[start] == '\n') {
		start++
	}
	b = b[start:]
	word := 0
	for word < len(b) && word <= maxMethod && class[b[word]]&isToken != 0 {
		word++
	}
	if word == 0 || word > maxMethod || word == len(b) {
		return l, false
	}
	l.response = word == 3 && b[3] == '/' && foldEqual(b[:3], "sip")
	if !l.response && b[word] != ' ' && b[word] != '\t' {
		return l, false
	}
	line, cut := b, true
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		line, cut, l.next = b[:n], false, start+n+1
		if n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
	} else {
		l.next = start + len(b)
	}
	if l.response {
		l.splitStatus(line, cut)
		return l, true
	}
	l.method = line[:word]
	return l, l.splitRequest(line[word:], cut)
}

// splitStatus splits "SIP/2.0 200 OK".
func (l *startLine) splitStatus(line []byte, cut bool) {
	var sep int
	l.version, line, sep = cutWord(line)
	if sep > 1 {
		l.errs |= BadStartLine
	}
	status, rest, sep := cutWord(line)
	if cut && sep == 0 {
		return // the code may go on beyond the cut
	}
	l.status = status
	if !cut {
		l.reason = trim(rest)
	}
}

// splitRequest splits " sip:bob@example.com SIP/2.0". It reports false when
// the line is that of another protocol or of none.
func (l *startLine) splitRequest(rest []byte, cut bool) bool {
	line := trimLeft(rest)
	if len(rest)-len(line) != 1 || rest[0] != ' ' {
		l.errs |= BadStartLine
	}
	if cut {
		// Only what a space follows is known to be whole.
		uri, _, sep := cutWord(line)
		if sep > 0 {
			l.uri = uri
		}
		return schemePrefix(line) && (sep > 0 || len(line) > 4 || knownMethod(l.method))
	}
	whole := trimRight(line)
	if len(whole) != len(line) {
		l.errs |= BadStartLine
	}
	last := len(whole)
	for last > 0 && class[whole[last-1]]&isLWS == 0 {
		last--
	}
	version := whole[last:]
	if hasPrefixFold(version, "sip/") {
		l.version = version
		l.uri = trimRight(whole[:last])
		if last > 0 && last-len(l.uri) != 1 {
			l.errs |= BadStartLine
		}
		return true
	}
	if otherProtocol(version) || !schemePrefix(whole) || len(whole) <= 4 {
		return false
	}
	l.errs |= BadStartLine
	l.uri = whole
	return true
}

// schemePrefix reports whether b begins with, or is the beginning of, a URI
// that only SIP requests carry.
func schemePrefix(b []byte) bool {
	if len(b) > 0 && b[0] == '<' {
		b = b[1:]
	}
	for _, scheme := range [...]string{"sip:", "sips:", "tel:"} {
		n := min(len(b), len(scheme))
		if foldEqual(b[:n], scheme[:n]) {
			return true
		}
	}
	return false
}

// otherProtocol reports whether the last word of a line is a version like
// "HTTP/1.1" or "RTSP/1.0".
func otherProtocol(word []byte) bool {
	i := 0
	for i < len(word) && class[word[i]]&isAlpha != 0 {
		i++
	}
	return i > 0 && i+1 < len(word) && word[i] == '/' && class[word[i+1]]&isDigit != 0
}

// knownMethod reports whether m is a method of an RFC. It serves only to tell
// a request cut within the first bytes of its URI from other text.
func knownMethod(m []byte) bool {
	switch string(m) {
	case "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY",
		"PUBLISH", "INFO", "REFER", "MESSAGE", "UPDATE":
		return true
	}
	return false
}

// startLine fills the message from its split start line.
func (m *Message) startLine(l *startLine, cut bool) {
	m.Errs |= l.errs
	m.Response = l.response
	if string(l.version) != "SIP/2.0" && len(l.version) > 0 && !foldEqual(l.version, "sip/2.0") {
		m.Errs |= BadVersion
	}
	if l.response {
		m.Reason = l.reason
		n, digits, ok := parseUint(l.status, 65535)
		if ok {
			m.Status = uint16(n)
		}
		if (digits != len(l.status) || !ok || n < 100 || n > 699) && (len(l.status) > 0 || !cut) {
			m.Errs |= BadStatus
		}
		return
	}
	m.Method = l.method
	m.RequestURI = l.uri
	if len(l.uri) == 0 {
		if !cut {
			m.Errs |= BadRequestURI
		}
		return
	}
	uri := l.uri
	if uri[0] == '<' {
		m.Errs |= BadRequestURI
		uri = trim(uri[1:])
		if n := bytes.IndexByte(uri, '>'); n >= 0 {
			uri = uri[:n]
		}
	}
	if !parseURI(&m.RURI, uri) || m.RURI.Host != nil && hasHeaders(uri) {
		m.Errs |= BadRequestURI
	}
}

// hasHeaders reports whether a URI has headers, which begin with a '?' behind
// the user.
func hasHeaders(uri []byte) bool {
	if bytes.IndexByte(uri, '?') < 0 {
		return false
	}
	return bytes.IndexByte(uri[bytes.IndexByte(uri, '@')+1:], '?') >= 0
}
