package assemble

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/schema"
)

// Config says what an assembler works on.
type Config struct {
	// Conn must speak HTTP. Its user reads and inserts.
	Conn driver.Conn
	// Database holds the tables; schema.Database when empty.
	Database string
	// Links says what makes legs one call; calls.DefaultLinkOptions when nil.
	Links *calls.LinkOptions
	// Log is where failures go; slog.Default when nil.
	Log *slog.Logger
	// Share is the share of the time that passes may take, 0.1 when 0; a quarter of
	// it when there is much to do. No pause is longer than maxPause for it.
	Share float64
}

// How passes follow one another.
const (
	minPause = 100 * time.Millisecond
	maxPause = 30 * time.Second
	// busyLegs is how many legs of a pass make it a busy time: a quarter of the
	// share is left then. A leg is read again in each pass in which it goes on, so
	// that fewer passes are less work; rows come up to maxPause later for it.
	busyLegs = 500
	// passCost and legCost are what a pass, and a leg in it, take on a slow machine.
	passCost, legCost = 30 * time.Millisecond, 200 * time.Microsecond
	// poll is how often it looks without being woken: others may insert, too.
	poll = time.Second
	// An insert's legs are as old as its beginning once they can be seen: passes
	// look back so far, and now and then farther.
	overlap, farOverlap = 15 * time.Second, 5 * time.Minute
	farEvery            = time.Minute
	// leaseTime is how long a process that says nothing keeps the work.
	leaseTime  = 20 * time.Second
	leaseEvery = 5 * time.Second
	// backlog is where the first pass of a database begins.
	backlog = 100 * 365 * 24 * time.Hour
	// passBudget is how long a pass goes on with slots that ended longer than
	// pastAfter ago.
	passBudget, pastAfter = 3 * time.Second, time.Hour
	// pageLegs is how many touched legs are listed, chunkLegs how many are put
	// together, at a time.
	pageLegs, chunkLegs = 50_000, 4_000
)

// Assembler makes calls of legs. It is for one goroutine, but for Wake and the
// metrics.
type Assembler struct {
	cfg    Config
	links  calls.LinkOptions
	log    *slog.Logger
	holder string
	wake   chan struct{}

	// done is the time before which every touched leg is assembled, by the
	// server's clock; zero when that is not known.
	done time.Time
	// pending are the slots with legs to assemble, and since when they were touched;
	// settledAt is what done was before there were any.
	pending   map[time.Time]time.Time
	settledAt time.Time
	// farAt and leaseAt are when the wide look and the lease were last.
	farAt, leaseAt time.Time
	seen           generations[uint64, mark]
	near           nearIndex
	// worked counts the legs of this turn, and what else it did as if it were legs.
	worked  int
	rollups []*rollup
	resumed bool

	calls         *rowBuffer[calls.Call]
	registrations *rowBuffer[calls.Registration]
	metrics       metrics
}

// mark is what a leg was like when it was last assembled.
type mark struct {
	touched int64
	size    uint64
}

// New makes an assembler. It does nothing before Run or Pass.
func New(cfg Config) *Assembler {
	cfg.Database = cmp.Or(cfg.Database, schema.Database)
	cfg.Share = cmp.Or(cfg.Share, 0.1)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	links := calls.DefaultLinkOptions()
	if cfg.Links != nil {
		links = *cfg.Links
	}
	host, _ := os.Hostname()
	return &Assembler{
		cfg: cfg, links: links, log: cfg.Log, holder: host + "/" + uuid.NewString(), wake: make(chan struct{}, 1),
		seen: newGenerations[uint64, mark](500_000), near: newNearIndex(),
		calls: newRowBuffer(&schema.CallRows, callFields), registrations: newRowBuffer(&schema.RegistrationRows, registrationFields),
		pending: map[time.Time]time.Time{}, rollups: newRollups(), metrics: newMetrics(),
	}
}

