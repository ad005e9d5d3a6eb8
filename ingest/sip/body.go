package sip

import "bytes"

// Bounds of multipart bodies. SIP-I has two or three parts on one level.
const (
	maxDepth = 3
	maxParts = 32
)

// bodyWalker looks for session descriptions and ISUP in a body.
type bodyWalker struct {
	m             *Message
	parts         int
	forgivingOnly bool // see Scanner
}

// part reads one body or body part of the given Content-Type. cut says that it
// went on beyond the end of the buffer.
func (w *bodyWalker) part(contentType, b []byte, depth int, cut bool) {
	m := w.m
	switch {
	case isMediaType(contentType, "application/sdp"), len(contentType) == 0 && bytes.HasPrefix(b, []byte("v=0")):
		if !m.SDP.Has && !m.SDP.parse(b, cut, w.forgivingOnly) {
			m.Errs |= BadSDP
		}
	case isMediaType(contentType, "application/isup"):
		m.rare = true
		if !m.ISUP.Has && !m.ISUP.parse(b) {
			m.Errs |= BadISUP
		}
	case hasPrefixFold(contentType, "multipart/"):
		if depth < maxDepth {
			w.multipart(contentType, b, depth, cut)
		}
	}
}

// multipart reads the parts of a multipart body (RFC 2046 section 5.1).
func (w *bodyWalker) multipart(contentType, b []byte, depth int, cut bool) {
	p := params{b: contentType[len(beforeSemicolon(contentType)):]}
	boundary := p.find("boundary")
	if len(boundary) == 0 {
		// Take the delimiter from the body itself.
		first := trimLeft(b)
		if len(first) < 3 || first[0] != '-' || first[1] != '-' {
			w.m.Errs |= BadMultipart
			return
		}
		boundary, _, _ = cutWord(first[2:])
	}
	_, b, last, found := cutDelimiter(b, boundary)
	if !found {
		w.m.Errs |= BadMultipart
		return
	}
	for !last && w.parts < maxParts {
		var one []byte
		one, b, last, found = cutDelimiter(b, boundary)
		if !found {
			// The last part is cut, or the closing delimiter was left out.
			w.m.Errs |= BadMultipart
			last = true
		}
		w.parts++
		w.bodyPart(one, depth, cut && !found)
	}
}

// bodyPart reads one part: its own headers, a blank line, its content.
func (w *bodyWalker) bodyPart(b []byte, depth int, cut bool) {
	var contentType []byte
	encoded := false
	pos := 0
	for pos < len(b) {
		id, _, value, next, st := nextHeader(b, pos)
		if st == headersCut {
			return
		}
		pos = next
		if st == headersEnd {
			if !encoded && pos < len(b) {
				w.part(contentType, b[pos:], depth+1, cut)
			}
			return
		}
		switch id {
		case hContentType:
			contentType = value
		case hContentEncoding:
			encoded = len(value) > 0 && !foldEqual(value, "identity")
		}
	}
}

// cutDelimiter splits b at the next line that is the boundary's delimiter,
// "--boundary" or, the last one, "--boundary--". part is what is before it,
// without the line end that belongs to the delimiter. Without one, part is b.
func cutDelimiter(b, boundary []byte) (part, rest []byte, last, found bool) {
	if len(boundary) == 0 {
		return b, nil, false, false
	}
	for from := 0; ; {
		n := bytes.Index(b[from:], boundary)
		if n < 0 {
			return b, nil, false, false
		}
		start := from + n - 2
		end := from + n + len(boundary)
		from = end
		if start < 0 || b[start] != '-' || b[start+1] != '-' || start > 0 && b[start-1] != '\n' {
			continue
		}
		rest = b[end:]
		if len(rest) >= 2 && rest[0] == '-' && rest[1] == '-' {
			last = true
			rest = rest[2:]
		} else if len(rest) > 0 && class[rest[0]]&isLWS == 0 {
			continue // a longer boundary that begins like this one
		}
		if eol := bytes.IndexByte(rest, '\n'); eol >= 0 {
			rest = rest[eol+1:]
		} else {
			rest = nil
		}
		part = b[:start]
		if n := len(part); n > 0 {
			part = part[:n-1]
			if n > 1 && part[n-2] == '\r' {
				part = part[:n-2]
			}
		}
		return part, rest, last, true
	}
}

// isMediaType reports whether a Content-Type is the wanted type, which is in
// lower case, whatever its parameters.
func isMediaType(contentType []byte, want string) bool {
	if string(contentType) == want {
		return true
	}
	if !hasPrefixFold(contentType, want) {
		return false
	}
	rest := contentType[len(want):]
	return len(rest) == 0 || rest[0] == ';' || class[rest[0]]&isLWS != 0
}
