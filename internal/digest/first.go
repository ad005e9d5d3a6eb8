package digest

// First is the time of the earliest message in a digest, in µs since the epoch; 0 when
// there is none. What follows a malformed record does not count.
func First(b []byte) (first int64) {
	base := int64(-1)
	var last recent
	for len(b) > 0 {
		kind, fixed, text, rest, ok := cutRecord(b)
		if !ok {
			return first
		}
		b = rest
		var e event
		switch kind {
		case recordBase:
			base = int64(le.Uint64(fixed))
			continue
		case recordEvent:
			if base < 0 {
				return first
			}
			e = eventAt(fixed, base)
		case recordBrief:
			if e, ok = last.brief(text); !ok {
				return first
			}
		default:
			continue
		}
		last.add(&e)
		if first == 0 || e.Time < first {
			first = e.Time
		}
	}
	return first
}
