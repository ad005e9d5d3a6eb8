package media

// Limits of sequence validation (RFC 3550 A.1).
const (
	maxDropout  = 3000
	maxMisorder = 100
)

// seenWindow is how many sequence numbers behind the highest are remembered to
// tell duplicates from late packets. A power of two.
const seenWindow = 1024

// StreamStats aggregates one RTP stream (one SSRC from one source to one
// destination) from its headers: extended sequence numbers by RFC 3550 A.1,
// loss by A.3, jitter by A.8. It starts with the first packet given to it, so a stream
// may be joined in its midst. The zero value, with ClockRate set or not, is
// ready. About 260 bytes; no allocation after.
type StreamStats struct {
	// ClockRate is the RTP clock in Hz. Where it is 0 the static payload
	// type's is taken, 8000 for dynamic ones. It may change with a codec.
	ClockRate int

	ssrc        uint32
	payloadType uint8
	started     bool

	firstArrival, lastArrival int64 // Unix µs

	baseSeq       uint32
	maxSeq        uint16
	cycles        uint32
	badSeq        uint32 // next number that confirms a restart, RFC 3550 A.1
	seen          [seenWindow / 64]uint64
	received      uint64 // all packets taken, duplicates too
	unique        uint64
	octets        uint64
	duplicates    uint64
	reordered     uint64
	restarts      uint64
	gaps          uint64 // places where the sequence jumped
	gapPackets    uint64 // packets missing at those places, late ones among them
	longestGap    uint16
	markers       uint64
	typeChanges   uint64
	lostEarlier   int64 // losses before the last restart
	expectEarlier uint64

	hasTransit    bool
	transit       float64 // of the last packet, in RTP units
	lastTimestamp uint32
	jitter        float64 // RFC 3550 A.8, in RTP units
	maxJitter     float64
	jitterSum     float64
	jitterCount   uint64

	expectedPrior, uniquePrior uint64 // at the last Report, RFC 3550 A.3
}

// Add takes a packet that was captured at the given Unix time in microseconds.
// Packets must come in the order captured. It reports whether the packet was
// counted: the first packet of an implausible jump is not, until its successor
// confirms that the sender has restarted its numbering.
func (s *StreamStats) Add(h *RTP, arrivalUnixMicros int64) bool {
	switch {
	case !s.started:
		s.started = true
		s.ssrc, s.payloadType = h.SSRC, h.PayloadType
		s.firstArrival = arrivalUnixMicros
		s.start(h.Sequence)
	case !s.sequence(h.Sequence):
		return false
	}
	s.received++
	s.octets += uint64(len(h.Payload))
	s.lastArrival = arrivalUnixMicros
	if h.Marker {
		s.markers++
	}
	if h.PayloadType != s.payloadType {
		s.payloadType = h.PayloadType
		s.typeChanges++
	}
	s.updateJitter(h.Timestamp, arrivalUnixMicros)
	return true
}

// start begins a numbering at seq.
func (s *StreamStats) start(seq uint16) {
	s.baseSeq, s.maxSeq, s.cycles = uint32(seq), seq, 0
	s.badSeq = 1 << 16 // matches no sequence number
	s.seen = [len(s.seen)]uint64{}
	s.mark(seq)
	s.unique++
	s.hasTransit = false
}

// sequence places a number in the stream (RFC 3550 A.1) and counts gaps,
// duplicates and late packets. It is false for a lone outlier.
func (s *StreamStats) sequence(seq uint16) bool {
	delta := seq - s.maxSeq
	switch {
	case delta == 0:
		s.duplicates++
	case delta < maxDropout:
		if delta > 1 {
			s.gaps++
			s.gapPackets += uint64(delta - 1)
			s.longestGap = max(s.longestGap, delta-1)
		}
		for k := uint16(1); k <= delta && k <= seenWindow; k++ {
			s.unmark(s.maxSeq + k)
		}
		if seq < s.maxSeq {
			s.cycles += 1 << 16
		}
		s.maxSeq = seq
		s.mark(seq)
		s.unique++
	case delta <= 1<<16-maxMisorder-1:
		if uint32(seq) != s.badSeq {
			s.badSeq = uint32(seq + 1)
			return false
		}
		// Two in a row: the sender has restarted. What went before counts.
		s.lostEarlier, s.expectEarlier = s.lost(), s.expected()
		s.restarts++
		s.start(seq)
		return true
	default: // late or twice
		if s.marked(seq) {
			s.duplicates++
			break
		}
		s.reordered++
		if s.extended(seq) < int64(s.baseSeq) {
			// Older than the first packet seen: it was captured late, not lost.
			break
		}
		s.mark(seq)
		s.unique++
	}
	s.badSeq = 1 << 16
	return true
}

// extended is the extended number of a late packet.
func (s *StreamStats) extended(seq uint16) int64 {
	high := int64(s.cycles) + int64(s.maxSeq)
	return high - int64(s.maxSeq-seq)
}

func (s *StreamStats) mark(seq uint16)        { s.seen[seq%seenWindow/64] |= 1 << (seq % 64) }
func (s *StreamStats) unmark(seq uint16)      { s.seen[seq%seenWindow/64] &^= 1 << (seq % 64) }
func (s *StreamStats) marked(seq uint16) bool { return s.seen[seq%seenWindow/64]&(1<<(seq%64)) != 0 }

