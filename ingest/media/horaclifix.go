package media

import (
	"bytes"
	"net/netip"
)

// Horaclifix decodes the JSON in which horaclifix and hepfix put the quality
// records of an Oracle SBC's IPFIX (HEP type 38): two reports, of the stream
// that came in from the caller's side (keys INC_ and CALLER_) and of that from the callee's side (OUT_,
// CALLEE_), each present only if a key of its side is.
//
// Packets, Octets and Lost are of RTP as received, jitter and latency in
// milliseconds; MOS and R-factor come in hundredths or whole. RTCP latency stays
// Extra latency_ms: whether it is one way the record does not say. CallID is
// INC_ID or OUT_ID.
//
// The error is an [*Error]; no-report where no key is known.
func (d *Decoder) Horaclifix(b []byte) ([]Report, error) {
	d.reset()
	s := scanner{b: b, buf: d.key[:0]}
	if err := s.openDocument(); err != nil {
		return nil, err
	}
	var sides [2]sbcSide
	mediaType := num{}
	for s.member() {
		key := s.key
		switch {
		case cutPrefix(&key, "INC_"), cutPrefix(&key, "CALLER_"):
			sides[0].member(d, &s, key)
		case cutPrefix(&key, "OUT_"), cutPrefix(&key, "CALLEE_"):
			sides[1].member(d, &s, key)
		case string(key) == "MEDIA_TYPE":
			mediaType = s.num()
		default:
			s.skip()
		}
	}
	s.end()
	for i := range sides {
		if sides[i].known > 0 {
			sides[i].report(d, i, mediaType)
		}
	}
	err := s.err()
	if len(d.reports) == 0 && err == nil {
		err = &Error{ReasonNoReport, 0}
	}
	return d.reports, err
}

func cutPrefix(b *[]byte, prefix string) bool {
	if len(*b) < len(prefix) || string((*b)[:len(prefix)]) != prefix {
		return false
	}
	*b = (*b)[len(prefix):]
	return true
}

// sbcSide is one direction of the record.
type sbcSide struct {
	known            int
	id               []byte
	srcIP, dstIP     netip.Addr
	srcPort, dstPort uint16
	mos, r           num

	octets, packets, lost, jitter, maxJitter                num // RTP
	cOctets, cPackets, cLost, cJitter, cMaxJit, lat, maxLat num // RTCP
	vlan                                                    num
}

// member takes a member; key is without its side's prefix.
func (x *sbcSide) member(d *Decoder, s *scanner, key []byte) {
	var into *num
	switch string(key) {
	case "ID", "CALL_ID":
		x.id = s.text(d)
		return
	case "SRC_IP":
		x.srcIP = parseAddr(s.text(d))
		return
	case "DST_IP":
		x.dstIP = parseAddr(s.text(d))
		return
	case "SRC_PORT":
		x.srcPort = s.num().u16()
		return
	case "DST_PORT":
		x.dstPort = s.num().u16()
		return
	case "VLAN":
		x.vlan = s.num()
		return
	case "MOS":
		into = &x.mos
	case "RVAL":
		into = &x.r
	case "RTP_BYTE":
		into = &x.octets
	case "RTP_PK":
		into = &x.packets
	case "RTP_PK_LOSS":
		into = &x.lost
	case "RTP_AVG_JITTER":
		into = &x.jitter
	case "RTP_MAX_JITTER":
		into = &x.maxJitter
	case "RTCP_BYTE":
		into = &x.cOctets
	case "RTCP_PK":
		into = &x.cPackets
	case "RTCP_PK_LOSS":
		into = &x.cLost
	case "RTCP_AVG_JITTER":
		into = &x.cJitter
	case "RTCP_MAX_JITTER":
		into = &x.cMaxJit
	case "RTCP_AVG_LAT":
		into = &x.lat
	case "RTCP_MAX_LAT":
		into = &x.maxLat
	default:
		s.skip()
		return
	}
	if n := s.num(); n.ok {
		*into = n
		x.known++
	}
}

// report adds the side's report.
func (x *sbcSide) report(d *Decoder, side int, mediaType num) {
	r := d.add(SourceHoraclifix)
	r.Type, r.Reception = TypeFinal, true
	r.Party = [...]string{PartyCaller, PartyCallee}[side]
	r.CallID = bytes.Trim(x.id, "\x00 ")
	if x.srcIP.IsValid() {
		r.LocalAddr = netip.AddrPortFrom(x.srcIP, x.srcPort)
	}
	if x.dstIP.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(x.dstIP, x.dstPort)
	}
	r.Packets, r.Octets, r.Lost = x.packets.u64(), x.octets.u64(), x.lost.i
	if total := x.packets.f + x.lost.f; total > 0 {
		r.FractionLost = clamp01(x.lost.f / total)
	}
	if x.jitter.f >= 0 && x.jitter.f <= maxJitterMs {
		r.JitterMs = float32(x.jitter.f)
	}
	if r.MOS = scaleMOS(x.mos.f); r.MOS != 0 {
		r.MOSMethod = MethodReported
	}
	r.RFactor = scaleR(x.r.f)
	for _, m := range [...]struct {
		name string
		n    num
	}{
		{MetricMaxJitterMs, x.maxJitter},
		{MetricRTCPPackets, x.cPackets}, {MetricRTCPOctets, x.cOctets}, {MetricRTCPLost, x.cLost},
		{MetricRTCPJitterMs, x.cJitter}, {MetricRTCPMaxJitter, x.cMaxJit},
		{MetricLatencyMs, x.lat}, {MetricMaxLatencyMs, x.maxLat},
		{MetricVLAN, x.vlan}, {MetricMediaType, mediaType},
	} {
		if m.n.ok {
			d.metric(m.name, m.n.f)
		}
	}
	if r = &d.reports[len(d.reports)-1]; r.MOSMethod == "" {
		r.EstimateMOS(nil)
	}
}
