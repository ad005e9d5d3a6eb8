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

func heplakeKilled(r round) { killHeplake(r, time.Now) }

func heplakeKilledInserting(r round) { killHeplake(r, r.freeze) }

// bothKilled kills the engine and heplake, at once or one a little after the other.
func bothKilled(r round) {
	killHeplake(r, func() time.Time {
		r.kill(r.back(), syscall.SIGKILL)
		if rand.N(2) == 0 {
			time.Sleep(rand.N(400 * time.Millisecond))
		}
		return time.Now()
	})
}

// killHeplake has heplake killed after prepare, which says when it ran last. What
// was answered for is stored. Of the rest what is missing was sent shortly before
// that, or while there was no heplake.
func killHeplake(r round, prepare func() time.Time) {
	before := r.books(r.T)
	o := r.load()
	nap()
	nap()
	asked := time.Now()
	last := r.books(r.T) // as the dead tell nothing
	at := prepare()
	r.signal(r.T, syscall.SIGKILL)
	_ = r.wait(r.T)
	allowed := r.allowed(before, last, asked, at)
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

// allowed is how long before a kill what is missing may have been sent: batch.age
// and the time until the clock looks for old batches, which heplake promises, and
// what it took here beyond. That is measured: by heplake itself, up to the books
// that were asked for shortly before the kill, how late it received a record at
// worst, and how long batches under load took on their way into the spool; and by
// the probe, which writes as the spool does, what the disk and the processor took
// around the kill, when heplake could tell no more.
func (r round) allowed(before, last map[string]float64, asked, at time.Time) time.Duration {
	late := -last["heplake_agent_clock_skew_seconds{min}"]
	spooling := 0.0
	for _, name := range []string{"heplake_seal_seconds_sum", "heplake_spool_write_seconds_sum"} {
		spooling += last[name] - before[name]
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return batchAge + batchAge/8 + seconds(max(0, late)) + seconds(spooling) + r.probe.worst(asked, at)
}
