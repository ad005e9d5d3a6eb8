package export

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddressesKeepTheirKind(t *testing.T) {
	p := newPseudonyms([]byte("k"))
	public, reserved := netip.MustParsePrefix("8.0.0.0/6"), netip.MustParsePrefix("240.0.0.0/4")
	seen := map[netip.Addr]bool{}
	a := public.Addr()
	for range 3000 {
		out := p.addr(a)
		if !reserved.Contains(out) || seen[out] {
			t.Fatalf("%s became %s, seen before: %v", a, out, seen[out])
		}
		seen[out] = true
		for range 7919 {
			a = a.Next()
		}
	}
	for _, r := range privateRanges {
		one := r.Addr().Next()
		two, far := one.Next(), lastOf(r)
		x, y, z := p.addr(one), p.addr(two), p.addr(far)
		if !r.Contains(x) || !r.Contains(y) || !r.Contains(z) || x == y || x == z {
			t.Errorf("%s: %s %s %s", r, x, y, z)
		}
		// one and two share all but their last two bits; far shares the range alone.
		if p30 := netip.PrefixFrom(x, 30).Masked(); !p30.Contains(y) || p30.Contains(z) {
			t.Errorf("%s: %s, %s and %s do not share what the originals share", r, x, y, z)
		}
	}
	for in, want := range map[string]string{"0.0.0.0": "0.0.0.0", "::": "::"} {
		if got := p.addr(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s became %s", in, got)
		}
	}
	v6 := p.addr(netip.MustParseAddr("2a01:4f8::1"))
	if !netip.MustParsePrefix("2001:db8::/32").Contains(v6) || v6 == p.addr(netip.MustParseAddr("2a01:4f8::2")) {
		t.Errorf("IPv6 became %s", v6)
	}
	if x, y := p.addr(netip.MustParseAddr("::ffff:10.1.2.3")), p.addr(netip.MustParseAddr("10.1.2.3")); x != y {
		t.Errorf("a mapped address became %s, the same one not mapped %s", x, y)
	}
}

