package ingest

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timings are the metrics that observe; the rest is collected from the ledger.
type timings struct {
	batchRows, batchBytes, fill, seal, write, insert, latency *prometheus.HistogramVec
	failures                                                  prometheus.Counter
}

var byTable = []string{"table"}

func newTimings() *timings {
	return &timings{
		batchRows: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_batch_rows", Help: "Rows of sealed batches.",
			Buckets: prometheus.ExponentialBuckets(1, 10, 7),
		}, byTable),
		batchBytes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_batch_bytes", Help: "Bytes of sealed batches, as they are spooled and sent.",
			Buckets: prometheus.ExponentialBuckets(16<<10, 4, 8),
		}, byTable),
		fill: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_batch_fill_ratio", Help: "How full a batch was when it was sealed: the greater of its rows by batch.rows and its bytes by batch.bytes. Far below 1, age sealed it.",
			Buckets: []float64{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1},
		}, byTable),
		seal: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_seal_seconds", Help: "Time to make a batch's Arrow stream.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
		}, byTable),
		write: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_spool_write_seconds", Help: "Time until the spool had a batch, its synchronisation to the disk apart.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 3, 10),
		}, byTable),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_insert_seconds", Help: "Time that ClickHouse took for an insert it confirmed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, byTable),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heplake_receive_to_queryable_seconds", Help: "From the receipt of a batch's first packet until ClickHouse confirmed the batch.",
			// Finest around what a batch's age makes usual, so that a quantile says
			// whether two seconds are kept.
			Buckets: []float64{0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2, 2.5, 3, 4, 6, 10, 30, 60, 300, 1800},
		}, byTable),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "heplake_insert_failures_total", Help: "Inserts that failed and were tried again.",
		}),
	}
}

// collectors are all of them.
func (t *timings) collectors() []prometheus.Collector {
	return []prometheus.Collector{t.batchRows, t.batchBytes, t.fill, t.seal, t.write, t.insert, t.latency, t.failures}
}

var (
	descReceived = prometheus.NewDesc("heplake_received_total", "Packets received, by transport; spool: left from before the start.", []string{"transport"}, nil)
	descStored   = prometheus.NewDesc("heplake_stored_total", "Packets whose rows ClickHouse has confirmed.", nil, nil)
	descDropped  = prometheus.NewDesc("heplake_dropped_total", "Packets lost, by the stage where and the reason why. received = stored + dropped + waiting, always.", []string{"stage", "reason"}, nil)
	descWaiting  = prometheus.NewDesc("heplake_waiting", "Packets in open batches and in the spool.", nil, nil)
	descLostRows = prometheus.NewDesc("heplake_dropped_rows_total", "Rows lost with packets that had become rows of a table, by table, stage and reason.", []string{"table", "stage", "reason"}, nil)
	descAtRisk   = prometheus.NewDesc("heplake_unspooled_oldest_seconds", "How long ago the first packet was received that is not in the spool yet: what heplake, killed now, would cost. 0 when none is.", nil, nil)
	descQueue    = prometheus.NewDesc("heplake_queue_length", "What waits between two stages: full batches for a sealer (seal), batches on their way to ClickHouse (insert).", []string{"queue"}, nil)
	descQueueCap = prometheus.NewDesc("heplake_queue_capacity", "How much may wait between two stages. A full seal queue holds up receipt, which streams feel and sockets' buffers take up.", []string{"queue"}, nil)
	descOpen     = prometheus.NewDesc("heplake_batch_open_rows", "Rows in open batches.", []string{"table"}, nil)
	descOpenSize = prometheus.NewDesc("heplake_batch_open_bytes", "Memory that the rows of open batches take.", []string{"table"}, nil)
	descRows     = prometheus.NewDesc("heplake_stored_rows_total", "Rows that ClickHouse has confirmed, by table.", []string{"table"}, nil)
	descKept     = prometheus.NewDesc("heplake_undecodable_total", "Packets that did not decode and were stored in events, by stage and reason.", []string{"stage", "reason"}, nil)
	descAbsurd   = prometheus.NewDesc("heplake_absurd_times_total", "Packets stored under their time of receipt because the sender's time was absurd.", nil, nil)
	descSpool    = prometheus.NewDesc("heplake_spool_bytes", "Bytes of batches that wait in the spool, by place.", []string{"place"}, nil)
	descSpare    = prometheus.NewDesc("heplake_batch_spare_bytes", "Memory that emptied batches keep for the next rows; what nobody needed for half a minute is let go.", []string{"table"}, nil)
	descBatches  = prometheus.NewDesc("heplake_spool_batches", "Batches that wait in the spool.", nil, nil)
	descSpoolErr = prometheus.NewDesc("heplake_spool_errors_total", "Batches that the disk refused (kept in memory) and files found damaged.", []string{"error"}, nil)
	descConns    = prometheus.NewDesc("heplake_connections", "Open HEP connections, by transport.", []string{"transport"}, nil)
	descRefused  = prometheus.NewDesc("heplake_connections_refused_total", "HEP connections refused for want of room, by transport.", []string{"transport"}, nil)
	descUnread   = prometheus.NewDesc("heplake_connections_unread_bytes_total", "Bytes that lay unread in HEP connections when these were closed, by transport.", []string{"transport"}, nil)
	descBuffer   = prometheus.NewDesc("heplake_udp_buffer_bytes", "Receive buffer of a UDP socket, asked of the kernel and granted.", []string{"what"}, nil)

	// The names that the operators' Homer dashboards and alerts know.
	descHomerPackets = prometheus.NewDesc("homer_captured_packets_total", "Packets received.", nil, nil)
	descHomerMethods = prometheus.NewDesc("homer_sip_methods_total", "SIP requests, by method.", []string{"method"}, nil)
	descHomerCodes   = prometheus.NewDesc("homer_response_codes_total", "SIP responses, by status code.", []string{"code"}, nil)
	descHomerErrors  = prometheus.NewDesc("homer_capture_errors_total", "Packets lost or not decodable.", nil, nil)
	descHomerInserts = prometheus.NewDesc("homer_database_inserts_per_second", "Rows stored a second, over the last ten seconds.", nil, nil)
)

