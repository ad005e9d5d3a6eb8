package media

import (
	"encoding/binary"
	"math/bits"
)

// Feedback message types: the FMT field of RTPFB and PSFB packets, as the IANA
// registry of RTP parameters lists them.
const (
	fmtNACK  = 1  // RFC 4585 6.2.1
	fmtTMMBR = 3  // RFC 5104 4.2.1
	fmtTMMBN = 4  // RFC 5104 4.2.2
	fmtSRREQ = 5  // RFC 6051 3
	fmtRAMS  = 6  // RFC 6285 7
	fmtTLLEI = 7  // RFC 6642 4
	fmtECN   = 8  // RFC 6679 5.1
	fmtPause = 9  // RFC 7728 5
	fmtCCFB  = 11 // RFC 8888 3.1
	fmtTWCC  = 15 // draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1

	fmtPLI  = 1  // RFC 4585 6.3.1
	fmtSLI  = 2  // RFC 4585 6.3.2
	fmtRPSI = 3  // RFC 4585 6.3.3
	fmtFIR  = 4  // RFC 5104 4.3.1
	fmtTSTR = 5  // RFC 5104 4.3.2
	fmtTSTN = 6  // RFC 5104 4.3.3
	fmtVBCM = 7  // RFC 5104 4.3.4
	fmtLRR  = 10 // RFC 9627 2
	fmtAFB  = 15 // RFC 4585 6.4, application layer; REMB is one
)

// feedbackHead is the length of what every feedback packet begins with behind
// its RTCP header: the SSRCs of the sender and of the media source.
const feedbackHead = 8

var (
	transportNames = [32]string{
		fmtNACK: MetricNACK, fmtTMMBR: MetricTMMBR, fmtTMMBN: MetricTMMBN, fmtSRREQ: MetricSRREQ, fmtRAMS: MetricRAMS,
		fmtTLLEI: MetricTLLEI, fmtECN: MetricECN, fmtPause: MetricPause, fmtCCFB: MetricCCFB, fmtTWCC: MetricTWCC,
	}
	payloadNames = [32]string{
		fmtPLI: MetricPLI, fmtSLI: MetricSLI, fmtRPSI: MetricRPSI, fmtFIR: MetricFIR, fmtTSTR: MetricTSTR, fmtTSTN: MetricTSTN,
		fmtVBCM: MetricVBCM, fmtLRR: MetricLRR, fmtAFB: MetricAFB,
	}
)

// feedbacks adds a report for each feedback packet of a compound, of which b is
// the part that was found to be whole. The packets' lengths are known to fit.
func (d *Decoder) feedbacks(b []byte) *Error {
	for at := 0; at < len(b); {
		p := b[at:]
		n := 4 * (int(binary.BigEndian.Uint16(p[2:])) + 1)
		if typ := p[1]; typ == rtcpRTPFB || typ == rtcpPSFB {
			body := p[rtcpHeaderLen:n]
			if p[0]&0x20 != 0 {
				body = body[:len(body)-int(body[len(body)-1])]
			}
			if !d.feedback(typ, p[0]&0x1f, body) {
				return &Error{ReasonLength, at}
			}
		}
		at += n
	}
	return nil
}

// feedback adds the report of one feedback packet (RFC 4585 6.1): who wants what
// of which stream. What kind it is, is a metric by its name, whose value is the
// number of entries in the packet. It returns false where the packet is too
// short for what it says.
func (d *Decoder) feedback(typ, format uint8, body []byte) bool {
	if len(body) < feedbackHead {
		return false
	}
	r := d.add(SourceRTCP)
	r.Type = TypeFeedback
	r.Reporter = binary.BigEndian.Uint32(body)
	r.SSRC = binary.BigEndian.Uint32(body[4:])
	info := body[feedbackHead:]
	if typ == rtcpRTPFB {
		return d.transportFeedback(r, format, info)
	}
	return d.payloadFeedback(r, format, info)
}

