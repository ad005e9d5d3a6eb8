package listen

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/gzip"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
)

// collector is a sink that keeps copies.
type collector struct {
	mu   sync.Mutex
	got  []Packet
	gate chan struct{} // when set, Packets waits for it to close
}

func (c *collector) Packets(_ time.Time, packets []Packet) {
	if c.gate != nil {
		<-c.gate
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range packets {
		p.Data = bytes.Clone(p.Data)
		c.got = append(c.got, p)
	}
}

func (c *collector) wait(t *testing.T, n int) []Packet {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.mu.Lock()
		got := c.got
		c.mu.Unlock()
		if len(got) >= n {
			return got
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Fatalf("%d packets, want %d", len(c.got), n)
	return nil
}

func real(t *testing.T) [][]byte {
	t.Helper()
	var out [][]byte
	for _, p := range captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")) {
		out = append(out, p.Payload)
	}
	return out
}

func sameAs(t *testing.T, got []Packet, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Fault != "" || !bytes.Equal(got[i].Data, want[i]) {
			t.Fatalf("packet %d: fault %q, %d bytes, want %d", i, got[i].Fault, len(got[i].Data), len(want[i]))
		}
	}
}

func startStream(t *testing.T, cfg StreamConfig, sink Sink) *Stream {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 10
	}
	s, err := ListenStream(t.Context(), cfg, []Sink{sink})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func startHTTP(t *testing.T, cfg StreamConfig, maxBody int64, sink Sink) *HTTP {
	t.Helper()
	cfg.Addr, cfg.MaxConns = "127.0.0.1:0", 10
	h, err := ListenHTTP(t.Context(), HTTPConfig{StreamConfig: cfg, MaxBody: maxBody}, []Sink{sink})
	if err != nil {
		t.Fatal(err)
	}
	h.Start()
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func dial(t *testing.T, addr netip.AddrPort) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestUDPOverBothFamiliesKeepsSenderAndBytes(t *testing.T) {
	var c collector
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: ":0", Buffer: 1 << 20}, []Sink{&c, &c, &c})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	sizes := []int{0, 1, 1400, 65507}
	var froms []string
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(host), u.Addr().Port()).String())
		if err != nil {
			t.Fatal(err)
		}
		froms = append(froms, conn.LocalAddr().String())
		for _, n := range sizes {
			if _, err := conn.Write(bytes.Repeat([]byte{byte(n)}, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := c.wait(t, 2*len(sizes))
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, p := range got {
		if !bytes.Equal(p.Data, bytes.Repeat([]byte{byte(len(p.Data))}, len(p.Data))) {
			t.Errorf("%d bytes from %s arrived changed", len(p.Data), p.From)
		}
		seen[fmt.Sprintf("%s %d", p.From, len(p.Data))]++
	}
	for _, from := range froms {
		for _, n := range sizes {
			if seen[fmt.Sprintf("%s %d", from, n)] != 1 {
				t.Errorf("a datagram of %d bytes from %s came %d times; all: %v", n, from, seen[fmt.Sprintf("%s %d", from, n)], seen)
			}
		}
	}
}

// TestKernelDropsAreCounted blocks the reader until the socket's buffer is full.
func TestKernelDropsAreCounted(t *testing.T) {
	c := collector{gate: make(chan struct{})}
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 64 << 10}, []Sink{&c})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	conn, err := net.Dial("udp", u.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const n = 2000
	for range n {
		if _, err := conn.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	close(c.gate)
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	big := 0
	for _, p := range c.got {
		if len(p.Data) == 1000 {
			big++
		}
	}
	if drops := int(u.Stats()[0].KernelDrops); drops == 0 || big+drops != n {
		t.Errorf("received %d, the kernel dropped %d; want %d in all and some of them dropped", big, drops, n)
	}
}

// TestFill: what nobody has read yet fills the buffer.
func TestFill(t *testing.T) {
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 1 << 20}, []Sink{&collector{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = u.Close() }()
	if fill := u.Fill(); fill != 0 {
		t.Errorf("an empty buffer is %v full", fill)
	}
	conn, err := net.Dial("udp", u.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	last := 0.0
	for range 3 {
		for range 50 {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		fill := u.Fill()
		if runtime.GOOS == "linux" && fill <= last || fill > 1 {
			t.Errorf("with more in it than before the buffer is %v full, after %v", fill, last)
		}
		last = fill
	}
	u.Start()
	for end := time.Now().Add(10 * time.Second); u.Fill() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("all has been read, and the buffer is %v full", u.Fill())
		}
	}
}

// TestCloseReadsWhatTheKernelHolds: datagrams that arrived before the end was
// asked for are delivered, though the reader was busy.
func TestCloseReadsWhatTheKernelHolds(t *testing.T) {
	c := collector{gate: make(chan struct{})}
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 4 << 20}, []Sink{&c})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	conn, err := net.Dial("udp", u.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const n = 500
	for range n {
		if _, err := conn.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error)
	go func() { done <- u.Close() }()
	time.Sleep(20 * time.Millisecond) // the end is asked for while the sink is busy
	close(c.gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(c.got) != n {
		t.Errorf("%d of %d datagrams delivered", len(c.got), n)
	}
	again, err := ListenUDP(t.Context(), UDPConfig{Addr: u.Addr().String()}, []Sink{&c})
	if err != nil {
		t.Fatalf("the port is not free after Close: %v", err)
	}
	again.Start()
	if err := again.Close(); err != nil { // while its reader waits
		t.Fatal(err)
	}
}

func TestUDPReceiveDoesNotAllocatePerPacket(t *testing.T) {
	var n int
	done := make(chan struct{}, 1)
	sink := sinkFunc(func(p []Packet) {
		if n += len(p); n >= 500 {
			n = 0
			done <- struct{}{}
		}
	})
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 4 << 20}, []Sink{sink})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	defer func() { _ = u.Close() }()
	conn, err := net.Dial("udp", u.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	msg := make([]byte, 700)
	allocs := testing.AllocsPerRun(10, func() {
		for range 500 {
			_, _ = conn.Write(msg)
		}
		<-done
	})
	// The runtime's own timers and pollers may allocate a little; 500 packets must not.
	if allocs > 20 {
		t.Errorf("%v allocations for 500 datagrams", allocs)
	}
}

type sinkFunc func([]Packet)

func (f sinkFunc) Packets(_ time.Time, p []Packet) { f(p) }

func TestStreamResynchronisesAfterGarbageAndNamesTheFaults(t *testing.T) {
	var c collector
	s := startStream(t, StreamConfig{}, &c)
	msgs := real(t)[:3]
	conn := dial(t, s.Addr())
	var stream []byte
	stream = append(stream, "GET / HTTP/1.1\r\n\r\n"...)
	stream = append(stream, msgs[0]...)
	stream = append(stream, "HEP3\x00\x01"...) // a length that cannot be
	stream = append(stream, msgs[1]...)
	stream = append(stream, msgs[2][:100]...) // cut by the end
	if _, err := conn.Write(stream); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	got := c.wait(t, 5)
	var kinds []string
	var whole [][]byte
	for _, p := range got {
		kinds = append(kinds, p.Fault)
		if p.Fault == "" {
			whole = append(whole, p.Data)
		}
	}
	if k := strings.Join(kinds, ","); k != "bad_frame,,bad_frame,,truncated" {
		t.Errorf("faults %q", k)
	}
	if len(whole) != 2 || !bytes.Equal(whole[0], msgs[0]) || !bytes.Equal(whole[1], msgs[1]) {
		t.Errorf("%d whole messages, want the two sent", len(whole))
	}
}

func TestAConnectionThatSpeaksNoHEPIsEnded(t *testing.T) {
	var c collector
	s := startStream(t, StreamConfig{}, &c)
	conn := dial(t, s.Addr())
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	junk := bytes.Repeat([]byte("x"), 64<<10)
	for {
		if _, err := conn.Write(junk); err != nil {
			if os.IsTimeout(err) {
				t.Fatal("still open after megabytes of garbage")
			}
			return
		}
	}
}

func TestConnectionLimitAndIdleTimeout(t *testing.T) {
	var c collector
	s := startStream(t, StreamConfig{MaxConns: 2, IdleTimeout: 150 * time.Millisecond}, &c)
	a, b := dial(t, s.Addr()), dial(t, s.Addr())
	for deadline := time.Now().Add(5 * time.Second); s.Stats().Open < 2 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	third := dial(t, s.Addr())
	closed := func(conn net.Conn) bool {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := conn.Read(make([]byte, 1))
		return err != nil && !os.IsTimeout(err)
	}
	if !closed(third) {
		t.Error("the third connection of two allowed is open")
	}
	if st := s.Stats(); st.Refused != 1 || st.Accepted != 2 {
		t.Errorf("%+v, want two accepted and one refused", st)
	}
	if !closed(a) || !closed(b) {
		t.Error("an idle connection is open after its time-out")
	}
}

func TestASlowSinkHoldsBackOnlyItsOwnSender(t *testing.T) {
	slow, quick := &collector{gate: make(chan struct{})}, &collector{}
	s, err := ListenStream(t.Context(), StreamConfig{Addr: "127.0.0.1:0", MaxConns: 10}, []Sink{quick, slow})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	msgs := real(t)
	first := dial(t, s.Addr()) // the first connection has the second sink
	if _, err := first.Write(msgs[0]); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); s.Stats().Open < 1 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	second := dial(t, s.Addr())
	for _, m := range msgs {
		if _, err := second.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	sameAs(t, quick.wait(t, len(msgs)), msgs)
	close(slow.gate)
	slow.wait(t, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPTakesOneOrManyGzippedOrJSON(t *testing.T) {
	msgs := real(t)
	hep2 := captures.Read(t, captures.Path("kamailio-hep2-udp-a.pcap"))[0].Payload
	zipped := func(b []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(b)
		_ = z.Close()
		return out.Bytes()
	}
	all := bytes.Join(msgs, nil)
	for _, tc := range []struct {
		name, encoding string
		body           []byte
		status         int
		want           [][]byte
		faults         int
	}{
		{"one", "", msgs[0], 200, msgs[:1], 0},
		{"many", "", all, 200, msgs, 0},
		{"gzip", "gzip", zipped(all), 200, msgs, 0},
		{"version 2", "", hep2, 200, [][]byte{hep2}, 0},
		{"many and a cut one", "", all[:len(all)-1], 200, msgs[:len(msgs)-1], 1},
		{"not gzip", "gzip", all, 400, nil, 0},
		{"too large", "", make([]byte, 1<<20+1), 413, nil, 1},
		{"a gzip bomb", "gzip", zipped(make([]byte, 64<<20)), 413, nil, 1},
		{"broken JSON", "", []byte(`{"rcinfo":`), 400, nil, 1},
		{"other JSON", "", []byte(`{"a":1}`), 400, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c collector
			h := startHTTP(t, StreamConfig{}, 1<<20, &c)
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+h.Addr().String()+"/any/path", bytes.NewReader(tc.body))
			req.Header.Set("Content-Encoding", tc.encoding)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tc.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tc.status)
			}
			var good []Packet
			faults := 0
			for _, p := range c.got {
				if p.Fault != "" {
					faults++
				} else {
					good = append(good, p)
				}
			}
			if faults != tc.faults {
				t.Errorf("%d faults, want %d", faults, tc.faults)
			}
			sameAs(t, good, tc.want)
		})
	}
}

