package calls

import "slices"

// release is how the dialogs of an answered leg came to their end.
type release struct {
	// time is when the last of them ended, in µs; 0 while one is up, and when no
	// end was seen.
	time int64
	// by is the From tag of who hung up.
	by uint32
	// answered says that the BYE got a 2xx, sddMs after how many ms.
	answered bool
	sddMs    *float64
}

// findRelease finds the end of what was answered. Each dialog has an end of its
// own: of a forked call that was answered twice, the caller hangs up one at once.
func (o *opening) findRelease(f *fate) release {
	byes := o.byes()
	if len(byes) == 0 {
		return release{}
	}
	var ends []Event
	matched := map[int]bool{}
	for _, tag := range f.dialogs {
		end := -1
		for i, e := range byes {
			if e.FromTag == o.callerTag && e.ToTag == tag || e.FromTag == tag && e.ToTag == o.callerTag {
				matched[i] = true
				if end < 0 {
					end = i
				}
			}
		}
		switch {
		case end >= 0:
			ends = append(ends, byes[end])
		case len(f.dialogs) > 1 && o.acknowledged(tag):
			return release{} // this one is up
		}
	}
	if len(ends) == 0 {
		// Only further on, where the tags may be others.
		for i, e := range byes {
			if !matched[i] {
				ends = append(ends, e)
				break
			}
		}
	}
	if len(ends) == 0 {
		return release{}
	}
	last := slices.MaxFunc(ends, compareEvents)
	r := release{time: last.Time, by: last.FromTag}
	r.answered, r.sddMs = o.disconnect(last)
	return r
}

// byes lists the BYEs in order, those on their sender's hop first where clocks
// differ. A response to a BYE that was missed stands for it.
func (o *opening) byes() []Event {
	isBye := func(e *Event) bool { return e.Method == Bye && e.Status == 0 }
	requests := where(o.events, isBye)
	if len(requests) == 0 {
		return where(o.events, func(e *Event) bool { return e.Method == Bye })
	}
	var own, relayed []Event
	for _, e := range requests {
		passedOn := slices.ContainsFunc(requests, func(b Event) bool {
			return b.Dst == e.Src && b.Src != b.Dst && b.FromTag == e.FromTag && b.CSeq == e.CSeq
		})
		if passedOn {
			relayed = append(relayed, e)
		} else {
			own = append(own, e)
		}
	}
	return append(own, relayed...)
}

// acknowledged reports whether the caller acknowledged the answer of a dialog.
func (o *opening) acknowledged(tag uint32) bool {
	return slices.ContainsFunc(o.events, func(e Event) bool {
		return e.Method == Ack && e.Status == 0 && e.FromTag == o.callerTag && e.ToTag == tag
	})
}

// disconnect tells whether the BYE got a 2xx and after how long: the one that its
// sender got, to this BYE or to the one that it sent after a challenge.
func (o *opening) disconnect(bye Event) (bool, *float64) {
	ok := where(o.events, func(e *Event) bool {
		return e.Method == Bye && isSuccess(e) && e.FromTag == bye.FromTag && e.ToTag == bye.ToTag
	})
	if len(ok) == 0 {
		return false, nil
	}
	client := bye.Src
	if bye.Status > 0 {
		return true, nil // the BYE itself was missed
	}
	if own := where(ok, func(e *Event) bool { return e.Dst == client || e.Branch != 0 && e.Branch == bye.Branch }); len(own) > 0 {
		ok = own
	}
	return true, delay(where(o.events, func(e *Event) bool {
		return e.Method == Bye && e.Status == 0 && e.FromTag == bye.FromTag && e.Src == client && e.ToTag == bye.ToTag
	}), ok)
}
