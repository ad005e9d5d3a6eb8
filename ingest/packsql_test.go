package ingest_test

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/captures"
)

// garbled returns the message with something in it that the packing must not
// take for its own.
func garbled(random *rand.Rand, raw []byte) []byte {
	raw = bytes.Clone(raw)
	at := random.IntN(len(raw))
	switch random.IntN(5) {
	case 0:
		return raw[:at]
	case 1:
		raw[at] = byte(random.IntN(256))
	case 2:
		return append(raw[:at:at], append([]byte("\x01a\x01e\x00"), raw[at:]...)...)
	case 3:
		end := min(len(raw), at+random.IntN(80))
		return append(raw[:end:end], raw[at:]...)
	default:
		return append(raw[:at:at], append([]byte("\r\n "), raw[at:]...)...)
	}
	return raw
}

// TestSQLGivesTheExactBytes sends every captured message, the torture tests of
// RFC 4475 among them, each also garbled, and wants raw, call_id and via_branch
// back from plain SQL as they were sent.
func TestSQLGivesTheExactBytes(t *testing.T) {
	l := open(t, nil)
	random := rand.New(rand.NewPCG(3, 4))
	base := time.Date(2026, 11, 21, 1, 0, 0, 0, time.UTC).UnixMicro()
	var sent [][]byte // by µs after base
	tcp := l.dial(t, "tcp")
	add := func(raw []byte, correlation string) {
		p := hep.Packet{
			Variant: 3, Family: 2, Protocol: 17, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), SrcPort: 5060, DstPort: 5060,
			Time: base + int64(len(sent)), Type: hep.TypeSIP, CaptureID: 7, CorrelationID: []byte(correlation), Payload: raw,
		}
		send(t, tcp, hep.Append(nil, &p))
		sent = append(sent, bytes.Clone(raw))
	}
	var d hep.Decoder
	var p hep.Packet
	for _, name := range captures.Names(t, "*") {
		for _, packet := range captures.Read(t, captures.Path(name+".pcap")) {
			if d.Decode(&p, packet.Payload) != nil || p.Type != hep.TypeSIP || len(p.Payload) == 0 {
				continue
			}
			add(p.Payload, "")
			for range 3 {
				add(garbled(random, p.Payload), []string{"", "another"}[random.IntN(2)])
			}
		}
	}
	add([]byte("OPTIONS sip:a SIP/2.0\r\nCall-ID: \x01a\r\nVia: SIP/2.0/UDP h;branch=\x01b\r\n\r\n\x01a\x01z"), "")
	add([]byte("OPTIONS sip:a SIP/2.0\r\nCall-ID: a\x00b\x00\r\n\r\n\x00"), "a")
	add([]byte("OPTIONS sip:a SIP/2.0\r\n\r\n"), "correlated, but of no Call-ID")
	_ = tcp.Close()
	l.waitReceived(t, len(sent))
	l.stop(t)

	scanner := sip.NewScanner(sip.Options{})
	var m sip.Message
	want := 0
	for _, raw := range sent {
		if scanner.Scan(&m, raw) {
			want++
		}
	}
	rows, err := l.db.Query(t.Context(), "SELECT toUnixTimestamp64Micro(time), raw, call_id, via_branch, packing, length(packed) FROM sip ORDER BY time")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	found, packed := 0, 0
	for rows.Next() {
		var us int64
		var raw, callID, branch string
		var packing uint8
		var length uint64
		if err := rows.Scan(&us, &raw, &callID, &branch, &packing, &length); err != nil {
			t.Fatal(err)
		}
		whole := sent[us-base]
		if raw != string(whole) {
			t.Fatalf("sent %q\n got %q", whole, raw)
		}
		if !scanner.Scan(&m, whole) {
			t.Fatalf("%q is no SIP", whole)
		}
		if callID != string(m.CallID) || branch != string(m.Via.Branch) {
			t.Fatalf("Call-ID %q and branch %q of\n%q", callID, branch, whole)
		}
		if found++; packing == 1 && int(length) < len(raw) {
			packed++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if found != want || found < 5000 || packed < found*3/4 || packed == found {
		t.Errorf("%d rows of %d messages, %d packed", found, want, packed)
	}
	// What is inserted by SQL is not packed, and comes back as it is.
	if err := l.db.Exec(t.Context(), `INSERT INTO sip (time, correlation_id, own_call_id, own_branch, packed) VALUES ('2026-11-21 02:00:00', 'c', '', 'z9', '\x01a\x01b')`); err != nil {
		t.Fatal(err)
	}
	if n := l.count(t, `sip WHERE raw = '\x01a\x01b' AND call_id = '' AND via_branch = 'z9'`); n != 1 {
		t.Errorf("%d rows of one inserted", n)
	}
}
