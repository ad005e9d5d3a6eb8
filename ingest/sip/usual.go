package sip

import "bytes"

// This file and usualaddr.go read what nearly every message consists of, lines
// spelled and laid out as the RFCs print them, in one pass and eight bytes at a
// time. They know no faults and no rare forms: a line that is not as expected is
// left, untouched, to the forgiving code. Where both can read a line they read
// the same; TestUsualForms and FuzzUsualForms hold them to it.
//
// The functions take the whole message and an offset, and return the offset
// where they ended, 0 for "not of the usual form".

// shortestUsual is the number of bytes from the start of a line to the end of
// the message below which a line is left to the forgiving code, so that the
// comparisons with names need no check of their own.
const shortestUsual = 18

// at is b[i], or 0 behind the end.
func at(b []byte, i int) byte {
	if uint(i) < uint(len(b)) {
		return b[i]
	}
	return 0
}

// lineEnd reports whether the header line ends at b[i], and with it the header:
// the next line is no continuation (RFC 3261 section 7.3.1).
func lineEnd(b []byte, i int) bool {
	if i < 0 || i+2 > len(b) || b[i] != '\r' || b[i+1] != '\n' {
		return false
	}
	next := at(b, i+2)
	return next != ' ' && next != '\t'
}

// decimal reads up to nine digits at b[i]; end is i when there are none.
func decimal(b []byte, i int) (n uint32, end int) {
	end = i
	for end < len(b) && end < i+9 {
		d := b[end] - '0'
		if d > 9 {
			break
		}
		n = n*10 + uint32(d)
		end++
	}
	return n, end
}

// usualStart reads the start line at the beginning of b. next is the offset of
// the first header.
func (m *Message) usualStart(b []byte) (next int) {
	if len(b) < shortestUsual {
		return 0
	}
	if string(b[:8]) == "SIP/2.0 " {
		return m.usualStatus(b)
	}
	word := 0
	for b[word]-'A' < 26 {
		if word++; word == shortestUsual {
			return 0
		}
	}
	if word == 0 || b[word] != ' ' {
		return 0
	}
	uri := word + 1
	end := usualURI(b, uri, &m.RURI, ' ')
	if end == 0 {
		return 0
	}
	if end+10 > len(b) || string(b[end+1:end+10]) != "SIP/2.0\r\n" {
		m.RURI = URI{}
		return 0
	}
	m.Method, m.RequestURI = b[:word], b[uri:end]
	return end + 10
}

// usualStatus reads a status line behind its "SIP/2.0 ".
func (m *Message) usualStatus(b []byte) (next int) {
	status, end := decimal(b, 8)
	if status < 100 || status > 699 || at(b, end) != ' ' {
		return 0
	}
	start := end + 1
	end = byteAt(b, start, '\n') - 1
	if end <= start || end+1 == len(b) || b[end] != '\r' || b[start] <= ' ' || b[end-1] <= ' ' {
		return 0
	}
	m.Response, m.Status, m.Reason = true, uint16(status), b[start:end]
	return end + 2
}

