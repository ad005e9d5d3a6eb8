package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/internal/lease"
	"github.com/heplake/heplake/schema"
)

// Keeper deletes what has been kept long enough: whole days where nothing of them
// stays, else the rows that no rule and no hold keeps. What it did is in the table
// retention_log, which also tells it what it need not look at again. Stopped half
// way it goes on where it was.
//
// Of several processes one works: see lease.
type Keeper struct {
	DB driver.Conn
	// Nodes are connections to every node of a cluster that is spoken to node by
	// node (schema.Cluster without OnCluster); none otherwise.
	Nodes  []driver.Conn
	Schema schema.Options
	Policy Policy
	// Archiver is asked before rows are deleted; nil: they are not archived.
	Archiver Archiver
	// Every is the time between two looks; 5 minutes when zero. Most find nothing
	// to do and read system tables alone.
	Every time.Duration
	Log   *slog.Logger

	holder  string
	clock   clock
	sign    lease.Sign // the newest row of table keeper
	metrics keeperMetrics
}

type keeperMetrics struct {
	rows, bytes *prometheus.CounterVec
	failures    prometheus.Counter
	last        prometheus.Gauge
	doubts      prometheus.Gauge
}

// Register makes the keeper's metrics. It comes before Run.
func (k *Keeper) Register(r prometheus.Registerer) {
	k.metrics = keeperMetrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heplake_retention_deleted_rows_total", Help: "Rows that were kept long enough and deleted, by table and rule; the table's own days have no rule."}, []string{"table", "rule"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heplake_retention_deleted_bytes_total", Help: "Bytes that this freed, by table."}, []string{"table"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heplake_retention_failures_total", Help: "Looks at what is to be deleted that failed, in part or in whole; what should have gone stayed."}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "heplake_retention_last_success_timestamp_seconds", Help: "When everything that is to go was last found gone, by this process; 0 when another does the work."}),
		doubts: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "heplake_retention_clock_doubted", Help: "1 while retention rests because the clock is ahead of where it should be, else 0."}),
	}
	r.MustRegister(k.metrics.rows, k.metrics.bytes, k.metrics.failures, k.metrics.last, k.metrics.doubts)
}

// How leases go.
const (
	// keeperLease is how long a process that says nothing keeps the work.
	keeperLease = time.Minute
	leaseEvery  = 15 * time.Second
)

