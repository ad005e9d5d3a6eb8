package harness_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/heplake/heplake/api"
	"github.com/heplake/heplake/grafana-plugin/pkg/harness"
	"github.com/heplake/heplake/internal/laketest"
	"github.com/heplake/heplake/query"
)

// TestQueries asks for every type of query on one lake.
func TestQueries(t *testing.T) {
	l := laketest.Open(t, loaded...)
	p := harness.Start(t)
	s := source(t, l)
	t.Run("calls", func(t *testing.T) { testCalls(t, p, s, l) })
	t.Run("flow", func(t *testing.T) { testFlow(t, p, s, l) })
	t.Run("quality", func(t *testing.T) { testQuality(t, p, s, l) })
	t.Run("series", func(t *testing.T) { testSeries(t, p, s, l) })
	t.Run("logs", func(t *testing.T) { testLogs(t, p, s, l) })
	t.Run("faults", func(t *testing.T) { testFaults(t, p, s, l) })
	t.Run("resources", func(t *testing.T) { testResources(t, p, s, l) })
	t.Run("many at once", func(t *testing.T) { testManyAtOnce(t, p, s, l) })
}

func testCalls(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls", "filter": `method = INVITE and call_id = "3-16637@127.0.0.1"`})))[0]
	if f.Rows() != 1 {
		t.Fatalf("%d rows, want the one call", f.Rows())
	}
	for name, want := range map[string]any{
		"call_id": "3-16637@127.0.0.1", "method": "INVITE", "outcome": "answered", "final_status": int64(200), "final_reason": "OK",
		"from_user": "alice", "to_user": "bob", "ruri_user": "bob", "from_domain": "lab.test", "released_by": "caller", "q850": int64(16),
		"messages": int64(14), "retransmissions": int64(0), "hops": int64(2), "src_ip": "127.0.0.1", "src_port": int64(5285), "dst_ip": "127.0.0.1", "dst_port": int64(5280),
		"pdd_ms": 1.907, "duration_s": 0.303299, "mos_min": nil, "loss_percent": nil, "tenant": "default",
		"start": time.Date(2026, 11, 21, 2, 40, 13, 708766000, time.UTC),
	} {
		if got := value(t, f, name, 0); got != want {
			t.Errorf("%s is %v (%T), want %v (%T)", name, got, got, want, want)
		}
	}
	var legs []string
	if err := json.Unmarshal([]byte(value(t, f, "call_ids", 0).(string)), &legs); err != nil || len(legs) != 2 || legs[0] != "3-16637@127.0.0.1" {
		t.Errorf("call_ids %v: %v, %v", value(t, f, "call_ids", 0), legs, err)
	}
	if f.Meta == nil || f.Meta.Type != data.FrameTypeTable || len(f.Meta.Notices) != 0 {
		t.Errorf("meta %+v", f.Meta)
	}
	for name, unit := range map[string]string{"duration_s": "s", "pdd_ms": "ms", "loss_percent": "percent"} {
		if c := field(t, f, name).Config; c == nil || c.Unit != unit || c.Description == "" {
			t.Errorf("%s has the config %+v, want unit %s and a description", name, c, unit)
		}
	}

	// The links open the call's page over the call's own time, and its ladder.
	links := field(t, f, "call_id").Config.Links
	if len(links) != 2 {
		t.Fatalf("%d links", len(links))
	}
	wantURL := "/a/heplake-app/calls/call/${__data.fields.link_id.text:percentencode}?from=${__data.fields.link_from.numeric}&to=${__data.fields.link_to.numeric}&var-ds=" + s.Context(t).DataSourceInstanceSettings.UID
	if links[0].URL != wantURL {
		t.Errorf("link %s\nwant %s", links[0].URL, wantURL)
	}
	internal := links[1].Internal
	if q, _ := json.Marshal(internal.Query); string(q) != `{"callId":"${__value.raw}","queryType":"flow"}` || internal.DatasourceUID != s.Context(t).DataSourceInstanceSettings.UID {
		t.Errorf("internal link %+v", internal)
	}
	start := value(t, f, "start", 0).(time.Time)
	last := value(t, f, "last_seen", 0).(time.Time)
	if from, to := value(t, f, "link_from", 0), value(t, f, "link_to", 0); from != start.Add(-time.Minute).UnixMilli() || to != last.Add(time.Minute).UnixMilli() {
		t.Errorf("the links go from %v to %v, the call from %v to %v", from, to, start.UnixMilli(), last.UnixMilli())
	}
	if id := value(t, f, "link_id", 0); id != value(t, f, "call_id", 0) { // which has nothing to escape
		t.Errorf("the link is to %v, the call %v", id, value(t, f, "call_id", 0))
	}
	if c := field(t, f, "link_from").Config.Custom; c["hidden"] != true {
		t.Errorf("link_from is shown: %v", c)
	}

	// A limit cuts, newest first, and says so.
	f = frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls", "filter": "method = INVITE", "limit": 3})))[0]
	if f.Rows() != 3 || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "newest 3") {
		t.Errorf("%d rows, notices %v", f.Rows(), f.Meta.Notices)
	}
	for i := 1; i < f.Rows(); i++ {
		if value(t, f, "start", i).(time.Time).After(value(t, f, "start", i-1).(time.Time)) {
			t.Errorf("row %d is newer than the one before", i)
		}
	}

	// No calls: the fields are there all the same.
	f = frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls", "filter": `from_user = "nobody at all"`})))[0]
	if f.Rows() != 0 || field(t, f, "call_id").Len() != 0 {
		t.Errorf("%d rows", f.Rows())
	}
}

