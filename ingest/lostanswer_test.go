package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/spool"
)

// deafener is a proxy in front of ClickHouse that cuts connections when an
// insert has been answered, before the answer gets through: stored, and nobody
// knows.
type deafener struct {
	backend string
	// deaf says how many answers are still to be lost; lost counts them.
	deaf, lost atomic.Int64
	wg         sync.WaitGroup
}

// startDeafener returns the address that takes the place of the backend's.
func startDeafener(t *testing.T, d *deafener, backend string) string {
	t.Helper()
	d.backend = backend
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ln.Close()
		d.wg.Wait()
	})
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			d.wg.Go(func() { d.serve(client) })
		}
	}()
	return ln.Addr().String()
}

// serve passes on one request after the other.
func (d *deafener) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", d.backend)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	requests, answers := bufio.NewReader(client), bufio.NewReader(server)
	for {
		r, err := http.ReadRequest(requests)
		if err != nil {
			return
		}
		insert := r.URL.Query().Get("insert_deduplication_token") != ""
		if err := r.Write(server); err != nil {
			return
		}
		answer, err := http.ReadResponse(answers, r)
		if err != nil {
			return
		}
		if insert && answer.StatusCode == http.StatusOK && d.deaf.Add(-1) >= 0 {
			_, _ = io.Copy(io.Discard, answer.Body)
			d.lost.Add(1)
			return
		}
		err = answer.Write(client)
		_ = answer.Body.Close()
		if err != nil {
			return
		}
	}
}

// TestALostAnswerStoresNothingTwice: inserts that ClickHouse has done and whose
// answers never arrive are repeated, and land once, in the table and in what a
// view makes of it.
func TestALostAnswerStoresNothingTwice(t *testing.T) {
	var d deafener
	l := openVia(t, func(c *ingest.Config) { c.BatchRows = 50 }, spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Sync: true}, t.TempDir(),
		func(addr string) string { return startDeafener(t, &d, addr) })
	for _, sql := range []string{
		"CREATE TABLE counts (call_id String, n UInt64) ENGINE = SummingMergeTree ORDER BY call_id SETTINGS non_replicated_deduplication_window = 1000",
		"CREATE MATERIALIZED VIEW counting TO counts AS SELECT call_id, count() AS n FROM sip GROUP BY call_id",
	} {
		if err := l.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const losses, packets = 10, 1000
	d.deaf.Store(losses)
	c := l.dial(t, "tcp")
	for i := range packets {
		send(t, c, wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message(fmt.Sprint("deaf-", i), "")))
	}
	l.waitReceived(t, packets)
	if books := l.stop(t); books.Stored != packets || books.Lost() != 0 {
		t.Errorf("stored %d, dropped %v", books.Stored, books.Dropped)
	}
	if d.lost.Load() != losses {
		t.Fatalf("%d answers were lost, want %d", d.lost.Load(), losses)
	}
	if n := l.count(t, "sip"); n != packets {
		t.Errorf("%d rows, want %d", n, packets)
	}
	if n := l.count(t, "(SELECT call_id, sum(n) AS times FROM counts GROUP BY call_id HAVING times != 1)"); n != 0 {
		t.Errorf("the view counts %d of the messages more than once", n)
	}

	// The same insert again, without deduplication: both checks must see it.
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"deduplicate_insert": "disable", "insert_deduplicate": 0}))
	if err := l.db.Exec(ctx, "INSERT INTO sip SELECT * FROM sip WHERE call_id = 'deaf-1'"); err != nil {
		t.Fatal(err)
	}
	if rows, counted := l.count(t, "sip"), l.count(t, "(SELECT call_id, sum(n) AS times FROM counts GROUP BY call_id HAVING times != 1)"); rows != packets+1 || counted != 1 {
		t.Errorf("a row stored twice on purpose: %d rows, %d counted more than once; the checks above show nothing", rows, counted)
	}
}