// usual reads the header at b[pos:]. name is the length of its name; its value
// is b[pos+name+2:end], which a CR and an LF follow. On end 0 nothing was read.
func (h *headers) usual(b []byte, pos int) (name, end int) {
	line := b[pos:]
	if len(line) < shortestUsual {
		return 0, 0
	}
	m := h.m
	switch line[0] {
	case 'V':
		if string(line[:5]) == "Via: " {
			return 3, h.usualVia(b, pos+5)
		}
	case 'F':
		if string(line[:6]) == "From: " && h.first(hFrom) {
			end = usualFrom(b, pos+6, &m.From, &m.FromTag, &m.FromDisplay)
			return 4, h.took(hFrom, end)
		}
	case 'T':
		if string(line[:4]) == "To: " && h.first(hTo) {
			end = usualFrom(b, pos+4, &m.To, &m.ToTag, &m.ToDisplay)
			return 2, h.took(hTo, end)
		}
	case 'C':
		return h.usualC(b, pos)
	case 'M':
		if string(line[:14]) == "Max-Forwards: " && h.first(hMaxForwards) {
			hops, end := decimal(b, pos+14)
			if end == pos+14 || hops > 255 || !lineEnd(b, end) {
				return 0, 0
			}
			m.MaxForwards = int(hops)
			return 12, h.took(hMaxForwards, end)
		}
	case 'U':
		if string(line[:12]) == "User-Agent: " {
			return 10, h.usualText(b, pos+12, hUserAgent, &m.UserAgent)
		}
	case 'S':
		switch {
		case string(line[:8]) == "Server: ":
			return 6, h.usualText(b, pos+8, hServer, &m.Server)
		case string(line[:11]) == "Supported: ":
			return 9, usualValue(b, pos+11)
		}
	case 'A':
		if string(line[:7]) == "Allow: " {
			return 5, usualValue(b, pos+7)
		}
	case 'R':
		switch {
		case string(line[:14]) == "Record-Route: ":
			return 12, usualValue(b, pos+14)
		case string(line[:7]) == "Route: ":
			return 5, usualValue(b, pos+7)
		}
	}
	return 0, 0
}

// usualC is usual for the headers that begin with a C.
func (h *headers) usualC(b []byte, pos int) (name, end int) {
	line := b[pos:]
	if len(line) < shortestUsual {
		return 0, 0
	}
	m := h.m
	switch {
	case string(line[:9]) == "Call-ID: ":
		return 7, h.usualText(b, pos+9, hCallID, &m.CallID)
	case string(line[:6]) == "CSeq: " && h.first(hCSeq):
		seq, space := decimal(b, pos+6)
		method := space + 1
		if space == pos+6 || at(b, space) != ' ' {
			return 0, 0
		}
		if end = stopAt(b, method); end == method || !lineEnd(b, end) {
			return 0, 0
		}
		m.CSeq, m.CSeqMethod = seq, b[method:end]
		return 4, h.took(hCSeq, end)
	case string(line[:10]) == "Contact: <" && h.first(hContact):
		start := pos + 9
		if end = usualURI(b, start+1, &m.Contact, '>'); end == 0 {
			return 0, 0
		}
		if end++; !lineEnd(b, end) {
			m.Contact = URI{}
			return 0, 0
		}
		m.ContactValue = b[start:end]
		return 7, h.took(hContact, end)
	case string(line[:14]) == "Content-Type: ":
		return 12, h.usualText(b, pos+14, hContentType, &m.ContentType)
	case string(line[:16]) == "Content-Length: " && h.first(hContentLength):
		start := pos + 16
		for at(b, start) == ' ' { // SIPp and others align the number to the right
			start++
		}
		length, end := decimal(b, start)
		if end == start || !lineEnd(b, end) {
			return 0, 0
		}
		m.ContentLength = int(length)
		return 14, h.took(hContentLength, end)
	}
	return 0, 0
}

// first reports whether the header has not occurred yet.
func (h *headers) first(id headerID) bool { return h.seen&(1<<id) == 0 }

// took takes note of a header whose value ends at end, or does nothing for 0.
func (h *headers) took(id headerID, end int) int {
	if end > 0 {
		h.seen |= 1 << id
	}
	return end
}

// usualText reads a header whose whole value is wanted.
func (h *headers) usualText(b []byte, start int, id headerID, value *[]byte) (end int) {
	if !h.first(id) {
		return 0
	}
	end = byteAt(b, start, '\n') - 1
	if end <= start || b[start] <= ' ' || b[end-1] <= ' ' || !lineEnd(b, end) {
		return 0
	}
	*value = b[start:end]
	h.seen |= 1 << id
	return end
}

// usualValue is the end of a value in which nothing but its surrounding white
// space matters: that of a header chosen by configuration, or of none.
func usualValue(b []byte, start int) (end int) {
	end = start + bytes.IndexByte(b[start:], '\n') - 1
	if end <= start || b[start] <= ' ' || b[end-1] <= ' ' || !lineEnd(b, end) {
		return 0
	}
	return end
}
