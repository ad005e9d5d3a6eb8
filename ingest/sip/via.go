package sip

import "bytes"

// via takes note of one Via header, which may hold several values. The topmost
// value is parsed at once; the bottom-most one is known, and parsed, at the end.
func (m *Message) via(v []byte, last *[]byte) {
	for {
		v = trimLeft(v)
		if len(v) == 0 {
			return
		}
		n := viaEnd(v)
		if value := trimRight(v[:n]); len(value) > 0 {
			m.ViaCount++
			if m.ViaCount == 1 && !parseVia(&m.Via, value) {
				m.Errs |= BadVia
			}
			*last = value
		} else {
			m.Errs |= BadVia
		}
		if n == len(v) {
			return
		}
		if v = v[n+1:]; len(trimLeft(v)) == 0 {
			m.Errs |= BadVia
		}
	}
}

// viaEnd is the length of the first value of a list, up to its comma.
func viaEnd(v []byte) int {
	n := bytes.IndexByte(v, ',')
	if n < 0 {
		return len(v)
	}
	if bytes.IndexByte(v[:n], '"') < 0 {
		return n
	}
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case ',':
			return i
		case '"':
			if end := quotedEnd(v[i:]); end > 0 {
				i += end - 1
			}
		}
	}
	return len(v)
}

// parseVia reads one value: SIP/2.0/UDP host:port;parameters, with white space
// around the slashes, the colon and the semicolons.
func parseVia(via *Via, v []byte) bool {
	ok := true
	if len(v) > 8 && string(v[:8]) == "SIP/2.0/" { // nearly always
		v = v[8:]
	} else {
		for range 2 { // protocol name and version
			n := bytes.IndexByte(v, '/')
			if n < 0 {
				return false
			}
			ok = ok && n > 0
			v = trimLeft(v[n+1:])
		}
	}
	var sep int
	via.Transport, v, sep = cutWord(v)
	ok = ok && sep > 0 && len(via.Transport) > 0
	host, port, n, hostOK := parseHostPort(v)
	if !hostOK || n < len(v) && v[n] != ';' {
		n = bytes.IndexByte(v, ';')
		if n < 0 {
			n = len(v)
		}
		// White space around the colon, which RFC 3261 allows here.
		host, port, hostOK = looseHostPort(trimRight(v[:n]), host)
		ok = ok && hostOK
	}
	v = v[n:]
	via.Host, via.Port = host, port
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		via.Host = host[1 : len(host)-1]
	}
	p := params{b: v}
	for {
		name, value, more := p.next()
		if !more {
			return ok && !p.bad
		}
		switch {
		case foldEqual(name, "branch"):
			via.Branch = value
		case foldEqual(name, "received"):
			via.Received = value
		case foldEqual(name, "rport"):
			rport, _, valid := parseUint(value, 65535)
			if valid {
				via.RPort = uint16(rport)
			}
		}
	}
}

// looseHostPort reads "host : port"; host is what parseHostPort made of it.
func looseHostPort(sentBy, host []byte) ([]byte, uint16, bool) {
	colon := bytes.LastIndexByte(sentBy, ':')
	if colon < 0 || colon < bytes.IndexByte(sentBy, ']') {
		return host, 0, len(sentBy) > 0 && len(sentBy) == len(host)
	}
	name, port := trimRight(sentBy[:colon]), trimLeft(sentBy[colon+1:])
	v, digits, ok := parseUint(port, 65535)
	if !ok || digits != len(port) || len(name) == 0 || name[0] != '[' && bytes.IndexByte(name, ':') >= 0 {
		return host, 0, false
	}
	return name, uint16(v), bytes.IndexByte(name, ' ') < 0
}
