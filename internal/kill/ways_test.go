//go:build linux

package kill

import (
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"time"
)

// back returns the engine's process once there is one.
func (r round) back() (pid int) {
	r.Helper()
	eventually(r.T, "the engine is back", func() bool { pid = r.engine(); return pid != 0 })
	return pid
}

func (r round) kill(pid int, s syscall.Signal) {
	r.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		r.Fatal(err)
	}
}

func engineKilled(r round) {
	before := r.settle(r.T)
	o := r.load()
	nap()
	r.kill(r.back(), syscall.SIGKILL)
	r.books(r.T)
	nap()
	r.nothingLost(o, before)
}

func engineHangs(r round) {
	before := r.settle(r.T)
	o := r.load()
	nap()
	pid := r.back()
	r.kill(pid, syscall.SIGSTOP)
	time.Sleep(time.Second + rand.N(2*time.Second))
	waiting := r.books(r.T)["heplake_waiting"]
	r.kill(pid, syscall.SIGCONT)
	if waiting == 0 {
		r.Error("nothing waits though the engine does not answer")
	}
	nap()
	r.nothingLost(o, before)
}

func stopped(r round) { stop(r, false) }

func stoppedWithADeafSender(r round) { stop(r, true) }

// stop sends over every transport as fast as heplake takes it, and asks it
// to stop. A TCP sender that heeds the end of its connection loses nothing; of
// one that goes on the beginning is stored, without a hole. Of what came over
// UDP before the sockets were gone each datagram is stored or in the final
// books. What was posted and answered is stored.
func stop(r round, withDeaf bool) {
	before := r.settle(r.T)
	fast := func(s *sender) { s.flatOut = true }
	heeding := startSender(r.lake, "tcp", r.name+"-heeding", func(s *sender) { s.flatOut, s.heeds = true, true })
	udp := startSender(r.lake, "udp", r.name+"-udp", fast)
	posting := startSender(r.lake, "http", r.name+"-http", nil)
	all := []*sender{heeding, udp, posting}
	var deaf *sender
	if withDeaf {
		deaf = startSender(r.lake, "tcp", r.name+"-deaf", fast)
		all = append(all, deaf)
	}
	nap()
	r.books(r.T)
	asked := time.Now()
	r.signal(r.T, syscall.SIGTERM)
	if err := r.wait(r.T); err != nil {
		r.Errorf("heplake ended with %v", err)
	}
	took := time.Since(asked)
	for _, s := range all {
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

	counted := int(final["dropped.listen.kernel_buffer"] - before[kernelDrops])
	// Those that were refused: the sender hears of the first a moment later.
	const met = 20
	n := len(r.missingOf(udp))
	if n < counted || n > counted+met {
		r.Errorf("udp: %d of %d records are missing, %d are in the final books", n, len(udp.sent), counted)
	}
	r.count(udp, n, n)
	r.Logf("stopped in %s; heeding %d, posted and answered %d: all stored; udp %d sent, %d missing, %d counted",
		took.Round(time.Millisecond), len(heeding.sent), answered, len(udp.sent), n, counted)
	if !withDeaf {
		return
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
	r.Logf("deaf: %d sent, the first %d stored", len(deaf.sent), last+1)
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

func heplakeKilled(r round) { killHeplake(r, func() {}, time.Now) }

func heplakeKilledInserting(r round) { killHeplake(r, func() {}, r.freeze) }

// bothKilled kills the engine and heplake, at once or one a little after the other.
func bothKilled(r round) {
	engine := func() {
		r.kill(r.back(), syscall.SIGKILL)
		if rand.N(2) == 0 {
			time.Sleep(rand.N(400 * time.Millisecond))
		}
	}
	killHeplake(r, engine, time.Now)
}

// killHeplake has heplake killed after prepare and last, which says when it ran
// last. What was answered for is stored. Of the rest what is missing was sent
// shortly before that, or while there was no heplake.
func killHeplake(r round, prepare func(), last func() time.Time) {
	o := r.load()
	nap()
	nap()
	prepare()
	asked := time.Now()
	books := r.books(r.T) // as the dead tell nothing
	at := last()
	r.signal(r.T, syscall.SIGKILL)
	_ = r.wait(r.T)
	allowed := r.allowed(books) + at.Sub(asked)
	r.start(r.T)
	to := time.Now()
	o.to(r.lake)
	nap()
	o.halt()
	r.settle(r.T)
	r.line.allowed = max(r.line.allowed, allowed)
	for _, s := range o {
		missing := r.missingOf(s)
		if s.transport == "http" && len(missing) > 0 {
			r.Errorf("http: %d of %d records that were answered for are missing", len(missing), len(s.sent))
		}
		var oldest time.Duration // how long before the kill the oldest lost record was sent
		for _, rec := range missing {
			if rec.at.Before(at.Add(-allowed)) || !rec.at.Before(to) {
				r.Errorf("%s: a record sent %s before the kill is missing (back %s after it); allowed are %s", s.transport, at.Sub(rec.at), to.Sub(at), allowed)
				break
			}
			oldest = max(oldest, at.Sub(rec.at))
		}
		if len(missing) > 0 && len(missing) == len(s.sent) {
			r.Errorf("%s: everything is missing", s.transport)
		}
		r.line.oldest = max(r.line.oldest, oldest)
		r.count(s, len(missing), len(missing))
		r.Logf("%s: %d records sent, %d missing, sent at most %s before the kill; allowed %s", s.transport, len(s.sent), len(missing),
			oldest.Round(time.Millisecond), allowed.Round(time.Millisecond))
	}
}

// allowed is how long before it gave these figures a heplake that is killed may
// have been sent what is missing: since the first packet came that was not in the
// spool, and as late as it received packets at worst. The former must be a matter
// of batch.age: see report.
func (r round) allowed(books map[string]float64) time.Duration {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	waited := seconds(books["heplake_unspooled_oldest_seconds"])
	r.line.waited = append(r.line.waited, waited)
	return waited + seconds(max(0, -books["heplake_agent_clock_skew_seconds{min}"]))
}
