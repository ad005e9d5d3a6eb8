package sip

import "testing"

// An INVITE as a common soft switch sends it, with an offer.
var benchInvite = withLength(`INVITE sip:+493012345678@proxy.example.net:5060;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-524287-1---8ae2b1a6a8b0b2a1;rport
From: "Alice" <sip:+4989123456@example.net>;tag=8f3a1c77
To: <sip:+493012345678@example.net>
Call-ID: 7d1b0f5a-2c61-4c2c-9c47-1f6a6b1f7a10@192.0.2.11
CSeq: 1 INVITE
Max-Forwards: 70
Contact: <sip:+4989123456@192.0.2.11:5060>
User-Agent: Example/3.2
Content-Type: application/sdp
`, benchSDP)

const benchSDP = `v=0
o=- 3871 3871 IN IP4 192.0.2.11
s=-
c=IN IP4 192.0.2.11
t=0 0
m=audio 24680 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
a=sendrecv
`

const benchResponse = `SIP/2.0 180 Ringing
Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK2d4f.0a7c9f3ce5d6c4b51a5b4f5ed4c9b3aa.0
Via: SIP/2.0/UDP 192.0.2.11:5060;received=192.0.2.11;branch=z9hG4bK-524287-1---8ae2b1a6a8b0b2a1;rport=5060
From: "Alice" <sip:+4989123456@example.net>;tag=8f3a1c77
To: <sip:+493012345678@example.net>;tag=as5d7f3b2c
Call-ID: 7d1b0f5a-2c61-4c2c-9c47-1f6a6b1f7a10@192.0.2.11
CSeq: 1 INVITE
Contact: <sip:+493012345678@192.0.2.30:5060>
Server: Example/3.2
Content-Length: 0

`

const benchRegister = `REGISTER sip:example.net SIP/2.0
Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-d8754z-2f1c;rport
Max-Forwards: 70
From: <sip:alice@example.net>;tag=4c1a
To: <sip:alice@example.net>
Call-ID: ZmVkY2JhOTg3NjU0MzIxMA
CSeq: 2 REGISTER
Contact: <sip:alice@192.0.2.11:5060;ob>;expires=300
Authorization: Digest username="alice", realm="example.net", nonce="Z4k2Qw==", uri="sip:example.net", response="0123456789abcdef0123456789abcdef", algorithm=MD5, cnonce="f00d", qop=auth, nc=00000001
Expires: 300
User-Agent: Example/3.2
Content-Length: 0

`

var benchMessages = []struct{ name, text string }{
	{"invite-sdp", benchInvite},
	{"180", benchResponse},
	{"register-auth", benchRegister},
	{"invite-multipart-isup", sipI},
	{"rfc4475-wsinv", rfc4475["wsinv"]},
}

func BenchmarkScan(b *testing.B) {
	for _, bm := range benchMessages {
		b.Run(bm.name, func(b *testing.B) {
			msg := []byte(wire(bm.text))
			s := NewScanner(Options{Headers: []string{"X-CID", "X-Session"}})
			var m Message
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				s.Scan(&m, msg)
			}
		})
	}
}

func BenchmarkMessageLength(b *testing.B) {
	msg := []byte(wire(benchInvite))
	b.ReportAllocs()
	for b.Loop() {
		MessageLength(msg)
	}
}

func BenchmarkLooksLikeSIP(b *testing.B) {
	msg := []byte(wire(benchInvite))
	b.ReportAllocs()
	for b.Loop() {
		LooksLikeSIP(msg)
	}
}
