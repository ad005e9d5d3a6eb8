package ingest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/heplake/heplake/ingest/sip"
)

// offer is an INVITE with an SDP for the address.
func offer(t *testing.T, callID string, media netip.AddrPort, attributes string) *sip.Message {
	t.Helper()
	body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %d RTP/AVP 8 96 101\r\na=rtpmap:96 Opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n%s", media.Addr(), media.Port(), attributes)
	var s sip.Scanner
	m := new(sip.Message)
	s.Scan(m, fmt.Appendf(nil, "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", callID, len(body), body))
	if !m.SDP.Has {
		t.Fatalf("no SDP in the offer: %v", m.Errs)
	}
	return m
}

func TestMediaIndexFindsCalls(t *testing.T) {
	var x mediaIndex
	a, b := netip.MustParseAddrPort("10.0.0.1:20000"), netip.MustParseAddrPort("10.0.0.1:20002")
	x.learn(offer(t, "one@a", a, ""), []byte("both"))
	x.learn(offer(t, "two@a", b, "a=rtcp:20003\r\n"), []byte("two@a"))
	odd := netip.MustParseAddrPort("[2001:db8::1]:20001") // with RTCP beside it, as WebRTC has it
	six := offer(t, "six@a", netip.MustParseAddrPort("10.0.0.6:7"), "")
	six.SDP.Streams()[0].Addr, six.SDP.Streams()[0].Port, six.SDP.Streams()[0].RTCPPort = []byte(odd.Addr().String()), odd.Port(), odd.Port()
	x.learn(six, []byte("six@a"))
	port := func(p netip.AddrPort, n uint16) netip.AddrPort { return netip.AddrPortFrom(p.Addr(), n) }
	for _, c := range []struct {
		at                  netip.AddrPort
		callID, correlation string
	}{
		{a, "one@a", "both"}, {port(a, 20001), "one@a", "both"},
		{b, "two@a", "two@a"}, {port(b, 20003), "two@a", "two@a"},
		{odd, "six@a", "six@a"}, {port(odd, 20000), "", ""},
		{port(a, 20004), "", ""}, {port(a, 0), "", ""}, {netip.AddrPort{}, "", ""},
	} {
		got, found := x.find(c.at)
		if found != (c.callID != "") || string(got.callID) != c.callID || string(got.correlation) != c.correlation {
			t.Errorf("%s: call %q of %q (%t), want %q of %q", c.at, got.callID, got.correlation, found, c.callID, c.correlation)
		}
	}
	if got, _ := x.find(port(a, 3), b); string(got.callID) != "two@a" {
		t.Errorf("of two addresses the known one gives %q", got.callID)
	}
	call, _ := x.find(a)
	for payloadType, want := range map[uint8]string{8: "PCMA", 96: "Opus", 101: "telephone-event", 0: "", 97: ""} {
		if got := call.codec(payloadType); string(got) != want {
			t.Errorf("payload type %d is %q, want %q", payloadType, got, want)
		}
	}
	if hz := clock(call.codec(96)); hz != 48000 {
		t.Errorf("clock of Opus is %d Hz", hz)
	}

	// An address that another call takes over is that call's; its neighbour stays.
	taken := offer(t, "next@a", port(a, 20001), "a=rtcp:20009\r\n")
	x.learn(taken, []byte("next@a"))
	if got, _ := x.find(port(a, 20001)); string(got.callID) != "next@a" {
		t.Errorf("an address taken over is of %q", got.callID)
	}
	if got, _ := x.find(a); string(got.callID) != "one@a" {
		t.Errorf("the address beside one taken over is of %q", got.callID)
	}
}

func TestMediaIndexForgetsWhatNobodyNames(t *testing.T) {
	var x mediaIndex
	silent, asked, said := netip.MustParseAddrPort("10.0.0.1:20000"), netip.MustParseAddrPort("10.0.0.1:20002"), netip.MustParseAddrPort("10.0.0.1:20004")
	for _, at := range []netip.AddrPort{silent, asked, said} {
		x.learn(offer(t, at.String(), at, ""), []byte("c"))
	}
	known, _ := x.find(silent)
	other := offer(t, "other", netip.MustParseAddrPort("10.1.0.0:20000"), "")
	generation := func() {
		t.Helper()
		for i := range uint32(maxMediaPairs + 1) {
			addr := netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
			other.SDP.Streams()[0].Addr = addr.AppendTo(nil)
			before := x.young.used
			x.learn(other, []byte("other"))
			if x.young.used < before {
				return
			}
		}
		t.Fatal("no bound to a generation")
	}
	generation()
	if got, found := x.find(asked); !found || string(got.callID) != asked.String() {
		t.Errorf("what was said a generation ago is gone: %q", got.callID)
	}
	x.learn(offer(t, said.String(), said, ""), []byte("c"))
	generation()
	for at, want := range map[netip.AddrPort]bool{silent: false, asked: true, said: true} {
		if _, found := x.find(at); found != want {
			t.Errorf("%s after two generations: %t, want %t", at, found, want)
		}
	}
	if string(known.callID) != silent.String() {
		t.Errorf("what was found earlier now reads %q", known.callID)
	}
}

func TestMediaIndexKnowsWithoutMemory(t *testing.T) {
	var x mediaIndex
	at := netip.MustParseAddrPort("10.0.0.1:20000")
	m := offer(t, "one", at, "")
	correlation := []byte("one")
	x.learn(m, correlation)
	if n := testing.AllocsPerRun(100, func() {
		x.learn(m, correlation)
		if c, _ := x.find(at); clock(c.codec(96)) != 48000 {
			t.Fatal("another call")
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if used := x.young.used; used != 1 || len(x.young.calls) > 64 {
		t.Errorf("the same SDP again takes room: %d pairs, %d bytes", used, len(x.young.calls))
	}
}

// BenchmarkMediaIndex says a call's SDP twice, as two hops report it, among a
// hundred thousand calls.
func BenchmarkMediaIndex(b *testing.B) {
	var x mediaIndex
	var s sip.Scanner
	const calls = 100_000
	texts := make([][]byte, calls)
	for i := range texts {
		body := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.%d.%d.1\r\nt=0 0\r\nm=audio %d RTP/AVP 8 96\r\na=rtpmap:96 opus/48000/2\r\n", i>>8&255, i&255, 10000+i>>15)
		texts[i] = fmt.Appendf(nil, "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: %08x-5f5e-11f1@10.0.0.1\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", i*7919, len(body), body)
	}
	m := new(sip.Message)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		i := n * 7 % calls
		b.StopTimer()
		s.Scan(m, texts[i])
		b.StartTimer()
		x.learn(m, m.CallID)
		x.learn(m, m.CallID)
	}
}
