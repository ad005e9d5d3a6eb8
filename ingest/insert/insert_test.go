package insert_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest/batch"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// open connects to a database of the test's own that has the tables.
func open(t *testing.T) (driver.Conn, string) {
	t.Helper()
	opt, err := clickhouse.ParseDSN(chtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	for _, table := range schema.Tables() {
		if err := conn.Exec(t.Context(), table.CreateSQL(schema.Options{Database: opt.Auth.Database})); err != nil {
			t.Fatalf("create %s: %v", table.Name, err)
		}
	}
	return conn, opt.Auth.Database
}

var at = time.Date(2026, 11, 21, 3, 4, 5, 678901000, time.UTC)

func origin(c *batch.Origin, callID string) {
	c.Time.Append(at.UnixMicro())
	c.Tenant.AppendString("acme")
	c.Node.AppendString("sbc-1")
	c.CaptureID.Append(2001)
	c.CorrelationID.AppendString("corr-" + callID)
	c.SrcIP.Append([16]byte{10: 0xff, 11: 0xff, 12: 10, 13: 0, 14: 0, 15: 1})
	c.SrcPort.Append(5060)
	c.DstIP.Append([16]byte{0: 0x20, 1: 0x01, 15: 9})
	c.DstPort.Append(5080)
	c.Transport.AppendString("udp")
	c.HEP.Set("vlan", []byte("7"))
	c.HEP.Set("group_id", []byte("g"))
	c.HEP.End()
}

func mediaBatch(t *testing.T, calls ...string) batch.Sealed {
	t.Helper()
	b := batch.New[batch.Media](&schema.Media)
	for i, id := range calls {
		c := &b.Cols
		origin(&c.Origin, id)
		c.CallID.AppendString(id)
		c.Source.AppendString("rtcp")
		c.Report.AppendString("sr")
		c.SSRC.Append(4_000_000_000)
		c.Reporter.Append(1)
		c.Packets.Append(1 << 40)
		c.Octets.Append(2)
		c.Lost.Append(-3)
		c.FractionLost.Append(0.5)
		c.JitterMs.Append(1.25)
		c.RTTMs.Append(0)
		c.MOS.Append(4.5)
		c.MOSMethod.AppendString("reported")
		c.RFactor.Append(93)
		c.Codec.AppendString("PCMU")
		if i%2 == 0 {
			c.Metrics.Set("burst_density", 0.25)
		}
		c.Metrics.End()
		c.Raw.Append([]byte{'{', 0, 0xff, '}'})
		b.Commit(1, at)
	}
	s, err := b.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = s.Load(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryKindOfColumnArrivesAsItWas(t *testing.T) {
	conn, db := open(t)
	in := insert.New(conn, db, time.Minute)
	if err := in.Insert(t.Context(), mediaBatch(t, "a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	const query = `SELECT time = toDateTime64('2026-11-21 03:04:05.678901', 6, 'UTC'), tenant, node, capture_id, correlation_id, toString(src_ip), toString(dst_ip),
		src_port, transport, hep['vlan'], hep['group_id'], length(hep), ssrc, packets, lost, fraction_lost, mos, codec, metrics['burst_density'], length(metrics), hex(raw)
		FROM media ORDER BY call_id`
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		var (
			timeOK                                                                  uint8
			tenant, node, correlation, src, dst, transport, vlan, group, codec, raw string
			captureID, ssrc                                                         uint32
			port                                                                    uint16
			hepLen, metricsLen                                                      uint64
			packets                                                                 uint64
			lost                                                                    int64
			fraction, mos, burst                                                    float32
		)
		if err := rows.Scan(&timeOK, &tenant, &node, &captureID, &correlation, &src, &dst, &port, &transport, &vlan, &group, &hepLen,
			&ssrc, &packets, &lost, &fraction, &mos, &codec, &burst, &metricsLen, &raw); err != nil {
			t.Fatal(err)
		}
		want := "corr-" + string(rune('a'+n))
		if timeOK != 1 || tenant != "acme" || node != "sbc-1" || captureID != 2001 || correlation != want || src != "::ffff:10.0.0.1" || dst != "2001::9" ||
			port != 5060 || transport != "udp" || vlan != "7" || group != "g" || hepLen != 2 || ssrc != 4_000_000_000 || packets != 1<<40 || lost != -3 ||
			fraction != 0.5 || mos != 4.5 || codec != "PCMU" || raw != "7B00FF7D" {
			t.Errorf("row %d: %v %v %v %v %v %v %v %v %v %v %v %v %v %v %v %v %v %v %v", n, timeOK, tenant, node, captureID, correlation, src, dst, port, transport, vlan, group, hepLen, ssrc, packets, lost, fraction, mos, codec, raw)
		}
		if odd := n%2 == 1; odd && metricsLen != 0 || !odd && (metricsLen != 1 || burst != 0.25) {
			t.Errorf("row %d: %d metrics, burst_density %v", n, metricsLen, burst)
		}
		n++
	}
	if err := rows.Err(); err != nil || n != 3 {
		t.Fatalf("%d rows, %v", n, err)
	}
}

func count(t *testing.T, conn driver.Conn, table string) (n uint64) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestABatchSentTwiceLandsOnce(t *testing.T) {
	conn, db := open(t)
	in := insert.New(conn, db, time.Minute)
	one, other := mediaBatch(t, "a", "b"), mediaBatch(t, "a", "b")
	for range 3 {
		if err := in.Insert(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, conn, "media"); n != 2 {
		t.Errorf("%d rows after the same batch three times, want 2", n)
	}
	// The same rows under another id are other records: two agents may see the same packet.
	if err := in.Insert(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn, "media"); n != 4 {
		t.Errorf("%d rows after another batch, want 4", n)
	}
}

// TestAProfileCannotTurnDeduplicationOff: the insert says itself what it needs.
// That deduplication is what makes the difference, an insert without it shows.
func TestAProfileCannotTurnDeduplicationOff(t *testing.T) {
	for setting, off := range map[string]any{"deduplicate_insert": "disable", "insert_deduplicate": 0} {
		t.Run(setting, func(t *testing.T) {
			_, db := open(t)
			opt, err := clickhouse.ParseDSN(chtest.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			opt.Auth.Database, opt.Settings = db, clickhouse.Settings{setting: off}
			conn, err := clickhouse.Open(opt)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			in, b := insert.New(conn, db, time.Minute), mediaBatch(t, "a", "b")
			for range 2 {
				if err := in.Insert(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			if n := count(t, conn, "media"); n != 2 {
				t.Errorf("%d rows after the same batch twice, want 2", n)
			}
			ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"deduplicate_insert": "disable", "insert_deduplication_token": b.ID}))
			if err := conn.InsertFormat(ctx, "ArrowStream", "INSERT INTO media", bytes.NewReader(b.Body)); err != nil {
				t.Fatal(err)
			}
			if n := count(t, conn, "media"); n != 4 {
				t.Errorf("%d rows after an insert without deduplication, want 4: else this test shows nothing", n)
			}
		})
	}
}

// TestABatchOutOfItsFile: it makes no difference where the stream is, nor
// whether the connection sends files by the kernel.
func TestABatchOutOfItsFile(t *testing.T) {
	conn, db := open(t)
	opt, err := clickhouse.ParseDSN(chtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]int64{} // length of the body as HTTP has it
	opt.TransportFunc = func(tr *http.Transport) (http.RoundTripper, error) {
		rt, err := insert.Transport(tr)
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if token := req.URL.Query().Get("insert_deduplication_token"); token != "" {
				req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteHeaderField: func(key string, value []string) {
					if key == "Content-Length" {
						sent[token], _ = strconv.ParseInt(value[0], 10, 64)
					}
				}}))
			}
			return rt.RoundTrip(req)
		}), err
	}
	files, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = files.Close() })
	for i, c := range []driver.Conn{conn, files} {
		b := mediaBatch(t, fmt.Sprint("call ", i), "other")
		path := filepath.Join(t.TempDir(), "batch")
		if err := os.WriteFile(path, append([]byte("head"), b.Body...), 0o600); err != nil {
			t.Fatal(err)
		}
		b.File, b.Body = batch.File{Path: path, Offset: 4, Size: int64(len(b.Body))}, nil
		if err := insert.New(c, db, time.Minute).Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if n := count(t, conn, "media WHERE call_id = 'call "+fmt.Sprint(i)+"' AND hex(raw) = '7B00FF7D'"); n != 1 {
			t.Errorf("connection %d: %d rows of the call, want 1", i, n)
		}
		if c == files && sent[b.ID] != b.File.Size {
			t.Errorf("sent with length %d, want that of the stream, %d: else the kernel cannot send it", sent[b.ID], b.File.Size)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestWhatCanPassIsNotRejected(t *testing.T) {
	conn, db := open(t)
	good := mediaBatch(t, "a")

	broken := good
	broken.ID, broken.Body = "broken", good.Body[:len(good.Body)/2]
	if err := insert.New(conn, db, time.Minute).Insert(t.Context(), broken); !errors.Is(err, insert.ErrRejected) {
		t.Errorf("a cut stream gives %v, want a rejection", err)
	}
	missing := good
	missing.Table = "not_there_yet"
	if err := insert.New(conn, db, time.Minute).Insert(t.Context(), missing); err == nil || errors.Is(err, insert.ErrRejected) {
		t.Errorf("a missing table gives %v, want an error that may pass", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := insert.New(conn, db, time.Minute).Insert(ctx, good); err == nil || errors.Is(err, insert.ErrRejected) {
		t.Errorf("a cancelled insert gives %v, want an error that may pass", err)
	}
	if n := count(t, conn, "media"); n != 0 {
		t.Errorf("%d rows of failed inserts", n)
	}
}
