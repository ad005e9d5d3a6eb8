package e2e

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

// options makes a HEP packet with an OPTIONS request of this Call-ID.
func options(callID string) []byte {
	src, dst := netip.MustParseAddrPort("192.0.2.1:5060"), netip.MustParseAddrPort("192.0.2.2:5060")
	sip := "OPTIONS sip:bob@lab.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + callID + "\r\nFrom: <sip:alice@lab.test>;tag=a\r\n" +
		"To: <sip:bob@lab.test>\r\nCall-ID: " + callID + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	return hep.Append(nil, &hep.Packet{
		Protocol: 17, Src: src.Addr(), SrcPort: src.Port(), Dst: dst.Addr(), DstPort: dst.Port(),
		Time: time.Now().UnixMicro(), Type: hep.TypeSIP, CaptureID: 7, Payload: []byte(sip),
	})
}

// door stands before a ClickHouse and can be shut, for inserts.
type door struct {
	*httptest.Server
	// shut: inserts do not get through. swallow: they do, and their answer does not;
	// swallowed counts those into sip.
	shut, swallow atomic.Bool
	swallowed     atomic.Int64
}

// openDoor puts a door before the ClickHouse of an address and returns it with
// the address by way of it.
func openDoor(t *testing.T, address string) (*door, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: u.Host})
	behind.ErrorLog = log.New(io.Discard, "", 0) // it ends with requests under way
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query().Get("query")
		insert := strings.Contains(query, "INSERT INTO")
		switch {
		case insert && d.shut.Load():
			panic(http.ErrAbortHandler)
		case insert && d.swallow.Load():
			behind.ServeHTTP(discard{http.Header{}}, r)
			if strings.Contains(query, "`sip`") {
				d.swallowed.Add(1)
			}
			panic(http.ErrAbortHandler)
		default:
			behind.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(d.Close)
	u.Host = strings.TrimPrefix(d.URL, "http://")
	return d, u.String()
}

