package harness_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
)

// converted has a column of each type that ClickHouse has, and what becomes of it.
var converted = []struct {
	sql  string
	kind data.FieldType
	want any
}{
	{"true", data.FieldTypeBool, true},
	{"toInt8(-8)", data.FieldTypeInt8, int8(-8)}, {"toInt16(-16)", data.FieldTypeInt16, int16(-16)},
	{"toInt32(-32)", data.FieldTypeInt32, int32(-32)}, {"toInt64(-64)", data.FieldTypeInt64, int64(-64)},
	{"toUInt8(8)", data.FieldTypeUint8, uint8(8)}, {"toUInt16(16)", data.FieldTypeUint16, uint16(16)},
	{"toUInt32(32)", data.FieldTypeUint32, uint32(32)}, {"toUInt64(18446744073709551615)", data.FieldTypeUint64, uint64(math.MaxUint64)},
	{"toInt128(-128)", data.FieldTypeFloat64, -128.0}, {"toUInt256(256)", data.FieldTypeFloat64, 256.0},
	{"toFloat32(1.5)", data.FieldTypeFloat32, float32(1.5)}, {"toFloat64(2.5)", data.FieldTypeFloat64, 2.5},
	{"toDecimal64(3.25, 2)", data.FieldTypeFloat64, 3.25}, {"toDecimal128(-4.5, 3)", data.FieldTypeFloat64, -4.5},
	{"'text'", data.FieldTypeString, "text"}, {"toFixedString('fixed', 5)", data.FieldTypeString, "fixed"},
	{"unhex('61ff62')", data.FieldTypeString, "a\uFFFDb"},
	{"toLowCardinality('low')", data.FieldTypeString, "low"},
	{"CAST('b' AS Enum8('a' = 1, 'b' = 2))", data.FieldTypeString, "b"},
	{"toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')", data.FieldTypeString, "61f0c404-5cb3-11e7-907b-a6006ad3dba0"},
	{"toIPv4('192.0.2.1')", data.FieldTypeString, "192.0.2.1"}, {"toIPv6('2001:db8::1')", data.FieldTypeString, "2001:db8::1"},
	{"toIPv6('::ffff:192.0.2.1')", data.FieldTypeString, "192.0.2.1"},
	{"CAST(toIPv6('::ffff:192.0.2.1') AS LowCardinality(IPv6))", data.FieldTypeString, "192.0.2.1"},
	{"toDate('2026-11-21')", data.FieldTypeTime, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
	{"toDate32('1925-01-01')", data.FieldTypeTime, time.Date(1925, 1, 1, 0, 0, 0, 0, time.UTC)},
	{"toDateTime('2026-11-21 03:00:00', 'Europe/Berlin')", data.FieldTypeTime, time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)},
	{"toDateTime64('2026-11-21 02:00:00.123456', 6, 'UTC')", data.FieldTypeTime, time.Date(2026, 11, 21, 2, 0, 0, 123456000, time.UTC)},
	{"toNullable(toUInt16(7))", data.FieldTypeNullableUint16, uint16(7)}, {"CAST(NULL AS Nullable(UInt16))", data.FieldTypeNullableUint16, nil},
	{"toNullable('x')", data.FieldTypeNullableString, "x"}, {"CAST(NULL AS Nullable(String))", data.FieldTypeNullableString, nil},
	{"CAST(NULL AS LowCardinality(Nullable(String)))", data.FieldTypeNullableString, nil},
	{"toNullable(toDecimal32(1.5, 1))", data.FieldTypeNullableFloat64, 1.5}, {"CAST(NULL AS Nullable(Decimal(9, 1)))", data.FieldTypeNullableFloat64, nil},
	{"toNullable(toDateTime('2026-11-21 02:00:00', 'UTC'))", data.FieldTypeNullableTime, time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)},
	{"CAST(NULL AS Nullable(DateTime64(6)))", data.FieldTypeNullableTime, nil},
	{"CAST(NULL AS Nullable(UUID))", data.FieldTypeNullableString, nil}, {"CAST(NULL AS Nullable(IPv6))", data.FieldTypeNullableString, nil},
	{"CAST(NULL AS Nullable(Int128))", data.FieldTypeNullableFloat64, nil}, {"toNullable(toInt128(5))", data.FieldTypeNullableFloat64, 5.0},
	{"CAST(NULL AS Nullable(Bool))", data.FieldTypeNullableBool, nil},
	{"[1, 2, 3]", data.FieldTypeJSON, `[1,2,3]`}, {"['a', unhex('ff')]", data.FieldTypeJSON, `["a","` + "\uFFFD" + `"]`},
	{"[toNullable(1), NULL]", data.FieldTypeJSON, `[1,null]`}, {"[1.5, nan, inf]", data.FieldTypeJSON, `[1.5,null,null]`},
	{"CAST([] AS Array(String))", data.FieldTypeJSON, `[]`}, {"[[1], []]", data.FieldTypeJSON, `[[1],[]]`},
	{"[toIPv6('::ffff:192.0.2.1')]", data.FieldTypeJSON, `["192.0.2.1"]`},
	{"[toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')]", data.FieldTypeJSON, `["61f0c404-5cb3-11e7-907b-a6006ad3dba0"]`},
	{"[toDateTime('2026-11-21 02:00:00', 'UTC')]", data.FieldTypeJSON, `["2026-11-21T02:00:00Z"]`},
	{"map('b', '2', 'a', '1')", data.FieldTypeJSON, `{"a":"1","b":"2"}`}, {"map(1, 2.5)", data.FieldTypeJSON, `{"1":2.5}`},
	{"tuple(1, 'x')", data.FieldTypeJSON, `[1,"x"]`}, {"CAST(tuple(1, 'x') AS Tuple(n UInt8, s String))", data.FieldTypeJSON, `{"n":1,"s":"x"}`},
	{"toFloat64(inf)", data.FieldTypeFloat64, math.Inf(1)},
}

