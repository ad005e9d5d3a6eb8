package insert_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/internal/embedded"
	"github.com/heplake/heplake/internal/laketest"
)

// TestClusterStoresABatchOnce sends a batch to two shards several times, through
// either of them, and once more after one shard has lost its piece: a shard that
// has its piece does not take it again, one that has not does.
func TestClusterStoresABatchOnce(t *testing.T) {
	c := laketest.OpenCluster(t, 2)
	var conns []driver.Conn
	for _, s := range c.Shards {
		conns = append(conns, chtest.Dial(t, s.URL(embedded.Owner)))
	}
	value := func(conn driver.Conn, sql string) (n uint64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	const calls = 64
	var ids []string
	for i := range calls {
		ids = append(ids, fmt.Sprintf("call-%d", i))
	}
	b := mediaBatch(t, ids...)
	send := func(through driver.Conn) {
		t.Helper()
		if err := insert.New(through, c.Name, time.Minute).Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	pieces := func() (out [2]uint64) {
		for i, conn := range conns {
			out[i] = value(conn, "SELECT count() FROM media_local")
		}
		return out
	}
	send(conns[0])
	first := pieces()
	if first[0] == 0 || first[1] == 0 || first[0]+first[1] != calls {
		t.Fatalf("pieces of %d rows: %v", calls, first)
	}
	for _, conn := range conns {
		send(conn)
		if got := pieces(); got != first {
			t.Errorf("sent again: %v, was %v", got, first)
		}
	}
	if err := conns[1].Exec(t.Context(), "TRUNCATE TABLE media_local"); err != nil {
		t.Fatal(err)
	}
	send(conns[0])
	if got := pieces(); got != first {
		t.Errorf("sent again after a shard lost its piece: %v, was %v", got, first)
	}
	for _, conn := range conns {
		if n := value(conn, "SELECT count() FROM media"); n != calls {
			t.Errorf("%d rows are seen of %d", n, calls)
		}
	}
}
