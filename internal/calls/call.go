package calls

import (
	"net/netip"
	"time"
)

// Outcome is how a call fared.
type Outcome string

// The outcomes of calls and registrations.
const (
	// Answered: a 2xx came, and for a call also its BYE.
	Answered Outcome = "answered"
	// Failed: the final response was 3xx to 6xx.
	Failed Outcome = "failed"
	// Cancelled: the caller gave up before an answer.
	Cancelled Outcome = "cancelled"
	// Unanswered: no final response came, and none is to be waited for.
	Unanswered Outcome = "unanswered"
	// InProgress: the call is being set up, or is up.
	InProgress Outcome = "in_progress"
	// Registered and Deregistered are of registrations.
	Registered   Outcome = "registered"
	Deregistered Outcome = "deregistered"
)

// Who released a call.
const (
	ByCaller  = "caller"
	ByCallee  = "callee"
	ByNetwork = "network"
)

// Call is one call (or subscription, ping, …) with all its legs. The leg that
// began first speaks for it: what its caller was told is how the call fared.
//
// Times are UTC, and the zero time where what they name was not seen. Pointers
// are nil where there is no such figure. Slices are sorted unless an order is
// said, and never hold "".
type Call struct {
	Tenant string
	// Key names the call: the correlation id of the leg that began first that is
	// nobody's Call-ID and no other call's, else that leg's Call-ID. Of calls that
	// were grouped together no two have the same.
	Key string
	// CorrelationIDs and CallIDs are those of its legs, the latter in order of
	// the legs' first messages, with the first leg first.
	CorrelationIDs, CallIDs []string
	// Method is that of the request that opened the first leg, else that of the
	// first message seen. Opened says that the opening was seen: its request, or
	// responses to it.
	Method string
	Opened bool

	// Start and LastSeen are the times of the first and the last message of any
	// leg.
	Start, LastSeen time.Time
	// FirstProvisional is the first 1xx, 100 included, that the caller got for
	// its last try; Ring the first 180 or 183; Answer the first 2xx.
	FirstProvisional, Ring, Answer time.Time
	// End is the first BYE of the dialog that was answered (with several answered
	// dialogs, of the one that lasted longest), or the final failure.
	End time.Time

	// PDDMs is the time from the first try to Ring, SRDMs to the first response
	// other than 100 and challenges (RFC 6076 section 4.3), RingMs from Ring to
	// answer or end, SDDMs from the first BYE to its own 2xx (section 4.4), in
	// ms, each as one capture agent saw both ends where one did.
	PDDMs, SRDMs, RingMs, SDDMs *float64
	// DurationS is the time from Answer to End, or to LastSeen while the call is
	// up, in s.
	DurationS *float64

	Outcome Outcome
	// FinalStatus is what the caller was told in the end; 0 when nothing. A 2xx
	// or 487 of which only the ACK was seen counts as 200 or 487.
	FinalStatus uint16
	FinalReason string
	// Q850 is the cause of the last message that gave one; 0 when none.
	Q850 uint16
	// ReleasedBy is ByCaller, ByCallee, ByNetwork, or "" when nobody released it
	// or it cannot be told.
	ReleasedBy string

	FromUser, FromDomain string
	ToUser, ToDomain     string
	RuriUser, RuriDomain string
	PAIUser, Diversion   string
	// Src and Dst are sender and receiver of the opening request on its first
	// hop, LastSrc and LastDst on the last hop of the last leg.
	Src, Dst, LastSrc, LastDst netip.AddrPort
	// Transport is that of the first hop.
	Transport string

	UserAgents, Codecs, MediaAddresses, Nodes []string
	// Legs are the legs in the order of CallIDs.
	Legs []CallLeg

	// Messages counts the SIP messages, copies by several agents included,
	// Retransmissions those that the same sender had sent before, as each agent
	// saw them.
	Messages, Retransmissions uint64
	// Hops counts the distinct pairs of sender and receiver of opening requests,
	// over all legs.
	Hops uint64

	// MOSMin and MOSAvg are of the opinion scores, LossPercent and JitterMs means
	// of what receivers reported, RTTMs of the round trips.
	MOSMin, MOSAvg, LossPercent, JitterMs, RTTMs *float64
	// Caller and Callee are what each end reported of the stream it received,
	// told apart by the media addresses that the first leg's SDP announced.
	Caller, Callee Reception

	// Tries counts the opening requests of the caller: challenges and redirects
	// make it more than one.
	Tries uint64
	// ByeAnswered says that the first BYE got a 2xx.
	ByeAnswered bool
}

// Reception is what one end reported of the stream that it received.
type Reception struct {
	MOSAvg, LossPercent, JitterMs *float64
}

// CallLeg is a leg of a call, and why it is one of its legs.
type CallLeg struct {
	CallID string
	// Reason is what links it to a leg before it (see Link); "" for the first.
	Reason string
	// Confidence is how sure the link is, from 0 to 1; 1 for the first leg.
	Confidence float64
	// FinalStatus is what its caller was told; 0 when nothing.
	FinalStatus uint16
}

// How long after a leg's last message a final response may still come: 64*T1,
// after which a client transaction gives up (timers B and F of RFC 3261 section
// 17.1), and timer C, after which a proxy gives up on a call that rings
// (section 16.6), which is more than three minutes.
const (
	giveUp     = 32 * time.Second
	giveUpRing = 3 * time.Minute
)

// String is the method's name in SIP; "" for Other.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return ""
}

// MethodOf is the method of that name, Other when there is no such constant.
func MethodOf(name string) Method {
	for m, n := range methodNames {
		if n == name && n != "" {
			return Method(m)
		}
	}
	return Other
}

var methodNames = [...]string{
	Invite: "INVITE", Ack: "ACK", Bye: "BYE", Cancel: "CANCEL", Prack: "PRACK", Update: "UPDATE", Refer: "REFER", Info: "INFO",
	Notify: "NOTIFY", Register: "REGISTER", Options: "OPTIONS", Subscribe: "SUBSCRIBE", Publish: "PUBLISH", Message: "MESSAGE",
}
