package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/schema"
)

// Guard keeps a disk from filling up: when less than MinFree is free, it drops
// the oldest day of the tables, again and again until enough is free or only
// today is left. Every row that it drops is counted and logged by table and day.
type Guard struct {
	DB     driver.Conn
	Schema schema.Options
	// MinFree is how many bytes must stay free on every disk of ClickHouse.
	MinFree uint64
	// Every is the time between two looks; 15 s when zero.
	Every time.Duration
	Log   *slog.Logger

	// free reads the least free space of any disk; tests put theirs in.
	free func(ctx context.Context) (uint64, error)

	dropped *prometheus.CounterVec
	bytes   *prometheus.CounterVec
	low     prometheus.Gauge
}

// Register makes the guard's metrics.
func (g *Guard) Register(r prometheus.Registerer) {
	g.dropped = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "heplake_disk_guard_dropped_rows_total", Help: "Rows that the disk guard dropped before their time, by table."}, []string{"table"})
	g.bytes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "heplake_disk_guard_dropped_bytes_total", Help: "Bytes that the disk guard freed, by table."}, []string{"table"})
	g.low = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "heplake_disk_guard_low", Help: "1 while less than retention.min_free is free and nothing is left to drop, else 0."})
	for _, t := range schema.Tables() {
		g.dropped.WithLabelValues(t.Name)
		g.bytes.WithLabelValues(t.Name)
	}
	r.MustRegister(g.dropped, g.bytes, g.low)
}

// Run looks after the disk until the context ends.
func (g *Guard) Run(ctx context.Context) {
	every := g.Every
	if every == 0 {
		every = 15 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := g.look(ctx); err != nil && ctx.Err() == nil {
			g.Log.Warn("disk guard", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look drops what it must.
func (g *Guard) look(ctx context.Context) error {
	free, err := g.freeSpace(ctx)
	if err != nil {
		return err
	}
	if free >= g.MinFree {
		g.low.Set(0)
		return nil
	}
	h, err := Read(ctx, g.DB, g.Schema)
	if err != nil {
		return err
	}
	today := h.Now.UTC().Truncate(24 * time.Hour)
	var parts []Part
	for i := range h.Tables {
		for _, p := range h.Tables[i].Parts {
			if p.Day.UTC().Before(today) {
				parts = append(parts, p)
			}
		}
	}
	oldestFirst(parts)
	for len(parts) > 0 && free < g.MinFree {
		day := parts[0].Day
		var freed uint64
		for len(parts) > 0 && parts[0].Day.Equal(day) {
			n := 1
			for n < len(parts) && parts[n].Day.Equal(day) && parts[n].Table == parts[0].Table {
				n++
			}
			bytes, err := g.drop(ctx, parts[:n], free)
			if err != nil {
				return err
			}
			freed += bytes
			parts = parts[n:]
		}
		free += freed
	}
	if free < g.MinFree {
		g.low.Set(1)
		g.Log.Error("disk guard: too little is free and only today's rows are left", "free", free, "min_free", g.MinFree)
		return nil
	}
	g.low.Set(0)
	return nil
}

// drop drops one day of one table and returns the bytes that frees.
func (g *Guard) drop(ctx context.Context, parts []Part, free uint64) (uint64, error) {
	var rows, bytes uint64
	for _, p := range parts {
		rows, bytes = rows+p.Rows, bytes+p.Bytes
	}
	day := parts[0].Day.UTC().Format(time.DateOnly)
	sql := fmt.Sprintf("ALTER TABLE `%s`.`%s` DROP PARTITION %s", g.Schema.DatabaseName(), parts[0].Table, schema.Quote(day))
	if err := g.DB.Exec(ctx, sql); err != nil {
		return 0, fmt.Errorf("drop %s of %s: %w", day, parts[0].Table, err)
	}
	g.dropped.WithLabelValues(parts[0].Table).Add(float64(rows))
	g.bytes.WithLabelValues(parts[0].Table).Add(float64(bytes))
	g.Log.Error("disk guard: dropped a day before its time: the disk is nearly full",
		"table", parts[0].Table, "day", day, "rows", rows, "bytes", bytes, "free", free, "min_free", g.MinFree)
	return bytes, nil
}

// freeSpace is the least that is free on any disk. What ClickHouse has dropped
// and not yet removed counts as free: it takes minutes, and another day must not
// go meanwhile.
func (g *Guard) freeSpace(ctx context.Context) (uint64, error) {
	if g.free != nil {
		return g.free(ctx)
	}
	var free, leaving uint64
	if err := g.DB.QueryRow(ctx, "SELECT min(unreserved_space), (SELECT sum(bytes_on_disk) FROM system.parts WHERE NOT active) FROM system.disks").Scan(&free, &leaving); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return free + leaving, nil
}
