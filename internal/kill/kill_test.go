//go:build linux

package kill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// perRound is how often a round kills: the engine and heplake, twice each.
const perRound = 4

// rounds follow from the number of kills asked for.
func rounds(t *testing.T) int {
	s := os.Getenv("HEPLAKE_SOAK")
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("HEPLAKE_SOAK takes a number of kills, not %q", s)
	}
	return (n + perRound - 1) / perRound
}

// load is a sender of each transport.
type load struct{ tcp, udp *sender }

func startLoad(l *lake, name string, flatOut bool) load {
	return load{startSender(l, "tcp", name+"-tcp", flatOut), startSender(l, "udp", name+"-udp", false)}
}

func (o load) to(l *lake) { o.tcp.to(l); o.udp.to(l) }
func (o load) halt()      { o.tcp.halt(); o.udp.halt() }

// nap is a random time under load.
func nap() { time.Sleep(300*time.Millisecond + rand.N(700*time.Millisecond)) }

func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	l := open(t)
	for round := range rounds(t) {
		for _, step := range []struct {
			what string
			f    func(*testing.T, *lake, string)
		}{
			{"the engine is killed", engineKilled},
			{"the engine hangs", engineHangs},
			{"heplake is asked to stop at full speed", stopped},
			{"heplake is killed", heplakeKilled},
		} {
			name := fmt.Sprintf("%d-%s", round, strings.ReplaceAll(step.what, " ", "-"))
			if !t.Run(name, func(t *testing.T) { step.f(t, l, name) }) {
				return // what comes after would be judged by what this left behind
			}
		}
	}
}

// nothingLost checks that what was sent is stored, but for the datagrams that
// the kernel dropped and heplake counted.
func nothingLost(t *testing.T, l *lake, o load, before map[string]float64) {
	t.Helper()
	o.halt()
	after := l.settle(t)
	const drops = `heplake_dropped_total{reason="kernel_buffer",stage="listen"}`
	if n := len(o.tcp.missing(t, l)); n != 0 {
		t.Errorf("%d of %d records sent over TCP are missing", n, len(o.tcp.sent))
	}
	if n, counted := len(o.udp.missing(t, l)), int(after[drops]-before[drops]); n != counted {
		t.Errorf("%d of %d records sent over UDP are missing, counted as dropped by the kernel are %d", n, len(o.udp.sent), counted)
	}
	if other := after["heplake_dropped_total"] - after[drops]; other != 0 {
		t.Errorf("%v records dropped by heplake", other)
	}
	t.Logf("%d records over TCP and %d over UDP sent, stored once", len(o.tcp.sent), len(o.udp.sent))
}

func engineKilled(t *testing.T, l *lake, name string) {
	before := l.settle(t)
	o := startLoad(l, name, false)
	killed := 0
	for range perRound / 2 {
		nap()
		eventually(t, "the engine is back", func() bool { pid := l.engine(); return pid != 0 && pid != killed })
		killed = l.engine()
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		l.books(t)
	}
	nap()
	nothingLost(t, l, o, before)
}

func engineHangs(t *testing.T, l *lake, name string) {
	before := l.settle(t)
	o := startLoad(l, name, false)
	nap()
	pid := l.engine()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	waiting := l.books(t)["heplake_waiting"]
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if waiting == 0 {
		t.Error("nothing waits though the engine does not answer")
	}
	nap()
	nothingLost(t, l, o, before)
}

// stopped sends over TCP as fast as heplake takes it. What it had read when it
// was asked to stop is the beginning of what each connection sent; none of that
// may be missing. Over UDP one socket gets it all in order, so the same holds
// as long as the kernel drops nothing, which is why that sender is paced.
func stopped(t *testing.T, l *lake, name string) {
	before := l.settle(t)
	o := startLoad(l, name, true)
	time.Sleep(1500 * time.Millisecond)
	const drops = `heplake_dropped_total{reason="kernel_buffer",stage="listen"}`
	dropped := l.books(t)[drops] - before[drops]
	l.signal(t, syscall.SIGTERM)
	asked := time.Now()
	if err := l.wait(t); err != nil {
		t.Errorf("heplake ended with %v", err)
	}
	t.Logf("stopped in %s", time.Since(asked).Round(time.Millisecond))
	o.halt()
	l.start(t)
	l.settle(t)
	for _, s := range []*sender{o.tcp, o.udp} {
		there := s.stored(t, l)
		last, holes := -1, 0
		for i, ok := range there {
			if ok {
				holes += i - last - 1
				last = i
			}
		}
		if s.transport == "udp" && dropped > 0 {
			t.Logf("the kernel dropped %v datagrams before the stop: holes over UDP are not judged", dropped)
		} else if holes != 0 {
			t.Errorf("%s: %d records before the last stored one are missing", s.transport, holes)
		}
		if last < 0 || s.sent[last].at.Before(asked.Add(-time.Second)) {
			t.Errorf("%s: the last of %d records that is stored is %d", s.transport, len(s.sent), last)
		}
		t.Logf("%s: %d records sent, the first %d stored once", s.transport, len(s.sent), last+1)
	}
}

// slack is what a busy machine adds to batch.age: the clock that looks for old
// batches, the file and its fsync, and what lay in the sockets.
const slack = 1500 * time.Millisecond

// freeze halts heplake while it inserts, for long enough that the engine
// finishes: what is inserted then is still in the spool when heplake is killed,
// and is sent again after the restart.
func freeze(t *testing.T, l *lake) {
	t.Helper()
	eventually(t, "a batch in the spool", func() bool {
		files, _ := filepath.Glob(filepath.Join(l.dir, "data", "spool", "*.batch"))
		return len(files) > 0
	})
	time.Sleep(rand.N(10 * time.Millisecond))
	l.signal(t, syscall.SIGSTOP)
	time.Sleep(300 * time.Millisecond)
}

func heplakeKilled(t *testing.T, l *lake, name string) {
	o := startLoad(l, name, false)
	type outage struct{ from, to time.Time }
	var outages []outage
	for range perRound / 2 {
		nap()
		nap()
		from := time.Now().Add(-batchAge - slack)
		freeze(t, l)
		l.signal(t, syscall.SIGKILL)
		_ = l.wait(t)
		l.start(t)
		outages = append(outages, outage{from, time.Now()})
		o.to(l)
	}
	nap()
	o.halt()
	l.settle(t)
	for _, s := range []*sender{o.tcp, o.udp} {
		missing := s.missing(t, l)
		var earliest time.Duration // how long before the kill the oldest lost record was sent
	next:
		for _, r := range missing {
			for _, out := range outages {
				if !r.at.Before(out.from) && r.at.Before(out.to) {
					earliest = max(earliest, out.from.Add(batchAge+slack).Sub(r.at))
					continue next
				}
			}
			t.Errorf("%s: a record sent at %s is missing, long before or after a kill", s.transport, r.at.Format(time.TimeOnly))
			break
		}
		if len(missing) > 0 && len(missing) == len(s.sent) {
			t.Errorf("%s: everything is missing", s.transport)
		}
		t.Logf("%s: %d records sent, %d missing after %d kills, sent at most %s before one", s.transport, len(s.sent), len(missing), len(outages), earliest.Round(time.Millisecond))
	}
}
