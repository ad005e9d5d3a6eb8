package query_test

import (
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

// TestRetransmissionsByMethod: what is retransmitted is told by method, and is what
// the calls' own rows count.
func TestRetransmissionsByMethod(t *testing.T) {
	l := open(t, lossy)
	r := query.SeriesRequest{From: l.From.Truncate(time.Hour), To: l.From.Truncate(time.Hour).Add(2 * time.Hour), Step: 2 * time.Hour, GroupBy: []string{"cseq_method"}}
	by := func(metric string) map[string]float64 {
		r.Metric = metric
		out := map[string]float64{}
		for _, s := range l.series(t, r).Series {
			for _, v := range s.Values {
				if v != nil {
					out[s.Labels[0].Value] += *v
				}
			}
		}
		return out
	}
	rates, messages := by("retransmission_rate"), by("messages")
	if rates["BYE"] == 0 {
		t.Errorf("no BYE, nor what answers it, was sent again: %v", rates)
	}
	again := 0.0
	for method, rate := range rates {
		if rate < 0 || rate >= 100 {
			t.Errorf("%s: %v percent", method, rate)
		}
		again += rate / 100 * messages[method]
	}
	var calls, registrations uint64
	if err := l.db.QueryRow(t.Context(), "SELECT (SELECT sum(retransmissions) FROM calls), (SELECT sum(retransmissions) FROM registrations)").Scan(&calls, &registrations); err != nil {
		t.Fatal(err)
	}
	if want := float64(calls + registrations); again < want-1e-6 || again > want+1e-6 {
		t.Errorf("%v messages were sent again by method, %v by call and registration", again, want)
	}
}
