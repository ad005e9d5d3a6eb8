package sip

import "bytes"

// headers reads the headers of one message.
type headers struct {
	m       *Message
	seen    uint64 // a bit for each headerID that occurred
	lastVia []byte // the bottom-most value so far
	// lastRead: lastVia, unless it is the topmost value too, is in the message.
	lastRead bool
	encoded  bool // the body is compressed or otherwise encoded
}

// singles are the headers of which a message has one (RFC 3261 section 7.3.1).
const singles = 1<<hCallID | 1<<hCSeq | 1<<hFrom | 1<<hTo | 1<<hMaxForwards | 1<<hContentLength

// mandatory are the headers that every message has (RFC 3261 section 8.1.1), but
// for Call-ID, of which an empty one is missing too, and Max-Forwards, which
// RFC 2543 did not have.
const mandatory = 1<<hCSeq | 1<<hFrom | 1<<hTo | 1<<hVia

// rare are the headers whose fields Message.clear leaves alone unless it is told
// that one of them occurred.
const rare = 1<<hPAI | 1<<hPPI | 1<<hRPID | 1<<hReferTo | 1<<hDiversion | 1<<hHistoryInfo | 1<<hAuthorization |
	1<<hReason | 1<<hSessionID | 1<<hPCV | 1<<hRTPStat | 1<<hEvent | 1<<hReplaces

// read takes note of one header. Of a repeated header the first one counts.
func (h *headers) read(id headerID, v []byte) {
	m := h.m
	if rare&(1<<id) != 0 {
		m.rare = true
	}
	again := h.seen&(1<<id) != 0
	h.seen |= 1 << id
	switch id {
	case hOther:
		return
	case hVia:
		m.via(v, &h.lastVia)
		h.lastRead = false
		return
	case hReason:
		m.reason(v)
		return
	}
	if again {
		if singles&(1<<id) != 0 {
			m.Errs |= DuplicateHeader
		}
		return
	}
	switch id {
	case hCallID:
		m.CallID = v
	case hCSeq:
		m.cseq(v)
	case hFrom:
		if !address(v, &m.From, &m.FromTag, &m.FromDisplay) {
			m.Errs |= BadFrom
		}
	case hTo:
		if !address(v, &m.To, &m.ToTag, &m.ToDisplay) {
			m.Errs |= BadTo
		}
	case hContact:
		m.contact(v)
	case hMaxForwards:
		n, digits, ok := parseUint(v, maxLength)
		if digits > 0 {
			m.MaxForwards = int(n)
		}
		if !ok || digits != len(v) || n > 255 {
			m.Errs |= BadMaxForwards
		}
	case hExpires:
		m.Expires = m.expires(v)
	case hContentLength:
		n, digits, ok := parseUint(v, maxLength)
		if ok && digits == len(v) {
			m.ContentLength = int(n)
		} else {
			m.Errs |= BadContentLength
		}
	case hContentType:
		m.ContentType = v
	case hContentEncoding:
		h.encoded = len(v) > 0 && !foldEqual(v, "identity")
	case hUserAgent:
		m.UserAgent = v
	case hServer:
		m.Server = v
	case hEvent:
		m.Event = beforeSemicolon(v)
	case hPAI:
		firstAddress(v, &m.PAI)
	case hPPI:
		firstAddress(v, &m.PPI)
	case hRPID:
		firstAddress(v, &m.RPID)
	case hReferTo:
		firstAddress(v, &m.ReferTo)
	case hDiversion:
		m.diversion(v)
	case hHistoryInfo:
		m.HistoryInfo = v
	case hAuthorization:
		m.AuthUser, m.AuthRealm = credentials(v)
	case hSessionID:
		m.SessionID = beforeSemicolon(v)
		p := params{b: v[len(m.SessionID):]}
		m.SessionIDRemote = p.find("remote")
	case hPCV:
		p := params{b: v, first: true}
		m.ICID = p.find("icid-value")
	case hRTPStat:
		m.XRTPStat = v
	case hReplaces:
		m.Replaces = beforeSemicolon(v)
	}
}

// finish does what needs all headers.
func (h *headers) finish() {
	m := h.m
	switch {
	case m.ViaCount == 1:
		m.ViaLast = m.Via
	case !h.lastRead:
		m.ViaLast = Via{}
		if m.ViaCount > 1 && !parseVia(&m.ViaLast, h.lastVia) {
			m.Errs |= BadVia
		}
	}
	if len(m.CallID) == 0 {
		m.Errs |= MissingCallID
	}
	if h.seen&mandatory != mandatory {
		m.Errs |= h.missing()
	}
	if !m.Response && len(m.CSeqMethod) > 0 && !bytes.Equal(m.Method, m.CSeqMethod) {
		m.Errs |= CSeqMethodMismatch
	}
}

