package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/heplake/heplake/bench/truth"
	"github.com/heplake/heplake/query"
)

// figures are a series' values in short.
func figures(s query.SeriesResult) string {
	var out []string
	for _, series := range s.Series {
		var values []string
		for _, l := range series.Labels {
			values = append(values, l.Value)
		}
		for _, v := range series.Values {
			if v == nil {
				values = append(values, "-")
			} else {
				values = append(values, fmt.Sprintf("%.2f", *v))
			}
		}
		out = append(out, strings.Join(values, " "))
	}
	return strings.Join(out, "; ")
}

// TestKPIs checks the figures of captures whose calls are known, from the rollups
// and from the calls themselves.
func TestKPIs(t *testing.T) {
	l := open(t, failures, registers)
	// 13 calls: one answered, 12 failed or cancelled in known ways.
	for metric, want := range map[string]string{
		"attempts": "12.00", "answered": "1.00", "asr": "8.33", "ser": "9.09", "isa": "16.67", "registrations": "7.00", "reg_failures": "1.00", "cps": "0.00", "active_calls": "0.00",
	} {
		for _, f := range []string{"", "tenant = default"} {
			r := query.SeriesRequest{Metric: metric, From: l.From.Truncate(24 * time.Hour), To: l.From.Truncate(24 * time.Hour).Add(24 * time.Hour), Step: 24 * time.Hour, Filter: f}
			if got := figures(l.series(t, r)); got != want {
				t.Errorf("%s, filter %q: %s, want %s", metric, f, got, want)
			}
		}
	}
}

// TestRollupsSayTheSame checks every figure, with every split, against that of the
// calls themselves.
func TestRollupsSayTheSame(t *testing.T) {
	l := open(t, failures, lossy, twoLegs, registers, withMedia)
	for _, metric := range query.Metrics() {
		if metric == "messages" || metric == "errors" {
			continue
		}
		for _, group := range []string{"", "tenant", "node", "src_ip", "user_agent"} {
			r := query.SeriesRequest{Metric: metric, From: l.From.Truncate(time.Hour).Add(-90 * time.Minute), To: l.To.Truncate(time.Hour).Add(90 * time.Minute), Step: time.Hour}
			if group != "" {
				r.GroupBy = []string{group}
			}
			rolled := figures(l.series(t, r))
			r.Filter = "tenant = default" // rollups know no filter
			if direct := figures(l.series(t, r)); rolled != direct {
				t.Errorf("%s by %q: rollups say %s, calls %s", metric, group, rolled, direct)
			}
		}
	}
}

