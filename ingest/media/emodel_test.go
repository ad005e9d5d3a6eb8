package media

import (
	"math"
	"testing"
)

// TestEModelDefaults are the figures that G.107 itself prints: R and MOS of a
// connection without impairment, and its table of MOS by R (Annex B).
func TestEModelDefaults(t *testing.T) {
	r, mos := EModel(nil, 0, 1, 0)
	if round(r, 1) != "93.2" || round(mos, 2) != "4.41" {
		t.Errorf("R %v, MOS %v; G.107 gives 93.2 and 4.41", r, mos)
	}
	for r, want := range map[float64]string{
		-5: "1.00", 0: "1.00", 50: "2.58", 60: "3.10", 70: "3.60", 80: "4.02", 90: "4.34", 100: "4.50", 120: "4.50",
	} {
		if got := round(MOS(r), 2); got != want {
			t.Errorf("MOS(%v) = %s, want %s", r, got, want)
		}
	}
}

// TestEModelLoss compares Ie,eff with the measured values of G.113 Appendix I,
// Tables I.2 and I.3, under random loss.
func TestEModelLoss(t *testing.T) {
	for _, c := range []struct {
		codec string
		// Loss in per cent to Ie.
		ie        map[float64]float64
		tolerance float64
	}{
		{"G729A", map[float64]float64{0: 11, 0.5: 13, 1: 15, 1.5: 17, 2: 19, 3: 23, 4: 26, 8: 36}, 1.2},
		{"G723", map[float64]float64{0: 15, 0.5: 17, 1: 19, 1.5: 22, 2: 24, 3: 27, 4: 32, 8: 41}, 1.5},
		{"PCMU+PLC", map[float64]float64{0: 0, 2: 7, 3: 10, 5: 15, 10: 25, 15: 35}, 2.5},
		{"PCMA", map[float64]float64{0: 0, 1: 18, 2: 30}, 0.5}, // 95 Ppl/(Ppl+4.3), G.107's own default
	} {
		clean, _ := EModel(nil, 0, 1, 0)
		for loss, want := range c.ie {
			r, _ := EModel([]byte(c.codec), loss/100, 1, 0)
			if got := clean - r; math.Abs(got-want) > c.tolerance {
				t.Errorf("%s at %v %%: Ie,eff %.1f, G.113 has %v", c.codec, loss, got, want)
			}
		}
	}
}

// TestEModelDelay compares Id with the piecewise line that Cole and Rosenbluth
// (2001) fitted to G.107: 0.024 d + 0.11 (d - 177.3) above 177.3 ms.
func TestEModelDelay(t *testing.T) {
	clean, _ := EModel(nil, 0, 1, 0)
	last := clean
	for _, c := range []struct{ ms, tolerance float64 }{
		{50, 0.3}, {100, 0.2}, {150, 0.2}, {200, 0.3}, {300, 0.3}, {400, 3.5},
	} {
		r, _ := EModel(nil, 0, 1, c.ms)
		want := 0.024*c.ms + 0.11*max(c.ms-177.3, 0)
		if id := clean - r; math.Abs(id-want) > c.tolerance {
			t.Errorf("%v ms: Id %.2f, want %.2f", c.ms, id, want)
		}
		if r > last {
			t.Errorf("%v ms: R rises to %v", c.ms, r)
		}
		last = r
	}
	// The table agrees with the equations between its points, and at its ends.
	for ms := 0.0; ms < 1200; ms += 0.37 {
		exact := sidetone(ms) + delayImpairment(ms)
		if got := delayTerms(ms); math.Abs(got-exact) > 0.001 {
			t.Fatalf("%v ms: %v, want %v", ms, got, exact)
		}
	}
}

func TestEModelBounds(t *testing.T) {
	for _, c := range []struct{ loss, burst, delay float64 }{
		{-1, -1, -1}, {2, 0, 1e9}, {1, 1e9, 0}, {0.5, 1, 1e6},
	} {
		r, mos := EModel([]byte("PCMA"), c.loss, c.burst, c.delay)
		if !(r >= 0 && r <= 93.3) || !(mos >= 1 && mos <= 4.5) {
			t.Errorf("%+v: R %v, MOS %v", c, r, mos)
		}
	}
	random, _ := EModel([]byte("G729"), 0.02, 1, 0)
	bursts, _ := EModel([]byte("G729"), 0.02, 2, 0)
	if bursts >= random {
		t.Errorf("bursts rate %v, random loss %v", bursts, random)
	}
}

func TestCodecNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		ie, bpl float64
		known   bool
	}{
		{"PCMU", 0, 4.3, true},
		{"pcma/8000/1", 0, 4.3, true},
		{" G711A ", 0, 4.3, true},
		{"G.729", 10, 19, true},
		{"g729ab", 11, 19, true},
		{"G723.1", 15, 16.1, true},
		{"iLBC/8000", 11, 32, true},
		{"AMR-WB/16000", 0, 4.9, true},
		{"opus/48000/2", 0, 25.1, true},
		{"G726-32", 7, 4.3, true},
		{"GSM-EFR", 5, 10, true},
		{"", 0, 4.3, false},
		{"EVS", 0, 4.3, false},
		{"a-codec-with-a-name-beyond-all-measure", 0, 4.3, false},
	} {
		ie, bpl, known := CodecImpairment([]byte(c.name))
		if ie != c.ie || bpl != c.bpl || known != c.known {
			t.Errorf("%q: %v %v %v", c.name, ie, bpl, known)
		}
	}
	if n, c := StaticCodec(18), ClockRate(18); string(n) != "G729" || c != 8000 {
		t.Errorf("18: %q %d", n, c)
	}
	if n, c := StaticCodec(96), ClockRate(96); n != nil || c != 0 {
		t.Errorf("96: %q %d", n, c)
	}
}

func TestEstimateMOS(t *testing.T) {
	r := Report{Reception: true, FractionLost: 0.02, Codec: []byte("G729")}
	r.EstimateMOS(nil)
	g729 := r.MOS
	if r.MOSMethod != MethodEModel || r.RFactor < 70 || r.RFactor > 75 {
		t.Errorf("%+v", r)
	}
	r.EstimateMOS([]byte("PCMU+PLC")) // SDP tells more
	if r.MOS <= g729 {
		t.Errorf("PCMU with PLC rates %v, G.729 %v", r.MOS, g729)
	}
	better := r.MOS
	r.RTTMs, r.JitterMs = 400, 30
	r.EstimateMOS([]byte("PCMU+PLC"))
	if r.MOS >= better {
		t.Errorf("delay does not lower MOS: %v", r.MOS)
	}
	r.MOS, r.MOSMethod = 3.3, MethodReported
	if r.EstimateMOS(nil); r.MOS != 3.3 {
		t.Errorf("reported MOS became %v", r.MOS)
	}
	none := Report{}
	if none.EstimateMOS(nil); none.MOS != 0 || none.MOSMethod != "" {
		t.Errorf("a row without reception got %+v", none)
	}
}

func TestHEPQuality(t *testing.T) {
	r := Report{Reception: true, MOS: 4.4, MOSMethod: MethodEModel}
	if r.HEPQuality(0, 0); r.MOS != 4.4 {
		t.Errorf("absent chunk gave %v", r.MOS)
	}
	if r.HEPQuality(450, 9320); r.MOS != 4.5 || r.RFactor != 93.2 || r.MOSMethod != MethodReported {
		t.Errorf("%+v", r)
	}
	if r.HEPQuality(100, 0); r.MOS != 4.5 {
		t.Errorf("a reported MOS was replaced by %v", r.MOS)
	}
	bye := Report{}
	if bye.HEPQuality(450, 0); bye.MOS != 0 {
		t.Errorf("a row without reception got %v", bye.MOS)
	}
}

func TestScales(t *testing.T) {
	for v, want := range map[float64]float32{
		-1: 0, 0: 0, 0.9: 0, 1: 1, 4.2: 4.2, 5: 5, 5.1: 0, 12.7: 0, 42: 4.2, 50: 5, 60: 0, 127: 0, 420: 4.2, 500: 5, 501: 0, 1e9: 0,
	} {
		if got := scaleMOS(v); got != want {
			t.Errorf("MOS %v: %v, want %v", v, got, want)
		}
	}
	for v, want := range map[float64]float32{-1: 0, 0: 0, 93.2: 93.2, 120: 120, 121: 0, 127: 0, 9320: 93.2, 12001: 0} {
		if got := scaleR(v); got != want {
			t.Errorf("R %v: %v, want %v", v, got, want)
		}
	}
}

func TestSourceNames(t *testing.T) {
	for s, want := range map[Source]string{
		SourceRTCP: "rtcp", SourceRTCPXR: "rtcp-xr", SourceVQ: "vq-rtcpxr", SourceRTPAgent: "rtp-agent",
		SourceRTPStat: "x-rtp-stat", SourceHoraclifix: "horaclifix", SourceRTP: "rtp", SourceHEP: "hep-qos", 200: "unknown",
	} {
		if got := s.String(); got != want {
			t.Errorf("%d: %q, want %q", s, got, want)
		}
	}
}
