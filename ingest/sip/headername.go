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
	if id, folded := candidate(name); id != hOther && foldEqual(name, folded) {
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
func candidate(name []byte) (id headerID, folded string) {
	if len(name) == 0 {
		return hOther, ""
	}
	c := lower[name[0]]
	switch len(name) {
	case 2:
		return hTo, "to"
	case 3:
		return hVia, "via"
	case 4:
		if c == 'f' {
			return hFrom, "from"
		}
		return hCSeq, "cseq"
	case 5:
		return hEvent, "event"
	case 6:
		if c == 's' {
			return hServer, "server"
		}
		return hReason, "reason"
	case 7:
		switch {
		case c == 'e':
			return hExpires, "expires"
		case lower[name[1]] == 'a':
			return hCallID, "call-id"
		}
		return hContact, "contact"
	case 8:
		if lower[name[2]] == 'f' {
			return hReferTo, "refer-to"
		}
		return hReplaces, "replaces"
	case 9:
		return hDiversion, "diversion"
	case 10:
		switch c {
		case 'u':
			return hUserAgent, "user-agent"
		case 's':
			return hSessionID, "session-id"
		case 'x':
			return hRTPStat, "x-rtp-stat"
		}
		return hRTPStat, "p-rtp-stat"
	case 12:
		switch c {
		case 'c':
			return hContentType, "content-type"
		case 'm':
			return hMaxForwards, "max-forwards"
		}
		return hHistoryInfo, "history-info"
	case 13:
		return hAuthorization, "authorization"
	case 14:
		return hContentLength, "content-length"
	case 15:
		return hRPID, "remote-party-id"
	case 16:
		return hContentEncoding, "content-encoding"
	case 17:
		return hPCV, "p-charging-vector"
	case 19:
		if lower[name[1]] == '-' {
			return hPAI, "p-asserted-identity"
		}
		return hAuthorization, "proxy-authorization"
	case 20:
		return hPPI, "p-preferred-identity"
	}
	return hOther, ""
}

// compactNames gives the one-letter forms, for headers chosen by configuration.
var compactNames = map[string]byte{
	"accept-contact": 'a', "referred-by": 'b', "content-type": 'c', "request-disposition": 'd',
	"content-encoding": 'e', "from": 'f', "call-id": 'i', "reject-contact": 'j', "supported": 'k',
	"content-length": 'l', "contact": 'm', "identity-info": 'n', "event": 'o', "refer-to": 'r',
	"subject": 's', "to": 't', "allow-events": 'u', "via": 'v', "session-expires": 'x', "identity": 'y',
}
