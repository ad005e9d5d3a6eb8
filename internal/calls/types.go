// Package calls turns the messages of legs into calls and registrations, and
// calls into KPIs. It is pure: values in, values out, no I/O, no clock of its own.
//
// A leg is one Call-ID of a tenant. What is stored of it between two batches is a
// set of events (one small value for each signalling message) and a few facts;
// sets of events of the same leg are put together by union, so that it does not
// matter in which order, in how many pieces and how often they came.
//
// CandidateKeys names the legs that may be of one call, GroupLegs sorts legs into
// calls, Assemble makes a call of a group, Registrations attempts to register of a
// leg, and CountsOf and RegistrationCountsOf say what each adds to the KPIs of
// docs/kpis.md. What was found out of a leg's events is kept with the leg: a leg,
// and its copies, are for one goroutine at a time, and its events must not be
// changed in place between these calls.
package calls

import (
	"net/netip"
	"time"
)

// Event is one signalling message of a leg: as much of it as tells how the leg
// fared. Tags, branches, agents and addresses are here as hashes, since they
// are only compared; 0 stands for "none".
type Event struct {
	// Time is when the capture agent saw it, in µs since the epoch.
	Time int64
	// Method is a request's method; on a response, that of its CSeq.
	Method Method
	// Status is a response's status code, 0 on a request.
	Status uint16
	// CSeq is the number of the CSeq header.
	CSeq uint32
	// FromTag and ToTag identify the dialog, Branch the transaction on its hop.
	FromTag, ToTag, Branch uint32
	// Src and Dst are address and port of sender and receiver of the packet.
	Src, Dst uint32
	// Agent is the capture agent that saw it: several may report the same message.
	Agent uint32
	// SDP is a hash of its SDP's summary.
	SDP uint32
	// Expires is what a REGISTER or its response asked for or granted, in seconds.
	Expires uint32
}

// Method is a SIP method as a number; the numbers are stored and never change.
type Method uint8

// The methods. Other stands for every method not named here.
const (
	Other Method = iota
	Invite
	Ack
	Bye
	Cancel
	Prack
	Update
	Refer
	Info
	Notify
	Register
	Options
	Subscribe
	Publish
	Message
)

// Opening is what the request that opened a leg said.
type Opening struct {
	// Time is that of the request; zero when none was seen.
	Time time.Time
	// Method is its method as written.
	Method               string
	FromUser, FromDomain string
	ToUser, ToDomain     string
	RuriUser, RuriDomain string
	PAIUser, Diversion   string
	// ContactUser, ContactHost and ContactPort are of its first Contact.
	ContactUser, ContactHost string
	ContactPort              uint16
	Src, Dst                 netip.AddrPort
	Transport                string
	UserAgent                string
}

// Leg is what is known of one Call-ID of a tenant.
type Leg struct {
	Tenant, CallID string
	// CorrelationIDs are the correlation ids that its messages had.
	CorrelationIDs []string
	// LinkIDs are what else names the call it belongs to, each as "header:value":
	// the values of Session-ID, P-Charging-Vector's icid and further configured
	// headers, and other Call-IDs its messages name (X-CID, Replaces, …).
	LinkIDs []string
	// Opening is of the request that could have opened it: one on its first hop
	// (its bottom-most Via names the packet's sender) if there is any, and the
	// first by time of these.
	Opening Opening
	// Events in any order, repeated or not.
	Events []Event
	// Addresses are those that the hashes Src and Dst of events stand for, at
	// least of requests that could have opened the leg.
	Addresses map[uint32]netip.AddrPort
	// First and Last are the times of its first and last message; Messages counts
	// them all, copies by several agents included, but not what an agent sent twice.
	First, Last time.Time
	Messages    uint64
	// Reasons holds the reason phrases of its responses by status.
	Reasons map[uint16]string
	// Q850 is the cause of the last message that gave one; 0 when none.
	Q850 uint16
	// Offered and Answered are the last SDP summaries of requests and responses,
	// as in column sdp of table sip.
	Offered, Answered string
	// SDPs are its SDP summaries by the hash that events have: who announced which
	// address tells the directions of media apart. Without them Offered and
	// Answered do, less well.
	SDPs map[uint32]string
	// UserAgents are its User-Agent and Server headers; Nodes the capture agents.
	UserAgents, Nodes []string
	// MediaAddresses are the addresses its SDP announced, as "ip:port".
	MediaAddresses []string
	// Quality has the sums of its quality reports by who sent them, in any order.
	Quality []Quality

	// opened is what was found out of Events; see openingOf.
	opened *opening
}

// Quality sums up the quality reports that one address sent: what it says of
// the streams that it received. A count of 0 means that nothing was reported.
type Quality struct {
	// From is the sender of the packets that carried the reports.
	From           netip.AddrPort
	MOSMin, MOSSum float64
	MOSCount       uint64
	// LossSum is of shares 0 to 1, JitterSum of ms, RTTSum of ms.
	LossSum, JitterSum, RTTSum float64
	Receptions, RTTCount       uint64
}
