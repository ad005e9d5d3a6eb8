package callcard

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"
)

// Append appends the card of a call that began then.
func (c *Card) Append(b []byte, start time.Time) []byte {
	e := encoder{b: append(b, version), at: start}
	e.string(c.Method)
	for _, t := range []time.Time{c.Ring, c.Answer, c.End, c.LastSeen} {
		e.time(t)
	}
	pdd, ring, duration := c.expected(start)
	e.figure(c.PDDMs, milli, pdd)
	e.figure(c.SRDMs, milli, pdd)
	e.figure(c.RingMs, milli, ring)
	e.figure(c.DurationS, micro, duration)
	e.figure(c.SDDMs, milli, 0)
	e.string(c.Outcome)
	e.uint(uint64(c.FinalStatus))
	e.string(c.FinalReason)
	e.uint(uint64(c.Q850))
	e.string(c.ReleasedBy)
	for _, s := range []string{c.FromUser, c.FromDomain, c.ToUser, c.ToDomain, c.RURIUser} {
		e.string(s)
	}
	e.address(c.Src)
	e.address(c.Dst)
	e.strings(c.UserAgents)
	e.strings(c.Codecs)
	e.strings(c.Nodes)
	e.uint(c.Messages)
	e.uint(c.Retransmissions)
	e.uint(c.Hops)
	e.figure(c.MOSMin, milli, 0)
	e.figure(c.MOSAvg, milli, 0)
	e.figure(c.LossPercent, milli, 0)
	e.figure(c.JitterMs, milli, 0)
	e.strings(c.LegReasons)
	e.uint(uint64(len(c.LegConfidences)))
	for _, f := range c.LegConfidences {
		e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(f))
	}
	return e.b
}

// encoder writes numbers as varints and strings after their length; a string that
// was there before as its place among them.
type encoder struct {
	b []byte
	// at is the time that the next one counts from.
	at time.Time
	// seen are the strings so far, each once.
	seen [maxSeen]string
	n    int
	// last is the figure before.
	last *float64
}

// maxSeen bounds the strings that later ones may refer to.
const maxSeen = 24

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) int(v int64) { e.b = binary.AppendVarint(e.b, v) }

// string writes a string: twice its length, or twice its place and one.
func (e *encoder) string(s string) {
	if s == "" {
		e.uint(0)
		return
	}
	if i := slices.Index(e.seen[:e.n], s); i >= 0 {
		e.uint(uint64(i)<<1 | 1)
		return
	}
	e.uint(uint64(len(s)) << 1)
	e.b = append(e.b, s...)
	if e.n < maxSeen {
		e.seen[e.n] = s
		e.n++
	}
}

func (e *encoder) strings(list []string) {
	e.uint(uint64(len(list)))
	for _, s := range list {
		e.string(s)
	}
}

// time writes whether there is a time, and what from the one before to it.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.b = append(e.b, 0)
		return
	}
	e.b = append(e.b, 1)
	e.int(micros(e.at, t))
	e.at = t
}

// address writes an address of 0, 4 or 16 bytes, and the port.
func (e *encoder) address(a netip.AddrPort) {
	ip := a.Addr().Unmap().AsSlice()
	e.b = append(append(e.b, byte(len(ip))), ip...)
	e.uint(uint64(a.Port()))
}

// figure writes a number of units that are so many of those of expected.
func (e *encoder) figure(v *float64, scale, expected int64) {
	last := e.last
	e.last = v
	switch {
	case v == nil:
		e.b = append(e.b, figureNone)
	case last != nil && math.Float64bits(*last) == math.Float64bits(*v):
		e.b = append(e.b, figureSame)
	default:
		if n := math.Round(*v * float64(scale)); math.Abs(n) < 1<<53 && math.Float64bits(float64(int64(n))/float64(scale)) == math.Float64bits(*v) {
			e.b = append(e.b, figureScaled)
			e.int(int64(n) - expected)
			return
		}
		if f := float32(*v); math.Float64bits(float64(f)) == math.Float64bits(*v) {
			e.b = binary.LittleEndian.AppendUint32(append(e.b, figureSingle), math.Float32bits(f))
			return
		}
		e.b = binary.LittleEndian.AppendUint64(append(e.b, figureDouble), math.Float64bits(*v))
	}
}
