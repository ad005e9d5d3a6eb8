package callcard

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"
)

// ErrNone says that there is no card, or none of this version: the columns of the
// row are to be read.
var ErrNone = errors.New("no card")

// errBad says that a card is not one.
var errBad = errors.New("not a card")

// Decode reads the card of a call that began then. The error is ErrNone, or says
// that the card is damaged.
func Decode(card string, start time.Time) (Card, error) {
	if card == "" || card[0] != version {
		return Card{}, ErrNone
	}
	d := decoder{b: card[1:], at: start}
	var c Card
	c.Method = d.string()
	for _, t := range []*time.Time{&c.Ring, &c.Answer, &c.End, &c.LastSeen} {
		*t = d.time()
	}
	pdd, ring, duration := c.expected(start)
	c.PDDMs = d.figure(milli, pdd)
	c.SRDMs = d.figure(milli, pdd)
	c.RingMs = d.figure(milli, ring)
	c.DurationS = d.figure(micro, duration)
	c.SDDMs = d.figure(milli, 0)
	c.Outcome = d.string()
	c.FinalStatus = uint16(d.uint())
	c.FinalReason = d.string()
	c.Q850 = uint16(d.uint())
	c.ReleasedBy = d.string()
	for _, s := range []*string{&c.FromUser, &c.FromDomain, &c.ToUser, &c.ToDomain, &c.RURIUser} {
		*s = d.string()
	}
	c.Src, c.Dst = d.address(), d.address()
	c.UserAgents, c.Codecs, c.Nodes = d.strings(), d.strings(), d.strings()
	c.Messages, c.Retransmissions, c.Hops = d.uint(), d.uint(), d.uint()
	c.MOSMin = d.figure(milli, 0)
	c.MOSAvg = d.figure(milli, 0)
	c.LossPercent = d.figure(milli, 0)
	c.JitterMs = d.figure(milli, 0)
	c.LegReasons = d.strings()
	c.LegConfidences = make([]float32, d.count())
	for i := range c.LegConfidences {
		if b := d.bytes(4); b != "" {
			c.LegConfidences[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(b)))
		}
	}
	if d.bad || d.b != "" {
		return Card{}, errBad
	}
	return c, nil
}

// decoder reads what encoder writes. Strings are parts of the card. What is beyond
// its end is zero, and bad is set.
type decoder struct {
	b    string
	at   time.Time
	seen [maxSeen]string
	n    int
	last *float64
	bad  bool
}

func (d *decoder) bytes(n int) string {
	if n > len(d.b) {
		d.b, d.bad = "", true
		return ""
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != "" {
		return b[0]
	}
	return 0
}

func (d *decoder) uint() uint64 {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b := d.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	d.bad = true
	return 0
}

func (d *decoder) int() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

// count reads the length of a list, each of whose parts takes a byte at least.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) string() string {
	v := d.uint()
	if v == 0 {
		return ""
	}
	if v&1 == 1 {
		if v>>1 >= uint64(d.n) {
			d.bad = true
			return ""
		}
		return d.seen[v>>1]
	}
	if v>>1 > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	s := d.bytes(int(v >> 1))
	if d.n < maxSeen {
		d.seen[d.n] = s
		d.n++
	}
	return s
}

func (d *decoder) strings() []string {
	out := make([]string, d.count())
	for i := range out {
		out[i] = d.string()
	}
	return out
}

func (d *decoder) time() time.Time {
	if d.byte() == 0 {
		return time.Time{}
	}
	d.at = time.UnixMicro(d.at.UnixMicro() + d.int()).UTC()
	return d.at
}

func (d *decoder) address() netip.AddrPort {
	b := d.bytes(int(d.byte()))
	ip, ok := netip.AddrFromSlice([]byte(b))
	d.bad = d.bad || !ok && b != ""
	return netip.AddrPortFrom(ip, uint16(d.uint()))
}

func (d *decoder) figure(scale, expected int64) *float64 {
	var v float64
	switch d.byte() {
	case figureNone:
		d.last = nil
		return nil
	case figureSame:
		if d.last == nil {
			d.bad = true
			return nil
		}
		v = *d.last
	case figureScaled:
		v = float64(d.int()+expected) / float64(scale)
	case figureSingle:
		if b := d.bytes(4); b != "" {
			v = float64(math.Float32frombits(binary.LittleEndian.Uint32([]byte(b))))
		}
	case figureDouble:
		if b := d.bytes(8); b != "" {
			v = math.Float64frombits(binary.LittleEndian.Uint64([]byte(b)))
		}
	default:
		d.bad = true
	}
	d.last = &v
	return &v
}
