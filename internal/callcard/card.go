package callcard

import (
	"net/netip"
	"time"
)

// Card is what a list shows of a call besides the columns tenant, correlation_id,
// call_ids and start of its row. Fields are columns of call_rows, with the same
// units; what is NULL there is nil here, and a zero time.
type Card struct {
	Method                      string
	Ring, Answer, End, LastSeen time.Time

	PDDMs, SRDMs, RingMs, DurationS, SDDMs *float64

	// Outcome is what the row says: what time alone decides is not in it.
	Outcome     string
	FinalStatus uint16
	FinalReason string
	Q850        uint16
	ReleasedBy  string

	FromUser, FromDomain string
	ToUser, ToDomain     string
	RURIUser             string
	Src, Dst             netip.AddrPort

	UserAgents, Codecs, Nodes []string

	Messages, Retransmissions, Hops uint64

	MOSMin, MOSAvg, LossPercent, JitterMs *float64

	LegReasons     []string
	LegConfidences []float32
}

// version is the first byte of a card. A reader takes one of another version for
// none and reads the columns; so what a card has may change.
const version = 1

// How a figure is written.
const (
	figureNone   = iota
	figureScaled // a whole number of thousandths or millionths, less the one expected
	figureSame   // as the one before
	figureSingle // 4 bytes
	figureDouble // 8 bytes
)

// Figures are mostly what the times say: the card has how far they are from that.
const (
	milli = 1_000     // of ms: µs
	micro = 1_000_000 // of s: µs
)

// expected are the figures, in µs, that the times give: 0 where they give none.
func (c *Card) expected(start time.Time) (pdd, ring, duration int64) {
	up := c.Answer
	if up.IsZero() {
		up = c.End
	}
	if !c.Ring.IsZero() {
		pdd = micros(start, c.Ring)
		if !up.IsZero() {
			ring = micros(c.Ring, up)
		}
	}
	if !c.Answer.IsZero() {
		over := c.End
		if over.IsZero() {
			over = c.LastSeen
		}
		duration = micros(c.Answer, over)
	}
	return pdd, ring, duration
}

func micros(from, to time.Time) int64 { return to.UnixMicro() - from.UnixMicro() }
