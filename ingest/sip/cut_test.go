package sip

import (
	"bytes"
	"strings"
	"testing"
)

// cutFields are values that stand in one header each, by the header's name.
var cutFields = map[string]func(*Message) string{
	"Call-ID":        func(m *Message) string { return string(m.CallID) },
	"From":           func(m *Message) string { return short(m.From, m.FromTag) + string(m.FromDisplay) },
	"To":             func(m *Message) string { return short(m.To, m.ToTag) },
	"CSeq":           func(m *Message) string { return string(m.CSeqMethod) },
	"Contact":        func(m *Message) string { return string(m.ContactValue) + short(m.Contact, nil) },
	"Via":            func(m *Message) string { return string(m.Via.Branch) },
	"User-Agent":     func(m *Message) string { return string(m.UserAgent) },
	"Server":         func(m *Message) string { return string(m.Server) },
	"Content-Type":   func(m *Message) string { return string(m.ContentType) },
	"Content-Length": func(m *Message) string { return number(int64(m.ContentLength)) },
	"Max-Forwards":   func(m *Message) string { return number(int64(m.MaxForwards)) },
	"Expires":        func(m *Message) string { return number(m.Expires) },
	"Authorization":  func(m *Message) string { return string(m.AuthUser) + string(m.AuthRealm) },
}

// TestCutEverywhere cuts messages at every byte: headers that are whole are
// right, headers that are not are absent, and the cut is noticed.
func TestCutEverywhere(t *testing.T) {
	s := NewScanner(Options{})
	for _, bm := range benchMessages {
		if strings.HasPrefix(bm.name, "rfc") {
			continue // folded: see TestCutFolds
		}
		whole := []byte(wire(bm.text))
		var want, m Message
		if !s.Scan(&want, whole) || want.Errs != 0 {
			t.Fatalf("%s: %s", bm.name, want.Errs)
		}
		headersEnd := bytes.Index(whole, []byte("\r\n\r\n")) + 4
		checked := 0
		for cut := range len(whole) {
			b := bytes.Clone(whole[:cut])
			if _, ok := MessageLength(b); ok {
				t.Fatalf("%s cut at %d of %d is whole", bm.name, cut, len(whole))
			}
			if !s.Scan(&m, b) {
				if cut > len("REGISTER ") {
					t.Errorf("%s cut at %d is taken for no SIP", bm.name, cut)
				}
				continue
			}
			switch {
			case cut < headersEnd && !m.Errs.Has(Truncated),
				cut >= headersEnd && m.Errs != ShortBody:
				t.Errorf("%s cut at %d: %s", bm.name, cut, m.Errs)
			}
			for name, get := range cutFields {
				at := bytes.Index(whole, []byte("\r\n"+name+": "))
				if at < 0 {
					continue
				}
				end := at + 2 + bytes.IndexByte(whole[at+2:], '\n') + 1
				expect := ""
				if cut >= end {
					expect = get(&want)
					checked++
				}
				if got := get(&m); got != expect {
					t.Errorf("%s cut at %d: %s is %q, want %q", bm.name, cut, name, got, expect)
				}
			}
		}
		if n, ok := MessageLength(whole); !ok || n != len(whole) {
			t.Errorf("%s has %d bytes, MessageLength %d", bm.name, len(whole), n)
		}
		if checked == 0 {
			t.Errorf("%s: nothing was checked", bm.name)
		}
	}
}

// TestCutFolds cuts all torture messages at every byte. A value that is folded
// may be cut at the end of a line, where nothing tells that it goes on; so each
// value must be the beginning of the whole one.
func TestCutFolds(t *testing.T) {
	s := NewScanner(Options{})
	for name, text := range rfc4475 {
		whole := []byte(wire(text))
		var want, m Message
		s.Scan(&want, whole)
		for cut := range len(whole) {
			if !s.Scan(&m, bytes.Clone(whole[:cut])) {
				continue
			}
			for _, v := range [][2][]byte{{m.CallID, want.CallID}, {m.ContactValue, want.ContactValue}, {m.FromTag, want.FromTag},
				{m.ToTag, want.ToTag}, {m.CSeqMethod, want.CSeqMethod}, {m.Via.Branch, want.Via.Branch}} {
				if !bytes.HasPrefix(v[1], v[0]) {
					t.Fatalf("%s cut at %d: %q instead of %q", name, cut, v[0], v[1])
				}
			}
		}
	}
}

// TestMessageLength frames messages in a stream.
func TestMessageLength(t *testing.T) {
	one, two := wire(benchInvite), wire(benchResponse)
	for _, test := range []struct {
		stream string
		n      int
		ok     bool
	}{
		{one + two, len(one), true},
		{two, len(two), true},
		{"\r\n\r\n" + two + one, 4 + len(two), true},
		{one[:len(one)-1], 0, false},
		{"\r\n\r\n", 0, false},
		{"", 0, false},
		{"BYE sip:a SIP/2.0\r\n", 0, false},
		{"BYE sip:a SIP/2.0\r\n\r\nrest", 21, true}, // no Content-Length
		{"BYE sip:a SIP/2.0\nl : 2\n\nabc", 27, true},
		{"BYE sip:a SIP/2.0\nL:\n 2\n\nabc", 27, true},
		{"BYE sip:a SIP/2.0\nl: 1\nContent-Length: 3\n\nabc", 43, true}, // the first one counts
		{"BYE sip:a SIP/2.0\nl: -3\n\nabc", 25, true},                   // none that could be used
		{"BYE sip:a SIP/2.0\nl: 99999999999999999999\n\nabc", 0, false},
		{"BYE sip:a SIP/2.0\nno colon\n\nabc", 28, true},
	} {
		if n, ok := MessageLength([]byte(test.stream)); n != test.n || ok != test.ok {
			t.Errorf("%.60q: %d %v, want %d %v", test.stream, n, ok, test.n, test.ok)
		}
	}
}

// TestNoAllocation: the scanner allocates nothing, whatever the message.
func TestNoAllocation(t *testing.T) {
	s := NewScanner(Options{Headers: []string{"User-Agent", "X-CID"}})
	var m Message
	for _, bm := range benchMessages {
		b := []byte(wire(bm.text))
		s.Scan(&m, b) // Custom grows once
		text := make([]byte, 0, 512)
		if n := testing.AllocsPerRun(100, func() {
			if !s.Scan(&m, b) {
				t.Fatal("no SIP")
			}
			text = m.SDP.AppendSummary(text[:0])
			text = (m.Errs | Truncated).Append(text)
			MessageLength(b)
		}); n != 0 {
			t.Errorf("%s: %v allocations", bm.name, n)
		}
	}
}
