package agent

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
	"github.com/heplake/heplake/internal/pcap"
)

// onLoopback opens the loopback interface for payloads of the test's own ports.
func onLoopback(t *testing.T, o Options, ports ...uint16) (*Interface, *Extractor) {
	t.Helper()
	o.Filter = func(p *pcap.Payload) bool {
		return slices.Contains(ports, p.Src.Port()) || slices.Contains(ports, p.Dst.Port())
	}
	x := NewExtractor(o)
	i, err := OpenInterface("lo", x)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAFNOSUPPORT) {
		t.Skipf("capturing is not permitted here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return i, x
}

// server answers nothing and reads what comes.
func server(t *testing.T, network string) netip.AddrPort {
	t.Helper()
	if network == "udp" || network == "udp6" {
		addr := "127.0.0.1:0"
		if network == "udp6" {
			addr = "[::1]:0"
		}
		conn, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Skipf("no loopback address: %v", err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	c := newCollector(t, "127.0.0.1:0")
	return c.ln.Addr().(*net.TCPAddr).AddrPort()
}

func TestCaptureFromLoopback(t *testing.T) {
	var sip [][]byte
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap")) {
		sip = append(sip, p.Payload)
	}
	sip = append(sip, bytes.Replace(sip[0], []byte("\r\n\r\n"), []byte("\r\nX-Long: "+strings.Repeat("x", 40_000)+"\r\n\r\n"), 1)) // fragments where the MTU is smaller
	rtcp := rtcpOf(t)[0]
	rtp := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}, make([]byte, 160)...)

	// The collector is on loopback as well: what is sent to it must not be
	// captured again.
	hepIn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hepIn.Close() }()
	_ = hepIn.(*net.UDPConn).SetReadBuffer(4 << 20)
	collectorAddr := hepIn.LocalAddr().(*net.UDPAddr).AddrPort()
	s := sender(t, SenderConfig{Target: Target{Addr: collectorAddr.String(), Proto: "udp"}, Live: true})

	udp, udp6, tcpAddr := server(t, "udp"), server(t, "udp6"), server(t, "tcp")
	i, x := onLoopback(t, Options{Packet: s.Send, Node: "lo-agent", CaptureID: 9}, udp.Port(), udp6.Port(), tcpAddr.Port(), collectorAddr.Port())
	x.SetOwn([]netip.AddrPort{collectorAddr})
	i.Start()

	var mu sync.Mutex
	var got []hep.Packet
	go func() {
		var d hep.Decoder
		buf := make([]byte, 64<<10)
		for {
			n, _, err := hepIn.ReadFrom(buf)
			if err != nil {
				return
			}
			var p hep.Packet
			if d.Decode(&p, bytes.Clone(buf[:n])) == nil {
				mu.Lock()
				got = append(got, p)
				mu.Unlock()
			}
		}
	}()

	sent := time.Now()
	dial := func(network string, to netip.AddrPort) net.Conn {
		conn, err := net.Dial(network, to.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	write := func(conn net.Conn, b []byte) {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	datagrams, datagrams6, stream := dial("udp", udp), dial("udp", udp6), dial("tcp", tcpAddr)
	for _, b := range sip {
		write(datagrams, b)
	}
	write(datagrams, rtcp)
	write(datagrams, rtp) // the kernel drops it
	write(datagrams6, sip[0])
	all := slices.Concat(sip...)
	for at := 0; at < len(all); at += 1000 { // cut anywhere
		write(stream, all[at:min(at+1000, len(all))])
	}
	_ = stream.Close()

	want := 2*len(sip) + 2
	eventually(t, "all captured", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) >= want
	})
	time.Sleep(300 * time.Millisecond) // for what should not come
	if err := errors.Join(i.Close(), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	stats := i.Stats()
	mu.Lock()
	defer mu.Unlock()
	if len(got) != want || stats.SIP != uint64(want-1) || stats.RTCP != 1 || stats.RTP != 0 {
		t.Fatalf("%d packets, want %d; %s", len(got), want, stats)
	}
	if stats.Own == 0 {
		t.Errorf("nothing of our own was seen and passed over: %s", stats)
	}
	client := map[string]netip.AddrPort{}
	for _, c := range []net.Conn{datagrams, datagrams6, stream} {
		a, _ := netip.ParseAddrPort(c.LocalAddr().String())
		client[c.RemoteAddr().String()] = a
	}
	bodies := map[string][][]byte{}
	for _, p := range got {
		dst := netip.AddrPortFrom(p.Dst, p.DstPort)
		bodies[dst.String()] = append(bodies[dst.String()], p.Payload)
		if src := netip.AddrPortFrom(p.Src, p.SrcPort); src != client[dst.String()] {
			t.Errorf("from %v to %v, want from %v", src, dst, client[dst.String()])
		}
		if at := time.UnixMicro(p.Time); at.Before(sent.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("captured at %v, sent at %v", at, sent)
		}
		if string(p.NodeName) != "lo-agent" || p.CaptureID != 9 {
			t.Errorf("agent %q, id %d", p.NodeName, p.CaptureID)
		}
	}
	for name, c := range map[string]struct {
		to   netip.AddrPort
		want [][]byte
	}{
		"udp": {udp, append(slices.Clone(sip), rtcp)}, "udp6": {udp6, sip[:1]}, "tcp": {tcpAddr, sip},
	} {
		if !slices.EqualFunc(bodies[c.to.String()], c.want, bytes.Equal) {
			t.Errorf("%s: %d messages, want %d, or they differ", name, len(bodies[c.to.String()]), len(c.want))
		}
	}
}

func TestInterfaceThatIsNotThere(t *testing.T) {
	_, err := OpenInterface("no-such0", NewExtractor(Options{}))
	if err == nil || !strings.Contains(err.Error(), "interface no-such0") || !strings.Contains(err.Error(), "lo") {
		t.Errorf("error %v", err)
	}
}

func TestErrorOfTheSinkEndsTheCapture(t *testing.T) {
	stop := errors.New("stop")
	udp := server(t, "udp")
	i, _ := onLoopback(t, Options{Packet: func(*hep.Packet) error { return stop }}, udp.Port())
	i.Start()
	conn, err := net.Dial("udp", udp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	invite, _ := messages(t)
	if _, err := conn.Write(invite); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was captured", func() bool { return i.Stats().SIP > 0 })
	if err := i.Close(); !errors.Is(err, stop) {
		t.Errorf("closing: %v", err)
	}
}
