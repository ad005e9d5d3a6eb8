package sip

import "bytes"

// parseURI fills u from a URI without angle brackets (RFC 3261 section 19.1,
// RFC 3966). It reports false when the URI is malformed; u then holds what
// could be read.
func parseURI(u *URI, b []byte) bool {
	if len(b) > 4 && b[3] == ':' && string(b[:3]) == "sip" { // nearly always
		u.Scheme = b[:3]
		return parseUserHost(u, b[4:])
	}
	i := 0
	for i < len(b) && class[b[i]]&isScheme != 0 {
		i++
	}
	if i == 0 || i >= len(b) || b[i] != ':' || class[b[0]]&isAlpha == 0 {
		// No scheme: read it as user@host, which is what was meant.
		if bytes.IndexByte(b, '@') >= 0 {
			parseUserHost(u, b)
		}
		return false
	}
	u.Scheme = b[:i]
	b = b[i+1:]
	switch {
	case foldEqual(u.Scheme, "sip"), foldEqual(u.Scheme, "sips"),
		foldEqual(u.Scheme, "im"), foldEqual(u.Scheme, "pres"):
		return parseUserHost(u, b)
	case foldEqual(u.Scheme, "tel"):
		n := 0
		for n < len(b) && b[n] != ';' && b[n] != '?' && b[n] != ' ' {
			n++
		}
		u.User = b[:n]
		return n > 0 && (n == len(b) || b[n] != ' ')
	}
	return true
}

// parseUserHost reads [userinfo@]host[:port] and what follows it. The userinfo
// stays whole: passwords in it are long out of use (RFC 3261 section 19.1.1),
// what stands behind a colon there is a port, of an address taken for a user.
func parseUserHost(u *URI, b []byte) bool {
	ok := true
	at := 0
	for at < len(b) && class[b[at]]&isURIEnd == 0 {
		at++
	}
	if at < len(b) && b[at] != '@' {
		// Users may hold ':', ';' and '?', so an '@' behind them decides. The
		// first one: neither user nor host may hold another.
		if n := bytes.IndexByte(b[at:], '@'); n >= 0 {
			at += n
			ok = bytes.IndexByte(b[:at], ' ') < 0
		} else {
			at = len(b)
		}
	}
	if at < len(b) {
		u.User = b[:at]
		b = b[at+1:]
	}
	host, port, n, hostOK := parseHostPort(b)
	u.Host, u.Port = host, port
	b = b[n:]
	return ok && hostOK && (len(b) == 0 || (b[0] == ';' || b[0] == '?') && bytes.IndexByte(b, ' ') < 0)
}

// parseHostPort reads host[:port] up to a ';', a '?', white space or the end of
// b; n is its length. An IPv6 reference keeps its brackets. An IPv6 address
// without brackets (RFC 5118 section 4.2) is taken whole as the host, and ok is
// false.
func parseHostPort(b []byte) (host []byte, port uint16, n int, ok bool) {
	if len(b) > 0 && b[0] == '[' {
		n = bytes.IndexByte(b, ']') + 1
		if n == 0 {
			n = hostEnd(b)
			return b[:n], 0, n, false
		}
	} else {
		for n < len(b) && class[b[n]]&isURIEnd == 0 || n < len(b) && b[n] == '@' {
			n++
		}
	}
	host = b[:n]
	if n == len(b) || b[n] != ':' {
		return host, 0, n, n > 0
	}
	v, digits, valid := parseUint(b[n+1:], 65535)
	end := n + 1 + digits
	if end < len(b) && (class[b[end]]&isURIEnd == 0 || b[end] == ':' || b[end] == '@') {
		end = n + 1 + hostEnd(b[n+1:])
		if b[0] != '[' && bytes.IndexByte(b[n+1:end], ':') >= 0 {
			host = b[:end]
		}
		return host, 0, end, false
	}
	if !valid {
		return host, 0, end, false
	}
	return host, uint16(v), end, n > 0
}

// hostEnd is the offset of the first ';', '?' or white space, or len(b).
func hostEnd(b []byte) int {
	n := 0
	for n < len(b) && (class[b[n]]&isURIEnd == 0 || b[n] == ':' || b[n] == '@') {
		n++
	}
	return n
}

// nameAddr is one element of an address header (RFC 3261 section 20.10).
type nameAddr struct {
	display []byte // without quotes
	uri     []byte // without angle brackets
	params  params // header parameters; behind them, in a list, the next element
	bad     bool
}

