package media

import (
	"bytes"
	"net/netip"
	"time"
)

// VQReport decodes a voice quality report in text (RFC 6035): the body of a
// SIP PUBLISH or NOTIFY of type application/vq-rtcpxr, or HEP type 35.
//
// LocalMetrics give a report of the stream that the local endpoint received,
// RemoteMetrics one of the other direction, with SSRC, addresses and Party
// turned round. A report without either section line is taken as local. MOS is MOSLQ, or
// MOSCQ where that is missing; RFactor is RCQ, or RLQ; 127 is unavailable.
// Percentages become ratios. Blank lines, either line ending and a missing
// blank between parameters are accepted.
//
// The error is an [*Error]: empty, or no-report where no line is known.
func (d *Decoder) VQReport(b []byte) ([]Report, error) {
	d.reset()
	b = clean(b)
	if len(trim(b)) == 0 {
		return nil, &Error{ReasonEmpty, 0}
	}
	v := vqReport{d: d, typ: TypeVQSession}
	for rest := b; len(rest) > 0; {
		line, tail, _ := bytes.Cut(rest, newline)
		rest = tail
		// The title may stand without colon (RFC 6035 4.6.1).
		name, value, _ := bytes.Cut(line, colon)
		v.line(trim(name), trim(value))
	}
	if !v.titled && len(d.reports) == 0 {
		return nil, &Error{ReasonNoReport, 0}
	}
	v.finish()
	return d.reports, nil
}

var newline, colon = []byte{'\n'}, []byte{':'}

// vqReport is a report as its lines are read.
type vqReport struct {
	d      *Decoder
	typ    string
	titled bool // the VQ…Report line was there

	callID                []byte
	localAddr, remoteAddr netip.AddrPort
	localSSRC, remoteSSRC uint32
	// plc tells that the last section's SessionDesc claims loss concealment.
	plc bool
}

// section is the report that metric lines go to; a metric line before any
// section line opens the local one.
func (v *vqReport) section() *Report {
	if len(v.d.reports) == 0 {
		return v.open(PartyLocal)
	}
	return &v.d.reports[len(v.d.reports)-1]
}

func (v *vqReport) open(party string) *Report {
	r := v.d.add(SourceVQ)
	r.Party = party
	v.plc = false
	return r
}

// line takes one "Name: value" line.
func (v *vqReport) line(name, value []byte) {
	switch {
	case equalFold(name, "vqsessionreport"):
		v.typ, v.titled = TypeVQSession, true
	case equalFold(name, "vqintervalreport"):
		v.typ, v.titled = TypeVQInterval, true
	case equalFold(name, "vqalertreport"):
		v.typ, v.titled = TypeVQAlert, true
	case equalFold(name, "localmetrics"):
		v.open(PartyLocal)
	case equalFold(name, "remotemetrics"):
		v.open(PartyRemote)
	case equalFold(name, "callid"):
		v.callID = value
	case equalFold(name, "localaddr"):
		v.localAddr, v.localSSRC = vqAddr(value)
	case equalFold(name, "remoteaddr"):
		v.remoteAddr, v.remoteSSRC = vqAddr(value)
	default:
		v.metrics(name, value)
	}
}

// metrics takes a line of figures.
func (v *vqReport) metrics(name, value []byte) {
	var group vqGroup
	switch {
	case equalFold(name, "timestamps"):
		r := v.section()
		eachParam(value, false, func(key, val []byte) {
			switch {
			case equalFold(key, "start"):
				r.Start = unixMicros(val)
			case equalFold(key, "stop"):
				r.Stop = unixMicros(val)
			}
		})
		return
	case equalFold(name, "sessiondesc"):
		v.sessionDesc(v.section(), value)
		return
	case equalFold(name, "jitterbuffer"):
		group = vqJitterBuffer
	case equalFold(name, "packetloss"):
		group = vqPacketLoss
	case equalFold(name, "burstgaploss"):
		group = vqBurstGap
	case equalFold(name, "delay"):
		group = vqDelay
	case equalFold(name, "signal"):
		group = vqSignal
	case equalFold(name, "qualityest"):
		group = vqQuality
	default:
		return
	}
	r := v.section()
	eachParam(value, true, func(key, val []byte) {
		n := numberText(val)
		if !n.ok {
			return
		}
		for _, f := range group {
			if equalFold(key, f.key) {
				v.figure(r, f, n.f)
				return
			}
		}
	})
}

