package sip

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// scan scans a message written with bare line feeds, which stay as they are.
func scan(t *testing.T, s string, headers ...string) *Message {
	t.Helper()
	var m Message
	if !NewScanner(Options{Headers: headers}).Scan(&m, []byte(s)) {
		t.Fatalf("taken for no SIP: %q", s)
	}
	return &m
}

// request is a request with this header, with bare line feeds.
func request(header string) string { return message("INVITE", header+"\n", "") }

// TestLooksLikeSIP tells SIP from what else comes to a SIP port.
func TestLooksLikeSIP(t *testing.T) {
	for text, want := range map[string]bool{
		"INVITE sip:bob@example.com SIP/2.0\r\n":    true,
		"\r\n\r\nBYE sip:bob@example.com SIP/2.0\n": true,
		"SIP/2.0 200 OK\r\n":                        true,
		"sip/2.0 200 OK\r\n":                        true,
		"SIP/2.0 ":                                  true,
		"FOO sip:bob SIP/2.0\r\n":                   true,
		"INVITE sip:bob@example.com\r\n":            true, // no version
		"OPTIONS urn:service:sos SIP/2.0\r\n":       true,
		"INVITE sip:bo":                             true, // cut
		"INVITE <sips:":                             true,
		"INVITE s":                                  true,
		"INVITE ":                                   true,
		"FOO s":                                     false,
		"FOO sip:b":                                 true,
		"INVITE":                                    false, // any word could begin so
		"SIP":                                       false,
		"":                                          false,
		"\r\n\r\n":                                  false, // a keep-alive of RFC 5626
		"\x00\x00\x00\x00\x00\x00\x00\x00":          false, // OpenSIPS, see the captures
		"HEP3\x00\x80":                              false,
		"GET / HTTP/1.1\r\n":                        false,
		"NOTIFY * HTTP/1.1\r\n":                     false, // SSDP shares a method
		"OPTIONS rtsp://h/ RTSP/1.0\r\n":            false, // so does RTSP
		"SUBSCRIBE sip:bob HTTP/1.1\r\n":            false,
		"INFO something happened\n":                 false, // a log line
		"NOTICE: dialog\n":                          false,
		"{\"sender_information\":{}}":               false,
		"\x80\xc8\x00\x06":                          false, // RTCP
		strings.Repeat("A", 65507):                  false,
		strings.Repeat("A", 65) + " sip:b SIP/2.0\n": false, // no method is that long
	} {
		if got := LooksLikeSIP([]byte(text)); got != want {
			t.Errorf("%.40q: %v", text, got)
		}
		var m Message
		if got := NewScanner(Options{}).Scan(&m, []byte(text)); got != want {
			t.Errorf("Scan of %.40q: %v", text, got)
		}
	}
}

