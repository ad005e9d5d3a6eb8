package assemble

import "time"

// remembered is a set of hashes that forgets: it may say that it has what it has
// not, seldom, and never that it has not what was added since it began to keep
// count. It grows to hold what comes in an hour, in up to maxWords.
type remembered struct {
	// filters are in the order in which they were begun; hashes are added to the last.
	filters []bloom
	// since is when the first of them was begun, zero if that is all there ever
	// was: what was added from then on is in one of them.
	since time.Time
}

// bloom is a Bloom filter of bloomBits bits for each hash.
type bloom struct {
	bits  []uint64
	n     int
	begun time.Time
}

const (
	minBloomWords = 1 << 14 // 128 KiB
	maxBloomWords = 1 << 22 // 32 MiB
	// bloomLoad is how many bits of a filter there are for each hash at least: two in a
	// million are found that were not added. What is found is looked for in the database:
	// even a few in each pass cost as much there as all lists of calls. A filter as large
	// as may be holds twice as many, so that there is an hour in it at 100,000 messages a
	// second, and finds one in two thousand when it is full.
	bloomBits, bloomLoad, maxBloomLoad = 10, 32, 16
	// bloomGrowth is by how much larger the next filter is when one was full within an
	// hour.
	bloomGrowth = 4
	// maxWords bounds the filters together: 64 MiB.
	maxWords = 2 * maxBloomWords
)

// full reports whether there is no room for another hash.
func (b *bloom) full() bool {
	load := bloomLoad
	if len(b.bits) >= maxBloomWords {
		load = maxBloomLoad
	}
	return load*(b.n+1) > 64*len(b.bits)
}

func (b *bloom) places(h uint64) (p [bloomBits]uint64) {
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

// remember is how long ago what a filter has must be for it to go.
const remember = time.Hour

func (r *remembered) add(h uint64) {
	last := len(r.filters) - 1
	if last < 0 || r.filters[last].full() {
		r.begin(time.Now())
		last = len(r.filters) - 1
	}
	r.filters[last].add(h)
}

// begin begins a filter, larger than the one before if that lasted for less
// than an hour, and lets go of those that are not needed any more.
func (r *remembered) begin(now time.Time) {
	words := minBloomWords
	if n := len(r.filters); n > 0 {
		last := &r.filters[n-1]
		words = len(last.bits)
		if now.Sub(last.begun) < remember && words < maxBloomWords {
			words *= bloomGrowth
		}
	}
	all := words
	for i := range r.filters {
		all += len(r.filters[i].bits)
	}
	for len(r.filters) > 1 && (now.Sub(r.filters[1].begun) > remember || all > maxWords) {
		all -= len(r.filters[0].bits)
		r.since = r.filters[1].begun
		r.filters = append(r.filters[:0:0], r.filters[1:]...)
	}
	r.filters = append(r.filters, bloom{bits: make([]uint64, words), begun: now})
}

func (r *remembered) has(h uint64) bool {
	for i := len(r.filters) - 1; i >= 0; i-- {
		if r.filters[i].has(h) {
			return true
		}
	}
	return false
}
