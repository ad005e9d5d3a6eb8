package e2e

import (
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"github.com/heplake/heplake/internal/captures"
)

// badDatagrams are what the network may bring that is no HEP, or HEP that
// carries no SIP.
func badDatagrams(good []byte) [][]byte {
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same bytes each time
	var bad [][]byte
	for range 200 {
		b := make([]byte, 1+r.IntN(1500))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		bad = append(bad, b)
	}
	for n := range len(good) { // truncated at every length; 0 is an empty datagram
		bad = append(bad, good[:n])
	}
	for b := range 256 {
		bad = append(bad, []byte{byte(b)})
	}
	const largest = 65507 // of UDP over IPv4
	bad = append(bad, make([]byte, largest), slices.Repeat([]byte{0xff}, largest), slices.Repeat([]byte("HEP3"), largest/4))
	return append(bad, []byte("INVITE sip:bob@lab.test SIP/2.0\r\n\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"), []byte("\r\n\r\n"))
}

// TestBadInput sends bad datagrams between good ones, and bad streams beside
// good ones: no good record changes, each bad one is counted with its reason.
func TestBadInput(t *testing.T) {
	l := serve(t, t.TempDir())
	db := l.sql()
	good := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))
	bad := badDatagrams(good[0].Payload)
	conn := l.dial("udp")
	write := func(c net.Conn, b []byte) {
		t.Helper()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	sent, next := 0, 0
	for i, b := range bad {
		write(conn, b)
		sent++
		if i%(len(bad)/len(good)) == 0 && next < len(good) {
			write(conn, good[next].Payload)
			next++
			sent++
		}
		if i%20 == 0 { // no faster than the kernel's buffer empties
			eventually(t, "the datagrams are received", func() (bool, string) {
				got := l.metrics().sum("heplake_received_total")
				return int(got) >= sent, sprintf("%.0f of %d", got, sent)
			})
		}
	}
	if next != len(good) {
		t.Fatalf("%d of %d good datagrams sent", next, len(good))
	}
	f := l.drained(sent)

	if n := count(t, db, "sip WHERE parse_error = ''"); n != len(good) {
		t.Errorf("%d good rows in sip, want %d", n, len(good))
	}
	want := map[string]int{}
	for _, tr := range captures.ReadTruth(t, captures.Path("kamailio-hep3-udp-sip-calls-a.truth.jsonl")) {
		want[tr.First("sip.Call-ID")]++
	}
	got := stored(t, db)
	for id, n := range want {
		if got[id] != n {
			t.Errorf("%s has %d messages, want %d", id, got[id], n)
		}
	}
	// Beyond a burst of 1,000 from one sender, garbage is counted and not stored.
	events := count(t, db, "events WHERE stage != '' AND error != ''")
	dropped := int(f.sum("heplake_dropped_total"))
	if events+dropped != len(bad) || dropped == 0 || events < 1000 {
		t.Errorf("%d bad datagrams: %d events with stage and reason, %d dropped", len(bad), events, dropped)
	}
	if n := count(t, db, "sip"); n != len(good) {
		t.Errorf("%d rows in sip, want %d", n, len(good))
	}
	reasons := map[string]bool{}
	for _, name := range []string{"heplake_dropped_total", "heplake_undecodable_total"} {
		for _, m := range f[name].GetMetric() {
			if label(m, "stage") == "" || label(m, "reason") == "" {
				t.Errorf("%s without stage or reason: %v", name, m)
			}
			reasons[label(m, "reason")] = true
		}
	}
	if len(reasons) < 3 {
		t.Errorf("reasons %v: truncated packets are not told from garbage", reasons)
	}
	badStreams(l, bad, good)
	l.stop()
}

// badStreams opens TCP connections with garbage beside one with good messages.
func badStreams(l *lake, bad [][]byte, good []captures.Packet) {
	l.t.Helper()
	before := count(l.t, l.sql(), "sip")
	fine := l.dial("tcp")
	for i, p := range good {
		if i < 50 {
			c := l.dial("tcp")
			// heplake may hang up before all is written.
			_, _ = c.Write(bad[i])
			_ = c.Close()
		}
		if _, err := fine.Write(p.Payload); err != nil {
			l.t.Fatal(err)
		}
	}
	eventually(l.t, "the good stream is stored", func() (bool, string) {
		f := l.metrics()
		f.balance(l.t)
		n := count(l.t, l.sql(), "sip") - before
		return n == len(good), sprintf("%d of %d", n, len(good))
	})
	if code, body := l.get("metrics", "/readyz"); code != 200 {
		l.t.Errorf("/readyz after all that: %d %s", code, body)
	}
}