// TestStartLine reads start lines of every kind.
func TestStartLine(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"INVITE sip:bob@example.com:5070;lr?a=b SIP/2.0", `"INVITE" "sip:bob@example.com:5070;lr?a=b" sip:bob@example.com:5070 0 "" bad_request_uri`},
		{"INVITE sip:bob@example.com:5070 SIP/2.0", `"INVITE" "sip:bob@example.com:5070" sip:bob@example.com:5070 0 "" `},
		{"INVITE SIPS:Bob@Example.com sip/2.0", `"INVITE" "SIPS:Bob@Example.com" SIPS:Bob@Example.com 0 "" `},
		{"INVITE tel:+4930123;phone-context=x SIP/2.0", `"INVITE" "tel:+4930123;phone-context=x" tel:+4930123@ 0 "" `},
		{"INVITE urn:service:sos SIP/2.0", `"INVITE" "urn:service:sos" urn: 0 "" `},
		{"INVITE sip:host.only SIP/2.0", `"INVITE" "sip:host.only" sip:host.only 0 "" `},
		{"INVITE sip:127.0.0.1:5088@lab.test SIP/2.0", `"INVITE" "sip:127.0.0.1:5088@lab.test" sip:127.0.0.1:5088@lab.test 0 "" `},
		{"INVITE sip:bob@example.com:70000 SIP/2.0", `"INVITE" "sip:bob@example.com:70000" sip:bob@example.com 0 "" bad_request_uri`},
		{"INVITE sip:bob@example.com:5x SIP/2.0", `"INVITE" "sip:bob@example.com:5x" sip:bob@example.com 0 "" bad_request_uri`},
		{"INVITE sip:bob@[::1 SIP/2.0", `"INVITE" "sip:bob@[::1" sip:bob@[::1 0 "" bad_request_uri`},
		{"INVITE sip:bob@[::1]:5x SIP/2.0", `"INVITE" "sip:bob@[::1]:5x" sip:bob@[::1] 0 "" bad_request_uri`},
		{"INVITE sip:bob@[: :1]:5x SIP/2.0", `"INVITE" "sip:bob@[: :1]:5x" sip:bob@[: :1] 0 "" bad_request_uri`},
		{"INVITE sip: SIP/2.0", `"INVITE" "sip:"  0 "" bad_request_uri`},
		{"INVITE SIP/2.0", `"INVITE" ""  0 "" bad_request_uri`},
		{"INVITE sip:a@b SIP/3.0", `"INVITE" "sip:a@b" sip:a@b 0 "" bad_version`},
		{"INVITE\tsip:a@b\tSIP/2.0", `"INVITE" "sip:a@b" sip:a@b 0 "" bad_start_line`},
		{"SIP/2.0 486 Busy Here", `"" ""  486 "Busy Here" `},
		{"SIP/2.0 200", `"" ""  200 "" `},
		{"SIP/2.0  200  OK", `"" ""  200 "OK" bad_start_line`},
		{"SIP/2.0 200OK", `"" ""  200 "" bad_status`},
		{"SIP/2.0 65535 x", `"" ""  65535 "x" bad_status`},
		{"SIP/2.0 65536 x", `"" ""  0 "x" bad_status`},
		{"SIP/2.0 099 x", `"" ""  99 "x" bad_status`},
		{"SIP/2.0 abc x", `"" ""  0 "x" bad_status`},
		{"SIP/2.0", `"" ""  0 "" bad_status`},
		{"SIP/2.1 200 OK", `"" ""  200 "OK" bad_version`},
	} {
		m := scan(t, test.line+"\n\n")
		errs := m.Errs &^ (MissingCallID | MissingCSeq | MissingFrom | MissingTo | MissingVia)
		ruri := short(m.RURI, nil)
		if ruri == "sip:" {
			ruri = ""
		}
		if got := fmt.Sprintf("%q %q %s %d %q %s", m.Method, m.RequestURI, ruri, m.Status, m.Reason, errs); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

// TestAddress reads From in the forms of RFC 3261 section 20 and in those that
// broken senders use.
func TestAddress(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{`<sip:a@b>;tag=1`, `sip:a@b;1 "" `},
		{`sip:a@b;tag=1`, `sip:a@b;1 "" `},
		{`Alice <sip:a@b>;tag=1;x=y`, `sip:a@b;1 "Alice" `},
		{`Alice Bell<sip:a@b>;x;TAG=1`, `sip:a@b;1 "Alice Bell" `},
		{`"Alice \"x\" <sip:no@no>, B" <sip:a@b>;tag=1`, `sip:a@b;1 "Alice \\\"x\\\" <sip:no@no>, B" `},
		{`"" <sip:a@b>;tag=1`, `sip:a@b;1 "" `},
		{`Ünal <sip:a@b>;tag=1`, `sip:a@b;1 "Ünal" `},
		{`<sip:a@b;tag=uri>;tag=1`, `sip:a@b;1 "" `},
		{`<sip:a@b>;x="a;tag=no";tag=1`, `sip:a@b;1 "" `},
		{`<sip:a@b> ; tag = 1 ; x`, `sip:a@b;1 "" `},
		{`<sip:a@b>;tag="1"`, `sip:a@b;1 "" `},
		{`<sip:a@b>;tag=1,2`, `sip:a@b;1,2 "" `},
		{`<tel:+4930;phone-context=x>;tag=1`, `tel:+4930@;1 "" `},
		{`<sip:%61;p=1@[2001:db8::1]:5062;x>;tag=1`, `sip:%61;p=1@[2001:db8::1]:5062;1 "" `},
		{`<sip:a@b@c>;tag=1`, `sip:a@b@c;1 "" `},
		{`<sip:a@b`, `sip:a@b "" bad_from`},
		{`"Alice <sip:a@b>;tag=1`, `sip:a@b;1 "Alice" bad_from`},
		{`"Alice" sip:a@b;tag=1`, `sip:a@b;1 "Alice" bad_from`},
		{`sip:alice <sip:a@b>;tag=1`, `sip:a@b;1 "sip:alice" bad_from`},
		{`< sip:a@b >;tag=1`, `sip:a@b;1 "" bad_from`},
		{`<a@b>;tag=1`, `a@b;1 "" bad_from`},
		{`a@b;tag=1`, `a@b;1 "" bad_from`},
		{`anonymous`, ` "" bad_from`},
		{`<sip:a@b>;;tag=1`, `sip:a@b;1 "" bad_from`},
		{`<sip:a@b>tag=1`, `sip:a@b "" bad_from`},
		{`<sip:a@b>;=x;tag=1`, `sip:a@b;1 "" bad_from`},
		{`<sip:a@b>;tag="1`, `sip:a@b;"1 "" bad_from`},
		{`<sip:a b@c>;tag=1`, `sip:a b@c;1 "" bad_from`},
		{`<sip:a@>;tag=1`, `sip:a@;1 "" bad_from`},
		{`<>;tag=1`, `;1 "" bad_from`},
		{``, ` "" bad_from`},
	} {
		m := scan(t, "SIP/2.0 200 OK\nFrom: "+test.value+"\n\n")
		got := fmt.Sprintf("%s %q %s", short(m.From, m.FromTag), m.FromDisplay, m.Errs&BadFrom)
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.value, got, test.want)
		}
	}
}

