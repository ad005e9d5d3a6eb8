package plugin

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/shopspring/decimal"
)

// A column of an SQL result becomes a field of the nearest type that Grafana
// has: numbers, times, booleans and strings as they are; Decimal and integers
// of 128 bits and more as floating point; UUID, IP and Enum as strings; arrays,
// maps, tuples and JSON as JSON. Nullable columns become nullable fields.

// columnKind is what becomes of a column.
type columnKind uint8

const (
	asNumber columnKind = iota + 1 // Go's number types and bool, as they are
	asFloat                        // what is converted to float64
	asTime
	asString
	asJSON
)

// sqlColumn gathers the values of one column.
type sqlColumn struct {
	kind     columnKind
	nullable bool
	scan     reflect.Type // what the driver scans into
	field    *data.Field
}

var (
	typeTime    = reflect.TypeFor[time.Time]()
	typeUUID    = reflect.TypeFor[uuid.UUID]()
	typeIP      = reflect.TypeFor[net.IP]()
	typeDecimal = reflect.TypeFor[decimal.Decimal]()
	typeBigInt  = reflect.TypeFor[big.Int]()
	typeText    = reflect.TypeFor[string]()
)

// newColumn makes a column for what the driver says about it.
func newColumn(t driver.ColumnType) *sqlColumn {
	c := &sqlColumn{scan: t.ScanType()}
	base := c.scan
	if base == nil {
		base = reflect.TypeFor[any]()
		c.scan = base
	}
	if base.Kind() == reflect.Pointer && base.Elem() != typeBigInt {
		base, c.nullable = base.Elem(), true
	}
	if t.Nullable() {
		c.nullable = true
	}
	fieldType := data.FieldTypeJSON
	switch base {
	case typeTime:
		c.kind, fieldType = asTime, data.FieldTypeTime
	case typeUUID, typeIP, typeText:
		c.kind, fieldType = asString, data.FieldTypeString
	case typeDecimal, typeBigInt, reflect.PointerTo(typeBigInt):
		c.kind, fieldType = asFloat, data.FieldTypeFloat64
	default:
		if ft, ok := numberTypes[base.Kind()]; ok {
			c.kind, fieldType = asNumber, ft
		} else {
			c.kind = asJSON
		}
	}
	if c.nullable {
		fieldType = fieldType.NullableType()
	}
	c.field = data.NewFieldFromFieldType(fieldType, 0)
	c.field.Name = text(t.Name())
	return c
}

var numberTypes = map[reflect.Kind]data.FieldType{
	reflect.Bool: data.FieldTypeBool,
	reflect.Int8: data.FieldTypeInt8, reflect.Int16: data.FieldTypeInt16, reflect.Int32: data.FieldTypeInt32, reflect.Int64: data.FieldTypeInt64,
	reflect.Uint8: data.FieldTypeUint8, reflect.Uint16: data.FieldTypeUint16, reflect.Uint32: data.FieldTypeUint32, reflect.Uint64: data.FieldTypeUint64,
	reflect.Float32: data.FieldTypeFloat32, reflect.Float64: data.FieldTypeFloat64,
}

// target is a new value for the driver to scan into.
func (c *sqlColumn) target() reflect.Value { return reflect.New(c.scan) }

// add takes what the driver scanned, and returns about how many bytes it has.
func (c *sqlColumn) add(target reflect.Value) (int, error) {
	v := target.Elem()
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.Value{}
			break
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		c.addNull()
		return 1, nil
	}
	value, size, err := c.convert(v)
	if err != nil {
		return 0, fmt.Errorf("column %s: %w", c.field.Name, err)
	}
	if c.nullable {
		p := reflect.New(reflect.TypeOf(value))
		p.Elem().Set(reflect.ValueOf(value))
		value = p.Interface()
	}
	c.field.Append(value)
	return size, nil
}

func (c *sqlColumn) addNull() {
	if c.kind == asJSON && !c.nullable {
		c.field.Append(json.RawMessage("null"))
		return
	}
	c.field.Extend(1)
}

// convert makes a value as the field takes it.
func (c *sqlColumn) convert(v reflect.Value) (value any, size int, err error) {
	switch c.kind {
	case asNumber:
		return plainNumber(v), 8, nil
	case asTime:
		return v.Interface().(time.Time).UTC(), 8, nil
	case asFloat:
		switch n := v.Interface().(type) {
		case decimal.Decimal:
			return n.InexactFloat64(), 8, nil
		case big.Int:
			f, _ := new(big.Float).SetInt(&n).Float64()
			return f, 8, nil
		}
	case asString:
		s := fmt.Sprint(v.Interface())
		if ip, ok := v.Interface().(net.IP); ok {
			s = ip.String()
		}
		s = text(s)
		return s, len(s), nil
	case asJSON:
		b, err := json.Marshal(jsonValue(v))
		return json.RawMessage(b), len(b), err
	}
	return nil, 0, fmt.Errorf("no conversion of %s", v.Type())
}

// plainNumber is a number or boolean in Go's own type, where a column's type is
// a named one.
func plainNumber(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Bool:
		return v.Bool()
	case reflect.Int8:
		return int8(v.Int())
	case reflect.Int16:
		return int16(v.Int())
	case reflect.Int32:
		return int32(v.Int())
	case reflect.Int64:
		return v.Int()
	case reflect.Uint8:
		return uint8(v.Uint())
	case reflect.Uint16:
		return uint16(v.Uint())
	case reflect.Uint32:
		return uint32(v.Uint())
	case reflect.Uint64:
		return v.Uint()
	case reflect.Float32:
		return float32(v.Float())
	default:
		return v.Float()
	}
}

// jsonValue is a value that marshals to what one expects: bytes as numbers,
// numbers that JSON does not have as null, strings as UTF-8.
func jsonValue(v reflect.Value) any {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}
		if _, ok := v.Interface().(json.Marshaler); ok && v.Kind() == reflect.Pointer {
			break
		}
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case net.IP:
		return x.String()
	case time.Time:
		return x.UTC()
	case big.Int:
		return x.String()
	case json.Marshaler:
		return x
	case fmt.Stringer:
		if v.Kind() == reflect.Struct || v.Kind() == reflect.Array {
			return x.String()
		}
	}
	switch v.Kind() {
	case reflect.String:
		return text(v.String())
	case reflect.Float32, reflect.Float64:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return nil
		}
	case reflect.Slice, reflect.Array:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = jsonValue(v.Index(i))
		}
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[text(strings.TrimSpace(fmt.Sprint(jsonValue(it.Key()))))] = jsonValue(it.Value())
		}
		return out
	}
	return v.Interface()
}