// TestActiveCalls checks how many calls are up against a count of them at each
// moment, with steps and windows that cut calls anywhere.
func TestActiveCalls(t *testing.T) {
	l := open(t)
	start := time.Now().UTC().Truncate(time.Hour).Add(-30 * time.Hour)
	corpus, err := truth.New(truth.Config{Seed: 7, Calls: 150, Start: start, Gap: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l.Feed(t, corpus.Data())
	l.Settle(t)
	most := 0.0
	for _, step := range []time.Duration{7 * time.Second, time.Minute, time.Hour} {
		for _, begin := range []time.Duration{-time.Minute, 61*time.Second + 300*time.Millisecond} {
			for _, filter := range []string{"", "tenant = default"} {
				r := query.SeriesRequest{Metric: "active_calls", From: start.Add(begin), To: start.Add(4*time.Minute + 500*time.Millisecond), Step: step, Filter: filter, GroupBy: []string{"src_ip"}, Limit: 2}
				got := l.series(t, r)
				for i, at := range got.Times {
					until := at.Add(step)
					if until.After(r.To) {
						until = r.To
					}
					sum := 0.0
					for _, s := range got.Series {
						sum += *s.Values[i]
					}
					var want uint64
					if err := l.db.QueryRow(t.Context(), "SELECT count() FROM calls WHERE method = 'INVITE' AND answer < fromUnixTimestamp64Micro({t:Int64}) AND"+
						" multiIf(isNotNull(end), end >= fromUnixTimestamp64Micro({t:Int64}), outcome = 'in_progress', 1, last_seen >= fromUnixTimestamp64Micro({t:Int64}))",
						clickhouse.Named("t", until.UnixMicro())).Scan(&want); err != nil {
						t.Fatal(err)
					}
					if sum != float64(want) {
						t.Fatalf("steps of %s from %s, filter %q: %v calls are up at %s, want %d", step, r.From, filter, sum, until, want)
					}
					most = max(most, sum)
				}
			}
		}
	}
	// Who had calls has a series, though at the end of the hour none is up.
	r := query.SeriesRequest{Metric: "active_calls", From: start, To: start.Add(time.Hour), Step: time.Hour, GroupBy: []string{"src_ip"}, Limit: 200}
	var want uint64
	if err := l.db.QueryRow(t.Context(), "SELECT uniqExact(src_ip) FROM calls WHERE method = 'INVITE' AND isNotNull(answer)").Scan(&want); err != nil {
		t.Fatal(err)
	}
	if got := l.series(t, r); uint64(len(got.Series)) != want || want < 2 {
		t.Errorf("%d callers have a series, want %d", len(got.Series), want)
	}
	if most < 3 {
		t.Errorf("at most %v calls are up at a time", most)
	}
}

// TestActiveCallsNow checks that a call of which no end was seen is up to this day,
// unless nothing was heard of it for a day.
func TestActiveCallsNow(t *testing.T) {
	l := open(t)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for id, ago := range map[string]struct{ answer, last time.Duration }{
		"up": {30 * time.Minute, 29 * time.Minute}, "up for long": {22 * time.Hour, 20 * time.Hour}, "lost": {26 * time.Hour, 25 * time.Hour},
	} {
		answer, last := now.Add(-ago.answer), now.Add(-ago.last)
		if err := l.db.Exec(t.Context(), "INSERT INTO call_rows (tenant, correlation_id, call_ids, method, start, answer, last_seen, duration_s, outcome, final_status, opened, src_ip, version)"+
			" SELECT 'default', {id:String}, [{id:String}], 'INVITE', a, a, fromUnixTimestamp64Micro({last:Int64}), {seconds:Float64}, 'in_progress', 200, 1, toIPv6('::ffff:10.0.0.1'), 1 FROM (SELECT fromUnixTimestamp64Micro({answer:Int64}) AS a)",
			clickhouse.Named("id", id), clickhouse.Named("answer", answer.UnixMicro()), clickhouse.Named("last", last.UnixMicro()), clickhouse.Named("seconds", last.Sub(answer).Seconds())); err != nil {
			t.Fatal(err)
		}
	}
	for _, filter := range []string{"", "tenant = default"} {
		for _, c := range []struct {
			ago  time.Duration
			want string
		}{{26*time.Hour + time.Minute, "0.00"}, {25*time.Hour + 30*time.Minute, "1.00"}, {24 * time.Hour, "0.00"}, {time.Hour, "1.00"}, {20 * time.Minute, "2.00"}, {time.Minute, "2.00"}} {
			to := now.Add(-c.ago)
			got := l.series(t, query.SeriesRequest{Metric: "active_calls", From: to.Add(-time.Second), To: to, Step: time.Minute, Filter: filter})
			if v := *got.Series[0].Values[len(got.Times)-1]; fmt.Sprintf("%.2f", v) != c.want {
				t.Errorf("%s ago, filter %q: %v calls are up, want %s", c.ago, filter, v, c.want)
			}
		}
	}
}

// TestOthersSayTheSame checks the series of the others, which rollups have as what
// is left of everything, against that of the calls themselves.
func TestOthersSayTheSame(t *testing.T) {
	l := open(t, failures, lossy, twoLegs, registers, withMedia)
	others := 0
	for metric, groups := range map[string][]string{
		"attempts": {"src_ip", "dst_ip", "prefix", "final_status", "released_by", "user_agent"}, "asr": {"src_ip", "prefix", "final_status", "src_trunk"}, "acd_s": {"dst_ip", "final_status"},
		"retransmission_rate": {"src_ip"}, "mos": {"src_ip"}, "pdd_ms": {"dst_ip", "final_status"}, "active_calls": {"src_ip", "prefix", "released_by"}, "registrations": {"src_ip", "status"},
	} {
		for _, group := range groups {
			for _, step := range []time.Duration{time.Minute, 20 * time.Minute, time.Hour, 24 * time.Hour} {
				r := query.SeriesRequest{Metric: metric, From: l.From.Truncate(time.Hour).Add(-90 * time.Minute), To: l.To.Truncate(time.Hour).Add(90 * time.Minute), Step: step, GroupBy: []string{group}, Limit: 1}
				rolled := l.series(t, r)
				r.Filter = "tenant = default" // rollups know no filter
				if direct := l.series(t, r); figures(rolled) != figures(direct) {
					t.Errorf("%s by %q, steps of %s: rollups say %s, calls %s", metric, group, step, figures(rolled), figures(direct))
				}
				if rolled.Truncated {
					others++
				}
			}
		}
	}
	if others < 40 {
		t.Errorf("only %d answers have others", others)
	}
}

// TestEdgesSayTheSame checks what is read of the calls' rows without the view, where
// a window cuts minutes, and where a step is of seconds, against what the view says.
func TestEdgesSayTheSame(t *testing.T) {
	l := open(t, failures, lossy, twoLegs, registers, withMedia)
	seen := 0
	compare := func(steps ...time.Duration) {
		for metric, groups := range map[string][]string{
			"attempts": {"", "src_ip", "prefix", "outcome", "from_domain", "final_status"}, "unanswered": {""}, "ner": {"", "node"}, "scr": {"", "dst_ip"}, "srd_ms": {"", "src_ip"}, "mos": {""},
			"active_calls": {"", "outcome", "src_ip", "transport"}, "registrations": {"", "src_ip", "status"}, "ira": {"", "user_agent"}, "reg_failures": {""}, "rrd_ms_p95": {""},
		} {
			for _, group := range groups {
				for _, step := range steps {
					r := query.SeriesRequest{Metric: metric, From: l.From.Add(-70500 * time.Millisecond), To: l.To.Add(-400 * time.Millisecond), Step: step, Limit: 2}
					if group != "" {
						r.GroupBy = []string{group}
					}
					plain := figures(l.series(t, r))
					r.Filter = "tenant = default"
					if viewed := figures(l.series(t, r)); plain != viewed {
						t.Errorf("%s by %q, steps of %s: rows say %s, the view %s", metric, group, step, plain, viewed)
					}
					if strings.ContainsAny(plain, "123456789") {
						seen++
					}
				}
			}
		}
	}
	compare(7*time.Second, time.Minute)
	// What time alone decides is in no row.
	for table, unset := range map[string]string{"call_rows": "answer", "registration_rows": "rrd_ms"} {
		l.exec(t, "INSERT INTO "+table+" SELECT * REPLACE ('in_progress' AS outcome, version + 1 AS version) FROM "+table+" FINAL WHERE isNull("+unset+")")
	}
	compare(7 * time.Second)
	if seen < 30 {
		t.Errorf("only %d answers have figures", seen)
	}
}

// TestMinutesSayTheSame checks counts of messages from the rollup against those of
// the messages, in windows that begin and end anywhere.
func TestMinutesSayTheSame(t *testing.T) {
	l := open(t, failures, twoLegs)
	for _, metric := range []string{"messages", "errors"} {
		for _, groups := range [][]string{nil, {"tenant"}, {"node"}, {"method"}, {"cseq_method"}, {"status"}, {"class"}, {"method", "class"}, {"node", "cseq_method", "status"}} {
			for _, limit := range []int{1, 3, 0} {
				for _, step := range []time.Duration{time.Minute, time.Hour} {
					r := query.SeriesRequest{Metric: metric, From: l.From.Add(-time.Minute - 7*time.Second), To: l.To.Add(3 * time.Minute), Step: step, GroupBy: groups, Limit: limit}
					rolled := l.series(t, r)
					r.Filter = "time > 1970-01-02" // the rollup knows no filter
					direct := l.series(t, r)
					if got, want := figures(rolled), figures(direct); got != want || rolled.Truncated != direct.Truncated || !strings.ContainsAny(want, "123456789") {
						t.Errorf("%s by %q, limit %d, steps of %s: the rollup says %s, messages %s", metric, groups, limit, step, got, want)
					}
				}
			}
		}
	}
}

func TestKPIsRefuse(t *testing.T) {
	l := open(t)
	for _, r := range []query.SeriesRequest{
		{Metric: "asr", GroupBy: []string{"reason"}},
		{Metric: "registrations", GroupBy: []string{"outcome"}},
		{Metric: "registrations", Filter: "raw like \"%x%\""},
	} {
		if _, err := l.Series(t.Context(), r); !errors.Is(err, query.ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if !slices.Contains(query.Metrics(), "srd_ms_p95") {
		t.Error("no percentiles")
	}
}
