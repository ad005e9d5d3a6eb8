package media

import "math"

// jsonRTCP is a compound in JSON as it is walked.
type jsonRTCP struct {
	compound
	typ    int64
	xrList []voipMetrics // report_blocks_xr
	vm     voipMetrics   // voip_metrics
	vmSeen bool
}

// RTCPJSON decodes HEP type 5: an RTCP compound that a sender has put in JSON.
// The form is that of rtpengine, captagent, heplify, Kamailio, OpenSIPS,
// Asterisk and hep-js: keys in any order, unknown keys, numbers as strings,
// report_blocks as array or as one object, cumulative loss signed or not.
//
// There is one report for each report block, one for each VoIP metrics block
// with a figure in it, and one for a payload that has neither. clockRate is
// the RTP clock in Hz for jitter; 0 is taken as 8000. Reports hold until the
// next call. A MOS is estimated (see [Report.EstimateMOS]) unless reported.
//
// On malformed JSON the error is an [*Error], and the reports are what was
// whole before the fault, often none.
func (d *Decoder) RTCPJSON(b []byte, clockRate int) ([]Report, error) {
	d.reset()
	s := scanner{b: b, buf: d.key[:0]}
	if err := s.openDocument(); err != nil {
		return nil, err
	}
	c := &d.json
	*c = jsonRTCP{xrList: c.xrList[:0]}
	for s.member() {
		d.rtcpMember(&s, c, clockRate)
	}
	s.end()
	err := s.err()
	if err != nil && len(d.reports) == 0 && !c.sr && len(c.xrList) == 0 && !c.vmSeen {
		return nil, err
	}
	d.finishJSON(c, clockRate)
	return d.reports, err
}

// openDocument steps into the object at the top.
func (s *scanner) openDocument() error {
	s.blanks()
	if len(clean(s.b[s.i:])) == 0 {
		return &Error{ReasonEmpty, s.i}
	}
	if s.peek() != '{' {
		at := s.i
		if s.skip(); s.reason != "" {
			return s.err()
		}
		return &Error{ReasonNotObject, at}
	}
	s.enter('{')
	return nil
}

func (d *Decoder) rtcpMember(s *scanner, c *jsonRTCP, clockRate int) {
	switch string(s.key) {
	case "ssrc":
		c.ssrc = s.num().u32()
	case "type":
		c.typ = s.num().i
	case "sender_information":
		d.senderJSON(s, c)
	case "report_blocks":
		d.reports = d.reports[:0]
		d.each(s, func() { d.blockJSON(s, clockRate) })
	case "report_blocks_xr":
		c.xrList = c.xrList[:0]
		d.each(s, func() {
			var m voipMetrics
			m.walk(s)
			c.xrList = append(c.xrList, m)
		})
	case "voip_metrics":
		c.vm, c.vmSeen = voipMetrics{}, false
		if s.peek() == '{' {
			c.vm.walk(s)
			c.vmSeen = true
		} else {
			s.skip()
		}
	case "sdes_ssrc":
		c.sdesSSRC = s.num().u32()
	case "sdes_report_count":
		c.sdes = s.num().i > 0 || c.sdes
	case "sdes_information":
		c.cname, c.cnameSSRC = nil, 0
		d.each(s, func() { d.sdesJSON(s, c) })
	default:
		s.skip()
	}
}

// each calls f at each object of an array, or at the one object that stands in
// its place. Other values are skipped.
func (d *Decoder) each(s *scanner, f func()) {
	switch s.peek() {
	case '{':
		f()
	case '[':
		if s.enter('[') {
			for s.element() {
				if s.peek() == '{' {
					f()
				} else {
					s.skip()
				}
			}
		}
	default:
		s.skip()
	}
}

func (d *Decoder) senderJSON(s *scanner, c *jsonRTCP) {
	c.sr, c.packets, c.octets, c.ntp, c.rtpTime = false, 0, 0, 0, 0
	if s.peek() != '{' {
		s.skip()
		return
	}
	s.enter('{')
	var sec, frac uint32
	for s.member() {
		switch string(s.key) {
		case "ntp_timestamp_sec":
			sec = s.num().u32()
		case "ntp_timestamp_usec":
			// Named microseconds, sent as the NTP fraction.
			frac = s.num().u32()
		case "rtp_timestamp":
			c.rtpTime = s.num().u32()
		case "packets":
			c.packets = s.num().u64()
		case "octets":
			c.octets = s.num().u64()
		default:
			s.skip()
		}
	}
	c.ntp = uint64(sec)<<32 | uint64(frac)
	c.sr = c.ntp != 0 || c.rtpTime != 0 || c.packets != 0 || c.octets != 0
}

func (d *Decoder) blockJSON(s *scanner, clockRate int) {
	r := d.add(SourceRTCP)
	r.Reception = true
	s.enter('{')
	for s.member() {
		switch string(s.key) {
		case "source_ssrc":
			r.SSRC = s.num().u32()
		case "fraction_lost":
			r.FractionLost = clamp01(s.num().f / 256)
		case "packets_lost":
			r.Lost = signed24(s.num().i)
		case "highest_seq_no":
			r.HighestSeq = s.num().u32()
		case "ia_jitter":
			r.jitter(s.num().u32(), clockRate)
		case "lsr":
			r.LSR = s.num().u32()
		case "dlsr":
			r.DLSR = s.num().u32()
		default:
			s.skip()
		}
	}
	if s.reason != "" { // cut within the block: its zeros would be lies
		d.reports = d.reports[:len(d.reports)-1]
	}
}

