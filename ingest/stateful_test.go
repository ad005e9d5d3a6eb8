package ingest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
)

// wrap makes a HEP3 packet of a payload captured between two addresses.
func wrap(protocol uint8, typ uint16, src, dst string, us int64, payload []byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	return hep.Append(nil, &hep.Packet{
		Protocol: protocol, Type: typ, Src: s.Addr(), SrcPort: s.Port(), Dst: d.Addr(), DstPort: d.Port(),
		Time: us, CaptureID: 7, NodeName: []byte("tap"), VLAN: 42, GroupID: []byte("group"), Payload: payload,
	})
}

func message(callID, body string) []byte {
	return fmt.Appendf(nil, "INFO sip:bob@lab.test SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:alice@lab.test>;tag=1\r\nTo: <sip:bob@lab.test>;tag=2\r\nCall-ID: %s\r\nCSeq: 7 INFO\r\nContent-Length: %d\r\n\r\n%s", callID, len(body), body)
}

const (
	tcp = 6
	udp = 17
	a   = "10.0.0.1:5060"
	b   = "10.0.0.2:5060"
)

// TestSIPOverAStreamIsPutTogether sends messages over TCP connections cut in
// every way: whole, several in a packet, one over many, and never completed.
func TestSIPOverAStreamIsPutTogether(t *testing.T) {
	l := open(t, nil)
	conn := l.dial(t, "udp")
	now := time.Now().UnixMicro()
	sent := 0
	emit := func(src string, payload []byte) {
		send(t, conn, wrap(tcp, hep.TypeSIP, src, b, now, payload))
		sent++
	}
	one, two, three := message("one", "x"), message("two", strings.Repeat("y", 3000)), message("three", "")
	all := bytes.Join([][]byte{one, []byte("\r\n\r\n"), two, three}, nil)
	emit("10.0.0.1:1", all) // three in a packet, a keep-alive between them
	for i := 0; i < len(all); i += 100 {
		emit("10.0.0.1:2", all[i:min(i+100, len(all))]) // in pieces that end anywhere
		emit("10.0.0.1:3", all[i:min(i+100, len(all))]) // beside another connection
	}
	emit("10.0.0.1:4", two[:500]) // the rest never comes, a new message does
	emit("10.0.0.1:4", one)
	emit("10.0.0.1:5", two[:500]) // nor does anything else
	emit("10.0.0.1:6", []byte("\r\n\r\n"))
	l.waitReceived(t, sent)
	books := l.stop(t)
	if books.Lost() != 0 || int(books.Stored) != sent {
		t.Errorf("sent %d packets, stored %d, dropped %v", sent, books.Stored, books.Dropped)
	}
	for _, c := range []struct {
		what, where string
		want        int
	}{
		{"whole messages of the first three connections", "src_port <= 3 AND parse_error = ''", 9},
		{"message one, byte for byte", fmt.Sprintf("src_port <= 3 AND raw = '%s'", sqlText(one)), 3},
		{"message two, byte for byte", fmt.Sprintf("src_port <= 3 AND raw = '%s'", sqlText(two)), 3},
		{"the beginning that a new message ended", "src_port = 4 AND parse_error LIKE '%short_body%' AND length(raw) = 500", 1},
		{"the new message", "src_port = 4 AND call_id = 'one' AND parse_error = ''", 1},
		{"the beginning that nothing followed", "src_port = 5 AND length(raw) = 500", 1},
	} {
		if n := l.count(t, "sip WHERE "+c.where); n != c.want {
			t.Errorf("%s: %d rows, want %d", c.what, n, c.want)
		}
	}
	if n := l.count(t, "sip"); n != 12 {
		t.Errorf("%d rows in sip, want 12", n)
	}
	if n := l.count(t, "events WHERE error = 'keepalive'"); n != 1 {
		t.Errorf("%d keep-alives in events, want 1", n)
	}
}

func sqlText(b []byte) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`, "'", `\'`).Replace(string(b))
}

// rtp makes an RTP packet.
func rtp(pt uint8, seq uint16, ts, ssrc uint32, payload []byte) []byte {
	p := []byte{0x80, pt}
	p = binary.BigEndian.AppendUint16(p, seq)
	p = binary.BigEndian.AppendUint32(p, ts)
	p = binary.BigEndian.AppendUint32(p, ssrc)
	return append(p, payload...)
}

