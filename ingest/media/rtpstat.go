package media

import "bytes"

// RTPStat decodes the value of an X-RTP-Stat, P-RTP-Stat or
// X-Siemens-RTP-Stats header, which phones and gateways put in a BYE or its
// answer: "CS=120;PS=1234;OS=197440;PR=1236;OR=197760;PL=3,0;JI=2.5,1.0;…", with
// semicolons (AVM, AudioCodes, Siemens, baresip) or commas (Cisco, Poly)
// between parameters. It gives one report, of the direction that the sender of
// the header received: PR, OR, PL, JI, DE. Where PL, PD or JI give two values they are
// received and sent; what was sent goes to Extra (PS, OS and the second values).
//
// RTTMs is taken from RTT alone (microseconds above 10000, as stacks on libre
// send it); LA and DL, on whose meaning vendors differ, stay Extra latency_ms.
// A parameter of another name is skipped.
//
// The error is an [*Error]: empty, or no-report where no parameter is known.
func (d *Decoder) RTPStat(b []byte) ([]Report, error) {
	d.reset()
	if len(trim(b)) == 0 {
		return nil, &Error{ReasonEmpty, 0}
	}
	st := rtpStat{d: d, r: d.add(SourceRTPStat)}
	for rest := b; len(rest) > 0; {
		n := bytes.IndexAny(rest, ";,")
		token := rest
		if n < 0 {
			rest = nil
		} else {
			token, rest = rest[:n], rest[n+1:]
		}
		key, value, ok := bytes.Cut(trim(token), equals)
		if !ok {
			// A second value behind a comma, as in "PL=3,0".
			st.nth++
			st.param(trim(token))
			continue
		}
		st.key, st.nth = trim(key), 0
		st.param(trim(value))
	}
	if st.known == 0 {
		d.reports = d.reports[:0]
		return nil, &Error{ReasonNoReport, 0}
	}
	st.finish()
	return d.reports, nil
}

var equals = []byte{'='}

// rtpStat is a header as its parameters are read.
type rtpStat struct {
	d     *Decoder
	r     *Report
	key   []byte // of the last parameter
	nth   int    // which of its values, from 0
	known int

	local, remote         []byte // IPL, IPR
	localPort, remotePort uint16
	lossPct               num
	encoder               []byte
}

// param takes one value of st.key.
func (st *rtpStat) param(value []byte) {
	r, n := st.r, numberText(value)
	if st.nth > 1 && !st.is("dl") {
		return
	}
	if !n.ok {
		st.textParam(value)
		return
	}
	received := st.nth == 0
	name := ""
	switch {
	case st.is("pr") && received:
		r.Packets = n.u64()
	case st.is("or") && received:
		r.Octets = n.u64()
	case st.is("pl"):
		if received {
			r.Lost, r.Reception = n.i, true
		} else {
			name = MetricLostSent
		}
	case st.is("ji"), st.is("jitter"):
		if !received {
			name = MetricJitterSentMs
		} else if n.f >= 0 && n.f <= maxJitterMs {
			r.JitterMs, r.Reception = float32(n.f), true
		}
	case st.is("pd"):
		name = MetricDiscarded
		if !received {
			name = MetricDiscardedSent
		}
	case !received && !st.is("dl"):
		return
	case st.is("packetlosspct"):
		st.lossPct, r.Reception = n, true
	case st.is("mos"):
		if r.MOS = scaleMOS(n.f); r.MOS == 0 {
			return
		}
		r.MOSMethod, r.Reception = MethodReported, true
	case st.is("rtt"):
		ms := n.f
		if ms > maxRTTMs {
			ms /= 1000
		}
		if ms > 0 && ms <= maxRTTMs {
			r.RTTMs = float32(ms)
		}
	case st.is("ps"):
		name = MetricPacketsSent
	case st.is("os"):
		name = MetricOctetsSent
	case st.is("es"):
		name = MetricExpectedSent
	case st.is("er"):
		name = MetricExpected
	case st.is("la"):
		name = MetricLatencyMs
	case st.is("dl"):
		switch st.nth { // mean, minimum, maximum
		case 0:
			name = MetricLatencyMs
		case 2:
			name = MetricMaxLatencyMs
		default:
			return
		}
	case st.is("cs"):
		name = MetricSetupMs
	case st.is("cd"), st.is("du"):
		name = MetricDurationS
	case st.is("ss"), st.is("srcs"), st.is("srcr"), st.is("ptl"), st.is("ptr"), st.is("de"), st.is("en"):
		st.textParam(value)
		return
	default:
		return
	}
	st.known++
	if name != "" {
		st.d.metric(name, n.f)
	}
}

// textParam takes a value that is a name, an address or an identifier.
func (st *rtpStat) textParam(value []byte) {
	r := st.r
	switch {
	case st.is("de") && st.nth == 0:
		if n := numberText(value); n.ok && n.i >= 0 && n.i < 128 { // Siemens gives the payload type
			value = StaticCodec(uint8(n.i))
		}
		r.Codec = value
	case st.is("en") && st.nth == 0:
		if n := numberText(value); !n.ok {
			st.encoder = value
		}
	case st.is("ip"):
		if st.nth == 0 {
			r.LocalAddr = parseAddrPort(value)
		} else {
			r.RemoteAddr = parseAddrPort(value)
		}
	case st.is("ipl"):
		st.local = value
	case st.is("ipr"):
		st.remote = value
	case st.is("ptl"):
		st.localPort = numberText(value).u16()
	case st.is("ptr"):
		st.remotePort = numberText(value).u16()
	case st.is("srcr"):
		r.SSRC = parseSSRC(value)
	case st.is("srcs"):
		r.Reporter = parseSSRC(value)
	}
}

func (st *rtpStat) is(key string) bool { return equalFold(st.key, key) }

func (st *rtpStat) finish() {
	r := st.r
	r.Type = TypeFinal
	if st.local != nil {
		r.LocalAddr = addrPort(st.local, st.localPort)
	}
	if st.remote != nil {
		r.RemoteAddr = addrPort(st.remote, st.remotePort)
	}
	if len(r.Codec) == 0 {
		r.Codec = st.encoder
	}
	switch total := float64(r.Packets) + float64(r.Lost); {
	case st.lossPct.ok:
		r.FractionLost = clamp01(st.lossPct.f / 100)
	case total > 0:
		r.FractionLost = clamp01(float64(r.Lost) / total)
	}
	r.EstimateMOS(nil)
}
