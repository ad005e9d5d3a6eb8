package media

import "encoding/binary"

// sdesCNAME is the SDES item type of the canonical name (RFC 3550 6.5.1).
const sdesCNAME = 1

const (
	rtcpHeaderLen = 4
	srInfoLen     = 20 // sender information of an SR, behind its SSRC
	rtcpBlockLen  = 24 // report block of an SR or RR
)

// RTCP decodes a compound RTCP packet as it is on the wire (RFC 3550 6.1,
// extended reports RFC 3611). There is one report for each report block of its
// SR and RR packets, one for an SR without blocks, one for each XR block that
// gives figures of quality, one for each feedback packet behind those (RFC 4585),
// and one for a compound that has none of these.
// clockRate is as in RTCPJSON. Reports hold until the next call.
//
// A compound with a fault gives an [*Error] and the reports before the fault.
func (d *Decoder) RTCP(b []byte, clockRate int) ([]Report, error) {
	d.reset()
	if len(b) == 0 {
		return nil, &Error{ReasonEmpty, 0}
	}
	var c compound
	var fault *Error
	packets, whole := 0, 0
	for ; whole < len(b); packets++ {
		var n int
		if n, fault = d.rtcpPacket(b, whole, &c, clockRate); fault != nil {
			break
		}
		whole += n
	}
	if packets == 0 && len(d.reports) == 0 {
		return nil, fault
	}
	if len(d.reports) == 0 && !c.onlyFeedback() {
		d.fallback(&c)
	}
	if c.feedback {
		if bad := d.feedbacks(b[:whole]); fault == nil {
			fault = bad
		}
		if len(d.reports) == 0 {
			d.fallback(&c)
		}
	}
	d.seal(&c, clockRate)
	if fault != nil {
		return d.reports, fault
	}
	return d.reports, nil
}

// rtcpPacket decodes one packet of the compound and returns its length.
func (d *Decoder) rtcpPacket(b []byte, at int, c *compound, clockRate int) (int, *Error) {
	p := b[at:]
	if len(p) < rtcpHeaderLen {
		return 0, &Error{ReasonTruncated, at}
	}
	if p[0]>>6 != 2 {
		return 0, &Error{ReasonVersion, at}
	}
	n := 4 * (int(binary.BigEndian.Uint16(p[2:])) + 1)
	if n > len(p) {
		return 0, &Error{ReasonTruncated, at}
	}
	body := p[rtcpHeaderLen:n]
	if p[0]&0x20 != 0 { // padding, RFC 3550 6.4.1
		if len(body) == 0 {
			return 0, &Error{ReasonLength, at}
		}
		pad := int(body[len(body)-1])
		if pad == 0 || pad > len(body) {
			return 0, &Error{ReasonLength, at}
		}
		body = body[:len(body)-pad]
	}
	count := int(p[0] & 0x1f)
	ok := true
	switch p[1] {
	case rtcpSR:
		ok = d.senderReport(body, count, c, clockRate)
	case rtcpRR:
		ok = d.receiverReport(body, count, c, clockRate)
	case rtcpSDES:
		c.sdes = true
		ok = sourceDescription(body, count, c)
	case rtcpBYE:
		c.bye = true
		if ok = len(body) >= 4*count; ok && count > 0 {
			c.byeSSRC = binary.BigEndian.Uint32(body)
		}
	case rtcpXR:
		c.xr = true
		ok = d.extendedReport(body, c, clockRate)
	case rtcpApp:
		c.app = true
		c.reporter(body)
	case rtcpRTPFB, rtcpPSFB:
		c.feedback = true
		c.reporter(body)
	default:
		// RFC 3550 6.1 has receivers skip unknown types; 192..223 can be
		// RTCP at all (RFC 5761 4).
		if p[1] < 192 || p[1] > 223 {
			return 0, &Error{ReasonType, at + 1}
		}
		c.app = true
	}
	if !ok {
		return 0, &Error{ReasonLength, at}
	}
	return n, nil
}

// reporter keeps the SSRC at the head of a packet body, if none is known yet.
func (c *compound) reporter(body []byte) {
	if len(body) >= 4 && c.ssrc == 0 {
		c.ssrc = binary.BigEndian.Uint32(body)
	}
}

func (d *Decoder) senderReport(body []byte, count int, c *compound, clockRate int) bool {
	if len(body) < 4+srInfoLen {
		return false
	}
	c.sr = true
	c.ssrc = binary.BigEndian.Uint32(body)
	c.ntp = binary.BigEndian.Uint64(body[4:])
	c.rtpTime = binary.BigEndian.Uint32(body[12:])
	c.packets = uint64(binary.BigEndian.Uint32(body[16:]))
	c.octets = uint64(binary.BigEndian.Uint32(body[20:]))
	if count == 0 {
		r := d.add(SourceRTCP)
		r.Type, r.SSRC = TypeSR, c.ssrc
		c.senderOf(r)
	}
	return d.blocks(body[4+srInfoLen:], count, c, TypeSR, clockRate)
}

func (d *Decoder) receiverReport(body []byte, count int, c *compound, clockRate int) bool {
	if len(body) < 4 {
		return false
	}
	c.rr = true
	c.ssrc = binary.BigEndian.Uint32(body)
	return d.blocks(body[4:], count, c, TypeRR, clockRate)
}

// blocks decodes report blocks (RFC 3550 6.4.1). What follows them is a
// profile's extension and is skipped.
func (d *Decoder) blocks(b []byte, count int, c *compound, typ string, clockRate int) bool {
	for ; count > 0; count-- {
		if len(b) < rtcpBlockLen {
			return false
		}
		r := d.add(SourceRTCP)
		r.Type, r.Reception, r.Reporter = typ, true, c.ssrc
		if typ == TypeSR {
			c.senderOf(r)
		}
		r.SSRC = binary.BigEndian.Uint32(b)
		r.FractionLost = ratio256(b[4])
		r.Lost = signed24(int64(binary.BigEndian.Uint32(b[4:]) & 0xffffff))
		r.HighestSeq = binary.BigEndian.Uint32(b[8:])
		r.jitter(binary.BigEndian.Uint32(b[12:]), clockRate)
		r.LSR = binary.BigEndian.Uint32(b[16:])
		r.DLSR = binary.BigEndian.Uint32(b[20:])
		b = b[rtcpBlockLen:]
	}
	return true
}

// sourceDescription keeps the canonical names (RFC 3550 6.5).
func sourceDescription(b []byte, count int, c *compound) bool {
	for i := 0; i < count; i++ {
		if len(b) < 4 {
			return false
		}
		ssrc := binary.BigEndian.Uint32(b)
		if c.sdesSSRC == 0 {
			c.sdesSSRC = ssrc
		}
		j := 4
		for {
			if j >= len(b) {
				return false
			}
			if b[j] == 0 { // end of the list; the next chunk starts on a 32-bit boundary
				j = (j + 4) &^ 3
				break
			}
			if j+2 > len(b) || j+2+int(b[j+1]) > len(b) {
				return false
			}
			text := b[j+2 : j+2+int(b[j+1])]
			if b[j] == sdesCNAME && len(text) > 0 {
				c.addCNAME(ssrc, text)
			}
			j += 2 + len(text)
		}
		if j > len(b) {
			return false
		}
		b = b[j:]
	}
	return true
}