// flowFields is the contract of the flow frame: names, types and order.
var flowFields = []struct {
	name string
	kind data.FieldType
}{
	{"time", data.FieldTypeTime}, {"src", data.FieldTypeString}, {"dst", data.FieldTypeString}, {"src_name", data.FieldTypeString}, {"dst_name", data.FieldTypeString},
	{"leg", data.FieldTypeInt64}, {"call_id", data.FieldTypeString}, {"kind", data.FieldTypeString}, {"method", data.FieldTypeString}, {"status", data.FieldTypeInt64},
	{"reason", data.FieldTypeString}, {"cseq", data.FieldTypeInt64}, {"cseq_method", data.FieldTypeString}, {"label", data.FieldTypeString}, {"sdp", data.FieldTypeString},
	{"retransmission", data.FieldTypeBool}, {"copy", data.FieldTypeBool}, {"offset_us", data.FieldTypeInt64}, {"delta_us", data.FieldTypeInt64},
	{"transport", data.FieldTypeString}, {"node", data.FieldTypeString}, {"parse_error", data.FieldTypeString}, {"raw", data.FieldTypeString},
	{"src_alias", data.FieldTypeString}, {"dst_alias", data.FieldTypeString}, {"src_addr", data.FieldTypeString}, {"dst_addr", data.FieldTypeString},
	{"capture_id", data.FieldTypeInt64}, {"relay_us", data.FieldTypeNullableInt64}, {"response_us", data.FieldTypeNullableInt64},
}

