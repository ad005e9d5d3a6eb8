package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/chtest"
	"github.com/heplake/heplake/schema"
)

func TestMain(m *testing.M) { chtest.Main(m) }

// lake is a pipeline in front of a database of the test's own.
type lake struct {
	*ingest.Pipeline
	db    driver.Conn
	spool *spool.Spool
}

func open(t *testing.T, change func(*ingest.Config)) *lake {
	t.Helper()
	return openSpool(t, change, spool.Options{MaxBytes: 1 << 30, MemoryBytes: 64 << 20, Sync: true})
}

// openSpool opens a lake whose spool has these bounds.
func openSpool(t *testing.T, change func(*ingest.Config), bounds spool.Options) *lake {
	t.Helper()
	return openVia(t, change, bounds, t.TempDir(), func(addr string) string { return addr })
}

// openVia opens a lake whose spool is in the folder, and whose inserts go to
// ClickHouse by way of another address.
func openVia(t *testing.T, change func(*ingest.Config), bounds spool.Options, dir string, via func(addr string) string) *lake {
	t.Helper()
	opt, err := clickhouse.ParseDSN(chtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, table := range schema.ByIngest() {
		if err := db.Exec(t.Context(), table.CreateSQL(schema.Options{Database: opt.Auth.Database})); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.DiscardHandler)
	bounds.Log = log
	sp, err := spool.Open(dir, bounds)
	if err != nil {
		t.Fatal(err)
	}
	cfg := ingest.Config{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Workers: 2, UDPBuffer: 8 << 20, MaxConnections: 100, IdleTimeout: time.Minute,
		BatchRows: 100_000, BatchAge: 50 * time.Millisecond, BatchBytes: 64 << 20, Inserters: 2, Tenant: "default",
		CorrelationHeaders: []string{"X-CID", "Session-ID"}, SIPHeaders: []string{"X-Lab"},
		TimeAhead: 24 * time.Hour, TimeBehind: 10 * 365 * 24 * time.Hour,
	}
	if change != nil {
		change(&cfg)
	}
	opt.Addr = []string{via(opt.Addr[0])}
	inserting, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inserting.Close() })
	p := ingest.New(cfg, sp, insert.New(inserting, opt.Auth.Database, time.Minute), log)
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &lake{p, db, sp}
}

// stop stops the pipeline and checks that its books balance with nothing left.
func (l *lake) stop(t *testing.T) ingest.Books {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	b := l.Books()
	if b.Waiting != 0 || b.Total() != b.Stored+b.Lost() {
		t.Errorf("the books do not balance: received %d, stored %d, dropped %d, waiting %d", b.Total(), b.Stored, b.Lost(), b.Waiting)
	}
	return b
}

func (l *lake) count(t *testing.T, from string) (n int) {
	t.Helper()
	var u uint64
	if err := l.db.QueryRow(t.Context(), "SELECT count() FROM "+from).Scan(&u); err != nil {
		t.Fatal(err)
	}
	return int(u)
}

// dial opens a connection of the transport to the pipeline.
func (l *lake) dial(t *testing.T, transport string) net.Conn {
	t.Helper()
	c, err := net.Dial(transport, l.Addrs()[transport].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, data []byte) {
	t.Helper()
	if _, err := c.Write(data); err != nil {
		t.Fatal(err)
	}
}

// waitReceived waits until the pipeline has received n packets.
func (l *lake) waitReceived(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if b := l.Books(); int(b.Total()) >= n {
			return
		}
	}
	t.Fatalf("received %d packets, want %d", l.Books().Total(), n)
}

