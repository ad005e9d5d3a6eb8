package media

import (
	"bytes"
	"net/netip"
)

// RTPAgent decodes the JSON of a capture agent that measures RTP itself
// (captagent, hepagent, heplify, hep-js): HEP types 34 and 35, and the RTCP summaries
// of types 36 and 37 that share its keys. There is one report.
//
// Packets is TOTAL_PK (received), Octets TL_BYTE, Lost PACKET_LOSS. The
// fraction is of EXPECTED_PK, else of received and lost together; a PACKET_LOSS
// with decimals is a percentage. JITTER and DELTA are milliseconds. MOS and
// RFACTOR come whole or in hundredths. LocalAddr is the stream's source.
//
// The error is an [*Error]; no-report where no key is known.
func (d *Decoder) RTPAgent(b []byte) ([]Report, error) {
	d.reset()
	s := scanner{b: b, buf: d.key[:0]}
	if err := s.openDocument(); err != nil {
		return nil, err
	}
	r := d.add(SourceRTPAgent)
	a := agentReport{r: r}
	for s.member() {
		a.member(d, &s)
	}
	s.end()
	err := s.err()
	if a.known == 0 {
		d.reports = d.reports[:0]
		if err == nil {
			err = &Error{ReasonNoReport, 0}
		}
		return nil, err
	}
	a.finish()
	return d.reports, err
}

// agentReport is an RTP agent's report as it is walked.
type agentReport struct {
	r     *Report
	known int // members with a figure of quality or of traffic

	callID, correlationID    []byte
	typ                      []byte
	codecName                []byte
	payloadType              num
	srcIP, dstIP             netip.Addr
	srcPort, dstPort         uint16
	loss, expected, meanLoss num
	mos, meanMOS             num
	rFactor, meanR           num
	jitter, meanJitter       num
}

// member takes one member of the object.
func (a *agentReport) member(d *Decoder, s *scanner) {
	switch string(s.key) {
	case "CORRELATION_ID":
		a.correlationID = s.text(d)
	case "RTP_SIP_CALL_ID", "CALL_ID", "CALLID":
		a.callID = s.text(d)
	case "TYPE":
		a.typ = s.text(d)
	case "SRC_IP":
		a.srcIP = parseAddr(s.text(d))
	case "DST_IP":
		a.dstIP = parseAddr(s.text(d))
	case "SRC_PORT":
		a.srcPort = s.num().u16()
	case "DST_PORT":
		a.dstPort = s.num().u16()
	case "CODEC_NAME":
		a.codecName = s.text(d)
	case "CODEC_PT":
		a.payloadType = s.num()
	case "SSRC":
		if s.peek() == '"' {
			a.r.SSRC = parseSSRC(s.text(d))
		} else {
			a.r.SSRC = s.num().u32()
		}
	case "SEQ":
		a.r.HighestSeq = s.num().u32()
	case "PARTY":
		switch n := s.num(); {
		case n.ok && n.i == 0:
			a.r.Party = PartyCaller
		case n.ok && n.i == 1:
			a.r.Party = PartyCallee
		}
	default:
		a.figure(d, s)
	}
}

// figure takes a member that is a figure. The zeros of keys that an agent fills
// in without having measured them (MAX_SKEW and the like) are kept as sent.
func (a *agentReport) figure(d *Decoder, s *scanner) {
	metric := ""
	var into *num
	switch string(s.key) {
	case "TOTAL_PK", "TOTAL_PACKETS":
		if n := s.num(); n.ok {
			a.r.Packets = n.u64()
			a.known++
		}
		return
	case "TL_BYTE", "TOTAL_BYTES":
		if n := s.num(); n.ok {
			a.r.Octets = n.u64()
			a.known++
		}
		return
	case "PACKET_LOSS", "TOTAL_PACKET_LOSS", "CUM_PACKET_LOSS":
		into = &a.loss
	case "EXPECTED_PK", "TOTAL_EXPECTED_PK":
		into, metric = &a.expected, MetricExpected
	case "MEAN_PACKET_LOSS":
		into, metric = &a.meanLoss, MetricMeanLoss
	case "MOS":
		into = &a.mos
	case "MEAN_MOS":
		into, metric = &a.meanMOS, MetricMeanMOS
	case "MIN_MOS":
		metric = MetricMinMOS
	case "MAX_MOS":
		metric = MetricMaxMOS
	case "RFACTOR":
		into = &a.rFactor
	case "MEAN_RFACTOR":
		into, metric = &a.meanR, MetricMeanRFactor
	case "MIN_RFACTOR":
		metric = MetricMinRFactor
	case "JITTER":
		into = &a.jitter
	case "MEAN_JITTER":
		into, metric = &a.meanJitter, MetricMeanJitterMs
	case "MAX_JITTER":
		metric = MetricMaxJitterMs
	case "DELTA":
		metric = MetricDeltaMs
	case "MAX_DELTA":
		metric = MetricMaxDeltaMs
	case "SKEW":
		metric = MetricSkewMs
	case "MAX_SKEW":
		metric = MetricMaxSkewMs
	case "OUT_ORDER":
		metric = MetricOutOfOrder
	case "SSRC_CHG":
		metric = MetricSSRCChanges
	case "ONE_WAY_RTP":
		metric = MetricOneWayRTP
	case "CLOCK":
		metric = MetricClockHz
	case "DIR":
		metric = MetricDirection
	case "REPORT_START", "REPORT_TS":
		if n := s.num(); n.ok && n.f > 0 && n.f < 1e11 {
			if string(s.key) == "REPORT_START" {
				a.r.Start = int64(n.f * 1e6)
			} else if a.r.Stop == 0 {
				a.r.Stop = int64(n.f * 1e6)
			}
		}
		return
	case "REPORT_END":
		if n := s.num(); n.ok && n.f > 0 && n.f < 1e11 {
			a.r.Stop = int64(n.f * 1e6)
		}
		return
	default:
		s.skip()
		return
	}
	n := s.num()
	if !n.ok {
		return
	}
	a.known++
	if into != nil {
		*into = n
	}
	switch metric {
	case "":
	case MetricMinMOS, MetricMeanMOS, MetricMaxMOS:
		if v := scaleMOS(n.f); v != 0 {
			d.metric(metric, float64(v))
		}
	case MetricMinRFactor, MetricMeanRFactor:
		if v := scaleR(n.f); v != 0 {
			d.metric(metric, float64(v))
		}
	default:
		d.metric(metric, n.f)
	}
}

