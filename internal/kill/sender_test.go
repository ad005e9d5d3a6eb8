//go:build linux

package kill

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/heplake/heplake/ingest/hep"
)

// sender sends records with Call-IDs of its own, one after the other, over one
// connection at a time, and remembers when.
type sender struct {
	transport, name string
	flatOut         bool
	// heeds says that it stops sending when the other end does.
	heeds bool

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

// startSender runs until halt. Over HTTP it posts, several at a time.
func startSender(l *lake, transport, name string, change func(*sender)) *sender {
	s := &sender{transport: transport, name: name, addr: l.addresses["hep_"+transport], stop: make(chan struct{})}
	if change != nil {
		change(s)
	}
	if transport == "http" {
		for range posters {
			s.done.Go(s.post)
		}
		return s
	}
	s.done.Go(s.run)
	return s
}

// posters is how many requests are under way at a time.
const posters = 4

// post sends chunks until halt. A chunk that was answered 200 is whole.
func (s *sender) post() {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(pause):
		}
		s.mu.Lock()
		addr, first := s.addr, len(s.sent)
		var body []byte
		for range chunk {
			rec := record{at: time.Now()}
			body = append(body, packet(fmt.Sprintf("%s-%d", s.name, len(s.sent)), rec.at)...)
			s.sent = append(s.sent, rec)
		}
		s.mu.Unlock()
		resp, err := client.Post("http://"+addr+"/", "application/octet-stream", bytes.NewReader(body))
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			s.mu.Lock()
			for i := range chunk {
				s.sent[first+i].whole = true
			}
			s.mu.Unlock()
		}
	}
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
		if s.heeds && ended(conn) || !s.send(conn) {
			_ = conn.Close()
			conn = nil // until there is another address
			continue
		}
		if !s.flatOut {
			time.Sleep(pause)
		}
	}
}

// ended tells whether the other end has said that it reads no more.
func ended(conn net.Conn) (ended bool) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return ended || err != nil
}

// send sends a chunk: over TCP in one write, over UDP one by one.
func (s *sender) send(conn net.Conn) bool {
	var stream []byte
	first := len(s.sent)
	for range chunk {
		rec := record{at: time.Now(), conn: s.conns}
		message := packet(fmt.Sprintf("%s-%d", s.name, len(s.sent)), rec.at)
		s.sent = append(s.sent, rec)
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

// packet is an OPTIONS of a dialog of its own, of that time.
func packet(callID string, at time.Time) []byte {
	return wrap(at, "OPTIONS sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK"+callID+
		"\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: "+callID+"\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")
}

// wrap is a message as an agent sends it that saw it then.
func wrap(at time.Time, sip string) []byte {
	return hep.Append(nil, &hep.Packet{
		Protocol: 17, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 5060, DstPort: 5060,
		Time: at.UnixMicro(), Type: hep.TypeSIP, CaptureID: 7, Payload: []byte(sip),
	})
}

// storedOf tells which of the sender's records are in the table, and fails the
// test where one is there twice. The sender must have halted. A row is found by
// its correlation id, which is the Call-ID and the table's order, and known by
// the number at the end of the Call-ID.
func (r round) storedOf(s *sender) []bool {
	r.Helper()
	rows := []byte(r.query(r.T, fmt.Sprintf("SELECT toUInt32(substring(call_id, %d)) FROM sip WHERE startsWith(correlation_id, '%s-') AND startsWith(call_id, '%[2]s-') FORMAT RowBinary", len(s.name)+2, s.name)))
	there := make([]bool, len(s.sent))
	var twice []int
	for ; len(rows) >= 4; rows = rows[4:] {
		n := int(binary.LittleEndian.Uint32(rows))
		switch {
		case n >= len(there):
			r.Fatalf("a record nobody sent: %s-%d", s.name, n)
		case there[n]:
			twice = append(twice, n)
		}
		there[n] = true
		r.seen++
	}
	if len(twice) > 0 {
		r.twice += len(twice)
		r.Errorf("%s: %d rows repeat others, among them those of records %v", s.name, len(twice), twice[:min(5, len(twice))])
	}
	return there
}

// missingOf lists what the system took, or a POST was answered for, and the
// table does not have.
func (r round) missingOf(s *sender) (missing []record) {
	r.Helper()
	for n, there := range r.storedOf(s) {
		if !there && s.sent[n].whole {
			missing = append(missing, s.sent[n])
		}
	}
	return missing
}
