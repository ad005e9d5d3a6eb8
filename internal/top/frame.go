package top

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// histogram is a histogram of the metrics: counts up to each bound, and in all.
type histogram struct {
	bounds []float64
	counts []float64 // cumulative, one for each bound
	count  float64
	sum    float64
}

func newHistogram(h *dto.Histogram) *histogram {
	out := &histogram{count: float64(h.GetSampleCount()), sum: h.GetSampleSum()}
	for _, b := range h.GetBucket() {
		if math.IsInf(b.GetUpperBound(), 1) {
			continue
		}
		out.bounds = append(out.bounds, b.GetUpperBound())
		out.counts = append(out.counts, float64(b.GetCumulativeCount()))
	}
	return out
}

// since is what was observed after before was taken, which may be nil.
func (h *histogram) since(before *histogram) *histogram {
	if h == nil || before == nil || len(before.bounds) != len(h.bounds) {
		return h
	}
	out := &histogram{bounds: h.bounds, counts: slices.Clone(h.counts), count: h.count - before.count, sum: h.sum - before.sum}
	for i := range out.counts {
		out.counts[i] -= before.counts[i]
	}
	return out
}

// quantile estimates a quantile, linear within its bucket as PromQL does; NaN
// without an observation.
func (h *histogram) quantile(q float64) float64 {
	if h == nil || h.count <= 0 {
		return math.NaN()
	}
	rank, lower, below := q*h.count, 0.0, 0.0
	for i, n := range h.counts {
		if n >= rank && n > below {
			return lower + (h.bounds[i]-lower)*(rank-below)/(n-below)
		}
		lower, below = h.bounds[i], n
	}
	return lower // beyond the last bound
}

func (h *histogram) mean() float64 {
	if h == nil || h.count <= 0 {
		return math.NaN()
	}
	return h.sum / h.count
}

// Frame is what is shown: the newest sample, and what changed.
type Frame struct {
	*Sample
	// Over is what rates are taken over, Window what quantiles are.
	Over, Window time.Duration

	// Rates are per second.
	ReceivedRate, StoredRate, DroppedRate, UndecodableRate, FailureRate float64
	Losses                                                              []LossRow
	Tables                                                              []TableRow
	Agents                                                              []AgentRow
	// Trend has the rates received before, oldest first, the newest last.
	Trend []float64
}

// LossRow is a reason of loss with its rate per second.
type LossRow struct {
	Loss
	Total, Rate float64
}

// TableRow is a table with its rates per second.
type TableRow struct {
	Name                            string
	StoredRate, DroppedRate         float64
	BatchRate, RowsPerBatch, Fill   float64 // Fill from 0 to 1
	QueryableP50, QueryableP99      float64 // seconds
	InsertP50, InsertP99            float64 // seconds
	OpenRows, StoredRows, LostTotal float64
}

// AgentRow is an agent with its rate per second.
type AgentRow struct {
	AgentKey
	Agent
	Rate float64
}

// rateWindow is what rates are taken over once there are samples enough: batches
// are stored once a second or so, and a shorter look would see one or none.
const rateWindow = 5 * time.Second

// window is how far back quantiles look: batches are one a second and table.
const window = time.Minute

// trendLength is how many rates are remembered.
const trendLength = 120

// History holds the samples of the last minute, oldest first.
type History struct {
	samples []*Sample
	trend   []float64
}

// Add enters a sample. One of a process that has started anew forgets those of
// the process before: its counters began at 0.
func (h *History) Add(s *Sample) {
	if n := len(h.samples); n > 0 && !h.samples[n-1].Started.Equal(s.Started) {
		*h = History{}
	}
	h.samples = append(h.samples, s)
	for len(h.samples) > 2 && s.At.Sub(h.samples[1].At) >= window {
		h.samples = h.samples[1:]
	}
	if n := len(h.samples); n > 1 {
		last := h.samples[n-2]
		h.trend = append(h.trend, (total(s.Received)-total(last.Received))/s.At.Sub(last.At).Seconds())
		h.trend = h.trend[max(0, len(h.trend)-trendLength):]
	}
}