func testFlow(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": " 3-16637@127.0.0.1 "})))[0]
	if len(f.Fields) != len(flowFields) {
		t.Errorf("%d fields, want %d", len(f.Fields), len(flowFields))
	}
	for i, want := range flowFields {
		if i < len(f.Fields) && (f.Fields[i].Name != want.name || f.Fields[i].Type() != want.kind) {
			t.Errorf("field %d is %s %s, want %s %s", i, f.Fields[i].Name, f.Fields[i].Type(), want.name, want.kind)
		}
	}
	if f.Name != "flow" || f.Meta.Type != data.FrameTypeTable || f.Meta.PreferredVisualizationPluginID != "heplake-ladder-panel" {
		t.Errorf("frame %s, meta %+v", f.Name, f.Meta)
	}
	var custom struct {
		Call struct {
			Outcome string   `json:"outcome"`
			CallIDs []string `json:"call_ids"`
		} `json:"call"`
		Legs []struct {
			CallID   string `json:"call_id"`
			LinkedBy string `json:"linked_by"`
		} `json:"legs"`
		Truncated *string `json:"truncated"`
	}
	raw, err := json.Marshal(f.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &custom); err != nil {
		t.Fatal(err)
	}
	if custom.Call.Outcome != "answered" || len(custom.Legs) != 2 || custom.Legs[0].LinkedBy != "asked" || custom.Legs[1].LinkedBy == "" || custom.Truncated == nil || *custom.Truncated != "" {
		t.Errorf("custom %s", raw)
	}
	if f.Rows() != 14 {
		t.Fatalf("%d rows, want the 14 messages of both legs", f.Rows())
	}
	for name, want := range map[string]any{
		"time": time.Date(2026, 11, 21, 2, 40, 13, 708766000, time.UTC), "src": "127.0.0.1:5285", "dst": "127.0.0.1:5280", "leg": int64(0),
		"call_id": "3-16637@127.0.0.1", "kind": "sip", "method": "INVITE", "status": int64(0), "cseq": int64(1), "cseq_method": "INVITE",
		"retransmission": false, "copy": false, "offset_us": int64(0), "delta_us": int64(0), "transport": "udp", "parse_error": "",
	} {
		if got := value(t, f, name, 0); got != want {
			t.Errorf("%s is %v (%T), want %v", name, got, got, want)
		}
	}
	if raw := value(t, f, "raw", 0).(string); !strings.HasPrefix(raw, "INVITE sip:bob@") || !strings.Contains(raw, "\r\n\r\nv=0") {
		t.Errorf("raw is %q", raw)
	}
	if sdp := value(t, f, "sdp", 0).(string); !strings.HasPrefix(sdp, "audio ") {
		t.Errorf("sdp is %q", sdp)
	}
	first := value(t, f, "time", 0).(time.Time)
	legs := map[any]int{}
	for i := range f.Rows() {
		offset := value(t, f, "offset_us", i).(int64)
		if at := value(t, f, "time", i).(time.Time); at.Sub(first).Microseconds() != offset {
			t.Errorf("row %d is at %v, offset %d µs", i, at, offset)
		}
		if i > 0 && value(t, f, "delta_us", i).(int64) != offset-value(t, f, "offset_us", i-1).(int64) {
			t.Errorf("row %d has the delta %v", i, value(t, f, "delta_us", i))
		}
		legs[value(t, f, "leg", i)]++
	}
	if legs[int64(0)] == 0 || legs[int64(1)] == 0 {
		t.Errorf("rows by leg %v", legs)
	}

	t.Run("media and logs are in it", func(t *testing.T) {
		kinds := map[any]int{}
		for _, id := range []string{"5972a9057162dc34", "3-14981@127.0.0.1"} {
			f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": id})))[0]
			for i := range f.Rows() {
				kinds[value(t, f, "kind", i)]++
			}
		}
		if kinds["sip"] == 0 || kinds["media"] == 0 || kinds["event"] == 0 {
			t.Errorf("kinds %v", kinds)
		}
	})
	t.Run("outside the time range", func(t *testing.T) {
		q := over(l, map[string]any{"queryType": "flow", "callId": "3-16637@127.0.0.1"})
		q.From, q.To = l.From.AddDate(0, -3, 0), l.From.AddDate(0, -3, 1)
		f := frames(t, p.Ask(s, q))[0]
		if f.Rows() != 14 {
			t.Errorf("%d rows", f.Rows())
		}
		if len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "outside the time range: it began at 2026-11-21 02:40:13 UTC") {
			t.Errorf("notices %v", f.Meta.Notices)
		}
	})
	t.Run("nowhere", func(t *testing.T) {
		f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": "no such call"})))[0]
		if f.Rows() != 0 || len(f.Fields) != len(flowFields) || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "no such call") {
			t.Errorf("%d rows, %d fields, notices %v", f.Rows(), len(f.Fields), f.Meta.Notices)
		}
	})
	t.Run("cut", func(t *testing.T) {
		f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": "3-16637@127.0.0.1", "limit": 5})))[0]
		if f.Rows() != 5 || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "longer than what is shown") {
			t.Errorf("%d rows, notices %v", f.Rows(), f.Meta.Notices)
		}
	})
}

