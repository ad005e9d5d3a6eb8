// Package replay sends what a capture file holds to a HEP collector: HEP
// packets as they are, SIP and RTCP wrapped as HEP version 3.
package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/ingest/sip"
	"github.com/heplake/heplake/internal/pcap"
)

// Options say where and how to send.
type Options struct {
	// To is the collector's host:port.
	To string
	// Proto is udp, tcp or tls.
	Proto string
	// TLS is the client's side of tls.
	TLS *tls.Config
	// Rate bounds the packets a second; 0 is as fast as they go.
	Rate float64
	// Now moves the times so that the last packet is seen now and the distances stay.
	Now bool
	// CaptureID and Node are given to the packets that are wrapped.
	CaptureID uint32
	Node      string
}

// Result counts what was sent.
type Result struct {
	// HEP packets were sent as they are, Wrapped ones were SIP or RTCP.
	HEP, Wrapped int
	// Skipped payloads were neither, Unsendable ones were HEP that the
	// transport has no framing for (versions 1 and 2 over a stream).
	Skipped, Unsendable int
	// Bytes is what was sent.
	Bytes int64
}

// Sent is the number of packets sent.
func (r Result) Sent() int { return r.HEP + r.Wrapped }

// packet is one to send.
type packet struct {
	data    []byte
	us      int64 // its time, µs since the epoch
	wrapped bool
}

// Files sends the files one after the other. "-" is standard input.
func Files(ctx context.Context, paths []string, o Options) (Result, error) {
	var packets []packet
	var res Result
	for _, path := range paths {
		if err := load(path, o, &packets, &res); err != nil {
			return res, fmt.Errorf("%s: %w", path, err)
		}
	}
	if o.Now {
		retime(packets)
	}
	err := send(ctx, packets, o, &res)
	return res, err
}

func load(path string, o Options, packets *[]packet, res *Result) error {
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	x := extractor{o: o, packets: packets, res: res, streams: map[streamKey][]byte{}}
	if err := pcap.Read(in, x.payload); err != nil {
		return err
	}
	x.flush()
	return nil
}

type streamKey struct{ src, dst netip.AddrPort }

// extractor finds the packets to send in what was captured.
type extractor struct {
	o       Options
	packets *[]packet
	res     *Result
	decoder hep.Decoder
	hep     hep.Packet
	streams map[streamKey][]byte // bytes of a TCP direction that end no message yet
	last    pcap.Payload
}

const protoTCP = 6

func (x *extractor) payload(p pcap.Payload) error {
	x.last = p
	if p.Protocol == protoTCP {
		x.stream(p)
		return nil
	}
	x.datagram(p)
	return nil
}

// datagram takes a payload that is a message of its own.
func (x *extractor) datagram(p pcap.Payload) {
	switch {
	case x.isHEP(p.Data):
		x.add(packet{data: append([]byte(nil), p.Data...), us: x.timeOf(p)})
	case sip.LooksLikeSIP(p.Data):
		x.wrap(p, p.Data, hep.TypeSIP)
	case isRTCP(p.Data):
		x.wrap(p, p.Data, hep.TypeRTCP)
	default:
		x.res.Skipped++
	}
}

// isHEP tells whether the payload is HEP of any version. Version 1 and 2 have
// no magic: what they carry must be SIP.
func (x *extractor) isHEP(b []byte) bool {
	if len(b) == 0 || x.decoder.Decode(&x.hep, b) != nil {
		return false
	}
	switch x.hep.Variant {
	case hep.HEP3, hep.EEP3:
		return true
	case hep.Protobuf:
		return x.hep.Type != 0
	}
	return sip.LooksLikeSIP(x.hep.Payload) || len(x.hep.Payload) == 0
}

// timeOf is the time in the HEP packet last decoded, else that of the capture.
func (x *extractor) timeOf(p pcap.Payload) int64 {
	if x.hep.Time != 0 {
		return x.hep.Time
	}
	return p.Time.UnixMicro()
}

