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
	reports := inOrderOfReporter(a.legs)
	if len(reports) == 0 {
		return
	}
	caller, callee := a.announced()
	var all, byCaller, byCallee Quality
	for i := range reports {
		q := &reports[i]
		all.add(q)
		switch reporter(q.From, caller, callee) {
		case ByCaller:
			byCaller.add(q)
		case ByCallee:
			byCallee.add(q)
		}
	}
	if all.MOSCount > 0 {
		c.MOSMin = &all.MOSMin
	}
	c.MOSAvg, c.LossPercent = mean(all.MOSSum, all.MOSCount, 1), mean(all.LossSum, all.Receptions, 100)
	c.JitterMs, c.RTTMs = mean(all.JitterSum, all.Receptions, 1), mean(all.RTTSum, all.RTTCount, 1)
	c.Caller, c.Callee = byCaller.reception(), byCallee.reception()
}

// announced lists the media addresses of each side of the call. On every leg and
// hop, what the caller's side announces stands for the caller, even where a media
// proxy has put its own address there.
func (a *assembly) announced() (caller, callee []netip.AddrPort) {
	for i := range a.legs {
		l, o := &a.legs[i], a.openings[i]
		if len(l.SDPs) == 0 {
			caller, callee = addMedia(caller, l.Offered), addMedia(callee, l.Answered)
			continue
		}
		for _, e := range o.events {
			speaker := e.FromTag
			if e.Status > 0 {
				speaker = e.ToTag
			}
			switch {
			case e.SDP == 0:
			case speaker == o.callerTag:
				caller = addMedia(caller, l.SDPs[e.SDP])
			default:
				callee = addMedia(callee, l.SDPs[e.SDP])
			}
		}
	}
	return caller, callee
}

// reporter tells which side sent a report: RTCP comes from the port of the media
// or the one above it (RFC 3550 section 11). Ports changed on the way leave the
// host, if it is of one side only.
func reporter(from netip.AddrPort, caller, callee []netip.AddrPort) string {
	sends := func(end netip.AddrPort) bool {
		return from.Addr() == end.Addr() && (from.Port() == end.Port() || from.Port() == end.Port()+1)
	}
	isHost := func(end netip.AddrPort) bool { return from.Addr() == end.Addr() }
	for _, is := range []func(netip.AddrPort) bool{sends, isHost} {
		mine, other := slices.ContainsFunc(caller, is), slices.ContainsFunc(callee, is)
		switch {
		case mine && other:
			return ""
		case mine:
			return ByCaller
		case other:
			return ByCallee
		}
	}
	switch { // one side's description was missed, or there was none
	case len(callee) == 0 && len(caller) > 0:
		return ByCallee
	case len(caller) == 0 && len(callee) > 0:
		return ByCaller
	}
	return ""
}

// addMedia adds the addresses of an SDP summary: "audio 10.0.0.1:20000 PCMU
// sendrecv, video 10.0.0.1:20002".
func addMedia(to []netip.AddrPort, summary string) []netip.AddrPort {
	for stream := range strings.SplitSeq(summary, ", ") {
		words := strings.SplitN(stream, " ", 3)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddrPort(words[1])
		if err != nil || a.Port() == 0 {
			continue
		}
		if a = unmapped(a); !slices.Contains(to, a) {
			to = append(to, a)
		}
	}
	return to
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