// splitNameAddr splits the element at the start of v. In a list a comma ends it.
//
// Without angle brackets all parameters are the header's, not the URI's (RFC
// 3261 section 20). An unquoted display name that no grammar allows ("Bell,
// Alexander <sip:…>") is taken as meant.
func splitNameAddr(v []byte, list bool) (a nameAddr) {
	a.params.list = list
	v = trimLeft(v)
	var open int
	switch {
	case len(v) == 0:
		a.bad = true
		return a
	case v[0] == '<':
		open = 0
	case v[0] == '"':
		if end := quotedEnd(v); end > 0 {
			a.display = v[1 : end-1]
			v = trimLeft(v[end:])
			if open = bytes.IndexByte(v, '<'); open != 0 {
				a.bad = true
			}
		} else {
			open = bytes.IndexByte(v, '<')
			a.bad = true
			a.display = trim(v[1:max(open, 1)])
		}
	default:
		end, scheme := bareEnd(v, list)
		if open = bytes.IndexByte(v, '<'); open >= 0 && (open < end || !scheme) {
			a.display = trimRight(v[:open])
			a.bad = !displayName(a.display)
			break
		}
		a.uri = trimRight(v[:end])
		a.params.b = v[end:]
		a.bad = !scheme || bytes.IndexByte(a.uri, '?') >= 0
		return a
	}
	if open < 0 {
		// A quoted string and then no bracket: the address may follow bare.
		if len(a.display) > 0 {
			end, _ := bareEnd(v, list)
			a.uri, a.params.b = trimRight(v[:end]), v[end:]
		}
		return a
	}
	v = v[open+1:]
	end := bytes.IndexByte(v, '>')
	if end < 0 {
		a.bad = true
		a.uri = trim(v)
		return a
	}
	a.uri = trim(v[:end])
	a.bad = a.bad || len(a.uri) != end
	a.params.b = v[end+1:]
	return a
}

// bareEnd is the length of an address without angle brackets, and whether it
// begins with a scheme.
func bareEnd(v []byte, list bool) (end int, scheme bool) {
	for end < len(v) && class[v[end]]&isScheme != 0 {
		end++
	}
	scheme = end > 0 && end < len(v) && v[end] == ':'
	for end < len(v) && v[end] != ';' && (v[end] != ',' || !list) {
		end++
	}
	return end, scheme
}

// displayName reports whether an unquoted display name consists of tokens,
// bytes beyond ASCII allowed.
func displayName(b []byte) bool {
	for _, c := range b {
		if c < 0x80 && class[c]&(isToken|isLWS) == 0 {
			return false
		}
	}
	return true
}

// params walks the parameters of a header value.
type params struct {
	b     []byte
	list  bool // a comma ends the element
	first bool // the first parameter has no semicolon before it
	bad   bool // something between parameters was malformed
}

// next returns the next parameter; the value of a flag is nil, that of a
// quoted string is without quotes. In a list, b begins with the comma, or is
// empty, when ok is false.
func (p *params) next() (name, value []byte, ok bool) {
	b := p.b
	for {
		b = trimLeft(b)
		if len(b) == 0 || p.list && b[0] == ',' {
			p.b = b
			return nil, nil, false
		}
		switch {
		case b[0] == ';':
			b = trimLeft(b[1:])
		case !p.first:
			p.bad = true
			b = b[p.end(b):]
			continue
		}
		p.first = false
		n := p.nameEnd(b)
		name, b = b[:n], trimLeft(b[n:])
		if n == 0 {
			p.bad = true
			if len(b) > 0 && b[0] == '=' {
				b = b[p.end(b):]
			}
			continue
		}
		if len(b) == 0 || b[0] != '=' {
			p.b = b
			return name, nil, true
		}
		b = trimLeft(b[1:])
		if len(b) > 0 && b[0] == '"' {
			if n := quotedEnd(b); n > 0 {
				p.b = b[n:]
				return name, b[1 : n-1], true
			}
			p.bad = true
		}
		n = p.end(b)
		p.b = b[n:]
		return name, trimRight(b[:n]), true
	}
}

// nameEnd is the length of the parameter's name: up to white space, '=' or a
// separator, whatever else it consists of.
func (p *params) nameEnd(b []byte) int {
	for i, c := range b {
		if class[c]&isToken == 0 && (class[c]&isLWS != 0 || c == '=' || c == ';' || c == ',' && p.list) {
			return i
		}
	}
	return len(b)
}

// end is the offset of the separator that ends the parameter.
func (p *params) end(b []byte) int {
	n := bytes.IndexByte(b, ';')
	if n < 0 {
		n = len(b)
	}
	if p.list {
		if comma := bytes.IndexByte(b[:n], ','); comma >= 0 {
			n = comma
		}
	}
	return n
}

// address fills a From-like header: URI, tag and display name.
func address(v []byte, u *URI, tag, display *[]byte) bool {
	a := splitNameAddr(v, false)
	*display = a.display
	ok := parseURI(u, a.uri) && !a.bad
	for {
		name, value, more := a.params.next()
		if !more {
			return ok && !a.params.bad
		}
		if *tag == nil && foldEqual(name, "tag") {
			*tag = value
		}
	}
}

// firstAddress fills u from the first element of a list of addresses.
func firstAddress(v []byte, u *URI) {
	a := splitNameAddr(v, true)
	parseURI(u, a.uri)
}
