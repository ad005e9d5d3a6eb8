package assemble

import "time"

// remembered is a set of hashes that forgets: it may say that it has what it has
// not, seldom, and never that it has not what was added since it began to keep
// count. It grows to hold what comes in an hour, up to 64 MiB.
type remembered struct {
	young, old bloom
	// youngAt is when young was begun, since when old was: what was added from then
	// on is in it.
	youngAt, since time.Time
}

// bloom is a Bloom filter of four bits for each hash.
type bloom struct {
	bits []uint64
	n    int
}

const (
	minBloomWords = 1 << 13 // 64 KiB
	maxBloomWords = 1 << 22 // 32 MiB
	// bloomLoad is how many bits there are for each hash at least: one in fifty is
	// found that was not added.
	bloomLoad = 8
)

func (b *bloom) places(h uint64) (p [4]uint64) {
	step := h>>32 | 1
	mask := uint64(64*len(b.bits) - 1)
	for i := range p {
		p[i] = h & mask
		h += step * 0x9e3779b97f4a7c15
	}
	return p
}

func (b *bloom) add(h uint64) {
	for _, p := range b.places(h) {
		b.bits[p/64] |= 1 << (p % 64)
	}
	b.n++
}

func (b *bloom) has(h uint64) bool {
	if b.n == 0 {
		return false
	}
	for _, p := range b.places(h) {
		if b.bits[p/64]&(1<<(p%64)) == 0 {
			return false
		}
	}
	return true
}

// remember is how long a full half must have lasted not to be made larger.
const remember = time.Hour

func (r *remembered) add(h uint64) {
	if len(r.young.bits) == 0 {
		r.young.bits = make([]uint64, minBloomWords)
	}
	if bloomLoad*(r.young.n+1) > 64*len(r.young.bits) {
		words, now := len(r.young.bits), time.Now()
		if now.Sub(r.youngAt) < remember && words < maxBloomWords {
			words *= 2
		}
		r.old, r.young = r.young, bloom{bits: make([]uint64, words)}
		r.since, r.youngAt = r.youngAt, now
	}
	r.young.add(h)
}

func (r *remembered) has(h uint64) bool { return r.young.has(h) || r.old.has(h) }