// TestCapturesAgainstWireshark sends every HEPv3 capture of UDP senders and
// compares each SIP row with what Wireshark decoded from the same frame.
func TestCapturesAgainstWireshark(t *testing.T) {
	l := open(t, nil)
	conn := l.dial(t, "udp")
	sent := 0
	want := map[string]int{} // a line of fields to how often it must be there
	for _, name := range captures.Names(t, "*hep3*") {
		packets := captures.Read(t, captures.Path(name+".pcap"))
		if packets[0].Transport != "udp" || strings.Contains(name, "torture") || strings.Contains(name, "nested") || strings.HasPrefix(name, "hepjs") {
			continue // their frames have expectations of their own below and in ingest/sip
		}
		truth := map[int]captures.Truth{}
		for _, tr := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
			truth[tr.Frame()] = tr
		}
		for _, p := range packets {
			send(t, conn, p.Payload)
			sent++
			if tr := truth[p.Frame]; tr.First("hep3.application_protocol") == "SIP" {
				want[truthLine(tr)]++
			}
		}
		l.waitReceived(t, sent) // no faster than the kernel's buffer empties
	}
	books := l.stop(t)
	if books.Lost() != 0 || int(books.Stored) != sent {
		t.Fatalf("sent %d, stored %d, dropped %v", sent, books.Stored, books.Dropped)
	}

	rows, err := l.db.Query(t.Context(), `SELECT toUnixTimestamp64Micro(time), toString(src_ip), src_port, toString(dst_ip), dst_port, capture_id,
		method, status, call_id, toString(cseq) || ' ' || cseq_method, from_user, from_domain, from_tag, to_user, to_domain, to_tag, user_agent, server, via_branch, content_type FROM sip`)
	if err != nil {
		t.Fatal(err)
	}
	got, n := map[string]int{}, 0
	for rows.Next() {
		var us int64
		var src, dst, method, call, cseq, fu, fd, ft, tu, td, tt, ua, server, branch, ctype string
		var sport, dport, status uint16
		var id uint32
		if err := rows.Scan(&us, &src, &sport, &dst, &dport, &id, &method, &status, &call, &cseq, &fu, &fd, &ft, &tu, &td, &tt, &ua, &server, &branch, &ctype); err != nil {
			t.Fatal(err)
		}
		got[fmt.Sprint(us, strings.TrimPrefix(src, "::ffff:"), sport, strings.TrimPrefix(dst, "::ffff:"), dport, id, "|", method, status, "|", call, "|", cseq, "|",
			fu, "|", fd, "|", ft, "|", tu, "|", td, "|", tt, "|", ua, "|", server, "|", branch, "|", ctype)]++
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	wanted := 0
	for line, times := range want {
		wanted += times
		if got[line] != times {
			t.Errorf("%d times, want %d: %s", got[line], times, line)
		}
	}
	for line := range got {
		if want[line] == 0 {
			t.Errorf("not in Wireshark's decode: %s", line)
		}
	}
	if n != wanted || wanted < 1000 {
		t.Errorf("%d rows in sip, Wireshark has %d messages", n, wanted)
	}
	if n := l.count(t, "media WHERE source = 'rtcp'"); n == 0 {
		t.Error("no RTCP report in media")
	}
}

func truthLine(tr captures.Truth) string {
	id, _ := strconv.ParseUint(tr.First("hep3.capture_node_id"), 10, 32)
	if id&0xffff == 0 {
		id >>= 16 // sngrep's byte order: see the quirks of the captures
	}
	sec, _ := strconv.ParseInt(tr.First("hep3.timestamp_unix"), 10, 64)
	usec, _ := strconv.ParseInt(tr.First("hep3.timestamp_microsec"), 10, 64)
	addr := func(v4, v6 string) string {
		if s := tr.First(v4); s != "" {
			return s
		}
		return tr.First(v6)
	}
	status, _ := strconv.Atoi(tr.First("sip.Status-Code"))
	sport, _ := strconv.Atoi(tr.First("hep3.source_port"))
	dport, _ := strconv.Atoi(tr.First("hep3.destination_port"))
	return fmt.Sprint(sec*1_000_000+usec, addr("hep3.source_ipv4_address", "hep3.source_ipv6_address"), sport,
		addr("hep3.destination_ipv4_address", "hep3.destination_ipv6_address"), dport, id, "|", tr.First("sip.Method"), status, "|",
		tr.First("sip.Call-ID"), "|", tr.First("sip.CSeq"), "|", tr.First("sip.from.user"), "|", tr.First("sip.from.host"), "|", tr.First("sip.from.tag"), "|",
		tr.First("sip.to.user"), "|", tr.First("sip.to.host"), "|", tr.First("sip.to.tag"), "|", tr.First("sip.User-Agent"), "|", tr.First("sip.Server"), "|",
		tr.First("sip.Via.branch"), "|", tr.First("sip.Content-Type"))
}