// Wake says that rows were inserted. It never waits.
func (a *Assembler) Wake() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run makes passes until the context ends. A failed one is tried again.
func (a *Assembler) Run(ctx context.Context) {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = 200*time.Millisecond, 15*time.Second
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		case <-timer.C:
		}
		began := time.Now()
		a.worked = 0
		err := a.turn(ctx)
		// On a busy machine a pass takes longer than it works: what it did counts.
		took := min(time.Since(began), passCost+time.Duration(a.worked)*legCost)
		if ctx.Err() != nil {
			return
		}
		share := a.cfg.Share
		if a.worked > busyLegs {
			share /= 4
		}
		pause := min(max(time.Duration(float64(took)*(1/share-1)), minPause), maxPause)
		if err != nil {
			pause = retry.NextBackOff()
			a.metrics.errors.Inc()
			a.log.Warn("calls could not be assembled; it will be tried again", "wait", pause.Round(time.Millisecond), "error", err)
		} else {
			retry.Reset()
		}
		// Not even a wake-up shortens this pause.
		if !sleep(ctx, pause) {
			return
		}
		timer.Reset(max(0, poll-pause))
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// turn is a pass if the work is ours.
func (a *Assembler) turn(ctx context.Context) error {
	mine, err := a.lease(ctx)
	if err != nil || !mine {
		return err
	}
	return a.pass(ctx, passBudget)
}

// lease takes or keeps the work: mine tells whether it is ours. Two processes
// may think so for a moment, which does no harm.
func (a *Assembler) lease(ctx context.Context) (mine bool, err error) {
	if time.Since(a.leaseAt) < leaseEvery {
		return true, nil
	}
	holder, done, age, err := a.state(ctx)
	if err != nil {
		return false, err
	}
	if holder != a.holder && holder != "" && age < leaseTime {
		a.leaseAt, a.done, a.settledAt = time.Time{}, time.Time{}, time.Time{}
		clear(a.pending)
		return false, nil
	}
	if a.done.IsZero() {
		a.done, a.settledAt = done, done
	}
	if err := a.record(ctx); err != nil {
		return false, err
	}
	if holder, _, _, err = a.state(ctx); err != nil || holder != a.holder {
		return false, err
	}
	a.leaseAt = time.Now()
	return true, nil
}

// state reads who works, how far it is, and how long ago it said so.
func (a *Assembler) state(ctx context.Context) (holder string, done time.Time, age time.Duration, err error) {
	sql := "SELECT holder, done, dateDiff('microsecond', time, now64(6)) FROM " + a.table("assembler") + " ORDER BY time DESC, holder DESC LIMIT 1"
	err = a.rows(ctx, sql, func(r *reader) {
		holder, done, age = r.string(), time.UnixMicro(r.int64()).UTC(), time.Duration(r.int64())*time.Microsecond
	})
	if done.Unix() <= 0 {
		done = time.Time{}
	}
	return holder, done, age, err
}

// record says that we work, and how far we are.
func (a *Assembler) record(ctx context.Context) error {
	done := "0"
	if !a.settledAt.IsZero() {
		done = strconv.FormatInt(a.settledAt.UnixMicro(), 10)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"distributed_foreground_insert": 1, "load_balancing": sameReplica}))
	return a.cfg.Conn.Exec(ctx, "INSERT INTO "+a.table("assembler")+" (time, holder, done) SELECT now64(6), "+schema.Quote(a.holder)+", fromUnixTimestamp64Micro(toInt64("+done+"))")
}

// Pass assembles every leg that was touched since the last pass.
func (a *Assembler) Pass(ctx context.Context) error { return a.pass(ctx, time.Duration(math.MaxInt64)) }

