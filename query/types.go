package query

import (
	"net/netip"
	"time"
)

// Outcome is how a call ended.
type Outcome string

// The outcomes of a call. A call that got a final failure after a CANCEL is
// cancelled, not failed; one whose INVITE never got a final response is
// unanswered.
const (
	Answered   Outcome = "answered"
	Failed     Outcome = "failed"
	Cancelled  Outcome = "cancelled"
	Unanswered Outcome = "unanswered"
	InProgress Outcome = "in_progress"
)

// Call is one call (or registration, subscription, …): every message of every
// leg that shares a correlation id.
type Call struct {
	Tenant        string   `json:"tenant"`
	CorrelationID string   `json:"correlation_id"`
	CallIDs       []string `json:"call_ids"` // legs, in order of first message
	// LegReasons say of each of CallIDs what links it to a leg before it:
	// correlation_id, the name of a header, numbers or media; "" for the first.
	// LegConfidences say how sure that is, 0 to 1. Both are empty for what the
	// assembler does not make: dialogs of other methods, and calls of just now.
	LegReasons     []string   `json:"leg_reasons"`
	LegConfidences []float32  `json:"leg_confidences"`
	Method         string     `json:"method"` // the method that opened it: INVITE, REGISTER, …
	Start          time.Time  `json:"start"`  // first message
	Ring           *time.Time `json:"ring"`   // first 180 or 183
	Answer         *time.Time `json:"answer"` // first 2xx to the opening request
	End            *time.Time `json:"end"`    // BYE, or the final failure
	LastSeen       time.Time  `json:"last_seen"`

	PDDMs     *float64 `json:"pdd_ms"`     // INVITE to first 18x (post-dial delay)
	SRDMs     *float64 `json:"srd_ms"`     // session request delay, RFC 6076 section 4.3
	RingMs    *float64 `json:"ring_ms"`    // first 18x to answer or end
	DurationS *float64 `json:"duration_s"` // answer to end, or to the last message while in progress
	SDDMs     *float64 `json:"sdd_ms"`     // session disconnect delay, RFC 6076 section 4.4

	Outcome     Outcome `json:"outcome"`
	FinalStatus uint16  `json:"final_status"` // of the opening request; 0 when none arrived
	FinalReason string  `json:"final_reason"`
	Q850        uint16  `json:"q850"` // cause of the Reason header, 0 when none
	ReleasedBy  string  `json:"released_by"`

	FromUser   string     `json:"from_user"`
	FromDomain string     `json:"from_domain"`
	ToUser     string     `json:"to_user"`
	ToDomain   string     `json:"to_domain"`
	RURIUser   string     `json:"ruri_user"`
	SrcIP      netip.Addr `json:"src_ip"` // first message's sender
	SrcPort    uint16     `json:"src_port"`
	DstIP      netip.Addr `json:"dst_ip"`
	DstPort    uint16     `json:"dst_port"`
	// SrcTrunk and DstTrunk are the trunks that the two addresses belong to, "" for
	// none.
	SrcTrunk string `json:"src_trunk,omitempty"`
	DstTrunk string `json:"dst_trunk,omitempty"`

	UserAgents      []string `json:"user_agents"`
	Codecs          []string `json:"codecs"`
	Nodes           []string `json:"nodes"`
	Messages        uint64   `json:"messages"`
	Retransmissions uint64   `json:"retransmissions"`
	Hops            uint64   `json:"hops"` // distinct sender-receiver pairs of the opening request

	MOSMin      *float64 `json:"mos_min"`
	MOSAvg      *float64 `json:"mos_avg"`
	LossPercent *float64 `json:"loss_percent"`
	JitterMs    *float64 `json:"jitter_ms"`
}

// ItemKind says what a row of a ladder is.
type ItemKind string

// The kinds of ladder rows.
const (
	KindSIP   ItemKind = "sip"
	KindMedia ItemKind = "media" // an RTCP or quality report
	KindEvent ItemKind = "event" // a log line, CDR, …
)

// Flow is a call's ladder: all legs that correlation reaches, every message in
// order. Items refer to participants and legs by index.
type Flow struct {
	Call         Call          `json:"call"`
	Legs         []Leg         `json:"legs"`
	Participants []Participant `json:"participants"` // in order of appearance
	Items        []Item        `json:"items"`
	// Truncated says that a limit cut the flow, and which: "" when it is whole.
	Truncated string `json:"truncated"`

	// Findings say how the call ended and what is remarkable about it, what matters
	// most first.
	Findings []Finding `json:"findings"`
	// Transactions and Dialogs are in order of their first item.
	Transactions []Transaction `json:"transactions"`
	Dialogs      []Dialog      `json:"dialogs"`
	// Clocks are the capture agents whose clocks are off. Items are in order by one
	// clock; their times are those of their agents.
	Clocks []Clock `json:"clocks"`
}

// Leg is one Call-ID of a call.
type Leg struct {
	CallID   string `json:"call_id"`
	Messages int    `json:"messages"`
	// LinkedBy says why this leg belongs to the call: "asked" for the one asked
	// for, "correlation_id" with the value shared, or "likeness" when no id leads to
	// it from there: Reason says what was alike.
	LinkedBy  string `json:"linked_by"`
	LinkValue string `json:"link_value"`
	// Reason and Confidence are those of Call.LegReasons and Call.LegConfidences.
	Reason     string  `json:"reason"`
	Confidence float32 `json:"confidence"`
}

// Participant is a column of the ladder: one address that sent or received.
type Participant struct {
	Address string     `json:"address"` // ip:port, [v6]:port
	IP      netip.Addr `json:"ip"`
	Port    uint16     `json:"port"`
	// Name is the user agent or server it called itself in SIP, "" when unknown.
	Name string `json:"name"`
	// Alias is what the settings call it, "" when they do not.
	Alias string `json:"alias"`
	// Addresses are all addresses that it stands for, as written in Address: more
	// than one where an alias covers them, or a host opened connections.
	Addresses []string `json:"addresses"`
}