func TestSQLTypes(t *testing.T) {
	l := laketest.Open(t)
	p := harness.Start(t)
	server := chtest.Server(t)
	var columns []string
	for i, c := range converted {
		columns = append(columns, fmt.Sprintf("%s AS c%d", c.sql, i))
	}
	for name, address := range map[string]string{"HTTP": "http://" + server.HTTPAddr(), "native": "clickhouse://" + server.TCPAddr()} {
		t.Run(name, func(t *testing.T) {
			s := harness.Source{
				Settings: map[string]any{"url": address, "database": l.Name, "user": string(embedded.Reader)},
				Secrets:  map[string]string{"password": server.Password(embedded.Reader)}, UID: name,
			}
			f := frames(t, p.Ask(s, harness.Query{Model: map[string]any{"queryType": "sql", "sql": "SELECT " + strings.Join(columns, ",\n") + "\nSETTINGS allow_suspicious_low_cardinality_types = 1"}, From: time.Unix(0, 0), To: time.Unix(1, 0)}))[0]
			for i, c := range converted {
				column := fmt.Sprintf("c%d", i)
				if got := field(t, f, column).Type(); got != c.kind {
					t.Errorf("%s is a %s, want %s", c.sql, got, c.kind)
					continue
				}
				got := value(t, f, column, 0)
				if raw, ok := got.(json.RawMessage); ok {
					got = string(raw)
				}
				if at, ok := got.(time.Time); ok {
					if !at.Equal(c.want.(time.Time)) {
						t.Errorf("%s is %v, want %v", c.sql, at, c.want)
					}
				} else if got != c.want {
					t.Errorf("%s is %v (%T), want %v", c.sql, got, got, c.want)
				}
			}
		})
	}
}

// defaultSQL is the query that the editor begins with.
func defaultSQL(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(captures.Root(), "grafana-plugin/src/datasource/types.ts"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "export const defaultSQL = `")
	sql, _, closed := strings.Cut(rest, "`")
	if !ok || !closed {
		t.Fatal("types.ts has no defaultSQL")
	}
	return sql
}