// Describe implements prometheus.Collector. The descriptions vary with what was
// received, so the collector is an unchecked one.
func (p *Pipeline) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range p.timings.collectors() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{descReceived, descStored, descDropped, descWaiting, descLostRows, descAtRisk, descQueue, descQueueCap, descOpen, descOpenSize, descSpare, descRows, descKept, descAbsurd, descSpool, descBatches,
		descSpoolErr, descConns, descRefused, descUnread, descBuffer, descFrames, descHomerPackets, descHomerMethods, descHomerCodes, descHomerErrors, descHomerInserts} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *Pipeline) Collect(ch chan<- prometheus.Metric) {
	for _, c := range p.timings.collectors() {
		c.Collect(ch)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}

	books := p.ledger.books()
	for transport, n := range books.Received {
		counter(descReceived, n, transport)
	}
	for loss, n := range books.Dropped {
		counter(descDropped, n, loss.Stage, loss.Reason)
	}
	for lost, n := range books.DroppedRows {
		counter(descLostRows, n, lost.Table, lost.Stage, lost.Reason)
	}
	var undecodable, rows uint64
	for loss, n := range books.Undecodable {
		counter(descKept, n, loss.Stage, loss.Reason)
		undecodable += n
	}
	for table, n := range books.Rows {
		counter(descRows, n, table)
		rows += n
	}
	counter(descStored, books.Stored)
	gauge(descWaiting, float64(books.Waiting))

	tally := p.tally()
	counter(descAbsurd, tally.absurd)
	for method, n := range tally.methods {
		if n == 0 {
			continue
		}
		counter(descHomerMethods, n, methodNames[method])
	}
	for code, n := range tally.codes {
		switch {
		case n == 0:
		case code == 0:
			counter(descHomerCodes, n, "other")
		default:
			counter(descHomerCodes, n, strconv.Itoa(code))
		}
	}
	counter(descHomerPackets, books.Total())
	counter(descHomerErrors, books.Lost()+undecodable)
	gauge(descHomerInserts, p.rate.perSecond(time.Now(), rows))

	gauge(descAtRisk, p.unspooledAge(time.Now()).Seconds())
	gauge(descQueue, float64(len(p.seal)), "seal")
	gauge(descQueueCap, float64(cap(p.seal)), "seal")
	gauge(descQueue, float64(p.sending.Load()), "insert")
	gauge(descQueueCap, float64(p.cfg.Inserters), "insert")
	for table, o := range p.openBatches() {
		gauge(descOpen, float64(o.rows), table)
		gauge(descOpenSize, float64(o.bytes), table)
	}
	gauge(descSpare, float64(p.sips.heldBytes()), p.sips.table.Name)
	gauge(descSpare, float64(p.medias.heldBytes()), p.medias.table.Name)
	gauge(descSpare, float64(p.events.heldBytes()), p.events.table.Name)
	gauge(descSpare, float64(p.digests.heldBytes()), p.digests.table.Name)
	gauge(descSpare, float64(p.ids.heldBytes()), p.ids.table.Name)
	gauge(descSpare, float64(p.users.heldBytes()), p.users.table.Name)

	sp := p.spool.Stats()
	gauge(descSpool, float64(sp.Bytes), "disk")
	gauge(descSpool, float64(sp.MemoryBytes), "memory")
	gauge(descBatches, float64(sp.Batches))
	counter(descSpoolErr, uint64(sp.Corrupt), "corrupt")
	counter(descSpoolErr, uint64(sp.WriteErrors), "write")
	for name, s := range p.streams {
		stats := s.Stats()
		gauge(descConns, float64(stats.Open), name)
		counter(descRefused, stats.Refused, name)
		counter(descUnread, stats.UnreadBytes, name)
	}
	p.collectTaps(ch)
	if p.udp != nil {
		if stats := p.udp.Stats(); len(stats) > 0 {
			gauge(descBuffer, float64(p.cfg.UDPBuffer), "asked")
			gauge(descBuffer, float64(stats[0].BufferGranted), "granted")
		}
	}
}

