package ingest

// clockRates are the RTP clocks that are not 8 kHz, by lower-case codec name
// (RFC 3551, RFC 7587, RFC 4867, RFC 3047).
var clockRates = map[string]int{
	"opus": 48000, "amr-wb": 16000, "evs": 16000, "g7221": 16000, "speex": 8000, "l16": 44100, "mpa": 90000,
	"h264": 90000, "h265": 90000, "vp8": 90000, "vp9": 90000, "h263": 90000, "h261": 90000, "av1": 90000,
}

// clock is the RTP clock rate of a codec in Hz, 0 when the codec is unknown.
func clock(codec []byte) int {
	if len(codec) == 0 {
		return 0
	}
	var lower [8]byte // no name of these is longer
	if len(codec) <= len(lower) {
		for i, c := range codec {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			lower[i] = c
		}
		if hz, ok := clockRates[string(lower[:len(codec)])]; ok {
			return hz
		}
	}
	const narrowband = 8000
	return narrowband
}