// expected is how many packets the numbering says were sent.
func (s *StreamStats) expected() uint64 {
	if !s.started {
		return 0
	}
	return s.expectEarlier + uint64(s.cycles) + uint64(s.maxSeq) - uint64(s.baseSeq) + 1
}

// lost is expected less received; duplicates do not make up for losses.
func (s *StreamStats) lost() int64 {
	return int64(s.expected()) - int64(s.unique)
}

// updateJitter is RFC 3550 A.8. A packet that repeats the last timestamp
// (telephone events, fragments of a video frame) says nothing of the network's
// timing and is left out.
func (s *StreamStats) updateJitter(timestamp uint32, arrivalUnixMicros int64) {
	if s.hasTransit && timestamp == s.lastTimestamp {
		return
	}
	clock := float64(s.clock())
	arrival := float64(arrivalUnixMicros-s.firstArrival) * clock / 1e6
	if !s.hasTransit {
		s.hasTransit, s.lastTimestamp, s.transit = true, timestamp, arrival
		return
	}
	// The difference of transit times is that of arrivals less that of
	// timestamps, the latter modulo 2^32.
	step := float64(int32(timestamp - s.lastTimestamp))
	d := arrival - s.transit - step
	s.transit, s.lastTimestamp = arrival, timestamp
	if d < 0 {
		d = -d
	}
	if d > clock*maxJitterMs/1000 { // the timestamps jumped, the network did not
		return
	}
	s.jitter += (d - s.jitter) / 16
	s.maxJitter = max(s.maxJitter, s.jitter)
	s.jitterSum += s.jitter
	s.jitterCount++
}

func (s *StreamStats) clock() int {
	if s.ClockRate > 0 {
		return s.ClockRate
	}
	if c := ClockRate(s.payloadType); c > 0 {
		return c
	}
	return defaultClock
}

// Packets is how many packets were taken, duplicates among them.
func (s *StreamStats) Packets() uint64 { return s.received }

// LastArrival is when the last packet was captured, in Unix microseconds.
func (s *StreamStats) LastArrival() int64 { return s.lastArrival }

// Report gives the stream's state as a report of source rtp: Packets, Octets
// (of payload) and Lost since the start, FractionLost since the last Report (RFC 3550
// A.3), jitter now. Codec is that of a static payload type; pass the name from
// SDP as codec where it is known. typ is TypePeriodic or TypeFinal; in a final
// report FractionLost is over the whole stream. Extra is appended to extra, which may be nil.
func (s *StreamStats) Report(typ string, codec []byte, extra []Metric) Report {
	r := Report{
		Source: SourceRTP, Type: typ, SSRC: s.ssrc, Reception: s.started,
		Packets: s.received, Octets: s.octets, Lost: s.lost(),
		HighestSeq: s.cycles + uint32(s.maxSeq),
		Codec:      codec, Start: s.firstArrival, Stop: s.lastArrival,
	}
	if codec == nil {
		r.Codec = StaticCodec(s.payloadType)
	}
	expected, unique := s.expected(), s.unique
	r.jitter(uint32(s.jitter), s.clock())
	r.JitterMs = float32(s.jitter * 1000 / float64(s.clock()))

	since, got := expected-s.expectedPrior, unique-s.uniquePrior
	if typ == TypeFinal {
		since, got = expected, unique
	}
	if since > 0 {
		r.FractionLost = clamp01(1 - float64(got)/float64(since))
	}
	s.expectedPrior, s.uniquePrior = expected, unique

	ms := 1000 / float64(s.clock())
	r.Extra = append(extra,
		Metric{MetricExpected, float64(expected)},
		Metric{MetricPayloadType, float64(s.payloadType)},
		Metric{MetricClockHz, float64(s.clock())},
		Metric{MetricGaps, float64(s.gaps)},
		Metric{MetricLongestGap, float64(s.longestGap)},
		Metric{MetricDuplicates, float64(s.duplicates)},
		Metric{MetricReordered, float64(s.reordered)},
		Metric{MetricRestarts, float64(s.restarts)},
		Metric{MetricPayloadChanges, float64(s.typeChanges)},
		Metric{MetricMarkers, float64(s.markers)},
		Metric{MetricMaxJitterMs, s.maxJitter * ms},
		Metric{MetricBurstRatio, s.burstRatio()},
	)
	if s.jitterCount > 0 {
		r.Extra = append(r.Extra, Metric{MetricMeanJitterMs, s.jitterSum / float64(s.jitterCount) * ms})
	}
	if s.clock() != videoClock {
		r.EstimateMOS(nil)
	}
	return r
}

// burstRatio is BurstR of G.107 7.5: the mean length of loss bursts against
// 1/(1-p), that of random loss. At least 1.
func (s *StreamStats) burstRatio() float64 {
	expected := s.expected()
	if s.gaps == 0 || expected == 0 || s.lost() <= 0 {
		return 1
	}
	p := float64(s.lost()) / float64(expected)
	return max(1, float64(s.gapPackets)/float64(s.gaps)*(1-p))
}
