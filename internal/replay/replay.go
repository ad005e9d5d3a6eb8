// Package replay sends what a capture file holds to a HEP collector: HEP
// packets as they are, SIP and RTCP wrapped as HEP version 3.
package replay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/heplake/heplake/ingest/hep"
	"github.com/heplake/heplake/internal/agent"
	"github.com/heplake/heplake/internal/pcap"
)

// Options say where and how to send.
type Options struct {
	// Target is the collector.
	agent.Target
	// Rate bounds the packets a second; 0 is as fast as they go.
	Rate float64
	// Now moves the times so that the last packet is seen now and the distances
	// stay. The packets are held in memory for it.
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
	// transport has no framing for: versions 1 and 2 over a stream, and what the
	// capture cut.
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

// Files sends the files one after the other. "-" is standard input. A file
// that is damaged is sent up to the damage, which is the error.
func Files(ctx context.Context, paths []string, o Options) (Result, error) {
	s := &sender{ctx: ctx, o: o}
	err := s.connect()
	if err != nil {
		return s.res, err
	}
	defer func() { _ = s.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Now()) })
	defer stop()

	var held []packet
	give := s.send
	if o.Now {
		give = func(p packet) error {
			p.data = bytes.Clone(p.data)
			held = append(held, p)
			return nil
		}
	}
	for _, path := range paths {
		if err = s.load(path, give); err != nil {
			break
		}
	}
	retime(held)
	for _, p := range held {
		if serr := s.send(p); serr != nil {
			return s.res, serr
		}
	}
	return s.res, err
}

// load gives the packets of a file to the function.
func (s *sender) load(path string, give func(packet) error) error {
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	var buf []byte
	x := agent.NewExtractor(agent.Options{
		HEP: func(data []byte, us int64) error { return give(packet{data: data, us: us}) },
		Packet: func(p *hep.Packet) error {
			if buf = hep.Append(buf[:0], p); len(buf) == 0 {
				s.res.Unsendable++
				return nil
			}
			return give(packet{data: buf, us: p.Time, wrapped: true})
		},
		CaptureID: s.o.CaptureID, Node: s.o.Node,
	})
	err := pcap.Read(in, x.Payload)
	if ferr := x.Flush(); err == nil {
		err = ferr
	}
	counts := x.Counts()
	s.res.Skipped += int(counts.Ignored + counts.Undeflated)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

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

// sender sends at the rate asked for.
type sender struct {
	ctx   context.Context
	o     Options
	conn  net.Conn
	began time.Time
	n     int
	res   Result
}

func (s *sender) connect() (err error) {
	s.conn, err = s.o.Dial(s.ctx)
	s.began = time.Now()
	return err
}

func (s *sender) send(p packet) error {
	if !agent.Sendable(s.o.Proto, p.data) {
		s.res.Unsendable++
		return nil
	}
	if err := s.wait(); err != nil {
		return err
	}
	n, err := s.conn.Write(p.data)
	if err != nil {
		return s.failed(err)
	}
	s.res.Bytes += int64(n)
	if p.wrapped {
		s.res.Wrapped++
	} else {
		s.res.HEP++
	}
	return nil
}

// wait waits until the next packet is due.
func (s *sender) wait() error {
	if s.o.Rate <= 0 {
		return s.ctx.Err()
	}
	due := s.began.Add(time.Duration(float64(s.n) / s.o.Rate * float64(time.Second)))
	s.n++
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-s.ctx.Done():
		return s.ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (s *sender) failed(err error) error {
	if cerr := s.ctx.Err(); cerr != nil {
		return cerr
	}
	return fmt.Errorf("send to %s: %w", s.o.Addr, err)
}