func TestJSONFormBecomesTheSamePacket(t *testing.T) {
	var c collector
	h := startHTTP(t, StreamConfig{}, 1<<20, &c)
	body := `{"rcinfo":{"protocolFamily":2,"protocol":6,"srcIp":"172.26.26.72","dstIp":"172.26.21.185","srcPort":64831,"dstPort":8060,
		"timeSeconds":1592975786,"timeUseconds":669278,"payloadType":1,"captureId":2001,"hepNodeName":"2001","conversationId":"456852465","organizationId":"3bac"},
		"payload":"INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n"}
		{"rcinfo":{"srcIp":"::1","dstIp":"::2","payloadType":"5","correlation_id":"c"},"payload":{"ssrc":1}}`
	resp, err := http.Post("http://"+h.Addr().String()+"/", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	got := c.wait(t, 2)
	var d hep.Decoder
	var p hep.Packet
	if err := d.Decode(&p, got[0].Data); err != nil {
		t.Fatal(err)
	}
	if p.Src.String() != "172.26.26.72" || p.DstPort != 8060 || p.Protocol != 6 || p.Time != 1592975786669278 || p.CaptureID != 2001 || string(p.NodeName) != "2001" ||
		string(p.CorrelationID) != "456852465" || p.Type != 1 || string(p.Payload) != "INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n" || !strings.Contains(string(p.TagValues), `"organizationId":"3bac"`) {
		t.Errorf("%+v", p)
	}
	if err := d.Decode(&p, got[1].Data); err != nil {
		t.Fatal(err)
	}
	if p.Src.String() != "::1" || p.Type != 5 || string(p.CorrelationID) != "c" || string(p.Payload) != `{"ssrc":1}` {
		t.Errorf("%+v", p)
	}
}

func TestWebSocketTakesAPacketAMessage(t *testing.T) {
	var c collector
	h := startHTTP(t, StreamConfig{}, 1<<20, &c)
	conn, _, err := websocket.Dial(t.Context(), "ws://"+h.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	msgs := real(t)
	for _, m := range msgs {
		if err := conn.Write(t.Context(), websocket.MessageBinary, m); err != nil {
			t.Fatal(err)
		}
	}
	sameAs(t, c.wait(t, len(msgs)), msgs)
	// One that is larger than any HEP packet ends this connection and no other.
	_ = conn.Write(t.Context(), websocket.MessageBinary, make([]byte, MaxDatagram+1))
	if got := c.wait(t, len(msgs)+1); got[len(msgs)].Fault != "too_large" {
		t.Errorf("fault %q, want too_large", got[len(msgs)].Fault)
	}
	// A handshake that fails leaves the listener in place.
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+h.Addr().String()+"/", nil)
	req.Header.Set("Upgrade", "websocket")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	again, _, err := websocket.Dial(t.Context(), "ws://"+h.Addr().String()+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Write(t.Context(), websocket.MessageBinary, msgs[0]); err != nil {
		t.Fatal(err)
	}
	c.wait(t, len(msgs)+2)
}

// TestCompressedWebSocket: agents that ask for permessage-deflate get it, what
// they inflate to is bounded, and what does not inflate is said.
func TestCompressedWebSocket(t *testing.T) {
	msgs := real(t)
	for name, mode := range map[string]websocket.CompressionMode{"takeover": websocket.CompressionContextTakeover, "no takeover": websocket.CompressionNoContextTakeover} {
		t.Run(name, func(t *testing.T) {
			var c collector
			h := startHTTP(t, StreamConfig{}, 1<<20, &c)
			var sent atomic.Int64
			dial := func() (*websocket.Conn, net.Conn) {
				t.Helper()
				var raw net.Conn
				conn, resp, err := websocket.Dial(t.Context(), "ws://"+h.Addr().String()+"/", &websocket.DialOptions{
					CompressionMode: mode, CompressionThreshold: 1,
					HTTPClient: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
						c, err := new(net.Dialer).DialContext(ctx, network, addr)
						raw = c
						return countingConn{c, &sent}, err
					}}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if got := resp.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") {
					t.Fatalf("the listener answers %q", got)
				}
				sent.Store(0)
				return conn, raw
			}
			conn, _ := dial()
			size := 0
			for _, m := range msgs {
				size += len(m)
				if err := conn.Write(t.Context(), websocket.MessageBinary, m); err != nil {
					t.Fatal(err)
				}
			}
			sameAs(t, c.wait(t, len(msgs)), msgs)
			if n := int(sent.Load()); n >= size {
				t.Errorf("%d bytes became %d", size, n)
			}
			_ = conn.Write(t.Context(), websocket.MessageBinary, make([]byte, 100*MaxDatagram))
			if got := c.wait(t, len(msgs)+1); got[len(msgs)].Fault != "too_large" {
				t.Errorf("fault %q, want too_large", got[len(msgs)].Fault)
			}
			_, raw := dial()
			if _, err := raw.Write([]byte{0xc2, 0x85, 0, 0, 0, 0, 'x', 'x', 'x', 'x', 'x'}); err != nil {
				t.Fatal(err)
			}
			if got := c.wait(t, len(msgs)+2); got[len(msgs)+1].Fault != "bad_frame" {
				t.Errorf("fault %q, want bad_frame", got[len(msgs)+1].Fault)
			}
		})
	}
}

// countingConn counts what is written.
type countingConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.sent.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// certificate writes a self-signed pair and returns its serial number.
func certificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "heplake"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kd, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kd}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLSReloadsItsCertificateAndAsksForTheSenders(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1)
	conf, err := NewTLS(TLSConfig{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var c collector
	s := startStream(t, StreamConfig{TLS: conf}, &c)
	serial := func(client *tls.Config) (int64, error) {
		conn, err := tls.Dial("tcp", s.Addr().String(), client)
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write(real(t)[0]); err != nil {
			return 0, err
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	trusting := &tls.Config{InsecureSkipVerify: true}
	if n, err := serial(trusting); n != 1 || err != nil {
		t.Fatalf("serial %d, %v", n, err)
	}
	c.wait(t, 1)
	certificate(t, dir, 2)
	for deadline := time.Now().Add(3 * reloadCheck); ; time.Sleep(200 * time.Millisecond) {
		if n, err := serial(trusting); err != nil {
			t.Fatal(err)
		} else if n == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not in use")
		}
	}
	if _, err := serial(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted, the minimum is 1.2")
	}

	// Client certificates.
	both, err := NewTLS(TLSConfig{Cert: cert, Key: key, ClientCA: cert})
	if err != nil {
		t.Fatal(err)
	}
	var guarded collector
	s = startStream(t, StreamConfig{TLS: both}, &guarded)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := serial(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}); err != nil {
		t.Errorf("a sender with a certificate is refused: %v", err)
	}
	guarded.wait(t, 1)
	if conn, err := tls.Dial("tcp", s.Addr().String(), trusting); err == nil {
		// With TLS 1.3 the refusal comes with the first read.
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Error("a sender without a certificate is served")
		}
	}
	if _, err := NewTLS(TLSConfig{Cert: cert, Key: filepath.Join(dir, "none.pem")}); err == nil {
		t.Error("a missing key was accepted")
	}
}

func TestSCTPWhereTheKernelHasIt(t *testing.T) {
	var c collector
	s, err := ListenStream(context.Background(), StreamConfig{Addr: "127.0.0.1:0", SCTP: true, MaxConns: 1}, []Sink{&c})
	if err != nil {
		if strings.Contains(err.Error(), "no SCTP") {
			t.Skipf("not run: %v", err)
		}
		t.Fatal(err)
	}
	s.Start()
	defer func() { _ = s.Close() }()
	t.Logf("listening on sctp %s", s.Addr())
}