// TestVia reads topmost values in the forms of RFC 3261 section 20.42.
func TestVia(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"SIP/2.0/UDP 192.0.2.1:5060;branch=z9;rport=7;received=192.0.2.9", `UDP "192.0.2.1" 5060 z9 "192.0.2.9" 7 1 `},
		{"SIP/2.0/UDP [2001:db8::1]:5061;branch=z9;rport", `UDP "2001:db8::1" 5061 z9 "" 0 1 `},
		{"sip / 2.0 / tls  host : 5061 ; branch = z9", `tls "host" 5061 z9 "" 0 1 `},
		{"SIP/2.0/UDP host ;branch=z9", `UDP "host" 0 z9 "" 0 1 `},
		{"SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b;branch=2,SIP/2.0/TCP c;branch=3", `UDP "a" 0 1 "" 0 3 `},
		{`SIP/2.0/UDP a;x=",";branch=1, SIP/2.0/TCP b;branch=2`, `UDP "a" 0 1 "" 0 2 `},
		{`SIP/2.0/UDP a;x="cut,;branch=1`, `UDP "a" 0  "" 0 2 bad_via`}, // a quote that does not end protects nothing
		{"SIP/2.0/UDP", `UDP "" 0  "" 0 1 bad_via`},
		{"SIP/2.0/UDP ;branch=z9", `UDP "" 0 z9 "" 0 1 bad_via`},
		{"SIP/2.0/UDP a b;branch=z9", `UDP "a" 0 z9 "" 0 1 bad_via`},
		{"SIP/2.0/UDP 2001:db8::1;branch=z9", `UDP "2001:db8::1" 0 z9 "" 0 1 bad_via`},
		{"SIP/2.0/UDP a:x;branch=z9", `UDP "a" 0 z9 "" 0 1 bad_via`},
		{"nonsense", ` "" 0  "" 0 1 bad_via`},
		{"", ` "" 0  "" 0 0 `},
		{",", ` "" 0  "" 0 0 bad_via`},
	} {
		m := scan(t, "SIP/2.0 200 OK\nVia: "+test.value+"\n\n")
		v := &m.Via
		got := fmt.Sprintf("%s %q %d %s %q %d %d %s", v.Transport, v.Host, v.Port, v.Branch, v.Received, v.RPort, m.ViaCount, m.Errs&BadVia)
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.value, got, test.want)
		}
	}
	m := scan(t, "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=1, SIP/2.0/TCP b;branch=2\nv: SIP/2.0/TLS c:5;branch=3\n\n")
	if string(m.ViaLast.Branch) != "3" || string(m.ViaLast.Host) != "c" || m.ViaLast.Port != 5 || m.ViaCount != 3 {
		t.Errorf("last of %d is %+v", m.ViaCount, m.ViaLast)
	}
}

