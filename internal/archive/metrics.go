package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/heplake/heplake/internal/chhttp"
	"github.com/heplake/heplake/schema"
)

// metrics are what the archive counts. It is one prometheus.Collector.
type metrics struct {
	rows, bytes, files, failures *prometheus.CounterVec
	oldest                       *prometheus.GaugeVec
}

// Reasons of heplake_archive_failures_total.
var failureReasons = []string{"damaged", "busy", "changing", "disk_full", "clickhouse", "storage", "residency", "cancelled", "other"}

func newMetrics() *metrics {
	m := &metrics{
		rows:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplake_archived_rows_total", Help: "Rows archived, by table."}, []string{"table"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplake_archived_bytes_total", Help: "Bytes of files archived, by table."}, []string{"table"}),
		files: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "heplake_archived_files_total", Help: "Files archived, by table."}, []string{"table"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heplake_archive_failures_total", Help: "Days that could not be archived or restored, by reason; retention asks again."}, []string{"reason"}),
		oldest: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "heplake_archive_oldest_seconds", Help: "Age of the oldest day of a table that is over and not in the archive, from its end; 0 when all are."}, []string{"table"}),
	}
	for _, t := range Tables() {
		m.rows.WithLabelValues(t)
		m.bytes.WithLabelValues(t)
		m.files.WithLabelValues(t)
		m.oldest.WithLabelValues(t)
	}
	for _, r := range failureReasons {
		m.failures.WithLabelValues(r)
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.rows, m.bytes, m.files, m.failures, m.oldest}
}

// Describe implements prometheus.Collector.
func (a *Archive) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range a.metrics.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (a *Archive) Collect(ch chan<- prometheus.Metric) {
	for _, c := range a.metrics.all() {
		c.Collect(ch)
	}
}

func (m *metrics) wrote(table string, r Result) {
	m.rows.WithLabelValues(table).Add(float64(r.Rows))
	m.bytes.WithLabelValues(table).Add(float64(r.Bytes))
	m.files.WithLabelValues(table).Add(float64(r.Files))
}

// failed counts an error and says in which words it goes on; the error is the
// last argument.
func (a *Archive) failed(err error, format string, args ...any) error {
	a.metrics.failures.WithLabelValues(reason(err)).Inc()
	return fmt.Errorf(format, args...)
}

func reason(err error) string {
	var refused *chhttp.Error
	var storage *storageError
	switch {
	case errors.Is(err, ErrDamaged):
		return "damaged"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.Is(err, ErrChanging):
		return "changing"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "disk_full"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	case errors.Is(err, ErrResidency):
		return "residency"
	case errors.As(err, &storage):
		return "storage"
	case errors.As(err, &refused), strings.Contains(err.Error(), "clickhouse"):
		return "clickhouse"
	}
	return "other"
}

// lookEvery is how often Run looks for what is not archived.
const lookEvery = time.Minute

// Run keeps heplake_archive_oldest_seconds until the context ends.
func (a *Archive) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := a.look(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("archive: what is not archived yet is unknown", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *Archive) look(ctx context.Context) error {
	now := time.Now().UTC()
	for _, t := range Tables() {
		days, err := a.Pending(ctx, t, now)
		if err != nil {
			return err
		}
		age := 0.0
		if len(days) > 0 {
			if day, err := ParseDay(days[0]); err == nil {
				age = max(0, now.Sub(day.AddDate(0, 0, 1)).Seconds())
			}
		}
		a.metrics.oldest.WithLabelValues(t).Set(age)
	}
	return nil
}

// Over lists the days of a table that are over and have rows, oldest first.
func (a *Archive) Over(ctx context.Context, table string, now time.Time) ([]string, error) {
	type row struct {
		Day string `json:"partition"`
	}
	rows, err := ask[row](ctx, a, "SELECT DISTINCT partition FROM system.parts WHERE active AND rows > 0 AND database = "+schema.Quote(a.database)+" AND table = "+schema.Quote(table)+
		" AND partition < "+schema.Quote(now.UTC().Format(time.DateOnly))+" ORDER BY partition")
	if err != nil {
		return nil, fmt.Errorf("archive: ask for the days of %s: %w", table, err)
	}
	var out []string
	for _, r := range rows {
		if _, err := ParseDay(r.Day); err == nil {
			out = append(out, r.Day)
		}
	}
	return out, nil
}

// Pending lists those days of Over that the archive has nothing of.
func (a *Archive) Pending(ctx context.Context, table string, now time.Time) ([]string, error) {
	days, err := a.Over(ctx, table, now)
	if err != nil {
		return nil, err
	}
	there, err := a.Days(ctx, table)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, day := range days {
		has := slices.Contains(there, day)
		if has && a.store.inPlace() {
			if has, err = a.has(ctx, table, day); err != nil {
				return nil, err
			}
		}
		if !has {
			out = append(out, day)
		}
	}
	return out, nil
}

// has tells whether a day has a generation: where drafts are written in place, a
// folder alone says nothing. What was there once is not asked for again.
func (a *Archive) has(ctx context.Context, table, day string) (bool, error) {
	key := table + " " + day
	a.mu.Lock()
	known := a.whole[key]
	a.mu.Unlock()
	if known {
		return true, nil
	}
	found, err := a.manifests(ctx, table, day)
	if err != nil {
		return false, fmt.Errorf("archive: %w", err)
	}
	if len(found) > 0 {
		a.mu.Lock()
		a.whole[key] = true
		a.mu.Unlock()
	}
	return len(found) > 0, nil
}
