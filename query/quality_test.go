package query_test

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/heplake/heplake/query"
)

func TestQualityOfARealCall(t *testing.T) {
	l := open(t, withMedia)
	var id string
	var reports uint64
	if err := l.db.QueryRow(t.Context(), "SELECT any(call_id), count() FROM media").Scan(&id, &reports); err != nil {
		t.Fatal(err)
	}
	q, err := l.Quality(t.Context(), query.QualityRequest{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range q.Streams {
		n += len(s.Reports)
	}
	if q.CallID != id || uint64(q.Reports) != reports || n != q.Reports || q.MOS == nil || *q.MOS < 4 || *q.MOS > 4.6 || q.JitterAvg == nil {
		t.Errorf("%d reports stored, got %+v", reports, q)
	}
	var registration string
	if err := l.db.QueryRow(t.Context(), "SELECT any(call_id) FROM sip WHERE method = 'REGISTER'").Scan(&registration); err != nil {
		t.Fatal(err)
	}
	q, err = l.Quality(t.Context(), query.QualityRequest{ID: registration})
	if err != nil {
		t.Fatal(err)
	}
	if want := (&query.Quality{CallID: registration, Streams: []query.Stream{}}); !reflect.DeepEqual(q, want) {
		t.Errorf("without reports: %+v", q)
	}
	for _, unknown := range []string{"", "nobody@example.com"} {
		if _, err := l.Quality(t.Context(), query.QualityRequest{ID: unknown}); !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}

// TestQualityFigures checks the figures on reports whose sums are known: two
// directions, one of them seen on two hops, feedback, which says nothing of loss,
// and a report of the other leg.
func TestQualityFigures(t *testing.T) {
	l := open(t)
	l.exec(t, `INSERT INTO sip (time, tenant, correlation_id, own_call_id, method, cseq, cseq_method) VALUES
		('2026-11-21 00:00:00', 't', 'a', 'a', 'INVITE', 1, 'INVITE'), ('2026-11-21 00:00:00', 't', 'a', 'b', 'INVITE', 1, 'INVITE')`)
	l.exec(t, `INSERT INTO media (time, tenant, correlation_id, call_id, source, report, src_ip, src_port, ssrc, reporter, packets, lost, fraction_lost, jitter_ms, rtt_ms, mos, r_factor) VALUES
		('2026-11-21 00:00:05', 't', 'a', 'a', 'rtcp', 'sr', '::ffff:10.0.0.1', 1, 1, 2, 100, 3, 0.03, 10, 40, 4.0, 80),
		('2026-11-21 00:00:10', 't', 'a', 'a', 'rtcp', 'sr', '::ffff:10.0.0.1', 1, 1, 2, 200, 9, 0.05, 30, 60, 3.0, 70),
		('2026-11-21 00:00:10', 't', 'a', 'a', 'rtcp', 'sr', '::ffff:10.0.0.9', 1, 1, 2, 200, 9, 0.05, 30, 0, 0, 0),
		('2026-11-21 00:00:11', 't', 'a', 'a', 'rtcp', 'rr', '::ffff:10.0.0.2', 1, 2, 1, 0, -2, 0, 2, 0, 4.3, 0),
		('2026-11-21 00:00:11', 't', 'a', 'a', 'rtcp', 'feedback', '::ffff:10.0.0.2', 1, 2, 9, 0, 0, 0, 0, 0, 0, 0),
		('2026-11-21 00:00:12', 't', 'a', 'a', 'rtcp', 'sr', '::ffff:10.0.0.2', 1, 3, 3, 900, 0, 0, 0, 0, 0, 0),
		('2026-11-21 00:00:20', 't', 'x', 'b', 'rtp-agent', 'periodic', '::ffff:10.0.0.3', 1, 7, 0, 900, 5, 0.07, 3, 0, 0, 0),
		('2026-11-21 00:00:30', 't', 'x', 'b', 'rtp-agent', 'final', '::ffff:10.0.0.3', 1, 7, 0, 900, 11, 0.04, 5, 0, 0, 0)`)
	q, err := l.Quality(t.Context(), query.QualityRequest{ID: "b"})
	if err != nil {
		t.Fatal(err)
	}
	near := func(name string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > 1e-6 {
			t.Errorf("%s is %v, want %g", name, got, want)
		}
	}
	near("MOS", q.MOS, (3.5+4.3)/2)
	near("MOSMin", q.MOSMin, 3)
	near("LossPercent", q.LossPercent, 100*(0.03+0.05+0.05+0+0.07+0.04)/6)
	near("JitterAvg", q.JitterAvg, (10.0+30+30+2+3+5)/6)
	near("JitterMax", q.JitterMax, 30)
	near("RTT", q.RTT, 50)
	near("RFactor", q.RFactor, 75)
	if q.PacketsLost != 9+0+11 || q.Reports != 8 || len(q.Streams) != 5 {
		t.Errorf("lost %d, reports %d, streams %d", q.PacketsLost, q.Reports, len(q.Streams))
	}
	if s := q.Streams[0]; s.Src != "10.0.0.1:1" || s.SSRC != 1 || len(s.Reports) != 2 || s.Reports[1].MOS != 3 || s.Reports[0].FractionLost != 0.03 {
		t.Errorf("first stream %+v", s)
	}
	// Reports without any SIP.
	l.exec(t, "INSERT INTO media (time, tenant, correlation_id, call_id, source, ssrc, mos) VALUES ('2026-11-21 00:00:20', 't', 'only', 'only', 'rtp-agent', 7, 4)")
	if q, err := l.Quality(t.Context(), query.QualityRequest{ID: "only"}); err != nil || q.Reports != 1 {
		t.Errorf("only reports: %+v, %v", q, err)
	}
}