// Run looks again and again until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	every := k.Every
	if every == 0 {
		every = 5 * time.Minute
	}
	var next time.Time
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	for {
		believed, err := k.believeClock(ctx)
		mine := false
		if err == nil {
			mine, err = k.lease(ctx)
		}
		if err == nil && mine && believed && !time.Now().Before(next) {
			err = k.leased(ctx)
			next = time.Now().Add(every)
		}
		if err != nil && ctx.Err() == nil {
			k.metrics.failures.Inc()
			k.Log.Error("retention: not everything that is to go could be deleted; it will be tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// leased is a sweep during which the lease is renewed.
func (k *Keeper) leased(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer cancel()
	renewing.Go(func() {
		tick := time.NewTicker(leaseEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if mine, err := k.lease(ctx); err == nil && !mine {
				cancel() // another has taken it over
			}
		}
	})
	return k.Sweep(ctx)
}

// lease takes or keeps the work: mine tells whether it is ours. Two processes may
// think so for a moment: they would delete the same rows.
func (k *Keeper) lease(ctx context.Context) (mine bool, err error) {
	if k.holder == "" {
		host, _ := os.Hostname()
		k.holder = host + "/" + uuid.NewString()
	}
	ctx = spread(ctx, k.Schema)
	right, _ := k.clock.state()
	holder, age, err := k.leader(ctx)
	if err != nil {
		return false, err
	}
	if holder != "" && holder != k.holder && age < keeperLease {
		return false, nil
	}
	if err := k.DB.Exec(ctx, "INSERT INTO "+qualified(k.Schema, schema.KeeperState.Name)+" (time, holder, clock) SELECT greatest(now64(6), "+micro(k.sign.Row)+" + toIntervalMicrosecond(1)), "+schema.Quote(k.holder)+", "+micro(right)); err != nil {
		return false, fmt.Errorf("retention: take the lease: %w", err)
	}
	holder, _, err = k.leader(ctx)
	return err == nil && holder == k.holder, err
}

func (k *Keeper) leader(ctx context.Context) (holder string, age time.Duration, err error) {
	var row, now time.Time
	err = k.DB.QueryRow(ctx, "SELECT argMax(holder, (time, holder)), max(time), now64(6) FROM "+qualified(k.Schema, schema.KeeperState.Name)).Scan(&holder, &row, &now)
	if err != nil {
		return "", 0, fmt.Errorf("retention: ask who has the lease: %w", err)
	}
	return holder, k.sign.Silence(row, now), nil
}

// micro is a time in SQL; the beginning of the epoch when it is zero.
func micro(t time.Time) string {
	return "fromUnixTimestamp64Micro(toInt64(" + strconv.FormatInt(max(0, t.UnixMicro()), 10) + "))"
}

// Sweep deletes what is to go now, table by table. What fails does not keep the
// rest; but the calls then stay, by which is known which rule a message falls
// under.
func (k *Keeper) Sweep(ctx context.Context) error {
	if k.Schema.Clustered() && k.Archiver != nil {
		return fmt.Errorf("retention: to archive days before they are deleted is %w", ErrCluster)
	}
	ctx = spread(ctx, k.Schema)
	h, err := Read(ctx, k.DB, k.Schema, k.Policy)
	if err != nil {
		return err
	}
	j, err := newJudge(ctx, k.DB, k.Schema, h)
	if err != nil {
		return err
	}
	if err := k.sure(ctx); err != nil {
		return err
	}
	var failed []error
	for i := range h.Tables {
		t := tableNamed(h.Tables[i].Name)
		if t.TTLLike != "" && len(failed) > 0 {
			break
		}
		if err := k.table(ctx, j, t, h.Tables[i].days()); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			return errors.Join(failed...)
		}
	}
	if err := k.forgetIDs(ctx, h); err != nil {
		failed = append(failed, err)
	}
	if k.Schema.KeeperDeletesAll {
		if err := k.expire(ctx, h.Now); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 && k.metrics.last != nil {
		k.metrics.last.SetToCurrentTime()
	}
	return errors.Join(failed...)
}

// forgetIDs drops the weeks of tables ids and users of whose messages none is left: of
// a week that still has some, all stay.
func (k *Keeper) forgetIDs(ctx context.Context, h *Holdings) error {
	for _, t := range []*schema.Table{&schema.IDs, &schema.Users} {
		if err := k.forgetWeeks(ctx, h, t); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) forgetWeeks(ctx context.Context, h *Holdings, t *schema.Table) error {
	days := h.Policy.tableDays(&schema.SIP)
	if days == 0 {
		return nil
	}
	if ok, err := exists(ctx, k.DB, k.Schema, t.Name); err != nil || !ok {
		return err
	}
	var weeks []string
	of := func(table string) string {
		return "FROM " + system(k.Schema, "parts") + " WHERE active AND rows > 0 AND database = " + schema.Quote(k.Schema.DatabaseName()) + " AND table = " + schema.Quote(k.Schema.LocalName(table))
	}
	err := k.DB.QueryRow(ctx, "SELECT arraySort(groupUniqArray(partition)) "+of(t.Name)+" AND toDate(partition) + 7 + "+fmt.Sprint(days)+" <= toDate("+schema.Quote(partition(h.Now))+
		") AND toDate(partition) NOT IN (SELECT toMonday(toDate(partition)) "+of(schema.SIP.Name)+")").Scan(&weeks)
	if err != nil {
		return fmt.Errorf("retention: ask which %s have no messages: %w", t.Name, err)
	}
	for _, week := range weeks {
		if err := k.remover().alter(ctx, t.Name, dropPartition(week)); err != nil {
			return fmt.Errorf("retention: forget the %s of the week of %s: %w", t.Name, week, err)
		}
	}
	return nil
}

func (k *Keeper) remover() *remover {
	return &remover{k.DB, nodesOf(k.DB, k.Nodes), k.Schema, k.Archiver}
}

// table deletes what is to go of one table.
func (k *Keeper) table(ctx context.Context, j *judge, t *schema.Table, days [][]Part) error {
	// A sweep may take long: a hold placed meanwhile must count.
	var err error
	if j.held, err = readHeld(ctx, k.DB, k.Schema); err != nil {
		return err
	}
	var actions []*Action
	for _, parts := range days {
		a, err := j.day(ctx, t, parts)
		if err != nil {
			return err
		}
		if a != nil {
			actions = append(actions, a)
		}
	}
	if len(actions) == 0 {
		return nil
	}
	if err := k.sure(ctx); err != nil {
		return err
	}
	return k.remover().remove(ctx, actions, causeRetention, k.count)
}

func (k *Keeper) count(a *Action) {
	if a.Kind == Nothing {
		return
	}
	if k.metrics.rows != nil {
		for _, r := range a.ByRule {
			k.metrics.rows.WithLabelValues(a.Table, r.Rule).Add(float64(r.Rows))
		}
		k.metrics.bytes.WithLabelValues(a.Table).Add(float64(a.Bytes))
	}
	k.Log.Info("retention", "action", a.Kind, "table", a.Table, "day", partition(a.Day), "rows", a.Rows, "bytes", a.Bytes, "left", a.Left, "held", a.Held)
}
