package top

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Loss names where and why packets were lost.
type Loss struct{ Stage, Reason string }

// AgentKey names a capture agent: its node name and capture id, which it gives
// itself, and the address that its packets come from.
type AgentKey struct{ Node, ID, Address string }

// Sample is what the metrics said at one moment. Counters are since the start
// of the process.
type Sample struct {
	At time.Time
	// Started is when the process did; zero when its metrics do not say.
	Started time.Time

	Received map[string]float64 // packets by transport
	Dropped  map[Loss]float64   // packets
	Stored   float64            // packets
	Waiting  float64            // packets
	Tables   map[string]*Table
	Agents   map[AgentKey]*Agent

	SpoolDisk, SpoolMemory float64 // bytes
	SpoolBatches           float64
	SpoolOldest            time.Duration
	DiskRefuses            bool
	Failures               float64            // inserts that failed
	Restarts               float64            // of the embedded engine
	Queue, QueueCapacity   map[string]float64 // by queue
	Connections            map[string]float64 // by transport
	BufferAsked            float64            // bytes of a UDP socket's receive buffer
	BufferGranted          float64
	DiskFree               float64 // bytes
	Undecodable            float64 // packets stored in events
}

// Table is what concerns one table.
type Table struct {
	StoredRows, DroppedRows float64
	OpenRows                float64
	// Fill is how full sealed batches were, Rows how many rows they had; Insert and
	// Queryable are in seconds.
	Fill, Rows, Insert, Queryable *histogram
}

// Agent is one capture agent.
type Agent struct {
	Packets, Undecodable float64
	LastSeen             time.Time
	// Skew is the agent's clock less heplake's, smoothed; Timed says that it is known.
	Skew   time.Duration
	Timed  bool
	Silent bool
}

// readTimeout bounds one look at the metrics.
const readTimeout = 5 * time.Second

// maxPage bounds the text that is read: a thousand agents make one MiB.
const maxPage = 64 << 20

// Read takes a sample from the metrics at the URL.
func Read(ctx context.Context, url string) (*Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s answers %s", url, resp.Status)
	}
	return parse(io.LimitReader(resp.Body, maxPage), time.Now(), url)
}

// parse reads the text form of Prometheus' metrics.
func parse(r io.Reader, at time.Time, url string) (*Sample, error) {
	p := expfmt.NewTextParser(model.UTF8Validation)
	m, err := p.TextToMetricFamilies(r)
	if err != nil {
		return nil, fmt.Errorf("metrics: %s: %w", url, err)
	}
	if m["heplake_received_total"] == nil && m["heplake_waiting"] == nil {
		return nil, fmt.Errorf("metrics: %s are not those of a heplake that receives", url)
	}
	f := families(m)
	s := &Sample{
		At: at, Received: f.by("heplake_received_total", "transport"), Dropped: map[Loss]float64{},
		Stored: f.one("heplake_stored_total"), Waiting: f.one("heplake_waiting"),
		Tables: map[string]*Table{}, Agents: map[AgentKey]*Agent{},
		SpoolBatches: f.one("heplake_spool_batches"), SpoolOldest: seconds(f.one("heplake_spool_oldest_seconds")),
		DiskRefuses: f.one("heplake_spool_disk_refuses") > 0, Failures: f.one("heplake_insert_failures_total"),
		Restarts: f.one("heplake_clickhouse_restarts_total"), Undecodable: f.one("heplake_undecodable_total"),
		Queue: f.by("heplake_queue_length", "queue"), QueueCapacity: f.by("heplake_queue_capacity", "queue"),
		Connections: f.by("heplake_connections", "transport"), DiskFree: f.one("heplake_storage_free_bytes"),
	}
	if v := f.one("process_start_time_seconds"); v > 0 {
		s.Started = unix(v)
	}
	spool, buffer := f.by("heplake_spool_bytes", "place"), f.by("heplake_udp_buffer_bytes", "what")
	s.SpoolDisk, s.SpoolMemory = spool["disk"], spool["memory"]
	s.BufferAsked, s.BufferGranted = buffer["asked"], buffer["granted"]
	f.each("heplake_dropped_total", func(l labels, m *dto.Metric) { s.Dropped[Loss{l["stage"], l["reason"]}] += value(m) })
	s.readTables(f)
	s.readAgents(f)
	return s, nil
}

