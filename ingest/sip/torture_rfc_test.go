package sip

import (
	"fmt"
	"strings"
	"testing"
)

// verdict is what an RFC says of its message. It is written down from the RFC's
// text, not from a scan: the tables of torture_want_test.go hold what the scanner
// makes of a message, this one whether that is what the RFC wants.
type verdict struct {
	section string
	name    string // of the message; that of RFC 5118 is its section
	// says is what the RFC says, in short.
	says string
	// faults are the parts that the RFC calls broken, as the scanner names them.
	// A message that the RFC calls valid has none.
	faults Errors
	// unread: what the RFC calls broken is in a header that the scanner does not
	// read.
	unread bool
	// value and want are what the RFC says about a value.
	value func(*Message) string
	want  string
}

var rfc4475Says = []verdict{
	// 3.1.1: valid messages.
	{section: "3.1.1.1", name: "wsinv", says: "valid: folding, white space, escapes, mixed case, compact names; Max-Forwards has zeros before it", value: func(m *Message) string {
		return fmt.Sprintf("%d %s|%s|%s %s", m.MaxForwards, m.FromDisplay, m.ToTag, m.ViaLast.Host, m.ViaLast.Branch)
	}, want: `68 J Rosenberg \\\"|1918181833n|192.168.255.111 z9hG4bK30239`},
	{section: "3.1.1.2", name: "intmeth", says: "valid: every character a method, a user, a display name and a Call-ID may have", value: func(m *Message) string {
		return fmt.Sprintf("%d|%q|%s", m.MaxForwards, m.ToDisplay, m.FromDisplay)
	}, want: "255|\"BEL:\\\\\\a NUL:\\\\\\x00 DEL:\\\\\\x7f\"|token1~` token2'+_ token3*%!.-"},
	{section: "3.1.1.3", name: "esc01", says: "valid: the user part is an escaped sips URI, the host is example.net", value: func(m *Message) string {
		return string(m.RURI.Scheme) + " " + string(m.RURI.User) + " " + string(m.RURI.Host)
	}, want: "sip sips%3Auser%40example.com example.net"},
	{section: "3.1.1.4", name: "escnull", says: "valid: %00 is part of the user, not its end; two contacts", value: func(m *Message) string { return string(m.Contact.User) }, want: "%00"},
	{section: "3.1.1.5", name: "esc02", says: "valid: no escapes in method names, so this is no REGISTER; C%6Fntact is an unknown header", value: func(m *Message) string {
		return string(m.Method) + " " + string(m.ContactValue)
	}, want: "RE%47IST%45R <sip:alias1@host1.example.com>"},
	{section: "3.1.1.6", name: "lwsdisp", says: "valid: no white space between the display name and <", value: func(m *Message) string { return string(m.FromDisplay) }, want: "caller"},
	{section: "3.1.1.7", name: "longreq", says: "valid: long values in many fields", value: func(m *Message) string { return fmt.Sprint(m.ViaCount, " ", string(m.ViaLast.Host)) }, want: "34 host.example.com"},
	{section: "3.1.1.8", name: "dblreq", says: "valid: what follows the REGISTER in the datagram is ignored", faults: TrailingBytes, value: func(m *Message) string { return fmt.Sprint(len(m.Body)) }, want: "0"},
	{section: "3.1.1.9", name: "semiuri", says: "valid: the semicolon is part of the user, the URI has no parameters", value: func(m *Message) string {
		return string(m.RURI.User) + " " + string(m.RURI.Host)
	}, want: "user;par=u%40example.net example.com"},
	{section: "3.1.1.10", name: "transports", says: "valid: known and unknown transports in Via", value: func(m *Message) string {
		return fmt.Sprint(m.ViaCount, " ", string(m.Via.Transport), " ", string(m.ViaLast.Transport))
	}, want: "5 UDP TCP"},
	{section: "3.1.1.11", name: "mpart01", says: "valid: multipart body with a binary part"},
	{section: "3.1.1.12", name: "unreason", says: "valid: a reason phrase in UTF-8 with unreserved and other characters", value: func(m *Message) string { return string(m.Reason) }, want: "= 2**3 * 5**2 но сто девяносто девять - простое"},
	{section: "3.1.1.13", name: "noreason", says: "valid: the reason phrase is empty, the space before it is there", value: func(m *Message) string { return string(m.Reason) }, want: ""},

	// 3.1.2: invalid messages.
	{section: "3.1.2.1", name: "badinv01", says: "invalid: separators without parameters in Via and Contact", faults: BadVia | BadContact},
	{section: "3.1.2.2", name: "clerr", says: "invalid: Content-Length is greater than the rest of the datagram", faults: ShortBody, value: func(m *Message) string { return fmt.Sprint(m.ContentLength) }, want: "9999"},
	{section: "3.1.2.3", name: "ncl", says: "invalid: Content-Length is negative", faults: BadContentLength},
	{section: "3.1.2.4", name: "scalar02", says: "invalid: CSeq above 2^32-1, Max-Forwards above 255, Expires and the contact's expires above 2^32-1", faults: BadCSeq | BadMaxForwards | BadExpires, value: func(m *Message) string {
		return fmt.Sprint(m.CSeq, " ", m.MaxForwards, " ", m.Expires, " ", m.ContactExpires)
	}, want: "0 300 4294967295 4294967295"},
	{section: "3.1.2.5", name: "scalarlg", says: "invalid: CSeq above 2^32-1; Retry-After and Warning out of range", faults: BadCSeq},
	{section: "3.1.2.6", name: "quotbal", says: "invalid: the display name in To has no closing quote; an element may infer one", faults: BadTo, value: func(m *Message) string { return string(m.ToDisplay) }, want: "Mr. J. User"},
	{section: "3.1.2.7", name: "ltgtruri", says: "invalid: the Request-URI is in angle brackets; an element may ignore them", faults: BadRequestURI},
	{section: "3.1.2.8", name: "lwsruri", says: "invalid: the Request-URI has white space inside", faults: BadRequestURI},
	{section: "3.1.2.9", name: "lwsstart", says: "invalid: more than one space between the elements of the request line", faults: BadStartLine},
	{section: "3.1.2.10", name: "trws", says: "invalid: spaces at the end of the request line", faults: BadStartLine},
	{section: "3.1.2.11", name: "escruri", says: "invalid: the Request-URI has headers", faults: BadRequestURI},
	{section: "3.1.2.12", name: "baddate", says: "invalid: Date is not in GMT; an element may ignore it", unread: true},
	{section: "3.1.2.13", name: "regbadct", says: "invalid: a contact with headers must be in angle brackets", faults: BadContact},
	{section: "3.1.2.14", name: "badaspec", says: "invalid: spaces within the angle brackets of To", faults: BadTo},
	{section: "3.1.2.15", name: "baddn", says: "invalid: commas in the unquoted display names of From and To", faults: BadFrom | BadTo, value: func(m *Message) string {
		return string(m.FromDisplay) + "|" + string(m.ToDisplay)
	}, want: "Bell, Alexander|Watson, Thomas"},
	{section: "3.1.2.16", name: "badvers", says: "invalid: version 7.0", faults: BadVersion},
	{section: "3.1.2.17", name: "mismatch01", says: "invalid: the method is not that of CSeq", faults: CSeqMethodMismatch},
	{section: "3.1.2.18", name: "mismatch02", says: "invalid: the method is unknown and not that of CSeq", faults: CSeqMethodMismatch},
	{section: "3.1.2.19", name: "bigcode", says: "invalid: the status code does not fit", faults: BadStatus, value: func(m *Message) string { return fmt.Sprint(m.Status) }, want: "0"},

	// 3.2 to 3.4: what only transactions and applications may refuse.
	{section: "3.2.1", name: "badbranch", says: "valid: the branch is nothing but the magic cookie", value: func(m *Message) string { return string(m.Via.Branch) }, want: "z9hG4bK"},
	{section: "3.3.1", name: "insuf", says: "invalid: no Call-ID, From or To", faults: MissingCallID | MissingFrom | MissingTo},
	{section: "3.3.2", name: "unkscm", says: "valid: an unknown scheme in the Request-URI", value: func(m *Message) string { return string(m.RURI.Scheme) }, want: "nobodyKnowsThisScheme"},
	{section: "3.3.3", name: "novelsc", says: "valid: a known scheme that is unusual in SIP", value: func(m *Message) string { return string(m.RURI.Scheme) }, want: "soap.beep"},
	{section: "3.3.4", name: "unksm2", says: "valid: such schemes in To, From and Contact", value: func(m *Message) string {
		return string(m.To.Scheme) + " " + string(m.From.Scheme) + " " + string(m.Contact.Scheme)
	}, want: "isbn http name"},
	{section: "3.3.5", name: "bext01", says: "valid: unknown option tags"},
	{section: "3.3.6", name: "invut", says: "valid: an unknown Content-Type", value: func(m *Message) string { return fmt.Sprint(m.SDP.Has) }, want: "false"},
	{section: "3.3.7", name: "regaut01", says: "valid: an unknown authorization scheme, which has no user", value: func(m *Message) string { return string(m.AuthUser) }, want: ""},
	{section: "3.3.8", name: "multi01", says: "invalid: CSeq, Call-ID, From, To and Max-Forwards twice", faults: DuplicateHeader},
	{section: "3.3.9", name: "mcl01", says: "invalid: two values of Content-Length, and no way to know which is right", faults: DuplicateHeader | TrailingBytes},
	{section: "3.3.10", name: "bcast", says: "valid: the second Via is a broadcast address", value: func(m *Message) string { return string(m.ViaLast.Host) }, want: "255.255.255.255"},
	{section: "3.3.11", name: "zeromf", says: "valid: Max-Forwards is zero, which is not the same as absent", value: func(m *Message) string { return fmt.Sprint(m.MaxForwards) }, want: "0"},
	{section: "3.3.12", name: "cparam01", says: "valid: without brackets the parameter is the contact's", value: func(m *Message) string { return string(m.Contact.Host) }, want: "gw1.example.net"},
	{section: "3.3.13", name: "cparam02", says: "valid: in brackets the parameter is the URI's", value: func(m *Message) string { return string(m.Contact.Host) }, want: "gw1.example.net"},
	{section: "3.3.14", name: "regescrt", says: "valid: headers in the contact's URI, in brackets", value: func(m *Message) string { return string(m.Contact.Host) }, want: "example.com"},
	{section: "3.3.15", name: "sdp01", says: "valid: an offer, and no description accepted", value: func(m *Message) string { return fmt.Sprint(m.SDP.Has) }, want: "true"},
	{section: "3.4.1", name: "inv2543", says: "valid by RFC 2543: no branch, no tag, no Max-Forwards", value: func(m *Message) string {
		return fmt.Sprint(m.MaxForwards, m.FromTag == nil, m.Via.Branch == nil)
	}, want: "-1 true true"},
}