// missing are the mandatory headers that did not occur; Call-ID aside.
func (h *headers) missing() (e Errors) {
	for _, want := range [...]struct {
		id  headerID
		err Errors
	}{{hCSeq, MissingCSeq}, {hFrom, MissingFrom}, {hTo, MissingTo}, {hVia, MissingVia}} {
		if h.seen&(1<<want.id) == 0 {
			e |= want.err
		}
	}
	return e
}

func (m *Message) cseq(v []byte) {
	n, digits, ok := parseUint(v, 1<<32-1)
	if ok {
		m.CSeq = uint32(n)
	}
	method := trimLeft(v[digits:])
	m.CSeqMethod, _, _ = cutWord(method)
	if !ok || n >= 1<<31 || len(method) == 0 || len(method) == len(v)-digits || len(m.CSeqMethod) != len(method) {
		m.Errs |= BadCSeq
	}
}

func (m *Message) contact(v []byte) {
	m.ContactValue = v
	if len(v) == 1 && v[0] == '*' {
		return
	}
	a := splitNameAddr(v, true)
	if !parseURI(&m.Contact, a.uri) || a.bad {
		m.Errs |= BadContact
	}
	for {
		name, value, more := a.params.next()
		if !more {
			break
		}
		if m.ContactExpires < 0 && foldEqual(name, "expires") {
			m.ContactExpires = m.expires(value)
		}
	}
	if a.params.bad {
		m.Errs |= BadContact
	}
}

// expires reads delta-seconds; -1 when there are none.
func (m *Message) expires(v []byte) int64 {
	n, digits, ok := parseUint(v, 1<<32-1)
	if !ok || digits != len(v) {
		m.Errs |= BadExpires
	}
	if digits == 0 {
		return -1
	}
	return int64(n)
}

func (m *Message) diversion(v []byte) {
	a := splitNameAddr(v, true)
	parseURI(&m.Diversion, a.uri)
	m.DiversionReason = a.params.find("reason")
}

// reason reads the values of one Reason header (RFC 3326):
// Q.850;cause=16;text="Normal call clearing", SIP;cause=200.
func (m *Message) reason(v []byte) {
	if m.ReasonHeader == nil {
		m.ReasonHeader = v
	}
	for len(v) > 0 {
		n := 0
		for n < len(v) && class[v[n]]&isToken != 0 {
			n++
		}
		protocol := v[:n]
		p := params{b: v[n:], list: true}
		var cause uint64
		var text []byte
		for {
			name, value, more := p.next()
			if !more {
				break
			}
			switch {
			case foldEqual(name, "cause"):
				cause, _, _ = parseUint(value, 65535)
			case foldEqual(name, "text"):
				text = value
			}
		}
		q850 := foldEqual(protocol, "q.850")
		if len(m.ReasonText) == 0 || q850 && m.Q850 == 0 && len(text) > 0 {
			m.ReasonText = text
		}
		switch {
		case q850 && m.Q850 == 0:
			m.Q850 = uint16(cause)
		case m.ReasonSIPCause == 0 && foldEqual(protocol, "sip"):
			m.ReasonSIPCause = uint16(cause)
		}
		if v = p.b; len(v) > 0 { // the comma
			v = trimLeft(v[1:])
		}
	}
}

// credentials finds username and realm in the value of an Authorization header
// (RFC 3261 section 25.1, RFC 7616): a scheme, then name=value with commas.
func credentials(v []byte) (user, realm []byte) {
	_, v, _ = cutWord(v)
	for len(v) > 0 {
		n := 0
		for n < len(v) && v[n] != '=' && v[n] != ',' {
			n++
		}
		name := trim(v[:n])
		if n == len(v) || v[n] == ',' {
			v = v[min(n+1, len(v)):]
			continue
		}
		v = trimLeft(v[n+1:])
		var value []byte
		if len(v) > 0 && v[0] == '"' {
			end := quotedEnd(v)
			if end < 0 {
				return user, realm
			}
			value, v = v[1:end-1], v[end:]
			n = bytes.IndexByte(v, ',')
		} else {
			n = bytes.IndexByte(v, ',')
			if value = v; n >= 0 {
				value = v[:n]
			}
			value = trimRight(value)
		}
		switch {
		case user == nil && foldEqual(name, "username"):
			user = value
		case realm == nil && foldEqual(name, "realm"):
			realm = value
		}
		if n < 0 || user != nil && realm != nil {
			break
		}
		v = v[n+1:]
	}
	return user, realm
}

// find is the value of the first parameter of that name, nil without one.
func (p *params) find(want string) []byte {
	for {
		name, value, more := p.next()
		if !more {
			return nil
		}
		if foldEqual(name, want) {
			return value
		}
	}
}

// beforeSemicolon is v without its parameters.
func beforeSemicolon(v []byte) []byte {
	if n := bytes.IndexByte(v, ';'); n >= 0 {
		v = v[:n]
	}
	return trimRight(v)
}
