package batch

// Origin holds the columns that every table has.
type Origin struct {
	Time          Number[int64]  `col:"time"`
	Tenant        Enum           `col:"tenant"`
	Node          Enum           `col:"node"`
	CaptureID     Number[uint32] `col:"capture_id"`
	CorrelationID Text           `col:"correlation_id"`
	SrcIP         Addr           `col:"src_ip"`
	SrcPort       Number[uint16] `col:"src_port"`
	DstIP         Addr           `col:"dst_ip"`
	DstPort       Number[uint16] `col:"dst_port"`
	Transport     Enum           `col:"transport"`
	HEP           Map            `col:"hep"`
}

// SIP holds the columns of schema.SIP.
type SIP struct {
	Origin
	Packing      Number[uint8]  `col:"packing"`
	OwnCallID    Text           `col:"own_call_id"`
	Method       Enum           `col:"method"`
	Status       Number[uint16] `col:"status"`
	Reason       Enum           `col:"reason"`
	CSeq         Number[uint32] `col:"cseq"`
	CSeqMethod   Enum           `col:"cseq_method"`
	FromUser     Text           `col:"from_user"`
	FromDomain   Enum           `col:"from_domain"`
	FromTag      Text           `col:"from_tag"`
	ToUser       Text           `col:"to_user"`
	ToDomain     Enum           `col:"to_domain"`
	ToTag        Text           `col:"to_tag"`
	RURIUser     Text           `col:"ruri_user"`
	RURIDomain   Enum           `col:"ruri_domain"`
	UserAgent    Enum           `col:"user_agent"`
	Server       Enum           `col:"server"`
	ContactUser  Text           `col:"contact_user"`
	ContactHost  Enum           `col:"contact_host"`
	ContactPort  Number[uint16] `col:"contact_port"`
	PAIUser      Text           `col:"pai_user"`
	AuthUser     Text           `col:"auth_user"`
	Diversion    Enum           `col:"diversion"`
	BranchAt     Number[uint32] `col:"branch_at"`
	BranchLen    Number[uint16] `col:"branch_len"`
	OwnBranch    Text           `col:"own_branch"`
	ViaHost      Enum           `col:"via_host"`
	ViaPort      Number[uint16] `col:"via_port"`
	ContentType  Enum           `col:"content_type"`
	Expires      Number[uint32] `col:"expires"`
	Q850         Number[uint16] `col:"q850"`
	ReasonHeader Enum           `col:"reason_header"`
	SDP          Text           `col:"sdp"`
	Headers      Map            `col:"headers"`
	ParseError   Enum           `col:"parse_error"`
	Packed       Text           `col:"packed"`
}

// Media holds the columns of schema.Media.
type Media struct {
	Origin
	CallID       Text            `col:"call_id"`
	Source       Enum            `col:"source"`
	Report       Enum            `col:"report"`
	SSRC         Number[uint32]  `col:"ssrc"`
	Reporter     Number[uint32]  `col:"reporter"`
	Packets      Number[uint64]  `col:"packets"`
	Octets       Number[uint64]  `col:"octets"`
	Lost         Number[int64]   `col:"lost"`
	FractionLost Number[float32] `col:"fraction_lost"`
	JitterMs     Number[float32] `col:"jitter_ms"`
	RTTMs        Number[float32] `col:"rtt_ms"`
	MOS          Number[float32] `col:"mos"`
	MOSMethod    Enum            `col:"mos_method"`
	RFactor      Number[float32] `col:"r_factor"`
	Codec        Enum            `col:"codec"`
	Metrics      Metrics         `col:"metrics"`
	Raw          Text            `col:"raw"`
}

// Events holds the columns of schema.Events.
type Events struct {
	Origin
	CallID      Text           `col:"call_id"`
	Type        Number[uint16] `col:"type"`
	TypeName    Enum           `col:"type_name"`
	Stage       Enum           `col:"stage"`
	Error       Enum           `col:"error"`
	ErrorOffset Number[uint32] `col:"error_offset"`
	Body        Text           `col:"body"`
}

// LegDigests holds the columns of schema.LegDigests that are sent.
type LegDigests struct {
	Slot   Number[uint32] `col:"slot"`
	Tenant Enum           `col:"tenant"`
	CallID Text           `col:"call_id"`
	Kinds  Number[uint8]  `col:"kinds"`
	Handed Number[uint64] `col:"handed"`
	Digest Text           `col:"digest"`
}

// IDs holds the columns of schema.IDs.
type IDs struct {
	ID            Number[uint64] `col:"id"`
	Tenant        Enum           `col:"tenant"`
	Hour          Number[uint32] `col:"hour"`
	CallID        Text           `col:"call_id"`
	CorrelationID Text           `col:"correlation_id"`
}

// Users holds the columns of schema.Users that are sent.
type Users struct {
	User          Number[uint64] `col:"user"`
	Tenant        Enum           `col:"tenant"`
	Hour          Number[uint32] `col:"hour"`
	CorrelationID Text           `col:"correlation_id"`
	Fields        Number[uint8]  `col:"fields"`
}
