package batch

import (
	"encoding/binary"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/heplake/heplake/schema"
)

// column is one column of an open batch: plain slices that grow with the rows
// and become Arrow buffers without being copied.
type column interface {
	// accepts says whether the column can hold a schema kind.
	accepts(schema.Kind) bool
	// data wraps the slices as Arrow data. It aliases them: valid until reset.
	data(t arrow.DataType) arrow.ArrayData
	// len is the number of rows.
	len() int
	// size is the memory in use, in bytes.
	size() int
	// reset empties the column and keeps its memory.
	reset()
}

// Number is a column of numbers of one width.
type Number[T uint8 | uint16 | uint32 | uint64 | int64 | float32] struct {
	values []T
}

// Append adds a row.
func (c *Number[T]) Append(v T) { c.values = append(c.values, v) }

func (c *Number[T]) accepts(k schema.Kind) bool {
	var zero T
	switch any(zero).(type) {
	case uint8:
		return k == schema.Uint8
	case uint16:
		return k == schema.Uint16
	case uint32:
		return k == schema.Uint32
	case uint64:
		return k == schema.Uint64
	case int64:
		return k == schema.Int64 || k == schema.Time
	default:
		return k == schema.Float32
	}
}

func (c *Number[T]) data(t arrow.DataType) arrow.ArrayData {
	return array.NewData(t, len(c.values), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.values))}, nil, 0, 0)
}

func (c *Number[T]) len() int  { return len(c.values) }
func (c *Number[T]) size() int { return len(bytesOf(c.values)) }
func (c *Number[T]) reset()    { c.values = c.values[:0] }

// Text is a column of byte strings of any content.
type Text struct {
	offsets []int32 // one more than rows; empty only before the first row
	bytes   []byte
}

// Append adds a row, copying v.
func (c *Text) Append(v []byte) {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	c.bytes = append(c.bytes, v...)
	c.offsets = append(c.offsets, int32(len(c.bytes)))
}

// AppendString adds a row.
func (c *Text) AppendString(v string) { c.Append(unsafe.Slice(unsafe.StringData(v), len(v))) }

func (c *Text) at(i int) []byte { return c.bytes[c.offsets[i]:c.offsets[i+1]] }

func (c *Text) accepts(k schema.Kind) bool { return k == schema.Text }

func (c *Text) data(t arrow.DataType) arrow.ArrayData {
	return array.NewData(t, c.len(), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.offsetsOrZero())), memory.NewBufferBytes(c.bytes)}, nil, 0, 0)
}

// offsetsOrZero has the one offset that Arrow wants even of an empty column.
func (c *Text) offsetsOrZero() []int32 {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	return c.offsets
}

func (c *Text) len() int  { return max(len(c.offsets)-1, 0) }
func (c *Text) size() int { return 4*len(c.offsets) + len(c.bytes) }
func (c *Text) reset()    { c.offsets, c.bytes = c.offsets[:0], c.bytes[:0] }

// Enum is a dictionary-encoded column of byte strings: each different value is
// kept once, rows are indexes.
type Enum struct {
	rows   []int32
	values Text
	index  map[string]int32
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

// maxEnumReset is the size of a dictionary above which it is dropped at reset
// rather than kept for the next batch: a sender of ever new "enum" values must
// not hold memory for ever.
const maxEnumReset = 4096

// Append adds a row, copying v if it is new to the batch.
func (c *Enum) Append(v []byte) {
	recent := &c.recent[recentSlot(v)]
	if i := int(*recent); i < c.values.len() && string(c.values.at(i)) == string(v) {
		c.rows = append(c.rows, *recent)
		return
	}
	i, ok := c.index[string(v)]
	if !ok {
		if c.index == nil {
			c.index = make(map[string]int32)
		}
		i = int32(c.values.len())
		c.values.Append(v)
		c.index[string(v)] = i
	}
	*recent = i
	c.rows = append(c.rows, i)
}

// AppendString adds a row.
func (c *Enum) AppendString(v string) { c.Append(unsafe.Slice(unsafe.StringData(v), len(v))) }

func (c *Enum) accepts(k schema.Kind) bool { return k == schema.Enum }

func (c *Enum) data(t arrow.DataType) arrow.ArrayData {
	dict := t.(*arrow.DictionaryType)
	return array.NewDataWithDictionary(t, len(c.rows), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.rows))}, 0, 0, c.values.data(dict.ValueType).(*array.Data))
}

func (c *Enum) len() int  { return len(c.rows) }
func (c *Enum) size() int { return 4*len(c.rows) + c.values.size() }

