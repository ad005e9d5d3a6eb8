package sip

// URI is the part of an address that search needs.
type URI struct {
	// Scheme as written: "sip", "sips", "tel", "urn"… nil when the address has none.
	Scheme []byte
	// User is the user part as written: escapes stay, user parameters stay
	// ("+358;postd=pp22"), and what follows a colon. For tel it is the number without
	// its parameters (RFC 3966). nil for schemes that are opaque to us (urn, http…).
	User []byte
	// Host is the host without the port. An IPv6 reference keeps its brackets
	// ("[2001:db8::1]"), as it does in Wireshark. nil for tel and opaque schemes.
	Host []byte
	// Port is 0 when not given.
	Port uint16
}

// Via is one value of a Via header (RFC 3261 section 20.42).
type Via struct {
	// Transport as written: "UDP", "TCP", "TLS", "WS"…
	Transport []byte
	// Host is the sent-by host, an IPv6 address without its brackets, as in Wireshark.
	Host []byte
	// Port is the sent-by port, 0 when not given.
	Port uint16
	// Branch is the transaction's id (RFC 3261 section 8.1.1.7).
	Branch []byte
	// Received is the address that the next hop saw, as written.
	Received []byte
	// RPort is the port that the next hop saw (RFC 3581); 0 when absent or empty.
	RPort uint16
}

// Header is the value of a header chosen by configuration.
type Header struct {
	// Name is spelled as in [Options.Headers], whatever the message's spelling.
	Name string
	// Value is the header's whole value without surrounding white space.
	Value []byte
}

// Message is what a scan found. Byte slices point into the scanned buffer; an
// absent value is nil, a present but empty one may be nil or empty.
//
// Its fields are for reading: a further scan resets what the scan before it
// wrote, and may leave what anybody else did. Whoever has written to one calls
// [Message.Reset] before the next scan.
type Message struct {
	// Response tells a response from a request.
	Response bool
	// Method of a request, as written; nil on a response.
	Method []byte
	// RequestURI is a request's whole Request-URI, RURI what it says.
	RequestURI []byte
	RURI       URI
	// Status is a response's code, 0 on a request or when it does not fit.
	Status uint16
	// Reason is a response's reason phrase.
	Reason []byte

	// CallID is the Call-ID's value.
	CallID []byte
	// CSeq and CSeqMethod are the two parts of CSeq.
	CSeq       uint32
	CSeqMethod []byte

	// From, FromTag and FromDisplay: address, tag and display name of From. The
	// display name is without its quotes, its escapes stay.
	From                 URI
	FromTag, FromDisplay []byte
	// To, ToTag and ToDisplay: the same of To.
	To               URI
	ToTag, ToDisplay []byte
	// Contact is the first contact; ContactValue is the whole value of the first
	// Contact header, "*" included.
	Contact      URI
	ContactValue []byte

	// Via is the topmost value, ViaLast the bottom-most one, which the
	// originator wrote; with one value they are equal. ViaCount counts them all.
	Via, ViaLast Via
	ViaCount     int

	// MaxForwards is -1 when absent or no number; at most 2^31-1.
	MaxForwards int
	// Expires is the Expires header in seconds, ContactExpires the parameter of
	// the first contact; -1 when absent or no number; at most 2^32-1.
	Expires, ContactExpires int64

	UserAgent, Server []byte
	// ContentType is the header's whole value, parameters included.
	ContentType []byte
	// ContentLength is the header's value in bytes; -1 when absent or no number.
	ContentLength int

	// PAI, PPI and RPID are the first addresses of P-Asserted-Identity and
	// P-Preferred-Identity (RFC 3325) and of Remote-Party-ID.
	PAI, PPI, RPID URI
	// Diversion is the topmost, that is last, diverting party (RFC 5806) and
	// DiversionReason its reason parameter.
	Diversion       URI
	DiversionReason []byte
	// HistoryInfo is the whole value of the first History-Info header (RFC 7044).
	HistoryInfo []byte

	// AuthUser and AuthRealm are username and realm of the first Authorization or
	// Proxy-Authorization header, without quotes (RFC 7616).
	AuthUser, AuthRealm []byte

	// ReasonHeader is the whole value of the first Reason header (RFC 3326).
	ReasonHeader []byte
	// Q850 is the cause of the first Q.850 reason of all Reason headers, 0 when
	// there is none; ReasonSIPCause is that of the first SIP reason.
	Q850, ReasonSIPCause uint16
	// ReasonText is the text of the Q.850 reason, else of the first reason that
	// has one, without quotes.
	ReasonText []byte

	// SessionID is the local UUID of Session-ID, SessionIDRemote its remote
	// parameter (RFC 7989).
	SessionID, SessionIDRemote []byte
	// ICID is the icid-value of P-Charging-Vector (RFC 7315), without quotes.
	ICID []byte
	// XRTPStat is the value of X-RTP-Stat or P-RTP-Stat, the media report that
	// some phones and gateways put into BYE.
	XRTPStat []byte

	// Event is the event package, without parameters (RFC 6665).
	Event []byte
	// ReferTo is the target of a transfer (RFC 3515).
	ReferTo URI
	// Replaces is the Call-ID of the dialog that this one replaces (RFC 3891).
	Replaces []byte

	// Custom holds the headers named in [Options.Headers], in message order, one
	// entry for each occurrence. The slice is reused by the next scan.
	Custom []Header

	// Body is the body: Content-Length bytes, or all that follows the headers
	// when there is no such header or fewer bytes.
	Body []byte
	// SDP sums up the first session description of the body.
	SDP SDP
	// ISUP sums up the first ISUP part of the body.
	ISUP ISUP

	// Errs is what is wrong with the message.
	Errs Errors

	// rare: one of the fields may be set that only rare headers (see there) and
	// ISUP set.
	rare bool
}

// Reset empties the message and keeps the storage of Custom.
func (m *Message) Reset() {
	custom := m.Custom[:0]
	*m = Message{}
	m.Custom = custom
	m.unset()
}

// unset gives the numbers for which 0 is a value the value that says absent.
func (m *Message) unset() {
	m.ContentLength, m.MaxForwards, m.Expires, m.ContactExpires = -1, -1, -1, -1
}

// clear is Reset for a message that only scans have written to: unless one of
// the rare fields may be set it leaves them alone, and with them more than half
// of a Message.
func (m *Message) clear() {
	if m.rare {
		m.Reset()
		return
	}
	m.Response, m.Status, m.CSeq, m.ViaCount, m.Errs = false, 0, 0, 0, 0
	m.Method, m.RequestURI, m.Reason = nil, nil, nil
	m.RURI = URI{}
	m.CallID, m.CSeqMethod = nil, nil
	m.From = URI{}
	m.FromTag, m.FromDisplay = nil, nil
	m.To = URI{}
	m.ToTag, m.ToDisplay = nil, nil
	m.Contact = URI{}
	m.ContactValue = nil
	m.Via = Via{}
	m.ViaLast = Via{}
	m.UserAgent, m.Server, m.ContentType, m.Body = nil, nil, nil, nil
	m.Custom = m.Custom[:0]
	if m.SDP.Has {
		m.SDP.clear()
	}
	m.unset()
}
