package assemble

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/calls"
	"github.com/heplake/heplake/internal/digest"
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
	// Share is the share of the time that passes may take, 0.1 when 0. No pause is
	// longer than maxPause for it.
	Share float64
	// Crowded reports whether what is received waits for the database longer than it
	// should: then passes are short and keep to a quarter of their share even when much
	// waits for them. Nil is never.
	Crowded func() bool
	// Replicas says that what is stored may be read from where it is not seen yet: it is
	// relied on some seconds later.
	Replicas bool
	// Lease is how long a process that says nothing keeps the work, 20 s when 0.
	Lease time.Duration
	// Memory is that of the legs of late in bytes, 64 MiB when 0. When half of it has legs
	// that are not written yet, nothing further is read: it waits in the table.
	Memory int
	// Scratch is a folder for a file of up to 512 MiB, with legs that there is no memory for;
	// without one these are read of the database again.
	Scratch string
	// Pass is how long a pass goes on, 3 s when 0, and Chunk how many legs are put together
	// at a time, 12,000 when 0, 4,000 while Crowded.
	Pass  time.Duration
	Chunk int
	// FillRows is about how many rows KPIs are summed up of at a time, 1,000,000 when 0:
	// each takes the database 0.6 to 0.9 kB of memory, and a pass cannot end in between.
	FillRows int
	// LinkHeaders are the headers whose equal values tie legs together besides those
	// that always do, for digests that are made of what is stored.
	LinkHeaders []string
}

// CrowdedAfter is how long messages wait for the database before calls wait for them
// (Config.Crowded): several times what it takes.
const CrowdedAfter = 700 * time.Millisecond

// How passes follow one another.
const (
	minPause = 100 * time.Millisecond
	maxPause = 15 * time.Second
	// busyPause is the least on a busy system: what a pass costs besides its legs, an
	// insert for each table most of all, is then paid for more of them. floodPause is that
	// in a very busy time: each pass has enough then.
	busyPause, floodPause = 6 * time.Second, 3 * time.Second
	// poll is how often it looks without being woken: others may insert, too.
	poll = time.Second
	// passCost and legCost are what a pass, and a leg in it, take on a slow machine.
	passCost, legCost = 30 * time.Millisecond, 200 * time.Microsecond
	// An insert's digests are as old as its beginning once they can be seen: looks
	// go back so far, and now and then farther.
	overlap, farOverlap = 15 * time.Second, 5 * time.Minute
	farEvery            = time.Minute
	// lookEvery is how often it looks on a busy system where nobody else inserts.
	lookEvery = 15 * time.Second
	// leaseTime is how long a process that says nothing keeps the work; it says
	// something leaseSigns times meanwhile.
	leaseTime  = 20 * time.Second
	leaseSigns = 4
	// backlog is where the first pass of a database begins.
	backlog = 100 * 365 * 24 * time.Hour
	// passBudget is how long a pass goes on, crowdedBudget where it is in the way, and
	// crowdedShare what is then left of Config.Share.
	passBudget, crowdedBudget = 3 * time.Second, 500 * time.Millisecond
	crowdedShare              = 0.25
	// chunkLegs is how many legs are put together at a time, crowdedLegs where a pass is to
	// be short.
	chunkLegs, crowdedLegs = 12_000, 4_000
	// cacheBytes is the memory of the legs of late.
	cacheBytes = 64 << 20
)

// When a leg that changed is made a call of again. A call is written when it
// begins, when it is answered and when it ends; on a busy system what passes by
// soon is waited for.
const (
	// busyLegs is how many changed legs make it a busy time, floodLegs a very busy
	// one, in which calls are written when they are over.
	busyLegs, floodLegs = 500, 20_000
	// decidedAfter is after how long without a message a decided call is written,
	// firstAfter a call after it began, furtherAfter and reportsAfter one that goes
	// on.
	decidedAfter = 1500 * time.Millisecond
	firstAfter   = 5 * time.Second
	furtherAfter = 15 * time.Second
	// floodAfter is for calls that are not over, in a very busy time.
	floodAfter   = 30 * time.Second
	reportsAfter = time.Minute
)