func (c *Enum) reset() {
	c.rows = c.rows[:0]
	if len(c.index) > maxEnumReset {
		c.index = nil
	} else {
		clear(c.index)
	}
	c.values.reset()
}

// Addr is a dictionary-encoded column of 16-byte addresses.
type Addr struct {
	rows   []int32
	values []byte
	index  map[[schema.AddrWidth]byte]int32
	last   int32
}

// Append adds a row.
func (c *Addr) Append(v [schema.AddrWidth]byte) {
	if len(c.rows) > 0 && string(c.values[schema.AddrWidth*int(c.last):][:schema.AddrWidth]) == string(v[:]) {
		c.rows = append(c.rows, c.last)
		return
	}
	i, ok := c.index[v]
	if !ok {
		if c.index == nil {
			c.index = make(map[[schema.AddrWidth]byte]int32)
		}
		i = int32(len(c.values) / schema.AddrWidth)
		c.values = append(c.values, v[:]...)
		c.index[v] = i
	}
	c.last = i
	c.rows = append(c.rows, i)
}

func (c *Addr) accepts(k schema.Kind) bool { return k == schema.Addr }

func (c *Addr) data(t arrow.DataType) arrow.ArrayData {
	dict := t.(*arrow.DictionaryType)
	values := array.NewData(dict.ValueType, len(c.values)/schema.AddrWidth, []*memory.Buffer{nil, memory.NewBufferBytes(c.values)}, nil, 0, 0)
	return array.NewDataWithDictionary(t, len(c.rows), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.rows))}, 0, 0, values)
}

func (c *Addr) len() int  { return len(c.rows) }
func (c *Addr) size() int { return 4*len(c.rows) + len(c.values) }

func (c *Addr) reset() {
	c.rows, c.values, c.last = c.rows[:0], c.values[:0], 0
	if len(c.index) > maxEnumReset {
		c.index = nil
	} else {
		clear(c.index)
	}
}

// entries is what Map and Metrics share: keys and where each row's end.
type entries struct {
	offsets []int32 // one more than rows
	keys    Text
}

// End closes a row: what Set has added since the last End is its content.
func (c *entries) End() {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	c.offsets = append(c.offsets, int32(c.keys.len()))
}

func (c *entries) wrap(t arrow.DataType, value func(arrow.DataType) arrow.ArrayData) arrow.ArrayData {
	if len(c.offsets) == 0 {
		c.offsets = append(c.offsets, 0)
	}
	m := t.(*arrow.MapType)
	pairs := array.NewData(m.Elem(), c.keys.len(), []*memory.Buffer{nil},
		[]arrow.ArrayData{c.keys.data(m.KeyType()), value(m.ItemType())}, 0, 0)
	return array.NewData(t, c.len(), []*memory.Buffer{nil, memory.NewBufferBytes(bytesOf(c.offsets))}, []arrow.ArrayData{pairs}, 0, 0)
}

func (c *entries) len() int { return max(len(c.offsets)-1, 0) }

// Map is a column of string-to-string maps. Set adds to the row that End closes.
type Map struct {
	entries
	values Text
}

// Set adds an entry to the open row, copying both.
func (c *Map) Set(key string, value []byte) {
	c.keys.AppendString(key)
	c.values.Append(value)
}

func (c *Map) accepts(k schema.Kind) bool            { return k == schema.Map }
func (c *Map) data(t arrow.DataType) arrow.ArrayData { return c.wrap(t, c.values.data) }
func (c *Map) size() int                             { return 4*len(c.offsets) + c.keys.size() + c.values.size() }

func (c *Map) reset() {
	c.offsets = c.offsets[:0]
	c.keys.reset()
	c.values.reset()
}

// Metrics is a column of string-to-number maps.
type Metrics struct {
	entries
	values Number[float32]
}

// Set adds an entry to the open row.
func (c *Metrics) Set(key string, value float32) {
	c.keys.AppendString(key)
	c.values.Append(value)
}

func (c *Metrics) accepts(k schema.Kind) bool            { return k == schema.Metrics }
func (c *Metrics) data(t arrow.DataType) arrow.ArrayData { return c.wrap(t, c.values.data) }
func (c *Metrics) size() int                             { return 4*len(c.offsets) + c.keys.size() + c.values.size() }

func (c *Metrics) reset() {
	c.offsets = c.offsets[:0]
	c.keys.reset()
	c.values.reset()
}

// bytesOf is the memory of s as bytes. Arrow buffers are little-endian; so are
// the machines this runs on (checked at start).
func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

func init() {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		panic("batch: big-endian machines are not supported: Arrow buffers are little-endian")
	}
}
