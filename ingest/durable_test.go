package ingest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/spool"
)

func durable(c *ingest.Config) {
	c.Durable, c.MaxBody = true, 1<<20
	c.Streams = []ingest.StreamConfig{{Transport: "http", Addr: "127.0.0.1:0"}}
}

func (l *lake) post(t *testing.T, body []byte) (int, string) {
	t.Helper()
	resp, err := http.Post("http://"+l.Addrs()["http"].String()+"/", "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// TestAPostedPacketIsOnTheDiskWhenItIsAnswered: with ClickHouse away, what the
// spool has on the disk at an answer is never less than what was answered for.
func TestAPostedPacketIsOnTheDiskWhenItIsAnswered(t *testing.T) {
	l := open(t, durable)
	if err := l.db.Exec(t.Context(), "RENAME TABLE sip TO sip_away"); err != nil {
		t.Fatal(err)
	}
	const senders, each, packets = 4, 5, 30
	var mu sync.Mutex
	answered := 0
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				var body []byte
				for n := range packets {
					body = append(body, wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message(fmt.Sprintf("%d-%d-%d", s, i, n), ""))...)
				}
				if status, text := l.post(t, body); status != http.StatusOK || !strings.Contains(text, fmt.Sprint(packets)) {
					t.Errorf("%d %s", status, text)
				}
				mu.Lock()
				answered += packets
				if st := l.spool.Stats(); st.Packets < answered || st.Bytes == 0 {
					t.Errorf("%d packets answered for, %+v in the spool", answered, st)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := l.db.Exec(t.Context(), "RENAME TABLE sip_away TO sip"); err != nil {
		t.Fatal(err)
	}
	l.stop(t)
	if n := l.count(t, "sip"); n != senders*each*packets {
		t.Errorf("%d rows, want %d", n, senders*each*packets)
	}
}

// TestAPostThatIsNotOnTheDiskIsRefused: kept in memory alone, or dropped.
func TestAPostThatIsNotOnTheDiskIsRefused(t *testing.T) {
	for name, bounds := range map[string]spool.Options{"memory alone": {MaxBytes: 0, MemoryBytes: 1 << 20, Sync: true}, "no room": {Sync: true}} {
		t.Run(name, func(t *testing.T) {
			l := openSpool(t, durable, bounds)
			body := wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message("refused", ""))
			if status, text := l.post(t, body); status != http.StatusServiceUnavailable {
				t.Errorf("%d %s, want 503", status, text)
			}
			if b := l.stop(t); b.Total() != 1 {
				t.Errorf("received %d", b.Total())
			}
		})
	}
}

// TestDurableStreams: the same packets arrive, in their order, over TCP too.
func TestDurableStreams(t *testing.T) {
	l := open(t, durable)
	c := l.dial(t, "tcp")
	const n = 30_000 // more than a window
	var stream []byte
	for i := range n {
		stream = append(stream, wrap(udp, hep.TypeSIP, a, b, time.Now().UnixMicro(), message(fmt.Sprint("durable-", i), ""))...)
	}
	send(t, c, stream)
	l.waitReceived(t, n)
	l.stop(t)
	if got := l.count(t, "sip"); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
}