// finish turns what was read into the report.
func (a *agentReport) finish() {
	r := a.r
	r.Type = agentType(a.typ)
	if r.CallID = a.callID; len(r.CallID) == 0 {
		r.CallID = a.correlationID
	}
	if a.srcIP.IsValid() {
		r.LocalAddr = netip.AddrPortFrom(a.srcIP, a.srcPort)
	}
	if a.dstIP.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(a.dstIP, a.dstPort)
	}
	if r.Codec = a.codecName; len(r.Codec) == 0 && a.payloadType.ok && a.payloadType.i >= 0 && a.payloadType.i < 128 {
		r.Codec = StaticCodec(uint8(a.payloadType.i))
	}
	jitter := first(a.jitter, a.meanJitter)
	if jitter.ok && jitter.f >= 0 && jitter.f <= maxJitterMs {
		r.JitterMs = float32(jitter.f)
	}
	a.losses()
	r.MOS, r.RFactor = scaleMOS(first(a.mos, a.meanMOS).f), scaleR(first(a.rFactor, a.meanR).f)
	r.Reception = a.loss.ok || a.meanLoss.ok || jitter.ok || r.MOS != 0
	if r.MOS != 0 {
		r.MOSMethod = MethodReported
		return
	}
	r.EstimateMOS(nil)
}

// losses sets Lost and FractionLost.
func (a *agentReport) losses() {
	r := a.r
	switch {
	case !a.loss.ok:
		if a.meanLoss.ok { // a percentage
			r.FractionLost = clamp01(a.meanLoss.f / 100)
		}
	case a.loss.f != float64(a.loss.i):
		r.FractionLost = clamp01(a.loss.f / 100)
	default:
		r.Lost = a.loss.i
		total := a.expected.f
		if !a.expected.ok || total <= 0 {
			total = float64(r.Packets) + a.loss.f
		}
		if total > 0 {
			r.FractionLost = clamp01(a.loss.f / total)
		}
	}
}

// first is the first that is a number other than zero.
func first(a, b num) num {
	if a.ok && a.f != 0 || !b.ok {
		return a
	}
	return b
}

// agentType maps the TYPE member.
func agentType(t []byte) string {
	switch {
	case equalFold(t, "periodic"), equalFold(t, "interim"):
		return TypePeriodic
	case equalFold(t, "hangup"), equalFold(t, "final"):
		return TypeFinal
	case equalFold(t, "short"):
		return TypeShort
	}
	return TypeUnspecified
}

// QoS decodes a quality payload whose HEP type does not settle its form (34 to
// 38, or a sender's own): RTCP JSON, horaclifix, an RTP agent's report, or a
// VQ report in text. hepMOS is chunk 0x20 of the HEP packet (hundredths, 0 if
// absent); it stands where the payload gives no MOS, and makes a report of
// source hep-qos alone where the payload gives nothing. clockRate is as in
// RTCPJSON.
func (d *Decoder) QoS(b []byte, hepMOS uint16, clockRate int) ([]Report, error) {
	reports, err := d.sniff(b, clockRate)
	for i := range reports {
		reports[i].HEPQuality(hepMOS, 0)
	}
	if m := scaleMOS(float64(hepMOS)); err != nil && len(reports) == 0 && m != 0 {
		d.reset()
		r := d.add(SourceHEP)
		r.Type, r.Reception = TypeShort, true
		r.MOS, r.MOSMethod = m, MethodReported
		return d.reports, nil
	}
	return reports, err
}

func (d *Decoder) sniff(b []byte, clockRate int) ([]Report, error) {
	text := trim(b)
	if len(text) == 0 || text[0] != '{' {
		return d.VQReport(b)
	}
	switch {
	case bytes.Contains(b, keyBlocks), bytes.Contains(b, keySender), bytes.Contains(b, keySDES):
		return d.RTCPJSON(b, clockRate)
	case bytes.Contains(b, keyInc), bytes.Contains(b, keyOut):
		return d.Horaclifix(b)
	}
	return d.RTPAgent(b)
}

// Keys that only one form has.
var (
	keyBlocks = []byte(`"report_blocks`)
	keySender = []byte(`"sender_information"`)
	keySDES   = []byte(`"sdes_information"`)
	keyInc    = []byte(`"INC_`)
	keyOut    = []byte(`"OUT_R`) // not an agent's OUT_ORDER
)