var rfc5118Says = []verdict{
	{section: "4.1", name: "4.1", says: "valid: IPv6 references in the Request-URI, Via and Contact"},
	{section: "4.2", name: "4.2", says: "invalid: the Request-URI's IPv6 address has no brackets", faults: BadRequestURI},
	{section: "4.3", name: "4.3", says: "valid: what looks like a port is part of the address", value: func(m *Message) string { return fmt.Sprint(m.RURI.Port) }, want: "0"},
	{section: "4.4", name: "4.4", says: "valid: behind the bracket it is a port", value: func(m *Message) string { return fmt.Sprint(m.RURI.Port) }, want: "5070"},
	{section: "4.5", name: "4.5-1", says: "to be accepted: received with brackets, which the grammar does not have"},
	{section: "4.5", name: "4.5-2", says: "valid: received without brackets"},
	{section: "4.6", name: "4.6", says: "valid: IPv6 in the session description, without brackets", value: func(m *Message) string { return string(m.SDP.Addr) }, want: "2001:db8::20"},
	{section: "4.7", name: "4.7", says: "valid: IPv4 and IPv6 in different Via values", value: func(m *Message) string {
		return string(m.ViaLast.Host) + " " + string(m.ViaLast.Received)
	}, want: "2001:db8::9:255 192.0.2.200"},
	{section: "4.8", name: "4.8", says: "valid: an IPv4 and an IPv6 stream in one description", value: func(m *Message) string {
		return string(m.SDP.Streams()[0].Addr) + " " + string(m.SDP.Streams()[1].Addr)
	}, want: "192.0.2.1 2001:db8::1"},
	{section: "4.9", name: "4.9", says: "valid: IPv4 addresses mapped to IPv6", value: func(m *Message) string { return string(m.Contact.Host) }, want: "[::ffff:192.0.2.2]"},
	{section: "4.10", name: "4.10-1", says: "to be accepted: a third colon, which a bug of RFC 3261's grammar generates"},
	{section: "4.10", name: "4.10-2", says: "valid: the same address, written right"},
}