// TestTCPStreamCutAnywhere sends a capture's stream in pieces of every size
// from 1 to 7 and 1461 bytes: framing must not depend on segments.
func TestTCPStreamCutAnywhere(t *testing.T) {
	l := open(t, nil)
	var stream []byte
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")) {
		stream = append(stream, p.Payload...)
	}
	sizes := []int{1, 2, 3, 5, 7, 1461}
	for _, size := range sizes {
		c := l.dial(t, "tcp")
		for piece := range slices.Chunk(stream, size) {
			send(t, c, piece)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const messages = 126
	l.waitReceived(t, messages*len(sizes))
	books := l.stop(t)
	if len(books.Undecodable) != 0 || books.Lost() != 0 {
		t.Errorf("undecodable %v, dropped %v", books.Undecodable, books.Dropped)
	}
	if n := l.count(t, "sip"); n != messages*len(sizes) {
		t.Errorf("%d rows, want %d", n, messages*len(sizes))
	}
	if n := l.count(t, "(SELECT DISTINCT raw, time, src_port, dst_port FROM sip)"); n != messages {
		t.Errorf("%d different messages, want %d", n, messages)
	}
}

// TestBadInputHarmsNothing mixes good packets with every kind of bad one.
func TestBadInputHarmsNothing(t *testing.T) {
	l := open(t, nil)
	good := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))
	first := good[0].Payload
	bad := [][]byte{{1}, {2}, {0}, {}, []byte("HEP3"), []byte("GET / HTTP/1.1\r\n\r\n"), make([]byte, 65507), slices.Repeat([]byte{0xff}, 65507)}
	for n := 1; n < len(first); n += 13 {
		bad = append(bad, first[:n])
	}
	huge := slices.Clone(first)
	huge = append(huge, make([]byte, 65507-len(huge))...) // trailing NULs behind a whole message
	conn := l.dial(t, "udp")
	sent := 0
	for i, p := range good {
		send(t, conn, p.Payload)
		sent++
		if i < len(bad) {
			send(t, conn, bad[i])
			sent++
		}
		l.waitReceived(t, sent)
	}
	send(t, conn, huge)
	sent++
	l.waitReceived(t, sent)
	books := l.stop(t)
	if n := l.count(t, "sip"); n != len(good)+1 {
		t.Errorf("%d rows in sip, want every good message, %d, and the padded one", n, len(good))
	}
	var undecodable uint64
	for loss, n := range books.Undecodable {
		if loss.Stage == "" || loss.Reason == "" {
			t.Errorf("%d packets without stage or reason: %+v", n, loss)
		}
		undecodable += n
	}
	if n := l.count(t, "events WHERE type_name = 'undecodable' AND stage != '' AND error != ''"); n != int(undecodable) || n != min(len(bad), len(good)) {
		t.Errorf("%d undecodable events, counted %d, sent %d", n, undecodable, min(len(bad), len(good)))
	}
	if n := l.count(t, "sip WHERE parse_error != ''"); n != 0 {
		t.Errorf("%d good messages have a parse error", n)
	}
}

// TestFloodOfGarbageIsCountedNotStored: one broken sender cannot fill events.
func TestFloodOfGarbageIsCountedNotStored(t *testing.T) {
	l := open(t, nil)
	c := l.dial(t, "udp")
	const n = 3000
	for i := range n {
		send(t, c, []byte("garbage"))
		if i%500 == 499 {
			l.waitReceived(t, i+1)
		}
	}
	books := l.stop(t)
	stored := l.count(t, "events")
	if stored < 1000 || stored > 1200 {
		t.Errorf("%d events stored of %d, want the burst of 1000 and little more", stored, n)
	}
	if got := books.Dropped[ingest.Loss{Stage: "hep", Reason: "bad_magic"}]; int(got) != n-stored {
		t.Errorf("%d counted as dropped for bad_magic, want %d; all: %v", got, n-stored, books.Dropped)
	}
}

