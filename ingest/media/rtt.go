package media

// ntpUnixOffset is the seconds from 1900, the NTP epoch, to 1970.
const ntpUnixOffset = 2208988800

// maxRTTMs bounds a plausible round trip. Beyond it, clocks differ.
const maxRTTMs = 10_000

// maxSkewMs is how far below zero a round trip may come out before it is
// refused: senders and agents run on clocks that NTP holds to a few ms.
const maxSkewMs = 5

// RTT is the round-trip time by RFC 3550 6.4.1: A - LSR - DLSR, where A is the
// arrival of the report block at the sender of the SR, in Unix microseconds.
// It is as good as the clocks are equal: a capture point on the SR sender's
// host, or one synchronised to it. ok is false where LSR is 0 (no SR received
// yet) and where the result is not plausible: below -5 ms or above 10 s. A
// result from -5 ms to 0 is given as 0.
func RTT(arrivalUnixMicros int64, lsr, dlsr uint32) (ms float32, ok bool) {
	if lsr == 0 {
		return 0, false
	}
	return span(midNTP(arrivalUnixMicros), lsr, dlsr)
}

// PathRTT is the round trip from a capture point to the report's sender and
// back: the SR was seen passing at srSeen, and the block that answers it
// (LSR = the SR's MidNTP) at blockSeen, both in Unix microseconds of one
// clock. It needs no clock of the endpoints. ok is as in [RTT].
func PathRTT(srSeen, blockSeen int64, dlsr uint32) (ms float32, ok bool) {
	return span(midNTP(blockSeen), midNTP(srSeen), dlsr)
}

// span is to - from - hold in ms, all in 1/65536 s modulo 2^32.
func span(to, from, hold uint32) (ms float32, ok bool) {
	v := float64(int32(to-from-hold)) * 1000 / 65536
	if v < -maxSkewMs || v > maxRTTMs {
		return 0, false
	}
	return float32(max(v, 0)), true
}

// midNTP is the middle 32 bits of the NTP time of a Unix time in microseconds.
func midNTP(unixMicros int64) uint32 {
	sec := unixMicros / 1e6
	micros := unixMicros % 1e6
	if micros < 0 {
		sec, micros = sec-1, micros+1e6
	}
	return uint32(sec+ntpUnixOffset)<<16 | uint32(micros<<16/1e6)
}