// vqField is one parameter of a line: where its value goes and what it is multiplied by.
type vqField struct {
	key    string // in lower case
	metric string // of Extra, "" if only a field of Report
	scale  float64
	// missing is the value that stands for unavailable, where there is one.
	missing float64
}

type vqGroup []vqField

const none = -1e9

// The lines of RFC 6035 4.6.2 with their parameters.
var (
	vqJitterBuffer = vqGroup{
		{"jba", MetricJBAdaptive, 1, none}, {"jbr", MetricJBRate, 1, none},
		{"jbn", MetricJBNominalMs, 1, none}, {"jbm", MetricJBMaxMs, 1, none}, {"jbx", MetricJBAbsMaxMs, 1, none},
	}
	vqPacketLoss = vqGroup{{"nlr", "", 0.01, none}, {"jdr", MetricDiscardRate, 0.01, none}}
	vqBurstGap   = vqGroup{
		{"bld", MetricBurstDensity, 0.01, none}, {"bd", MetricBurstMs, 1, none},
		{"gld", MetricGapDensity, 0.01, none}, {"gd", MetricGapMs, 1, none}, {"gmin", MetricGmin, 1, none},
	}
	vqDelay = vqGroup{
		{"rtd", "", 1, none}, {"esd", MetricEndSystemMs, 1, none}, {"owd", MetricOneWayMs, 1, none},
		{"sowd", MetricSymOneWayMs, 1, none}, {"iaj", "", 1, none}, {"maj", MetricMeanAbsJitter, 1, none},
	}
	vqSignal = vqGroup{
		{"sl", MetricSignalLevel, 1, unavailable}, {"nl", MetricNoiseLevel, 1, unavailable},
		{"rerl", MetricRERL, 1, unavailable},
	}
	vqQuality = vqGroup{
		{"rlq", MetricRLQ, 1, unavailable}, {"rcq", MetricRCQ, 1, unavailable},
		{"extri", MetricExtRIn, 1, unavailable}, {"extro", MetricExtROut, 1, unavailable},
		{"moslq", MetricMOSLQ, 1, unavailable}, {"moscq", MetricMOSCQ, 1, unavailable},
	}
)

// figure stores one parameter.
func (v *vqReport) figure(r *Report, f vqField, value float64) {
	if value == f.missing {
		return
	}
	value *= f.scale
	switch f.key {
	case "nlr":
		r.FractionLost, r.Reception = clamp01(value), true
	case "rtd":
		r.RTTMs = float32(max(value, 0))
	case "iaj":
		r.JitterMs, r.Reception = float32(max(value, 0)), true
	case "moslq", "moscq":
		m := scaleMOS(value)
		if m == 0 {
			return
		}
		value = float64(m)
		if f.key == "moslq" || r.MOSMethod == "" {
			r.MOS, r.MOSMethod = m, MethodReported
		}
	case "rcq":
		r.RFactor = scaleR(value)
	case "rlq":
		if r.RFactor == 0 {
			r.RFactor = scaleR(value)
		}
	}
	if f.metric != "" {
		v.d.metric(f.metric, value)
	}
}

// sessionDesc takes the codec's description.
func (v *vqReport) sessionDesc(r *Report, value []byte) {
	eachParam(value, false, func(key, val []byte) {
		n := numberText(val)
		name := ""
		switch {
		case equalFold(key, "pd"):
			r.Codec = val
		case equalFold(key, "pt"):
			name = MetricPayloadType
			if n.ok && r.Codec == nil && n.i >= 0 && n.i < 128 {
				r.Codec = StaticCodec(uint8(n.i))
			}
		case equalFold(key, "sr"):
			name = MetricSampleRate
		case equalFold(key, "fd"):
			name = MetricFrameMs
		case equalFold(key, "fo"):
			name = MetricFrameOctets
		case equalFold(key, "fpp"):
			name = MetricFramesPerPkt
		case equalFold(key, "pps"):
			name = MetricPacketsPerSec
		case equalFold(key, "plc"):
			name = MetricPLC
		}
		if name != "" && n.ok {
			v.d.metric(name, n.f)
		}
	})
}

