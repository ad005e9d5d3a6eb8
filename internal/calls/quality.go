package calls

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// add puts sums together.
func (q *Quality) add(o *Quality) {
	if o.MOSCount > 0 && (q.MOSCount == 0 || o.MOSMin < q.MOSMin) {
		q.MOSMin = o.MOSMin
	}
	q.MOSSum += o.MOSSum
	q.MOSCount += o.MOSCount
	q.LossSum += o.LossSum
	q.JitterSum += o.JitterSum
	q.RTTSum += o.RTTSum
	q.Receptions += o.Receptions
	q.RTTCount += o.RTTCount
}

// mean is sum/count times scale; nil when nothing was counted.
func mean(sum float64, count uint64, scale float64) *float64 {
	if count == 0 {
		return nil
	}
	v := scale * sum / float64(count)
	return &v
}

func (q *Quality) reception() Reception {
	return Reception{MOSAvg: mean(q.MOSSum, q.MOSCount, 1), LossPercent: mean(q.LossSum, q.Receptions, 100), JitterMs: mean(q.JitterSum, q.Receptions, 1)}
}

// quality sums up what was reported of the call's media.
func (a *assembly) quality() {
	c := &a.call
	// The caller's media address is in the first leg's offer, the callee's in the
	// last leg's answer.
	caller := mediaAddress(a.legs[0].Offered)
	callee := mediaAddress(a.legs[len(a.legs)-1].Answered)
	for i := len(a.legs) - 2; i >= 0 && !callee.IsValid(); i-- {
		callee = mediaAddress(a.legs[i].Answered)
	}
	var all, byCaller, byCallee Quality
	for _, q := range inOrderOfReporter(a.legs) {
		all.add(&q)
		switch reporter(q.From, caller, callee) {
		case ByCaller:
			byCaller.add(&q)
		case ByCallee:
			byCallee.add(&q)
		}
	}
	if all.MOSCount > 0 {
		c.MOSMin = &all.MOSMin
	}
	c.MOSAvg, c.LossPercent = mean(all.MOSSum, all.MOSCount, 1), mean(all.LossSum, all.Receptions, 100)
	c.JitterMs, c.RTTMs = mean(all.JitterSum, all.Receptions, 1), mean(all.RTTSum, all.RTTCount, 1)
	c.Caller, c.Callee = byCaller.reception(), byCallee.reception()
}

// reporter tells which end sent a report: RTCP comes from the port of the media
// or the one above it (RFC 3550 section 11). Ports changed on the way leave the
// host, if it is of one end only.
func reporter(from, caller, callee netip.AddrPort) string {
	sends := func(end netip.AddrPort) bool {
		return end.IsValid() && from.Addr() == end.Addr() && (from.Port() == end.Port() || from.Port() == end.Port()+1)
	}
	switch {
	case !from.IsValid():
	case sends(caller):
		return ByCaller
	case sends(callee):
		return ByCallee
	case caller.Addr() == callee.Addr():
	case from.Addr() == caller.Addr():
		return ByCaller
	case from.Addr() == callee.Addr():
		return ByCallee
	}
	return ""
}

// mediaAddress is where the main stream of an SDP summary wants its packets.
func mediaAddress(summary string) netip.AddrPort {
	main, _, _ := strings.Cut(summary, ", ")
	words := strings.Split(main, " ")
	if len(words) < 2 {
		return netip.AddrPort{}
	}
	a, err := netip.ParseAddrPort(words[1])
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// inOrderOfReporter lists the sums of all legs in a fixed order: sums of floating
// point numbers depend on it.
func inOrderOfReporter(legs []Leg) []Quality {
	var out []Quality
	for i := range legs {
		for _, q := range legs[i].Quality {
			q.From = netip.AddrPortFrom(q.From.Addr().Unmap(), q.From.Port())
			out = append(out, q)
		}
	}
	slices.SortFunc(out, func(a, b Quality) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.MOSSum, b.MOSSum), cmp.Compare(a.LossSum, b.LossSum),
			cmp.Compare(a.JitterSum, b.JitterSum), cmp.Compare(a.RTTSum, b.RTTSum))
	})
	return out
}
