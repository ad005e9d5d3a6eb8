//go:build linux && (amd64 || arm64)

package gen

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSentAsMade: the collector receives every packet as it was made, byte for
// byte and once, and those of a dialog in their order: in groups, alone, and when
// the kernel refuses groups.
func TestSentAsMade(t *testing.T) {
	for _, c := range []struct {
		name           string
		alone, refused bool
	}{{"grouped", false, false}, {"alone", true, false}, {"refused", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = server.Close() }()
			if err := server.SetReadBuffer(1 << 20); err != nil {
				t.Fatal(err)
			}
			conn, err := net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr))
			if err != nil {
				t.Fatal(err)
			}
			d, err := newDatagrams(conn, c.alone)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.close() }()
			if c.refused {
				// Groups need checksums.
				if err := d.raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_NO_CHECK, 1) }); err != nil {
					t.Fatal(err)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			const packets, round = 20_000, 100 // a round is less than any receive buffer has room for
			g, err := New(Config{Seed: 5, Packets: packets, Rate: 20_000, Agents: 4})
			if err != nil {
				t.Fatal(err)
			}
			type made struct{ number, dialog int }
			messages := 0
			buf := make([]byte, 64<<10)
			for n := 0; n < packets; {
				sent := map[string]made{}
				for range round {
					if _, ok := g.Next(); !ok {
						t.Fatal("too few packets")
					}
					b, err := d.room()
					if err != nil {
						t.Fatal(err)
					}
					before := len(b)
					b = g.Append(b, testStart+int64(n)) // each is another by its time
					sent[string(b[before:])] = made{n, g.Dialog()}
					d.add(b, g.Dialog())
					n++
				}
				if err := d.flush(); err != nil {
					t.Fatal(err)
				}
				messages += d.count
				last := map[int]int{}
				for range round {
					if err := server.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
						t.Fatal(err)
					}
					size, err := server.Read(buf)
					if err != nil {
						t.Fatalf("of %d packets %d did not come: %v", n, len(sent), err)
					}
					m, ok := sent[string(buf[:size])]
					if !ok {
						t.Fatalf("a packet of %d bytes that was not made, or came before", size)
					}
					delete(sent, string(buf[:size]))
					if m.number < last[m.dialog] {
						t.Fatalf("packet %d of dialog %d came after %d", m.number, m.dialog, last[m.dialog])
					}
					last[m.dialog] = m.number
				}
			}
			switch {
			case c.refused && !d.alone:
				t.Error("refused, and still tried")
			case c.name == "grouped" && d.alone:
				t.Log("this kernel takes no groups")
			case c.name == "grouped" && messages > packets/3:
				t.Errorf("%d messages for %d packets", messages, packets)
			}
		})
	}
}
