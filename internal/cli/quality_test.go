package cli

import (
	"bytes"
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/heplake/heplake/query"
)

func TestQuality(t *testing.T) {
	start := time.Date(2026, 11, 21, 2, 36, 31, 0, time.UTC)
	q := &query.Quality{
		CallID: "c5b45d0d88c546cc", MOS: f64(4.12), MOSMin: f64(2.4), PacketsLost: 137, LossPercent: f64(0.91),
		JitterAvg: f64(8.4), JitterMax: f64(61), RTT: f64(45), RFactor: f64(84), Reports: 41,
		Streams: []query.Stream{{SSRC: 0x0f1e22aa, Src: "10.99.0.1:10277", Dst: "10.99.0.1:31001", Source: "rtcp", Codec: "PCMU"}, {SSRC: 7, Src: "10.99.0.1:31011", Dst: "10.99.0.1:10043", Source: "rtcp-xr"}},
	}
	for i := range 40 {
		r := query.QualityReport{Reception: true, Time: start.Add(time.Duration(i) * 5 * time.Second), FractionLost: 0.002, JitterMs: 5 + float64(i%4), RTTMs: 45, MOS: 4.3}
		if i == 17 {
			r.FractionLost, r.JitterMs, r.MOS = 0.12, 61, 2.4
		}
		if i > 30 {
			r.RTTMs = 0
		}
		q.Streams[0].Reports = append(q.Streams[0].Reports, r)
	}
	q.Streams[1].Reports = []query.QualityReport{{Reception: true, Time: start, JitterMs: 3}, {Time: start.Add(time.Second)}}
	_, c := serve(t, map[string]http.HandlerFunc{"/api/v1/quality/c5b45d0d88c546cc": reply(q), "/api/v1/quality/silent": reply(query.Quality{CallID: "silent"})})
	for name, d := range map[string]Display{"quality-80.txt": {Width: 80}, "quality-100-color.txt": {Width: 100, Color: true}, "quality-60-ascii.txt": {Width: 60, ASCII: true}} {
		var out bytes.Buffer
		d.Out = &out
		if err := Quality(context.Background(), d, QualityOptions{Client: c, CallID: q.CallID}); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
	// However few places: the one bad report of forty is seen.
	loss := seriesOf(&q.Streams[0])[0]
	for _, room := range []int{1, 3, 8, 40, 60} {
		full := 0
		for _, g := range loss.graph(room, false) {
			if g.mark == "█" {
				full++
			}
		}
		if full != 1 {
			t.Errorf("%d places: %d of them show the dropout, want 1", room, full)
		}
	}
	err := Quality(context.Background(), Display{Out: &bytes.Buffer{}}, QualityOptions{Client: c, CallID: "silent"})
	if ExitCode(err) != 3 {
		t.Errorf("no report: exit code %d, %v", ExitCode(err), err)
	}
}
