package sip

import (
	"bytes"
	"strings"
)

// Options configures a [Scanner].
type Options struct {
	// Headers names further headers to report in [Message.Custom], in any case.
	// Their compact forms, where there are any, are found as well.
	Headers []string
}

// Scanner scans messages. It holds configuration only and may be used by
// several goroutines at once, each with a Message of its own.
type Scanner struct {
	custom []customHeader
	// lengths has a bit for each length of a wanted name (63: that and longer),
	// so that other headers cost no comparison.
	lengths uint64
	// forgivingOnly leaves the usual forms to the forgiving code as well, for
	// tests that compare the two.
	forgivingOnly bool
}

type customHeader struct {
	name, folded string
	compact      byte // 0: none
}

// NewScanner returns a scanner for the options. Empty and repeated names are
// ignored.
func NewScanner(opts Options) *Scanner {
	s := new(Scanner)
	seen := make(map[string]bool)
	for _, name := range opts.Headers {
		name = strings.TrimSpace(name)
		folded := strings.ToLower(name)
		if name == "" || seen[folded] {
			continue
		}
		seen[folded] = true
		h := customHeader{name: name, folded: folded, compact: compactNames[folded]}
		s.custom = append(s.custom, h)
		s.lengths |= 1 << min(len(name), 63)
		if h.compact != 0 {
			s.lengths |= 1 << 1
		}
	}
	return s
}

// Scan fills dst with what b holds: one message, from its start line to the
// end of its body. What dst held before is lost.
//
// It reports false, and leaves dst empty, when b does not begin with anything
// like a SIP start line ([LooksLikeSIP]). Otherwise it reads as far as it can
// and dst.Errs says what is wrong. The slices of dst point into b.
func (s *Scanner) Scan(dst *Message, b []byte) bool {
	dst.clear()
	body, ended := 0, false
	if !s.forgivingOnly {
		body = dst.usualStart(b)
	}
	if body == 0 {
		line, ok := splitStartLine(b)
		if !ok {
			return false
		}
		dst.startLine(&line, line.next == len(b) && b[len(b)-1] != '\n')
		body = line.next
	}
	h := headers{m: dst}
	for body < len(b) {
		if !s.forgivingOnly {
			if name, end := h.usual(b, body); end > 0 {
				if s.lengths&(1<<name) != 0 {
					s.readCustom(dst, b[body:body+name], trimLeft(b[body+name+2:end]))
				}
				body = end + 2
				continue
			}
		}
		id, name, value, next, st := nextHeader(b, body)
		if st == headersCut {
			break
		}
		body = next
		if st == headersEnd {
			ended = true
			break
		}
		if name == nil {
			dst.Errs |= BadHeader
			continue
		}
		h.read(id, value)
		if s.lengths&(1<<min(len(name), 63)) != 0 {
			s.readCustom(dst, name, value)
		}
	}
	h.finish()
	if !ended {
		dst.Errs |= Truncated
		return true
	}
	dst.frameBody(b[body:])
	if len(dst.Body) > 0 && !h.encoded {
		w := bodyWalker{m: dst, forgivingOnly: s.forgivingOnly}
		short := dst.Errs.Has(ShortBody)
		w.part(dst.ContentType, dst.Body, 0, short)
		if short { // says it all
			dst.Errs &^= BadMultipart | BadSDP | BadISUP
		}
	}
	return true
}

func (s *Scanner) readCustom(m *Message, name, value []byte) {
	for i := range s.custom {
		c := &s.custom[i]
		if foldEqual(name, c.folded) || len(name) == 1 && lower[name[0]] == c.compact {
			m.Custom = append(m.Custom, Header{Name: c.name, Value: value})
			return
		}
	}
}

// frameBody sets Body to what Content-Length says of the bytes behind the headers.
func (m *Message) frameBody(rest []byte) {
	m.Body = rest
	switch n := m.ContentLength; {
	case n < 0:
	case n > len(rest):
		m.Errs |= ShortBody
	default:
		m.Body = rest[:n]
		for _, c := range rest[n:] {
			if class[c]&isLWS == 0 && c != 0 {
				m.Errs |= TrailingBytes
				break
			}
		}
	}
}

type headerState uint8

const (
	headerRead headerState = iota
	headersEnd             // the blank line: next is the body's offset
	headersCut             // the line, or its last fold, does not end in b
)

// nextHeader reads the header line at b[pos:], its folds included (RFC 3261
// section 7.3.1). name is nil when the line has no colon or no token before it.
func nextHeader(b []byte, pos int) (id headerID, name, value []byte, next int, st headerState) {
	rest := b[pos:]
	if rest[0] == '\n' {
		return hOther, nil, nil, pos + 1, headersEnd
	}
	if rest[0] == '\r' && len(rest) > 1 && rest[1] == '\n' {
		return hOther, nil, nil, pos + 2, headersEnd
	}
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		return hOther, nil, nil, pos, headersCut
	}
	for end+1 < len(rest) && (rest[end+1] == ' ' || rest[end+1] == '\t') {
		fold := bytes.IndexByte(rest[end+1:], '\n')
		if fold < 0 {
			return hOther, nil, nil, pos, headersCut
		}
		end += 1 + fold
	}
	line := rest[:end]
	next = pos + end + 1
	n := 0
	for n < len(line) && class[line[n]]&isToken != 0 {
		n++
	}
	colon := n
	for colon < len(line) && (line[colon] == ' ' || line[colon] == '\t') {
		colon++
	}
	if n == 0 || colon == len(line) || line[colon] != ':' {
		return hOther, nil, nil, next, headerRead
	}
	return headerOf(line[:n]), line[:n], trim(line[colon+1:]), next, headerRead
}

// MessageLength is the length of the first whole message at the start of a
// stream's buffer, line ends before it included: keep-alives of RFC 5626
// section 4.4.1, or the blank lines of RFC 3261 section 7.5. ok is false, and n
// 0, when b holds no whole message yet.
//
// A message without a usable Content-Length ends with its headers; in streams
// the header is mandatory (RFC 3261 section 18.3). What the start line is does
// not matter: see [LooksLikeSIP].
func MessageLength(b []byte) (n int, ok bool) {
	pos := 0
	for pos < len(b) && (b[pos] == '\r' || b[pos] == '\n') {
		pos++
	}
	line := bytes.IndexByte(b[pos:], '\n')
	if line < 0 {
		return 0, false
	}
	pos += line + 1
	length, seen := 0, false
	for pos < len(b) {
		id, _, value, next, st := nextHeader(b, pos)
		if st == headersCut {
			return 0, false
		}
		pos = next
		if st == headersEnd {
			if length > len(b)-pos {
				return 0, false
			}
			return pos + length, true
		}
		if !seen && id == hContentLength {
			seen = true
			v, digits, _ := parseUint(value, maxLength)
			if digits == len(value) {
				length = int(v)
			}
		}
	}
	return 0, false
}

// maxLength bounds lengths and counts to what an int holds on every platform.
const maxLength = 1<<31 - 1
