package gen

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

func TestSendUDP(t *testing.T) {
	for _, conns := range []int{1, 3} {
		server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if err := server.SetReadBuffer(4 << 20); err != nil {
			t.Fatal(err)
		}
		const packets = 700 // less than any receive buffer has room for
		g, err := New(Config{Seed: 1, Packets: packets, Rate: 1000, Agents: 4})
		if err != nil {
			t.Fatal(err)
		}
		sent, err := Send(context.Background(), g, SendConfig{To: server.LocalAddr().String(), Proto: "udp", Conns: conns})
		if err != nil {
			t.Fatal(err)
		}
		if sent.Counts.Packets != packets {
			t.Errorf("%d packets sent", sent.Counts.Packets)
		}
		var d hep.Decoder
		var p hep.Packet
		senders := map[int]bool{}
		buf := make([]byte, 64<<10)
		for i := range packets {
			if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			n, from, err := server.ReadFromUDP(buf)
			if err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
			senders[from.Port] = true
			if err := d.Decode(&p, buf[:n]); err != nil || p.Quirks != 0 {
				t.Fatalf("packet %d: %v %s", i, err, p.Quirks)
			}
		}
		if len(senders) != conns {
			t.Errorf("%d sockets, want %d", len(senders), conns)
		}
		_ = server.Close()
	}
}

func TestSendTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	got := make(chan int)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- -1
			return
		}
		b, _ := io.ReadAll(c)
		n := 0
		for len(b) > 0 {
			length, err := hep.FrameLength(b)
			if err != nil || length == 0 || length > len(b) {
				got <- -1
				return
			}
			b = b[length:]
			n++
		}
		got <- n
	}()
	g, err := New(Config{Seed: 1, Packets: 3000, Rate: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Send(context.Background(), g, SendConfig{To: ln.Addr().String(), Proto: "tcp", Rate: 100_000}); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != 3000 {
		t.Errorf("%d packets arrived", n)
	}
}

// TestNobodyThere: a collector that is away ends nothing.
func TestNobodyThere(t *testing.T) {
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to := server.LocalAddr().String()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	const packets = 300
	g, err := New(Config{Seed: 1, Packets: packets, Rate: 1000, Agents: 4})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := Send(context.Background(), g, SendConfig{To: to, Proto: "udp", Rate: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	if sent.Counts.Packets != packets {
		t.Errorf("%d packets sent, want all %d", sent.Counts.Packets, packets)
	}
}