// TestRTPIsMeasuredAndTiedToItsCallBySDP: a call's SDP, then a stream of 200
// packets to the address it announced, of which 20 are missing, and a key press.
func TestRTPIsMeasuredAndTiedToItsCallBySDP(t *testing.T) {
	l := open(t, nil)
	conn := l.dial(t, "udp")
	start := time.Now().Add(-time.Minute).UnixMicro()
	sdp := "v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n"
	invite := fmt.Appendf(nil, "INVITE sip:bob@lab.test SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:alice@lab.test>;tag=1\r\nTo: <sip:bob@lab.test>\r\nCall-ID: talk\r\nX-CID: other-leg\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
	send(t, conn, wrap(udp, hep.TypeSIP, a, b, start, invite))
	l.waitReceived(t, 1)
	sent := 1
	speech := bytes.Repeat([]byte("SECRET"), 30)
	for i := range 200 {
		if i%10 == 5 {
			continue
		}
		at := start + int64(i)*20_000
		send(t, conn, wrap(udp, hep.TypeRTP, "10.8.8.8:30000", "10.9.9.9:40000", at, rtp(8, uint16(65500+i), uint32(i*160), 77, speech[:160])))
		sent++
	}
	for range 3 { // the end of a key press is told three times over (RFC 4733 section 2.5.1.4)
		send(t, conn, wrap(udp, hep.TypeRTP, "10.8.8.8:30000", "10.9.9.9:40000", start+4_100_000, rtp(96, uint16((65500+200)%65536), 32000, 77, []byte{5, 0x8a, 0x06, 0x40})))
		sent++
	}
	rtcp := []byte(`{"sender_information":{"packets":10},"ssrc":77,"type":200,"report_count":1,"report_blocks":[{"source_ssrc":78,"fraction_lost":0,"packets_lost":0,"ia_jitter":80}]}`)
	send(t, conn, wrap(udp, hep.TypeRTCP, "10.8.8.8:30001", "10.9.9.9:40001", start+5_000_000, rtcp))
	sent++
	l.waitReceived(t, sent)
	books := l.stop(t)
	if books.Lost() != 0 || int(books.Stored) != sent {
		t.Errorf("sent %d packets, stored %d, dropped %v", sent, books.Stored, books.Dropped)
	}
	if n := l.count(t, "media WHERE source = 'rtp' AND ssrc = 77 AND lost = 20 AND call_id = 'talk' AND correlation_id = 'other-leg' AND codec = 'PCMA' AND mos > 1 AND mos < 4.3 AND node = 'tap'"); n != 1 {
		t.Errorf("%d rows for the stream of the call, want 1", n)
		var text string
		_ = l.db.QueryRow(t.Context(), "SELECT toString(groupArray(tuple(source, ssrc, packets, lost, call_id, correlation_id, codec, mos, node))) FROM media").Scan(&text)
		t.Log(text)
	}
	if n := l.count(t, "media WHERE source = 'rtcp' AND call_id = 'talk' AND correlation_id = 'other-leg' AND jitter_ms = 10"); n != 1 {
		t.Errorf("%d RTCP rows tied to the call by SDP, want 1", n)
	}
	if n := l.count(t, `events WHERE type_name = 'dtmf' AND body = '{"digit":"5","duration_ms":200,"source":"rtp"}' AND call_id = 'talk'`); n != 1 {
		t.Errorf("%d key presses, want 1", n)
	}
	for _, where := range []string{"media WHERE raw LIKE '%SECRET%'", "events WHERE body LIKE '%SECRET%'", "sip WHERE raw LIKE '%SECRET%'"} {
		if n := l.count(t, where); n != 0 {
			t.Errorf("speech is stored: %d rows of %s", n, where)
		}
	}
}

// TestQualityInsideSIP: a voice quality PUBLISH, statistics in a BYE, a key in an INFO.
func TestQualityInsideSIP(t *testing.T) {
	l := open(t, nil)
	conn := l.dial(t, "udp")
	now := time.Now().UnixMicro()
	info := "INFO sip:bob@lab.test SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nVia: SIP/2.0/UDP h;branch=z9\r\nCall-ID: keys\r\nCSeq: 3 INFO\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=#\r\nDuration=160\r\n"
	bye := "BYE sip:bob@lab.test SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nVia: SIP/2.0/UDP h;branch=z9\r\nCall-ID: stats\r\nCSeq: 4 BYE\r\nX-RTP-Stat: CS=0;PS=1000;ES=1000;OS=160000;SP=0/0;SO=0;QS=-;PR=990;ER=1000;OR=158400;CR=0;SR=0;QR=-;PL=10,0;BL=0;LS=0;RB=0/0;SB=-/-;EN=PCMA;DE=PCMA;JI=12,4;DL=20,22,25;IP=10.0.0.1:40000,10.0.0.2:40002\r\n\r\n"
	sent := 0
	for _, text := range []string{info, bye} {
		send(t, conn, wrap(udp, hep.TypeSIP, a, b, now, []byte(text)))
		sent++
	}
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-register-options-message-publish-a.pcap")) {
		send(t, conn, p.Payload)
		sent++
	}
	l.waitReceived(t, sent)
	l.stop(t)
	if n := l.count(t, `events WHERE type_name = 'dtmf' AND call_id = 'keys' AND body = '{"digit":"#","duration_ms":160,"source":"info"}'`); n != 1 {
		t.Errorf("%d key presses of INFO, want 1", n)
	}
	if n := l.count(t, "media WHERE source = 'x-rtp-stat' AND call_id = 'stats'"); n == 0 {
		t.Error("no row for the statistics of the BYE")
	}
	if n := l.count(t, "media WHERE source = 'vq-rtcpxr' AND mos > 0"); n == 0 {
		t.Error("no row for the voice quality reports of the PUBLISHes")
	}
	if n := l.count(t, "sip WHERE method = 'PUBLISH'"); n != 2 {
		t.Errorf("%d PUBLISH messages, want both: a report does not replace its message", n)
	}
}

