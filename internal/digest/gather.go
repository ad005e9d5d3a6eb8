package digest

import (
	"encoding/binary"
	"hash/maphash"
)

// Gathered puts digests of a leg together. What each of them says once, like who called
// whom, is in Data once, and of openings the better ones alone: several workers and
// several moments have them. What Decode makes of it is what it makes of the digests
// written one behind the other.
type Gathered struct {
	// Data is a digest, the Gathered's own.
	Data []byte
	// noted are hashes of what is in Data and need not be again.
	noted []uint64
	// base is what times at the end of Data count from, rank and openedAt are of the
	// best opening in it.
	base     int64
	rank     int
	openedAt int64
}

// maxNoted bounds what is noted: a leg of more is no call but a fault or an attack.
const maxNoted = 128

// Add adds a digest, which stays the caller's. What is malformed in it is kept, for
// Decode to find.
func (g *Gathered) Add(b []byte) {
	if g.Data == nil {
		g.Data = make([]byte, 0, max(firstRoom, len(b)))
	}
	for len(b) > 0 {
		kind, size := b[0], 1+fixedSize(b[0])
		if kind < recordBase || kind > recordBrief || len(b) < size {
			break
		}
		if hasString(kind) {
			n, w := binary.Uvarint(b[size:])
			if w <= 0 || n > uint64(len(b)-size-w) {
				break
			}
			size += w + int(n)
		}
		record := b[:size]
		b = b[size:]
		switch kind {
		case recordBase:
			base := int64(le.Uint64(record[1:]))
			if base == g.base && len(g.Data) > 0 {
				continue
			}
			g.base = base
		case recordEvent, recordBrief, recordReport:
		case recordOpening:
			// One as good is kept: what decides between them is in the fields.
			rank, at := int(record[1]), int64(le.Uint64(record[2:]))
			if g.openedAt != 0 && (rank < g.rank || rank == g.rank && at > g.openedAt) || !g.note(record) {
				continue
			}
			g.rank, g.openedAt = rank, at
		default:
			if !g.note(record) {
				continue
			}
		}
		g.Data = append(g.Data, record...)
	}
	g.Data = append(g.Data, b...)
}

// firstRoom is room for the digests of half a short call, firstNoted for what they say
// once.
const firstRoom, firstNoted = 640, 14

// note notes a record, and reports whether it is to be added.
func (g *Gathered) note(record []byte) bool {
	h := maphash.Bytes(seed, record)
	for _, n := range g.noted {
		if n == h {
			return false
		}
	}
	if g.noted == nil {
		g.noted = make([]uint64, 0, firstNoted)
	}
	if len(g.noted) < maxNoted {
		g.noted = append(g.noted, h)
	}
	return true
}

// Reset empties it and keeps its memory.
func (g *Gathered) Reset() { *g = Gathered{Data: g.Data[:0], noted: g.noted[:0]} }

// Cut leaves what was added after Data was that long, the first of it by AddApart, and
// goes on as if nothing else had been.
func (g *Gathered) Cut(from int) {
	rest := append(g.Data[:0], g.Data[from:]...)
	*g = Gathered{Data: rest, noted: g.noted[:0], base: -1}
}

// AddApart adds a digest as it is, for Cut: nothing that is before it stands in for a
// part of it, or of what is added later.
func (g *Gathered) AddApart(b []byte) {
	*g = Gathered{Data: append(g.Data, b...), noted: g.noted[:0], base: -1}
}

// Trim gives back memory that is not needed unless more is added; what is added then may
// say again what is in Data.
func (g *Gathered) Trim() {
	g.noted = nil
	if cap(g.Data)-len(g.Data) > len(g.Data)/8 {
		g.Data = append(make([]byte, 0, len(g.Data)), g.Data...)
	}
}

// Held is the memory that it takes, in bytes.
func (g *Gathered) Held() int { return cap(g.Data) + 8*cap(g.noted) }
