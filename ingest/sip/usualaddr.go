package sip

// usualURI reads sip:user@host:port;parameters, where user, port and parameters
// may be absent, from b[i] up to the character closing, whose offset is end.
func usualURI(b []byte, i int, u *URI, closing byte) (end int) {
	if i+8 > len(b) || string(b[i:i+4]) != "sip:" {
		return 0
	}
	scheme := b[i : i+3]
	host := i + 4
	end = stopAt(b, host)
	c := at(b, end)
	var user []byte
	if c == '@' {
		user = b[host:end]
		host = end + 1
		end = stopAt(b, host)
		c = at(b, end)
	}
	if host == end || b[host] == '[' {
		return 0
	}
	name := b[host:end]
	var port uint32
	if c == ':' {
		digits := end + 1
		if port, end = decimal(b, digits); end == digits || port > 65535 {
			return 0
		}
		c = at(b, end)
	}
	if c == ';' {
		const transport = ";transport="
		if end+len(transport) <= len(b) && string(b[end:end+len(transport)]) == transport {
			end += len(transport) - 1
		}
		for c == ';' || c == '=' || c == ':' {
			end = stopAt(b, end+1)
			c = at(b, end)
		}
	}
	if c != closing {
		return 0
	}
	u.Scheme, u.User, u.Host, u.Port = scheme, user, name, uint16(port)
	return end
}

// usualFrom reads "name" <address>;tag=tag, where name and tag may be absent.
func usualFrom(b []byte, i int, u *URI, tag, display *[]byte) (end int) {
	var name, value []byte
	if at(b, i) == '"' {
		quote := closingQuote(b, i+1)
		if quote < 0 {
			return 0
		}
		name = b[i+1 : quote]
		if i = quote + 1; at(b, i) == ' ' {
			i++
		}
	}
	if at(b, i) != '<' {
		return 0
	}
	if end = usualURI(b, i+1, u, '>'); end == 0 {
		return 0
	}
	end++
	if end+5 <= len(b) && string(b[end:end+5]) == ";tag=" {
		start := end + 5
		end = stopAt(b, start)
		value = b[start:end]
	}
	if !lineEnd(b, end) || value != nil && len(value) == 0 {
		*u = URI{}
		return 0
	}
	*tag, *display = value, name
	return end
}

// usualVia takes note of a Via header, of which the values are separated by a
// comma and a space. Which one is the bottom-most of the message is known at the
// end only, so each one behind the topmost is read as if it were.
func (h *headers) usualVia(b []byte, start int) (end int) {
	m := h.m
	count := m.ViaCount
	via := &m.Via
	for {
		if count > 0 {
			via = &m.ViaLast
			h.lastRead = false
		}
		if end = parseUsualVia(b, start, via); end == 0 {
			break
		}
		count++
		if lineEnd(b, end) {
			m.ViaCount = count
			h.lastVia, h.lastRead = b[start:end], true
			h.seen |= 1 << hVia
			return end
		}
		if at(b, end) != ',' || at(b, end+1) != ' ' {
			break
		}
		start = end + 2
	}
	if m.ViaCount == 0 {
		m.Via = Via{}
	}
	return 0
}

// parseUsualVia reads SIP/2.0/transport host:port;parameters. end is where the
// parameters end.
func parseUsualVia(b []byte, i int, via *Via) (end int) {
	if i+12 > len(b) || string(b[i:i+8]) != "SIP/2.0/" {
		return 0
	}
	transport := i + 8
	if string(b[i+8:i+12]) == "UDP " || string(b[i+8:i+12]) == "TCP " {
		end = i + 11
	} else if end = stopAt(b, transport); end == transport || at(b, end) != ' ' {
		return 0
	}
	host := end + 1
	hostEnd := stopAt(b, host)
	if host == hostEnd || b[host] == '[' {
		return 0
	}
	var port, rport uint32
	var branch, received []byte
	end = hostEnd
	c := at(b, end)
	if c == ':' {
		digits := end + 1
		if port, end = decimal(b, digits); end == digits || port > 65535 {
			return 0
		}
		c = at(b, end)
	}
	for c == ';' {
		switch {
		case end+8 <= len(b) && string(b[end:end+8]) == ";branch=":
			start := end + 8
			if end = valueEnd(b, start); end == start {
				return 0
			}
			branch = b[start:end]
		case end+10 <= len(b) && string(b[end:end+10]) == ";received=":
			start := end + 10
			if end = valueEnd(b, start); end == start {
				return 0
			}
			received = b[start:end]
		default:
			name := end + 1
			end = stopAt(b, name)
			switch {
			case string(b[name:end]) == "rport":
				if at(b, end) == '=' {
					start := end + 1
					if rport, end = decimal(b, start); end == start || rport > 65535 {
						return 0
					}
				}
			case name == end || !unreadViaParam(b[name:end]):
				return 0
			default:
				if at(b, end) == '=' {
					start := end + 1
					if end = valueEnd(b, start); end == start {
						return 0
					}
				}
			}
		}
		c = at(b, end)
	}
	via.Transport, via.Host, via.Port = b[transport:host-1], b[host:hostEnd], uint16(port)
	via.Branch, via.Received, via.RPort = branch, received, uint16(rport)
	return end
}

// valueEnd is the end of a parameter's value that begins at b[i].
func valueEnd(b []byte, i int) (end int) {
	end = stopAt(b, i)
	for c := at(b, end); c == '=' || c == ':'; c = at(b, end) {
		end = stopAt(b, end+1)
	}
	return end
}

// unreadViaParam reports whether the name is that of no parameter that parseVia
// reads.
func unreadViaParam(name []byte) bool {
	return !foldEqual(name, "branch") && !foldEqual(name, "received") && !foldEqual(name, "rport")
}
