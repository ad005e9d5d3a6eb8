package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/heplake/heplake/internal/agent"
)

// IPIP receives IP-in-IP mirrors (RFC 2003, IP protocol 4), as session border
// controllers send them: copies of their packets, each in another IP header. It
// makes HEP of the SIP and RTCP in them, with the inner addresses. It needs
// root or CAP_NET_RAW.
type IPIP struct {
	conn    *net.IPConn
	tap     *agent.Tap
	feed    *feed
	reading sync.WaitGroup
}

// ipipBuffer is the receive buffer asked of the kernel.
const ipipBuffer = 8 << 20

// ListenIPIP opens the socket on the address, IPv4 or IPv6. Nothing is received
// before Start. Records have this machine's name as agent, and the mirror's
// sender as sender.
func ListenIPIP(ctx context.Context, addr string, sink Sink) (*IPIP, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("%q is no IP address", addr)
	}
	network := "ip4:4"
	if ip.Is6() {
		network = "ip6:4"
	}
	conn, err := new(net.ListenConfig).ListenPacket(ctx, network, addr)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("a raw socket needs root or CAP_NET_RAW: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for IP-in-IP on %s: %w", addr, err)
	}
	l := &IPIP{conn: conn.(*net.IPConn), feed: newFeed(sink)}
	_ = l.conn.SetReadBuffer(ipipBuffer) // as much of it as the kernel grants
	l.tap = agent.NewTap(l.feed.extractor(), nil)
	return l, nil
}

// Start begins to receive.
func (l *IPIP) Start() { l.reading.Go(l.read) }

// Close stops receiving; when it returns the sink is called no more.
func (l *IPIP) Close() error {
	err := l.conn.Close()
	l.reading.Wait()
	return errors.Join(err, l.tap.Close())
}

// Stats returns the figures of this moment.
func (l *IPIP) Stats() agent.TapStats { return l.tap.Stats() }

func (l *IPIP) read() {
	buf := make([]byte, MaxDatagram)
	for {
		// The kernel has put fragments together, and Go takes the outer header off.
		n, from, err := l.conn.ReadFromIP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			slog.Debug("read IP-in-IP", "error", err)
			continue
		}
		outer, _ := netip.AddrFromSlice(from.IP)
		l.feed.setSender(netip.AddrPortFrom(outer.Unmap(), 0))
		info := gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: n, Length: n}
		// The feed has no errors.
		_ = l.tap.Frame(buf[:n], layers.LinkTypeRaw, info)
	}
}
