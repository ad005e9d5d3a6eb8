package spool

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descLost = prometheus.NewDesc("heplake_spool_lost_batches_total",
		"Batches given up for want of room, by table and reason: full (new ones), evicted (old ones for new ones), stop (in memory alone at the end).", []string{"table", "reason"}, nil)
	descLostRows = prometheus.NewDesc("heplake_spool_lost_rows_total", "Rows of these batches.", []string{"table", "reason"}, nil)
	descOldest   = prometheus.NewDesc("heplake_spool_oldest_seconds", "How long ago the first packet of the batch that waits longest was received; 0 when none waits.", nil, nil)
	descRefuses  = prometheus.NewDesc("heplake_spool_disk_refuses", "1 while the disk refuses batches (full, read-only, broken), which are then in memory alone; else 0.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Spool) Describe(ch chan<- *prometheus.Desc) {
	ch <- descLost
	ch <- descLostRows
	ch <- descOldest
	ch <- descRefuses
}

// Collect implements prometheus.Collector.
func (s *Spool) Collect(ch chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, c := range s.lost {
		ch <- prometheus.MustNewConstMetric(descLost, prometheus.CounterValue, float64(c.batches), k.table, k.reason)
		ch <- prometheus.MustNewConstMetric(descLostRows, prometheus.CounterValue, float64(c.rows), k.table, k.reason)
	}
	ch <- prometheus.MustNewConstMetric(descOldest, prometheus.GaugeValue, s.oldestAge(time.Now()).Seconds())
	refuses := 0.0
	if s.stats.DiskRefuses {
		refuses = 1
	}
	ch <- prometheus.MustNewConstMetric(descRefuses, prometheus.GaugeValue, refuses)
}

// oldestAge is how long the batch that waits longest has waited. One whose time
// lies ahead, by a clock that was set back, has not waited.
func (s *Spool) oldestAge(now time.Time) (age time.Duration) {
	for _, queue := range [][]*Entry{s.fresh, s.backlog} {
		for _, e := range queue {
			age = max(age, now.Sub(e.oldest))
		}
	}
	for e := range s.leased {
		age = max(age, now.Sub(e.oldest))
	}
	return age
}

// OldestPut is when the batch of the table that waits longest was put here, zero
// when none waits.
func (s *Spool) OldestPut(table string) (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	earlier := func(e *Entry) {
		if e.Table == table && (at.IsZero() || e.put.Before(at)) {
			at = e.put
		}
	}
	for _, queue := range [][]*Entry{s.fresh, s.backlog} {
		for _, e := range queue {
			earlier(e)
		}
	}
	for e := range s.leased {
		earlier(e)
	}
	return at
}
