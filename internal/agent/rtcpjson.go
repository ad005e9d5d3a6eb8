package agent

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/heplake/heplake/ingest/media"
)

// rtcpJSON turns RTCP into the JSON that HEP type 5 stands for and that other
// collectors want: the form of rtpengine and captagent, with heplify's
// voip_metrics for what an XR block says beyond it. The zero value is ready.
type rtcpJSON struct {
	decoder media.Decoder
	buf     []byte
}

// Packet types of RFC 3550 section 12.1 and RFC 3611 section 2.
var rtcpTypes = map[string]uint64{media.TypeSR: 200, media.TypeRR: 201, media.TypeSDES: 202, media.TypeBYE: 203, media.TypeXR: 207}

// convert returns a compound as JSON; it holds until the next call. ok is false
// for one that is broken or encrypted, or says only what JSON has no words for:
// feedback and application-defined packets.
func (c *rtcpJSON) convert(compound []byte) (text []byte, ok bool) {
	reports, err := c.decoder.RTCP(compound, 0)
	if err != nil || len(reports) == 0 {
		return nil, false
	}
	typ, known := rtcpTypes[reports[0].Type]
	if !known {
		return nil, false
	}
	first := &reports[0]
	c.buf = append(c.buf[:0], '{')
	if first.Type == media.TypeSR {
		c.object("sender_information")
		c.number("ntp_timestamp_sec", first.NTP>>32)
		c.number("ntp_timestamp_usec", first.NTP&math.MaxUint32) // so called; senders write the NTP fraction
		c.number("octets", first.Octets)
		c.number("rtp_timestamp", uint64(first.RTPTime))
		c.number("packets", first.Packets)
		c.close('}')
	}
	c.number("ssrc", uint64(first.Reporter))
	c.number("type", typ)
	blocks, xrs := 0, 0
	for i := range reports {
		switch r := &reports[i]; {
		case isVoIP(r):
			xrs++
		case isBlock(r):
			blocks++
		}
	}
	c.number("report_count", uint64(blocks))
	c.blocks(reports)
	if xrs > 0 {
		c.extended(reports, xrs)
	}
	if len(first.CNAME) > 0 {
		c.number("sdes_ssrc", uint64(first.Reporter))
		c.number("sdes_report_count", 1)
		c.key("sdes_information")
		c.buf = append(c.buf, `[{"sdes_chunk_ssrc":`...)
		c.buf = strconv.AppendUint(c.buf, uint64(first.Reporter), 10)
		c.buf = append(c.buf, `,"type":1,"text":`...)
		c.quote(first.CNAME)
		c.buf = append(c.buf, `}],`...)
	}
	c.close('}')
	return c.buf[:len(c.buf)-1], true
}

// isBlock tells report blocks of SR and RR.
func isBlock(r *media.Report) bool { return r.Reception && r.Source == media.SourceRTCP }

// isVoIP tells VoIP metrics blocks from XR's other blocks, of which the JSON
// form knows none.
func isVoIP(r *media.Report) bool {
	_, ok := r.Metric(media.MetricRXConfig)
	return ok && r.Source == media.SourceRTCPXR
}

// blocks writes the report blocks of SR and RR.
func (c *rtcpJSON) blocks(reports []media.Report) {
	c.key("report_blocks")
	c.buf = append(c.buf, '[')
	for i := range reports {
		r := &reports[i]
		if !isBlock(r) {
			continue
		}
		c.buf = append(c.buf, '{')
		c.number("source_ssrc", uint64(r.SSRC))
		c.number("highest_seq_no", uint64(r.HighestSeq))
		c.number("fraction_lost", per256(r.FractionLost))
		c.number("ia_jitter", uint64(r.JitterRaw))
		c.key("packets_lost")
		c.buf = append(strconv.AppendInt(c.buf, r.Lost, 10), ',')
		c.number("lsr", uint64(r.LSR))
		c.number("dlsr", uint64(r.DLSR))
		c.close('}')
	}
	c.close(']')
}

