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

// perRound is how often a round kills: the engine twice, heplake twice, and one
// stop and one hanging engine besides.
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

// nap is a random time under load.
func nap() { time.Sleep(300*time.Millisecond + rand.N(700*time.Millisecond)) }

// round is what a step works with.
type round struct {
	*testing.T
	*lake
	*line
	probe *probe
	name  string // of its records
}

func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	l := open(t)
	p := startProbe(t, l.dir)
	defer p.end()
	var table report
	defer table.write(t)
	for n := range rounds(t) {
		for _, step := range []struct {
			what string
			f    func(round)
		}{
			{"engine kill -9", engineKilled},
			{"engine hangs 3 s", engineHangs},
			{"heplake SIGTERM at full speed", stopped},
			{"heplake kill -9", heplakeKilled},
		} {
			name := fmt.Sprintf("%d-%s", n, strings.ReplaceAll(step.what, " ", "-"))
			ok := t.Run(name, func(t *testing.T) {
				step.f(round{t, l, table.line(step.what), p, name})
			})
			if !ok {
				return // what comes after would be judged by what this left behind
			}
		}
	}
}

const kernelDrops = `heplake_dropped_total{reason="kernel_buffer",stage="listen"}`

// load is a sender of each transport.
type load []*sender

func (r round) load() load {
	var o load
	for _, transport := range []string{"tcp", "udp", "http"} {
		o = append(o, startSender(r.lake, transport, r.name+"-"+transport, nil))
	}
	return o
}

func (o load) to(l *lake) {
	for _, s := range o {
		s.to(l)
	}
}

func (o load) halt() {
	for _, s := range o {
		s.halt()
	}
}

// count enters in the table what became of the sender's records.
func (r round) count(s *sender, missing, excused int) {
	for _, rec := range s.sent {
		if rec.whole {
			r.line.sent++
		}
	}
	r.missing += missing
	r.excused += excused
}

// nothingLost checks that what was sent is stored, but for the datagrams that
// the kernel dropped and heplake counted.
func (r round) nothingLost(o load, before map[string]float64) {
	r.Helper()
	o.halt()
	after := r.settle(r.T)
	counted := int(after[kernelDrops] - before[kernelDrops])
	for _, s := range o {
		n, excused := len(r.missingOf(s)), 0
		if s.transport == "udp" {
			excused = counted
		}
		if n != excused {
			r.Errorf("%s: %d of %d records are missing, counted as dropped by the kernel are %d", s.transport, n, len(s.sent), excused)
		}
		r.count(s, n, excused)
		r.Logf("%s: %d records sent, stored once", s.transport, len(s.sent))
	}
	if other := after["heplake_dropped_total"] - after[kernelDrops]; other != 0 {
		r.Errorf("%v records dropped by heplake", other)
	}
}

func engineKilled(r round) {
	before := r.settle(r.T)
	o := r.load()
	killed := 0
	for range perRound / 2 {
		nap()
		eventually(r.T, "the engine is back", func() bool { pid := r.engine(); return pid != 0 && pid != killed })
		killed = r.engine()
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			r.Fatal(err)
		}
		r.kills++
		r.books(r.T)
	}
	nap()
	r.nothingLost(o, before)
}

func engineHangs(r round) {
	before := r.settle(r.T)
	o := r.load()
	nap()
	pid := r.engine()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		r.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	waiting := r.books(r.T)["heplake_waiting"]
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		r.Fatal(err)
	}
	r.kills++
	if waiting == 0 {
		r.Error("nothing waits though the engine does not answer")
	}
	nap()
	r.nothingLost(o, before)
}