// TestHeaders reads each header that has no test of its own.
func TestHeaders(t *testing.T) {
	for _, test := range []struct {
		header string
		get    func(m *Message) string
		want   string
	}{
		{"User-Agent:  Phone 1.0 ", func(m *Message) string { return string(m.UserAgent) }, "Phone 1.0"},
		{"uSER-aGENT\t: Phone", func(m *Message) string { return string(m.UserAgent) }, "Phone"},
		{"User-Agent: a\n  b", func(m *Message) string { return string(m.UserAgent) }, "a\n  b"},
		{"Server: S", func(m *Message) string { return string(m.Server) }, "S"},
		{"Contact: *", func(m *Message) string { return string(m.ContactValue) + short(m.Contact, nil) }, "*"},
		{"m: <sip:a@b>;expires=60;q=1, <sip:c@d>;expires=5", func(m *Message) string { return fmt.Sprint(short(m.Contact, nil), m.ContactExpires) }, "sip:a@b60"},
		{"Contact: sip:a@b, sip:c@d;expires=5", func(m *Message) string { return fmt.Sprint(short(m.Contact, nil), m.ContactExpires) }, "sip:a@b-1"},
		{"Expires: 3600", func(m *Message) string { return fmt.Sprint(m.Expires) }, "3600"},
		{"Expires: soon", func(m *Message) string { return fmt.Sprint(m.Expires, m.Errs) }, "-1 bad_expires"},
		{"Expires: 4294967296", func(m *Message) string { return fmt.Sprint(m.Expires, m.Errs) }, "4294967295 bad_expires"},
		{"P-Asserted-Identity: \"A\" <sip:+49@x>, <tel:+49>", func(m *Message) string { return short(m.PAI, nil) }, "sip:+49@x"},
		{"P-Preferred-Identity: tel:+49", func(m *Message) string { return short(m.PPI, nil) }, "tel:+49@"},
		{"Remote-Party-ID: <sip:r@x>;party=calling", func(m *Message) string { return short(m.RPID, nil) }, "sip:r@x"},
		{"Diversion: <sip:d@x>;reason=user-busy;counter=1, <sip:e@x>;reason=no-answer", func(m *Message) string { return short(m.Diversion, m.DiversionReason) }, "sip:d@x;user-busy"},
		{"History-Info: <sip:h@x?Reason=SIP%3Bcause%3D302>;index=1", func(m *Message) string { return string(m.HistoryInfo) }, "<sip:h@x?Reason=SIP%3Bcause%3D302>;index=1"},
		{`Authorization: Digest username="al,i\"ce", realm="x.y", nonce="n"`, func(m *Message) string { return string(m.AuthUser) + "|" + string(m.AuthRealm) }, `al,i\"ce|x.y`},
		{`Proxy-Authorization: Digest nonce="=,", realm = "r" , USERNAME=bob`, func(m *Message) string { return string(m.AuthUser) + "|" + string(m.AuthRealm) }, "bob|r"},
		{`Authorization: Digest algorithm, username=bob`, func(m *Message) string { return string(m.AuthUser) }, "bob"},
		{`Authorization: Digest username="cut`, func(m *Message) string { return string(m.AuthUser) }, ""},
		{"Reason: Q.850;cause=16;text=\"Bye, now\"", func(m *Message) string {
			return fmt.Sprintf("%d %d %s", m.Q850, m.ReasonSIPCause, m.ReasonText)
		}, "16 0 Bye, now"},
		{"Reason: SIP ;cause=487 ;text=\"gone\", Q.850; cause = 31", func(m *Message) string {
			return fmt.Sprintf("%d %d %s", m.Q850, m.ReasonSIPCause, m.ReasonText)
		}, "31 487 gone"},
		{"Reason: SIP;cause=200;text=\"a\"\nReason: q.850;cause=26;text=\"b\"", func(m *Message) string {
			return fmt.Sprintf("%d %d %s %s", m.Q850, m.ReasonSIPCause, m.ReasonText, m.ReasonHeader)
		}, "26 200 b SIP;cause=200;text=\"a\""},
		{"Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2", func(m *Message) string {
			return string(m.SessionID) + " " + string(m.SessionIDRemote)
		}, "ab30317f1a784dc48ff824d0d3715d86 47755a9de7794ba387653f2099600ef2"},
		{`P-Charging-Vector: icid-value="a;b";icid-generated-at=192.0.2.1;orig-ioi=x`, func(m *Message) string { return string(m.ICID) }, "a;b"},
		{"P-Charging-Vector: orig-ioi=x; icid-value=1234", func(m *Message) string { return string(m.ICID) }, "1234"},
		{"X-RTP-Stat: PS=100,OS=16000", func(m *Message) string { return string(m.XRTPStat) }, "PS=100,OS=16000"},
		{"P-RTP-Stat: PS=100", func(m *Message) string { return string(m.XRTPStat) }, "PS=100"},
		{"Event: presence;id=3", func(m *Message) string { return string(m.Event) }, "presence"},
		{"o: dialog", func(m *Message) string { return string(m.Event) }, "dialog"},
		{"r: <sip:c@x?Replaces=1%402>", func(m *Message) string { return short(m.ReferTo, nil) }, "sip:c@x"},
		{"Replaces: 98732@x;from-tag=1;to-tag=2", func(m *Message) string { return string(m.Replaces) }, "98732@x"},
		{"k: 100rel", func(m *Message) string { return m.Errs.String() }, ""},
		{"no colon here", func(m *Message) string { return m.Errs.String() }, "bad_header"},
		{": nameless", func(m *Message) string { return m.Errs.String() }, "bad_header"},
		{"b@d: name", func(m *Message) string { return m.Errs.String() }, "bad_header"},
		{"CSeq: 8 INVITE", func(m *Message) string { return fmt.Sprint(m.CSeq, m.Errs) }, "7 duplicate_header"},
		{"Max-Forwards: 3", func(m *Message) string { return fmt.Sprint(m.MaxForwards, m.Errs) }, "70 duplicate_header"},
		{"Call-Id: other", func(m *Message) string { return fmt.Sprint(string(m.CallID), m.Errs) }, "call@192.0.2.1duplicate_header"},
		{"X-Binary: \x00\xff\xfe", func(m *Message) string { return m.Errs.String() }, ""},
	} {
		if got := test.get(scan(t, request(test.header))); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.header, got, test.want)
		}
	}
}