func testQuality(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	const call = "5972a9057162dc34" // answered, with RTCP and X-RTP-Stat
	got := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "quality", "callId": call})))
	if len(got) != 2 || got[0].Name != "reports" || got[1].Name != "summary" {
		t.Fatalf("%d frames", len(got))
	}
	reports, summary := got[0], got[1]
	if n := value(t, summary, "reports", 0); n != int64(reports.Rows()) || summary.Rows() != 1 {
		t.Errorf("summary of %v reports in %d rows, there are %d", n, summary.Rows(), reports.Rows())
	}
	sources := map[any]int{}
	for i := range reports.Rows() {
		sources[value(t, reports, "source", i)]++
		if i > 0 && value(t, reports, "time", i).(time.Time).Before(value(t, reports, "time", i-1).(time.Time)) {
			t.Errorf("report %d is older than the one before", i)
		}
		for _, name := range []string{"mos", "rtt_ms", "r_factor"} {
			if v := value(t, reports, name, i); v == 0.0 {
				t.Errorf("report %d has the %s 0: unknown is null", i, name)
			}
		}
		if ssrc := value(t, reports, "ssrc", i).(string); ssrc == "" || strings.Trim(ssrc, "0123456789") != "" {
			t.Errorf("ssrc %q", ssrc)
		}
	}
	if sources["rtcp"] == 0 || sources["x-rtp-stat"] == 0 {
		t.Errorf("reports by source: %v", sources)
	}
	mean, ok := value(t, summary, "mos", 0).(float64)
	low, _ := value(t, summary, "mos_min", 0).(float64)
	if !ok || low > mean || low < 1 || mean > 5 {
		t.Errorf("mos %v, lowest %v", mean, low)
	}

	for _, metric := range []string{"mos", "jitter_ms", "loss_percent"} {
		series := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "quality", "callId": call, "metric": metric})))
		for _, f := range series {
			if f.Meta.Type != data.FrameTypeTimeSeriesMulti || len(f.Fields) != 2 || f.Fields[1].Name != metric || f.Fields[1].Labels["ssrc"] == "" || f.Rows() == 0 {
				t.Errorf("%s: frame %+v", metric, f)
			}
		}
		if n := value(t, summary, "streams", 0).(int64); int64(len(series)) > n || len(series) == 0 {
			t.Errorf("%s: %d series of %d streams", metric, len(series), n)
		}
	}

	f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "quality", "callId": "1-15165@127.0.0.1"})))
	if len(f) != 1 || f[0].Rows() != 0 || len(f[0].Meta.Notices) != 0 {
		t.Errorf("a call without reports: %d frames, %d rows", len(f), f[0].Rows())
	}
	f = frames(t, p.Ask(s, over(l, map[string]any{"queryType": "quality", "callId": "no such call"})))
	if f[0].Rows() != 0 || len(f[0].Meta.Notices) != 1 {
		t.Errorf("no call: %d rows, notices %v", f[0].Rows(), f[0].Meta.Notices)
	}
}

// sum adds up the values of time series.
func sum(t *testing.T, all data.Frames) (total float64) {
	t.Helper()
	for _, f := range all {
		if kind := f.Fields[0].Type(); kind != data.FieldTypeTime {
			t.Fatalf("the first field is %s", kind)
		}
		for i := range f.Rows() {
			if v, err := f.Fields[1].NullableFloatAt(i); err == nil && v != nil {
				total += *v
			}
		}
	}
	return total
}

