//go:build linux

package kill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how many kills were asked for; 0: each way once.
func kills(t *testing.T) int {
	s := os.Getenv("HEPLAKE_SOAK")
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("HEPLAKE_SOAK takes a number of kills, not %q", s)
	}
	return n
}

// nap is a random time under load.
func nap() { time.Sleep(200*time.Millisecond + rand.N(800*time.Millisecond)) }

// round is what a kill works with.
type round struct {
	*testing.T
	*lake
	*line
	name string // of its records
}

// way is a way of killing. A soak does it so many times out of twenty.
type way struct {
	what  string
	share int
	f     func(round)
}

var ways = []way{
	{"engine kill -9", 4, engineKilled},
	{"engine hangs", 2, engineHangs},
	{"heplake SIGTERM at full speed", 3, stopped},
	{"the same, a sender is deaf to it", 1, stoppedWithADeafSender},
	{"heplake kill -9", 5, heplakeKilled},
	{"heplake kill -9 as it inserts", 2, heplakeKilledInserting},
	{"both kill -9", 3, bothKilled},
}

// deck is so many ways in random order: each as often as its share says, and at
// least once where there is room. 0 is each once.
func deck(n int) []way {
	var all []way
	for n == 0 && len(all) == 0 || len(all) < n {
		hand := slices.Clone(ways)
		for _, w := range ways {
			for i := 1; n > 0 && i < w.share; i++ {
				hand = append(hand, w)
			}
		}
		rest := hand[len(ways):]
		rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		if n > 0 {
			hand = hand[:min(len(hand), n-len(all))]
		}
		rand.Shuffle(len(hand), func(i, j int) { hand[i], hand[j] = hand[j], hand[i] })
		all = append(all, hand...)
	}
	return all
}

// TestKills kills once, compares what was sent with what is stored, and goes on
// with the same data folder.
func TestKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	l := open(t)
	var table report
	defer table.write(t)
	for n, w := range deck(kills(t)) {
		name := fmt.Sprintf("%03d-%s", n, strings.NewReplacer(" ", "-", ",", "").Replace(w.what))
		ok := t.Run(name, func(t *testing.T) {
			line := table.line(w.what)
			line.kills++
			w.f(round{t, l, line, name})
			// What earlier kills left is still as it was found then.
			if n := l.query(t, "SELECT count() FROM sip"); strings.TrimSpace(n) != strconv.Itoa(l.seen) {
				t.Errorf("%s rows are stored in all, %d were found", strings.TrimSpace(n), l.seen)
			}
		})
		if !ok {
			return // what comes after would be judged by what this left behind
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
