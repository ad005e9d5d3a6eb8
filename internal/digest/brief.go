package digest

import (
	"encoding/binary"

	"github.com/heplake/heplake/internal/calls"
)

// What a brief event says otherwise than the event that it is like. The numbers are
// stored: they never change.
const (
	// briefBefore: it is like the one before the last, as where two hops take turns.
	briefBefore = 1 << iota
	briefMethod // uint8
	briefStatus // uint16
	briefCSeq   // uvarint
	briefFromTag
	briefToTag
	briefBranch // these, and those without a word, uint32
	// briefBack: sender and receiver are the other's receiver and sender.
	briefBack
	// briefAddresses: hashes of sender and receiver, uint32 each.
	briefAddresses
	briefAgent
	// briefSDP and briefExpires: there is one; the other's do not count.
	briefSDP
	briefExpires
)

// event is what a digest has of a message.
type event = calls.Event

// recent are the last two events of a leg in a digest, the last one second; there
// are known of them.
type recent struct {
	events [2]event
	known  int
}

// add adds the next event.
func (r *recent) add(e *event) {
	r.events[0], r.events[1] = r.events[1], *e
	r.known = min(r.known+1, 2)
}

// appendEvent appends the next event of a leg, in brief if there is one that it may be
// like, and adds it to these.
func (r *recent) appendEvent(b []byte, e *event, base int64) []byte {
	if r.known == 0 {
		b = appendWhole(b, e, base)
	} else {
		like, mask := &r.events[1], differs(&r.events[1], e)
		if r.known > 1 && mask&^(briefStatus|briefSDP|briefExpires) != 0 {
			if before := differs(&r.events[0], e); sizes(before) < sizes(mask) {
				like, mask = &r.events[0], before|briefBefore
			}
		}
		b = appendBrief(b, e, like, mask)
	}
	r.add(e)
	return b
}

// appendWhole appends a record of an event that stands by itself.
func appendWhole(b []byte, e *event, base int64) []byte {
	b = le.AppendUint32(append(b, recordEvent), uint32(e.Time-base))
	b = le.AppendUint16(append(b, byte(e.Method)), e.Status)
	for _, v := range [...]uint32{e.CSeq, e.FromTag, e.ToTag, e.Branch, e.Src, e.Dst, e.Agent, e.SDP, e.Expires} {
		b = le.AppendUint32(b, v)
	}
	return b
}

// differs says what an event says otherwise than another.
func differs(like, e *event) (mask uint16) {
	set := func(bit uint16, differs bool) {
		if differs {
			mask |= bit
		}
	}
	set(briefMethod, e.Method != like.Method)
	set(briefStatus, e.Status != like.Status)
	set(briefCSeq, e.CSeq != like.CSeq)
	set(briefFromTag, e.FromTag != like.FromTag)
	set(briefToTag, e.ToTag != like.ToTag)
	set(briefBranch, e.Branch != like.Branch)
	if e.Src != like.Src || e.Dst != like.Dst {
		back := e.Src == like.Dst && e.Dst == like.Src
		set(briefBack, back)
		set(briefAddresses, !back)
	}
	set(briefAgent, e.Agent != like.Agent)
	set(briefSDP, e.SDP != 0)
	set(briefExpires, e.Expires != 0)
	return mask
}

// sizes is about the length of what there is to say.
func sizes(mask uint16) (n int) {
	for _, bit := range [...]uint16{briefFromTag, briefToTag, briefBranch, briefAddresses, briefAddresses, briefAgent} {
		if mask&bit != 0 {
			n += 4
		}
	}
	if mask&briefCSeq != 0 {
		n++
	}
	if mask&briefMethod != 0 {
		n++
	}
	return n
}

// briefMost is more than the payload of any brief event, and less than what makes the
// length of its length two bytes.
const briefMost = 64

func appendBrief(b []byte, e, like *event, mask uint16) []byte {
	var room [briefMost]byte
	p := le.AppendUint16(room[:0], mask)
	p = binary.AppendVarint(p, e.Time-like.Time)
	if mask&briefMethod != 0 {
		p = append(p, byte(e.Method))
	}
	if mask&briefStatus != 0 {
		p = le.AppendUint16(p, e.Status)
	}
	if mask&briefCSeq != 0 {
		p = binary.AppendUvarint(p, uint64(e.CSeq))
	}
	if mask&briefFromTag != 0 {
		p = le.AppendUint32(p, e.FromTag)
	}
	if mask&briefToTag != 0 {
		p = le.AppendUint32(p, e.ToTag)
	}
	if mask&briefBranch != 0 {
		p = le.AppendUint32(p, e.Branch)
	}
	if mask&briefAddresses != 0 {
		p = le.AppendUint32(le.AppendUint32(p, e.Src), e.Dst)
	}
	if mask&briefAgent != 0 {
		p = le.AppendUint32(p, e.Agent)
	}
	if mask&briefSDP != 0 {
		p = le.AppendUint32(p, e.SDP)
	}
	if mask&briefExpires != 0 {
		p = le.AppendUint32(p, e.Expires)
	}
	return append(append(b, recordBrief, byte(len(p))), p...)
}

// brief reads a brief event; false when it is none that follows these.
func (r *recent) brief(b []byte) (e event, ok bool) {
	ok = true
	take := func(n int) []byte {
		if len(b) < n {
			ok, b = false, nil
			return make([]byte, n)
		}
		part := b[:n]
		b = b[n:]
		return part
	}
	u32 := func() uint32 { return le.Uint32(take(4)) }
	mask := le.Uint16(take(2))
	like := &r.events[1]
	if r.known == 0 || mask&briefBefore != 0 && r.known < 2 {
		return e, false
	}
	if mask&briefBefore != 0 {
		like = &r.events[0]
	}
	e = *like
	after, w := binary.Varint(b)
	if w <= 0 {
		return e, false
	}
	e.Time, b = e.Time+after, b[w:]
	if mask&briefMethod != 0 {
		e.Method = calls.Method(take(1)[0])
	}
	if mask&briefStatus != 0 {
		e.Status = le.Uint16(take(2))
	}
	if mask&briefCSeq != 0 {
		n, w := binary.Uvarint(b)
		if w <= 0 {
			return e, false
		}
		e.CSeq, b = uint32(n), b[w:]
	}
	if mask&briefFromTag != 0 {
		e.FromTag = u32()
	}
	if mask&briefToTag != 0 {
		e.ToTag = u32()
	}
	if mask&briefBranch != 0 {
		e.Branch = u32()
	}
	switch {
	case mask&briefBack != 0:
		e.Src, e.Dst = like.Dst, like.Src
	case mask&briefAddresses != 0:
		e.Src = u32()
		e.Dst = u32()
	}
	if mask&briefAgent != 0 {
		e.Agent = u32()
	}
	e.SDP, e.Expires = 0, 0
	if mask&briefSDP != 0 {
		e.SDP = u32()
	}
	if mask&briefExpires != 0 {
		e.Expires = u32()
	}
	return e, ok && len(b) == 0
}
