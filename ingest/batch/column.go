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
	// size is the memory in use, in bytes; held is the memory kept for use too.
	size() int
	held() int
	// take appends the rows of a column of the same type.
	take(column)
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
func (c *Number[T]) held() int { return len(bytesOf(c.values[:cap(c.values)])) }
func (c *Number[T]) reset()    { c.values = c.values[:0] }

func (c *Number[T]) take(from column) { c.values = append(c.values, from.(*Number[T]).values...) }

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
func (c *Text) AppendString(v string) { c.Append(bytesOfString(v)) }

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
func (c *Text) held() int { return 4*cap(c.offsets) + cap(c.bytes) }
func (c *Text) reset()    { c.offsets, c.bytes = c.offsets[:0], c.bytes[:0] }

func (c *Text) take(from column) {
	f := from.(*Text)
	c.offsets = takeOffsets(c.offsets, f.offsets)
	c.bytes = append(c.bytes, f.bytes...)
}

// takeOffsets appends the offsets of another column, as they are behind these.
func takeOffsets(offsets, from []int32) []int32 {
	if len(from) == 0 {
		return offsets
	}
	if len(offsets) == 0 {
		return append(offsets, from...)
	}
	end := offsets[len(offsets)-1]
	for _, o := range from[1:] {
		offsets = append(offsets, end+o)
	}
	return offsets
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
func (c *Map) held() int                             { return 4*cap(c.offsets) + c.keys.held() + c.values.held() }

func (c *Map) take(from column) {
	f := from.(*Map)
	c.offsets = takeOffsets(c.offsets, f.offsets)
	c.keys.take(&f.keys)
	c.values.take(&f.values)
}

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
func (c *Metrics) held() int                             { return 4*cap(c.offsets) + c.keys.held() + c.values.held() }

func (c *Metrics) take(from column) {
	f := from.(*Metrics)
	c.offsets = takeOffsets(c.offsets, f.offsets)
	c.keys.take(&f.keys)
	c.values.take(&f.values)
}

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

func bytesOfString(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func init() {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		panic("batch: big-endian machines are not supported: Arrow buffers are little-endian")
	}
}
