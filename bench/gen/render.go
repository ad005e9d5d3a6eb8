package gen

import (
	"strconv"

	"github.com/heplake/heplake/ingest/hep"
)

// field is a place in a template that is filled for each packet.
type field uint8

const (
	fieldNone field = iota
	fieldA
	fieldAAgent
	fieldAPort
	fieldB
	fieldBAgent
	fieldBPort
	fieldCallID
	fieldCallee
	fieldCaller
	fieldCSeq
	fieldDomain
	fieldFailure
	fieldFraction
	fieldFromTag
	fieldHops
	fieldHost
	fieldJitter
	fieldLen
	fieldLost
	fieldLSR
	fieldMediaPort
	fieldName
	fieldNext
	fieldNonce
	fieldNTPSec
	fieldNTPFraction
	fieldOctets
	fieldPackets
	fieldProxy
	fieldQ850
	fieldRoute
	fieldRR
	fieldRTPTime
	fieldSDPA
	fieldSDPB
	fieldSeqNo
	fieldSession
	fieldSSRC
	fieldSSRCFar
	fieldToTag
	fieldVia
	fieldXCID
)

var fieldNames = map[string]field{
	"a": fieldA, "aagent": fieldAAgent, "aport": fieldAPort, "b": fieldB, "bagent": fieldBAgent, "bport": fieldBPort, "callid": fieldCallID,
	"callee": fieldCallee, "caller": fieldCaller, "cseq": fieldCSeq, "domain": fieldDomain, "failure": fieldFailure, "fraction": fieldFraction,
	"fromtag": fieldFromTag, "hops": fieldHops, "host": fieldHost, "jitter": fieldJitter, "len": fieldLen, "lost": fieldLost, "lsr": fieldLSR,
	"mport": fieldMediaPort, "name": fieldName, "next": fieldNext, "nonce": fieldNonce, "ntpsec": fieldNTPSec, "ntpfraction": fieldNTPFraction,
	"octets": fieldOctets, "packets": fieldPackets, "proxy": fieldProxy, "q850": fieldQ850, "route": fieldRoute, "rr": fieldRR,
	"rtptime": fieldRTPTime, "sdpa": fieldSDPA, "sdpb": fieldSDPB, "seqno": fieldSeqNo, "session": fieldSession, "ssrc": fieldSSRC,
	"ssrcfar": fieldSSRCFar, "totag": fieldToTag, "via": fieldVia, "xcid": fieldXCID,
}

// finals are the final failures, by outcome; one of a list is taken.
var finals = [outcomes][]final{
	Busy:      {{486, "486 Busy Here", `17;text="User busy"`}},
	Failed:    {{404, "404 Not Found", `1;text="Unallocated number"`}, {503, "503 Service Unavailable", `34;text="No circuit available"`}, {403, "403 Forbidden", `21;text="Call rejected"`}, {488, "488 Not Acceptable Here", `88;text="Incompatible destination"`}},
	Cancelled: {{487, "487 Request Terminated", `31;text="Normal, unspecified"`}},
	NoAnswer:  {{480, "480 Temporarily Unavailable", `19;text="No answer from user"`}},
}

type final struct {
	status int
	line   string
	cause  string
}

// methods and statuses are what each kind counts as; a failure counts by its final.
var methods = [kinds]string{
	invite: "INVITE", ack: "ACK", bye: "BYE", byeCallee: "BYE", cancel: "CANCEL", failureAck: "ACK",
	register: "REGISTER", registerAuth: "REGISTER", options: "OPTIONS",
}

var statuses = [kinds]int{
	trying: 100, ringing: 180, answer: 200, byeOK: 200, byeCalleeOK: 200, cancelOK: 200, challenge: 401, registerOK: 200, optionsOK: 200,
}

// traits of the kinds.
var (
	// fromCallee go from the callee's side to the caller's.
	fromCallee = [kinds]bool{trying: true, ringing: true, answer: true, byeOK: true, byeCallee: true, cancelOK: true, failure: true, challenge: true, registerOK: true, optionsOK: true}
	// byCallee belong to a transaction that the callee began.
	byCallee = [kinds]bool{byeCallee: true, byeCalleeOK: true}
	// hopByHop belong to a transaction of one hop.
	hopByHop = [kinds]bool{cancel: true, cancelOK: true, failureAck: true}
	// transactions tells the transactions of a dialog apart.
	transactions = [kinds]uint64{ack: 1, bye: 2, byeOK: 2, byeCallee: 2, byeCalleeOK: 2, registerAuth: 3, registerOK: 3}
)

