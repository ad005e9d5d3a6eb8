package query

import (
	"strconv"
)

// decimal is a 32-bit figure as the shortest decimal that stands for it: 4.2,
// not 4.199999809.
func decimal(v float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	return d
}

// mediaRow is a row of media.
type mediaRow struct {
	QualityReport
	src, dst              address
	source, report, codec string
	ssrc                  uint32
}

// mean is a sum that becomes a mean.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(v float64) { m.sum += v; m.n++ }

// value is the mean, nil of nothing.
func (m mean) value() *float64 {
	if m.n == 0 {
		return nil
	}
	v := m.sum / float64(m.n)
	return &v
}

// streamKey tells streams apart.
type streamKey struct {
	ssrc     uint32
	src, dst address
	source   string
}

// streamSum gathers one stream.
type streamSum struct {
	Stream
	mos  mean
	loss loss
}

// loss is how many packets a stream lost. RTCP counts them from its beginning,
// so the last report says it; other sources count within the report, and say it
// once more in a report over the whole call, if they send one.
type loss struct{ running, within, whole int64 }

func (l *loss) add(m *mediaRow) {
	switch {
	case m.source == "rtcp" || m.source == "rtp":
		l.running = m.Lost
	case m.report == "final" || m.report == "vq-session":
		l.whole = m.Lost
	default:
		l.within += m.Lost
	}
}

func (l loss) packets() int64 {
	if l.whole != 0 {
		return l.running + l.whole
	}
	return l.running + l.within
}

// qualitySum gathers a call's reports.
type qualitySum struct {
	order             []streamKey
	streams           map[streamKey]*streamSum
	lossRate, jitter  mean
	rtt, rFactor      mean
	mosMin, jitterMax *float64
	reports           int
}

func newQualitySum() *qualitySum { return &qualitySum{streams: map[streamKey]*streamSum{}} }

func (q *qualitySum) add(m *mediaRow) {
	m.src.ip, m.dst.ip = unmap(m.src.ip), unmap(m.dst.ip)
	q.reports++
	key := streamKey{m.ssrc, m.src, m.dst, m.source}
	s := q.streams[key]
	if s == nil {
		s = &streamSum{Stream: Stream{SSRC: m.ssrc, Src: m.src.String(), Dst: m.dst.String(), Source: m.source}}
		q.streams[key] = s
		q.order = append(q.order, key)
	}
	if m.codec != "" {
		s.Codec = m.codec
	}
	s.Reports = append(s.Reports, m.QualityReport)
	if m.MOS > 0 {
		s.mos.add(m.MOS)
		if q.mosMin == nil || m.MOS < *q.mosMin {
			v := m.MOS
			q.mosMin = &v
		}
	}
	if m.RTTMs > 0 {
		q.rtt.add(m.RTTMs)
	}
	if m.RFactor > 0 {
		q.rFactor.add(m.RFactor)
	}
	if m.Reception {
		s.loss.add(m)
		q.lossRate.add(100 * m.FractionLost)
		q.jitter.add(m.JitterMs)
		if q.jitterMax == nil || m.JitterMs > *q.jitterMax {
			v := m.JitterMs
			q.jitterMax = &v
		}
	}
}

// quality puts the figures together. A stream seen on several hops counts once
// in PacketsLost, with its worst hop.
func (q *qualitySum) quality() *Quality {
	out := &Quality{
		MOSMin: q.mosMin, JitterMax: q.jitterMax, JitterAvg: q.jitter.value(), LossPercent: q.lossRate.value(),
		RTT: q.rtt.value(), RFactor: q.rFactor.value(), Reports: q.reports, Streams: []Stream{},
	}
	var mos mean
	lost := map[uint32]int64{}
	for _, key := range q.order {
		s := q.streams[key]
		out.Streams = append(out.Streams, s.Stream)
		if v := s.mos.value(); v != nil {
			mos.add(*v)
		}
		lost[key.ssrc] = max(lost[key.ssrc], s.loss.packets())
	}
	for _, n := range lost {
		out.PacketsLost += n
	}
	out.MOS = mos.value()
	return out
}
