package schema

import "github.com/apache/arrow/go/v15/arrow"

// DictionaryIndex is the Arrow type of the indexes of Enum and Addr columns.
var DictionaryIndex = arrow.PrimitiveTypes.Int32

// AddrWidth is the width in bytes of an Addr value.
const AddrWidth = 16

var (
	arrowTime = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	arrowEnum = &arrow.DictionaryType{IndexType: DictionaryIndex, ValueType: arrow.BinaryTypes.Binary}
	arrowAddr = &arrow.DictionaryType{IndexType: DictionaryIndex, ValueType: &arrow.FixedSizeBinaryType{ByteWidth: AddrWidth}}
)

// ArrowType is the type in which ingest sends a column of this kind.
func (k Kind) ArrowType() arrow.DataType {
	switch k {
	case Time:
		return arrowTime
	case Enum:
		return arrowEnum
	case Text:
		return arrow.BinaryTypes.Binary
	case Uint8:
		return arrow.PrimitiveTypes.Uint8
	case Uint16:
		return arrow.PrimitiveTypes.Uint16
	case Uint32:
		return arrow.PrimitiveTypes.Uint32
	case Uint64:
		return arrow.PrimitiveTypes.Uint64
	case Int64:
		return arrow.PrimitiveTypes.Int64
	case Float32:
		return arrow.PrimitiveTypes.Float32
	case Addr:
		return arrowAddr
	case Enums:
		return arrow.ListOfNonNullable(arrow.BinaryTypes.Binary)
	case Map:
		return mapOf(arrow.BinaryTypes.Binary)
	case Metrics:
		return mapOf(arrow.PrimitiveTypes.Float32)
	}
	panic("schema: kind without an Arrow type")
}

func mapOf(value arrow.DataType) arrow.DataType {
	m := arrow.MapOf(arrow.BinaryTypes.Binary, value)
	m.SetItemNullable(false)
	return m
}

// ArrowSchema is the schema of the record batches that ingest sends into the table.
func (t *Table) ArrowSchema() *arrow.Schema {
	sent := t.Sent()
	fields := make([]arrow.Field, len(sent))
	for i, c := range sent {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Kind.ArrowType()}
	}
	return arrow.NewSchema(fields, nil)
}