// pass assembles the touched legs of the present. Those of the past, of which
// there may be many, wait for their turn when the time is up.
func (a *Assembler) pass(ctx context.Context, budget time.Duration) error {
	began := time.Now()
	now, err := a.serverTime(ctx)
	if err != nil {
		return err
	}
	since := now.Add(-backlog)
	if !a.done.IsZero() {
		since = a.done.Add(-overlap)
		if far := time.Since(a.farAt) >= farEvery; far {
			since = a.done.Add(-farOverlap)
			a.farAt = began
		}
	}
	slots, err := a.touchedSlots(ctx, since)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if was, ok := a.pending[slot]; !ok || since.Before(was) {
			a.pending[slot] = since
		}
	}
	if a.settledAt.IsZero() {
		a.settledAt = a.done
	}
	for _, slot := range slices.Backward(slices.SortedFunc(maps.Keys(a.pending), time.Time.Compare)) {
		if slot.Before(now.Add(-pastAfter)) && time.Since(began) > budget {
			break
		}
		if err := a.assembleSlot(ctx, slot, a.pending[slot], now); err != nil {
			return err
		}
		delete(a.pending, slot)
	}
	a.done = now
	if len(a.pending) == 0 {
		a.settledAt = now
	}
	if !a.resumed {
		if err := a.resume(ctx); err != nil {
			return err
		}
		a.resumed = true
	}
	if err := a.rollUp(ctx, now, false, budget); err != nil {
		return err
	}
	a.metrics.runs.Inc()
	a.metrics.seconds.Observe(time.Since(began).Seconds())
	a.metrics.pending.Set(float64(len(a.pending)))
	return nil
}

// Settle makes a pass, and computes every rollup that changed, whether it is its
// time or not.
func (a *Assembler) Settle(ctx context.Context) error {
	if err := a.Pass(ctx); err != nil {
		return err
	}
	return a.rollUp(ctx, a.done, true, math.MaxInt64)
}

func (a *Assembler) serverTime(ctx context.Context) (now time.Time, err error) {
	err = a.rows(ctx, "SELECT now64(6)", func(r *reader) { now = time.UnixMicro(r.int64()).UTC() })
	if err == nil && now.IsZero() {
		err = fmt.Errorf("assemble: the server says no time")
	}
	return now, err
}

func (a *Assembler) table(name string) string { return qualified(a.cfg.Database, name) }

// insert writes the gathered rows.
func insert[T any](ctx context.Context, a *Assembler, b *rowBuffer[T]) error {
	if b.rows == 0 {
		return nil
	}
	defer b.reset()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0, "insert_deduplicate": 0, "max_partitions_per_insert_block": 0, "wait_end_of_query": 1, "log_comment": "heplake assembler",
		"max_insert_block_size": 10_000_000, "min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0, "max_threads": 1,
		"distributed_foreground_insert": 1, "load_balancing": sameReplica,
	}))
	if err := a.cfg.Conn.InsertFormat(ctx, "RowBinary", b.insertSQL(a.cfg.Database), bytes.NewReader(b.b)); err != nil {
		return fmt.Errorf("assemble: insert %d rows into %s: %w", b.rows, b.table.Name, err)
	}
	return nil
}

// metrics are the assembler's figures.
type metrics struct {
	runs, legs, calls, registrations, removed, errors prometheus.Counter
	seconds                                           prometheus.Histogram
	lag, pending                                      prometheus.Gauge
}

func newMetrics() metrics {
	return metrics{
		runs:          prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_runs_total", Help: "Passes over touched legs."}),
		legs:          prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_legs_total", Help: "Legs that were touched and put together."}),
		calls:         prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_calls_total", Help: "Rows of calls written, again or for the first time."}),
		registrations: prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_registrations_total", Help: "Rows of registrations written, likewise."}),
		removed:       prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_removed_total", Help: "Rows marked as gone, because their call is part of another one or began earlier than was known."}),
		errors:        prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_errors_total", Help: "Passes that failed."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "heplake_assemble_seconds", Help: "Duration of passes.", Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 10),
		}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "heplake_assemble_pending_slots", Help: "Intervals of ten minutes in the past whose legs wait to be assembled.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "heplake_assemble_lag_seconds", Help: "How long the oldest leg of the last pass had waited since it was inserted.",
		}),
	}
}

func (a *Assembler) collectors() []prometheus.Collector {
	m := &a.metrics
	return []prometheus.Collector{m.runs, m.legs, m.calls, m.registrations, m.removed, m.errors, m.seconds, m.lag, m.pending}
}

// Describe implements prometheus.Collector.
func (a *Assembler) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range a.collectors() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (a *Assembler) Collect(ch chan<- prometheus.Metric) {
	for _, c := range a.collectors() {
		c.Collect(ch)
	}
}