func lastOf(r netip.Prefix) netip.Addr {
	b := r.Addr().As4()
	for i := r.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

func TestHosts(t *testing.T) {
	p := newPseudonyms([]byte("k"))
	base, sub, other := p.host("carrier.example.net"), p.host("sbc1.carrier.example.net"), p.host("carrier.example.org")
	if len(sub) <= len(base) || sub[len(sub)-len(base):] != base || base == other {
		t.Errorf("%s, %s, %s", base, sub, other)
	}
	for _, same := range []string{"anonymous.invalid", "localhost", ""} {
		if got := p.host(same); got != same {
			t.Errorf("%q became %q", same, got)
		}
	}
	if got := p.hostPort("[2a01::1]:5070"); got[0] != '[' || got[len(got)-6:] != "]:5070" {
		t.Errorf("an IPv6 reference became %s", got)
	}
	if p.host("SIP.Carrier.example.net") != p.host("sip.carrier.example.net") {
		t.Error("case matters")
	}
}

// What a message says of people, header by header.
func TestHeaders(t *testing.T) {
	a := NewAnonymiser([]byte("k"))
	for name, values := range map[string][]string{
		"max-forwards": {"70", "70"},
		"reason":       {`Q.850;cause=17;text="user busy"`, `Q.850;cause=17;text="user busy"`},
		"contact":      {"*", "*"},
		"from":         {`"Anonymous" <sip:anonymous@anonymous.invalid>;tag=` + a.p.word("x1"), ""},
		"call-info":    {"<http://pics.example.com/alice.png>;purpose=icon", ""},
	} {
		got := a.header(name, values[0])
		if values[1] != "" && got != values[1] {
			t.Errorf("%s: %q became %q", name, values[0], got)
		}
		if values[1] == "" && got == values[0] {
			t.Errorf("%s: %q stayed", name, values[0])
		}
	}
	alice := a.user("alice")
	for header, value := range map[string]string{
		"p-asserted-identity": "<sip:alice@h.example>", "refer-to": "<sip:alice@h.example?Replaces=1%402%3Bto-tag%3Da%3Bfrom-tag%3Db>",
		"x-customer": "account=alice; n=4711", "authorization": `Digest username="alice", realm="h.example", nonce="n", uri="sip:h.example", response="abc"`,
		"history-info": "<sip:alice@h.example;cause=302>;index=1.1", "warning": `399 h.example "no route to alice"`,
	} {
		got := a.header(header, value)
		if !strings.Contains(got, alice) || strings.Contains(got, "alice") || strings.Contains(got, "h.example\"") || strings.Contains(got, "4711") {
			t.Errorf("%s: %q became %q", header, value, got)
		}
	}
	if got := a.header("refer-to", "<sip:x@y?Replaces=1%402>"); !strings.Contains(got, "%40"+a.p.host("2")) {
		t.Errorf("the dialog in %q is not that of the Call-ID", got)
	}
}

func TestBodies(t *testing.T) {
	a := NewAnonymiser([]byte("k"))
	bob := a.user("bob")
	for _, tt := range []struct{ kind, body, want string }{
		{"text/plain", "Call me: +49 30 1\r\n", "xxxx xxx xxx xx x\r\n"},
		{"application/octet-stream", "\x00\x01ab", "\x00\x00\x00\x00"},
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "xxxxxxxx\r\nxxxxxxxxxxxx\r\n"},
		{"message/sipfrag;version=2.0", "SIP/2.0 180 Ringing", "SIP/2.0 180 Ringing"},
		{"application/sdp", "v=0\r\no=bob 1 2 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\na=sendonly\r\n",
			"v=0\r\no=" + bob + " 1 2 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\na=sendonly\r\n"},
		{`multipart/mixed; boundary="b"`, "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n",
			"--b\r\nContent-Type: text/plain\r\n\r\nxxxxx\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--\r\n"},
	} {
		if got := a.body(tt.kind, tt.body); got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.kind, tt.body, got, tt.want)
		}
	}
	for _, line := range []string{"a=ice-pwd:asd88fgpdd777uzjYhagZg", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
		"a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host", "a=ssrc:11 cname:bob@host", "e=bob@example.com", "c=IN IP6 2a01::1"} {
		if got := a.sdp(line); got == line || strings.Contains(got, "203.0.113.141") || strings.Contains(got, "bob@") || strings.Contains(got, "2a01") {
			t.Errorf("%q became %q", line, got)
		}
	}
}

// Names in RTCP go, figures stay; so with the JSON that agents make of it.
func TestReports(t *testing.T) {
	a := NewAnonymiser([]byte("k"))
	rtcp := "\x80\xc8\x00\x06\x01\x02\x03\x04\x11\x11\x11\x11\x22\x22\x22\x22\x33\x33\x33\x33\x00\x00\x00\x09\x00\x00\x01\x00" + // SR
		"\x81\xca\x00\x03\x01\x02\x03\x04\x01\x05b@h.x\x00" + // SDES, CNAME
		"\x81\xcb\x00\x03\x01\x02\x03\x04\x05bye b\x00\x00" // BYE with a reason
	got := a.report(rtcp)
	if len(got) != len(rtcp) || got[:28] != rtcp[:28] || strings.Contains(got, "b@h.x") || strings.Contains(got, "bye b") || got[37] != 5 {
		t.Errorf("%q became %q", rtcp, got)
	}
	got = a.report(`{"ssrc":1,"report_blocks":[{"fraction_lost":3}],"sdes_information":[{"type":1,"text":"bob@10.0.0.1"}]}`)
	if !strings.Contains(got, `"fraction_lost":3`) || strings.Contains(got, "bob") || strings.Contains(got, "10.0.0.1") {
		t.Errorf("JSON became %s", got)
	}
}
