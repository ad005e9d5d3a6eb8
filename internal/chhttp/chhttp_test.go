package chhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/chtest"
)

func TestMain(m *testing.M) { chtest.Main(m) }

func open(t *testing.T) *Client {
	t.Helper()
	c, err := New(chtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestParamsSettingsAndBodies(t *testing.T) {
	c := open(t)
	got, err := c.Read(t.Context(), Query{
		SQL: "SELECT {s:String}, {n:Array(UInt16)}, getSetting('max_block_size') FORMAT TSV", Params: map[string]string{"s": "a&b=c", "n": "[1,2]"},
		Settings: map[string]string{"max_block_size": "77"},
	})
	if err != nil || string(got) != "a&b=c\t[1,2]\t77\n" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := c.Exec(t.Context(), Query{SQL: "CREATE TABLE t (n UInt8, s String) ENGINE = Memory"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(t.Context(), Query{SQL: "INSERT INTO t FORMAT CSV", Body: strings.NewReader("1,x\n2,y\n")}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Read(t.Context(), Query{SQL: "SELECT sum(n) FROM t FORMAT TSV"}); err != nil || string(got) != "3\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestRefusalsHaveTheirCode(t *testing.T) {
	_, err := open(t).Read(t.Context(), Query{SQL: "SELECT * FROM nothing"})
	var e *Error
	if !errors.As(err, &e) || e.Code != 60 || !strings.Contains(e.Message, "nothing") {
		t.Fatalf("%v", err)
	}
}

// TestBrokenOff wants an error of a query that fails after its first rows, in
// text and in binary formats, and what was sent before it to arrive.
func TestBrokenOff(t *testing.T) {
	c := open(t)
	for _, format := range []string{"Parquet", "CSV", "JSONEachRow", "ArrowStream"} {
		t.Run(format, func(t *testing.T) {
			s, err := c.Stream(t.Context(), Query{
				SQL:      "SELECT throwIf(number > 3000000, 'oops') AS n, randomString(20) AS s FROM numbers(4000000) FORMAT " + format,
				Settings: map[string]string{"max_block_size": "1000", "output_format_parquet_row_group_size": "10000", "max_threads": "1"},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			n, err := io.Copy(io.Discard, s)
			var e *Error
			if !errors.As(err, &e) || e.Code != 395 || !strings.HasPrefix(e.Message, "Code: 395") || !strings.Contains(e.Message, "oops") || strings.Contains(e.Message, "__exception__") {
				t.Fatalf("%d bytes, then %v", n, err)
			}
			if n == 0 {
				t.Error("nothing came before the error")
			}
		})
	}
}

func TestTheCallersEndIsNotClickHouses(t *testing.T) {
	c := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := c.Stream(ctx, Query{SQL: "SELECT number FROM system.numbers"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := io.ReadFull(s, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, want the cancellation", err)
	}
}

// TestDroppedConnection: a result without its end is no result.
func TestDroppedConnection(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "1\n2\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Read(t.Context(), Query{SQL: "SELECT 1"}); err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := New("clickhouse://127.0.0.1:9000"); err == nil {
		t.Error("the native protocol was taken")
	}
}
