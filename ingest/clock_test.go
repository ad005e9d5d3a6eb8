package ingest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/spool"
)

// TestTheClockWasSetWhileHeplakeWasDown: batches that were spooled by a clock
// that ran ahead, and by one that was years behind, are stored like others, and
// no figure of time goes backwards. While heplake runs, ages are measured by a
// clock that nobody can set.
func TestTheClockWasSetWhileHeplakeWasDown(t *testing.T) {
	l := open(t, nil)
	if err := l.db.Exec(t.Context(), "RENAME TABLE sip TO sip_away"); err != nil {
		t.Fatal(err)
	}
	c := l.dial(t, "tcp")
	const batches, each = 3, 5
	for i := range batches {
		for n := range each {
			send(t, c, wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message(fmt.Sprint(i, "-", n), "")))
		}
		l.waitReceived(t, (i+1)*each)
		for end := time.Now().Add(10 * time.Second); l.spool.Stats().Packets < (i+1)*each && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // each in batches of its own
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Stop(ended); err != nil {
		t.Fatal(err)
	}
	left := l.spool.Stats()
	if left.Packets != batches*each {
		t.Fatalf("%+v left in the spool, want %d packets", left, batches*each)
	}

	dir := t.TempDir()
	shifted, err := spool.Open(dir, spool.Options{MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	const behind = -3 * 365 * 24 * time.Hour
	shifts := []time.Duration{36 * time.Hour, behind, 0}
	for i := range left.Batches {
		e, sealed, err := l.spool.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sealed.Oldest = sealed.Oldest.Add(shifts[i%len(shifts)]).Round(0)
		if _, _, err := shifted.Put(sealed); err != nil {
			t.Fatal(err)
		}
		l.spool.Ack(e)
	}

	later := openVia(t, nil, spool.Options{MaxBytes: 1 << 30, Sync: true}, dir, func(addr string) string { return addr })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(later.Pipeline, later.spool)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	if now, err := scrape(server.URL); err != nil || now["heplake_spool_oldest_seconds"] < 0 {
		t.Errorf("oldest %v, %v", now["heplake_spool_oldest_seconds"], err)
	}
	books := later.stop(t)
	if n := later.count(t, "sip"); n != batches*each || books.Stored != batches*each {
		t.Errorf("%d rows, %d stored; want %d", n, books.Stored, batches*each)
	}
	end, err := scrape(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	// A latency below 0 would take from the years of the batch that is late.
	if sum := end["heplake_receive_to_queryable_seconds_sum"]; sum < (-behind).Seconds() {
		t.Errorf("latencies add up to %v s, one alone is %v s", sum, (-behind).Seconds())
	}
}
