package assemble

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

// TestBlockIsWhatWasWritten: ClickHouse reads from a block the rows that were
// kept, and no others, into the types that the tables have.
func TestBlockIsWhatWasWritten(t *testing.T) {
	t.Run("calls", func(t *testing.T) { testBlock(t, newRowBuffer(&schema.CallRows, callFields)) })
	t.Run("registrations", func(t *testing.T) {
		testBlock(t, newRowBuffer(&schema.RegistrationRows, registrationFields))
	})
}

func testBlock[T any](t *testing.T, b *rowBuffer[T]) {
	conn := chtest.Open(t)
	var definitions []string
	for i := range b.table.Columns {
		definitions = append(definitions, "`"+b.table.Columns[i].Name+"` "+b.table.Columns[i].SQLType())
	}
	// In the order in which they come.
	if err := conn.Exec(t.Context(), "CREATE TABLE rows ("+strings.Join(definitions, ", ")+") ENGINE = Log"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var want writer
	version := uint64(1)
	for _, rows := range []int{1, 300, 7} { // the memory is used again
		for range rows {
			v := reflect.New(reflect.TypeFor[T]())
			fill(v.Elem(), random)
			written := bytes.Clone(b.write(v.Interface().(*T)))
			if random.IntN(4) == 0 {
				continue
			}
			version++
			b.keep(version, version%2 == 0)
			want.b = append(want.b, written...)
			want.uint64(version)
			want.bool(version%2 == 0)
		}
		if b.block.rows > 0 {
			if err := conn.InsertFormat(t.Context(), "Native", "INSERT INTO rows ("+b.columns()+")", b.block.reader()); err != nil {
				t.Fatal(err)
			}
		}
		b.block.reset()
	}
	body, err := conn.QueryFormat(t.Context(), rowBinary, "SELECT "+b.columns()+" FROM rows")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if version < 200 || !bytes.Equal(got, want.b) {
		t.Errorf("%d rows: %d bytes were written, %d others come back", version-1, len(want.b), len(got))
	}
}

// fill gives v any value, the empty one often.
func fill(v reflect.Value, random *rand.Rand) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		if random.IntN(3) > 0 {
			*p = time.UnixMicro(1_790_000_000_000_000 + random.Int64N(1e12)).UTC()
		}
		return
	case *netip.AddrPort:
		a := [16]byte{10: 0xff, 11: 0xff, 12: 10, 15: byte(random.Uint32())}
		if random.IntN(2) > 0 {
			a[0] = 0x20
		}
		if random.IntN(5) > 0 {
			*p = netip.AddrPortFrom(netip.AddrFrom16(a), uint16(random.Uint32()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), random)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(4), 4))
		for i := range v.Len() {
			fill(v.Index(i), random)
		}
	case reflect.Pointer:
		if random.IntN(2) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), random)
		}
	case reflect.String:
		v.SetString(strings.Repeat(string(rune('a'+random.IntN(26))), []int{0, 1, 5, 130}[random.IntN(4)]))
	case reflect.Float64:
		v.SetFloat(float64(random.IntN(1000)) / 8)
	case reflect.Bool:
		v.SetBool(random.IntN(2) > 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(random.Uint64() >> (64 - v.Type().Bits()))
	default:
		panic("no values of type " + v.Type().String())
	}
}
