package e2e

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// expectation is what a capture must become.
type expectation struct {
	// packets sent: HEP messages, or packets wrapped as such.
	packets int
	// sip rows, and packets of other kinds.
	sip, other int
}

// notInTruth are messages that Wireshark's decode beside a capture lacks, with
// the reason; they are in the traffic all the same.
var notInTruth = map[string]struct {
	packets, sip int
	why          string
}{
	"kamailio-hep1-sip-ipv6-a":                     {0, 39, "the dissector shows no SIP in HEP version 1 over IPv6"},
	"kamailio-hep2-sip-ipv6-a":                     {0, 39, "the dissector shows no SIP in HEP version 2 over IPv6"},
	"kamailio-hep3-tcp-a":                          {1, 1, "the dissector misses one of two messages that share a segment"},
	"rtpengine-kamailio-hep3-tcp-call-with-rtcp-a": {1, 1, "the same"},
	"kamailio-hep3-udp-rfc4475-torture-a":          {0, 2, "Wireshark takes two of the torture messages for no SIP"},
}

// expect reads the truth beside a capture.
func expect(t *testing.T, name string) expectation {
	t.Helper()
	var e expectation
	for _, frame := range captures.ReadTruth(t, captures.Path(name+".truth.jsonl")) {
		e.packets += max(1, len(frame["hep3.version"]))
		e.sip += len(frame["sip.Method"]) + len(frame["sip.Status-Code"])
	}
	more := notInTruth[name]
	e.packets, e.sip = e.packets+more.packets, e.sip+more.sip
	e.other = e.packets - e.sip
	return e
}

var sentPackets = regexp.MustCompile(`^sent (\d+) packets`)

// TestReplayCaptures sends every capture by `heplake replay --now`, over UDP
// and over TCP, and counts what became of it.
func TestReplayCaptures(t *testing.T) {
	l := serve(t, t.TempDir(), "HEPLAKE_BATCH_AGE=20ms")
	db := l.sql()
	// Reports and digits in SIP messages are rows beside those of the messages,
	// and not counted here.
	type counts struct{ SIP, Media, Events uint64 }
	counted := func() (c counts) {
		if err := db.QueryRow(t.Context(), "SELECT (SELECT count() FROM sip), (SELECT count() FROM media WHERE source NOT IN ('vq-rtcpxr', 'x-rtp-stat')), (SELECT count() FROM events WHERE type_name != 'dtmf')").
			Scan(&c.SIP, &c.Media, &c.Events); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var before counts
	total := 0
	for _, proto := range []string{"udp", "tcp"} {
		for _, name := range captures.Names(t, "*") {
			if proto == "tcp" && !strings.Contains(name, "hep3") {
				continue // versions 1 and 2 have no framing
			}
			t.Run(proto+"/"+name, func(t *testing.T) {
				l.t = t
				want := expect(t, name)
				out := l.must("replay", captures.Path(name+".pcap"), "--to", l.addr["hep_"+proto], "--proto", proto, "--now")
				m := sentPackets.FindStringSubmatch(out)
				if m == nil {
					t.Fatalf("replay says %q", out)
				}
				sent, _ := strconv.Atoi(m[1])
				total += sent
				if sent != want.packets {
					t.Errorf("%d packets sent, the capture has %d", sent, want.packets)
				}
				if f := l.drained(total); f.sum("heplake_dropped_total") != 0 {
					t.Errorf("%.0f packets dropped", f.sum("heplake_dropped_total"))
				}
				after := counted()
				if got := int(after.SIP - before.SIP); got != want.sip {
					t.Errorf("%d rows in sip, want %d (%s)", got, want.sip, notInTruth[name].why)
				}
				// A quality report has a row for each block, so other packets are at
				// least a row each.
				if got := int(after.Media - before.Media + after.Events - before.Events); got < want.other || want.other == 0 && got > 0 {
					t.Errorf("%d rows in media and events for %d packets that are not SIP", got, want.other)
				}
				before = after
			})
		}
	}
	l.t = t
	// --now puts the last message of each capture at the present.
	if old := count(t, db, "sip WHERE time < now() - INTERVAL 1 HOUR OR time > now() + INTERVAL 1 MINUTE"); old != 0 {
		t.Errorf("%d messages are not near the present", old)
	}
	l.stop()
}

// TestReplayRawSIP sends captures of plain SIP, which replay wraps in HEP.
func TestReplayRawSIP(t *testing.T) {
	l := serve(t, t.TempDir(), "HEPLAKE_BATCH_AGE=20ms")
	db := l.sql()
	before, total := 0, 0
	for _, name := range captures.Names(t, "*.sip*") {
		t.Run(name, func(t *testing.T) {
			l.t = t
			want := expect(t, name)
			out := l.must("replay", captures.Path(name+".pcap"), "--to", l.addr["hep_udp"], "--now", "--capture-id", "77", "--node", "raw")
			m := sentPackets.FindStringSubmatch(out)
			if m == nil {
				t.Fatalf("replay says %q", out)
			}
			sent, _ := strconv.Atoi(m[1])
			total += sent
			l.drained(total)
			after := count(t, db, "sip")
			if after-before != want.sip {
				t.Errorf("%d rows in sip, Wireshark has %d messages", after-before, want.sip)
			}
			before = after
		})
	}
	l.t = t
	if n := count(t, db, "sip WHERE node = 'raw' AND capture_id = 77"); n < before/2 {
		t.Errorf("%d of %d rows bear the node and id given", n, before)
	}
	if s := l.cli("replay", captures.Path("kamailio-hep1-udp-a.pcap"), "--to", l.addr["hep_tcp"], "--proto", "tcp"); s.code == 0 {
		t.Errorf("HEP version 1 over TCP is said to have been sent: %s", s.out)
	}
	l.stop()
}
