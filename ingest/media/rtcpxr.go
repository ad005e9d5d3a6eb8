package media

import "encoding/binary"

// Block types of extended reports (RFC 3611 4).
const (
	xrDLRR    = 5
	xrSummary = 6
	xrVoIP    = 7
)

// extendedReport decodes an XR packet (RFC 3611 2): VoIP metrics, statistics
// summary and DLRR blocks. Run-length blocks and unknown ones are skipped.
func (d *Decoder) extendedReport(b []byte, c *compound, clockRate int) bool {
	if len(b) < 4 {
		return false
	}
	reporter := binary.BigEndian.Uint32(b)
	if c.ssrc == 0 {
		c.ssrc = reporter
	}
	for b = b[4:]; len(b) > 0; {
		if len(b) < 4 {
			return false
		}
		n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if n > len(b) {
			return false
		}
		body := b[4:n]
		switch b[0] {
		case xrVoIP:
			if len(body) < 32 {
				return false
			}
			m := voipBlock(body)
			d.addVoIP(reporter, &m)
		case xrSummary:
			if len(body) < 36 {
				return false
			}
			d.summaryBlock(body, b[1], reporter, clockRate)
		case xrDLRR:
			for ; len(body) >= 12; body = body[12:] {
				r := d.add(SourceRTCPXR)
				r.Type, r.Reporter = TypeXR, reporter
				r.SSRC = binary.BigEndian.Uint32(body)
				r.LSR = binary.BigEndian.Uint32(body[4:])
				r.DLSR = binary.BigEndian.Uint32(body[8:])
				d.metric(MetricDLRRSeconds, float64(r.DLSR)/65536)
			}
		}
		b = b[n:]
	}
	return true
}

// voipBlock reads a VoIP Metrics Report Block behind its header (RFC 3611 4.7).
func voipBlock(b []byte) voipMetrics {
	u16 := binary.BigEndian.Uint16
	return voipMetrics{
		ssrc: binary.BigEndian.Uint32(b),
		loss: b[4], discard: b[5], burstDensity: b[6], gapDensity: b[7],
		burst: u16(b[8:]), gap: u16(b[10:]), rtd: u16(b[12:]), esd: u16(b[14:]),
		signal: int8(b[16]), noise: int8(b[17]), rerl: b[18], gmin: b[19],
		rFactor: b[20], extRFactor: b[21], mosLQ: b[22], mosCQ: b[23],
		rxConfig:  b[24],
		jbNominal: u16(b[26:]), jbMax: u16(b[28:]), jbAbsMax: u16(b[30:]),
		full: true,
	}
}

// summaryBlock reads a Statistics Summary Report Block behind its header
// (RFC 3611 4.6); flags says which of its figures are valid.
func (d *Decoder) summaryBlock(b []byte, flags uint8, reporter uint32, clockRate int) {
	if clockRate <= 0 {
		clockRate = defaultClock
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	r := d.add(SourceRTCPXR)
	r.Type, r.SSRC, r.Reporter = TypeXR, u32(0), reporter
	begin, end := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	if flags&0x80 != 0 {
		r.Lost = int64(u32(8))
		if span := end - begin; span > 0 {
			r.FractionLost = clamp01(float64(r.Lost) / float64(span))
		}
	}
	if flags&0x20 != 0 {
		r.jitter(u32(24), clockRate)
	}
	r.Reception = flags&0x80 != 0
	d.metric(MetricBeginSeq, float64(begin))
	d.metric(MetricEndSeq, float64(end))
	if flags&0x40 != 0 {
		d.metric(MetricDuplicates, float64(u32(12)))
	}
	if flags&0x20 != 0 {
		ms := 1000 / float64(clockRate)
		d.metric(MetricMinJitterMs, float64(u32(16))*ms)
		d.metric(MetricMaxJitterMs, float64(u32(20))*ms)
		d.metric(MetricMeanJitterMs, float64(u32(24))*ms)
		d.metric(MetricDevJitterMs, float64(u32(28))*ms)
	}
	if flags&0x18 != 0 { // IPv4 TTL or IPv6 hop limit
		d.metric(MetricMinTTL, float64(b[32]))
		d.metric(MetricMaxTTL, float64(b[33]))
		d.metric(MetricMeanTTL, float64(b[34]))
	}
}