func (d *Decoder) sdesJSON(s *scanner, c *jsonRTCP) {
	c.sdes = true
	var ssrc uint32
	var item int64
	var text []byte
	s.enter('{')
	for s.member() {
		switch string(s.key) {
		case "sdes_chunk_ssrc", "ssrc":
			ssrc = s.num().u32()
		case "type":
			item = s.num().i
		case "text":
			text = s.text(d)
		default:
			s.skip()
		}
	}
	if s.reason != "" {
		return
	}
	if c.sdesSSRC == 0 {
		c.sdesSSRC = ssrc
	}
	if item == sdesCNAME && len(text) > 0 {
		c.addCNAME(ssrc, text)
	}
}

// walk reads a VoIP metrics block in JSON: heplify's and captagent's short
// report_blocks_xr, or heplify's full voip_metrics, whose MOS are not in tenths.
func (m *voipMetrics) walk(s *scanner) {
	s.enter('{')
	for s.member() {
		key := s.key
		switch string(key) {
		case "id", "ssrc", "source_ssrc":
			m.ssrc = s.num().u32()
		case "fraction_lost", "loss_rate":
			m.loss = s.num().u8()
		case "fraction_discard", "discard_rate":
			m.discard = s.num().u8()
		case "burst_density":
			m.burstDensity = s.num().u8()
		case "gap_density":
			m.gapDensity = s.num().u8()
		case "burst_duration":
			m.burst = s.num().u16()
		case "gap_duration":
			m.gap = s.num().u16()
		case "round_trip_delay":
			m.rtd = s.num().u16()
		case "end_system_delay":
			m.esd = s.num().u16()
		default:
			m.walkRest(s, string(key))
		}
	}
}

// walkRest reads the second half of the block, which few senders give.
func (m *voipMetrics) walkRest(s *scanner, key string) {
	known := true
	switch key {
	case "signal_level":
		m.signal = s.num().i8()
	case "noise_level":
		m.noise = s.num().i8()
	case "rerl":
		m.rerl = s.num().u8()
	case "gmin":
		m.gmin = s.num().u8()
	case "r_factor":
		m.rFactor = s.num().u8()
	case "ext_r_factor":
		m.extRFactor = s.num().u8()
	case "mos_lq":
		m.mosLQ = tenths(s.num().f)
	case "mos_cq":
		m.mosCQ = tenths(s.num().f)
	case "rx_config":
		m.rxConfig = s.num().u8()
	case "jb_nominal":
		m.jbNominal = s.num().u16()
	case "jb_maximum":
		m.jbMax = s.num().u16()
	case "jb_abs_max":
		m.jbAbsMax = s.num().u16()
	default:
		known = false
		s.skip()
	}
	m.full = m.full || known
}

// tenths brings a MOS of 4.1 or 41 to 41, and unavailable, 12.7 or 127, to 127.
func tenths(mos float64) uint8 {
	if mos > 0 && (mos < 10 || mos != math.Trunc(mos)) {
		mos *= 10
	}
	return uint8(min(max(mos+0.5, 0), 255))
}

// figures tells whether the block says anything: heplify sends it all zero
// where there was no XR.
func (m *voipMetrics) figures() bool {
	z := *m
	z.full, z.ssrc = false, 0
	return z != voipMetrics{}
}

// finishJSON gives the blocks their sender and adds what is no block.
func (d *Decoder) finishJSON(c *jsonRTCP, clockRate int) {
	switch c.typ {
	case rtcpSR:
		c.sr = true
	case rtcpRR:
		c.sr, c.rr = false, true
	case rtcpSDES:
		c.sdes = true
	case rtcpBYE:
		c.bye = true
	case rtcpApp:
		c.app = true
	case rtcpRTPFB, rtcpPSFB:
		c.feedback = true
	case rtcpXR:
		c.xr = true
	}
	if c.sdesSSRC != 0 {
		c.sdes = true
	}
	for i := range d.reports {
		r := &d.reports[i]
		r.Type, r.Reporter = TypeRR, c.ssrc
		if c.sr {
			r.Type = TypeSR
			c.senderOf(r)
		}
	}
	if c.sr && len(d.reports) == 0 {
		d.fallback(&c.compound)
	}
	if n := len(c.xrList); c.vmSeen && n == 1 && (c.xrList[0].ssrc == c.vm.ssrc || c.xrList[0].ssrc == 0) {
		c.xrList = c.xrList[:0] // the same block in short
	}
	for i := range c.xrList {
		if c.xrList[i].figures() {
			d.addVoIP(c.ssrc, &c.xrList[i])
		}
	}
	if c.vmSeen && c.vm.figures() {
		d.addVoIP(c.ssrc, &c.vm)
	}
	if len(d.reports) == 0 {
		d.fallback(&c.compound)
	}
	d.seal(&c.compound, clockRate)
}