// view is what the fields of one packet come from.
type view struct {
	d          *dialog
	s          *step
	us         int64
	caller     *party // the user who calls
	callee     *party // the user called
	a, b       *party // the ends of the leg
	proxy      *party
	id         uint64 // of the leg
	lengthAt   int    // where Content-Length goes, 0 when nowhere
	bodyAt     int
	salt       uint64 // of media
	mediaParty *party // whose description it is
}

// render appends the packet of the step.
func (g *Generator) render(dst []byte, d *dialog, s *step, us int64) []byte {
	w := &g.world
	v := view{
		d: d, s: s, us: us, caller: &w.users[d.caller], callee: &w.users[d.callee], proxy: &w.proxies[d.agent],
		id: d.id + uint64(s.leg)*0x5851f42d4c957f2d,
	}
	v.a, v.b = v.caller, &w.trunks[d.trunk]
	if d.plan.legs == 2 {
		middle := &w.b2buas[int(d.trunk)%len(w.b2buas)]
		if s.leg == 0 {
			v.b = middle
		} else {
			v.a = middle
		}
	}
	g.payload = v.fill(g.payload[:0], messages[s.kind])
	if v.lengthAt > 0 {
		n := len(g.payload) - v.bodyAt
		p := g.payload[v.lengthAt:]
		p[0], p[1], p[2] = '0'+byte(n/100%10), '0'+byte(n/10%10), '0'+byte(n%10)
	}

	from, to := v.a, v.proxy
	if s.hop == 1 {
		from, to = v.proxy, v.b
	}
	if fromCallee[s.kind] {
		from, to = to, from
	}
	p := &g.packet
	*p = hep.Packet{
		Family: hep.FamilyIPv4, Protocol: protoUDP, Src: from.ip, Dst: to.ip, SrcPort: from.port, DstPort: to.port,
		Time: us, Type: hep.TypeSIP, CaptureID: 2001 + uint32(d.agent), NodeName: append(p.NodeName[:0], v.proxy.name...),
		CorrelationID: p.CorrelationID[:0], Payload: g.payload,
	}
	g.counts.Packets++
	if s.kind.sip() {
		g.counts.SIP++
		g.counts.SIPBytes += int64(len(g.payload))
		switch status := statuses[s.kind]; {
		case methods[s.kind] != "":
			g.counts.Methods[methods[s.kind]]++
		case status != 0:
			g.counts.Statuses[status]++
		default:
			g.counts.Statuses[v.final().status]++
		}
	} else {
		g.counts.RTCP++
		p.Type = hep.TypeRTCP
		p.CorrelationID = v.callID(p.CorrelationID)
		p.SrcPort, p.DstPort = v.mediaPort(0)+1, v.mediaPort(1)+1
		p.Src, p.Dst = v.a.ip, v.b.ip
		if s.kind == rtcpCallee {
			p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
		}
	}
	before := len(dst)
	dst = hep.Append(dst, p)
	g.counts.Bytes += int64(len(dst) - before)
	return dst
}

const protoUDP = 17

