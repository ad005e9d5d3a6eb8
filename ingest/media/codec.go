package media

// CodecImpairment is the equipment impairment Ie and the packet-loss robustness
// Bpl of a codec: ITU-T G.113 Appendix I (Table I.1 to I.4) where it has the
// codec, on the narrowband scale. known is false for a codec we have no figures
// for; it is then rated as G.711 without concealment (Ie 0, Bpl 4.3), the
// default of G.107.
//
// G.711 is rated without packet-loss concealment; "PCMU+PLC" and "PCMA+PLC" with.
// Approximations, having no narrowband figures in G.113: G.722 and AMR-WB take
// Ie 0 with the Bpl of their wideband tables; Opus, which conceals loss as G.711
// with PLC does, takes its figures; iLBC and Speex follow published
// measurements; G.726 takes G.113's Ie with G.107's default Bpl.
func CodecImpairment(codec []byte) (ie, bpl float64, known bool) {
	var buf [24]byte
	n := 0
	for _, c := range trim(codec) {
		if c == '/' {
			break
		}
		if c == '_' || c == '.' || c == ' ' || c == '-' {
			continue
		}
		if n == len(buf) {
			return 0, defaultBpl, false
		}
		buf[n] = lowerASCII(c)
		n++
	}
	switch string(buf[:n]) {
	case "pcmu", "pcma", "g711", "g711u", "g711a", "g711ulaw", "g711alaw", "g711mu", "ulaw", "alaw", "mulaw", "l16":
		return 0, defaultBpl, true
	case "pcmu+plc", "pcma+plc", "g711+plc":
		return 0, 25.1, true
	case "g729":
		return 10, 19, true
	case "g729a", "g729b", "g729ab":
		return 11, 19, true
	case "g723", "g7231", "g723163":
		return 15, 16.1, true
	case "g723153":
		return 19, 16.1, true
	case "gsm", "gsmfr", "fr":
		return 20, 43, true
	case "gsmhr", "hr":
		return 23, 43, true
	case "gsmefr", "efr", "amr", "amrnb":
		return 5, 10, true
	case "ilbc":
		return 11, 32, true
	case "g72640":
		return 2, defaultBpl, true
	case "g726", "g72632", "g721":
		return 7, defaultBpl, true
	case "g72624":
		return 25, defaultBpl, true
	case "g72616":
		return 50, defaultBpl, true
	case "g728":
		return 7, 17, true
	case "g722":
		return 0, 4.9, true
	case "amrwb", "g7222":
		return 0, 4.9, true
	case "opus":
		return 0, 25.1, true
	case "speex":
		return 11, 15, true
	}
	return 0, defaultBpl, false
}

// defaultBpl is Bpl of G.711 without concealment, the default of G.107.
const defaultBpl = 4.3

// codecG711PLC is a name for G.711 with packet-loss concealment.
var codecG711PLC = []byte("PCMA+PLC")

// StaticCodec is the encoding name of a static RTP payload type (RFC 3551
// Table 4 and 5), nil for the others. Read only.
func StaticCodec(pt uint8) []byte {
	if int(pt) < len(staticCodecs) {
		return staticCodecs[pt].name
	}
	return nil
}

// ClockRate is the RTP clock in Hz of a static payload type, 0 for the others.
func ClockRate(pt uint8) int {
	if int(pt) < len(staticCodecs) {
		return staticCodecs[pt].clock
	}
	return 0
}

var staticCodecs = [...]struct {
	name  []byte
	clock int
}{
	0:  {[]byte("PCMU"), 8000},
	3:  {[]byte("GSM"), 8000},
	4:  {[]byte("G723"), 8000},
	5:  {[]byte("DVI4"), 8000},
	6:  {[]byte("DVI4"), 16000},
	7:  {[]byte("LPC"), 8000},
	8:  {[]byte("PCMA"), 8000},
	9:  {[]byte("G722"), 8000}, // 16 kHz audio on an 8 kHz clock, RFC 3551 4.5.2
	10: {[]byte("L16"), 44100},
	11: {[]byte("L16"), 44100},
	12: {[]byte("QCELP"), 8000},
	13: {[]byte("CN"), 8000},
	14: {[]byte("MPA"), 90000},
	15: {[]byte("G728"), 8000},
	16: {[]byte("DVI4"), 11025},
	17: {[]byte("DVI4"), 22050},
	18: {[]byte("G729"), 8000},
	25: {[]byte("CelB"), 90000},
	26: {[]byte("JPEG"), 90000},
	28: {[]byte("nv"), 90000},
	31: {[]byte("H261"), 90000},
	32: {[]byte("MPV"), 90000},
	33: {[]byte("MP2T"), 90000},
	34: {[]byte("H263"), 90000},
}