// finish gives the sections what stands outside them. A report without any
// section is one row still.
func (v *vqReport) finish() {
	if len(v.d.reports) == 0 {
		v.open(PartyLocal)
	}
	for i := range v.d.reports {
		r := &v.d.reports[i]
		r.Type, r.CallID = v.typ, v.callID
		r.LocalAddr, r.RemoteAddr, r.SSRC, r.Reporter = v.localAddr, v.remoteAddr, v.remoteSSRC, v.localSSRC
		if r.Party == PartyRemote {
			r.LocalAddr, r.RemoteAddr = v.remoteAddr, v.localAddr
			r.SSRC, r.Reporter = v.localSSRC, v.remoteSSRC
		}
		if r.MOSMethod != "" {
			r.Reception = true
		}
		r.EstimateMOS(v.concealed(r))
	}
}

// concealed is the codec to rate by: G.711 with concealment where the report
// claims it (PLC 2 enhanced, 3 standard), else nil for the codec as named.
func (v *vqReport) concealed(r *Report) []byte {
	if plc, _ := r.Metric(MetricPLC); plc < 2 {
		return nil
	}
	if ie, bpl, known := CodecImpairment(r.Codec); known && ie == 0 && bpl == defaultBpl {
		return codecG711PLC
	}
	return nil
}

// vqAddr reads "IP=10.1.1.150 PORT=5002 SSRC=0x2468abcd".
func vqAddr(value []byte) (netip.AddrPort, uint32) {
	var ip netip.Addr
	var port uint16
	var ssrc uint32
	eachParam(value, false, func(key, val []byte) {
		switch {
		case equalFold(key, "ip"):
			ip = parseAddr(val)
		case equalFold(key, "port"):
			port = numberText(val).u16()
		case equalFold(key, "ssrc"):
			ssrc = parseSSRC(val)
		}
	})
	if !ip.IsValid() {
		return netip.AddrPort{}, ssrc
	}
	return netip.AddrPortFrom(ip, port), ssrc
}

// unixMicros reads an RFC 3339 time as Unix microseconds, 0 if it is none.
func unixMicros(b []byte) int64 {
	if len(b) > 64 {
		return 0
	}
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil || t.Year() < 1900 {
		return 0
	}
	return t.UnixMicro()
}

// eachParam calls f for each KEY=value of a line. Values may be quoted. With
// numeric set, a value ends where its number does, so that "JBM=20JBX=240",
// which real phones send, is two parameters.
func eachParam(b []byte, numeric bool, f func(key, val []byte)) {
	for {
		for len(b) > 0 && (b[0] <= ' ' || b[0] == ';' || b[0] == ',') {
			b = b[1:]
		}
		eq := bytes.IndexByte(b, '=')
		if eq < 0 {
			return
		}
		key := trim(b[:eq])
		if sp := bytes.LastIndexAny(key, " \t"); sp >= 0 { // a stray word before the key
			key = key[sp+1:]
		}
		b = b[eq+1:]
		for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
			b = b[1:]
		}
		n := 0
		switch {
		case len(b) > 0 && b[0] == '"':
			n = bytes.IndexByte(b[1:], '"')
			if n < 0 {
				f(key, b[1:])
				return
			}
			f(key, b[1:1+n])
			b = b[n+2:]
			continue
		case numeric:
			n = leadingNumber(b)
		}
		if n == 0 {
			for n < len(b) && b[n] > ' ' && b[n] != ';' && b[n] != ',' {
				n++
			}
		}
		f(key, b[:n])
		b = b[n:]
	}
}

// leadingNumber is the length of the decimal number at the start of b.
func leadingNumber(b []byte) int {
	n := 0
	if n < len(b) && (b[n] == '-' || b[n] == '+') {
		n++
	}
	digits := false
	for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] == '.') {
		digits = digits || b[n] != '.'
		n++
	}
	if !digits {
		return 0
	}
	return n
}
