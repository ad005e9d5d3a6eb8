package media

import "math"

// The E-model of ITU-T G.107 (06/2015) with its default values for all that a
// packet network does not tell (Table 2): loudness ratings SLR 8 and RLR 2,
// STMR 15, LSTR 18, Ds = Dr = 3, TELR 65, WEPL 110, qdu 1, Nc -70, Nfor -64,
// Ps = Pr = 35, A = 0. Narrowband scale: R is 93.2 without impairment, so that
// wideband codecs cannot score above narrowband ones.
const (
	eSLR, eRLR, eOLR = 8.0, 2.0, 10.0
	eSTMR, eLSTR     = 15.0, 18.0
	eDs              = 3.0
	eTELR, eWEPL     = 65.0, 110.0
	eQDU             = 1.0
	eNc, eNfor       = -70.0, -64.0
	ePs, ePr         = 35.0, 35.0
)

// eNo and eRo are noise power and basic signal-to-noise ratio (G.107 7.2),
// eIqBase the simultaneous impairment without Ist, which hangs on delay (7.3).
var eNo, eRo, eIolrIq = func() (no, ro, is float64) {
	sum := func(db ...float64) (p float64) {
		for _, v := range db {
			p += math.Pow(10, v/10)
		}
		return 10 * math.Log10(p)
	}
	pre := ePr + 10*math.Log10(1+math.Pow(10, (10-eLSTR)/10))
	nos := ePs - eSLR - eDs - 100 + 0.004*math.Pow(ePs-eOLR-eDs-14, 2)
	nor := eRLR - 121 + pre + 0.008*math.Pow(pre-35, 2)
	no = sum(eNc, nos, nor, eNfor+eRLR)
	ro = 15 - 1.5*(eSLR+no)

	xolr := eOLR + 0.2*(64+no-eRLR)
	iolr := 20 * (math.Pow(1+math.Pow(xolr/8, 8), 1.0/8) - xolr/8)
	q := 37 - 15*math.Log10(eQDU)
	g := 1.07 + 0.258*q + 0.0602*q*q
	y := (ro-100)/15 + 46/8.4 - g/9
	z := 46.0/30 - g/40
	iq := 15 * math.Log10(1+math.Pow(10, y)+math.Pow(10, z))
	return no, ro, iolr + iq
}()

// sidetone is Ist, the impairment of non-optimum sidetone at a one-way delay
// of t ms (G.107 7.3.2).
func sidetone(t float64) float64 {
	stmro := -10 * math.Log10(math.Pow(10, -eSTMR/10)+math.Exp(-t/4)*math.Pow(10, -eTELR/10))
	return 12*math.Pow(1+math.Pow((stmro-13)/6, 8), 1.0/8) -
		28*math.Pow(1+math.Pow((stmro+1)/19.4, 35), 1.0/35) -
		13*math.Pow(1+math.Pow((stmro-3)/33, 13), 1.0/13) + 29
}

// delayImpairment is Id = Idte + Idle + Idd at a one-way delay of t ms (G.107 7.4).
func delayImpairment(t float64) float64 {
	terv := eTELR - 40*math.Log10((1+t/10)/(1+t/150)) + 6*math.Exp(-0.3*t*t)
	roe := -1.5 * (eNo - eRLR)
	re := 80 + 2.5*(terv-14)
	idte := ((roe-re)/2 + math.Sqrt((roe-re)*(roe-re)/4+100) - 1) * (1 - math.Exp(-t))

	rle := 10.5 * (eWEPL + 7) * math.Pow(2*t+1, -0.25)
	idle := (eRo-rle)/2 + math.Sqrt((eRo-rle)*(eRo-rle)/4+169)

	idd := 0.0
	if t > 100 {
		x := math.Log10(t/100) / math.Log10(2)
		idd = 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
	}
	return idte + idle + idd
}

// delayTable holds Ist + Id for whole milliseconds.
var delayTable = func() (t [1001]float64) {
	for ms := range t {
		t[ms] = sidetone(float64(ms)) + delayImpairment(float64(ms))
	}
	return t
}()

// delayTerms is Ist + Id at a one-way delay of t ms. Between whole milliseconds
// it is interpolated, which is exact to 0.001 of R from 10 ms on; the steep
// start and the far end are computed.
func delayTerms(t float64) float64 {
	if t < 10 || t >= float64(len(delayTable)-1) {
		return sidetone(t) + delayImpairment(t)
	}
	low := int(t)
	return delayTable[low] + (delayTable[low+1]-delayTable[low])*(t-float64(low))
}

// RFactor is the transmission rating R of ITU-T G.107, 0..93.2, for a codec of
// equipment impairment ie and packet-loss robustness bpl (ITU-T G.113), a loss
// ratio 0..1, a burst ratio (1 for random loss, more for bursts; less is taken
// as 1), and a mouth-to-ear delay in ms.
func RFactor(ie, bpl, lossRatio, burstR, oneWayDelayMs float64) float64 {
	ppl := 100 * min(max(lossRatio, 0), 1)
	t := max(oneWayDelayMs, 0)
	ieEff := ie
	if ppl > 0 {
		ieEff += (95 - ie) * ppl / (ppl/max(burstR, 1) + bpl)
	}
	r := eRo - eIolrIq - delayTerms(t) - ieEff
	return min(max(r, 0), 100)
}

// MOS is the mean opinion score of a transmission rating (G.107 Annex B): 1..4.5.
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	// The cubic dips below 1 for R under 6.5.
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}

// EModel rates a call by ITU-T G.107: R-factor and conversational MOS for a
// codec named as in SDP ("PCMA", "G729", "opus/48000", any case), see
// [CodecImpairment] for its figures, and the rest as in [RFactor].
func EModel(codec []byte, lossRatio, burstR, oneWayDelayMs float64) (r, mos float64) {
	ie, bpl, _ := CodecImpairment(codec)
	r = RFactor(ie, bpl, lossRatio, burstR, oneWayDelayMs)
	return r, MOS(r)
}

// packetisationMs is the delay of one 20 ms packet, common to nearly all calls.
const packetisationMs = 20

// EstimateMOS sets MOS and RFactor by the E-model from the report's loss
// (with what the jitter buffer discarded, where told), jitter and round-trip time, unless the sender reported them or the row has no
// figures of reception. codec overrides Codec; nil takes what the report names.
// It may be called again once the codec is known from SDP.
//
// Mouth-to-ear delay is taken as half the round trip (nothing if unknown), plus
// 20 ms of packetisation, plus a jitter buffer of twice the jitter.
func (r *Report) EstimateMOS(codec []byte) {
	if r.MOSMethod == MethodReported || !r.Reception {
		return
	}
	if codec == nil {
		codec = r.Codec
	}
	burstR := 1.0
	if v, ok := r.Metric(MetricBurstRatio); ok {
		burstR = v
	}
	loss := float64(r.FractionLost)
	if v, ok := r.Metric(MetricDiscardRate); ok {
		loss += v
	}
	delay := float64(r.RTTMs)/2 + packetisationMs + 2*float64(r.JitterMs)
	rf, mos := EModel(codec, loss, burstR, delay)
	r.RFactor, r.MOS, r.MOSMethod = float32(rf), float32(mos), MethodEModel
}
