package assemble

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/schema"
)

// fillRows is the default of Config.FillRows.
const fillRows = 1_000_000

// fillWork is what computing a group of buckets is worth, in legs.
const fillWork = 500

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
			for part, err := range a.parts(ctx, r, place, due) {
				if err != nil {
					return err
				}
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
			if len(due) > 0 {
				r.done[place] = time.Now()
			}
		}
	}
	return nil
}

// parts are the buckets that are filled at a time, the newest first. Rows are counted
// as it comes to them.
func (a *Assembler) parts(ctx context.Context, r *rollup, place int, due []int64) iter.Seq2[[]int64, error] {
	return func(yield func([]int64, error) bool) {
		for _, group := range slices.Backward(groups(due, place)) {
			parts := [][]int64{group}
			if place == 0 && len(group) > 1 {
				if err := a.countRows(ctx, r, group); err != nil {
					yield(nil, err)
					return
				}
				parts = r.split(group, cmp.Or(a.cfg.FillRows, fillRows))
			}
			for _, part := range slices.Backward(parts) {
				if !yield(part, nil) {
					return
				}
			}
		}
	}
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
