//go:build linux

package kill

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/heplake/heplake/internal/fdstore/fdstoretest"
)

// TestRestartsWithKeptSockets restarts heplake under load where the service manager
// keeps its sockets: of what is sent while there is none nothing is missing. It is
// stopped, killed, and started with fewer and with more workers.
func TestRestartsWithKeptSockets(t *testing.T) {
	l := prepare(t)
	var err error
	if l.manager, err = fdstoretest.New(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.end(t)
		if err := l.manager.Close(); err != nil {
			t.Error(err)
		}
	})
	workers := func(n int) { l.env = append(l.env, fmt.Sprintf("HEPLAKE_HEP_WORKERS=%d", n)) }
	workers(2)
	l.start(t)
	udp, tcp := l.addresses["hep_udp"], l.addresses["hep_tcp"]
	if got, want := l.books(t)[`heplake_udp_buffer_bytes{what="granted"}`], 32<<20; got < float64(want) {
		t.Skipf("the kernel gives sockets %v bytes (net.core.rmem_max): what is sent meanwhile needs %d", got, want)
	}
	for n, c := range []struct {
		what    string
		signal  syscall.Signal
		workers int
	}{{"stop", syscall.SIGTERM, 2}, {"kill", syscall.SIGKILL, 2}, {"stop, then fewer workers", syscall.SIGTERM, 1}, {"stop, then more workers", syscall.SIGTERM, 3}} {
		t.Run(c.what, func(t *testing.T) {
			r := round{t, l, &line{}, fmt.Sprintf("kept-%d", n)}
			s := startSender(l, "udp", r.name, nil)
			nap()
			nap()
			asked := time.Now()
			books := r.books(t)
			at := time.Now()
			r.signal(t, c.signal)
			err := r.wait(t)
			counted := 0.0
			if c.signal == syscall.SIGTERM {
				if err != nil {
					t.Errorf("heplake ended with %v", err)
				}
				counted = l.lastBooks(t)["dropped"]
			}
			// A connection that is made while there is nobody waits, too.
			conn, err := net.Dial("tcp", tcp)
			if err != nil {
				t.Fatal(err)
			}
			id := fmt.Sprintf("meanwhile-%d", n)
			if _, err := conn.Write(packet(id, time.Now())); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			workers(c.workers)
			l.start(t)
			back := time.Now()
			if l.addresses["hep_udp"] != udp || l.addresses["hep_tcp"] != tcp {
				t.Fatalf("it listens on %s and %s, it did on %s and %s", l.addresses["hep_udp"], l.addresses["hep_tcp"], udp, tcp)
			}
			nap()
			s.halt()
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			counted += r.settle(t)[kernelDrops]
			missing, meanwhile := r.missingOf(s), 0
			for _, rec := range s.sent {
				if rec.at.After(at.Add(50*time.Millisecond)) && rec.at.Before(back) {
					meanwhile++
				}
			}
			if meanwhile == 0 {
				t.Error("nothing was sent meanwhile")
			}
			if c.signal == syscall.SIGTERM && float64(len(missing)) != counted {
				t.Errorf("%d of %d records are missing, %v are in the books", len(missing), len(s.sent), counted)
			}
			if c.workers >= 2 && counted != 0 {
				t.Errorf("the kernel dropped %v", counted)
			}
			allowed := r.allowed(books) + at.Sub(asked)
			for _, rec := range missing {
				if c.signal == syscall.SIGKILL && (rec.at.Before(at.Add(-allowed)) || rec.at.After(at.Add(50*time.Millisecond))) {
					t.Errorf("a record sent %s after the kill is missing", rec.at.Sub(at))
					break
				}
			}
			if got := strings.TrimSpace(l.query(t, "SELECT count() FROM sip WHERE call_id = '"+id+"'")); got != "1" {
				t.Errorf("of the message over a connection made meanwhile there are %s rows", got)
			}
			t.Logf("%d sent, %d of them while there was no heplake; %d missing, %v counted", len(s.sent), meanwhile, len(missing), counted)
		})
	}
	if names := l.manager.Names(); len(names) != 3+2 { // workers; TCP and HTTP
		t.Errorf("kept are %q", names)
	}
}
