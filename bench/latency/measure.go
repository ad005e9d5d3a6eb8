package latency

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heplake/heplake/bench/load"
)

const (
	// warmUps are the rounds that do not count.
	warmUps = 3
	// logLag is how long after its answer a query may come into ClickHouse's log.
	logLag = 500 * time.Millisecond
)

// Result is what a run measured.
type Result struct {
	Date    time.Time    `json:"date"`
	Commit  string       `json:"commit"`
	Machine load.Machine `json:"machine"`
	// Messages, Calls and Parts are those of the tables sip and call_rows, and the
	// parts that sip has: each costs a search a little.
	Messages uint64 `json:"messages"`
	Calls    uint64 `json:"calls"`
	Parts    uint64 `json:"parts"`
	Days     int    `json:"days"`
	// Rounds is how often each question was asked, not counting those before.
	Rounds  int      `json:"rounds"`
	Answers []Answer `json:"answers"`
}

// Answer is what answering one question took.
type Answer struct {
	Name string `json:"name"`
	// P50Ms, LeastMs and P95Ms are of the whole answer over the API.
	P50Ms   float64 `json:"p50_ms"`
	LeastMs float64 `json:"least_ms"`
	P95Ms   float64 `json:"p95_ms"`
	// The rest is of an answer on average, as ClickHouse's system.query_log has it.
	// CPUMs is the CPU time of all its threads, CPULeastMs that of the round with
	// the least, PlanMs what of the time went into analysis and planning.
	CPUMs      float64 `json:"server_cpu_ms"`
	CPULeastMs float64 `json:"server_cpu_least_ms"`
	PlanMs     float64 `json:"server_plan_ms"`
	Queries    float64 `json:"server_queries"`
	ReadRows   float64 `json:"server_read_rows"`
	ReadBytes  float64 `json:"server_read_bytes"`
	Granules   float64 `json:"server_granules"`
	// Bytes is how long an answer is on average.
	Bytes float64 `json:"bytes"`
}

// Measure asks each question whose name contains one of the words, or each when
// there are none, so many rounds. Nobody else may ask the server meanwhile: what
// it counts would be theirs, too.
func Measure(ctx context.Context, s *load.Server, rounds int, words []string) (*Result, error) {
	r := &Result{Date: time.Now(), Commit: load.Commit(), Machine: load.ThisMachine(), Days: Days, Rounds: rounds}
	text, err := s.Query(ctx, "SELECT (SELECT count() FROM heplake.sip), (SELECT count() FROM heplake.call_rows FINAL WHERE method = 'INVITE'), (SELECT count() FROM system.parts WHERE active AND database = 'heplake' AND table = 'sip')")
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscan(text, &r.Messages, &r.Calls, &r.Parts); err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	about, err := readSubjects(ctx, s, rounds+warmUps)
	if err != nil {
		return nil, err
	}
	for _, q := range questions {
		if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(q.name, w) }) {
			continue
		}
		a, err := ask(ctx, s, q, about, rounds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
		r.Answers = append(r.Answers, a)
	}
	return r, nil
}

// ask asks one question.
func ask(ctx context.Context, s *load.Server, q question, about subjects, rounds int) (Answer, error) {
	a := Answer{Name: q.name}
	times := make([]float64, 0, rounds)
	began := make([]int64, 0, rounds+1)
	for round := range warmUps + rounds {
		start := time.Now()
		n, err := get(ctx, "http://"+s.Address("api")+q.request(about, round))
		if err != nil {
			return a, err
		}
		if round < warmUps {
			continue
		}
		times, began = append(times, float64(time.Since(start).Microseconds())/1000), append(began, start.UnixMicro())
		a.Bytes += float64(n) / float64(rounds)
	}
	began = append(began, time.Now().UnixMicro())
	slices.Sort(times)
	a.LeastMs, a.P50Ms, a.P95Ms = times[0], times[len(times)/2], times[min(len(times)-1, len(times)*95/100)]
	return a, a.server(ctx, s, began)
}

// get asks for one answer and returns its length.
func get(ctx context.Context, address string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return 0, fmt.Errorf("%s: %s: %s", address, resp.Status, text)
	}
	return io.Copy(io.Discard, resp.Body)
}

// server adds what ClickHouse counted of the rounds, which began at these times,
// the last of which is the end: the queries of the user that the API asks as.
func (a *Answer) server(ctx context.Context, s *load.Server, began []int64) error {
	// A query comes into the log a moment after its answer.
	if err := sleep(ctx, logLag); err != nil {
		return err
	}
	if _, err := s.Query(ctx, "SYSTEM FLUSH LOGS query_log"); err != nil {
		return err
	}
	bounds := make([]string, len(began))
	for i, t := range began {
		bounds[i] = strconv.FormatInt(t, 10)
	}
	text, err := s.Query(ctx, fmt.Sprintf(`WITH [%s] AS bounds, toUnixTimestamp64Micro(query_start_time_microseconds) AS at
SELECT arrayCount(b -> b <= at, bounds) AS round, sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000,
	sum(ProfileEvents['QueryAnalysisMicroseconds'] + ProfileEvents['QueryPlanOptimizeMicroseconds']) / 1000,
	count(), sum(read_rows), sum(read_bytes), sum(ProfileEvents['SelectedMarks'])
FROM system.query_log WHERE type = 'QueryFinish' AND user = 'reader' AND event_date >= toDate(fromUnixTimestamp64Micro(bounds[1])) AND at >= bounds[1] AND at < bounds[-1]
GROUP BY round ORDER BY round`, strings.Join(bounds, ", ")))
	if err != nil {
		return err
	}
	rounds := float64(len(began) - 1)
	for line := range strings.Lines(text) {
		var round int
		var cpu, plan, queries, rows, bytes, granules float64
		if _, err := fmt.Sscan(line, &round, &cpu, &plan, &queries, &rows, &bytes, &granules); err != nil {
			return fmt.Errorf("query log: %w in %q", err, line)
		}
		if least := cmp.Or(a.CPULeastMs, cpu); cpu <= least {
			a.CPULeastMs = cpu
		}
		a.CPUMs += cpu / rounds
		a.PlanMs += plan / rounds
		a.Queries += queries / rounds
		a.ReadRows += rows / rounds
		a.ReadBytes += bytes / rounds
		a.Granules += granules / rounds
	}
	if a.Queries == 0 {
		return fmt.Errorf("the server has no query of it in its log")
	}
	return nil
}
