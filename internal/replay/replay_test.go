package replay

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent"
	"github.com/heplake/heplake/internal/captures"
)

// collector receives HEP by UDP, TCP or TLS.
type collector struct {
	addr string
	mu   sync.Mutex
	got  [][]byte
}

func (c *collector) add(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, bytes.Clone(b))
}

func (c *collector) wait(t *testing.T, n int) [][]byte {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		c.mu.Lock()
		got := c.got
		c.mu.Unlock()
		if len(got) >= n {
			return got
		}
	}
	t.Fatalf("%d packets arrived, want %d", len(c.got), n)
	return nil
}

func listen(t *testing.T, proto string) *collector {
	t.Helper()
	c := &collector{}
	if proto == "udp" {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.UDPConn).SetReadBuffer(8 << 20)
		t.Cleanup(func() { _ = conn.Close() })
		c.addr = conn.LocalAddr().String()
		go func() {
			buf := make([]byte, 64<<10)
			for {
				n, _, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				c.add(buf[:n])
			}
		}()
		return c
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if proto == "tls" {
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{certificate(t)}})
	}
	t.Cleanup(func() { _ = ln.Close() })
	c.addr = ln.Addr().String()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go c.frames(conn)
		}
	}()
	return c
}

func (c *collector) frames(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	b, _ := io.ReadAll(conn)
	for len(b) > 0 {
		n, err := hep.FrameLength(b)
		if err != nil || n == 0 || n > len(b) {
			n = len(b)
		}
		c.add(b[:n])
		b = b[n:]
	}
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func to(c *collector, proto string) Options {
	return Options{Target: agent.Target{Addr: c.addr, Proto: proto, Insecure: true}, Node: "replay", CaptureID: 44}
}

func files(t *testing.T, o Options, paths ...string) Result {
	t.Helper()
	res, err := Files(t.Context(), paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// hepOf is the HEP in a UDP capture, as the senders sent it.
func hepOf(t *testing.T, name string) (out [][]byte) {
	t.Helper()
	for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
		out = append(out, p.Payload)
	}
	return out
}

func TestHEPGoesAsItIs(t *testing.T) {
	for _, proto := range []string{"udp", "tcp", "tls"} {
		for _, name := range []string{"kamailio-hep3-udp-sip-calls-a", "rtpengine-kamailio-hep3-udp-call-with-rtcp-a", "heplify-hep3-udp-nested-hep-a"} {
			c := listen(t, proto)
			want := hepOf(t, name)
			res := files(t, to(c, proto), captures.Path(name+".pcap"))
			got := c.wait(t, len(want))
			if res.HEP != len(want) || res.Wrapped+res.Unsendable != 0 || res.Sent() != len(want) {
				t.Errorf("%s %s: %+v, want %d", proto, name, res, len(want))
			}
			var size int64
			for i := range want {
				if !bytes.Equal(got[i], want[i]) {
					t.Fatalf("%s %s: packet %d differs", proto, name, i)
				}
				size += int64(len(want[i]))
			}
			if res.Bytes != size {
				t.Errorf("%d bytes, want %d", res.Bytes, size)
			}
		}
	}
}

func TestHEPOverTCPIsTakenOutOfItsStream(t *testing.T) {
	c := listen(t, "udp")
	res := files(t, to(c, "udp"), captures.Path("kamailio-hep3-tcp-a.pcap"))
	got := c.wait(t, 138)
	if res.HEP != 138 || len(got) != 138 {
		t.Errorf("%+v, %d arrived", res, len(got))
	}
}

// Versions 1 and 2 have no length: over a stream nobody could find their ends.
func TestOldVersionsNeedDatagrams(t *testing.T) {
	for _, name := range []string{"kamailio-hep1-udp-a", "kamailio-hep2-udp-a"} {
		want := hepOf(t, name)
		c := listen(t, "udp")
		if res := files(t, to(c, "udp"), captures.Path(name+".pcap")); res.HEP != len(want) {
			t.Errorf("%s by udp: %+v", name, res)
		}
		c.wait(t, len(want))
		c = listen(t, "tcp")
		if res := files(t, to(c, "tcp"), captures.Path(name+".pcap")); res.Unsendable != len(want) || res.Sent() != 0 {
			t.Errorf("%s by tcp: %+v", name, res)
		}
	}
}

// Plain SIP and RTCP, wrapped, says what the HEP said that a Kamailio sent of
// the same packets.
func TestWrappedSIPEqualsTheHEPOfItsServer(t *testing.T) {
	const name = "kamailio-hep3-udp-sip-calls-a"
	type key struct {
		src, dst string
		payload  string
	}
	keys := func(messages [][]byte) map[key]int {
		var d hep.Decoder
		var p hep.Packet
		out := map[key]int{}
		for _, b := range messages {
			if err := d.Decode(&p, b); err != nil {
				t.Fatal(err)
			}
			out[key{p.Src.String() + ":" + strconv.Itoa(int(p.SrcPort)), p.Dst.String() + ":" + strconv.Itoa(int(p.DstPort)), string(p.Payload)}]++
		}
		return out
	}
	c := listen(t, "udp")
	res := files(t, to(c, "udp"), captures.Path(name+".sip.pcap"))
	wrapped := c.wait(t, res.Sent())
	if res.Wrapped != 126 || res.HEP != 0 || res.Skipped != 0 {
		t.Errorf("%+v", res)
	}
	got, want := keys(wrapped), keys(hepOf(t, name))
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%d of %s → %s %.40q, want %d", got[k], k.src, k.dst, k.payload, n)
		}
	}
	times := map[int64]bool{}
	for _, p := range captures.Read(t, captures.Path(name+".sip.pcap")) {
		times[p.Time.UnixMicro()] = true
	}
	var d hep.Decoder
	var p hep.Packet
	for _, b := range wrapped {
		if err := d.Decode(&p, b); err != nil {
			t.Fatal(err)
		}
		if !times[p.Time] || p.CaptureID != 44 || string(p.NodeName) != "replay" || p.Type != hep.TypeSIP || p.Protocol != hep.ProtocolUDP {
			t.Fatalf("%+v", p)
		}
	}
}

