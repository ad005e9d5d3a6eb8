package media

import "bytes"

// RTCP packet types (RFC 3550 12.1, RFC 3611 2, RFC 4585 6.1).
const (
	rtcpSR    = 200
	rtcpRR    = 201
	rtcpSDES  = 202
	rtcpBYE   = 203
	rtcpApp   = 204
	rtcpRTPFB = 205
	rtcpPSFB  = 206
	rtcpXR    = 207
)

// compound is what an RTCP compound says beside its blocks.
type compound struct {
	ssrc     uint32 // of the SR, RR or XR sender
	sr       bool   // there was sender information
	rr       bool   // there was an RR, maybe without blocks
	sdes     bool
	bye      bool
	app      bool
	feedback bool
	xr       bool

	packets, octets uint64
	ntp             uint64
	rtpTime         uint32

	sdesSSRC  uint32 // of the first SDES chunk
	byeSSRC   uint32
	cname     []byte // the reporter's, or the first
	cnameSSRC uint32
}

// onlyFeedback tells a compound of nothing but feedback, as RFC 5506 allows.
func (c *compound) onlyFeedback() bool {
	return c.feedback && !(c.sr || c.rr || c.sdes || c.bye || c.app || c.xr)
}

// addCNAME keeps the canonical name of the reporter if there are several.
func (c *compound) addCNAME(ssrc uint32, name []byte) {
	if c.cname == nil || ssrc == c.ssrc && c.cnameSSRC != c.ssrc {
		c.cname, c.cnameSSRC = name, ssrc
	}
}

// senderOf fills in what an SR says of its sender.
func (c *compound) senderOf(r *Report) {
	r.Reporter = c.ssrc
	r.Packets, r.Octets, r.NTP, r.RTPTime = c.packets, c.octets, c.ntp, c.rtpTime
}

// fallback adds the one report of a compound that has no block: every RTCP
// packet is at least one row.
func (d *Decoder) fallback(c *compound) {
	r := d.add(SourceRTCP)
	r.SSRC, r.Reporter = c.ssrc, c.ssrc
	switch {
	case c.sr:
		r.Type = TypeSR
		c.senderOf(r)
	case c.xr:
		r.Source, r.Type = SourceRTCPXR, TypeXR
	case c.bye:
		r.Type = TypeBYE
	case c.sdes:
		r.Type = TypeSDES
	case c.rr:
		r.Type = TypeRR
	case c.app:
		r.Type = TypeApp
	case c.feedback:
		r.Type = TypeFeedback
	default:
		r.Type = TypeUnspecified
	}
	if r.SSRC == 0 {
		r.SSRC = c.byeSSRC
		if r.SSRC == 0 {
			r.SSRC = c.sdesSSRC
		}
		r.Reporter = r.SSRC
	}
}

// videoClock is the RTP clock of all common video codecs (RFC 3551 5), to which
// the E-model does not apply.
const videoClock = 90000

// seal gives all reports what the compound says once, and a MOS.
func (d *Decoder) seal(c *compound, clockRate int) {
	for i := range d.reports {
		r := &d.reports[i]
		r.CNAME, r.Bye = c.cname, c.bye
		if clockRate != videoClock {
			r.EstimateMOS(nil)
		}
	}
}

// voipMetrics is the VoIP Metrics Report Block (RFC 3611 4.7) in its own units.
type voipMetrics struct {
	ssrc                       uint32
	loss, discard              uint8 // 1/256
	burstDensity, gapDensity   uint8 // 1/256
	burst, gap, rtd, esd       uint16
	signal, noise              int8
	rerl, gmin                 uint8
	rFactor, extRFactor        uint8
	mosLQ, mosCQ               uint8 // tenths
	rxConfig                   uint8
	jbNominal, jbMax, jbAbsMax uint16
	full                       bool // the fields from signal on are known
}

// addVoIP adds the report of a VoIP metrics block. MOS is the listening
// quality, the conversational one where that is unavailable.
func (d *Decoder) addVoIP(reporter uint32, m *voipMetrics) {
	r := d.add(SourceRTCPXR)
	r.Type, r.Reception = TypeXR, true
	r.SSRC, r.Reporter = m.ssrc, reporter
	r.FractionLost = ratio256(m.loss)
	r.RTTMs = float32(m.rtd)
	if m.full {
		if r.MOS = mosTenths(m.mosLQ); r.MOS == 0 {
			r.MOS = mosTenths(m.mosCQ)
		}
		if r.MOS != 0 {
			r.MOSMethod = MethodReported
		}
		r.RFactor = scaleR(float64(m.rFactor))
		if m.rFactor == unavailable {
			r.RFactor = 0
		}
	}
	d.metric(MetricDiscardRate, float64(m.discard)/256)
	d.metric(MetricBurstDensity, float64(m.burstDensity)/256)
	d.metric(MetricGapDensity, float64(m.gapDensity)/256)
	d.metric(MetricBurstMs, float64(m.burst))
	d.metric(MetricGapMs, float64(m.gap))
	d.metric(MetricEndSystemMs, float64(m.esd))
	if !m.full {
		return
	}
	d.available(MetricSignalLevel, int(m.signal))
	d.available(MetricNoiseLevel, int(m.noise))
	d.available(MetricRERL, int(m.rerl))
	d.metric(MetricGmin, float64(m.gmin))
	d.available(MetricExtRFactor, int(m.extRFactor))
	if v := mosTenths(m.mosLQ); v != 0 {
		d.metric(MetricMOSLQ, float64(m.mosLQ)/10)
	}
	if v := mosTenths(m.mosCQ); v != 0 {
		d.metric(MetricMOSCQ, float64(m.mosCQ)/10)
	}
	d.metric(MetricRXConfig, float64(m.rxConfig))
	d.metric(MetricJBNominalMs, float64(m.jbNominal))
	d.metric(MetricJBMaxMs, float64(m.jbMax))
	d.metric(MetricJBAbsMaxMs, float64(m.jbAbsMax))
}

// available adds a figure unless it is 127, RFC 3611's "unavailable".
func (d *Decoder) available(name string, v int) {
	if v != unavailable {
		d.metric(name, float64(v))
	}
}

// mosTenths is a MOS of RFC 3611 4.7.5: tenths from 10 to 50, else unavailable.
func mosTenths(v uint8) float32 {
	if v < 10 || v > 50 {
		return 0
	}
	return float32(v) / 10
}

// clean cuts the padding NULs that senders leave behind payloads.
func clean(b []byte) []byte { return bytes.TrimRight(b, "\x00") }