// isRTCP tells whether the bytes begin like RTCP: version 2, a packet type of
// RFC 3550 or 3611, and a length in them (RFC 3550 section A.2).
func isRTCP(b []byte) bool {
	const minType, maxType = 200, 207
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= minType && b[1] <= maxType && 4*(int(b[2])<<8+int(b[3])+1) <= len(b)
}

// stream takes a piece of a TCP stream and sends each whole message in it.
func (x *extractor) stream(p pcap.Payload) {
	key := streamKey{p.Src, p.Dst}
	buf := append(x.streams[key], p.Data...)
	for len(buf) > 0 {
		if n, err := hep.FrameLength(buf); err == nil {
			if n == 0 || n > len(buf) {
				break
			}
			x.datagram(pcap.Payload{Time: p.Time, Protocol: p.Protocol, Src: p.Src, Dst: p.Dst, Data: buf[:n]})
			buf = buf[n:]
			continue
		}
		n, whole := sip.MessageLength(buf)
		if !whole {
			break
		}
		x.datagram(pcap.Payload{Time: p.Time, Protocol: p.Protocol, Src: p.Src, Dst: p.Dst, Data: buf[:n]})
		buf = buf[n:]
	}
	const keep = 1 << 20 // of a stream that is neither HEP nor SIP
	if len(buf) > keep {
		x.res.Skipped++
		buf = nil
	}
	x.streams[key] = append([]byte(nil), buf...)
}

// flush sends what streams hold at the end of the file: a message that the
// capture cut short is worth seeing.
func (x *extractor) flush() {
	for key, buf := range x.streams {
		if len(buf) > 0 {
			x.datagram(pcap.Payload{Time: x.last.Time, Protocol: protoTCP, Src: key.src, Dst: key.dst, Data: buf})
		}
	}
}

func (x *extractor) wrap(p pcap.Payload, payload []byte, typ uint16) {
	h := hep.Packet{
		Protocol: p.Protocol, Src: p.Src.Addr(), Dst: p.Dst.Addr(), SrcPort: p.Src.Port(), DstPort: p.Dst.Port(),
		Time: p.Time.UnixMicro(), Type: typ, CaptureID: x.o.CaptureID, NodeName: []byte(x.o.Node), Payload: payload,
	}
	x.add(packet{data: hep.Append(nil, &h), us: h.Time, wrapped: true})
}

func (x *extractor) add(p packet) { *x.packets = append(*x.packets, p) }

// retime shifts all times by one amount, so that the latest is now.
func retime(packets []packet) {
	var latest int64
	for _, p := range packets {
		latest = max(latest, p.us)
	}
	shift := time.Now().UnixMicro() - latest
	for i := range packets {
		// A packet without a time (version 1) gets the time of its receipt anyway.
		_ = hep.Retime(packets[i].data, packets[i].us+shift)
	}
}

func send(ctx context.Context, packets []packet, o Options, res *Result) error {
	conn, err := dial(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()

	began := time.Now()
	for i, p := range packets {
		if o.Proto != "udp" {
			if _, err := hep.FrameLength(p.data); err != nil {
				res.Unsendable++
				continue
			}
		}
		if o.Rate > 0 {
			due := began.Add(time.Duration(float64(i) / o.Rate * float64(time.Second)))
			if wait := time.Until(due); wait > 0 {
				time.Sleep(wait)
			}
		}
		n, err := conn.Write(p.data)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("send to %s: %w", o.To, err)
		}
		res.Bytes += int64(n)
		if p.wrapped {
			res.Wrapped++
		} else {
			res.HEP++
		}
	}
	return nil
}

// errProto names the transports there are.
var errProto = errors.New("proto takes udp, tcp or tls")

func dial(ctx context.Context, o Options) (net.Conn, error) {
	var conn net.Conn
	var err error
	switch o.Proto {
	case "udp", "tcp":
		conn, err = new(net.Dialer).DialContext(ctx, o.Proto, o.To)
	case "tls":
		conn, err = (&tls.Dialer{Config: o.TLS}).DialContext(ctx, "tcp", o.To)
	default:
		return nil, fmt.Errorf("%w, not %q", errProto, o.Proto)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.To, err)
	}
	return conn, nil
}