// transportFeedback reads the control information of an RTPFB packet.
func (d *Decoder) transportFeedback(r *Report, format uint8, info []byte) bool {
	name := transportNames[format]
	if name == "" {
		d.metric(MetricRTPFB, float64(format))
		return true
	}
	switch format {
	case fmtNACK:
		d.metric(name, float64(len(info)/4))
		return d.nacks(info)
	case fmtTMMBR, fmtTMMBN:
		d.metric(name, float64(len(info)/8))
		if len(info) < 8 {
			return format == fmtTMMBN // which may be empty
		}
		r.SSRC = binary.BigEndian.Uint32(info)
		// Exponent 6 bits, mantissa 17, overhead 9 (RFC 5104 4.2.1.1).
		word := binary.BigEndian.Uint32(info[4:])
		d.metric(MetricMaxBitrate, float64(word>>9&0x1ffff)*pow2(word>>26))
	case fmtTWCC:
		d.metric(name, 1)
		return d.transportWide(info)
	default:
		d.metric(name, 1)
	}
	return true
}

// payloadFeedback reads the control information of a PSFB packet.
func (d *Decoder) payloadFeedback(r *Report, format uint8, info []byte) bool {
	name := payloadNames[format]
	switch {
	case name == "":
		d.metric(MetricPSFB, float64(format))
		return true
	case format == fmtFIR:
		d.metric(name, float64(len(info)/8))
		if len(info) < 8 {
			return false
		}
		r.SSRC = binary.BigEndian.Uint32(info) // the head's is not used, RFC 5104 4.3.1.2
		d.metric(MetricFIRSeq, float64(info[4]))
	case format == fmtAFB && len(info) >= 8 && string(info[:4]) == "REMB":
		return d.remb(r, info)
	default:
		d.metric(name, 1)
	}
	return true
}

// nacks counts the packets that generic NACKs ask for again (RFC 4585 6.2.1):
// in each entry one, and one for each bit of the mask.
func (d *Decoder) nacks(info []byte) bool {
	lost := 0
	for ; len(info) >= 4; info = info[4:] {
		lost += 1 + bits.OnesCount16(binary.BigEndian.Uint16(info[2:]))
	}
	d.metric(MetricNACKPackets, float64(lost))
	return lost > 0 && len(info) == 0
}

// remb reads the receiver's estimate of the bandwidth
// (draft-alvestrand-rmcat-remb-03 2.2): number of SSRCs 8 bits, exponent 6,
// mantissa 18, then the SSRCs it is for.
func (d *Decoder) remb(r *Report, info []byte) bool {
	word := binary.BigEndian.Uint32(info[4:])
	streams := int(word >> 24)
	d.metric(MetricREMB, float64(streams))
	d.metric(MetricMaxBitrate, float64(word&0x3ffff)*pow2(word>>18&0x3f))
	info = info[8:]
	if streams > 0 && len(info) >= 4 && r.SSRC == 0 {
		r.SSRC = binary.BigEndian.Uint32(info)
	}
	return len(info) >= 4*streams
}

// transportWide counts the packets that transport-wide congestion control speaks
// of, and those of them that did not arrive
// (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1).
func (d *Decoder) transportWide(info []byte) bool {
	if len(info) < 8 {
		return false
	}
	total := int(binary.BigEndian.Uint16(info[2:]))
	d.metric(MetricBeginSeq, float64(binary.BigEndian.Uint16(info)))
	d.metric(MetricTWCCPackets, float64(total))
	received, left := 0, total
	for info = info[8:]; left > 0; info = info[2:] {
		if len(info) < 2 {
			return false
		}
		chunk := binary.BigEndian.Uint16(info)
		n, arrived := statuses(chunk, left)
		if n == 0 {
			return false // a run of no packets
		}
		left -= n
		received += arrived
	}
	d.metric(MetricTWCCLost, float64(total-received))
	return true
}

// statuses is the number of packets that a status chunk speaks of, left at most,
// and how many of them arrived (ibid. 3.1.3, 3.1.4). Status 0 is a packet that
// did not.
func statuses(chunk uint16, left int) (n, arrived int) {
	switch {
	case chunk&0x8000 == 0: // a run: status 2 bits, length 13
		n = min(int(chunk&0x1fff), left)
		if chunk>>13 != 0 {
			arrived = n
		}
		return n, arrived
	case chunk&0x4000 == 0: // 14 packets, one bit each
		n = min(14, left)
		return n, bits.OnesCount16(chunk & 0x3fff >> (14 - n) << (14 - n))
	}
	n = min(7, left) // 7 packets, two bits each
	for i := range n {
		if chunk>>(12-2*i)&3 != 0 {
			arrived++
		}
	}
	return n, arrived
}

// pow2 is 2 to the power of an exponent of at most 63.
func pow2(exponent uint32) float64 { return float64(uint64(1) << (exponent & 63)) }
