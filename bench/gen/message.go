package gen

import (
	"strings"
)

// texts are the messages, by kind. Words in braces are fields (see field);
// "{via}" and "{rr}" bring their own line ends. A call's message of leg 1 is the
// same with the B2BUA in the caller's place.
var texts = [kinds]string{
	invite: `INVITE sip:{callee}@{next};user=phone SIP/2.0
{via}{rr}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>
Call-ID: {callid}
CSeq: {cseq} INVITE
Contact: <sip:{caller}@{a}:{aport};transport=udp>
{xcid}P-Asserted-Identity: <sip:{caller}@{domain}>
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Session-Expires: 1800;refresher=uac
Min-SE: 90
User-Agent: {aagent}
Content-Type: application/sdp
Content-Length: {len}

{sdpa}`,
	trying: `SIP/2.0 100 trying -- your call is important to us
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>
Call-ID: {callid}
CSeq: {cseq} INVITE
Server: {bagent}
Content-Length: 0

`,
	ringing: `SIP/2.0 180 Ringing
{via}{rr}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} INVITE
Contact: <sip:{callee}@{b}:{bport};transport=udp>
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Server: {bagent}
Content-Length: 0

`,
	answer: `SIP/2.0 200 OK
{via}{rr}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} INVITE
Contact: <sip:{callee}@{b}:{bport};transport=udp>
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Session-Expires: 1800;refresher=uas
Server: {bagent}
Content-Type: application/sdp
Content-Length: {len}

{sdpb}`,
	ack: `ACK sip:{callee}@{b}:{bport};transport=udp SIP/2.0
{via}{route}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} ACK
Contact: <sip:{caller}@{a}:{aport};transport=udp>
User-Agent: {aagent}
Content-Length: 0

`,
	bye: `BYE sip:{callee}@{b}:{bport};transport=udp SIP/2.0
{via}{route}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} BYE
User-Agent: {aagent}
Reason: Q.850;cause=16;text="Normal call clearing"
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Content-Length: 0

`,
	byeCallee: `BYE sip:{caller}@{a}:{aport};transport=udp SIP/2.0
{via}{route}Max-Forwards: {hops}
From: <sip:{callee}@{domain}>;tag={totag}
To: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
Call-ID: {callid}
CSeq: {cseq} BYE
User-Agent: {bagent}
Reason: Q.850;cause=16;text="Normal call clearing"
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Content-Length: 0

`,
	byeOK: `SIP/2.0 200 OK
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} BYE
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Server: {bagent}
Content-Length: 0

`,
	byeCalleeOK: `SIP/2.0 200 OK
{via}From: <sip:{callee}@{domain}>;tag={totag}
To: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
Call-ID: {callid}
CSeq: {cseq} BYE
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
User-Agent: {aagent}
Content-Length: 0

`,
	cancel: `CANCEL sip:{callee}@{next};user=phone SIP/2.0
{via}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>
Call-ID: {callid}
CSeq: {cseq} CANCEL
Reason: SIP;cause=487;text="ORIGINATOR_CANCEL"
User-Agent: {aagent}
Content-Length: 0

`,
	cancelOK: `SIP/2.0 200 OK
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} CANCEL
Server: {bagent}
Content-Length: 0

`,
	failure: `SIP/2.0 {failure}
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} INVITE
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Reason: Q.850;cause={q850}
Server: {bagent}
Content-Length: 0

`,
	failureAck: `ACK sip:{callee}@{next};user=phone SIP/2.0
{via}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: <sip:{callee}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} ACK
User-Agent: {aagent}
Content-Length: 0

`,
	register: `REGISTER sip:{domain} SIP/2.0
{via}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: "{name}" <sip:{caller}@{domain}>
Call-ID: {callid}
CSeq: {cseq} REGISTER
Contact: <sip:{caller}@{a}:{aport};transport=udp>;expires=300
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: path, outbound, gruu
User-Agent: {aagent}
Content-Length: 0

`,
	challenge: `SIP/2.0 401 Unauthorized
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: "{name}" <sip:{caller}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} REGISTER
WWW-Authenticate: Digest realm="{domain}", nonce="{nonce}", algorithm=MD5, qop="auth"
Server: kamailio (5.8.4 (x86_64/linux))
Content-Length: 0

`,
	registerAuth: `REGISTER sip:{domain} SIP/2.0
{via}Max-Forwards: {hops}
From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: "{name}" <sip:{caller}@{domain}>
Call-ID: {callid}
CSeq: {cseq} REGISTER
Contact: <sip:{caller}@{a}:{aport};transport=udp>;expires=300
Authorization: Digest username="{caller}", realm="{domain}", nonce="{nonce}", uri="sip:{domain}", response="{nonce}", algorithm=MD5, cnonce="{fromtag}", qop=auth, nc=00000001
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: path, outbound, gruu
User-Agent: {aagent}
Content-Length: 0

`,
	registerOK: `SIP/2.0 200 OK
{via}From: "{name}" <sip:{caller}@{domain}>;tag={fromtag}
To: "{name}" <sip:{caller}@{domain}>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} REGISTER
Contact: <sip:{caller}@{a}:{aport};transport=udp>;expires=300;received="sip:{a}:{aport}"
Path: <sip:{proxy};lr>
Server: kamailio (5.8.4 (x86_64/linux))
Content-Length: 0

`,
	options: `OPTIONS sip:{next}:5060 SIP/2.0
{via}Max-Forwards: {hops}
From: <sip:ping@{a}>;tag={fromtag}
To: <sip:{next}:5060>
Call-ID: {callid}
CSeq: {cseq} OPTIONS
Accept: application/sdp
User-Agent: {aagent}
Content-Length: 0

`,
	optionsOK: `SIP/2.0 200 OK
{via}From: <sip:ping@{a}>;tag={fromtag}
To: <sip:{next}:5060>;tag={totag}
Call-ID: {callid}
CSeq: {cseq} OPTIONS
Accept: application/sdp
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, UPDATE, PRACK
Supported: replaces, timer, 100rel
Allow-Events: talk, hold, conference, refer, check-sync
Server: {bagent}
Content-Length: 0

`,
	rtcpCaller: reportText,
	rtcpCallee: reportText,
}

