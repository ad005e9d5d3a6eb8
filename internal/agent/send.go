package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/heplake/heplake/ingest/hep"
)

// SenderConfig says where a Sender sends and what it holds.
type SenderConfig struct {
	Target
	// QueueBytes bounds the bytes that wait to be sent; 0 is 32 MiB.
	QueueBytes int
	// Live is for what cannot wait: a full queue drops, and a collector that is
	// away is tried for ever. Without it Send waits for room, and the sender
	// fails when the collector cannot be reached for GiveUp.
	Live bool
	// GiveUp is how long a collector that was reached before may be away; 0 is 30
	// seconds. One that cannot be reached at first is an error at once.
	GiveUp time.Duration
	// Connecting, when set, is called before each attempt to connect.
	Connecting func(context.Context)
	// Log takes what happens to the connection.
	Log *slog.Logger
}

// SendStats are a Sender's figures: what Send was given is sent, dropped or
// waiting.
type SendStats struct {
	Sent, Bytes uint64
	// Dropped packets found the queue full, or no collector until the end;
	// Unsendable ones were too large for HEP or the transport.
	Dropped, Unsendable uint64
	Waiting             uint64
	// Connects counts connections made: one more than the times one was lost.
	Connects uint64
}

const (
	defaultQueue  = 32 << 20
	defaultGiveUp = 30 * time.Second
	writeTimeout  = 10 * time.Second
)

// Sender sends HEP to a collector by one connection, which it opens anew as
// often as it is lost. Packets wait in a bounded queue meanwhile. It is safe
// for concurrent use.
type Sender struct {
	cfg  SenderConfig
	mu   sync.Mutex
	more *sync.Cond // something changed: the queue, closing, err
	// queue holds encoded packets; bytes is their size.
	queue   [][]byte
	bytes   int
	busy    bool // one packet is being sent
	closing bool
	err     error
	stats   SendStats
	cancel  context.CancelFunc
	done    chan struct{}
}

// NewSender starts a sender. It ends when ctx does, or by Close.
func NewSender(ctx context.Context, cfg SenderConfig) (*Sender, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = defaultQueue
	}
	if cfg.GiveUp == 0 {
		cfg.GiveUp = defaultGiveUp
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Sender{cfg: cfg, done: make(chan struct{})}
	s.more = sync.NewCond(&s.mu)
	ctx, s.cancel = context.WithCancel(ctx)
	context.AfterFunc(ctx, func() {
		s.mu.Lock() // no waiter is between its look at ctx and its wait
		defer s.mu.Unlock()
		s.more.Broadcast()
	})
	go s.run(ctx)
	return s, nil
}

// Send encodes the packet and puts it into the queue. It waits for room unless
// the sender is Live. The error is that the sender has failed.
func (s *Sender) Send(p *hep.Packet) error { return s.put(hep.Append(nil, p)) }

// SendRaw puts a HEP message into the queue as it is. The bytes are copied.
func (s *Sender) SendRaw(message []byte) error { return s.put(bytes.Clone(message)) }

func (s *Sender) put(message []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(message) == 0 || !Sendable(s.cfg.Proto, message) {
		s.stats.Unsendable++
		return nil
	}
	for s.err == nil && !s.cfg.Live && s.bytes > 0 && s.bytes+len(message) > s.cfg.QueueBytes {
		s.more.Wait()
	}
	if s.err != nil {
		s.stats.Dropped++
		return s.err
	}
	if s.bytes > 0 && s.bytes+len(message) > s.cfg.QueueBytes {
		s.stats.Dropped++
		return nil
	}
	s.queue = append(s.queue, message)
	s.bytes += len(message)
	s.more.Broadcast()
	return nil
}

// Stats returns the figures of this moment.
func (s *Sender) Stats() SendStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Waiting = uint64(len(s.queue))
	if s.busy {
		stats.Waiting++
	}
	return stats
}

