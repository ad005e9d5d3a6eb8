package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const serverHeplake = "heplake"

// server is what a scenario runs against.
type server interface {
	name() string
	// address is where it takes HEP over the transport.
	address(proto string) string
	// processes are the ids of its processes by name, its own first.
	processes() []namedPID
	// drained waits until everything received is stored or lost.
	drained(ctx context.Context) error
	// outcome fills in what the server and its database know of the run.
	outcome(ctx context.Context, r *Result) error
	stop() error
}

type namedPID struct {
	name string
	pid  int
}

// heplake is a `heplake serve` of its own, with an empty data folder.
type heplake struct {
	cmd       *exec.Cmd
	dir       string
	addresses map[string]string
	ended     chan struct{}
}

// startTimeout bounds a server's start.
const startTimeout = time.Minute

func startHeplake(ctx context.Context, binary string) (_ *heplake, err error) {
	dir, err := os.MkdirTemp("", "heplake-load-")
	if err != nil {
		return nil, err
	}
	h := &heplake{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.stop())
		}
	}()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	h.cmd = exec.Command(binary, "serve")
	h.cmd.Stdout, h.cmd.Stderr = log, log
	h.cmd.Env = append(os.Environ(), "HEPLAKE_DATA_DIR="+dir)
	for _, key := range []string{"HEP_UDP", "HEP_TCP", "EMBEDDED_HTTP", "EMBEDDED_TCP", "API_ADDR", "METRICS_ADDR"} {
		h.cmd.Env = append(h.cmd.Env, "HEPLAKE_"+key+"=127.0.0.1:0")
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	h.ended = make(chan struct{})
	go func() {
		// Its exit code is of no interest: that it ends too early is.
		_ = h.cmd.Wait()
		close(h.ended)
	}()
	for began := time.Now(); ; {
		b, rerr := os.ReadFile(filepath.Join(dir, "addresses.json"))
		if rerr == nil && json.Unmarshal(b, &h.addresses) == nil {
			if resp, err := http.Get("http://" + h.addresses["metrics"] + "/readyz"); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return h, nil
				}
			}
		}
		ended := false
		select {
		case <-h.ended:
			ended = true
		default:
		}
		if ended || time.Since(began) > startTimeout || ctx.Err() != nil {
			tail, _ := os.ReadFile(filepath.Join(dir, "log"))
			return nil, fmt.Errorf("%s serve is not ready after %s:\n%s", binary, time.Since(began).Round(time.Second), tail)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *heplake) name() string { return serverHeplake }

func (h *heplake) address(proto string) string { return h.addresses["hep_"+proto] }

func (h *heplake) processes() []namedPID {
	all := []namedPID{{serverHeplake, h.cmd.Process.Pid}}
	for _, pid := range children(h.cmd.Process.Pid) {
		all = append(all, namedPID{"engine", pid})
	}
	return all
}

// metrics reads the server's metrics.
func (h *heplake) metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.addresses["metrics"]+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(resp.Body)
}

// drained waits until no packet has come for a second and none waits.
func (h *heplake) drained(ctx context.Context) error {
	var last float64
	for calm := 0; calm < 4; {
		m, err := h.metrics(ctx)
		if err != nil {
			return err
		}
		received := 0.0
		for _, v := range m["heplake_received_total"].GetMetric() {
			received += v.GetCounter().GetValue()
		}
		if received == last && m["heplake_waiting"].GetMetric()[0].GetGauge().GetValue() == 0 {
			calm++
		} else {
			calm = 0
		}
		last = received
		select {
		case <-ctx.Done():
			return fmt.Errorf("not drained: %w", ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
	}
	return nil
}

// query asks the engine and returns the answer as tab-separated text.
func (h *heplake) query(ctx context.Context, sql string) (string, error) {
	u := url.URL{Scheme: "http", Host: h.addresses["clickhouse_http"], Path: "/"}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth(h.addresses["clickhouse_user"], h.addresses["clickhouse_password"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return strings.TrimSpace(string(b)), err
}

// maxCallsChecked bounds the packets of a run whose calls are computed and
// compared: beyond it the query costs more than the run.
const maxCallsChecked = 500_000

func (h *heplake) outcome(ctx context.Context, r *Result) error {
	// Each packet of the generator is one row.
	text, err := h.query(ctx, "SELECT (SELECT count() FROM heplake.sip) + (SELECT count() FROM heplake.media) + (SELECT count() FROM heplake.events)")
	if err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	stored, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("count rows: %w", err)
	}
	r.Stored = &stored
	m, err := h.metrics(ctx)
	if err != nil {
		return err
	}
	r.Dropped = map[string]uint64{}
	for _, v := range m["heplake_dropped_total"].GetMetric() {
		label := map[string]string{}
		for _, l := range v.GetLabel() {
			label[l.GetName()] = l.GetValue()
		}
		r.Dropped[label["stage"]+"."+label["reason"]] = uint64(v.GetCounter().GetValue())
	}
	if f := m["heplake_receive_to_queryable_seconds"]; f != nil {
		all := sum(f)
		p50, p99 := quantile(all, 0.5), quantile(all, 0.99)
		r.QueryableP50, r.QueryableP99 = &p50, &p99
	}
	if int(stored) != r.Sent.Counts.Packets || stored > maxCallsChecked {
		return nil
	}
	return h.checkCalls(ctx, r)
}

// checkCalls compares the calls that the view calls has with those sent.
func (h *heplake) checkCalls(ctx context.Context, r *Result) error {
	text, err := h.query(ctx, "SELECT outcome, count() FROM heplake.calls WHERE method = 'INVITE' GROUP BY outcome")
	if err != nil {
		return fmt.Errorf("count calls: %w", err)
	}
	got := map[string]int{}
	for line := range strings.Lines(text) {
		outcome, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		got[outcome], _ = strconv.Atoi(count)
	}
	r.Calls = map[string]string{}
	want := r.Sent.Counts.Calls()
	for outcome := range got {
		want[outcome] += 0
	}
	for outcome, n := range want {
		if got[outcome] != n {
			r.Calls[outcome] = fmt.Sprintf("sent %d, stored %d", n, got[outcome])
		}
	}
	return nil
}

func (h *heplake) stop() error {
	if h.ended != nil {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		<-h.ended
	}
	return os.RemoveAll(h.dir)
}

// sum adds up the histograms of a family, which all have the same buckets.
func sum(f *dto.MetricFamily) *dto.Histogram {
	all := &dto.Histogram{SampleCount: new(uint64)}
	for _, m := range f.GetMetric() {
		h := m.GetHistogram()
		*all.SampleCount += h.GetSampleCount()
		for i, b := range h.GetBucket() {
			if i == len(all.Bucket) {
				upper := b.GetUpperBound()
				all.Bucket = append(all.Bucket, &dto.Bucket{UpperBound: &upper, CumulativeCount: new(uint64)})
			}
			*all.Bucket[i].CumulativeCount += b.GetCumulativeCount()
		}
	}
	return all
}

// quantile estimates a quantile of a histogram, linear within its bucket, as
// PromQL does.
func quantile(h *dto.Histogram, q float64) float64 {
	rank := q * float64(h.GetSampleCount())
	lower, before := 0.0, 0.0
	for _, b := range h.GetBucket() {
		count := float64(b.GetCumulativeCount())
		if count >= rank && count > before {
			return lower + (b.GetUpperBound()-lower)*(rank-before)/(count-before)
		}
		lower, before = b.GetUpperBound(), count
	}
	return lower
}

func portOf(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	return n
}
