//go:build linux

package kill

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// sender sends records with Call-IDs of its own, one after the other, over one
// connection at a time, and remembers when.
type sender struct {
	transport, name string
	flatOut         bool

	mu    sync.Mutex
	addr  string // where to; a new one makes it connect again
	sent  []record
	conns int
	stop  chan struct{}
	done  sync.WaitGroup
}

type record struct {
	at   time.Time
	conn int
	// whole says that the system took all of it.
	whole bool
}

// startSender runs until halt.
func startSender(l *lake, transport, name string, flatOut bool) *sender {
	s := &sender{transport: transport, name: name, flatOut: flatOut, addr: l.addresses["hep_"+transport], stop: make(chan struct{})}
	s.done.Go(s.run)
	return s
}

func (s *sender) halt() {
	close(s.stop)
	s.done.Wait()
}

// to names heplake's address after a restart.
func (s *sender) to(l *lake) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = l.addresses["hep_"+s.transport]
}

// chunk is how many records go out at once, each pause.
const (
	chunk = 20
	pause = 10 * time.Millisecond
)

func (s *sender) run() {
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	connected := ""
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		s.mu.Lock()
		addr := s.addr
		s.mu.Unlock()
		if addr != connected {
			c, err := net.Dial(s.transport, addr)
			if err != nil {
				time.Sleep(pause)
				continue
			}
			conn, connected = c, addr
			s.conns++
		}
		if conn == nil {
			time.Sleep(pause)
			continue
		}
		if !s.send(conn) {
			_ = conn.Close()
			conn = nil // until there is another address
			continue
		}
		if !s.flatOut {
			time.Sleep(pause)
		}
	}
}

// send sends a chunk: over TCP in one write, over UDP one by one.
func (s *sender) send(conn net.Conn) bool {
	var stream []byte
	first := len(s.sent)
	for range chunk {
		message := packet(fmt.Sprintf("%s-%d", s.name, len(s.sent)))
		s.sent = append(s.sent, record{at: time.Now(), conn: s.conns})
		if s.transport == "tcp" {
			stream = append(stream, message...)
			continue
		}
		if _, err := conn.Write(message); err != nil {
			return false
		}
		s.sent[len(s.sent)-1].whole = true
	}
	if s.transport == "tcp" {
		if _, err := conn.Write(stream); err != nil {
			return false
		}
		for i := first; i < len(s.sent); i++ {
			s.sent[i].whole = true
		}
	}
	return true
}

func packet(callID string) []byte {
	sip := "OPTIONS sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK" + callID +
		"\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: " + callID + "\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
	return hep.Append(nil, &hep.Packet{
		Protocol: 17, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 5060, DstPort: 5060,
		Time: time.Now().UnixMicro(), Type: hep.TypeSIP, CaptureID: 7, Payload: []byte(sip),
	})
}

// stored tells which of the sender's records are in the table, and fails the
// test where one is there twice. The sender must have halted.
func (s *sender) stored(t *testing.T, l *lake) []bool {
	t.Helper()
	if twice := l.query(t, "SELECT call_id, count() AS n FROM sip WHERE startsWith(call_id, '"+s.name+"-') GROUP BY call_id HAVING n > 1 LIMIT 5"); twice != "" {
		t.Errorf("stored more than once:\n%s", twice)
	}
	there := make([]bool, len(s.sent))
	for _, id := range strings.Fields(l.query(t, "SELECT call_id FROM sip WHERE startsWith(call_id, '"+s.name+"-')")) {
		n, err := strconv.Atoi(strings.TrimPrefix(id, s.name+"-"))
		if err != nil || n >= len(there) {
			t.Fatalf("a record nobody sent: %s", id)
		}
		there[n] = true
	}
	return there
}

// missing lists what the system took and the table does not have.
func (s *sender) missing(t *testing.T, l *lake) (missing []record) {
	t.Helper()
	for n, there := range s.stored(t, l) {
		if !there && s.sent[n].whole {
			missing = append(missing, s.sent[n])
		}
	}
	return missing
}
