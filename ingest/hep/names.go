package hep

import "strconv"

// Protocol types of the payload, chunk 0x0b. Rev 37 gives them in hexadecimal.
// Those from 34 on are as senders use them, which is not always what rev 37
// says: 34 carries RTP agent reports, 35 VQ-RTCPXR text.
const (
	TypeSIP        = 1
	TypeXMPP       = 2
	TypeSDP        = 3
	TypeRTP        = 4
	TypeRTCP       = 5 // RTCP as JSON
	TypeMGCP       = 6
	TypeMEGACO     = 7
	TypeM2UA       = 8
	TypeM3UA       = 9
	TypeIAX        = 10
	TypeH322       = 11
	TypeH321       = 12
	TypeM2PA       = 13
	TypeRTPAgent   = 34
	TypeVQRTCPXR   = 35
	TypeHoraclifix = 38
	TypeSIPJSON    = 50
	TypeDNS        = 53
	TypeISUP       = 54
	TypeRTSP       = 55
	TypeDiameter   = 56
	TypeGSMMAP     = 57
	TypeRTCPPION   = 58
	TypeCDR        = 60
	TypeVerto      = 61
	TypeCDRHomer   = 81 // CDR, under the number homer-app gives it
	TypeSIPReport  = 99
	TypeLog        = 100
	TypeLoki       = 200
)

var typeNames = func() (names [256]string) {
	for i := range names {
		names[i] = "type-" + strconv.Itoa(i)
	}
	for t, name := range map[int]string{
		TypeSIP: "sip", TypeXMPP: "xmpp", TypeSDP: "sdp", TypeRTP: "rtp", TypeRTCP: "rtcp",
		TypeMGCP: "mgcp", TypeMEGACO: "megaco", TypeM2UA: "m2ua", TypeM3UA: "m3ua", TypeIAX: "iax",
		TypeH322: "h322", TypeH321: "h321", TypeM2PA: "m2pa",
		TypeRTPAgent: "rtp-agent", TypeVQRTCPXR: "vq-rtcpxr", TypeHoraclifix: "horaclifix",
		TypeSIPJSON: "sip-json", TypeDNS: "dns", TypeISUP: "isup", TypeRTSP: "rtsp",
		TypeDiameter: "diameter", TypeGSMMAP: "gsm-map", TypeRTCPPION: "rtcp-pion",
		TypeCDR: "cdr", TypeVerto: "verto", TypeCDRHomer: "cdr", TypeSIPReport: "sip-report",
		TypeLog: "log", TypeLoki: "loki",
	} {
		names[t] = name
	}
	return names
}()

// TypeName is the stable lower-case name of a protocol type: "sip", "rtcp",
// "log" and so on, "type-N" for one that has no name. The CDR types 60 and 81
// share a name.
func TypeName(t uint16) string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "type-" + strconv.Itoa(int(t))
}

// IP protocol numbers that senders put into chunk 0x02 (IANA protocol
// numbers).
const (
	ProtocolTCP  = 6
	ProtocolUDP  = 17
	ProtocolTLS  = 22 // IANA: XNS IDP; Kamailio's value for TLS and WebSocket
	ProtocolSCTP = 132
)

var transportNames = func() (names [256]string) {
	for i := range names {
		names[i] = "ip-" + strconv.Itoa(i)
	}
	for p, name := range map[int]string{
		0: "", 1: "icmp", 4: "ipip", ProtocolTCP: "tcp", ProtocolUDP: "udp", ProtocolTLS: "tls",
		33: "dccp", 58: "icmp6", ProtocolSCTP: "sctp",
	} {
		names[p] = name
	}
	return names
}()

// TransportName is the stable lower-case name of an IP protocol number as HEP
// uses it: "udp", "tcp", "sctp"; "tls" for 22, which Kamailio sends for TLS and
// WebSocket alike; "" for 0, which is what a sender leaves that does not know;
// "ip-N" for one that has no name.
func TransportName(protocol uint8) string { return transportNames[protocol] }
