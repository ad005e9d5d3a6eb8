package assemble

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"

	"github.com/heplake/heplake/schema"
)

// block gathers rows for an insert in ClickHouse's format Native, which has
// values by column: of RowBinary, row by row, ClickHouse takes a third longer
// to make a part of a table with many columns.
type block struct {
	columns []*blockColumn
	rows    int
}

// blockColumn has the values of one column. They come as RowBinary has them;
// nullable ones and arrays are laid out otherwise in Native.
type blockColumn struct {
	name, sqlType string
	shape         shape
	nulls         []byte // nullable: 1 for each NULL
	ends          []byte // arrays: where each ends, in elements since the first row
	elements      uint64
	values        []byte
}

// shape is how Native lays out values of a type.
type shape uint8

const (
	plain    shape = iota // as RowBinary does
	nullable              // which are NULL, then all, with something in place of NULL
	array                 // where each ends, then all elements
)

// nullWidth is the size of a value that may be NULL: a figure or a time.
const nullWidth = 8

// column adds a column of the type that the table's has, without dictionary:
// ClickHouse makes that itself, in no more time than it takes to read one.
func (b *block) column(c *schema.Column) {
	t := c.SQLType()
	if inner, ok := strings.CutPrefix(t, "LowCardinality("); ok {
		t = strings.TrimSuffix(inner, ")")
	}
	s := plain
	switch {
	case strings.HasPrefix(t, "Nullable("):
		s = nullable
	case strings.HasPrefix(t, "Array("):
		s = array
	}
	b.columns = append(b.columns, &blockColumn{name: c.Name, sqlType: t, shape: s})
}

// add adds a value as RowBinary has it.
func (c *blockColumn) add(v []byte) {
	switch c.shape {
	case plain:
		c.values = append(c.values, v...)
	case nullable:
		c.nulls = append(c.nulls, v[0])
		if v[0] == 0 {
			c.values = append(c.values, v[1:]...)
		} else {
			c.values = append(c.values, make([]byte, nullWidth)...)
		}
	case array:
		n, size := binary.Uvarint(v)
		c.elements += n
		c.ends = binary.LittleEndian.AppendUint64(c.ends, c.elements)
		c.values = append(c.values, v[size:]...)
	}
}

// reader reads the block. It is valid until the next row or reset.
func (b *block) reader() io.Reader {
	var head writer
	head.length(len(b.columns))
	head.length(b.rows)
	parts := make([]io.Reader, 0, 1+2*len(b.columns))
	parts = append(parts, bytes.NewReader(head.b))
	for _, c := range b.columns {
		var head writer
		head.string(c.name)
		head.string(c.sqlType)
		// Only one of nulls and ends has anything.
		head.b = append(append(head.b, c.nulls...), c.ends...)
		parts = append(parts, bytes.NewReader(head.b), bytes.NewReader(c.values))
	}
	return io.MultiReader(parts...)
}

// reset forgets the rows and keeps the memory.
func (b *block) reset() {
	for _, c := range b.columns {
		c.nulls, c.ends, c.values, c.elements = c.nulls[:0], c.ends[:0], c.values[:0], 0
	}
	b.rows = 0
}
