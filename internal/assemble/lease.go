package assemble

import (
	"context"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/schema"
)

// lease takes or keeps the work: mine tells whether it is ours. Two processes
// may think so for a moment, which does no harm.
func (a *Assembler) lease(ctx context.Context) (mine bool, err error) {
	if time.Since(a.leaseAt) < a.cfg.Lease/leaseSigns {
		return true, nil
	}
	holder, done, signed, age, err := a.state(ctx)
	if err != nil {
		return false, err
	}
	if holder != a.holder && holder != "" && age < a.cfg.Lease {
		a.leaseAt, a.done, a.settledAt, a.waiting = time.Time{}, time.Time{}, time.Time{}, nil
		a.inbox.close()
		a.looked, a.resumed = false, false
		a.clock.looked = time.Time{}
		a.cache.reset()
		clear(a.read)
		return false, nil
	}
	if a.done.IsZero() && !done.IsZero() {
		a.done, a.settledAt = done, done
	}
	if holder != a.holder && holder != "" {
		a.died, a.doubtUntil = signed, time.Now().Add(a.cfg.Lease)
	}
	if err := a.record(ctx, a.holder); err != nil {
		return false, err
	}
	// Nobody takes it while it is ours, but somebody else may have found it free, too.
	if holder != a.holder || age >= a.cfg.Lease {
		if holder, _, _, _, err = a.state(ctx); err != nil || holder != a.holder {
			return false, err
		}
	}
	a.leaseAt = time.Now()
	return true, nil
}

// state reads who works, how far it is, when it said so, and how long ago that was.
func (a *Assembler) state(ctx context.Context) (holder string, done, signed time.Time, age time.Duration, err error) {
	sql := "SELECT holder, done, time, now64(6) FROM " + a.table("assembler") + " ORDER BY time DESC, holder DESC LIMIT 1"
	err = a.rows(ctx, sql, func(r *reader) {
		holder, done = r.string(), time.UnixMicro(r.int64()).UTC()
		signed = time.UnixMicro(r.int64()).UTC()
		age = a.clock.sign.Silence(signed, time.UnixMicro(r.int64()))
	})
	if done.Unix() <= 0 {
		done = time.Time{}
	}
	return holder, done, signed, age, err
}

// Release gives the work back when Run has ended: another process need not wait to
// take it, nor look for what this one had in memory.
func (a *Assembler) Release(ctx context.Context) error {
	a.inbox.close()
	if a.leaseAt.IsZero() {
		return nil // it is not ours
	}
	a.leaseAt = time.Time{}
	// The row must be newer than our last, and that may be of a time to come.
	if holder, _, _, _, err := a.state(ctx); err != nil || holder != a.holder {
		return err
	}
	return a.record(ctx, "")
}

// record says who works, and how far we are.
func (a *Assembler) record(ctx context.Context, holder string) error {
	done := "0"
	if !a.settledAt.IsZero() {
		done = strconv.FormatInt(a.settledAt.UnixMicro(), 10)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"distributed_foreground_insert": 1, "load_balancing": sameReplica}))
	newest := "greatest(now64(6), fromUnixTimestamp64Micro(toInt64(" + strconv.FormatInt(max(0, a.clock.sign.Row.UnixMicro())+1, 10) + ")))"
	return a.cfg.Conn.Exec(ctx, "INSERT INTO "+a.table("assembler")+" (time, holder, done) SELECT "+newest+", "+schema.Quote(holder)+", fromUnixTimestamp64Micro(toInt64("+done+"))")
}

// takeOver notes since when the work is ours, if somebody did it before.
func (a *Assembler) takeOver(ctx context.Context, now time.Time) error {
	a.tookOver = time.Time{}
	for _, t := range []*schema.Table{&schema.CallRows, &schema.RegistrationRows} {
		if err := a.rows(ctx, "SELECT 1 FROM "+a.table(t.Name)+" LIMIT 1", func(r *reader) { r.uint8(); a.tookOver = now }); err != nil {
			return err
		}
	}
	return nil
}

// doubtful reports whether another process may still write rows.
func (a *Assembler) doubtful() bool { return time.Now().Before(a.doubtUntil) }

// inherited reports whether another process may have written a row of what began
// then: it knew messages of the time, as far as clocks of agents are ahead by less.
func (a *Assembler) inherited(start time.Time) bool {
	const ahead = time.Minute
	return !a.tookOver.IsZero() && start.Before(a.tookOver.Add(ahead))
}
