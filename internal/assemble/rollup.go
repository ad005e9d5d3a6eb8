package assemble

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

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

// fillRows is the default of Config.FillRows.
const fillRows = 1_000_000

// fillWork is what computing a group of buckets is worth, in legs.
const fillWork = 500

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

// resume finds what changed and may not be in the rollups: what an earlier
// process wrote before it ended, as long ago as a change waits at most.
func (a *Assembler) resume(ctx context.Context) error {
	const margin = int((refillFewOldest + refillLongest) / time.Microsecond)
	for _, r := range a.rollups {
		sql := "SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfMinute(start))) FROM " + a.table(r.rows.Name) +
			" WHERE version + " + strconv.Itoa(margin) + " >= (SELECT max(version) FROM " + a.table(r.TableName(schema.Resolutions[0])) + ")"
		err := a.rows(ctx, sql, func(row *reader) { r.changeAll(row.int64()) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Recount computes the rollups of all that changed since then anew: what was
// counted while rows were not as they should be.
func (a *Assembler) Recount(ctx context.Context, since time.Duration) error {
	now, err := a.serverTime(ctx)
	if err != nil {
		return err
	}
	for _, r := range a.rollups {
		sql := "SELECT DISTINCT toInt64(toUnixTimestamp(toStartOfMinute(start))) FROM " + a.table(r.rows.Name) +
			" WHERE version >= " + strconv.FormatInt(now.Add(-since).UnixMicro(), 10)
		if err := a.rows(ctx, sql, func(row *reader) { r.changeAll(row.int64()) }); err != nil {
			return err
		}
	}
	return a.rollUp(ctx, now, true, math.MaxInt64)
}

// rollUp computes the buckets that are due, the newest first, until the time is up;
// all that changed, if everything is wanted at once.
func (a *Assembler) rollUp(ctx context.Context, at time.Time, everything bool, budget time.Duration) error {
	began := time.Now()
	for _, r := range a.rollups {
		for place := range schema.Resolutions {
			due := r.due(place, everything, at)
			start := time.Now()
			for _, group := range slices.Backward(groups(due, place)) {
				parts := [][]int64{group}
				if place == 0 && len(group) > 1 {
					if err := a.countRows(ctx, r, group); err != nil {
						return err
					}
					parts = r.split(group, cmp.Or(a.cfg.FillRows, fillRows))
				}
				for _, part := range slices.Backward(parts) {
					if time.Since(began) > budget {
						return nil
					}
					if err := a.fill(ctx, r, place, part, a.clock.next(at)); err != nil {
						return fmt.Errorf("assemble: rollup %s: %w", r.TableName(schema.Resolutions[place]), err)
					}
					r.took[place] = time.Since(start)
					r.filled(place, part)
					a.worked += fillWork
				}
			}
			if len(due) > 0 {
				r.done[place] = time.Now()
			}
		}
	}
	return nil
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

// countRows notes how many rows there are of each of some minutes of an hour, older
// versions included. It reads one column.
func (a *Assembler) countRows(ctx context.Context, r *rollup, minutes []int64) error {
	hour := hourOf(time.Unix(minutes[0], 0).UTC())
	counts := map[int64]int{}
	err := a.rows(ctx, "SELECT toInt64(toUnixTimestamp(toStartOfMinute(start))) AS minute, toUInt64(count()) FROM "+a.table(r.rows.Name)+
		" WHERE "+hours(hour, hour)+" GROUP BY minute", func(row *reader) {
		minute := row.int64()
		counts[minute] = int(row.uint64())
	})
	for _, at := range minutes {
		r.buckets[0][at].rows = counts[at]
	}
	return err
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

// fill computes some buckets.
func (a *Assembler) fill(ctx context.Context, r *rollup, place int, list []int64, version uint64) error {
	o := schema.Options{Database: a.cfg.Database}
	width := schema.Resolutions[place].Seconds
	stamps := make([]string, len(list))
	for i, at := range list {
		stamps[i] = "toDateTime(" + strconv.FormatInt(max(0, at), 10) + ", 'UTC')"
	}
	buckets := "bucket IN (" + strings.Join(stamps, ", ") + ")"
	from, to := time.Unix(list[0], 0).UTC(), time.Unix(list[len(list)-1]+width, 0).UTC()
	var sql string
	if place == 0 {
		condition := hours(hourOf(from), hourOf(from)) + " AND toStartOfMinute(start) IN (" + strings.Join(stamps, ", ") + ")"
		sql = r.FillSQL(o, condition, buckets, version)
	} else {
		w := strconv.FormatInt(width, 10)
		finer := "f.bucket >= toDateTime(" + strconv.FormatInt(from.Unix(), 10) + ", 'UTC') AND f.bucket < toDateTime(" + strconv.FormatInt(to.Unix(), 10) + ", 'UTC')" +
			" AND intDiv(toUInt32(f.bucket), " + w + ") * " + w + " IN (" + joinInts(list) + ")"
		sql = r.CoarsenSQL(o, place, finer, buckets, version)
	}
	return a.cfg.Conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_threads": 1, "max_query_size": 16 << 20, "insert_deduplicate": 0, "log_comment": "heplake assembler", "max_partitions_per_insert_block": 0,
		// In a cluster: rows go where their key says, not where they were read.
		"distributed_foreground_insert": 1, "parallel_distributed_insert_select": 0, "load_balancing": sameReplica,
	})), sql)
}