// TestCSeq reads CSeq in forms good and bad.
func TestCSeq(t *testing.T) {
	for value, want := range map[string]string{
		"1 INVITE":          "1 INVITE ",
		"0009\n\tINVITE":    "9 INVITE ",
		"2147483647 INVITE": "2147483647 INVITE ",
		"2147483648 INVITE": "2147483648 INVITE bad_cseq",
		"4294967295 INVITE": "4294967295 INVITE bad_cseq",
		"4294967296 INVITE": "0 INVITE bad_cseq",
		"1INVITE":           "1 INVITE bad_cseq",
		"1":                 "1  bad_cseq",
		"INVITE":            "0 INVITE bad_cseq",
		"1 INVITE x":        "1 INVITE bad_cseq",
		"1 ACK":             "1 ACK cseq_method_mismatch",
		"1 invite":          "1 invite cseq_method_mismatch", // methods have a case
		"":                  "0  bad_cseq",
	} {
		m := scan(t, "INVITE sip:a@b SIP/2.0\nCSeq: "+value+"\n\n")
		if got := fmt.Sprintf("%d %s %s", m.CSeq, m.CSeqMethod, m.Errs&(BadCSeq|CSeqMethodMismatch)); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// TestMissing tells which mandatory headers are not there.
func TestMissing(t *testing.T) {
	for text, want := range map[string]string{
		"\n": "missing_call_id,missing_cseq,missing_from,missing_to,missing_via",
		"Call-ID: \nCSeq: 1 BYE\nf: <sip:a@b>\nt: <sip:a@b>\nv: SIP/2.0/UDP a\n\n": "missing_call_id",
		"i: 1\nCSeq: 1 BYE\nt: <sip:a@b>\nv: SIP/2.0/UDP a\n\n":                    "missing_from",
		"i: 1\nCSeq: 1 BYE\nf: <sip:a@b>\nt: <sip:a@b>\n\n":                        "missing_via",
		"i: 1\nf: <sip:a@b>\nt: <sip:a@b>\nv: SIP/2.0/UDP a\n":                     "truncated,missing_cseq",
	} {
		if got := scan(t, "BYE sip:a@b SIP/2.0\n"+text).Errs.String(); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestBody frames bodies.
func TestBody(t *testing.T) {
	for _, test := range []struct{ tail, body, errs string }{
		{"Content-Length: 3\n\nabc", "abc", ""},
		{"Content-Length: 3\n\nabcdef", "abc", "trailing_bytes"},
		{"Content-Length: 3\n\nabc\r\n\x00\x00\x00\x00 \n", "abc", ""}, // padding
		{"Content-Length: 9\n\nabc", "abc", "short_body"},
		{"l: 3\r\n\r\nabc", "abc", ""},
		{"\nabc", "abc", ""},
		{"Content-Length: x\n\nabc", "abc", "bad_content_length"},
		{"Content-Length: 99999999999999999999\n\nabc", "abc", "bad_content_length"},
		{"Content-Length: 1\nContent-Length: 2\n\nabc", "a", "duplicate_header,trailing_bytes"},
		{"Content-Length: 0\n\n", "", ""},
		{"Content-Length: 3\n", "", "truncated"},
		{"Content-Len", "", "truncated"},
		{"Content-Length: 3\n\r", "", "truncated"},
	} {
		head := "BYE sip:a@b SIP/2.0\ni: 1\nCSeq: 1 BYE\nf: <sip:a@b>\nt: <sip:a@b>\nv: SIP/2.0/UDP a\n"
		m := scan(t, head+test.tail)
		if string(m.Body) != test.body || m.Errs.String() != test.errs {
			t.Errorf("%q: body %q, %s", test.tail, m.Body, m.Errs)
		}
	}
}

// TestCustomHeaders reports configured headers, spelled as configured.
func TestCustomHeaders(t *testing.T) {
	text := request("x-cid: one\nX-CID:two\ns: subject\nCall-Info: \nUser-Agent: ua\nX-Other: no\n" +
		strings.Repeat("X", 70) + ": long")
	m := scan(t, text, "X-Cid", "", "Subject", "x-cid", "call-info", "USER-AGENT", strings.Repeat("x", 70))
	var got []string
	for _, h := range m.Custom {
		got = append(got, h.Name+"="+string(h.Value))
	}
	want := []string{"X-Cid=one", "X-Cid=two", "Subject=subject", "call-info=", "USER-AGENT=ua", strings.Repeat("x", 70) + "=long"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if string(m.UserAgent) != "ua" {
		t.Errorf("user agent is %q", m.UserAgent)
	}
	// The next scan starts anew.
	s := NewScanner(Options{Headers: []string{"X-CID"}})
	s.Scan(m, []byte(request("Subject: x")))
	if len(m.Custom) != 0 || len(m.UserAgent) != 0 {
		t.Errorf("left from the scan before: %q %q", m.Custom, m.UserAgent)
	}
	if s.Scan(m, []byte("no SIP")) || m.CallID != nil || m.ContentLength != -1 {
		t.Errorf("left after a buffer without SIP: %+v", m)
	}
}

// TestErrors gives each bit its own word, in a fixed order.
func TestErrors(t *testing.T) {
	if bits := Errors(1) << len(errorWords); bits != errorsEnd {
		t.Fatalf("%d words", len(errorWords))
	}
	if got := (errorsEnd - 1).String(); got != strings.Join(errorWords[:], ",") {
		t.Errorf("all errors: %s", got)
	}
	if got := (Truncated | ShortBody).String(); got != "truncated,short_body" {
		t.Errorf("two errors: %s", got)
	}
	if got := Errors(0).Append([]byte("x")); string(got) != "x" {
		t.Errorf("no error: %s", got)
	}
	seen := map[string]bool{}
	for _, word := range errorWords {
		if seen[word] || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("word %q", word)
		}
		seen[word] = true
	}
	if !(Truncated | ShortBody).Has(ShortBody) || Truncated.Has(Truncated|ShortBody) {
		t.Error("Has")
	}
}

// TestLineEndings scans the same message with every kind of line end.
func TestLineEndings(t *testing.T) {
	want := scanned(t, "", []byte(wire(benchInvite)))
	got := scanned(t, "", []byte(bare(benchInvite)))
	got.body = want.body
	if got != want || want.errs != "" {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	folded := bytes.ReplaceAll([]byte(wire(benchInvite)), []byte(";tag="), []byte("\r\n\t ;tag="))
	if got := scanned(t, "", folded); got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if got := scanned(t, "", append([]byte("\r\n\r\n\n"), wire(benchInvite)...)); got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}