// Done is closed when the sender has ended.
func (s *Sender) Done() <-chan struct{} { return s.done }

// Close sends what waits and ends the sender. What is not sent when ctx ends is
// dropped and counted. The error is why the sender failed, if it did.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.more.Broadcast()
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.cancel()
		<-s.done
	}
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Dropped += uint64(len(s.queue))
	s.queue, s.bytes = nil, 0
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	return s.err
}

// next waits for a packet. It returns nil when there is none and will be none.
func (s *Sender) next(ctx context.Context) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closing && ctx.Err() == nil {
		s.more.Wait()
	}
	if len(s.queue) == 0 || ctx.Err() != nil {
		return nil
	}
	message := s.queue[0]
	s.queue = s.queue[1:]
	s.bytes -= len(message)
	s.busy = true
	s.more.Broadcast()
	return message
}

// finish enters what became of the packet that next gave.
func (s *Sender) finish(message []byte, sent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	if sent {
		s.stats.Sent++
		s.stats.Bytes += uint64(len(message))
	} else {
		s.stats.Dropped++
	}
}

func (s *Sender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.more.Broadcast()
}

func (s *Sender) run(ctx context.Context) {
	defer close(s.done)
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for {
		message := s.next(ctx)
		if message == nil {
			if ctx.Err() != nil {
				s.fail(ctx.Err())
			}
			return
		}
		for tries := 0; ; tries++ {
			if conn == nil {
				var err error
				if conn, err = s.connect(ctx); err != nil {
					s.finish(message, false)
					s.fail(err)
					return
				}
			}
			_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout))
			_, err := conn.Write(message)
			if err == nil {
				s.finish(message, true)
				break
			}
			if s.cfg.Proto == "udp" && tries > 0 || errors.Is(err, syscall.EMSGSIZE) {
				// Nobody listens, or the network takes no datagram so large.
				s.finish(message, false)
				break
			}
			if s.cfg.Proto == "udp" && errors.Is(err, syscall.ECONNREFUSED) {
				continue // of an earlier datagram: this one was not sent
			}
			s.cfg.Log.Warn("the collector's connection is lost", "collector", s.cfg.Addr, "error", err)
			_ = conn.Close()
			conn = nil
		}
	}
}

// connect connects, however long it takes when Live. A stream of which the
// first connection fails is given up at once otherwise: the address is wrong.
func (s *Sender) connect(ctx context.Context) (net.Conn, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 15*time.Second
	began := time.Now()
	for {
		if s.cfg.Connecting != nil {
			s.cfg.Connecting(ctx)
		}
		conn, err := s.cfg.Dial(ctx)
		if err == nil {
			s.mu.Lock()
			s.stats.Connects++
			s.mu.Unlock()
			if s.cfg.Proto != "udp" {
				go watch(ctx, conn)
			}
			return conn, nil
		}
		first := s.Stats().Connects == 0
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !s.cfg.Live && (first || time.Since(began) > s.cfg.GiveUp) {
			return nil, err
		}
		wait := pause.NextBackOff()
		s.cfg.Log.Warn("the collector cannot be reached; it will be tried again", "wait", wait.Round(time.Millisecond), "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// watch closes the connection when the collector does, where a write would go
// into the void once before it noticed, or when ctx ends.
func watch(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
}

// String is one line for people.
func (s SendStats) String() string {
	line := fmt.Sprintf("sent %d packets, %d bytes", s.Sent, s.Bytes)
	if s.Dropped > 0 {
		line += fmt.Sprintf("; %d dropped", s.Dropped)
	}
	if s.Unsendable > 0 {
		line += fmt.Sprintf("; %d too large to send", s.Unsendable)
	}
	if s.Waiting > 0 {
		line += fmt.Sprintf("; %d waiting", s.Waiting)
	}
	if s.Connects > 1 {
		line += fmt.Sprintf("; connected %d times", s.Connects)
	}
	return line
}