// messages counts the messages in the lake that meet an SQL condition.
func messages(t *testing.T, l *laketest.Lake, where string) float64 {
	t.Helper()
	var n uint64
	if err := l.DB.QueryRow(t.Context(), "SELECT count() FROM sip WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return float64(n)
}

func testSeries(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	// As an alert rule without anything but the type: the defaults are the backend's.
	q := over(l, map[string]any{"queryType": "series"})
	q.Interval = 10 * time.Second
	all := frames(t, p.Ask(s, q))
	if len(all) != 1 {
		t.Fatalf("%d frames, want one", len(all))
	}
	f := all[0]
	if f.Meta.Type != data.FrameTypeTimeSeriesMulti || f.Meta.TypeVersion != (data.FrameTypeVersion{0, 1}) || len(f.Fields) != 2 || f.Fields[1].Name != "messages" || len(f.Fields[1].Labels) != 0 {
		t.Errorf("frame %+v", f.Meta)
	}
	if got, want := sum(t, all), messages(t, l, "1"); got != want {
		t.Errorf("%v messages, want %v", got, want)
	}
	for i := range f.Rows() {
		at := value(t, f, "time", i).(time.Time)
		if at.Unix()%10 != 0 || i > 0 && at.Sub(value(t, f, "time", i-1).(time.Time)) != 10*time.Second {
			t.Errorf("bucket %d is at %v", i, at)
		}
		if value(t, f, "messages", i) == nil {
			t.Errorf("bucket %d is null", i)
		}
	}

	byStatus := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "series", "metric": "errors", "groupBy": "status, src_ip", "filter": "cseq_method = INVITE"})))
	if got, want := sum(t, byStatus), messages(t, l, "status >= 400 AND cseq_method = 'INVITE'"); got != want || want == 0 {
		t.Errorf("%v errors, want %v", got, want)
	}
	for _, f := range byStatus {
		if labels := f.Fields[1].Labels; len(labels) != 2 || len(labels["status"]) != 3 || labels["src_ip"] == "" {
			t.Errorf("labels %v", labels)
		}
	}

	few := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "series", "groupBy": []string{"method"}, "limit": 2})))
	if len(few) != 3 || few[2].Fields[1].Labels["method"] != "other" || len(few[0].Meta.Notices) != 1 || sum(t, few) != messages(t, l, "1") {
		t.Errorf("%d frames, notices %v", len(few), few[0].Meta.Notices)
	}

	t.Run("no traffic is zeros", func(t *testing.T) {
		q := harness.Query{From: l.To.AddDate(0, 1, 0), To: l.To.AddDate(0, 1, 0).Add(10 * time.Minute), Interval: time.Minute}
		for _, groupBy := range []string{"", "status"} {
			q.Model = map[string]any{"queryType": "series", "metric": "errors", "groupBy": groupBy}
			all := frames(t, p.Ask(s, q))
			if len(all) != 1 || all[0].Rows() < 10 || sum(t, all) != 0 {
				t.Errorf("split by %q: %d frames", groupBy, len(all))
			}
			for i := range all[0].Rows() {
				if v := value(t, all[0], "errors", i); v != 0.0 {
					t.Errorf("split by %q: bucket %d is %v", groupBy, i, v)
				}
			}
		}
	})
	t.Run("a long window at a short step", func(t *testing.T) {
		q := harness.Query{Model: map[string]any{"queryType": "series"}, From: l.From.AddDate(0, 0, -30), To: l.To, Interval: time.Second, MaxDataPoints: 43200}
		all := frames(t, p.Ask(s, q))
		if n := all[0].Rows(); n > 11_000 || n < 1_000 || sum(t, all) != messages(t, l, "1") {
			t.Errorf("%d points, %v messages", n, sum(t, all))
		}
	})
}

