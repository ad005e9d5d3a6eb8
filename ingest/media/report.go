package media

import "net/netip"

// Source is the kind of message a report was read from.
type Source uint8

// The sources, in the words of column media.source.
const (
	SourceUnknown    Source = iota
	SourceRTCP              // SR, RR, SDES, BYE (RFC 3550), binary or JSON
	SourceRTCPXR            // extended reports (RFC 3611), binary or JSON
	SourceVQ                // voice quality report (RFC 6035)
	SourceRTPAgent          // JSON of a capture agent that measures RTP, HEP types 34 to 37
	SourceRTPStat           // X-RTP-Stat, P-RTP-Stat and their kin in a BYE
	SourceHoraclifix        // JSON of an SBC's IPFIX records, HEP type 38
	SourceRTP               // our own aggregate of one RTP stream
	SourceHEP               // quality chunks of the HEP packet alone (0x20, 0x21)
)

var sourceNames = [...]string{
	"unknown", "rtcp", "rtcp-xr", "vq-rtcpxr", "rtp-agent", "x-rtp-stat", "horaclifix", "rtp", "hep-qos",
}

// String is the source's name as stored: "rtcp", "vq-rtcpxr" and so on.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return sourceNames[SourceUnknown]
}

// Report types. Every Report.Type is one of these.
const (
	TypeSR          = "sr"          // sender report
	TypeRR          = "rr"          // receiver report
	TypeSDES        = "sdes"        // source description alone
	TypeBYE         = "bye"         // goodbye alone
	TypeApp         = "app"         // application-defined RTCP alone
	TypeFeedback    = "feedback"    // RTPFB or PSFB (RFC 4585); its kind is a metric
	TypeXR          = "xr"          // extended report
	TypeVQSession   = "vq-session"  // VQSessionReport
	TypeVQInterval  = "vq-interval" // VQIntervalReport
	TypeVQAlert     = "vq-alert"    // VQAlertReport
	TypePeriodic    = "periodic"    // an agent's interim report
	TypeFinal       = "final"       // a report over the whole call
	TypeShort       = "short"       // MOS and little more
	TypeUnspecified = "unspecified" // the sender does not say
)

// Parties, for sources that report both directions of a call.
const (
	PartyLocal  = "local"  // RFC 6035 LocalMetrics
	PartyRemote = "remote" // RFC 6035 RemoteMetrics
	PartyCaller = "caller" // the incoming leg of an SBC
	PartyCallee = "callee" // its outgoing leg
)

// How a MOS came about.
const (
	// MethodReported: the sender gave the MOS.
	MethodReported = "reported"
	// MethodEModel: computed here by the E-model of ITU-T G.107.
	MethodEModel = "e-model(g107)"
)

// Metric is a figure that has no field of its own in Report.
type Metric struct {
	// Name is one of the static names of metrics.go; ms and s suffixes give the unit.
	Name  string
	Value float64
}

