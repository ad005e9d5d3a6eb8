package digest

import "encoding/binary"

// First is the time of the earliest message in a digest, in µs since the epoch; 0 when
// there is none. What follows a malformed record does not count.
func First(b []byte) (first int64) {
	base := int64(-1)
	var last recent
	for len(b) > 0 {
		kind, size := b[0], fixedSize(b[0])
		if b = b[1:]; len(b) < size {
			return first
		}
		fixed := b[:size]
		b = b[size:]
		var text []byte
		if hasString(kind) {
			n, w := binary.Uvarint(b)
			if w <= 0 || n > uint64(len(b)-w) {
				return first
			}
			text, b = b[w:w+int(n)], b[w+int(n):]
		}
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
			var ok bool
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