// discard takes an answer that nobody will see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// stored returns how often each Call-ID is in sip.
func stored(t *testing.T, db driver.Conn) map[string]int {
	t.Helper()
	rows, err := db.Query(t.Context(), "SELECT call_id, count() FROM sip GROUP BY call_id")
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for rows.Next() {
		var id string
		var n uint64
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		times[id] = int(n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return times
}

// spooled returns the Call-IDs of the batches in the spool of a data folder
// whose heplake is gone. It works on a copy.
func spooled(t *testing.T, dir string) map[string]bool {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "spool")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "spool"))); err != nil {
		t.Fatal(err)
	}
	sp, err := spool.Open(copied, spool.Options{MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range sp.Stats().Batches {
		entry, sealed, err := sp.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if sealed.Table == schema.SIP.Name {
			callIDs(t, sealed.Body, ids)
		}
		sp.Ack(entry)
	}
	return ids
}

// callIDs reads the column correlation_id of an Arrow stream: what these messages have as
// their Call-ID, which is not stored twice.
func callIDs(t *testing.T, stream []byte, into map[string]bool) {
	t.Helper()
	r, err := ipc.NewReader(strings.NewReader(string(stream)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		record := r.Record()
		at := record.Schema().FieldIndices("correlation_id")
		if len(at) != 1 {
			t.Fatalf("columns %v", record.Schema())
		}
		column := record.Column(at[0])
		for i := range column.Len() {
			switch c := column.(type) {
			case *array.String:
				into[c.Value(i)] = true
			case *array.Binary:
				into[string(c.Value(i))] = true
			default:
				t.Fatalf("call_id is %T", column)
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestKillLosesNothingSpooled kills heplake under load, at a moment when
// batches wait and of some nobody knows whether they were stored, and starts it
// again: what was stored or in the spool is there, once.
func TestKillLosesNothingSpooled(t *testing.T) {
	database := chtest.Database(t)
	db := chtest.Dial(t, database)
	door, address := openDoor(t, database)
	dir := t.TempDir()
	settings := []string{"HEPLAKE_CLICKHOUSE_URL=" + address, "HEPLAKE_BATCH_ROWS=100", "HEPLAKE_BATCH_AGE=20ms"}
	l := serve(t, dir, settings...)

	conn := l.dial("tcp")
	sending := make(chan int)
	go func() { // until the connection breaks
		defer close(sending)
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for n := 0; ; n++ {
			if n%10 == 0 {
				<-pace.C
			}
			if _, err := conn.Write(options(sprintf("kill-%06d", n))); err != nil {
				sending <- n
				return
			}
		}
	}()
	eventually(t, "records are stored", func() (bool, string) {
		n := count(t, db, "sip")
		return n >= 500, sprintf("%d rows", n)
	})
	door.swallow.Store(true)
	eventually(t, "inserts are in doubt", func() (bool, string) { return door.swallowed.Load() >= 2, string(l.said()) })
	door.shut.Store(true)
	eventually(t, "batches wait", func() (bool, string) {
		n := l.metrics().sum("heplake_spool_batches")
		return n >= 5, sprintf("%.0f batches", n)
	})
	l.kill()
	sent := <-sending

	inTable, inSpool := stored(t, db), spooled(t, dir)
	inBoth := 0
	for id := range inSpool {
		if inTable[id] > 0 {
			inBoth++
		}
	}
	t.Logf("sent %d; at the kill %d were stored, %d in the spool, %d in both", sent, len(inTable), len(inSpool), inBoth)
	if inBoth == 0 || len(inSpool) == inBoth {
		t.Fatal("the kill came at a moment that shows nothing")
	}

	door.swallow.Store(false)
	door.shut.Store(false)
	l = serve(t, dir, settings...)
	if f := l.drained(len(inSpool)); int(f.sum("heplake_received_total", "transport", "spool")) != len(inSpool) || f.sum("heplake_dropped_total") != 0 {
		t.Errorf("received anew from the spool: %.0f of %d; dropped %.0f", f.sum("heplake_received_total", "transport", "spool"), len(inSpool), f.sum("heplake_dropped_total"))
	}
	l.stop()
	now := stored(t, db)
	for id, times := range now {
		if times != 1 {
			t.Errorf("%s is stored %d times", id, times)
		}
		if inTable[id] == 0 && !inSpool[id] {
			t.Errorf("%s came from nowhere", id)
		}
	}
	for id := range inSpool {
		if now[id] == 0 {
			t.Errorf("%s was in the spool and is lost", id)
		}
	}
	for id := range inTable {
		if now[id] == 0 {
			t.Errorf("%s was stored and is gone", id)
		}
	}
}

// TestStopWritesWhatWasReceived stops heplake while all it received lies in
// open batches.
func TestStopWritesWhatWasReceived(t *testing.T) {
	dir := t.TempDir()
	l := serve(t, dir, "HEPLAKE_BATCH_AGE=1h")
	const n = 3000
	conns := []net.Conn{l.dial("tcp"), l.dial("tcp")}
	for i := range n {
		if _, err := conns[i%2].Write(options(sprintf("stop-%06d", i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "everything is received", func() (bool, string) {
		f := l.metrics()
		f.balance(t)
		return f.sum("heplake_received_total") == n, sprintf("%.0f of %d", f.sum("heplake_received_total"), n)
	})
	if waiting := l.metrics().sum("heplake_waiting"); waiting != n {
		t.Fatalf("%.0f packets wait, want all %d: the stop would show nothing", waiting, n)
	}
	l.stop()

	l = serve(t, dir)
	if times := stored(t, l.sql()); len(times) != n || count(t, l.sql(), "sip") != n {
		t.Errorf("%d calls in %d rows after the stop, want %d", len(times), count(t, l.sql(), "sip"), n)
	}
	l.stop()
}

// TestKillOfTheParentEndsTheEngine kills `heplake serve` alone: its engine must
// end by itself, leave the data whole, and let a new heplake have the folder.
func TestKillOfTheParentEndsTheEngine(t *testing.T) {
	dir := t.TempDir()
	l := serve(t, dir)
	const n = 100
	conn := l.dial("tcp")
	for i := range n {
		if _, err := conn.Write(options(sprintf("parent-%03d", i))); err != nil {
			t.Fatal(err)
		}
	}
	l.drained(n)
	engine := l.addr["clickhouse_http"]
	l.signal(os.Kill)
	<-l.done
	eventually(t, "the engine ends with its parent", func() (bool, string) {
		c, err := net.DialTimeout("tcp", engine, time.Second)
		if err != nil {
			return true, ""
		}
		_ = c.Close()
		return false, "it still listens on " + engine
	})
	var again *lake
	eventually(t, "the folder is free", func() (bool, string) { // the engine lets go of it last
		s := heplake(t, env("HEPLAKE_DATA_DIR="+dir, "HEPLAKE_EMBEDDED_HTTP=127.0.0.1:0", "HEPLAKE_EMBEDDED_TCP=127.0.0.1:0"), "migrate", "--plan")
		return s.code == 0, s.err
	})
	again = serve(t, dir)
	if got := count(t, again.sql(), "sip"); got != n {
		t.Errorf("%d rows after the kill, want %d", got, n)
	}
	again.stop()
}