// Item is one row of the ladder.
type Item struct {
	Index    int       `json:"index"` // position in Flow.Items
	ID       uint64    `json:"id"`    // Message.ID of a SIP message, 0 on all else
	Kind     ItemKind  `json:"kind"`
	Time     time.Time `json:"time"`      // µs precision, UTC
	OffsetUs int64     `json:"offset_us"` // since the flow's first item
	DeltaUs  int64     `json:"delta_us"`  // since the previous item
	Src      int       `json:"src"`       // Participants index
	Dst      int       `json:"dst"`
	// SrcAddr and DstAddr are the addresses on the wire. They are not always those
	// of the participants, which are what the item is drawn between.
	SrcAddr netip.AddrPort `json:"src_addr"`
	DstAddr netip.AddrPort `json:"dst_addr"`
	Leg     int            `json:"leg"` // Legs index; -1 when the item names no Call-ID
	CallID  string         `json:"call_id"`

	Method     string `json:"method"` // request method; "" on a response
	Status     uint16 `json:"status"` // 0 on a request
	Reason     string `json:"reason"`
	CSeq       uint32 `json:"cseq"`
	CSeqMethod string `json:"cseq_method"`
	FromUser   string `json:"from_user"`
	ToUser     string `json:"to_user"`
	RURIUser   string `json:"ruri_user"`
	FromDomain string `json:"from_domain"`
	FromTag    string `json:"from_tag"`
	ToDomain   string `json:"to_domain"`
	ToTag      string `json:"to_tag"`
	RURIDomain string `json:"ruri_domain"`
	UserAgent  string `json:"user_agent"`
	SDP        string `json:"sdp"` // one-line summary of the body's SDP ("audio 10.0.0.1:20000 PCMU,PCMA sendrecv"); "" without SDP
	// Transaction and Dialog are indexes of Flow.Transactions and Flow.Dialogs, -1
	// for none.
	Transaction int `json:"transaction"`
	Dialog      int `json:"dialog"`
	// RelayUs is how long the sender held the message that it passed on here, and
	// ResponseUs how long after the request on the same hop a response came, in µs;
	// null where it is neither.
	RelayUs    *int64 `json:"relay_us"`
	ResponseUs *int64 `json:"response_us"`
	// Media has the figures of a media report, null on all else.
	Media *MediaReport `json:"media"`
	// Label is what stands on the arrow: "INVITE bob", "180 Ringing", "RTCP loss 2 % jitter 12 ms".
	Label string `json:"label"`
	// Retransmission: the same message was sent before by the same sender to the same receiver.
	Retransmission bool `json:"retransmission"`
	// Copy: the same message on the same hop, seen by another capture agent too.
	Copy       bool   `json:"copy"`
	ParseError string `json:"parse_error"`

	Transport string `json:"transport"`
	Node      string `json:"node"`
	CaptureID uint32 `json:"capture_id"`
	// Raw is the message as it was on the wire, with invalid UTF-8 replaced in
	// JSON; RawBytes is exact.
	Raw      string `json:"raw"`
	RawBytes []byte `json:"-"`
}

// Quality is a call's media quality. The first four names are what the portal
// API promised.
type Quality struct {
	CallID      string   `json:"call_id"`
	MOS         *float64 `json:"mos"` // mean over streams, nil when nothing reported one
	PacketsLost int64    `json:"packets_lost"`
	JitterAvg   *float64 `json:"jitter_avg"` // ms
	RTT         *float64 `json:"rtt"`        // ms
	MOSMin      *float64 `json:"mos_min"`
	LossPercent *float64 `json:"loss_percent"`
	JitterMax   *float64 `json:"jitter_max"`
	RFactor     *float64 `json:"r_factor"`
	Reports     int      `json:"reports"`
	Streams     []Stream `json:"streams"`
}

// Stream is one direction of media: reports that share an SSRC and addresses.
type Stream struct {
	SSRC    uint32          `json:"ssrc"`
	Src     string          `json:"src"` // of the reports
	Dst     string          `json:"dst"`
	Source  string          `json:"source"`
	Codec   string          `json:"codec"`
	Reports []QualityReport `json:"reports"` // in time order
}

// QualityReport is one row of media.
type QualityReport struct {
	Time time.Time `json:"time"`
	// Reception tells a report on what was received from one that says only what was
	// sent, or good-bye: loss and jitter of that mean nothing.
	Reception    bool    `json:"reception"`
	Packets      uint64  `json:"packets"`
	Lost         int64   `json:"lost"`
	FractionLost float64 `json:"fraction_lost"` // 0..1
	JitterMs     float64 `json:"jitter_ms"`
	RTTMs        float64 `json:"rtt_ms"`   // 0 when unknown
	MOS          float64 `json:"mos"`      // 0 when unknown
	RFactor      float64 `json:"r_factor"` // 0 when unknown
}

// MediaReport is what a quality report in a ladder says.
type MediaReport struct {
	Source string `json:"source"` // rtcp, vq-rtcpxr, …
	Report string `json:"report"` // sr, rr, …
	SSRC   uint32 `json:"ssrc"`
	// Reception tells a report on what was received from one that says only what was
	// sent, whose figures below mean nothing.
	Reception    bool    `json:"reception"`
	FractionLost float64 `json:"fraction_lost"` // 0..1
	JitterMs     float64 `json:"jitter_ms"`
	RTTMs        float64 `json:"rtt_ms"` // 0 when unknown
	MOS          float64 `json:"mos"`    // 0 when unknown
	Packets      uint64  `json:"packets"`
}
