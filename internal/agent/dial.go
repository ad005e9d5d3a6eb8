package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/heplake/heplake/ingest/hep"
)

// Target is a HEP collector.
type Target struct {
	// Addr is host:port.
	Addr string
	// Proto is udp, tcp or tls.
	Proto string
	// Insecure does not check the collector's certificate (tls).
	Insecure bool
}

// errProto names the transports there are.
var errProto = errors.New("proto takes udp, tcp or tls")

// Check tells what is wrong with the target, before anything is sent.
func (t Target) Check() error {
	if _, port, err := net.SplitHostPort(t.Addr); err != nil {
		return fmt.Errorf("the collector is given as HOST:PORT, not %q", t.Addr)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("the collector is given as HOST:PORT, and %q is no port", port)
	}
	if !slices.Contains([]string{"udp", "tcp", "tls"}, t.Proto) {
		return fmt.Errorf("%w, not %q", errProto, t.Proto)
	}
	return nil
}

// Dial connects to the collector.
func (t Target) Dial(ctx context.Context) (net.Conn, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	var conn net.Conn
	var err error
	if t.Proto == "tls" {
		host, _, _ := net.SplitHostPort(t.Addr)
		cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure} //nolint:gosec // asked for by name
		conn, err = (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", t.Addr)
	} else {
		conn, err = new(net.Dialer).DialContext(ctx, t.Proto, t.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Addr, err)
	}
	return conn, nil
}

// Addrs are all addresses that the target's name stands for at the moment.
func (t Target) Addrs(ctx context.Context) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(t.Addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var out []netip.AddrPort
	for _, ip := range ips {
		out = append(out, netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(port)))
	}
	return out, nil
}

// Sendable tells whether the message can travel over the transport: versions 1
// and 2 and broken messages have no framing for a stream, and a datagram holds
// no more than maxDatagram bytes.
func Sendable(proto string, message []byte) bool {
	const maxDatagram = 65507 // of UDP over IPv4
	if proto == "udp" {
		return len(message) <= maxDatagram
	}
	n, err := hep.FrameLength(message)
	return err == nil && n == len(message)
}