// fill appends the template with its fields filled.
func (v *view) fill(b []byte, segments []segment) []byte {
	for i := range segments {
		b = append(b, segments[i].text...)
		switch segments[i].field {
		case fieldNone:
		case fieldA:
			b = append(b, v.a.host...)
		case fieldAAgent:
			b = append(b, v.a.agent...)
		case fieldAPort:
			b = append(b, v.a.portS...)
		case fieldB:
			b = append(b, v.b.host...)
		case fieldBAgent:
			b = append(b, v.b.agent...)
		case fieldBPort:
			b = append(b, v.b.portS...)
		case fieldCallID:
			b = v.callID(b)
		case fieldCallee:
			b = append(b, v.callee.number...)
		case fieldCaller:
			b = append(b, v.caller.number...)
		case fieldCSeq:
			b = strconv.AppendUint(b, v.cseq(), 10)
		case fieldDomain:
			b = append(b, v.caller.domain...)
		case fieldFailure:
			b = append(b, v.final().line...)
		case fieldFromTag:
			b = appendHex(b, v.id>>13, 8)
		case fieldHops:
			if v.s.hop == 1 {
				b = append(b, "69"...)
			} else {
				b = append(b, "70"...)
			}
		case fieldName:
			b = append(b, v.caller.name...)
		case fieldNext:
			if v.s.hop == 0 {
				b = append(b, v.proxy.host...)
			} else {
				b = append(b, v.b.host...)
			}
		case fieldNonce:
			b = appendHex(b, scramble(v.id+7), 16)
			b = appendHex(b, scramble(v.id+8), 16)
		case fieldProxy:
			b = append(b, v.proxy.host...)
		case fieldQ850:
			b = append(b, v.final().cause...)
		case fieldRoute:
			b = v.route(b)
		case fieldRR:
			if v.s.hop == 1 || fromCallee[v.s.kind] {
				b = append(b, "Record-Route: <sip:"...)
				b = append(b, v.proxy.host...)
				b = append(b, ";lr;ftag="...)
				b = appendHex(b, v.id>>13, 8)
				b = append(b, ">\r\n"...)
			}
		case fieldToTag:
			b = append(b, "as"...)
			b = appendHex(b, v.id>>29, 8)
		case fieldVia:
			b = v.via(b)
		case fieldXCID:
			if v.s.leg == 1 {
				b = append(b, "X-CID: "...)
				b = callID(b, v.d.id, v.caller)
				b = append(b, "\r\n"...)
			}
		case fieldLen:
			v.lengthAt = len(b)
			b = append(b, "000"...)
		default:
			b = v.media(b, segments[i].field)
		}
	}
	return b
}

// final is the failure that the dialog ends with.
func (v *view) final() *final {
	list := finals[v.d.plan.outcome]
	return &list[v.d.id>>40%uint64(len(list))]
}

func (v *view) cseq() uint64 {
	n := 10_000 + v.d.id>>51
	switch v.s.kind {
	case bye, byeOK, registerAuth, registerOK:
		n++
	}
	return n
}

// callID is the leg's Call-ID.
func (v *view) callID(b []byte) []byte { return callID(b, v.id, v.a) }

func callID(b []byte, id uint64, by *party) []byte {
	b = appendHex(b, id, 16)
	b = append(b, '-')
	b = appendHex(b, scramble(id), 8)
	b = append(b, '@')
	return append(b, by.host...)
}

// via appends the Via headers: the proxy's on top where it has passed the
// proxy, then the originator's as the proxy saw it.
func (v *view) via(b []byte) []byte {
	k := v.s.kind
	origin, first := v.a, v.s.hop == 0
	if byCallee[k] {
		origin, first = v.b, v.s.hop == 1
	}
	branch := scramble(v.id + transactions[k])
	request := methods[k] != ""
	if !first {
		b = append(b, "Via: SIP/2.0/UDP "...)
		b = append(b, v.proxy.host...)
		b = append(b, ":5060;branch=z9hG4bK"...)
		b = appendHex(b, branch>>48, 4)
		b = append(b, '.')
		b = appendHex(b, scramble(branch), 16)
		b = append(b, ".0\r\n"...)
		if hopByHop[k] {
			return b
		}
	}
	b = append(b, "Via: SIP/2.0/UDP "...)
	b = append(b, origin.host...)
	b = append(b, ':')
	b = append(b, origin.portS...)
	if first && request {
		b = append(b, ";rport;branch=z9hG4bK"...)
	} else {
		b = append(b, ";received="...)
		b = append(b, origin.host...)
		b = append(b, ";rport="...)
		b = append(b, origin.portS...)
		b = append(b, ";branch=z9hG4bK"...)
	}
	b = appendHex(b, branch, 16)
	return append(b, "\r\n"...)
}

// route appends the Route header of a request within the dialog, which the
// proxy takes away.
func (v *view) route(b []byte) []byte {
	if (v.s.hop == 0) == byCallee[v.s.kind] {
		return b
	}
	b = append(b, "Route: <sip:"...)
	b = append(b, v.proxy.host...)
	b = append(b, ";lr;ftag="...)
	b = appendHex(b, v.id>>13, 8)
	return append(b, ">\r\n"...)
}

const hexDigits = "0123456789abcdef"

// appendHex appends the low digits of n.
func appendHex(b []byte, n uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}