// TestRFCVerdicts compares scans with what the RFCs say of each message: exactly
// what they call broken is a fault, and the values they speak of are right.
func TestRFCVerdicts(t *testing.T) {
	captured := tortureCapture(t)
	messages := make(map[string][]byte)
	for _, row := range rfc4475Want {
		messages[row.name] = captured[row.name]
	}
	for _, set := range []map[string]string{rfc4475, rfc5118} {
		for name, text := range set {
			messages[name] = []byte(wire(text))
		}
	}
	s := NewScanner(Options{})
	for _, v := range append(append([]verdict{}, rfc4475Says...), rfc5118Says...) {
		var m Message
		if !s.Scan(&m, messages[v.name]) {
			t.Errorf("%s %s is taken for no SIP", v.section, v.name)
			continue
		}
		if m.Errs != v.faults {
			t.Errorf("%s %s has %q, the RFC says %q (%s)", v.section, v.name, m.Errs, v.faults, v.says)
		}
		if strings.HasPrefix(v.says, "invalid") != (v.faults != 0 && v.faults != TrailingBytes || v.unread) {
			t.Errorf("%s %s: the row contradicts itself", v.section, v.name)
		}
		if v.value != nil {
			if got := v.value(&m); got != v.want {
				t.Errorf("%s %s has %q, want %q (%s)", v.section, v.name, got, v.want, v.says)
			}
		}
	}
	if len(rfc4475Says) != 49 || len(rfc5118Says) != len(rfc5118) {
		t.Errorf("%d and %d rows", len(rfc4475Says), len(rfc5118Says))
	}
}