// Report is one report block or one quality report: one row of table media.
// Zero means unknown for RTTMs, MOS and RFactor.
type Report struct {
	Source Source
	// Type is one of the Type constants.
	Type string
	// Party is one of the Party constants, or empty.
	Party string
	// SSRC is the stream reported on: source_ssrc of a report block, media source
	// of feedback (0 where it is about the transport), or the reporter's own
	// stream where there is neither.
	SSRC uint32
	// Reporter is the SSRC of who reports, 0 where the source does not say.
	Reporter uint32
	// Reception tells that the row carries figures of reception (loss,
	// jitter). It is false for an SR without blocks, SDES, BYE or feedback, whose
	// zero loss and jitter mean nothing.
	Reception bool
	// Bye tells that the RTCP compound held a BYE.
	Bye bool

	// Packets and Octets are what the reporter counts. RTCP SR: sent by
	// Reporter (not the stream SSRC of the block). RTP agent, horaclifix,
	// X-RTP-Stat and RTP: received. Other sources: 0.
	Packets, Octets uint64
	// Lost is packets lost: cumulative in RTCP and RTP, over the report's
	// span elsewhere. Negative when duplicates outnumber losses (RFC 3550 6.4.1).
	Lost int64
	// FractionLost is 0..1: over the last interval in RTCP, over the report's
	// span elsewhere.
	FractionLost float32
	// JitterMs is interarrival jitter in milliseconds, JitterRaw the same in
	// RTP timestamp units where the source gave those. JitterMs is 0 where
	// JitterRaw exceeds a minute, which is a broken counter.
	JitterMs  float32
	JitterRaw uint32
	// RTTMs is the round-trip time in milliseconds where the source names it.
	// For RTCP see [RTT].
	RTTMs float32
	// MOS is 1..5, RFactor 0..120. MOSMethod says who computed them.
	MOS, RFactor float32
	MOSMethod    string

	// HighestSeq is the extended highest sequence number received.
	HighestSeq uint32
	// LSR and DLSR are RFC 3550 6.4.1: middle 32 bits of the last SR's NTP
	// time, and the delay since it in 1/65536 s.
	LSR, DLSR uint32
	// NTP and RTPTime are an SR's timestamps: 32.32 fixed-point seconds since
	// 1900, and the same instant in RTP units.
	NTP     uint64
	RTPTime uint32

	// Codec names the codec as the source does ("PCMA", "G729"), nil if it
	// does not. Read only: it may be a shared constant.
	Codec []byte
	// CallID is the SIP Call-ID that the source names.
	CallID []byte
	// CNAME is the SDES canonical name of the reporter.
	CNAME []byte
	// LocalAddr and RemoteAddr are media addresses that the report names.
	// VQ reports, X-RTP-Stat: of the reporting endpoint and of its peer. RTP agent,
	// horaclifix: source and destination of the stream.
	LocalAddr, RemoteAddr netip.AddrPort
	// Start and Stop span the report, in Unix microseconds, 0 if unknown.
	Start, Stop int64
	// Extra holds further figures in the order read. It belongs to the decoder.
	Extra []Metric
}

// Metric returns the named further figure.
func (r *Report) Metric(name string) (float64, bool) {
	for i := range r.Extra {
		if r.Extra[i].Name == name {
			return r.Extra[i].Value, true
		}
	}
	return 0, false
}

// MidNTP is the middle 32 bits of an SR's NTP time, which a receiver of that
// SR returns as LSR.
func (r *Report) MidNTP() uint32 { return uint32(r.NTP >> 16) }

// HEPQuality takes the MOS and R-factor of the HEP packet that carried the
// report (chunks 0x20 and 0x21, both in hundredths; an R-factor up to 120 is
// taken as whole). It leaves figures alone that the report itself gave, and
// rows without reception figures.
func (r *Report) HEPQuality(mos, rFactor uint16) {
	if r.MOSMethod == MethodReported || !r.Reception {
		return
	}
	if m := scaleMOS(float64(mos)); m > 0 {
		r.MOS, r.MOSMethod = m, MethodReported
		r.RFactor = scaleR(float64(rFactor))
	}
}

// scaleMOS brings a reported MOS to 1..5: senders give 4.2, 42 or 420. Out of
// range, such as RFC 3611's 127 for unavailable, is 0.
func scaleMOS(v float64) float32 {
	switch {
	case v >= 1 && v <= 5:
		return float32(v)
	case v >= 10 && v <= 50 && v != unavailable/10.0:
		return float32(v / 10)
	case v >= 100 && v <= 500 && v != unavailable:
		return float32(v / 100)
	}
	return 0
}

// scaleR brings a reported R-factor to 0..120: senders give 93.2 or 9320.
func scaleR(v float64) float32 {
	switch {
	case v > 0 && v <= 120:
		return float32(v)
	case v > unavailable && v <= 12000:
		return float32(v / 100)
	}
	return 0
}

// unavailable is what RFC 3611 4.7.5 and RFC 6035 write for a quality figure
// they do not have.
const unavailable = 127
