package batch

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/heplake/heplake/schema"
)

// table finds a value's number by its hash: open addressing with linear
// probing. Values stay where the column has them, so that nothing here holds a
// pointer for the garbage collector to follow, and a value that is known costs
// no more than a comparison.
type table struct {
	slots  []int32  // number of a value plus one; 0 is free; a power of two long
	hashes []uint32 // by number
}

// minSlots is the size of the smallest table.
const minSlots = 64

// maxKept is the number of values, and maxKeptBytes their size, above which a
// dictionary is dropped at reset rather than kept for the next batch: a sender
// of ever new "enum" values must not hold memory for ever.
const (
	maxKept      = 1 << 16
	maxKeptBytes = 4 << 20
)

// seed makes hashes differ from run to run: nobody can send values that collide.
var seed = maphash.MakeSeed()

// add gives the next number to a value that is not in the table yet.
func (t *table) add(h uint32) int32 {
	if 2*(len(t.hashes)+1) > len(t.slots) {
		t.slots = make([]int32, max(minSlots, 2*len(t.slots)))
		for i, h := range t.hashes {
			t.place(h, int32(i))
		}
	}
	i := int32(len(t.hashes))
	t.hashes = append(t.hashes, h)
	t.place(h, i)
	return i
}

func (t *table) place(h uint32, i int32) {
	mask := uint32(len(t.slots) - 1)
	slot := h & mask
	for t.slots[slot] != 0 {
		slot = (slot + 1) & mask
	}
	t.slots[slot] = i + 1
}

func (t *table) reset() {
	if len(t.hashes) > maxKept {
		*t = table{}
		return
	}
	clear(t.slots)
	t.hashes = t.hashes[:0]
}

func (t *table) size() int { return 4 * (len(t.slots) + cap(t.hashes)) }

// Enum is a dictionary-encoded column of byte strings: each different value is
// kept once, rows are indexes.
type Enum struct {
	rows   []int32
	values Text
	table  table
	// recent are indexes by a cheap hash of the value: with few different values
	// in use they save nearly every look-up. What they hold is compared before it
	// is believed.
	recent [recentValues]int32
}

// recentValues is a power of two.
const recentValues = 64

// recentSlot is the place of a value in recent: by its length and its ends, in
// which usual values differ.
func recentSlot(v []byte) int {
	n := len(v)
	switch {
	case n >= 8:
		h := binary.NativeEndian.Uint64(v) ^ binary.NativeEndian.Uint64(v[n-8:])*31 + uint64(n)
		return int(h * 0x9e3779b97f4a7c15 >> 58)
	case n > 0:
		return (int(v[0])*7 + int(v[n-1]) + n) & (recentValues - 1)
	}
	return 0
}

// Append adds a row, copying v if it is new to the batch.
func (c *Enum) Append(v []byte) {
	recent := &c.recent[recentSlot(v)]
	if i := int(*recent); i < c.values.len() && string(c.values.at(i)) == string(v) {
		c.rows = append(c.rows, *recent)
		return
	}
	*recent = c.number(v)
	c.rows = append(c.rows, *recent)
}

// number is the value's index in the dictionary, which it enters if need be.
func (c *Enum) number(v []byte) int32 {
	h := uint32(maphash.Bytes(seed, v))
	if len(c.table.slots) > 0 {
		mask := uint32(len(c.table.slots) - 1)
		for slot := h & mask; ; slot = (slot + 1) & mask {
			i := c.table.slots[slot] - 1
			if i < 0 {
				break
			}
			if c.table.hashes[i] == h && string(c.values.at(int(i))) == string(v) {
				return i
			}
		}
	}
	c.values.Append(v)
	return c.table.add(h)
}

// AppendString adds a row.
func (c *Enum) AppendString(v string) { c.Append(bytesOfString(v)) }

func (c *Enum) accepts(k schema.Kind) bool { return k == schema.Enum }

func (c *Enum) data(t arrow.DataType) arrow.ArrayData {
	dict := t.(*arrow.DictionaryType)
	return array.NewDataWithDictionary(t, len(c.rows), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.rows))}, 0, 0, c.values.data(dict.ValueType).(*array.Data))
}