// Assembler makes calls of digests. It is for one goroutine, but for Wake and the
// metrics.
type Assembler struct {
	cfg    Config
	links  calls.LinkOptions
	log    *slog.Logger
	holder string
	wake   chan struct{}

	// inbox has digests that are not stored yet. died is the last sign of life of the
	// process that did the work before and ended without giving it back.
	inbox   *Inbox
	died    time.Time
	running bool
	// looked says that there was a look since the work is ours, found that the last one
	// found something, and tookOver when the first was, by the server's clock, if there
	// were rows of calls or registrations then.
	looked, found bool
	tookOver      time.Time
	// doubtUntil is how long the process that did the work before and did not give it
	// back may go on with it.
	doubtUntil time.Time

	// done is the time before which every insert was read, by the server's clock;
	// zero when that is not known.
	done time.Time
	// waiting are inserts that are yet to be read; settledAt is what done was before
	// there were any, or legs to be written. readBefore is when it was so in the process
	// that did the work before: what is read again of that time did not wait.
	waiting    []insertion
	settledAt  time.Time
	readBefore time.Time
	// read are the inserts that were read, by when and how many rows.
	read map[int64]uint64
	// farAt and leaseAt are when the wide look and the lease were last.
	farAt, leaseAt time.Time
	cache          *cache
	carriers       linkIndex
	near           nearIndex
	decoder        digest.Decoder
	tenants        map[string]string
	// worked counts the legs of this turn; next is the first of those that were due and
	// for which there was no time, nil when there were none.
	worked  int
	next    *entry
	rollups []*rollup
	resumed bool
	clock   clock
	backfill

	calls         *rowBuffer[calls.Call]
	registrations *rowBuffer[calls.Registration]
	metrics       metrics
}

// New makes an assembler. It does nothing before Run or Pass.
func New(cfg Config) *Assembler {
	cfg.Database = cmp.Or(cfg.Database, schema.Database)
	cfg.Share = cmp.Or(cfg.Share, 0.1)
	cfg.Lease = cmp.Or(cfg.Lease, leaseTime)
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	links := calls.DefaultLinkOptions()
	if cfg.Links != nil {
		links = *cfg.Links
	}
	host, _ := os.Hostname()
	a := &Assembler{
		cfg: cfg, links: links, log: cfg.Log, holder: host + "/" + uuid.NewString(), wake: make(chan struct{}, 1),
		cache: newCache(cmp.Or(cfg.Memory, cacheBytes)), carriers: newLinkIndex(), near: newNearIndex(), read: map[int64]uint64{}, tenants: map[string]string{},
		backfill: newBackfill(cfg.LinkHeaders),
		calls:    newRowBuffer(&schema.CallRows, callFields), registrations: newRowBuffer(&schema.RegistrationRows, registrationFields),
		rollups: newRollups(), metrics: newMetrics(),
	}
	a.inbox = newInbox(a.Wake)
	if cfg.Scratch != "" {
		failed := func(err error) {
			a.log.Warn("legs that memory has no room for are read of the database", "error", err)
		}
		var err error
		if a.cache.shelf, err = newShelf(cfg.Scratch, a.metrics.fetched, failed); err != nil {
			failed(err)
		}
	}
	return a
}

