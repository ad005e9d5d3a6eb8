package query_test

import (
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake is a database with real captures in it, put there by the pipeline.
type lake struct {
	*query.Store
	*laketest.Lake
	db   driver.Conn
	name string
}

// open gives the test a database with these captures of testdata/captures.
func open(t *testing.T, names ...string) *lake {
	t.Helper()
	l := laketest.Open(t, names...)
	store, err := query.Open(t.Context(), query.Options{URL: l.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &lake{Store: store, Lake: l, db: l.DB, name: l.Name}
}

func (l *lake) exec(t *testing.T, sql string) {
	t.Helper()
	if err := l.db.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	if strings.HasPrefix(sql, "INSERT INTO sip ") {
		l.Digest(t)
	}
}