// Frame is what the samples say. Rates need two of them and are NaN with one.
// There must be one.
func (h *History) Frame() *Frame {
	now := h.samples[len(h.samples)-1]
	before, oldest := now, h.samples[0]
	for i := len(h.samples) - 2; i >= 0 && now.At.Sub(before.At) < rateWindow; i-- {
		before = h.samples[i]
	}
	f := &Frame{Sample: now, Over: now.At.Sub(before.At), Window: now.At.Sub(oldest.At), Trend: h.trend}
	rate := func(now, before float64) float64 {
		if f.Over <= 0 {
			return math.NaN()
		}
		return (now - before) / f.Over.Seconds()
	}
	f.ReceivedRate = rate(total(now.Received), total(before.Received))
	f.StoredRate = rate(now.Stored, before.Stored)
	f.DroppedRate = rate(total(now.Dropped), total(before.Dropped))
	f.UndecodableRate = rate(now.Undecodable, before.Undecodable)
	f.FailureRate = rate(now.Failures, before.Failures)
	for loss, n := range now.Dropped {
		f.Losses = append(f.Losses, LossRow{loss, n, rate(n, before.Dropped[loss])})
	}
	slices.SortFunc(f.Losses, func(a, b LossRow) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Reason, b.Reason))
	})
	for name, t := range now.Tables {
		last, first := before.Tables[name], oldest.Tables[name]
		if last == nil {
			last = &Table{}
		}
		if first == nil || first == t {
			first = &Table{}
		}
		queryable, insert := t.Queryable.since(first.Queryable), t.Insert.since(first.Insert)
		row := TableRow{
			Name: name, StoredRate: rate(t.StoredRows, last.StoredRows), DroppedRate: rate(t.DroppedRows, last.DroppedRows),
			RowsPerBatch: t.Rows.since(first.Rows).mean(), Fill: t.Fill.since(first.Fill).mean(),
			QueryableP50: queryable.quantile(0.5), QueryableP99: queryable.quantile(0.99),
			InsertP50: insert.quantile(0.5), InsertP99: insert.quantile(0.99),
			OpenRows: t.OpenRows, StoredRows: t.StoredRows, LostTotal: t.DroppedRows, BatchRate: math.NaN(),
		}
		if t.Rows != nil && f.Window > 0 {
			row.BatchRate = t.Rows.since(first.Rows).count / f.Window.Seconds()
		}
		f.Tables = append(f.Tables, row)
	}
	order := []string{"events", "media", "sip"} // the busiest first
	slices.SortFunc(f.Tables, func(a, b TableRow) int {
		return cmp.Or(slices.Index(order, b.Name)-slices.Index(order, a.Name), cmp.Compare(a.Name, b.Name))
	})
	for key, a := range now.Agents {
		row := AgentRow{AgentKey: key, Agent: *a, Rate: rate(a.Packets, 0)}
		if last := before.Agents[key]; last != nil {
			row.Rate = rate(a.Packets, last.Packets)
		}
		f.Agents = append(f.Agents, row)
	}
	f.sortAgents(byRate)
	return f
}

// order is how agents are sorted.
type order int

const (
	byRate order = iota
	bySeen       // longest silent first
	byName
	orders // how many there are
)

func (o order) String() string { return [...]string{"rate", "last seen", "name"}[o] }

func (f *Frame) sortAgents(by order) {
	slices.SortFunc(f.Agents, func(a, b AgentRow) int {
		first := 0
		switch by {
		case byRate:
			first = cmp.Compare(b.Rate, a.Rate)
		case bySeen:
			first = a.LastSeen.Compare(b.LastSeen)
		}
		return cmp.Or(first, cmp.Compare(a.Node, b.Node), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Address, b.Address))
	})
}

func total[K comparable](m map[K]float64) (sum float64) {
	for v := range maps.Values(m) {
		sum += v
	}
	return sum
}