// Inbox is where to put digests before they are stored. It takes some while Run
// runs and the work is ours.
func (a *Assembler) Inbox() *Inbox { return a.inbox }

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
	a.running = true
	defer func() { a.running = false }()
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
		if ctx.Err() != nil {
			return
		}
		// On a busy machine a pass takes longer than it works: what it did counts.
		took := min(time.Since(began), passCost+time.Duration(a.worked)*legCost)
		share := a.cfg.Share
		if a.crowded() {
			share *= crowdedShare
		}
		pause := min(max(time.Duration(float64(took)*(1/share-1)), minPause), maxPause)
		switch n := len(a.cache.dirty); {
		case n > floodLegs:
			pause = max(pause, floodPause)
		case n > busyLegs:
			pause = max(pause, busyPause)
		}
		if (len(a.waiting) > 0 || a.next != nil || a.behind()) && !a.crowded() {
			pause = minPause // what is late is made up for first
		}
		if err != nil {
			pause = retry.NextBackOff()
			a.metrics.errors.Inc()
			a.log.Warn("calls could not be assembled; it will be tried again", "wait", pause.Round(time.Millisecond), "error", err)
		} else {
			retry.Reset()
		}
		// Not even a wake-up shortens this pause.
		if !a.rest(ctx, pause) {
			return
		}
		timer.Reset(max(0, poll-pause))
	}
}

// rest waits, and takes in what is handed over meanwhile; false when ctx ends. What
// woke it meanwhile wakes it afterwards.
func (a *Assembler) rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	woken := false
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			if woken {
				a.Wake()
			}
			return true
		case <-a.wake:
			a.takeHanded()
			woken = true
		}
	}
}

// turn is a pass if the work is ours.
func (a *Assembler) turn(ctx context.Context) error {
	mine, err := a.lease(ctx)
	if err != nil || !mine {
		return err
	}
	budget := cmp.Or(a.cfg.Pass, passBudget)
	if a.crowded() {
		budget = min(budget, crowdedBudget)
	}
	return a.pass(ctx, budget, false)
}

func (a *Assembler) crowded() bool { return a.cfg.Crowded != nil && a.cfg.Crowded() }

// Pass assembles every leg that changed since the last pass.
func (a *Assembler) Pass(ctx context.Context) error { return a.pass(ctx, math.MaxInt64, true) }

// pass reads what was inserted and assembles the legs that are due, or all that
// changed. What is left when the time is up is the next pass's.
func (a *Assembler) pass(ctx context.Context, budget time.Duration, everything bool) error {
	began := time.Now()
	now, err := a.serverTime(ctx)
	if err != nil {
		return err
	}
	if err := a.outrun(ctx, now); err != nil {
		return err
	}
	if everything || a.mayFind(now) {
		if err := a.look(ctx, now); err != nil {
			return err
		}
	}
	if a.settledAt.IsZero() {
		a.settledAt = a.done
	}
	over := func() bool { return time.Since(began) > budget }
	oldest := now
	for _, w := range a.waiting {
		if t := time.UnixMicro(w.touched); t.Before(oldest) && !t.Before(a.readBefore) {
			oldest = t
		}
	}
	for {
		a.takeHanded()
		if len(a.waiting) > 0 && (everything || !a.behind()) {
			if a.waiting, err = a.readInsertions(ctx, a.waiting); err != nil {
				return err
			}
		}
		if err := a.assemble(ctx, now, over, everything); err != nil {
			return err
		}
		if !everything && a.behind() && !over() {
			// There is no room to wait in for what else comes to them.
			if err := a.assemble(ctx, now, over, true); err != nil {
				return err
			}
		}
		if len(a.waiting) == 0 || over() {
			break
		}
	}
	a.metrics.lag.Set(max(0, now.Sub(oldest)-a.clock.ahead).Seconds())
	if len(a.waiting) == 0 && len(a.cache.dirty) == 0 {
		a.settledAt = a.done
	} else if t := now.Add(-2 * reportsAfter); len(a.waiting) == 0 && a.next == nil && t.After(a.settledAt) {
		a.settledAt = t // what changed before is written
	}
	if doubted := !a.doubtUntil.IsZero() && (everything || !a.doubtful()); doubted || !a.resumed {
		if err := a.resume(ctx); err != nil {
			return err
		}
		a.resumed = true
		if doubted {
			a.doubtUntil = time.Time{}
		}
	}
	if err := a.rollUp(ctx, now, false, budget); err != nil {
		return err
	}
	if made, err := a.digestStored(ctx, budget-time.Since(began), everything); err != nil || made && everything {
		if err == nil {
			err = a.pass(ctx, budget, everything)
		}
		return err
	}
	a.metrics.runs.Inc()
	a.metrics.seconds.Observe(time.Since(began).Seconds())
	a.metrics.pending.Set(float64(len(a.cache.dirty)))
	a.metrics.cached.Set(float64(len(a.cache.legs)))
	return nil
}

