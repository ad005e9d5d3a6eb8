package sip

import (
	"fmt"
	"strings"
	"testing"
)

// rel16 is a release with cause 16, normal call clearing, from a transit
// network: type, pointer to the cause, no optional part, length 2, coding
// standard ITU-T and location 3, cause 16.
const rel16 = "\x0c\x02\x00\x02\x83\x90"

// sipI is an INVITE with a session description and an IAM, as SIP-I has it
// (ITU-T Q.1912.5), with bare line feeds.
var sipI = multipart("INVITE", "ss7-boundary", "", []string{
	"Content-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 192.0.2.7\ns=-\nc=IN IP4 192.0.2.7\nt=0 0\nm=audio 30000 RTP/AVP 8\n",
	"Content-Type: application/isup;version=itu-t92+;base=itu-t92+\nContent-Disposition: signal;handling=required\n\n\x01\x00\x48\x00\x0b\x03\x02\x00\x07",
})

// multipart is a message whose body has these parts, with bare line feeds.
// parameters follow the boundary in the Content-Type.
func multipart(method, boundary, parameters string, parts []string) string {
	var body strings.Builder
	for _, part := range parts {
		body.WriteString("--" + boundary + "\n" + part + "\n")
	}
	body.WriteString("--" + boundary + "--\n")
	return message(method, "Content-Type: multipart/mixed;boundary="+boundary+parameters+"\n", body.String())
}

// message is a request with these headers besides the mandatory ones, and a
// body, with bare line feeds.
func message(method, headers, body string) string {
	return withLength(method+" sip:bob@example.net SIP/2.0\n"+
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\nFrom: <sip:alice@example.net>;tag=a\nTo: <sip:bob@example.net>\n"+
		"Call-ID: call@192.0.2.1\nCSeq: 7 "+method+"\nMax-Forwards: 70\n"+headers, body)
}

// TestISUP reads the causes of ISUP messages, ITU-T Q.763.
func TestISUP(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{rel16, "REL 16 3 "},
		// An optional part after the cause: a parameter 0x30 of one byte.
		{"\x0c\x02\x04\x02\x8a\xaf\x30\x01\x00\x00", "REL 47 10 "},
		// Extension bit 0: a recommendation octet comes before the cause.
		{"\x0c\x02\x00\x03\x03\x80\x90", "REL 16 3 "},
		// ACM: backward call indicators, optional part with cause 1.
		{"\x06\x16\x04\x01\x29\x01\x01\x12\x02\x82\x81\x00", "ACM 1 2 "},
		{"\x06\x16\x04\x00", "ACM 0 0 "}, // no optional part
		// CPG: event information, optional part with cause 17.
		{"\x2c\x02\x01\x12\x02\x80\x91\x00", "CPG 17 0 "},
		{"\x2c\x02\x01\x11\x02\x00\x00\x00", "CPG 0 0 "}, // another parameter
		{"\x10\x00", "RLC 0 0 "},
		{"\x10\x01\x12\x02\x83\xe6\x00", "RLC 102 3 "},
		{"\x2f\x02\x00\x02\x80\xe3", "CFN 99 0 "},
		{"\x01\x00\x48\x00\x0b\x03\x02\x00\x07", "IAM 0 0 "},
		{"\xff", " 0 0 "},
		{"\x0c\x02\x00\x02\x83", "REL 0 0 bad_isup"},
		{"\x0c\x02\x00\x01\x83", "REL 0 0 bad_isup"},
		{"\x0c\x02", "REL 0 0 bad_isup"},
		{"\x0c", "REL 0 0 bad_isup"},
		{"\x0c\xff\x00", "REL 0 0 bad_isup"},
		{"\x0c\x00\x00\x00", "REL 0 0 bad_isup"},
		{"\x2c\x02", "CPG 0 0 bad_isup"},
		{"\x2c\x02\x01\x12\x09\x80\x91", "CPG 0 0 bad_isup"},
		{"\x2c\x02\x01\x11\x01\x80", "CPG 0 0 bad_isup"}, // no end of the optional part
	} {
		m := scan(t, message("BYE", "Content-Type: application/ISUP; version=itu-t92+\n", test.body))
		if got := fmt.Sprintf("%s %d %d %s", m.ISUP.Name(), m.ISUP.Cause, m.ISUP.Location, m.Errs); got != test.want || !m.ISUP.Has {
			t.Errorf("%x\n got %s\nwant %s", test.body, got, test.want)
		}
	}
	if m := scan(t, message("BYE", "", rel16)); m.ISUP.Has {
		t.Error("ISUP without its type")
	}
	if m := scan(t, bare(multipart("BYE", "b", "", []string{"Content-Type: application/isup\n\n"}))); m.ISUP.Has || m.Errs != 0 {
		t.Errorf("ISUP in an empty part: %s", m.Errs)
	}
	names := ""
	for i := range 256 {
		if name := (ISUP{MessageType: uint8(i)}).Name(); name != "" {
			names += fmt.Sprintf("%02x%s ", i, name)
		}
	}
	// ITU-T Q.763 table 4.
	if want := "01IAM 02SAM 03INR 04INF 05COT 06ACM 07CON 08FOT 09ANM 0cREL 0dSUS 0eRES 10RLC 1fFAR 20FAA 21FRJ 2cCPG 2dUSR 2fCFN 32NRM 33FAC "; names != want {
		t.Errorf("names are %s", names)
	}
}