func testLogs(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "logs"})))[0]
	if f.Meta.Type != data.FrameTypeLogLines || f.Rows() != 5 {
		t.Fatalf("type %s, %d rows", f.Meta.Type, f.Rows())
	}
	ids := map[any]bool{}
	for i := range f.Rows() {
		ids[value(t, f, "id", i)] = true
		if i > 0 && value(t, f, "timestamp", i).(time.Time).After(value(t, f, "timestamp", i-1).(time.Time)) {
			t.Errorf("line %d is newer than the one before", i)
		}
	}
	if len(ids) != 5 {
		t.Errorf("%d ids of 5 lines", len(ids))
	}
	f = frames(t, p.Ask(s, over(l, map[string]any{"queryType": "logs", "callId": "3-14981@127.0.0.1", "filter": "type_name = log"})))[0]
	if f.Rows() != 1 || value(t, f, "body", 0) != "log line: call 3-14981@127.0.0.1 seen" || value(t, f, "severity", 0) != "info" {
		t.Fatalf("%d rows", f.Rows())
	}
	var labels map[string]string
	if err := json.Unmarshal(value(t, f, "labels", 0).(json.RawMessage), &labels); err != nil || labels["call_id"] != "3-14981@127.0.0.1" || labels["type"] != "log" || labels["node"] != "node-js-a" {
		t.Errorf("labels %v, %v", labels, err)
	}
	f = frames(t, p.Ask(s, over(l, map[string]any{"queryType": "logs", "limit": 2})))[0]
	if f.Rows() != 2 || len(f.Meta.Notices) != 1 {
		t.Errorf("%d rows, notices %v", f.Rows(), f.Meta.Notices)
	}
}