// reportText is a sender report with one block, in the JSON of rtpengine.
const reportText = `{"sender_information":{"ntp_timestamp_sec":{ntpsec},"ntp_timestamp_usec":{ntpfraction},"octets":{octets},"rtp_timestamp":{rtptime},"packets":{packets}},"ssrc":{ssrc},"type":200,"report_count":1,"report_blocks":[{"source_ssrc":{ssrcfar},"highest_seq_no":{seqno},"fraction_lost":{fraction},"ia_jitter":{jitter},"packets_lost":{lost},"lsr":{lsr},"dlsr":65536}]}`

// bodies are the session descriptions of offer and answer.
var bodies = [...]string{
	`v=0
o=- {session} 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio {mport} RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
`,
	`v=0
o=- {session} 1 IN IP4 {host}
s=call
c=IN IP4 {host}
t=0 0
m=audio {mport} RTP/AVP 9 8 18 101
a=rtpmap:9 G722/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:101 telephone-event/8000
a=sendrecv
`,
	`v=0
o=- {session} 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio {mport} RTP/AVP 111 8 101
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=rtcp-mux
a=sendrecv
`,
}

// segment is a piece of a template: text, then a field.
type segment struct {
	text  string
	field field
}

// compile cuts a template at its fields.
func compile(text string, lineEnd string) []segment {
	text = strings.ReplaceAll(text, "\n", lineEnd)
	var out []segment
	literal := ""
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		literal += before
		if !found {
			break
		}
		if name, after, ok := strings.Cut(rest, "}"); ok {
			if f, known := fieldNames[name]; known {
				out = append(out, segment{literal, f})
				literal, text = "", after
				continue
			}
		}
		literal, text = literal+"{", rest
	}
	return append(out, segment{literal, fieldNone})
}

var (
	messages = func() (m [kinds][]segment) {
		for k, text := range texts {
			m[k] = compile(text, "\r\n")
		}
		return m
	}()
	descriptions = func() (d [len(bodies)][]segment) {
		for i, text := range bodies {
			d[i] = compile(text, "\r\n")
		}
		return d
	}()
)