// TestMultipart finds SDP and ISUP in the parts of a body.
func TestMultipart(t *testing.T) {
	const sdp = "Content-Type: application/sdp\n\nv=0\nc=IN IP4 192.0.2.7\nm=audio 30000 RTP/AVP 8\n"
	const isup = "Content-Type: application/isup\n\n" + rel16
	nested := "Content-Type: multipart/alternative; boundary=\"in,ner\"\n\n--in,ner\n" + sdp + "\n--in,ner--\n"
	for depth := range 3 {
		b := fmt.Sprint("d", depth)
		nested = "Content-Type: multipart/mixed;boundary=" + b + "\n\n--" + b + "\n" + nested + "\n--" + b + "--\n"
	}
	inner := "Content-Type: multipart/alternative; boundary=\"in,ner\"\n\n--in,ner\n" + sdp + "\n--in,ner--\n"
	const found = "audio 192.0.2.7:30000 PCMA sendrecv"
	for _, test := range []struct{ name, text, want string }{
		{"SIP-I", multipart("BYE", "b", "", []string{sdp, isup}), found + " REL16 "},
		{"other order, other parts", multipart("BYE", "b", ";x=y", []string{"\nplain", isup, "Content-Type: text/xml\n\n<a/>", sdp}), found + " REL16 "},
		{"compact header in a part", multipart("BYE", "b", "", []string{"c : application/sdp" + sdp[len("Content-Type: application/sdp"):]}), found + "  "},
		{"a boundary that begins another", multipart("BYE", "bo", "", []string{"Content-Type: application/sdp\n\nv=0\nc=IN IP4 192.0.2.7\n--bound\nm=audio 30000 RTP/AVP 8\n"}), found + "  "},
		{"nested", multipart("BYE", "out", "", []string{inner, isup}), found + " REL16 "},
		{"nested too deep", multipart("BYE", "out", "", []string{nested, isup}), " REL16 "},
		{"no closing delimiter", message("BYE", "Content-Type: multipart/mixed;boundary=b\n", "--b\n"+sdp+"\n--b\n"+isup), found + " REL16 bad_multipart"},
		{"no delimiter", message("BYE", "Content-Type: multipart/mixed;boundary=b\n", sdp), "  bad_multipart"},
		{"no boundary parameter", message("BYE", "Content-Type: multipart/mixed\n", "--b\n"+sdp+"\n--b--\n"), found + "  "},
		{"nothing to go by", message("BYE", "Content-Type: multipart/mixed\n", "b"), "  bad_multipart"},
		{"a preamble", message("BYE", "Content-Type: multipart/mixed;boundary=b\n", "hello --b\n--b\n"+sdp+"\n--b--\nbye"), found + "  "},
		{"encoded part", multipart("BYE", "b", "", []string{"Content-Encoding: gzip\n" + sdp, isup}), " REL16 "},
		{"part without an end of headers", multipart("BYE", "b", "", []string{"Content-Type: application/sdp", isup}), " REL16 "},
		{"encoded body", message("BYE", "Content-Encoding: gzip\nContent-Type: application/sdp\n", sdp), "  "},
		{"identity", message("BYE", "e: identity\nc: application/sdp\n", "v=0\nc=IN IP4 192.0.2.7\nm=audio 30000 RTP/AVP 8\n"), found + "  "},
		{"SDP without a type", message("BYE", "", "v=0\nc=IN IP4 192.0.2.7\nm=audio 30000 RTP/AVP 8\n"), found + "  "},
		{"another type", message("BYE", "Content-Type: application/sdpx\n", "v=0\nm=audio 1 RTP/AVP 8\n"), "  "},
	} {
		for _, text := range []string{bare(test.text), wire(test.text)} {
			m := scan(t, text)
			cause := ""
			if m.ISUP.Has {
				cause = fmt.Sprint(m.ISUP.Name(), m.ISUP.Cause)
			}
			if got := fmt.Sprintf("%s %s %s", m.SDP.AppendSummary(nil), cause, m.Errs); got != test.want {
				t.Errorf("%s\n got %s\nwant %s", test.name, got, test.want)
			}
		}
	}
}