// TestCorrelationTiesTheLegs: the leg behind the B2BUA names the other by X-CID.
func TestCorrelationTiesTheLegs(t *testing.T) {
	l := open(t, nil)
	c := l.dial(t, "udp")
	packets := captures.Read(t, captures.Path("sngrep-hep3-udp-b2bua-two-callids-xcid-a.pcap"))
	for _, p := range packets {
		send(t, c, p.Payload)
	}
	l.waitReceived(t, len(packets))
	l.stop(t)
	if n := l.count(t, "(SELECT correlation_id FROM sip WHERE method = 'INVITE' GROUP BY correlation_id HAVING uniq(call_id) = 2)"); n != 3 {
		t.Errorf("%d calls have two legs under one correlation id, want the 3 whose second leg names the first", n)
	}
	if n := l.count(t, "sip WHERE headers['X-CID'] != '' AND correlation_id != headers['X-CID']"); n != 0 {
		t.Errorf("%d messages with X-CID have another correlation id", n)
	}
}

// TestAbsurdTimesAreStoredUnderReceipt and the sender's own kept beside.
func TestAbsurdTimesAreStoredUnderReceipt(t *testing.T) {
	l := open(t, func(c *ingest.Config) { c.TimeBehind = time.Second })
	c := l.dial(t, "udp")
	p := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))[0]
	send(t, c, p.Payload) // older than a second by now
	hep1 := captures.Read(t, captures.Path("kamailio-hep1-udp-a.pcap"))[0]
	send(t, c, hep1.Payload) // has no time
	l.waitReceived(t, 2)
	l.stop(t)
	if n := l.count(t, "sip WHERE abs(dateDiff('second', time, now())) < 60"); n != 2 {
		t.Errorf("%d rows are under the time of receipt, want 2", n)
	}
	if n := l.count(t, "sip WHERE hep['hep.time'] = '1795228584193712'"); n != 1 {
		t.Errorf("%d rows keep the sender's time, want the one that had one", n)
	}
}

// TestAnOutageLosesNothing stops inserts by dropping the tables, and brings them back.
func TestAnOutageLosesNothing(t *testing.T) {
	l := open(t, nil)
	if err := l.db.Exec(t.Context(), "RENAME TABLE sip TO sip_away"); err != nil {
		t.Fatal(err)
	}
	c := l.dial(t, "udp")
	packets := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-failures-a.pcap"))
	for _, p := range packets {
		send(t, c, p.Payload)
	}
	l.waitReceived(t, len(packets))
	for deadline := time.Now().Add(10 * time.Second); l.spool.Stats().Packets < len(packets) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if b := l.Books(); b.Stored != 0 || int(b.Waiting) != len(packets) || l.spool.Stats().Packets != len(packets) {
		t.Errorf("during the outage: stored %d, waiting %d, spooled %d; want all %d to wait", b.Stored, b.Waiting, l.spool.Stats().Packets, len(packets))
	}
	if err := l.db.Exec(t.Context(), "RENAME TABLE sip_away TO sip"); err != nil {
		t.Fatal(err)
	}
	books := l.stop(t)
	if n := l.count(t, "sip"); n != len(packets) || books.Lost() != 0 {
		t.Errorf("%d rows, dropped %v; want all %d", n, books.Dropped, len(packets))
	}
}

// TestAPoisonedBatchCostsItsBadRowsAlone lets ClickHouse refuse the messages of
// one call.
func TestAPoisonedBatchCostsItsBadRowsAlone(t *testing.T) {
	l := open(t, func(c *ingest.Config) { c.BatchAge = 300 * time.Millisecond })
	packets := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-failures-a.pcap"))
	truth := captures.ReadTruth(t, captures.Path("kamailio-hep3-udp-sip-failures-a.truth.jsonl"))
	poison, bad := truth[0].First("sip.Call-ID"), 0
	for _, tr := range truth {
		if tr.First("sip.Call-ID") == poison {
			bad++
		}
	}
	if err := l.db.Exec(t.Context(), "ALTER TABLE sip ADD CONSTRAINT good CHECK correlation_id != '"+poison+"'"); err != nil {
		t.Fatal(err)
	}
	c := l.dial(t, "udp")
	for _, p := range packets {
		send(t, c, p.Payload)
	}
	l.waitReceived(t, len(packets))
	books := l.stop(t)
	if bad == 0 || int(books.Dropped[ingest.Loss{Stage: "insert", Reason: "rejected"}]) != bad || int(books.Lost()) != bad {
		t.Errorf("dropped %v, want the %d messages of the refused call", books.Dropped, bad)
	}
	if n := l.count(t, "sip"); n != len(packets)-bad {
		t.Errorf("%d rows, want %d", n, len(packets)-bad)
	}
}