// extended writes the VoIP metrics blocks of XR (RFC 3611 section 4.7): one as
// an object, as the senders above do, several as an array.
func (c *rtcpJSON) extended(reports []media.Report, n int) {
	c.key("report_blocks_xr")
	if n > 1 {
		c.buf = append(c.buf, '[')
	}
	var full *media.Report
	for i := range reports {
		r := &reports[i]
		if !isVoIP(r) {
			continue
		}
		full = r
		c.buf = append(c.buf, '{')
		c.number("id", uint64(r.SSRC))
		c.short(r)
		c.close('}')
	}
	if n > 1 {
		c.close(']')
		return
	}
	c.object("voip_metrics")
	c.number("ssrc", uint64(full.SSRC))
	c.short(full)
	for _, m := range [...]struct{ key, metric string }{
		{"signal_level", media.MetricSignalLevel}, {"noise_level", media.MetricNoiseLevel}, {"rerl", media.MetricRERL},
		{"gmin", media.MetricGmin}, {"ext_r_factor", media.MetricExtRFactor}, {"mos_lq", media.MetricMOSLQ}, {"mos_cq", media.MetricMOSCQ},
		{"rx_config", media.MetricRXConfig}, {"jb_nominal", media.MetricJBNominalMs}, {"jb_maximum", media.MetricJBMaxMs}, {"jb_abs_max", media.MetricJBAbsMaxMs},
	} {
		const unavailable = 127
		v, ok := full.Metric(m.metric)
		if !ok {
			v = unavailable
		}
		c.key(m.key)
		c.buf = append(strconv.AppendFloat(c.buf, v, 'f', -1, 64), ',')
	}
	c.number("r_factor", uint64(full.RFactor))
	c.close('}')
}

// short writes the part of a VoIP metrics block that all senders write.
func (c *rtcpJSON) short(r *media.Report) {
	metric := func(name string) float32 {
		v, _ := r.Metric(name)
		return float32(v)
	}
	c.number("fraction_lost", per256(r.FractionLost))
	c.number("fraction_discard", per256(metric(media.MetricDiscardRate)))
	c.number("burst_density", per256(metric(media.MetricBurstDensity)))
	c.number("gap_density", per256(metric(media.MetricGapDensity)))
	c.number("burst_duration", uint64(metric(media.MetricBurstMs)))
	c.number("gap_duration", uint64(metric(media.MetricGapMs)))
	c.number("round_trip_delay", uint64(r.RTTMs))
	c.number("end_system_delay", uint64(metric(media.MetricEndSystemMs)))
}

// per256 is a ratio as the 8-bit fixed-point number that it came as.
func per256(ratio float32) uint64 { return uint64(math.Round(float64(ratio) * 256)) }

// quote writes a JSON string (RFC 8259 section 7), without memory of its own.
// What is no UTF-8 becomes U+FFFD.
func (c *rtcpJSON) quote(text []byte) {
	const hex = "0123456789abcdef"
	c.buf = append(c.buf, '"')
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '"' || r == '\\':
			c.buf = append(c.buf, '\\', byte(r))
		case r < ' ':
			c.buf = append(c.buf, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			c.buf = utf8.AppendRune(c.buf, r)
		}
		text = text[n:]
	}
	c.buf = append(c.buf, '"')
}

func (c *rtcpJSON) key(k string) {
	c.buf = append(append(append(c.buf, '"'), k...), `":`...)
}

func (c *rtcpJSON) number(k string, v uint64) {
	c.key(k)
	c.buf = append(strconv.AppendUint(c.buf, v, 10), ',')
}

func (c *rtcpJSON) object(k string) {
	c.key(k)
	c.buf = append(c.buf, '{')
}

// close ends an object or an array, whose last comma it takes away.
func (c *rtcpJSON) close(end byte) {
	if last := len(c.buf) - 1; c.buf[last] == ',' {
		c.buf = c.buf[:last]
	}
	c.buf = append(c.buf, end, ',')
}