func (s *Sample) readTables(f families) {
	table := func(l labels) *Table {
		t := s.Tables[l["table"]]
		if t == nil {
			t = &Table{}
			s.Tables[l["table"]] = t
		}
		return t
	}
	f.each("heplake_stored_rows_total", func(l labels, m *dto.Metric) { table(l).StoredRows += value(m) })
	f.each("heplake_dropped_rows_total", func(l labels, m *dto.Metric) { table(l).DroppedRows += value(m) })
	f.each("heplake_batch_open_rows", func(l labels, m *dto.Metric) { table(l).OpenRows += value(m) })
	f.each("heplake_batch_fill_ratio", func(l labels, m *dto.Metric) { table(l).Fill = newHistogram(m.GetHistogram()) })
	f.each("heplake_batch_rows", func(l labels, m *dto.Metric) { table(l).Rows = newHistogram(m.GetHistogram()) })
	f.each("heplake_insert_seconds", func(l labels, m *dto.Metric) { table(l).Insert = newHistogram(m.GetHistogram()) })
	f.each("heplake_receive_to_queryable_seconds", func(l labels, m *dto.Metric) { table(l).Queryable = newHistogram(m.GetHistogram()) })
}

func (s *Sample) readAgents(f families) {
	agent := func(l labels) *Agent {
		k := AgentKey{l["node"], l["capture_id"], l["address"]}
		a := s.Agents[k]
		if a == nil {
			a = &Agent{}
			s.Agents[k] = a
		}
		return a
	}
	f.each("heplake_agent_packets_total", func(l labels, m *dto.Metric) { agent(l).Packets = value(m) })
	f.each("heplake_agent_undecodable_total", func(l labels, m *dto.Metric) { agent(l).Undecodable = value(m) })
	f.each("heplake_agent_last_seen_timestamp_seconds", func(l labels, m *dto.Metric) { agent(l).LastSeen = unix(value(m)) })
	f.each("heplake_agent_silent", func(l labels, m *dto.Metric) { agent(l).Silent = value(m) > 0 })
	f.each("heplake_agent_clock_skew_seconds", func(l labels, m *dto.Metric) {
		if l["what"] == "smoothed" {
			a := agent(l)
			a.Skew, a.Timed = seconds(value(m)), true
		}
	})
}

type labels map[string]string

type families map[string]*dto.MetricFamily

// each calls use for every series of the metric.
func (f families) each(name string, use func(labels, *dto.Metric)) {
	for _, m := range f[name].GetMetric() {
		l := labels{}
		for _, p := range m.GetLabel() {
			l[p.GetName()] = p.GetValue()
		}
		use(l, m)
	}
}

// one is the sum of a metric's series.
func (f families) one(name string) (sum float64) {
	for _, m := range f[name].GetMetric() {
		sum += value(m)
	}
	return sum
}

// by is a metric's values by a label.
func (f families) by(name, label string) map[string]float64 {
	out := map[string]float64{}
	f.each(name, func(l labels, m *dto.Metric) { out[l[label]] += value(m) })
	return out
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	}
	return m.Untyped.GetValue()
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

func unix(v float64) time.Time { return time.UnixMicro(int64(v * 1e6)) }

// metricsURL completes an address: http:// before it, /metrics behind it.
func metricsURL(s string) string {
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	scheme, rest, _ := strings.Cut(s, "://")
	if !strings.Contains(rest, "/") || strings.HasSuffix(rest, "/") && strings.Count(rest, "/") == 1 {
		rest = strings.TrimSuffix(rest, "/") + "/metrics"
	}
	return scheme + "://" + rest
}
