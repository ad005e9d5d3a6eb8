package ingest_test

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/ingest"
	"github.com/heplake/heplake/ingest/insert"
	"github.com/heplake/heplake/ingest/spool"
	"github.com/heplake/heplake/internal/captures"
)

// rawPermitted skips the test where raw sockets are not.
func rawPermitted(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("ip4:4", "127.0.0.1")
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("raw sockets are not permitted here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// The signalling of a mirror becomes the same rows as that of HEP, and the
// books say where it came from.
func TestIPIPMirrorBecomesRows(t *testing.T) {
	conn := rawPermitted(t)
	l := open(t, func(c *ingest.Config) { c.IPIP = "127.0.0.1" })
	sent := captures.Read(t, captures.Path("kamailio-hep3-udp-sip-calls-a.sip.pcap"))
	for i, p := range sent {
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IP{192, 0, 2, 1}, DstIP: net.IP{192, 0, 2, 2}}
		udp := &layers.UDP{SrcPort: layers.UDPPort(p.Src.Port()), DstPort: layers.UDPPort(p.Dst.Port())}
		_ = udp.SetNetworkLayerForChecksum(ip)
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, udp, gopacket.Payload(p.Payload)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(buf.Bytes()); err != nil {
			t.Fatal(err)
		}
		if i%16 == 15 {
			l.waitReceived(t, i+1) // the raw socket's buffer is small where rmem_max is
		}
	}
	l.waitReceived(t, len(sent))
	registry := prometheus.NewRegistry()
	registry.MustRegister(l.Pipeline)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0.0
	for _, f := range families {
		if f.GetName() != "heplake_captured_frames_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if s := m.String(); strings.Contains(s, `"ipip"`) && strings.Contains(s, `"sip"`) {
				found = m.GetCounter().GetValue()
			}
		}
	}
	if found != float64(len(sent)) {
		t.Errorf("the metric says %v messages, want %d", found, len(sent))
	}
	books := l.stop(t)
	if books.Received["ipip"] != uint64(len(sent)) {
		t.Errorf("received %v", books.Received)
	}
	if n := l.count(t, "sip WHERE src_ip = toIPv6('192.0.2.1') AND dst_ip = toIPv6('192.0.2.2') AND transport = 'udp' AND node != ''"); n != len(sent) {
		t.Errorf("%d rows, want %d", n, len(sent))
	}
}

func TestInterfaceBecomesRows(t *testing.T) {
	rawPermitted(t)
	l := open(t, func(c *ingest.Config) { c.Interface = "lo" })
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const message = "OPTIONS sip:lo SIP/2.0\r\nCall-ID: of-the-interface-test\r\nCSeq: 1 OPTIONS\r\n\r\n"
	if _, err := conn.WriteTo([]byte(message), conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); l.Books().Received["interface"] == 0 && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
	}
	l.stop(t)
	// Its insert into ClickHouse went over loopback too, and is no SIP.
	if n := l.count(t, "sip WHERE call_id = 'of-the-interface-test'"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestTapErrorsNameTheSetting(t *testing.T) {
	for setting, change := range map[string]func(*ingest.Config){
		"hep.ipip":      func(c *ingest.Config) { c.IPIP = "somewhere" },
		"hep.interface": func(c *ingest.Config) { c.Interface = "no-such0" },
	} {
		log := slog.New(slog.DiscardHandler)
		sp, err := spool.Open(t.TempDir(), spool.Options{MaxBytes: 1 << 30, MemoryBytes: 1 << 20, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		cfg := ingest.Config{Workers: 1, BatchRows: 10, BatchAge: time.Second, BatchBytes: 1 << 20, Inserters: 1}
		change(&cfg)
		p := ingest.New(cfg, sp, insert.New(nil, "x", time.Second), log)
		if err := p.Start(t.Context()); err == nil || !strings.HasPrefix(err.Error(), setting+": ") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
