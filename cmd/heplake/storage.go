package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// storage reports how full the disk of the data folder is.
type storage struct{ dir string }

var (
	descUsed = prometheus.NewDesc("homer_storage_used_percent", "Used share of the disk that holds data.dir, in percent.", nil, nil)
	descFree = prometheus.NewDesc("heplake_storage_free_bytes", "Bytes free on the disk that holds data.dir.", nil, nil)
)

func newStorage(dir string) prometheus.Collector { return storage{dir} }

// Describe implements prometheus.Collector.
func (storage) Describe(ch chan<- *prometheus.Desc) { ch <- descUsed; ch <- descFree }

// Collect implements prometheus.Collector.
func (s storage) Collect(ch chan<- prometheus.Metric) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil || fs.Blocks == 0 {
		return
	}
	// As df counts: what only root may use counts as neither used nor free.
	used := float64(fs.Blocks - fs.Bfree)
	ch <- prometheus.MustNewConstMetric(descUsed, prometheus.GaugeValue, 100*used/(used+float64(fs.Bavail)))
	ch <- prometheus.MustNewConstMetric(descFree, prometheus.GaugeValue, float64(fs.Bavail)*float64(fs.Bsize))
}
