package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// StreamConfig says where and how to receive HEP over TCP or TLS.
type StreamConfig struct {
	// Addr is host:port; an empty host is every address, IPv6 and IPv4.
	Addr string
	// TLS, when set, makes it HEP over TLS.
	TLS *tls.Config
	// SCTP makes it HEP over SCTP.
	SCTP bool
	// MaxConns bounds the connections open at once; further ones are closed at once.
	MaxConns int
	// IdleTimeout ends a connection on which nothing arrives for so long.
	IdleTimeout time.Duration
	// Durable reads a connection on only while little of what it brought is not
	// in the spool yet, and answers a POST once all of it is. The sinks must then
	// be Durable.
	Durable bool
	// Kept has the listening socket of the process before, if any, under Name, and
	// keeps this one for the next. Not with SCTP.
	Kept *Kept
	Name string
}

// Stream receives HEP from TCP, TLS or SCTP connections. Each connection is
// read by its own goroutine and served by one sink, so that its order is kept
// and a slow or hostile sender harms no other.
type Stream struct {
	ln       *limitListener
	cfg      StreamConfig
	sinks    []Sink
	next     int
	stopping atomic.Bool
	// accepting is closed when no connection is accepted any more; nil before Start.
	accepting chan struct{}
}

// ListenStream opens the listener. Nothing is accepted before Start.
func ListenStream(ctx context.Context, cfg StreamConfig, sinks []Sink) (*Stream, error) {
	ln, err := listenTCP(ctx, cfg)
	if err != nil {
		return nil, err
	}
	ln.patient, ln.idle = true, cfg.IdleTimeout
	return &Stream{ln: ln, cfg: cfg, sinks: sinks}, nil
}

// Addr is the address listened on.
func (s *Stream) Addr() netip.AddrPort { return s.ln.Addr().(*net.TCPAddr).AddrPort() }

// Start begins to accept connections.
func (s *Stream) Start() {
	s.accepting = make(chan struct{})
	go s.accept()
}

// Close stops accepting, tells the senders by a FIN, reads what is under way,
// and ends every connection; when it returns no sink is called any more. A
// sender that stops when it is told loses nothing. One that goes on is cut off
// after streamDrainTime: what it sent that was not read is counted, and what its own
// system has not sent yet only that knows of.
func (s *Stream) Close() error {
	if s.accepting != nil {
		s.ln.stopAccepting()
		<-s.accepting
	}
	err := s.ln.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // by stopAccepting
	}
	s.stopping.Store(true)
	s.ln.drain()
	s.ln.wait()
	return err
}

// Stats returns the figures of this moment.
func (s *Stream) Stats() StreamStats { return s.ln.stats() }

func (s *Stream) accept() {
	defer close(s.accepting)
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return // closed: Accept retries everything else
		}
		s.next++
		sink := s.sinks[s.next%len(s.sinks)]
		go func() {
			defer func() { _ = conn.Close() }()
			s.serve(conn, sink)
		}()
	}
}

func (s *Stream) serve(conn net.Conn, sink Sink) {
	from := netip.AddrPort{}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		from = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	if s.cfg.Durable {
		sink = &window{Durable: sink.(Durable), stopping: &s.stopping}
	}
	if err := ReadStream(conn, from, sink); err != nil {
		slog.Debug("HEP connection ended", "from", from, "error", err)
	}
}

// streamBuffer holds at least two of the largest messages, so that a whole one
// always fits behind the rest of another.
const streamBuffer = 2 * (1 << 16)

// garbageLimit is how much a connection may send without one message in it
// before it is ended: it does not speak HEP.
const garbageLimit = 1 << 20

var errNoHEP = errors.New("no HEP message in 1 MiB")

// ReadStream splits a stream into HEP messages by their own lengths, which are
// its only framing, and hands over what each read completes. Bytes between
// messages are handed over as a packet with a fault, as is a message that the
// end of the stream cuts short.
func ReadStream(r io.Reader, from netip.AddrPort, sink Sink) error {
	buf := make([]byte, streamBuffer)
	packets := make([]Packet, 0, 64)
	start, end, garbage := 0, 0, 0
	for {
		n, err := r.Read(buf[end:])
		received := time.Now()
		end += n
		packets = packets[:0]
		for start < end {
			rest := buf[start:end]
			length, ferr := hep.FrameLength(rest)
			if ferr != nil {
				skip := hep.Resync(rest)
				packets = append(packets, Packet{Data: rest[:skip], From: from, Fault: "bad_frame"})
				garbage += skip
				start += skip
				continue
			}
			if length == 0 || length > len(rest) {
				break
			}
			packets = append(packets, Packet{Data: rest[:length], From: from})
			garbage = 0
			start += length
		}
		if err != nil && start < end {
			packets = append(packets, Packet{Data: buf[start:end], From: from, Fault: "truncated"})
		}
		if len(packets) > 0 {
			sink.Packets(received, packets)
		}
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		if garbage > garbageLimit {
			return errNoHEP
		}
		end = copy(buf, buf[start:end])
		start = 0
	}
}
