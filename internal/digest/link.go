package digest

import (
	"bytes"
	"strings"
)

// Linker makes the link ids of a message of its headers: what ties its leg to
// others besides Call-ID and correlation id.
type Linker struct {
	// prefixes are what link ids begin with, by the header's name in sip.headers.
	prefixes map[string]string
	text     []byte
	list     [][]byte
}

// The headers that always tie legs together, as sip.headers names what was read
// of them.
const (
	headerSession       = "Session-ID"
	headerSessionRemote = "Session-ID.remote"
	headerICID          = "P-Charging-Vector.icid-value"
	headerReplaces      = "Replaces"
)

// NewLinker makes one for which the values of these headers besides tie legs
// together: those of the setting correlation.headers.
func NewLinker(headers []string) *Linker {
	l := &Linker{prefixes: map[string]string{headerSession: "session-id:", headerSessionRemote: "session-id:", headerICID: "icid:", headerReplaces: "replaces:"}}
	for _, h := range headers {
		if _, known := l.prefixes[h]; !known && !strings.EqualFold(h, headerSession) && !strings.EqualFold(h, "P-Charging-Vector") {
			l.prefixes[h] = strings.ToLower(h) + ":"
		}
	}
	return l
}

// Reset forgets the message before.
func (l *Linker) Reset() { l.text, l.list = l.text[:0], l.list[:0] }

// Add looks at a header, by its name in sip.headers.
//
// RFC 7989's session has two UUIDs, one of each end, of which nil ones say
// nothing; Replaces (RFC 3891) names another Call-ID.
func (l *Linker) Add(name string, value []byte) {
	if len(value) == 0 {
		return
	}
	prefix, ok := l.prefixes[name]
	if !ok {
		return
	}
	switch name {
	case headerSession, headerSessionRemote:
		if !bytes.ContainsAny(value, "123456789abcdefABCDEF") {
			return
		}
	case headerReplaces:
		value, _, _ = bytes.Cut(value, []byte(";"))
	}
	from := len(l.text)
	l.text = append(append(l.text, prefix...), value...)
	l.list = append(l.list, l.text[from:])
}

// Links are the link ids of the message, valid until the next Reset.
func (l *Linker) Links() [][]byte { return l.list }