// mayFind reports whether it is time to look for what was inserted. On a busy system what
// this process receives is handed over; where the last look found nothing besides, there
// is nobody else who inserts, or he has begun just now.
func (a *Assembler) mayFind(now time.Time) bool {
	passed := time.Since(a.clock.looked)
	const set = time.Second // further apart the clocks are where one was set
	return !a.looked || a.found || len(a.cache.dirty) <= busyLegs || passed >= lookEvery || now.Sub(a.done.Add(passed)).Abs() > set
}

// look lists what was inserted since the last look.
func (a *Assembler) look(ctx context.Context, now time.Time) error {
	if !a.looked {
		if err := a.takeOver(ctx, now); err != nil {
			return err
		}
		a.readBefore = a.done
	}
	since := now.Add(-backlog)
	switch {
	case a.done.IsZero():
		a.cache.follows = 0 // everything there is comes by
		if !a.died.IsZero() {
			if err := a.mend(ctx); err != nil {
				return err
			}
		}
	case !a.looked:
		if err := a.warm(ctx, now); err != nil {
			return err
		}
		if err := a.mend(ctx); err != nil {
			return err
		}
		fallthrough
	default:
		back := overlap
		if time.Since(a.farAt) >= farEvery {
			back, a.farAt = farOverlap, time.Now()
			a.forgetRead(a.done.Add(-2 * farOverlap).UnixMicro())
		}
		since = a.clock.since(a.done, now, back)
	}
	fresh, err := a.insertions(ctx, since)
	if err != nil {
		return err
	}
	known := make(map[int64]bool, len(a.waiting))
	for _, w := range a.waiting {
		known[w.touched] = true
	}
	for _, f := range fresh {
		if !known[f.touched] {
			a.waiting = append(a.waiting, f)
		}
	}
	a.done, a.looked, a.found, a.clock.looked = now, true, len(fresh) > 0, time.Now()
	if a.running {
		a.inbox.open()
	}
	return nil
}

// behind reports whether as many legs wait to be written as there is room for.
func (a *Assembler) behind() bool { return a.cache.unwritten > a.cache.size/2 }

// assemble makes calls of the legs that are due, or of a part of them when the time is
// over; then the rest is due the next time.
func (a *Assembler) assemble(ctx context.Context, now time.Time, over func() bool, everything bool) error {
	due := a.due(time.Now(), everything)
	a.next = nil
	legs := chunkLegs
	if a.crowded() {
		legs = crowdedLegs
	}
	for list := range slices.Chunk(due, cmp.Or(a.cfg.Chunk, legs)) {
		if err := a.chunk(ctx, now, list); err != nil {
			return err
		}
		a.takeHanded() // what waits there is bounded
		if due = due[len(list):]; over() && len(due) > 0 {
			a.next = due[0]
			break
		}
	}
	return nil
}

// ripe reports whether a leg is to be written now, on a busy system.
func (e *entry) ripe(now time.Time, flood bool) bool {
	quiet, waited := now.Sub(e.dirtyAt), now.Sub(e.dirtySince)
	switch {
	case e.reportsOnly:
		return waited >= reportsAfter
	case e.over, e.decisive && !flood:
		return quiet >= decidedAfter || waited >= furtherAfter
	case flood:
		return waited >= floodAfter
	case e.assembledAt.IsZero():
		return waited >= firstAfter
	}
	return waited >= furtherAfter
}

