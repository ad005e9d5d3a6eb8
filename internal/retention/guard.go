package retention

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/heplake/heplake/schema"
)

// Guard keeps disks from filling up: when less than MinFree is free on one, it
// drops the oldest day that the tables have on it, again and again until enough is
// free or only today is left. Rows under a hold stay. Every row that it drops is
// counted and logged by table and day. It looks after a single node.
type Guard struct {
	DB     driver.Conn
	Schema schema.Options
	// Archiver is asked before a day is dropped, and a day that it will not have
	// stays; nil: they are not archived.
	Archiver Archiver
	// MinFree is how many bytes must stay free on every disk of ClickHouse.
	MinFree uint64
	// Every is the time between two looks; 15 s when zero.
	Every time.Duration
	Log   *slog.Logger

	// free reads the free space by disk; tests put theirs in.
	free func(ctx context.Context) (map[string]uint64, error)

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
	if g.shortest(free) == "" {
		g.low.Set(0)
		return nil
	}
	h, err := Read(ctx, g.DB, g.Schema, Policy{})
	if err != nil {
		return err
	}
	held, err := readHeld(ctx, g.DB, g.Schema)
	if err != nil {
		return err
	}
	j := &judge{db: g.DB, o: g.Schema, held: held, now: h.Now}
	var refused error
	for _, day := range pastDays(h) {
		if g.shortest(free) == "" {
			break
		}
		before := maps.Clone(free) // a day goes from all tables
		for _, parts := range day {
			if !onShortDisk(parts, before, g.MinFree) {
				continue
			}
			freed, err := g.drop(ctx, j, parts, free)
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				refused = err // the next day may do
				g.Log.Error("disk guard: a day could not be dropped", "table", parts[0].Table, "day", partition(parts[0].Day), "error", err)
				continue
			}
			for disk, bytes := range freed {
				free[disk] += bytes
			}
		}
	}
	if disk := g.shortest(free); disk != "" {
		g.low.Set(1)
		g.Log.Error("disk guard: too little is free, and nothing is left that may be dropped", "disk", disk, "free", free[disk], "min_free", g.MinFree)
		return refused
	}
	g.low.Set(0)
	return nil
}

// shortest is the disk with least free, if that is too little; else "".
func (g *Guard) shortest(free map[string]uint64) (disk string) {
	for name, n := range free {
		if n < g.MinFree && (disk == "" || n < free[disk] || n == free[disk] && name < disk) {
			disk = name
		}
	}
	return disk
}

// pastDays are the days before today that the tables have which ingest fills,
// oldest first: for each day the parts by table.
func pastDays(h *Holdings) [][][]Part {
	today := h.Now.UTC().Truncate(24 * time.Hour)
	var out [][][]Part
	for i := range h.Tables {
		if tableNamed(h.Tables[i].Name).TTLLike != "" {
			continue
		}
		for _, parts := range h.Tables[i].days() {
			if !parts[0].Day.UTC().Before(today) {
				continue
			}
			n := slices.IndexFunc(out, func(d [][]Part) bool { return d[0][0].Day.Equal(parts[0].Day) })
			if n < 0 {
				out = append(out, [][]Part{parts})
			} else {
				out[n] = append(out[n], parts)
			}
		}
	}
	slices.SortFunc(out, func(a, b [][]Part) int { return a[0][0].Day.Compare(b[0][0].Day) })
	return out
}

// onShortDisk tells whether some of the parts lie on a disk with too little free:
// to drop others would not help.
func onShortDisk(parts []Part, free map[string]uint64, least uint64) bool {
	return slices.ContainsFunc(parts, func(p Part) bool {
		n, ok := free[p.Disk]
		return ok && n < least
	})
}

// drop drops one day of one table, but for what is held, and returns the bytes that
// frees by disk.
func (g *Guard) drop(ctx context.Context, j *judge, parts []Part, free map[string]uint64) (map[string]uint64, error) {
	a, err := j.judge(ctx, tableNamed(parts[0].Table), parts, []int{0})
	if err != nil || a.Kind == Nothing {
		return nil, err
	}
	r := &remover{g.DB, nodesOf(g.DB, nil), g.Schema, g.Archiver}
	if err := r.remove(ctx, []*Action{a}, causeDisk, func(*Action) {}); err != nil {
		return nil, err
	}
	var all uint64
	for _, p := range parts {
		all += p.Bytes
	}
	freed := map[string]uint64{}
	for _, p := range parts {
		freed[p.Disk] += uint64(float64(a.Bytes) * float64(p.Bytes) / float64(all))
	}
	g.dropped.WithLabelValues(a.Table).Add(float64(a.Rows))
	g.bytes.WithLabelValues(a.Table).Add(float64(a.Bytes))
	g.Log.Error("disk guard: dropped a day before its time: the disk is nearly full",
		"table", a.Table, "day", partition(a.Day), "rows", a.Rows, "bytes", a.Bytes, "held", a.Left, "free", free[g.shortest(free)], "min_free", g.MinFree)
	return freed, nil
}

// freeSpace is what is free on each disk. What ClickHouse has dropped and not yet
// removed counts as free: it takes minutes, and another day must not go meanwhile.
// Object storage never fills up.
func (g *Guard) freeSpace(ctx context.Context) (map[string]uint64, error) {
	if g.free != nil {
		return g.free(ctx)
	}
	rows, err := g.DB.Query(ctx, `SELECT name, unreserved_space + ifNull(l.bytes, 0) FROM system.disks AS d
LEFT JOIN (SELECT disk_name, sum(bytes_on_disk) AS bytes FROM system.parts WHERE NOT active GROUP BY disk_name) AS l ON l.disk_name = d.name
WHERE NOT is_remote AND `+ourDisks(g.Schema))
	if err != nil {
		return nil, fmt.Errorf("ask for free space: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]uint64{}
	for rows.Next() {
		var name string
		var n uint64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, fmt.Errorf("read the free space: %w", err)
		}
		out[name] = n
	}
	return out, rows.Err()
}
