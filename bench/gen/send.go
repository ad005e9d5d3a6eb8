package gen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// SendConfig says where packets go and how fast.
type SendConfig struct {
	// To is the collector's host:port.
	To string
	// Proto is udp or tcp.
	Proto string
	// Conns is the number of sockets; agents share them. 1 when it is 0.
	Conns int
	// Rate is the packets a second; 0 is as fast as they go.
	Rate float64
	// Alone hands each datagram to the kernel by itself. Otherwise datagrams of one
	// length that are due at once are handed over as one and cut apart by the kernel,
	// where it can (Linux 4.18): less than half of the work. Those of different
	// dialogs may then overtake each other within a round.
	Alone bool
}

// Sent is what Send has done.
type Sent struct {
	Counts Counts `json:"counts"`
	// Seconds is the time from the first packet to the last.
	Seconds float64 `json:"seconds"`
	// LateMs is how far behind the pace the sender fell at worst, in ms: beyond
	// a few, the sender or the machine was the limit.
	LateMs float64 `json:"late_ms"`
}

const (
	// leastPace and mostPace bound the time between two rounds of sending. A round
	// has at most what is due, so that the traffic is as smooth as a busy link's.
	leastPace, mostPace = time.Millisecond, 4 * time.Millisecond
	// smooth is the highest rate, in packets a second, at which rounds follow each
	// other after leastPace. Above it they gather more, since of many packets more are
	// of one length, and cheaper to send.
	smooth = 25_000
	// round bounds a round's packets.
	round = 1024
	// sendBuffer is asked of the kernel for each socket, in bytes.
	sendBuffer = 1 << 20
)

// conn is one socket with what waits to be written to it.
type conn interface {
	// room is what waits, for the next packet to be appended to.
	room() ([]byte, error)
	// add takes back what room gave, with a packet more of this dialog.
	add(b []byte, dialog int)
	// flush writes what waits.
	flush() error
	close() error
}

// Send makes the packets of g and sends them. Each bears the time at which it
// is due, or sent when there is no rate. It ends early, without an error, when
// ctx ends. Datagrams that meet nobody are not an error: the collector may be
// away for a while.
func Send(ctx context.Context, g *Generator, cfg SendConfig) (sent Sent, err error) {
	conns := make([]conn, max(1, cfg.Conns))
	defer func() {
		for _, c := range conns {
			if c != nil {
				err = errors.Join(err, c.close())
			}
		}
	}()
	for i := range conns {
		if conns[i], err = dial(ctx, cfg); err != nil {
			return sent, fmt.Errorf("connect to %s: %w", cfg.To, err)
		}
	}
	s := sender{g: g, conns: conns, waiting: make([]bool, len(conns)), rate: cfg.Rate, pace: paceOf(cfg.Rate), began: time.Now()}
	err = s.run(ctx)
	sent = Sent{Counts: g.Counts(), Seconds: time.Since(s.began).Seconds(), LateMs: s.late.Seconds() * 1000}
	return sent, err
}

func dial(ctx context.Context, cfg SendConfig) (conn, error) {
	switch cfg.Proto {
	case "udp":
		c, err := new(net.Dialer).DialContext(ctx, "udp", cfg.To)
		if err != nil {
			return nil, err
		}
		return newDatagrams(c.(*net.UDPConn), cfg.Alone)
	case "tcp":
		c, err := new(net.Dialer).DialContext(ctx, "tcp", cfg.To)
		if err != nil {
			return nil, err
		}
		return &stream{conn: c}, nil
	}
	return nil, fmt.Errorf("proto takes udp or tcp, not %q", cfg.Proto)
}

// sender runs the rounds.
type sender struct {
	g       *Generator
	conns   []conn
	waiting []bool // by conn: something to flush
	rate    float64
	pace    time.Duration // least time between two rounds
	began   time.Time
	made    int
	late    time.Duration
}

func (s *sender) run(ctx context.Context) error {
	for ctx.Err() == nil {
		due := round
		if s.rate > 0 {
			elapsed := time.Since(s.began)
			due = min(int(elapsed.Seconds()*s.rate)-s.made, round)
			if due <= 0 {
				time.Sleep(max(s.pace, s.dueAt(s.made+1)-elapsed))
				continue
			}
			s.late = max(s.late, elapsed-s.dueAt(s.made)-s.pace)
		}
		if done, err := s.round(due); done || err != nil {
			return err
		}
	}
	return nil
}

// paceOf is the time between two rounds at a rate.
func paceOf(rate float64) time.Duration {
	return min(max(time.Duration(rate/smooth*float64(leastPace)), leastPace), mostPace)
}

// dueAt is when packet n is due, after the beginning.
func (s *sender) dueAt(n int) time.Duration {
	return time.Duration(float64(n) / s.rate * float64(time.Second))
}

// round makes and sends so many packets, fewer when they end: then done is true.
func (s *sender) round(n int) (done bool, err error) {
	us := time.Now().UnixMicro()
	for range n {
		agent, ok := s.g.Next()
		if !ok {
			done = true
			break
		}
		if s.rate > 0 {
			us = s.began.Add(s.dueAt(s.made)).UnixMicro()
		}
		i := agent % len(s.conns)
		s.waiting[i] = true
		buf, err := s.conns[i].room()
		if err != nil {
			return false, fmt.Errorf("send: %w", err)
		}
		s.conns[i].add(s.g.Append(buf, us), s.g.Dialog())
		s.made++
	}
	for i, waiting := range s.waiting {
		if waiting {
			if err := s.conns[i].flush(); err != nil {
				return false, fmt.Errorf("send: %w", err)
			}
			s.waiting[i] = false
		}
	}
	return done, nil
}

// stream writes to a TCP connection, which blocks while the collector does not
// read.
type stream struct {
	conn net.Conn
	buf  []byte
}

// streamWrite is how much is gathered for a write.
const streamWrite = 64 << 10

func (s *stream) room() ([]byte, error) {
	if len(s.buf) < streamWrite {
		return s.buf, nil
	}
	err := s.flush()
	return s.buf, err
}

func (s *stream) add(buf []byte, _ int) { s.buf = buf }

func (s *stream) flush() error {
	_, err := s.conn.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *stream) close() error { return s.conn.Close() }
