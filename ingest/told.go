package ingest

import (
	"hash/maphash"

	"github.com/heplake/heplake/internal/digest"
)

// toldIDs are the rows of table ids that were made of late: a call has several
// messages in an hour, which one row leads to.
type toldIDs struct {
	seen []uint64
	// gone is how many batches of ids or users were lost when this was begun.
	gone uint64
}

// toldRows is how many rows are remembered.
const toldRows = 1 << 16

var toldSeed = maphash.MakeSeed()

// has reports whether the row was made before, and remembers that it is now. hash
// is that of the id.
func (s *toldIDs) has(hash uint64, id digest.ID) bool {
	if s.seen == nil {
		s.seen = make([]uint64, toldRows)
	}
	const odd = 0x9e3779b97f4a7c15
	h := (hash+uint64(id.Slot/3600))*odd ^ maphash.Bytes(toldSeed, id.CallID)
	h = h*odd ^ maphash.Bytes(toldSeed, id.CorrelationID)
	place := &s.seen[h%toldRows]
	if *place == h {
		return true
	}
	*place = h
	return false
}

// toldUsers are the rows of table users that were made of late: of a call several
// messages name a user.
type toldUsers struct{ seen []uint64 }

// userFields are the bits of an element of seen that say of which fields a row was
// made; the others are of the row's hash.
const userFields = 0xff

// has reports whether such rows were made before, and remembers that they are now.
// hash is that of the name.
func (s *toldUsers) has(hash uint64, hour uint32, u digest.User) bool {
	if s.seen == nil {
		s.seen = make([]uint64, toldRows)
	}
	const odd = 0x9e3779b97f4a7c15
	h := (hash+uint64(hour/3600))*odd ^ maphash.Bytes(toldSeed, u.CorrelationID)
	place := &s.seen[(h>>8)%toldRows]
	if *place&^userFields != h&^userFields {
		*place = h&^userFields | uint64(u.Fields)
		return false
	}
	if *place|uint64(u.Fields) == *place {
		return true
	}
	*place |= uint64(u.Fields)
	return false
}
