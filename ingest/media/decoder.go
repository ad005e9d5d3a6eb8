package media

// defaultClock is the RTP clock rate in Hz taken where the caller knows none:
// that of G.711, G.729 and every static narrowband payload type.
const defaultClock = 8000

// maxJitterMs is the jitter above which a counter is broken, not the network.
const maxJitterMs = 60_000

// Decoder decodes reports into memory that it reuses: after it has grown to
// the largest message seen, RTCP in both forms is decoded without allocation.
// The zero value is ready. Not safe for concurrent use.
type Decoder struct {
	reports []Report
	metrics []Metric // arena behind Report.Extra
	mark    int      // start of the current report's metrics
	text    []byte   // arena for unescaped strings
	key     [64]byte // unescaped object key
	json    jsonRTCP // scratch of RTCPJSON
}

// reset forgets the last call's reports.
func (d *Decoder) reset() {
	d.reports, d.metrics, d.text = d.reports[:0], d.metrics[:0], d.text[:0]
	d.mark = 0
}

// add appends an empty report and returns it. The pointer holds until the next add.
func (d *Decoder) add(source Source) *Report {
	d.mark = len(d.metrics)
	d.reports = append(d.reports, Report{Source: source})
	return &d.reports[len(d.reports)-1]
}

// metric adds a figure to the report last added.
func (d *Decoder) metric(name string, value float64) {
	d.metrics = append(d.metrics, Metric{name, value})
	// The arena may move as it grows; what earlier reports hold stays valid.
	d.reports[len(d.reports)-1].Extra = d.metrics[d.mark:len(d.metrics):len(d.metrics)]
}

// jitter sets both forms of jitter from RTP timestamp units.
func (r *Report) jitter(raw uint32, clockRate int) {
	if clockRate <= 0 {
		clockRate = defaultClock
	}
	r.JitterRaw = raw
	if ms := float64(raw) * 1000 / float64(clockRate); ms <= maxJitterMs {
		r.JitterMs = float32(ms)
	}
}

// signed24 reads cumulative loss, a signed 24-bit number (RFC 3550 6.4.1),
// which senders of JSON also print unsigned, at 24 or at 32 bits.
func signed24(v int64) int64 {
	switch {
	case v >= 1<<23 && v < 1<<24:
		return v - 1<<24
	case v >= 1<<32-1<<23 && v < 1<<32:
		return v - 1<<32
	}
	return v
}

// ratio256 turns an 8-bit fixed-point fraction into 0..1.
func ratio256(v uint8) float32 { return float32(v) / 256 }

// clamp01 bounds a ratio.
func clamp01(v float64) float32 { return float32(min(max(v, 0), 1)) }
