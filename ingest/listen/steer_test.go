package listen

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/captures"
)

// TestSteering runs the filter on what agents sent, in captures and in packets
// made here: datagrams of one connection, in either direction, go to one socket,
// those of many spread.
func TestSteering(t *testing.T) {
	const sockets = 4
	vm, err := bpf.NewVM(steering(sockets))
	if err != nil {
		t.Fatal(err)
	}
	socket := func(data []byte) int {
		t.Helper()
		n, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	type pair struct{ a, b netip.AddrPort }
	of := map[pair]int{}
	used := map[int]int{}
	look := func(data []byte, what string) (steered bool) {
		t.Helper()
		n := socket(data)
		if uint32(n) == anySocket {
			return false
		}
		if n < 0 || n >= sockets {
			t.Fatalf("%s: socket %d", what, n)
		}
		var d hep.Decoder
		var p hep.Packet
		if d.Decode(&p, data) != nil {
			return true // cut within the payload, for instance
		}
		key := pair{netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort)}
		if key.b.Compare(key.a) < 0 {
			key.a, key.b = key.b, key.a
		}
		if was, ok := of[key]; ok && was != n {
			t.Errorf("%s: %s and %s on sockets %d and %d", what, key.a, key.b, was, n)
		}
		of[key] = n
		used[n]++
		return true
	}

	steered, all := 0, 0
	for _, name := range captures.Names(t, "*hep3*") {
		for _, p := range captures.Read(t, captures.Path(name+".pcap")) {
			if p.Transport != "udp" || len(p.Payload) < 4 || string(p.Payload[:4]) != "HEP3" && string(p.Payload[:4]) != "EEP3" {
				continue
			}
			all++
			if look(p.Payload, name) {
				steered++
			}
		}
	}
	t.Logf("%d of %d datagrams of captures steered", steered, all)
	if 2*steered < all {
		t.Errorf("%d of %d datagrams of captures steered: do agents write their chunks in another order?", steered, all)
	}

	clear(used)
	const conns = 400
	for i := range conns {
		a, b := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), netip.MustParseAddr("10.9.9.9")
		if i%2 == 1 {
			a, b = netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}), netip.MustParseAddr("2001:db8::9")
		}
		p := hep.Packet{Protocol: 17, Src: a, SrcPort: 5060, Dst: b, DstPort: 5080, Time: time.Now().UnixMicro(), Type: hep.TypeSIP, Payload: []byte("x")}
		for range 2 {
			if !look(hep.Append(nil, &p), "made") {
				t.Fatal("a packet of our own is not steered")
			}
			p.Src, p.SrcPort, p.Dst, p.DstPort = p.Dst, p.DstPort, p.Src, p.SrcPort
			p.Time += 1234
		}
	}
	for n := range sockets {
		if share := float64(used[n]) / (2 * conns); share < 0.15 || share > 0.35 {
			t.Errorf("socket %d gets %.0f %% of %d connections", n, 100*share, conns)
		}
	}
	for _, other := range []string{"\x02\x10\x02\x11 version 2 goes by its sender", "INVITE sip:alice@example.net SIP/2.0"} {
		if n := socket([]byte(other)); uint32(n) != anySocket {
			t.Errorf("%q on socket %d", other, n)
		}
	}
}

// TestOneSenderUsesAllSockets sends from one socket to two workers.
func TestOneSenderUsesAllSockets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("several sockets on one port need Linux")
	}
	var sinks [2]countingSink
	u, err := ListenUDP(t.Context(), UDPConfig{Addr: "127.0.0.1:0", Buffer: 1 << 20}, []Sink{&sinks[0], &sinks[1]})
	if err != nil {
		t.Fatal(err)
	}
	u.Start()
	conn, err := net.Dial("udp", u.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const packets = 200
	for i := range packets {
		data := hep.Append(nil, &hep.Packet{
			Protocol: 17, Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), SrcPort: 5060, Dst: netip.AddrFrom4([4]byte{10, 9, 9, 9}), DstPort: 5060,
			Type: hep.TypeSIP, Payload: []byte("x"),
		})
		if _, err := conn.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Close(); err != nil { // which reads what the kernel holds
		t.Fatal(err)
	}
	a, b := sinks[0].n, sinks[1].n
	if a+b != packets || a < packets/5 || b < packets/5 {
		t.Errorf("the workers got %d and %d of %d packets of one sender", a, b, packets)
	}
}

type countingSink struct {
	mu sync.Mutex
	n  int
}

func (s *countingSink) Packets(_ time.Time, packets []Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += len(packets)
}