// stopped sends over every transport as fast as heplake takes it, and asks it
// to stop. A TCP sender that heeds the end of its connection loses nothing; of
// one that goes on the beginning is stored, without a hole. Of what came over
// UDP before the sockets were gone each datagram is stored or in the final
// books. What was posted and answered is stored.
func stopped(r round) {
	before := r.settle(r.T)
	fast := func(s *sender) { s.flatOut = true }
	heeding := startSender(r.lake, "tcp", r.name+"-heeding", func(s *sender) { s.flatOut, s.heeds = true, true })
	deaf := startSender(r.lake, "tcp", r.name+"-deaf", fast)
	udp := startSender(r.lake, "udp", r.name+"-udp", fast)
	posting := startSender(r.lake, "http", r.name+"-http", nil)
	time.Sleep(1500 * time.Millisecond)
	r.books(r.T)
	asked := time.Now()
	r.signal(r.T, syscall.SIGTERM)
	if err := r.wait(r.T); err != nil {
		r.Errorf("heplake ended with %v", err)
	}
	r.kills++
	took := time.Since(asked)
	for _, s := range []*sender{heeding, deaf, udp, posting} {
		s.halt()
	}
	final := r.lastBooks(r.T)
	r.start(r.T)
	r.settle(r.T)

	answered := 0
	for _, rec := range posting.sent {
		if rec.whole {
			answered++
		}
	}
	for _, s := range []*sender{heeding, posting} {
		n := len(r.missingOf(s))
		if n != 0 {
			r.Errorf("%s: %d of %d records are missing", s.name, n, len(s.sent))
		}
		r.count(s, n, 0)
	}

	last, holes := -1, 0
	for i, ok := range r.storedOf(deaf) {
		if ok {
			holes += i - last - 1
			last = i
		}
	}
	if holes != 0 {
		r.Errorf("deaf: %d records before the last stored one are missing", holes)
	}
	if last < 0 || deaf.sent[last].at.Before(asked.Add(-time.Second)) {
		r.Errorf("deaf: the last of %d records that is stored is %d", len(deaf.sent), last)
	}

	counted := int(final["dropped.listen.kernel_buffer"] - before[kernelDrops])
	// Those that were refused: the sender hears of the first a moment later.
	const met = 20
	n := len(r.missingOf(udp))
	if n < counted || n > counted+met {
		r.Errorf("udp: %d of %d records are missing, %d are in the final books", n, len(udp.sent), counted)
	}
	r.count(udp, n, n)
	r.Logf("stopped in %s; heeding %d, posted and answered %d: all stored; deaf %d sent, the first %d stored; udp %d sent, %d missing, %d counted",
		took.Round(time.Millisecond), len(heeding.sent), answered, len(deaf.sent), last+1, len(udp.sent), n, counted)
}

// freeze halts heplake while it inserts, for long enough that the engine
// finishes: what is inserted then is still in the spool when heplake is killed,
// and is sent again after the restart. It returns when heplake ran last.
func (r round) freeze() time.Time {
	r.Helper()
	eventually(r.T, "a batch in the spool", func() bool {
		files, _ := filepath.Glob(filepath.Join(r.dir, "data", "spool", "*.batch"))
		return len(files) > 0
	})
	time.Sleep(rand.N(10 * time.Millisecond))
	at := time.Now()
	r.signal(r.T, syscall.SIGSTOP)
	time.Sleep(300 * time.Millisecond)
	return at
}

// outage is from the moment that heplake was killed until it is back. What was
// sent within allowed before may be lost.
type outage struct {
	from, to time.Time
	allowed  time.Duration
}

// allowed is what a kill may cost: batch.age, the time until the clock looks
// for old batches, and what this machine takes to write those of two workers,
// one after the other.
func (r round) allowed(at time.Time) time.Duration {
	return batchAge + batchAge/4 + 2*(r.probe.worst(at)+10*time.Millisecond)
}

func heplakeKilled(r round) {
	o := r.load()
	var outages []outage
	for i := range perRound / 2 {
		nap()
		nap()
		at := time.Now()
		if i%2 == 0 {
			at = r.freeze()
		}
		r.signal(r.T, syscall.SIGKILL)
		_ = r.wait(r.T)
		r.kills++
		allowed := r.allowed(at)
		r.start(r.T)
		outages = append(outages, outage{at, time.Now(), allowed})
		o.to(r.lake)
	}
	nap()
	o.halt()
	r.settle(r.T)
	for _, s := range o {
		missing := r.missingOf(s)
		if s.transport == "http" && len(missing) > 0 {
			r.Errorf("http: %d of %d records that were answered for are missing", len(missing), len(s.sent))
		}
		var oldest time.Duration // how long before a kill the oldest lost record was sent
	next:
		for _, rec := range missing {
			for _, out := range outages {
				if !rec.at.Before(out.from.Add(-out.allowed)) && rec.at.Before(out.to) {
					oldest = max(oldest, out.from.Sub(rec.at))
					r.line.allowed = max(r.line.allowed, out.allowed)
					continue next
				}
			}
			r.Errorf("%s: a record sent at %s is missing, too long before or after a kill: %v", s.transport, rec.at.Format("15:04:05.000"), outages)
			break
		}
		if len(missing) > 0 && len(missing) == len(s.sent) {
			r.Errorf("%s: everything is missing", s.transport)
		}
		r.line.oldest = max(r.line.oldest, oldest)
		r.count(s, len(missing), len(missing))
		r.Logf("%s: %d records sent, %d missing after %d kills, sent at most %s before one; allowed %s", s.transport, len(s.sent), len(missing), len(outages),
			oldest.Round(time.Millisecond), outages[0].allowed.Round(time.Millisecond))
	}
}