// tally sums what the workers counted.
func (p *Pipeline) tally() tally {
	var sum tally
	for _, w := range p.workers {
		w.mu.Lock()
		sum.add(&w.tally)
		w.mu.Unlock()
	}
	return sum
}

// openSize is what the open batches of one table hold.
type openSize struct{ rows, bytes int }

// openBatches sums what the workers' open batches hold, by table.
func (p *Pipeline) openBatches() map[string]openSize {
	sum := map[string]openSize{}
	for _, w := range p.workers {
		w.mu.Lock()
		addOpen(sum, &w.sipRows)
		addOpen(sum, &w.mediaRows)
		addOpen(sum, &w.eventRows)
		w.mu.Unlock()
	}
	return sum
}

// unspooledAge is for how long the first packet has waited that is not in the spool.
func (p *Pipeline) unspooledAge(now time.Time) time.Duration {
	oldest := earlier(p.oldestOpen(), p.commits.oldest())
	if oldest.IsZero() {
		return 0
	}
	return now.Sub(oldest)
}

// oldestOpen is when the first packet of the open batches was received; zero when
// they are empty.
func (p *Pipeline) oldestOpen() (t time.Time) {
	for _, w := range p.workers {
		w.mu.Lock()
		t = earlier(earlier(earlier(t, opened(&w.sipRows)), opened(&w.mediaRows)), opened(&w.eventRows))
		w.mu.Unlock()
	}
	return t
}

// opened is when the first packet of a worker's open batches was received.
func opened[R any](o *openBatches[R]) (t time.Time) {
	for _, b := range o.byDay {
		if b.Rows() > 0 {
			t = earlier(t, b.Opened())
		}
	}
	return t
}

func addOpen[R any](sum map[string]openSize, o *openBatches[R]) {
	s := sum[o.pool.table.Name]
	for _, b := range o.byDay {
		s.rows += b.Rows()
		s.bytes += b.Size()
	}
	sum[o.pool.table.Name] = s
}

// meter turns a total into a rate over the last rateWindow. It samples when it
// is asked and when the clock ticks.
type meter struct {
	mu      sync.Mutex
	samples []sample // oldest first
}

type sample struct {
	at    time.Time
	total uint64
}

const rateWindow = 10 * time.Second

// perSecond enters the total and returns the rate since the oldest sample of the window.
func (m *meter) perSecond(now time.Time, total uint64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, sample{now, total})
	// Keep one sample from before the window, so that the rate spans all of it.
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	if elapsed := now.Sub(first.at).Seconds(); elapsed > 0 {
		return float64(total-first.total) / elapsed
	}
	return 0
}