// testFaults: each fault has the status, the source and the words for its kind.
func testFaults(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	tests := []struct {
		name   string
		model  map[string]any
		status int
		want   string
	}{
		{"filter", map[string]any{"queryType": "calls", "filter": "status >="}, 400, "column 10"},
		{"filter of a series", map[string]any{"queryType": "series", "filter": "outcome = failed"}, 400, "which only calls have"},
		{"filter of logs", map[string]any{"queryType": "logs", "filter": "statu = 1"}, 400, "filter, column 1"},
		{"regular expression", map[string]any{"queryType": "calls", "filter": `user_agent ~ "("`}, 400, ""},
		{"metric", map[string]any{"queryType": "series", "metric": "asdr"}, 400, "asdr"},
		{"group", map[string]any{"queryType": "series", "groupBy": "raw"}, 400, "raw"},
		{"limit", map[string]any{"queryType": "calls", "limit": 1_000_000}, 400, "limit"},
		{"media figure", map[string]any{"queryType": "quality", "callId": "x", "metric": "raw"}, 400, "want mos"},
		{"no Call-ID", map[string]any{"queryType": "flow"}, 400, "names no Call-ID"},
		{"no Call-ID", map[string]any{"queryType": "quality", "callId": " "}, 400, "names no Call-ID"},
		{"type", map[string]any{"queryType": "ladder"}, 400, `no query type "ladder"`},
		{"JSON", map[string]any{"queryType": "series", "limit": "many"}, 400, "JSON"},
		{"SQL syntax", map[string]any{"queryType": "sql", "sql": "SELECT FROM WHERE"}, 400, "code 62"},
		{"SQL names", map[string]any{"queryType": "sql", "sql": "SELECT nothing FROM sip"}, 400, "nothing"},
		{"SQL macro", map[string]any{"queryType": "sql", "sql": "SELECT $__nothing"}, 400, "line 1, column 8"},
		{"SQL that writes", map[string]any{"queryType": "sql", "sql": "TRUNCATE TABLE sip"}, 400, "may only read"},
		{"SQL that would write", map[string]any{"queryType": "sql", "sql": "SELECT 1 SETTINGS readonly = 0"}, 403, "readonly"},
		{"format", map[string]any{"queryType": "sql", "sql": "SELECT 1", "format": "csv"}, 400, `no format "csv"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := p.Ask(s, over(l, tt.model))
			if r.Error == nil || int(r.Status) != tt.status || r.ErrorSource != "downstream" || !strings.Contains(r.Error.Error(), tt.want) {
				t.Errorf("status %d, source %s, error %v\nwant %d with %q", r.Status, r.ErrorSource, r.Error, tt.status, tt.want)
			}
		})
	}
}

// testManyAtOnce: queries of one request are answered each by itself, in
// whatever mix of types, with or without the type in the request.
func testManyAtOnce(t *testing.T, p *harness.Plugin, s harness.Source, l *laketest.Lake) {
	var queries []harness.Query
	for i := range 12 {
		q := over(l, map[string]any{"queryType": "sql", "sql": fmt.Sprintf("SELECT %d AS n", i)})
		q.RefID, q.TypeInModelOnly = fmt.Sprintf("Q%d", i), i%2 == 0
		switch i {
		case 3:
			q.Model["sql"] = "SELECT no"
		case 5:
			q.Model = map[string]any{"queryType": "series"}
		case 7:
			q.Model = map[string]any{} // neither has a type: calls
		}
		queries = append(queries, q)
	}
	responses, err := p.Query(t.Context(), s, nil, queries...)
	if err != nil {
		t.Fatal(err)
	}
	if len(responses) != len(queries) {
		t.Fatalf("%d responses to %d queries", len(responses), len(queries))
	}
	for i := range queries {
		r := responses[fmt.Sprintf("Q%d", i)]
		switch i {
		case 3:
			if r.Error == nil {
				t.Error("a wrong query has no error")
			}
		case 5, 7:
			if want := map[int]string{5: "messages", 7: "calls"}[i]; frames(t, r)[0].Name != want {
				t.Errorf("frame %s, want %s", r.Frames[0].Name, want)
			}
		default:
			if got := value(t, frames(t, r)[0], "n", 0); fmt.Sprint(got) != fmt.Sprint(i) {
				t.Errorf("Q%d is answered with %v", i, got)
			}
		}
	}
}

// TestAliases gives addresses names in the settings: they are columns of ladders,
// and stand in lists of calls.
func TestAliases(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-two-legs-topoh-xcid-a")
	p := harness.Start(t)
	s := source(t, l)
	s.Settings["aliases"] = []string{"127.0.0.1:5070=Softphone", "127.0.0.1:5060=SBC Berlin", " ", "127.0.0.1:5062=SBC Berlin", "127.0.0.0/8=Carrier"}
	const id = "1-16207@127.0.0.1"
	f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": id})))[0]
	var custom struct {
		Participants []struct {
			Alias     string   `json:"alias"`
			Addresses []string `json:"addresses"`
		} `json:"participants"`
		Findings []struct {
			Text string `json:"text"`
		} `json:"findings"`
	}
	raw, err := json.Marshal(f.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &custom); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(custom.Participants); got != "[{Softphone [127.0.0.1:5070]} {SBC Berlin [127.0.0.1:5060 127.0.0.1:5062]} {Carrier [127.0.0.1:5080]}]" {
		t.Errorf("participants %s", got)
	}
	if len(custom.Findings) == 0 || !strings.Contains(custom.Findings[0].Text, "the caller, Softphone (sipp-3.6.1 lab), hung up") {
		t.Errorf("findings %v", custom.Findings)
	}
	for name, want := range map[string]any{"src": "127.0.0.1:5070", "dst": "127.0.0.1:5060", "src_alias": "Softphone", "dst_alias": "SBC Berlin", "src_addr": "127.0.0.1:5070"} {
		if got := value(t, f, name, 0); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	c := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls", "filter": `call_id = "` + id + `"`})))[0]
	if src, dst := value(t, c, "src_alias", 0), value(t, c, "dst_alias", 0); src != "Softphone" || dst != "SBC Berlin" {
		t.Errorf("the call is from %v to %v", src, dst)
	}

	s.UID, s.Settings["aliases"] = "wrong-alias", []string{"sbc=SBC Berlin"}
	if r := p.Ask(s, over(l, map[string]any{"queryType": "calls"})); r.Error == nil || !strings.Contains(r.Error.Error(), `"sbc" is no address`) {
		t.Errorf("an alias of no address gives %v", r.Error)
	}
	if health, _ := p.Health(s); !strings.Contains(health.Message, `"sbc" is no address`) {
		t.Errorf("health says %s", health.Message)
	}
}

// TestAliasesOfAPI takes names from heplake's own API, besides those of the
// settings.
func TestAliasesOfAPI(t *testing.T) {
	l := laketest.Open(t, "kamailio-hep3-two-legs-topoh-xcid-a")
	store, err := query.Open(t.Context(), query.Options{URL: l.URL, Database: l.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	list, err := query.ParseAliases([]string{"127.0.0.1:5070=Phone", "127.0.0.1:5060=SBC Berlin", "127.0.0.1:5062=SBC Berlin", "127.0.0.0/8=Carrier", "2001:db8::/32=Elsewhere"})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{Store: store, Aliases: list})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	defer srv.Close()
	p := harness.Start(t)
	s := source(t, l)
	const id = "1-16207@127.0.0.1"
	names := func(s harness.Source) string {
		t.Helper()
		f := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "flow", "callId": id})))[0]
		c := frames(t, p.Ask(s, over(l, map[string]any{"queryType": "calls", "filter": `call_id = "` + id + `"`})))[0]
		seen := []string{}
		for i := range f.Rows() {
			for _, end := range []string{"src_alias", "dst_alias"} {
				if name := fmt.Sprint(value(t, f, end, i)); !slices.Contains(seen, name) {
					seen = append(seen, name)
				}
			}
		}
		slices.Sort(seen)
		return fmt.Sprintf("%q, call %q > %q", seen, value(t, c, "src_alias", 0), value(t, c, "dst_alias", 0))
	}
	s.Settings["api"] = " " + srv.URL + "/ "
	if got := names(s); got != `["Carrier" "Phone" "SBC Berlin"], call "Phone" > "SBC Berlin"` {
		t.Errorf("names are %s", got)
	}
	s.UID, s.Settings["aliases"] = "both", []string{"127.0.0.1:5070=Softphone", "127.0.0.1:5080=Gateway"}
	if got := names(s); got != `["Gateway" "SBC Berlin" "Softphone"], call "Softphone" > "SBC Berlin"` {
		t.Errorf("with names of the settings they are %s", got)
	}
	if health, _ := p.Health(s); health.Status != pluginv2.CheckHealthResponse_OK || strings.Contains(health.Message, "names") {
		t.Errorf("health says %s", health.Message)
	}
	// The names stay while the API is away; a data source that never saw it has its own.
	srv.Close()
	if health, _ := p.Health(s); health.Status != pluginv2.CheckHealthResponse_OK || !strings.Contains(health.Message, "names of addresses are missing or old") {
		t.Errorf("without the API health says %s", health.Message)
	}
	if got := names(s); got != `["Gateway" "SBC Berlin" "Softphone"], call "Softphone" > "SBC Berlin"` {
		t.Errorf("without the API the names are %s", got)
	}
	s.UID = "late"
	if got := names(s); got != `["" "Gateway" "Softphone"], call "Softphone" > ""` {
		t.Errorf("a data source that never saw the API has %s", got)
	}
	s.UID, s.Settings["api"] = "wrong", "heplake:9080"
	if r := p.Ask(s, over(l, map[string]any{"queryType": "calls"})); r.Error == nil || !strings.Contains(r.Error.Error(), "http://heplake:9080") {
		t.Errorf("an address without http:// gives %v", r.Error)
	}
}
