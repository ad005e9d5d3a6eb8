package sip

import (
	"fmt"
	"strings"
	"testing"
)

// TestSDP sums up session descriptions.
func TestSDP(t *testing.T) {
	many := "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP"
	for pt := range 20 {
		many += fmt.Sprint(" ", 100+pt)
	}
	many += "\n"
	for _, test := range []struct{ name, body, want string }{
		{"static, dynamic and unnamed payload types",
			"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0 8 3 18 9 111 96 50\na=rtpmap:111 opus/48000/2\na=rtpmap:8 PCMA/8000\n",
			"audio 192.0.2.1:4000 PCMU,PCMA,GSM,G729,G722,opus,96,50 sendrecv|4001|0|false|1 0|"},
		{"rtpmap overrules the table",
			"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtpmap:0 other/8000\n",
			"audio 192.0.2.1:4000 other sendrecv|4001|0|false|1 0|"},
		{"media address before session address, whichever comes first",
			"v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.2/127\na=ptime: 30\n",
			"audio 192.0.2.2:4000 PCMU sendrecv|4001|30|false|1 0|"},
		{"IPv6", "v=0\nc=IN IP6 2001:db8::1\nm=audio 4000 RTP/SAVPF 0\n",
			"audio [2001:db8::1]:4000 PCMU sendrecv|4001|0|false|1 0|"},
		{"video first", "v=0\nc=IN IP4 192.0.2.1\nm=video 5000 RTP/AVP 31\na=sendonly\na=ptime:99\nm=audio 4000 RTP/AVP 8\nm=video 0 RTP/AVP 31\n",
			"audio 192.0.2.1:4000 PCMA sendrecv, video 192.0.2.1:5000, video 192.0.2.1:0|4001|0|false|3 1|"},
		{"two audio lines", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\nm=audio 4002 RTP/AVP 0\na=inactive\na=rtpmap:8 no/1\n",
			"audio 192.0.2.1:4000 PCMA sendrecv, audio 192.0.2.1:4002|4001|0|false|2 0|"},
		{"fax", "v=0\nc=IN IP4 192.0.2.1\nm=image 4000 udptl t38\n",
			"image 192.0.2.1:4000 t38 sendrecv|0|0|false|1 0|"},
		{"hold by sendonly", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=sendonly\n",
			"audio 192.0.2.1:4000 PCMU sendonly|4001|0|true|1 0|"},
		{"hold by the session's inactive", "v=0\nc=IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0\n",
			"audio 192.0.2.1:4000 PCMU inactive|4001|0|true|1 0|"},
		{"the stream overrules the session", "v=0\nc=IN IP4 192.0.2.1\na=inactive\nm=audio 4000 RTP/AVP 0\na=sendrecv \n",
			"audio 192.0.2.1:4000 PCMU sendrecv|4001|0|false|1 0|"},
		{"held, not holding", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=recvonly\n",
			"audio 192.0.2.1:4000 PCMU recvonly|4001|0|false|1 0|"},
		{"hold as in RFC 2543", "v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n",
			"audio 0.0.0.0:4000 PCMU sendrecv|4001|0|true|1 0|"},
		{"RTCP elsewhere", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:5001 IN IP4 192.0.2.9\n",
			"audio 192.0.2.1:4000 PCMU sendrecv|5001 192.0.2.9|0|false|1 0|"},
		{"attributes that cannot be read", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:x\na=rtpmap:0\na=rtpmap:0 /8000\na=rtpmap:x y/8000\na=rtpmap:999 y/8000\na=ptime:x\na=r\na=\n",
			"audio 192.0.2.1:4000 PCMU sendrecv|4001|0|false|1 0|"},
		{"RTCP on the same port", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 UDP/TLS/RTP/SAVPF 0\na=rtcp-mux\n",
			"audio 192.0.2.1:4000 PCMU sendrecv|4000|0|false|1 0|"},
		{"several ports", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000/2 RTP/AVP 0\n",
			"audio 192.0.2.1:4000 PCMU sendrecv|4001|0|false|1 0|"},
		{"the highest port", "v=0\nc=IN IP4 192.0.2.1\nm=audio 65535 RTP/AVP 0\n",
			"audio 192.0.2.1:65535 PCMU sendrecv|0|0|false|1 0|"},
		{"no media", "v=0\nc=IN IP4 192.0.2.1\n", "|0|0|false|0 0|"},
		{"no address", "v=0\nm=audio 4000 RTP/AVP 0\n", "audio :4000 PCMU sendrecv|4001|0|false|1 0|"},
		{"more formats than fit", many, "audio 192.0.2.1:4000 100,101,102,103,104,105,106,107,108,109,110,111,112,113,114,115 sendrecv|4001|0|false|1 0|"},
		{"more streams than fit", "v=0\nc=IN IP4 h\n" + strings.Repeat("m=video 2 RTP/AVP 31\n", 6) + "m=audio 4000 RTP/AVP 0\n",
			"audio h:4000 PCMU sendrecv, video h:2, video h:2, video h:2, video h:2|4001|0|false|7 6|"},
		{"no port", "v=0\nc=IN IP4 192.0.2.1\nm=audio\n", "audio 192.0.2.1:0 sendrecv|0|0|false|1 0|bad_sdp"},
		{"a port beyond its range", "v=0\nc=IN IP4 192.0.2.1\nm=audio 70000 RTP/AVP 0\n", "audio 192.0.2.1:0 PCMU sendrecv|0|0|false|1 0|bad_sdp"},
		{"an empty connection", "v=0\nc=IN IP4\nm=audio 4000 RTP/AVP 0\n", "audio :4000 PCMU sendrecv|4001|0|false|1 0|bad_sdp"},
		{"no description", "hello", "|0|0|false|0 0|bad_sdp"},
	} {
		m := scan(t, bare(message("INVITE", "Content-Type: application/sdp\n", test.body)))
		s := &m.SDP
		rtcp := fmt.Sprint(s.RTCPPort)
		if s.RTCPAddr != nil {
			rtcp += " " + string(s.RTCPAddr)
		}
		got := fmt.Sprintf("%s|%s|%d|%v|%d %d|%s", s.AppendSummary(nil), rtcp, s.PTime, s.Hold, s.MediaLines, s.VideoLines, m.Errs)
		if got != test.want || !s.Has {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
		}
	}
	m := scan(t, message("INVITE", "Content-Type: application/sdp\n", ""))
	if m.SDP.Has || len(m.SDP.AppendSummary(nil)) > 0 || m.Errs != 0 {
		t.Errorf("SDP in an empty body: %s", m.Errs)
	}
}

// TestPayloadTypes gives the payload type of each codec.
func TestPayloadTypes(t *testing.T) {
	m := scan(t, bare(message("INVITE", "Content-Type: application/sdp\n", "v=0\nc=IN IP4 h\nm=audio 4000 RTP/AVP 8 111 x\na=rtpmap:111 opus/48000/2\n")))
	if got := fmt.Sprintf("%s %d", m.SDP.Codecs(), m.SDP.PayloadTypes()); got != "[PCMA opus x] [8 111 255]" {
		t.Error(got)
	}
}

// TestCutSDP leaves the last line of a cut body alone: what is left of a port
// is another port.
func TestCutSDP(t *testing.T) {
	whole := wire(benchInvite)
	cut := whole[:strings.Index(whole, "m=audio 246")+len("m=audio 246")]
	m := scan(t, cut)
	if m.Errs != ShortBody || m.SDP.MediaLines != 0 {
		t.Errorf("%s, %d media lines", m.Errs, m.SDP.MediaLines)
	}
	// A body that ends without a line end has not been cut.
	m = scan(t, message("INVITE", "Content-Type: application/sdp\n", "v=0"))
	if m.Errs != 0 || !m.SDP.Has {
		t.Errorf("%s", m.Errs)
	}
}