func TestRTCPIsWrappedAsItIs(t *testing.T) {
	c := listen(t, "udp")
	files(t, to(c, "udp"), captures.Path("rtpengine-kamailio-hep3-udp-call-with-rtcp-a.sip-rtcp.pcap"))
	var want [][]byte
	for _, p := range captures.Read(t, captures.Path("rtpengine-kamailio-hep3-udp-call-with-rtcp-a.sip-rtcp.pcap")) {
		if agent.IsRTCP(p.Payload) {
			want = append(want, p.Payload)
		}
	}
	var d hep.Decoder
	var p hep.Packet
	for _, b := range c.wait(t, 29+29+len(want)) {
		if err := d.Decode(&p, b); err != nil {
			t.Fatal(err)
		}
		if p.Type == hep.TypeRTCP && len(want) > 0 && bytes.Equal(p.Payload, want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("%d RTCP packets did not arrive in order", len(want))
	}
}

func times(t *testing.T, messages [][]byte) (out []int64) {
	t.Helper()
	var d hep.Decoder
	var p hep.Packet
	for _, b := range messages {
		if err := d.Decode(&p, b); err != nil {
			t.Fatal(err)
		}
		out = append(out, p.Time)
	}
	return out
}

func TestNowKeepsDistances(t *testing.T) {
	for _, name := range []string{"kamailio-hep3-udp-sip-calls-a", "kamailio-hep2-udp-a", "kamailio-hep3-udp-sip-calls-a.sip"} {
		was := listen(t, "udp")
		res := files(t, to(was, "udp"), captures.Path(name+".pcap"))
		old := times(t, was.wait(t, res.Sent()))
		is := listen(t, "udp")
		o := to(is, "udp")
		o.Now = true
		before := time.Now().UnixMicro()
		files(t, o, captures.Path(name+".pcap"))
		after := time.Now().UnixMicro()
		now := times(t, is.wait(t, res.Sent()))
		var latest int64
		for i := range old {
			if d := now[i] - old[i]; d != now[0]-old[0] {
				t.Fatalf("%s: packet %d moved by %d µs, the first by %d", name, i, d, now[0]-old[0])
			}
			latest = max(latest, now[i])
		}
		if latest < before || latest > after {
			t.Errorf("%s: the last packet is of %d, want %d to %d", name, latest, before, after)
		}
	}
}

// One packet a time slot, not faster; slower is the machine's business.
func TestRate(t *testing.T) {
	c := listen(t, "udp")
	o := to(c, "udp")
	o.Rate = 1000
	began := time.Now()
	res := files(t, o, captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))
	if took, least := time.Since(began), time.Duration(res.Sent()-1)*time.Millisecond; took < least {
		t.Errorf("%d packets in %s, at a rate of 1000 a second", res.Sent(), took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Rate = 0.001
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Files(ctx, []string{captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")}, o); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestDamagedFileIsSentUpToTheDamage(t *testing.T) {
	whole, err := os.ReadFile(captures.Path("kamailio-hep3-udp-sip-calls-a.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(path, whole[:len(whole)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, now := range []bool{false, true} {
		c := listen(t, "udp")
		o := to(c, "udp")
		o.Now = now
		res, err := Files(t.Context(), []string{path}, o)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "cut.pcap: read capture:") || res.Sent() != 125 {
			t.Errorf("now %v: %d sent, error %v", now, res.Sent(), err)
		}
	}
}

func TestErrors(t *testing.T) {
	c := listen(t, "tls")
	strict := to(c, "tls")
	strict.Insecure = false
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	gone := Options{Target: agent.Target{Addr: ln.Addr().String(), Proto: "tcp"}}
	udp := to(listen(t, "udp"), "udp")
	real := captures.Path("kamailio-hep3-udp-sip-calls-a.pcap")
	for _, tc := range []struct {
		name, path string
		o          Options
		want       string
	}{
		{"certificate", real, strict, "certificate"},
		{"refused", real, gone, "connect to " + gone.Addr},
		{"transport", real, Options{Target: agent.Target{Addr: "a:1", Proto: "sctp"}}, "proto takes udp, tcp or tls"},
		{"no file", "no-such-file", udp, "no-such-file"},
		{"no capture", captures.Path("kamailio-hep3-udp-sip-calls-a.truth.jsonl"), udp, "neither pcap nor pcapng"},
	} {
		if _, err := Files(t.Context(), []string{tc.path}, tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
