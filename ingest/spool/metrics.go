package spool

import "github.com/prometheus/client_golang/prometheus"

var (
	descLost = prometheus.NewDesc("heplake_spool_lost_batches_total",
		"Batches given up for want of room, by table and reason: full (new ones), evicted (old ones for new ones), stop (in memory alone at the end).", []string{"table", "reason"}, nil)
	descLostRows = prometheus.NewDesc("heplake_spool_lost_rows_total", "Rows of these batches.", []string{"table", "reason"}, nil)
	descRefuses  = prometheus.NewDesc("heplake_spool_disk_refuses", "1 while the disk refuses batches (full, read-only, broken), which are then in memory alone; else 0.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Spool) Describe(ch chan<- *prometheus.Desc) {
	ch <- descLost
	ch <- descLostRows
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
	refuses := 0.0
	if s.stats.DiskRefuses {
		refuses = 1
	}
	ch <- prometheus.MustNewConstMetric(descRefuses, prometheus.GaugeValue, refuses)
}