// TestSeveralDaysAtOnce: an archive of more days than batches are kept open for.
func TestSeveralDaysAtOnce(t *testing.T) {
	l := open(t, nil)
	conn := l.dial(t, "udp")
	const days, each = 20, 30
	sent := 0
	for i := range each {
		for d := range days {
			at := time.Now().AddDate(0, 0, -d).UnixMicro()
			send(t, conn, wrap(udp, hep.TypeSIP, a, b, at, message(fmt.Sprintf("%d-%d", d, i), "")))
			sent++
		}
		l.waitReceived(t, sent)
	}
	if books := l.stop(t); books.Lost() != 0 {
		t.Errorf("dropped %v", books.Dropped)
	}
	if n := l.count(t, "sip"); n != days*each {
		t.Errorf("%d rows, want %d", n, days*each)
	}
	if n := l.count(t, "(SELECT toDate(time) FROM sip GROUP BY 1 HAVING count() = 30)"); n != days {
		t.Errorf("%d days are complete, want %d", n, days)
	}
}

// TestBooksBalanceWhileRecordsFlow looks at the books all the time.
func TestBooksBalanceWhileRecordsFlow(t *testing.T) {
	l := open(t, func(c *ingest.Config) { c.BatchRows, c.BatchAge = 500, 20*time.Millisecond })
	packets := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))
	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				looked <- n
				return
			default:
			}
			if b := l.Books(); b.Total() != b.Stored+b.Lost()+b.Waiting {
				t.Errorf("received %d, stored %d, dropped %d, waiting %d", b.Total(), b.Stored, b.Lost(), b.Waiting)
			}
			n++
		}
	}()
	var conns []net.Conn
	for _, transport := range []string{"udp", "tcp", "udp", "tcp"} {
		conns = append(conns, l.dial(t, transport))
	}
	sent := 0
	for range 50 {
		for _, c := range conns {
			for _, p := range packets {
				send(t, c, p.Payload)
				sent++
			}
			l.waitReceived(t, sent)
		}
	}
	books := l.stop(t)
	close(stop)
	if n := <-looked; n < 100 {
		t.Errorf("looked only %d times", n)
	}
	if n := l.count(t, "sip"); n != sent || books.Lost() != 0 {
		t.Errorf("%d rows of %d sent, dropped %v", n, sent, books.Dropped)
	}
}
