package ingest

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/schema"
)

// minMarked is the shortest value worth a mark, which has two bytes.
const minMarked = 4

// The marks, in the order of schema.Marks, which a test checks.
const (
	markCallID = iota
	markFromTag
	markToTag
	markFromUser
	markToUser
)

// maxSpans is how many parts of a message marks may replace.
const maxSpans = 9

// packer writes messages in the form of the column packed: see schema.Marks.
// The zero value is ready.
type packer struct {
	out    []byte
	spans  [maxSpans]span
	used   int
	branch int // where the topmost Via's branch begins in out; -1 when nowhere
}

// span is a part of the message that a column repeats.
type span struct {
	at, end int
	letter  byte
}

// appendTo appends the columns that hold the message raw, of which m is the scan,
// and its Call-ID and branch.
func (k *packer) appendTo(c *batch.SIP, raw, correlation []byte, m *sip.Message) {
	packing := uint8(schema.Packed)
	// Without a Call-ID an empty own_call_id would be taken for the correlation id.
	if bytes.IndexByte(raw, schema.PackEscape) >= 0 || len(m.CallID) == 0 && len(correlation) > 0 {
		packing = schema.Unpacked
	}
	c.Packing.Append(packing)
	if packing == schema.Packed {
		c.Packed.Append(k.pack(raw, m))
	} else {
		k.branch = within(raw, m.Via.Branch)
		c.Packed.Append(raw)
	}
	if packing == schema.Packed && bytes.Equal(m.CallID, correlation) {
		c.OwnCallID.Append(nil)
	} else {
		c.OwnCallID.Append(m.CallID)
	}
	if k.branch >= 0 && len(m.Via.Branch) <= math.MaxUint16 {
		c.BranchAt.Append(uint32(k.branch + 1))
		c.BranchLen.Append(uint16(len(m.Via.Branch)))
		c.OwnBranch.Append(nil)
		return
	}
	c.BranchAt.Append(0)
	c.BranchLen.Append(0)
	c.OwnBranch.Append(m.Via.Branch)
}

// pack returns the packed form of the message raw, which has no PackEscape, and
// notes where in it the branch is. The result is valid until the next call.
func (k *packer) pack(raw []byte, m *sip.Message) []byte {
	k.used, k.branch = 0, -1
	k.mark(raw, m.CallID, markCallID)
	k.mark(raw, m.FromTag, markFromTag)
	k.mark(raw, m.ToTag, markToTag)
	k.mark(raw, m.From.User, markFromUser)
	k.mark(raw, m.To.User, markToUser)
	k.markUser(raw, m.RURI.User, m)
	k.markUser(raw, m.Contact.User, m)
	k.markUser(raw, m.PAI.User, m)
	k.markUser(raw, m.AuthUser, m)

	branch := within(raw, m.Via.Branch)
	branchEnd := branch + len(m.Via.Branch)
	out, from := k.out[:0], 0
	for _, s := range k.spans[:k.used] {
		if s.at < from {
			continue // two names for the same bytes
		}
		if branch >= from && branchEnd <= s.at {
			k.branch = len(out) + branch - from
		}
		out = append(out, raw[from:s.at]...)
		out = append(out, schema.PackEscape, s.letter)
		from = s.end
	}
	if branch >= from {
		k.branch = len(out) + branch - from
	}
	k.out = append(out, raw[from:]...)
	return k.out
}

// mark notes that a column holds the value, a part of raw or else of no use.
func (k *packer) mark(raw, value []byte, mark int) {
	if len(value) < minMarked {
		return
	}
	at := within(raw, value)
	if at < 0 {
		return
	}
	// Few, and nearly in order: insertion is the fastest sort.
	i := k.used
	for ; i > 0 && k.spans[i-1].at > at; i-- {
		k.spans[i] = k.spans[i-1]
	}
	k.spans[i] = span{at: at, end: at + len(value), letter: schema.Marks[mark].Letter}
	k.used++
}

// markUser does so for a user that has a column of its own but no mark, where it
// is that of From or To, as it mostly is.
func (k *packer) markUser(raw, user []byte, m *sip.Message) {
	switch {
	case bytes.Equal(user, m.From.User):
		k.mark(raw, user, markFromUser)
	case bytes.Equal(user, m.To.User):
		k.mark(raw, user, markToUser)
	}
}

// within is the offset in whole of part, a slice of it; -1 when it is empty or
// lies elsewhere, as the text of a folded header does.
func within(whole, part []byte) int {
	if len(part) == 0 || len(whole) == 0 {
		return -1
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	if at >= uintptr(len(whole)) || at+uintptr(len(part)) > uintptr(len(whole)) {
		return -1
	}
	return int(at)
}
