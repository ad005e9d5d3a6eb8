package load

import (
	"cmp"
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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/heplake/heplake/internal/fdstore/fdstoretest"
	"github.com/heplake/heplake/schema"
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
	binary, dir string
	cmd         *exec.Cmd
	addresses   map[string]string
	ended       chan struct{}
	// apart is ClickHouse as a process of its own; nil when it is embedded.
	apart *clickhouse
	// dropped is what runs that have ended wrote of their losses, by stage.reason.
	dropped map[string]uint64
	// manager keeps its sockets while it is not there; nil when nobody does.
	manager *fdstoretest.Manager
}

// startTimeout bounds a server's start.
const startTimeout = time.Minute

// startHeplake starts one; kept has its sockets outlive it.
func startHeplake(ctx context.Context, binary string, kept bool) (_ *heplake, err error) {
	dir, err := os.MkdirTemp("", "heplake-load-")
	if err != nil {
		return nil, err
	}
	h := &heplake{binary: binary, dir: dir, dropped: map[string]uint64{}}
	if kept {
		if h.manager, err = fdstoretest.New(dir); err != nil {
			return nil, errors.Join(err, h.stop())
		}
	}
	if err := h.start(ctx, "serve"); err != nil {
		return nil, errors.Join(err, h.stop())
	}
	return h, nil
}

// start runs the command and waits until it is ready. It listens where it did
// before, if it did.
func (h *heplake) start(ctx context.Context, command string, more ...string) error {
	addresses := filepath.Join(h.dir, "addresses.json")
	_ = os.Remove(addresses)
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	h.cmd = exec.Command(h.binary, command)
	env := append(os.Environ(), "HEPLAKE_DATA_DIR="+h.dir)
	if h.manager != nil {
		h.cmd = h.manager.Command(h.binary, command)
		env = append(env, h.manager.Env()...)
	}
	h.cmd.Env, h.cmd.Stdout, h.cmd.Stderr = env, log, log
	for _, key := range []string{"HEP_UDP", "HEP_TCP", "EMBEDDED_HTTP", "EMBEDDED_TCP", "API_ADDR", "METRICS_ADDR"} {
		addr := h.addresses[strings.ToLower(key)]
		if h.manager != nil && strings.HasPrefix(key, "HEP_") {
			addr = "" // the sockets that are kept are found by the setting
		}
		h.cmd.Env = append(h.cmd.Env, "HEPLAKE_"+key+"="+cmp.Or(addr, "127.0.0.1:0"))
	}
	h.cmd.Env = append(h.cmd.Env, more...)
	if err := h.cmd.Start(); err != nil {
		return err
	}
	ended, cmd := make(chan struct{}), h.cmd
	h.ended = ended
	go func() {
		// Its exit code is of no interest: that it ends too early is.
		_ = cmd.Wait()
		close(ended)
	}()
	for began := time.Now(); ; {
		b, rerr := os.ReadFile(addresses)
		if rerr == nil && json.Unmarshal(b, &h.addresses) == nil && h.ready() {
			return nil
		}
		over := false
		select {
		case <-ended:
			over = true
		default:
		}
		if over || time.Since(began) > startTimeout || ctx.Err() != nil {
			tail, _ := os.ReadFile(filepath.Join(h.dir, "log"))
			return fmt.Errorf("%s %s is not ready after %s:\n%s", h.binary, command, time.Since(began).Round(time.Second), tail)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (h *heplake) ready() bool {
	resp, err := http.Get("http://" + h.addresses["metrics"] + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (h *heplake) name() string { return serverHeplake }

func (h *heplake) address(proto string) string { return h.addresses["hep_"+proto] }

func (h *heplake) processes() []namedPID {
	all := []namedPID{{serverHeplake, h.cmd.Process.Pid}}
	if h.apart != nil {
		return all
	}
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
	if r.Scenario.disturbed() {
		if err := h.countTwice(ctx, r); err != nil {
			return err
		}
	}
	m, err := h.metrics(ctx)
	if err != nil {
		return err
	}
	r.Dropped = h.dropped
	for _, v := range m["heplake_dropped_total"].GetMetric() {
		label := map[string]string{}
		for _, l := range v.GetLabel() {
			label[l.GetName()] = l.GetValue()
		}
		r.Dropped[label["stage"]+"."+label["reason"]] += uint64(v.GetCounter().GetValue())
	}
	if f := m["heplake_receive_to_queryable_seconds"]; f != nil {
		all := sum(records(f))
		p50, p99 := quantile(all, 0.5), quantile(all, 0.99)
		r.QueryableP50, r.QueryableP99 = &p50, &p99
	}
	if r.Scenario.disturbed() || int(stored) != r.Sent.Counts.Packets || stored > maxCallsChecked {
		return nil
	}
	return h.checkCalls(ctx, r)
}

// assembling bounds the wait for calls to be put together of what is stored.
const assembling = time.Minute

// checkCalls compares the calls that table calls has with those sent, once it
// has them: they are put together a while after their messages are stored.
func (h *heplake) checkCalls(ctx context.Context, r *Result) error {
	for began := time.Now(); ; {
		differ, err := h.callsThatDiffer(ctx, r.Sent.Counts.Calls())
		if err != nil {
			return err
		}
		if len(differ) == 0 || time.Since(began) > assembling {
			r.Calls = differ
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// callsThatDiffer compares the calls by their outcome.
func (h *heplake) callsThatDiffer(ctx context.Context, want map[string]int) (map[string]string, error) {
	text, err := h.query(ctx, "SELECT outcome, count() FROM heplake.calls WHERE method = 'INVITE' GROUP BY outcome")
	if err != nil {
		return nil, fmt.Errorf("count calls: %w", err)
	}
	got := map[string]int{}
	for line := range strings.Lines(text) {
		outcome, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		got[outcome], _ = strconv.Atoi(count)
	}
	differ := map[string]string{}
	for outcome := range got {
		want[outcome] += 0
	}
	for outcome, n := range want {
		if got[outcome] != n {
			differ[outcome] = fmt.Sprintf("sent %d, stored %d", n, got[outcome])
		}
	}
	return differ, nil
}

// countTwice finds rows of packets that are there more than once. The generator
// gives each packet of a paced run a microsecond of its own.
func (h *heplake) countTwice(ctx context.Context, r *Result) error {
	text, err := h.query(ctx, "SELECT count() - uniqExact(time) FROM (SELECT time FROM heplake.sip UNION ALL SELECT time FROM heplake.media UNION ALL SELECT time FROM heplake.events)")
	if err != nil {
		return fmt.Errorf("count doubles: %w", err)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("count doubles: %w", err)
	}
	r.Twice = &n
	return nil
}

// end asks the process to stop and waits until it has.
func (h *heplake) end() {
	if h.ended != nil {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		<-h.ended
	}
}

func (h *heplake) stop() error {
	h.end()
	var err error
	if h.apart != nil {
		err = h.apart.stop()
	}
	if h.manager != nil {
		err = errors.Join(err, h.manager.Close())
	}
	return errors.Join(err, remove(h.dir))
}

// remove deletes the folder. An engine that was interrupted as well may still
// be writing into it, for a moment.
func remove(dir string) (err error) {
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
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

// records are the histograms of the tables of what is received, of all tables': what
// is made of it besides is no record, and held for seconds to be less.
func records(f *dto.MetricFamily) *dto.MetricFamily {
	out := &dto.MetricFamily{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "table" && slices.ContainsFunc(schema.Tables(), func(t *schema.Table) bool { return t.Name == l.GetValue() }) {
				out.Metric = append(out.Metric, m)
			}
		}
	}
	return out
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