// due lists the legs to write: the newest first, of which somebody may ask; many from
// where there was no time for more.
func (a *Assembler) due(now time.Time, everything bool) []*entry {
	out := make([]*entry, 0, len(a.cache.dirty))
	changed := len(a.cache.dirty)
	for e := range a.cache.dirty {
		if !everything && changed > busyLegs && !e.ripe(now, changed > floodLegs) {
			continue
		}
		out = append(out, e)
	}
	byName := func(x, y *entry) int {
		return cmp.Or(cmp.Compare(x.tenant, y.tenant), cmp.Compare(x.callID, y.callID))
	}
	if len(out) <= floodLegs {
		slices.SortFunc(out, func(x, y *entry) int { return cmp.Or(cmp.Compare(y.last, x.last), byName(x, y)) })
		return out
	}
	// Some are no longer in memory: those that are stored side by side are read together.
	slices.SortFunc(out, byName)
	if a.next != nil {
		i, _ := slices.BinarySearchFunc(out, a.next, byName)
		out = slices.Concat(out[i:], out[:i])
	}
	return out
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
	defer b.block.reset()
	return a.insert(ctx, b.table.Name, b.columns(), b.block.rows, "Native", b.block.reader())
}

// insert writes rows that body has in that format.
func (a *Assembler) insert(ctx context.Context, table, columns string, rows int, format string, body io.Reader) error {
	if rows == 0 {
		return nil
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0, "insert_deduplicate": 0, "max_partitions_per_insert_block": 0, "wait_end_of_query": 1, "log_comment": "heplake assembler",
		"max_insert_block_size": 10_000_000, "min_insert_block_size_rows": 0, "min_insert_block_size_bytes": 0, "max_threads": 1,
		"input_format_native_allow_types_conversion": 1, // to LowCardinality: see block
		"distributed_foreground_insert":              1, "load_balancing": sameReplica,
		// A part's skip indexes are made by its first merge, and there is no row twice
		// in what is inserted: to look for that costs as much as half the rest.
		"materialize_skip_indexes_on_insert": 0, "optimize_on_insert": 0,
	}))
	if err := a.cfg.Conn.InsertFormat(ctx, format, "INSERT INTO "+a.table(table)+" ("+columns+")", body); err != nil {
		return fmt.Errorf("assemble: insert %d rows into %s: %w", rows, table, err)
	}
	return nil
}

// metrics are the assembler's figures.
type metrics struct {
	runs, legs, calls, registrations, removed, errors, loaded, fetched, malformed prometheus.Counter
	seconds                                                                       prometheus.Histogram
	lag, pending, cached                                                          prometheus.Gauge
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
			Name: "heplake_assemble_pending_legs", Help: "Legs that changed and wait to be put together.",
		}),
		cached: prometheus.NewGauge(prometheus.GaugeOpts{Name: "heplake_assemble_cached_legs", Help: "Legs kept in memory."}),
		loaded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heplake_assemble_loaded_legs_total", Help: "Legs that were not in memory and had to be read of the database.",
		}),
		fetched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heplake_assemble_fetched_legs_total", Help: "Legs that were not in memory and were read of the file for those.",
		}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_assemble_malformed_total", Help: "Legs whose digests cannot be read."}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "heplake_assemble_lag_seconds", Help: "How long the oldest leg of the last pass had waited since it was inserted.",
		}),
	}
}

func (a *Assembler) collectors() []prometheus.Collector {
	m := &a.metrics
	return []prometheus.Collector{m.runs, m.legs, m.calls, m.registrations, m.removed, m.errors, m.loaded, m.fetched, m.malformed, m.seconds, m.lag, m.pending, m.cached, a.inbox.handed, a.inbox.renewed}
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
