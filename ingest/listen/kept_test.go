//go:build linux

package listen

import (
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// memoryStore keeps sockets of this process.
type memoryStore struct {
	t     *testing.T
	kept  map[string]int
	taken map[string]bool
}

func newMemoryStore(t *testing.T) *memoryStore {
	s := &memoryStore{t: t, kept: map[string]int{}, taken: map[string]bool{}}
	t.Cleanup(func() {
		for name := range s.kept {
			_ = s.Remove(name)
		}
	})
	return s
}

// next has all of it given to the next process.
func (s *memoryStore) next() *memoryStore {
	clear(s.taken)
	return s
}

func (s *memoryStore) dup(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *memoryStore) Take(name string) *os.File {
	fd, ok := s.kept[name]
	if !ok || s.taken[name] {
		return nil
	}
	s.taken[name] = true
	return os.NewFile(uintptr(s.dup(fd)), name)
}

func (s *memoryStore) Names() (out []string) {
	for name := range s.kept {
		if !s.taken[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (s *memoryStore) Keep(name string, fd int) error {
	if _, ok := s.kept[name]; ok {
		return nil
	}
	s.kept[name], s.taken[name] = s.dup(fd), true
	return nil
}

func (s *memoryStore) Remove(name string) error {
	err := unix.Close(s.kept[name])
	delete(s.kept, name)
	delete(s.taken, name)
	return err
}

// counter counts packets.
type counter struct{ n chan int }

func (c counter) Packets(_ time.Time, packets []Packet) { c.n <- len(packets) }

// TestKeptSocketsCountDropsOnce: what the kernel drops while nobody reads is counted
// by the next process, and by that one alone; what it has room for is received.
func TestKeptSocketsCountDropsOnce(t *testing.T) {
	store, dir := newMemoryStore(t), t.TempDir()
	c := counter{make(chan int, 10_000)}
	open := func(addr string, sinks ...Sink) *UDP {
		t.Helper()
		u, err := ListenUDP(t.Context(), UDPConfig{Addr: addr, Buffer: 16 << 10, Kept: NewKept(store.next(), dir)}, sinks)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	drops := func(u *UDP) (n uint64) {
		for _, s := range u.Stats() {
			n += s.KernelDrops
		}
		return n
	}
	stop := func(u *UDP) {
		t.Helper()
		if err := u.Counted(); err != nil {
			t.Fatal(err)
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := func() (n int) {
		for {
			select {
			case k := <-c.n:
				n += k
			case <-time.After(200 * time.Millisecond):
				return n
			}
		}
	}
	const addr, many = "127.0.0.1:0", 500
	u := open(addr, c)
	port := u.Addr()
	send := func(n int) {
		t.Helper()
		conn, err := net.Dial("udp", port.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		for range n {
			if _, err := conn.Write(make([]byte, 700)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop(u) // it has never read
	send(many)

	u = open(addr, c)
	if u.Addr() != port {
		t.Fatalf("it listens on %s, it did on %s", u.Addr(), port)
	}
	first := drops(u)
	if first == 0 || first >= many {
		t.Fatalf("%d of %d were dropped", first, many)
	}
	u.Start()
	if n := got(); n+int(first) != many {
		t.Errorf("%d received, %d dropped, of %d", n, first, many)
	}
	stop(u)

	u = open(addr, c)
	if n := drops(u); n != 0 {
		t.Errorf("%d drops are counted again", n)
	}
	stop(u)
	send(2)

	// Elsewhere: what came before is read, and nobody is there any more.
	u = open("127.0.0.2:0", c)
	u.Start()
	if n := got(); n != 2 {
		t.Errorf("%d were received of 2 that came to the address that was given up", n)
	}
	if names := store.Names(); len(store.kept) != 1 || len(names) != 0 {
		t.Errorf("kept are %v, not taken %v", store.kept, names)
	}
	if conn, err := net.ListenPacket("udp", port.String()); err != nil {
		t.Errorf("the address that was given up is not free: %v", err)
	} else {
		_ = conn.Close()
	}
	stop(u)
}

// TestKeptListener: a connection made while nobody is there is served by the next.
func TestKeptListener(t *testing.T) {
	store, dir := newMemoryStore(t), t.TempDir()
	c := counter{make(chan int, 10)}
	open := func() *Stream {
		t.Helper()
		s, err := ListenStream(t.Context(), StreamConfig{Addr: "127.0.0.1:0", MaxConns: 10, IdleTimeout: time.Minute, Kept: NewKept(store.next(), dir), Name: "tcp"}, []Sink{c})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		return s
	}
	s := open()
	addr := s.Addr()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("HEP3\x00\x06")); err != nil {
		t.Fatal(err)
	}
	if s = open(); s.Addr() != addr {
		t.Fatalf("it listens on %s, it did on %s", s.Addr(), addr)
	}
	select {
	case <-c.n:
	case <-time.After(5 * time.Second):
		t.Error("what was sent meanwhile was not received")
	}
	_ = conn.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
