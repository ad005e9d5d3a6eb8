package media

import "encoding/binary"

// DTMFEvent is a telephone event (RFC 4733 2.3).
type DTMFEvent struct {
	// Event is the event code: 0..9 digits, 10 *, 11 #, 12..15 A..D, 16 flash.
	Event uint8
	// End marks the last packets of the event.
	End bool
	// Volume is the tone's power, in -dBm0.
	Volume uint8
	// Duration is the length so far, in RTP timestamp units.
	Duration uint16
}

// Digit is the event as a character, '!' for a hook flash as in
// application/dtmf-relay, 0 for events that are no key.
func (e DTMFEvent) Digit() byte {
	if int(e.Event) < len(dtmfDigits) {
		return dtmfDigits[e.Event]
	}
	return 0
}

const dtmfDigits = "0123456789*#ABCD!"

// DTMF reads the payload of a telephone-event packet. Each key press comes in
// several packets of one RTP timestamp: count those with End once for each timestamp.
// ok is false if the payload is short or its reserved bit set. RFC 4733 allows
// several events in a packet; the first is given.
func DTMF(payload []byte) (e DTMFEvent, ok bool) {
	if len(payload) < 4 || payload[1]&0x40 != 0 {
		return DTMFEvent{}, false
	}
	return DTMFEvent{
		Event:    payload[0],
		End:      payload[1]&0x80 != 0,
		Volume:   payload[1] & 0x3f,
		Duration: binary.BigEndian.Uint16(payload[2:]),
	}, true
}

// SIPInfoDTMF reads the key press in the body of a SIP INFO request:
// application/dtmf-relay ("Signal=5\r\nDuration=160") or application/dtmf (the
// character alone, or its event code in decimal). durationMs is 0 where the
// body does not say. ok is false for other content types and bodies.
func SIPInfoDTMF(contentType, body []byte) (digit byte, durationMs int, ok bool) {
	mime := contentType
	for i, c := range mime {
		if c == ';' {
			mime = mime[:i]
			break
		}
	}
	switch mime = trim(mime); {
	case equalFold(mime, "application/dtmf-relay"):
		return dtmfRelay(body)
	case equalFold(mime, "application/dtmf"):
		// Some senders put the relay form under this type.
		if digit, durationMs, ok = dtmfRelay(body); ok {
			return digit, durationMs, true
		}
		digit, ok = dtmfDigit(trim(body))
		return digit, 0, ok
	}
	return 0, 0, false
}

// dtmfRelay reads lines of key=value (or key: value).
func dtmfRelay(body []byte) (digit byte, durationMs int, ok bool) {
	for len(body) > 0 {
		line := body
		body = nil
		for i, c := range line {
			if c == '\n' || c == '\r' {
				line, body = line[:i], line[i+1:]
				break
			}
		}
		for i, c := range line {
			if c != '=' && c != ':' {
				continue
			}
			key, value := trim(line[:i]), trim(line[i+1:])
			switch {
			case equalFold(key, "signal"):
				digit, ok = dtmfDigit(value)
			case equalFold(key, "duration"):
				if n := numberText(value); n.ok && n.i >= 0 && n.i < 1<<31 {
					durationMs = int(n.i)
				}
			}
			break
		}
	}
	if !ok {
		return 0, 0, false
	}
	return digit, durationMs, true
}

// dtmfDigit reads one key: its character, or an event code from 10 to 16.
func dtmfDigit(b []byte) (byte, bool) {
	if len(b) == 1 {
		c := b[0]
		if c >= 'a' && c <= 'd' {
			c -= 'a' - 'A'
		}
		for i := range len(dtmfDigits) {
			if dtmfDigits[i] == c {
				return c, true
			}
		}
		return 0, false
	}
	if equalFold(b, "hf") || equalFold(b, "flash") {
		return '!', true
	}
	if n := numberText(b); len(b) == 2 && n.ok && n.i >= 10 && n.i < int64(len(dtmfDigits)) {
		return dtmfDigits[n.i], true
	}
	return 0, false
}