func (c *Enum) len() int  { return len(c.rows) }
func (c *Enum) size() int { return 4*len(c.rows) + c.values.size() }
func (c *Enum) held() int { return 4*cap(c.rows) + c.values.held() + c.table.size() }

func (c *Enum) take(from column) {
	f := from.(*Enum)
	numbers := make([]int32, f.values.len())
	for i := range numbers {
		numbers[i] = c.number(f.values.at(i))
	}
	c.rows = takeRows(c.rows, f.rows, numbers)
}

// takeRows appends the rows of another dictionary, whose values have these
// numbers here.
func takeRows(rows, from, numbers []int32) []int32 {
	for _, i := range from {
		rows = append(rows, numbers[i])
	}
	return rows
}

func (c *Enum) reset() {
	c.rows = c.rows[:0]
	if c.values.len() > maxKept || c.values.held() > maxKeptBytes {
		c.values = Text{}
	}
	c.values.reset()
	c.table.reset()
}

// Addr is a dictionary-encoded column of 16-byte addresses.
type Addr struct {
	rows   []int32
	values []byte
	table  table
	last   int32
}

// addrSeed makes the hashes of addresses differ from run to run.
var addrSeed = [2]uint64{maphash.String(seed, "low"), maphash.String(seed, "high")}

// Append adds a row.
func (c *Addr) Append(v [schema.AddrWidth]byte) {
	low, high := binary.NativeEndian.Uint64(v[:8]), binary.NativeEndian.Uint64(v[8:])
	if len(c.rows) > 0 && c.is(c.last, low, high) {
		c.rows = append(c.rows, c.last)
		return
	}
	c.last = c.number(&v, low, high)
	c.rows = append(c.rows, c.last)
}

// is tells whether value i has these halves.
func (c *Addr) is(i int32, low, high uint64) bool {
	v := c.values[schema.AddrWidth*int(i):][:schema.AddrWidth]
	return binary.NativeEndian.Uint64(v[:8]) == low && binary.NativeEndian.Uint64(v[8:]) == high
}

func (c *Addr) number(v *[schema.AddrWidth]byte, low, high uint64) int32 {
	a, b := bits.Mul64(low^addrSeed[0], high^addrSeed[1])
	h := uint32((a ^ b) >> 16)
	if len(c.table.slots) > 0 {
		mask := uint32(len(c.table.slots) - 1)
		for slot := h & mask; ; slot = (slot + 1) & mask {
			i := c.table.slots[slot] - 1
			if i < 0 {
				break
			}
			if c.table.hashes[i] == h && c.is(i, low, high) {
				return i
			}
		}
	}
	c.values = append(c.values, v[:]...)
	return c.table.add(h)
}

func (c *Addr) accepts(k schema.Kind) bool { return k == schema.Addr }

func (c *Addr) data(t arrow.DataType) arrow.ArrayData {
	dict := t.(*arrow.DictionaryType)
	values := array.NewData(dict.ValueType, len(c.values)/schema.AddrWidth, []*memory.Buffer{nil, memory.NewBufferBytes(c.values)}, nil, 0, 0)
	return array.NewDataWithDictionary(t, len(c.rows), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.rows))}, 0, 0, values)
}

func (c *Addr) len() int  { return len(c.rows) }
func (c *Addr) size() int { return 4*len(c.rows) + len(c.values) }
func (c *Addr) held() int { return 4*cap(c.rows) + cap(c.values) + c.table.size() }

func (c *Addr) take(from column) {
	f := from.(*Addr)
	numbers := make([]int32, len(f.values)/schema.AddrWidth)
	for i := range numbers {
		v := (*[schema.AddrWidth]byte)(f.values[schema.AddrWidth*i:])
		numbers[i] = c.number(v, binary.NativeEndian.Uint64(v[:8]), binary.NativeEndian.Uint64(v[8:]))
	}
	c.rows = takeRows(c.rows, f.rows, numbers)
}

func (c *Addr) reset() {
	c.rows, c.values, c.last = c.rows[:0], c.values[:0], 0
	c.table.reset()
}
