package api

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the API counts. It is one prometheus.Collector.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	refused  prometheus.Counter
	searches *prometheus.CounterVec
	rows     *prometheus.CounterVec
	rowBytes *prometheus.CounterVec
	perSec   prometheus.GaugeFunc

	all  []prometheus.Collector
	rate rate
}

func newMetrics() *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heplake_api_requests_total", Help: "HTTP requests answered, by route and status; 499: the client left first.",
		}, []string{"method", "route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_api_request_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 15),
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "heplake_api_requests_in_flight", Help: "HTTP requests being answered."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_api_panics_total", Help: "Requests that ended in a panic."}),
		refused:  prometheus.NewCounter(prometheus.CounterOpts{Name: "heplake_api_refused_total", Help: "Searches refused because too many others ran."}),
		searches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heplake_search_queries_total", Help: "Questions put to the database for users: calls, flow, quality, series.",
		}, []string{"kind"}),
	}
	m.rows = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "heplake_api_rows_total", Help: "Streams of rows by how they ended: whole, truncated (said so), broken (the client saw it break off), cancelled (the client left).",
	}, []string{"end"})
	m.rowBytes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "heplake_api_row_bytes_total", Help: "Bytes of rows streamed, before compression by HTTP.",
	}, []string{"format"})
	m.perSec = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "homer_search_queries_per_second", Help: "Searches a second, over the last ten seconds.",
	}, func() float64 { return m.rate.perSecond(time.Now()) })
	m.all = []prometheus.Collector{m.requests, m.duration, m.inFlight, m.panics, m.refused, m.searches, m.rows, m.rowBytes, m.perSec}
	return m
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all {
		c.Collect(ch)
	}
}

// answered counts a request. Methods and routes come from the table of routes,
// so that no client can invent label values.
func (m *metrics) answered(method, pattern string, code int, took time.Duration) {
	if pattern == "" {
		method, pattern = "other", " none"
	}
	_, route, _ := strings.Cut(pattern, " ")
	m.requests.WithLabelValues(method, route, strconv.Itoa(code)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) searched(kind string, now time.Time) {
	m.searches.WithLabelValues(kind).Inc()
	m.rate.add(now)
}

// rateWindow is the number of whole seconds that a rate is taken over.
const rateWindow = 10

// rate counts events by second, for as many seconds as the window has and the
// one that is under way.
type rate struct {
	mu     sync.Mutex
	counts [rateWindow + 1]uint64
	// last is the newest second, since the epoch, that counts has.
	last int64
}

func (r *rate) add(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advance(now.Unix())
	r.counts[r.last%int64(len(r.counts))]++
}

// perSecond is the mean over the last whole seconds.
func (r *rate) perSecond(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.advance(now.Unix())
	var sum uint64
	for i, n := range r.counts {
		if int64(i) != r.last%int64(len(r.counts)) {
			sum += n
		}
	}
	return float64(sum) / rateWindow
}

// advance empties the seconds that have begun since.
func (r *rate) advance(second int64) {
	n := int64(len(r.counts))
	for s := max(r.last+1, second-n+1); s <= second; s++ {
		r.counts[s%n] = 0
	}
	r.last = max(r.last, second)
}
