package assemble

import (
	"maps"
	"slices"
	"time"

	"github.com/heplake/heplake/schema"
)

// When buckets are computed: after a change, all that changed together, but not more
// often than this, by resolution; and once more when time alone has decided what was
// undecided. Series read the newest of them from the calls' rows.
var refillEvery = []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}

// refillShare bounds the time that filling takes: it is not done again before this many
// times as long as it took last time, and refillLongest at most: who reads series has the
// newest ten minutes of the calls.
const (
	refillShare   = 1000
	refillLongest = 6 * time.Minute
)

// refillAge and refillOldest: a minute that was filled is filled again after this part of
// its age, and that long at most. Calls end that began long ago, so that nearly all minutes
// of an hour change all the time, the older the less.
const (
	refillAge    = 6
	refillOldest = 10 * time.Minute
)

// Of a minute of some time ago little changes: a call of two hours ends, of tens of
// thousands. While that is less than a part in refillFew of its rows, it waits for half its
// age, refillFewOldest at most.
const (
	refillFew       = 50
	refillFewAge    = 2
	refillFewOldest = 30 * time.Minute
)

// settleAfter is how long after a change every call of a minute that will never
// be answered is known to be so: timer C, and a little. keepSettled is how old a minute must
// be to be forgotten, then.
const (
	settleAfter = 200 * time.Second
	keepSettled = 3 * time.Hour
)

// bucket is the state of one bucket of a rollup.
type bucket struct {
	changed         bool
	changedAt, done time.Time
	// settled says, of a minute, that it was filled when time could decide nothing more.
	settled bool
	// changes are how many rows changed since it was filled, rows how many there were
	// then, of a minute that was filled with others; 0 when that is not known.
	changes, rows int
}

// rollup keeps the tables of one schema.Rollup true.
type rollup struct {
	*schema.Rollup
	// rows is the table whose versions tell what changed.
	rows *schema.Table
	// buckets are those in work, by resolution and start; took is how long it took
	// to fill some, by resolution, and done when all that were due had been.
	buckets [3]map[int64]*bucket
	took    [3]time.Duration
	done    [3]time.Time
}

func newRollups() []*rollup {
	out := []*rollup{{Rollup: &schema.CallRollup, rows: &schema.CallRows}, {Rollup: &schema.RegistrationRollup, rows: &schema.RegistrationRows}}
	for _, r := range out {
		for i := range r.buckets {
			r.buckets[i] = map[int64]*bucket{}
		}
	}
	return out
}

// change notes that something that began in the minute is not as it was.
func (r *rollup) change(start time.Time) { r.changeBucket(0, start.Unix()) }

func (r *rollup) changeBucket(place int, at int64) {
	at -= mod(at, schema.Resolutions[place].Seconds)
	b := r.buckets[place][at]
	if b == nil {
		b = &bucket{}
		r.buckets[place][at] = b
	}
	b.changed, b.changedAt, b.settled = true, time.Now(), false
	b.changes++
}

// changeAll notes that nobody knows how much of a minute is as it was.
func (r *rollup) changeAll(minute int64) {
	r.changeBucket(0, minute)
	r.buckets[0][minute].rows = 0
}

func mod(t, step int64) int64 {
	m := t % step
	if m < 0 {
		m += step
	}
	return m
}

// due lists the buckets to compute at the server's time now, in order. Those of hours and
// days that are as their minutes say it forgets, once they could be computed again, and
// settled minutes after a while.
func (r *rollup) due(place int, everything bool, now time.Time) []int64 {
	var out []int64
	every := max(refillEvery[place], min(refillShare*r.took[place], refillLongest))
	soon := time.Since(r.done[place]) < every
	for at, b := range r.buckets[place] {
		if place > 0 && !b.changed {
			if time.Since(b.done) >= every {
				delete(r.buckets[place], at) // until then done says that it is not its time yet
			}
			continue
		}
		again, age := every, now.Sub(time.Unix(at, 0))
		if place == 0 {
			if b.settled {
				if age > keepSettled {
					delete(r.buckets[place], at)
				}
				continue
			}
			again = max(every, min(age/refillAge, refillOldest))
			if b.changed && b.changes*refillFew < b.rows {
				again = max(again, min(age/refillFewAge, refillFewOldest))
			}
		}
		// done of those for which there was time is later than that of all.
		if (b.changed || time.Since(b.changedAt) >= settleAfter) && (everything || !soon && time.Since(b.done) >= again) {
			out = append(out, at)
		}
	}
	slices.Sort(out)
	return out
}

// filled notes that buckets are as the rows say, and that those they are part of
// are not.
func (r *rollup) filled(place int, list []int64) {
	for _, at := range list {
		b := r.buckets[place][at]
		b.settled = place == 0 && time.Since(b.changedAt) >= settleAfter
		b.changed, b.changes, b.done = false, 0, time.Now()
		if place+1 < len(schema.Resolutions) {
			r.changeBucket(place+1, at)
		}
	}
}

// groups splits buckets so that each group's lie in one hour (day, year): one
// partition of what they are made of, few rows.
func groups(list []int64, place int) [][]int64 {
	width := []int64{3600, 86400, 366 * 86400}[place]
	byWidth := map[int64][]int64{}
	for _, at := range list {
		byWidth[at-mod(at, width)] = append(byWidth[at-mod(at, width)], at)
	}
	var out [][]int64
	for _, k := range slices.Sorted(maps.Keys(byWidth)) {
		out = append(out, byWidth[k])
	}
	return out
}

// split splits minutes of an hour so that no part has more rows, unless it is one minute.
func (r *rollup) split(minutes []int64, most int) (parts [][]int64) {
	rows, from := 0, 0
	for i, at := range minutes {
		n := r.buckets[0][at].rows
		if i > from && rows+n > most {
			parts, rows, from = append(parts, minutes[from:i]), 0, i
		}
		rows += n
	}
	return append(parts, minutes[from:])
}
