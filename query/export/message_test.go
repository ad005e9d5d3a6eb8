package export

import (
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// Every part of every message is kept, whatever it is.
func TestPartsMakeTheMessage(t *testing.T) {
	messages := []string{
		"", "\r\n\r\n", "INVITE", "SIP/2.0 200 OK\r\n", "a\nb\n\nc", "x\r\n:\r\n : \r\nname  :  v \r\n\tfolded\r\n  twice \r\nno colon\r\n\r\nbody\r\n",
	}
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-rfc4475-torture-a.pcap")) {
		messages = append(messages, string(p.Payload))
	}
	for _, name := range captures.Names(t, "*.sip") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			messages = append(messages, string(p.Payload))
		}
	}
	for _, raw := range messages {
		m := parseSIP(raw)
		if got := m.String(); got != raw {
			t.Errorf("got %q, want %q", got, raw)
		}
		for _, h := range m.headers {
			for _, part := range splitList(h.value) {
				if a := parseNameAddr(part); a.String() != part {
					t.Errorf("address %q became %q", part, a.String())
				} else if u, ok := parseURI(a.uri); ok && u.String() != a.uri {
					t.Errorf("URI %q became %q", a.uri, u.String())
				}
			}
		}
	}
}

func TestParseHeaders(t *testing.T) {
	m := parseSIP("INVITE sip:b SIP/2.0\r\nf: \"A, B\" <sip:a@h>;tag=1\r\nSubject :\r\n  folded\r\n\ttwice  \r\nl:0\r\n\r\n")
	for name, want := range map[string]string{"from": `"A, B" <sip:a@h>;tag=1`, "subject": "folded twice", "content-length": "0", "to": ""} {
		if got := m.get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestParseNameAddr(t *testing.T) {
	for in, want := range map[string]nameAddr{
		`"a <b\"> ; c" <sip:u@h;p=1>;tag=x`: {`"a <b\"> ; c" `, "<", "sip:u@h;p=1", ">", ";tag=x"},
		`sip:u@h;tag=x`:                     {"", "", "sip:u@h", "", ";tag=x"},
		`Anna Maria <sip:u@h>`:              {"Anna Maria ", "<", "sip:u@h", ">", ""},
		`<sip:u@h`:                          {"", "<", "sip:u@h", "", ""},
		`*`:                                 {"", "", "*", "", ""},
		`sip:u@h;x="<y>"`:                   {"", "", "sip:u@h", "", `;x="<y>"`},
	} {
		if got := parseNameAddr(in); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

func TestParseURI(t *testing.T) {
	for in, want := range map[string]sipURI{
		"sip:alice:secret@[2001:db8::1]:5060;lr?x=y": {"sip:", "alice", ":secret", "@", "[2001:db8::1]", ":5060", ";lr?x=y"},
		"sip:host":                     {"sip:", "", "", "", "host", "", ""},
		"sips:a%40b;x=1@h.example:1":   {"sips:", "a%40b;x=1", "", "@", "h.example", ":1", ""},
		"tel:+49-30-1;phone-context=x": {"tel:", "+49-30-1", "", "", "", "", ";phone-context=x"},
		"sip:2001:db8::1":              {"sip:", "", "", "", "2001:db8::1", "", ""},
	} {
		if got, ok := parseURI(in); got != want || !ok {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
	if _, ok := parseURI("urn:service:sos"); ok {
		t.Error("a URN is taken for a SIP URI")
	}
}
