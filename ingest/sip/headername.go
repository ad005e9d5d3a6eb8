package sip

// headerID names the headers that the scanner reads.
type headerID uint8

const (
	hOther headerID = iota
	hAuthorization
	hCallID
	hContact
	hContentEncoding
	hContentLength
	hContentType
	hCSeq
	hDiversion
	hEvent
	hExpires
	hFrom
	hHistoryInfo
	hMaxForwards
	hPAI
	hPCV
	hPPI
	hReason
	hReferTo
	hReplaces
	hRPID
	hRTPStat
	hServer
	hSessionID
	hTo
	hUserAgent
	hVia
)

// headerOf tells which header a name is, in any case and in its compact form
// (RFC 3261 section 7.3.3; later ones from the IANA registry of SIP headers).
func headerOf(name []byte) headerID {
	if len(name) == 1 {
		return compactHeader(lower[name[0]])
	}
	id, canonical, folded := candidate(name)
	// Nearly every sender spells names as the RFCs do: try that first.
	if id != hOther && (string(name) == canonical || foldEqual(name, folded)) {
		return id
	}
	return hOther
}

func compactHeader(c byte) headerID {
	switch c {
	case 'c':
		return hContentType
	case 'e':
		return hContentEncoding
	case 'f':
		return hFrom
	case 'i':
		return hCallID
	case 'l':
		return hContentLength
	case 'm':
		return hContact
	case 'o':
		return hEvent
	case 'r':
		return hReferTo
	case 't':
		return hTo
	case 'v':
		return hVia
	}
	return hOther
}

// candidate is the only header that a name of this length with these letters
// can be: one switch instead of a search.
func candidate(name []byte) (id headerID, canonical, folded string) {
	if len(name) == 0 {
		return hOther, "", ""
	}
	c := lower[name[0]]
	switch len(name) {
	case 2:
		return hTo, "To", "to"
	case 3:
		return hVia, "Via", "via"
	case 4:
		if c == 'f' {
			return hFrom, "From", "from"
		}
		return hCSeq, "CSeq", "cseq"
	case 5:
		return hEvent, "Event", "event"
	case 6:
		if c == 's' {
			return hServer, "Server", "server"
		}
		return hReason, "Reason", "reason"
	case 7:
		switch {
		case c == 'e':
			return hExpires, "Expires", "expires"
		case lower[name[1]] == 'a':
			return hCallID, "Call-ID", "call-id"
		}
		return hContact, "Contact", "contact"
	case 8:
		if lower[name[2]] == 'f' {
			return hReferTo, "Refer-To", "refer-to"
		}
		return hReplaces, "Replaces", "replaces"
	case 9:
		return hDiversion, "Diversion", "diversion"
	case 10:
		switch c {
		case 'u':
			return hUserAgent, "User-Agent", "user-agent"
		case 's':
			return hSessionID, "Session-ID", "session-id"
		case 'x':
			return hRTPStat, "X-RTP-Stat", "x-rtp-stat"
		}
		return hRTPStat, "P-RTP-Stat", "p-rtp-stat"
	case 12:
		switch c {
		case 'c':
			return hContentType, "Content-Type", "content-type"
		case 'm':
			return hMaxForwards, "Max-Forwards", "max-forwards"
		}
		return hHistoryInfo, "History-Info", "history-info"
	case 13:
		return hAuthorization, "Authorization", "authorization"
	case 14:
		return hContentLength, "Content-Length", "content-length"
	case 15:
		return hRPID, "Remote-Party-ID", "remote-party-id"
	case 16:
		return hContentEncoding, "Content-Encoding", "content-encoding"
	case 17:
		return hPCV, "P-Charging-Vector", "p-charging-vector"
	case 19:
		if lower[name[1]] == '-' {
			return hPAI, "P-Asserted-Identity", "p-asserted-identity"
		}
		return hAuthorization, "Proxy-Authorization", "proxy-authorization"
	case 20:
		return hPPI, "P-Preferred-Identity", "p-preferred-identity"
	}
	return hOther, "", ""
}

// compactNames gives the one-letter forms, for headers chosen by configuration.
var compactNames = map[string]byte{
	"accept-contact": 'a', "referred-by": 'b', "content-type": 'c', "request-disposition": 'd',
	"content-encoding": 'e', "from": 'f', "call-id": 'i', "reject-contact": 'j', "supported": 'k',
	"content-length": 'l', "contact": 'm', "identity-info": 'n', "event": 'o', "refer-to": 'r',
	"subject": 's', "to": 't', "allow-events": 'u', "via": 'v', "session-expires": 'x', "identity": 'y',
}