func TestSQLShapes(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-udp-sip-calls-a")
	p := harness.Start(t)
	s := source(t, l)
	ask := func(t *testing.T, sql string, more map[string]any) data.Frames {
		t.Helper()
		model := map[string]any{"queryType": "sql", "sql": sql}
		for k, v := range more {
			model[k] = v
		}
		q := over(l, model)
		q.Interval = 5 * time.Second
		return frames(t, p.Ask(s, q))
	}

	t.Run("the editor's first query", func(t *testing.T) {
		all := ask(t, defaultSQL(t), nil)
		if got, want := sum(t, all), messages(t, l, "method != ''"); got != want {
			t.Errorf("%v messages, want %v", got, want)
		}
		names := map[string]bool{}
		for _, f := range all {
			if f.Meta.Type != data.FrameTypeTimeSeriesMulti || len(f.Fields) != 2 || f.Fields[1].Name != "messages" {
				t.Fatalf("frame %+v", f.Meta)
			}
			names[f.Fields[1].Labels["method"]] = true
			if at := value(t, f, "t", 0).(time.Time); at.Unix()%5 != 0 {
				t.Errorf("bucket at %v", at)
			}
			if !strings.Contains(f.Meta.ExecutedQueryString, "INTERVAL 5 SECOND") || strings.Contains(f.Meta.ExecutedQueryString, "$__") {
				t.Errorf("executed %s", f.Meta.ExecutedQueryString)
			}
		}
		if !names["INVITE"] || !names["BYE"] || len(names) != len(all) {
			t.Errorf("labels %v of %d frames", names, len(all))
		}
	})
	t.Run("numbers alone are a wide series", func(t *testing.T) {
		all := ask(t, "SELECT $__timeInterval(time) AS t, count() AS n, countIf(status >= 400) AS bad FROM sip WHERE $__timeFilter(time) GROUP BY t ORDER BY t DESC", nil)
		if f := all[0]; len(all) != 1 || f.Meta.Type != data.FrameTypeTimeSeriesWide || len(f.Fields) != 3 {
			t.Fatalf("%d frames, %+v", len(all), f.Meta)
		}
		for i := 1; i < all[0].Rows(); i++ {
			if !value(t, all[0], "t", i).(time.Time).After(value(t, all[0], "t", i-1).(time.Time)) {
				t.Errorf("row %d is not in order", i)
			}
		}
	})
	t.Run("a list stays a table, in its order", func(t *testing.T) {
		const sql = "SELECT time, method, status FROM sip WHERE $__timeFilter(time) ORDER BY time DESC LIMIT 10"
		all := ask(t, sql, nil)
		if f := all[0]; len(all) != 1 || f.Meta.Type != data.FrameTypeTable || f.Rows() != 10 || value(t, f, "time", 0).(time.Time).Before(value(t, f, "time", 9).(time.Time)) {
			t.Errorf("%d frames, %+v", len(all), f.Meta)
		}
		if all := ask(t, sql, map[string]any{"format": "time_series"}); all[0].Meta.Type != data.FrameTypeTimeSeriesMulti || len(all) < 2 {
			t.Errorf("asked for as series: %d frames, %s", len(all), all[0].Meta.Type)
		}
	})
	t.Run("asked for as a table", func(t *testing.T) {
		all := ask(t, "SELECT $__timeInterval(time) AS t, method, count() AS n FROM sip GROUP BY t, method", map[string]any{"format": "table"})
		if len(all) != 1 || all[0].Meta.Type != data.FrameTypeTable {
			t.Errorf("%d frames, %+v", len(all), all[0].Meta)
		}
	})
	t.Run("no series in it", func(t *testing.T) {
		r := p.Ask(s, over(l, map[string]any{"queryType": "sql", "sql": "SELECT method FROM sip", "format": "time_series"}))
		if r.Error == nil || r.Status != 400 || !strings.Contains(r.Error.Error(), "a time as its first column") {
			t.Errorf("status %d, %v", r.Status, r.Error)
		}
	})
	t.Run("numbers by labels are numeric-long", func(t *testing.T) {
		all := ask(t, "SELECT method, count() AS n FROM sip GROUP BY method", nil)
		if len(all) != 1 || all[0].Meta.Type != data.FrameTypeNumericLong {
			t.Errorf("%d frames, %+v", len(all), all[0].Meta)
		}
	})
	t.Run("no rows", func(t *testing.T) {
		all := ask(t, "SELECT $__timeInterval(time) AS t, method, count() AS n FROM sip WHERE 0 GROUP BY t, method", nil)
		if len(all) != 1 || all[0].Rows() != 0 {
			t.Errorf("%d frames, %d rows", len(all), all[0].Rows())
		}
	})
	t.Run("the time filter is exact to the µs", func(t *testing.T) {
		q := over(l, map[string]any{"queryType": "sql", "sql": "SELECT count() AS n, min(time) AS first, max(time) AS last FROM sip WHERE $__timeFilter(time)"})
		q.From, q.To = l.From.Add(time.Microsecond), l.To.Add(-time.Second)
		f := frames(t, p.Ask(s, q))[0]
		want := messages(t, l, "1") - messages(t, l, "time = (SELECT min(time) FROM sip)") - messages(t, l, "time = (SELECT max(time) FROM sip)")
		if got := value(t, f, "n", 0); got != uint64(want) {
			t.Errorf("%v messages, want %v without the first and the last", got, want)
		}
	})
	for _, sql := range []string{"SHOW TABLES", "DESCRIBE sip", "EXPLAIN SELECT 1", "EXISTS TABLE sip", "WITH x AS (SELECT 1 AS a) SELECT * FROM x", "(SELECT 1) UNION ALL (SELECT 2);", "SELECT * FROM calls LIMIT 2", "SELECT * FROM sip LIMIT 2"} {
		t.Run(sql, func(t *testing.T) {
			if all := ask(t, sql, nil); len(all[0].Fields) == 0 {
				t.Error("no fields")
			}
		})
	}
	t.Run("a long result is cut", func(t *testing.T) {
		for _, n := range []int{60_000, 5_000_000} {
			f := ask(t, fmt.Sprintf("SELECT number, 'x' AS s FROM numbers(%d)", n), nil)[0]
			if f.Rows() != 50_000 || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "first 50000 rows") {
				t.Errorf("%d of %d rows, notices %v", f.Rows(), n, f.Meta.Notices)
			}
		}
		f := ask(t, "SELECT repeat('x', 1000000) AS s FROM numbers(200) SETTINGS max_block_size = 10", nil)[0]
		if n := f.Rows(); n > 80 || n < 60 || len(f.Meta.Notices) != 1 {
			t.Errorf("%d rows of 1 MB, notices %v", n, f.Meta.Notices)
		}
	})
}
