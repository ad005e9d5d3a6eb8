package ingest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/spool"
)

// page are the sums of a scraped page by metric, labels left out.
type page map[string]float64

// scrape reads the page and holds it to the law, from its text alone.
func scrape(url string) (page, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w\n%s", resp.Status, err, text)
	}
	sums := page{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(line[cut+1:]), 64)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		name, _, _ := strings.Cut(line[:cut], "{")
		sums[name] += v
	}
	if sums["heplake_received_total"] != sums["heplake_stored_total"]+sums["heplake_dropped_total"]+sums["heplake_waiting"] {
		return nil, fmt.Errorf("received %v is not stored %v + dropped %v + waiting %v", sums["heplake_received_total"], sums["heplake_stored_total"], sums["heplake_dropped_total"], sums["heplake_waiting"])
	}
	return sums, nil
}

// TestBooksUnderLoad reads the metrics' text over and over while packets come
// over UDP and TCP, some of them no HEP, into a spool too small for them and
// sockets too small for the rate: whatever happens to a packet, it is in the
// text once.
func TestBooksUnderLoad(t *testing.T) {
	l := openSpool(t, func(c *ingest.Config) {
		c.UDPBuffer = 64 << 10 // the kernel drops some
		c.BatchRows = 200
		c.BatchAge = 20 * time.Millisecond
	}, spool.Options{MaxBytes: 1 << 20, MemoryBytes: 256 << 10})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(l.Pipeline, l.Agents(), l.spool)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()

	var senders, scrapers sync.WaitGroup
	var scrapes, withWaiting, packets atomic.Int64
	stop := make(chan struct{})
	for range 3 {
		scrapers.Go(func() {
			last := page{}
			for {
				now, err := scrape(server.URL)
				if err != nil {
					t.Error(err)
					return
				}
				for _, name := range []string{"heplake_received_total", "heplake_stored_total", "heplake_dropped_total", "heplake_dropped_rows_total"} {
					if now[name] < last[name] {
						t.Errorf("%s went from %v to %v", name, last[name], now[name])
					}
				}
				if now["heplake_waiting"] > 0 {
					withWaiting.Add(1)
				}
				scrapes.Add(1)
				last = now
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	garbage := []byte("no HEP at all")
	const each = 20_000
	datagrams := l.dial(t, "udp")
	for transport, conn := range map[string]net.Conn{"udp": datagrams, "tcp": l.dial(t, "tcp")} {
		senders.Go(func() {
			for i := range each {
				data := wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message(fmt.Sprintf("load-%s-%d", transport, i), ""))
				if transport == "udp" && i%50 == 0 {
					data = garbage
				}
				if _, err := conn.Write(data); err != nil {
					t.Error(err)
					return
				}
				packets.Add(1)
			}
		})
	}
	senders.Wait()
	l.waitQuiet(t)
	send(t, datagrams, garbage) // with it comes the kernel's count of what it dropped before
	packets.Add(1)
	l.waitQuiet(t)
	close(stop)
	scrapers.Wait()
	l.stop(t)
	end, err := scrape(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if withWaiting.Load() < 5 {
		t.Errorf("of %d scrapes only %d saw packets that wait", scrapes.Load(), withWaiting.Load())
	}
	if end["heplake_received_total"] != float64(packets.Load()) || end["heplake_waiting"] != 0 {
		t.Errorf("sent %d, received %v, waiting %v", packets.Load(), end["heplake_received_total"], end["heplake_waiting"])
	}
	if rows := float64(l.count(t, "sip") + l.count(t, "events")); rows != end["heplake_stored_total"] {
		t.Errorf("%v rows in the tables, %v packets stored", rows, end["heplake_stored_total"])
	}
	for _, name := range []string{"heplake_dropped_total", "heplake_dropped_rows_total", "heplake_undecodable_total", "heplake_batch_fill_ratio_count",
		"heplake_batch_bytes_sum", "heplake_seal_seconds_count", "heplake_spool_write_seconds_count", "heplake_queue_capacity"} {
		if end[name] == 0 {
			t.Errorf("%s is 0", name)
		}
	}
	t.Logf("%d scrapes, %d of them with packets that wait; at the end %v received, %v stored, %v dropped", scrapes.Load(), withWaiting.Load(),
		end["heplake_received_total"], end["heplake_stored_total"], end["heplake_dropped_total"])
}

// waitQuiet waits until nothing more comes and nothing waits.
func (l *lake) waitQuiet(t *testing.T) {
	t.Helper()
	var last uint64
	for calm, deadline := 0, time.Now().Add(30*time.Second); calm < 5; time.Sleep(50 * time.Millisecond) {
		b := l.Books()
		if b.Waiting == 0 && b.Total() == last {
			calm++
		} else {
			calm = 0
		}
		last = b.Total()
		if time.Now().After(deadline) {
			t.Fatalf("still %d waiting", b.Waiting)
		}
	}
}
